"""Which objects are in use: those to which a session refers, or an upload that is held in quarantine."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, select

from konectom.storage.models import Blob, QuarantineRow, SessionRow


def is_unused() -> ColumnElement[bool]:
    """Return the condition on :class:`Blob` that no row refers to it."""
    sessions = select(SessionRow.id).where(SessionRow.object == Blob.object).exists()
    held = select(QuarantineRow.id).where(QuarantineRow.object == Blob.object).exists()
    return and_(~sessions, ~held)
