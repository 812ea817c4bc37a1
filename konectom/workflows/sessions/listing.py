"""Sessions that are kept: one with what came of it, or a list to compare with what a phone still holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from konectom.errors import NotFound
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import Blob, Patient, SessionRow
from konectom.storage.scopes import patients_in
from konectom.workflows.consent.withheld import Withheld, patient_is_shown, refusal, shown_patient
from konectom.workflows.following.as_of import checked_instant
from konectom.workflows.pages import Asked, by_arrival, page
from konectom.workflows.services import Services
from konectom.workflows.sessions.raw import Raw
from konectom.workflows.sessions.receipts import session_line, session_receipt
from konectom.workflows.sessions.tries import PARKED, is_parked


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
    with services.db.read() as db:
        row, patient = _find(services, db, session_id, scope)
        if as_of is not None and row.received_at > as_of:
            raise NotFound("there is no such session")
        return session_receipt(db, row, Withheld.of(db, patient), measures=measures, as_of=as_of)


def find_session(services: Services, session_id: UUID, *, scope: Scope = EVERYTHING) -> dict[str, Any]:
    """Return that a session is there, and its digest, without what came of it; raises as :func:`get_session` does."""
    with services.db.read() as db:
        row, patient = _find(services, db, session_id, scope)
        Withheld.of(db, patient)
        return session_line(row)


def session_bytes(services: Services, session_id: UUID, *, scope: Scope = EVERYTHING) -> Raw:
    """Return the bytes of a session as they were uploaded.

    They hold every type of data at once: where one of them is restricted,
    :class:`~konectom.errors.PatientRestricted` is raised. Raises :class:`NotFound`.
    """
    with services.db.read() as db:
        row, patient = _find(services, db, session_id, scope)
        withheld = Withheld.of(db, patient)
        if withheld.types:
            raise refusal(withheld.types)
        size_bytes = db.get_one(Blob, row.object).size_bytes
    return Raw.of(services, row, size_bytes)


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
    """Return a page of sessions within ``scope`` in the order in which they became visible.

    ``since`` leaves out those before the first that was received then or later, so that of two that were received at
    the same time, and kept one after the other, the second is not missed.

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
        first = select(func.min(SessionRow.arrival)).where(SessionRow.received_at >= since)
        if whose is not None:
            first = first.where(SessionRow.patient_id == whose)
        statement = statement.where(SessionRow.arrival >= first.scalar_subquery())
    if status is not None:
        statement = statement.where(_has(status))
    with services.db.read() as db:
        if whose is not None:
            shown_patient(db, whose)
        asked = Asked.of(services.settings, cursor, limit)
        return page(db, statement, *by_arrival(SessionRow), session_line, asked, position=True)


def _find(services: Services, db: Session, session_id: UUID, scope: Scope) -> tuple[SessionRow, Patient]:
    within = (
        select(SessionRow, Patient)
        .join(Patient, Patient.id == SessionRow.patient_id)
        .where(SessionRow.id == session_id, patients_in(scope, services.clock()))
    )
    found = db.execute(within).one_or_none()
    if found is None:
        raise NotFound("there is no such session")
    return found[0], found[1]


def _has(status: str) -> ColumnElement[bool]:
    if status == PARKED:
        return is_parked()
    return SessionRow.status == status
