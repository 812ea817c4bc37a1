"""Objects that no row speaks of: left by uploads that a crash, or a failing store, cut off before they had rows.

They are sealed under a patient's key like any other, and nothing leads to them, so that no erasure finds them. Whatever
is older than any upload takes is removed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import TypeVar

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from konectom.errors import KonectomError
from konectom.storage.models import Blob, UploadPiece
from konectom.workflows.services import Services
from konectom.workflows.sessions.keep import remove_orphan

T = TypeVar("T")
log = structlog.get_logger()

AGE = timedelta(days=1)
"""An object that is younger may belong to an upload that is still under way."""

MOST = 10_000
"""Objects that are looked at in one go where somebody waits; each time others."""

AT_ONCE = 500
"""Names in one statement."""


def sweep_objects(services: Services, *, most: int | None = MOST) -> bool:
    """Remove objects older than a day to which no row refers, among ``most`` (None: among all); tell whether it could.

    An upload of the same bytes at that time puts its object back:
    :func:`~konectom.workflows.sessions.keep.keep_session`.
    """
    removed = 0
    try:
        for names in batched(services.objects.written_before(services.clock() - AGE, most=most)):
            with services.db.read() as db:
                known = known_objects(db, names)
            for name in names:
                # What a write that was cut off left of an object that is there has the object's name.
                if name not in known:
                    remove_orphan(services, name)
                    removed += 1
    except KonectomError as error:
        log.error("objects.unswept", reason=error.detail)
        return False
    finally:
        if removed:
            log.warning("objects.swept", objects=removed)
    return True


def known_objects(db: Session, names: Collection[str]) -> set[str]:
    """Return those of the objects of which a row speaks: a session's, or a piece of one that is still coming."""
    return {
        *db.scalars(select(Blob.object).where(Blob.object.in_(names))),
        *db.scalars(select(UploadPiece.object).where(UploadPiece.object.in_(names))),
    }


def batched(things: Iterable[T]) -> Iterator[list[T]]:
    """Yield them in lists of as many as one statement may name."""
    rest = iter(things)
    while some := list(islice(rest, AT_ONCE)):
        yield some
