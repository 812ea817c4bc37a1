"""Sessions that are kept: one with what came of it, or a list to compare with what a phone still holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from konectom.errors import NotFound
from konectom.storage.models import Patient, SessionRow
from konectom.workflows.pages import BY_TIME_AND_ID, Asked, page
from konectom.workflows.receipts import session_line, session_receipt
from konectom.workflows.services import Services


def get_session(
    services: Services,
    session_id: UUID,
    *,
    patient_id: UUID | None = None,
    study_id: UUID | None = None,
    measures: bool = False,
) -> dict[str, Any]:
    """Return a session's receipt; what lies outside of the patient or study asked about is not found."""
    with services.db.read() as db:
        row = db.get(SessionRow, session_id)
        if row is not None and study_id is not None:
            patient = db.get(Patient, row.patient_id)
            row = row if patient is not None and patient.study_id == study_id else None
        if row is None or patient_id not in (None, row.patient_id):
            raise NotFound("there is no such session")
        return session_receipt(db, row, measures=measures)


def list_sessions(
    services: Services,
    *,
    since: datetime | None = None,
    patient_id: UUID | None = None,
    study_id: UUID | None = None,
    cursor: str | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Return a page of sessions in the order in which they were received, from ``since`` on."""
    statement = select(SessionRow)
    if patient_id is not None:
        statement = statement.where(SessionRow.patient_id == patient_id)
    if study_id is not None:
        inside = select(Patient.id).where(Patient.study_id == study_id)
        statement = statement.where(SessionRow.patient_id.in_(inside))
    if since is not None:
        statement = statement.where(SessionRow.received_at >= since)
    with services.db.read() as db:
        order = (SessionRow.received_at, SessionRow.id)
        asked = Asked.of(services.settings, cursor, limit)
        return page(db, statement, order, BY_TIME_AND_ID, session_line, asked)
