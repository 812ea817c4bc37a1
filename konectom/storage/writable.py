"""Whether the database takes writes: a replica, one told to keep still, and a file on a read-only disk do not."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import make_url, text

from konectom.errors import StoreUnavailable
from konectom.storage.database import Database

_STATE = text("SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'")


def require_writable(db: Database) -> None:
    """Raise :class:`StoreUnavailable` unless the database answers and takes writes; nothing is written."""
    with db.read() as session:
        session.execute(text("SELECT 1"))
        if session.get_bind().dialect.name == "postgresql":
            replica, still = session.execute(_STATE).one()
            if replica or still:
                raise StoreUnavailable(f"the database {'is a replica' if replica else 'takes no writes'} at present")
    url = make_url(db.url)
    if url.get_backend_name() == "sqlite":
        # The log of writes and its index are made beside the file.
        file = Path(url.database or "")
        if not (os.access(file, os.R_OK | os.W_OK) and os.access(file.parent, os.W_OK | os.X_OK)):
            raise StoreUnavailable("the database's file cannot be written")
