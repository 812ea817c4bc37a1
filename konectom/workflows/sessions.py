"""Sessions that are kept: one with what came of it, or a list to compare with what a phone still holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from konectom.errors import NotFound
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import Patient, SessionRow
from konectom.storage.scopes import patients_in
from konectom.workflows.as_of import checked_instant
from konectom.workflows.pages import BY_TIME_AND_ID, Asked, page
from konectom.workflows.receipts import session_line, session_receipt
from konectom.workflows.services import Services
from konectom.workflows.withheld import Withheld, patient_is_shown, shown_patient


def get_session(
    services: Services,
    session_id: UUID,
    *,
    scope: Scope = EVERYTHING,
    measures: bool = False,
    as_of: datetime | None = None,
) -> dict[str, Any]:
    """Return a session's receipt; what lies outside of ``scope`` is not found, nor what came after ``as_of``.

    Raises :class:`~konectom.errors.FieldInvalid` at ``/query/as_of`` for an instant that is still to come,
    :class:`~konectom.errors.PatientRestricted` where the use of what is kept of the patient is restricted.
    """
    checked_instant(as_of, services.clock())
    within = (
        select(SessionRow, Patient)
        .join(Patient, Patient.id == SessionRow.patient_id)
        .where(SessionRow.id == session_id, patients_in(scope, services.clock()))
    )
    if as_of is not None:
        within = within.where(SessionRow.received_at <= as_of)
    with services.db.read() as db:
        found = db.execute(within).one_or_none()
        if found is None:
            raise NotFound("there is no such session")
        row, patient = found
        return session_receipt(db, row, Withheld.of(db, patient), measures=measures, as_of=as_of)


def list_sessions(
    services: Services,
    *,
    scope: Scope = EVERYTHING,
    since: datetime | None = None,
    patient_id: UUID | None = None,
    cursor: str | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Return a page of sessions within ``scope`` in the order in which they were received, from ``since`` on.

    Those of patients who are restricted are left out; where only such a patient is asked about,
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
    with services.db.read() as db:
        if whose is not None:
            shown_patient(db, whose)
        order = (SessionRow.received_at, SessionRow.id)
        asked = Asked.of(services.settings, cursor, limit)
        return page(db, statement, order, BY_TIME_AND_ID, session_line, asked)
