"""What was said of recordings without a result is remembered when it is said no more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from konectom.storage.models import EarlierOutcome, RecordingRow, SessionRow


def remember(db: Session, session: SessionRow, row: RecordingRow, now: datetime) -> None:
    """Write down what is said of a recording until ``now``; and that it was waiting, until its session was tried."""
    remember_waiting(db, session, row)
    _say(db, row, now, row.status, row.error)


def remember_waiting(db: Session, session: SessionRow, row: RecordingRow) -> None:
    """Write down that a recording was waiting until its session was tried.

    Where that is written already, the session was tried again for the sake of others, unless this one, too, was given
    up and waited anew.
    """
    earlier = select(EarlierOutcome).where(EarlierOutcome.recording_id == row.id)
    last = db.scalars(earlier.order_by(EarlierOutcome.until.desc()).limit(1)).one_or_none()
    if session.tried_at is None:
        return
    if last is None or (last.status == "parked" and last.until < session.tried_at):
        _say(db, row, session.tried_at, "received", None)


def _say(db: Session, row: RecordingRow, until: datetime, status: str, error: Any) -> None:
    if db.get(EarlierOutcome, (row.id, until)) is None:
        db.add(EarlierOutcome(recording_id=row.id, until=until, status=status, error=error))
