"""Sessions that are kept: one with what came of it, or a list to compare with what a phone still holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select

from konectom.errors import NotFound
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import Patient, SessionRow
from konectom.storage.scopes import patients_in
from konectom.workflows.pages import BY_TIME_AND_ID, Asked, page
from konectom.workflows.receipts import session_line, session_receipt
from konectom.workflows.services import Services
from konectom.workflows.tries import PARKED, is_parked
from konectom.workflows.withheld import Withheld, patient_is_shown, shown_patient


def get_session(
    services: Services, session_id: UUID, *, scope: Scope = EVERYTHING, measures: bool = False
) -> dict[str, Any]:
    """Return a session's receipt; what lies outside of ``scope`` is not found.

    Raises :class:`~konectom.errors.PatientRestricted` where the use of what is kept of the patient is restricted.
    """
    within = (
        select(SessionRow, Patient)
        .join(Patient, Patient.id == SessionRow.patient_id)
        .where(SessionRow.id == session_id, patients_in(scope, services.clock()))
    )
    with services.db.read() as db:
        found = db.execute(within).one_or_none()
        if found is None:
            raise NotFound("there is no such session")
        row, patient = found
        return session_receipt(db, row, Withheld.of(db, patient), measures=measures)


def list_sessions(
    services: Services,
    *,
    scope: Scope = EVERYTHING,
    since: datetime | None = None,
    patient_id: UUID | None = None,
    status: str | None = None,
    cursor: str | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Return a page of sessions within ``scope`` in the order in which they were received, from ``since`` on.

    ``status`` asks for those of which it is told; a session is told of as parked where one of its recordings is. Those
    of patients who are restricted are left out; where only such a patient is asked about,
    :class:`~konectom.errors.PatientRestricted` is raised.
    """
    statement = select(SessionRow).where(patient_is_shown(SessionRow.patient_id))
    whose = patient_id or scope.patient_id
    if patient_id is not None:
        statement = statement.where(SessionRow.patient_id == patient_id)
    if not scope.everything:
        inside = select(Patient.id).where(patients_in(scope, services.clock()))
        statement = statement.where(SessionRow.patient_id.in_(inside))
    if since is not None:
        statement = statement.where(SessionRow.received_at >= since)
    if status is not None:
        statement = statement.where(_has(status))
    with services.db.read() as db:
        if whose is not None:
            shown_patient(db, whose)
        order = (SessionRow.received_at, SessionRow.id)
        asked = Asked.of(services.settings, cursor, limit)
        return page(db, statement, order, BY_TIME_AND_ID, session_line, asked)


def _has(status: str) -> ColumnElement[bool]:
    if status == PARKED:
        return is_parked()
    return SessionRow.status == status
