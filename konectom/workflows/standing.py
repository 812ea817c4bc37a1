"""How the installation stands, in figures: what waits, what is kept, how much room is left.

Nothing of it tells of a person. Each figure costs an index or a file system one look, whatever is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, literal_column, select
from sqlalchemy.orm import Session

from konectom.errors import KonectomError
from konectom.storage.models import AuditHead, QuarantineRow, Residue, SessionRow
from konectom.workflows.services import Services
from konectom.workflows.sessions.room import rooms

WAITING = ("received", "parked")
"""Sessions of which nothing has come yet, or never will unless somebody acts."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure by its labels."""

    name: str
    means: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


def figures(services: Services) -> Iterator[Figure]:
    """Yield how things stand; of a database that does not answer only that it does not."""
    yield from _rooms(services)
    try:
        with services.db.read() as db:
            found = list(_of_database(services, db))
    except KonectomError:
        yield Figure("konectom_database_up", "Whether the database answers.", 0.0)
        return
    yield Figure("konectom_database_up", "Whether the database answers.", 1.0)
    yield from found


def _rooms(services: Services) -> Iterator[Figure]:
    try:
        found = rooms(services)
    except KonectomError:
        return
    for of, free in found.items():
        yield Figure("konectom_free_bytes", "Room that is left.", free, (("of", of),))


def _of_database(services: Services, db: Session) -> Iterator[Figure]:
    now = services.clock()
    for status in WAITING:
        # Written out, not bound: only so does an index of these sessions alone serve.
        where = SessionRow.status == literal_column(f"'{status}'")
        count, oldest = db.execute(select(func.count(), func.min(SessionRow.received_at)).where(where)).one()
        labels = (("status", status),)
        age_s = max((now - oldest).total_seconds(), 0.0) if count else 0.0
        yield Figure("konectom_sessions", "Sessions that wait, or were given up.", count, labels)
        yield Figure("konectom_session_oldest_seconds", "How long the oldest of them has been here.", age_s, labels)
    entries = db.scalar(select(func.max(AuditHead.seq)))
    held = db.scalar(select(func.count()).where(QuarantineRow.state == "held"))
    yield Figure("konectom_quarantine", "Uploads that were refused and are kept.", held or 0)
    left = db.scalar(select(func.count()).select_from(Residue))
    yield Figure("konectom_erasures_left", "What erasures still have to remove outside of the rows.", left or 0)
    yield Figure("konectom_audit_entries", "Entries of the audit: its head.", entries or 0)
