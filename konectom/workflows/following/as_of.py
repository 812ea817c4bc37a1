"""What was known at an instant: results that were there then, and what was said then of recordings without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from konectom.errors import FieldInvalid
from konectom.storage.models import EarlierOutcome, RecordingRow, SessionRow
from konectom.workflows.sessions.process import status_of

WAITING = "received"


def checked_instant(as_of: datetime | None, now: datetime) -> datetime | None:
    """Return the instant; raises :class:`FieldInvalid` at ``/query/as_of`` for one that is still to come."""
    if as_of is not None and as_of > now:
        raise FieldInvalid("what will be known is not known yet: as_of lies in the future", at="/query/as_of")
    return as_of


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of a recording, or of a session: its status, and the error if there was one."""

    status: str
    error: Any = None


def said_then(
    db: Session, session: SessionRow, recordings: Sequence[RecordingRow], computed: set[UUID], as_of: datetime
) -> dict[UUID, Said]:
    """Return what was said of a session's recordings at an instant; ``computed`` are those that had a result then.

    A recording that has its result since was what is kept of it (:class:`EarlierOutcome`), or was waiting.
    """
    earlier, stands = _earlier(db, [each.id for each in recordings], as_of)
    waited = session.tried_at is not None and session.tried_at > as_of
    found = {}
    for each in recordings:
        if each.id in computed:
            found[each.id] = Said("processed")
        elif each.id in earlier:
            found[each.id] = earlier[each.id]
        elif each.status == "processed" or (waited and each.id not in stands):
            found[each.id] = Said(WAITING)
        else:
            found[each.id] = Said(each.status, each.error)
    return found


def session_said(session: SessionRow, recordings: Sequence[Said]) -> Said:
    """Return what was said of a session of whose recordings this was said."""
    statuses = [each.status for each in recordings]
    if statuses and WAITING in statuses and "processed" not in statuses:
        return Said(WAITING)
    status = status_of(statuses) if statuses else session.status
    return Said(status, session.fault if status == session.status else None)


def _earlier(db: Session, recordings: Sequence[UUID], as_of: datetime) -> tuple[dict[UUID, Said], set[UUID]]:
    """Return the first outcome of each recording that held beyond the instant; and those that waited before it.

    What is said of the latter now was said then, also where their session was tried again since, for others of it.
    """
    found, last = dict[UUID, Said](), dict[UUID, str]()
    earlier = select(EarlierOutcome).where(EarlierOutcome.recording_id.in_(recordings))
    for row in db.scalars(earlier.order_by(EarlierOutcome.until.desc())):
        if row.until > as_of:
            found[row.recording_id] = Said(row.status, row.error)
        last.setdefault(row.recording_id, row.status)
    return found, {each for each, status in last.items() if status == WAITING}
