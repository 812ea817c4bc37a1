"""What was said of recordings without a result is remembered when it is said no more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from konectom.storage.models import EarlierOutcome, RecordingRow, SessionRow


def remember(db: Session, session: SessionRow, row: RecordingRow, now: datetime) -> None:
    """Write down what is said of a recording until ``now``; and that it was waiting, until its session was tried."""
    _say(db, row, now, row.status, row.error)
    if session.tried_at is not None and session.tried_at < now:
        _say(db, row, session.tried_at, "received", None)


def _say(db: Session, row: RecordingRow, until: datetime, status: str, error: Any) -> None:
    if db.get(EarlierOutcome, (row.id, until)) is None:
        db.add(EarlierOutcome(recording_id=row.id, until=until, status=status, error=error))
