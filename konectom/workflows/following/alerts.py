"""What a clinician should look at: confirmed changes, alarming answers, patients who stopped testing, spoiled tests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from konectom.errors import FieldInvalid, NotFound
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import Alert, Patient
from konectom.storage.scopes import patients_in
from konectom.workflows.consent.withheld import Withheld, alert_is_shown
from konectom.workflows.following.due import count_due
from konectom.workflows.following.findings import KINDS
from konectom.workflows.following.reviews import review_some
from konectom.workflows.pages import BY_TIME_AND_ID, Asked, page, told, told_if_any
from konectom.workflows.patients.people import checked_text, get_study, require_patient
from konectom.workflows.services import Services

STATUSES = ("open", "acknowledged", "ended", "all")
"""``open`` ones are neither acknowledged nor over."""


def list_alerts(
    services: Services,
    study_id: UUID,
    *,
    scope: Scope = EVERYTHING,
    status: str = "open",
    kind: str | None = None,
    patient: UUID | None = None,
    cursor: str | None = None,
    limit: int | None = None,
    review: bool = True,
) -> dict[str, Any]:
    """Return a page of a study's alerts, of patients within ``scope``, as found, after reviewing some patients.

    ``pending`` counts the patients within ``scope`` of whom something came since they were last reviewed: what they
    have to tell is not among the alerts yet. Without ``review`` the list stands as it was last found.
    """
    narrowed = list(_narrowed(status, kind))
    asked = Asked.of(services.settings, cursor, limit)
    get_study(services, study_id)
    if patient is not None:
        require_patient(services, patient, scope=scope, study_id=study_id, at="/query/patient", even_restricted=False)
    if review:
        review_some(services, study_id, patient=patient, scope=scope)
    statement = select(Alert).where(Alert.study_id == study_id, *narrowed, alert_is_shown())
    if not scope.everything:
        within = select(Patient.id).where(patients_in(scope, services.clock()))
        statement = statement.where(Alert.patient_id.in_(within))
    if patient is not None:
        statement = statement.where(Alert.patient_id == patient)
    with services.db.read() as db:
        answer = page(db, statement, (Alert.found_at, Alert.id), BY_TIME_AND_ID, show_alert, asked)
        return answer | {"pending": count_due(db, study_id, services.clock(), scope=scope)}


def acknowledge(
    services: Services, study_id: UUID, alert_id: UUID, *, by: str, note: str = "", scope: Scope = EVERYTHING
) -> dict[str, Any]:
    """Say that somebody has seen an alert; a second time changes nothing.

    Raises :class:`~konectom.errors.PatientRestricted` where it is shown to nobody at present.
    """
    checked = checked_text(note, "note")
    within = select(Patient.id).where(patients_in(scope, services.clock()))
    mine = Alert.id == alert_id, Alert.study_id == study_id, Alert.patient_id.in_(within)
    with services.db.write() as db:
        row = db.scalars(select(Alert).where(*mine).with_for_update()).one_or_none()
        if row is None:
            raise NotFound("there is no such alert")
        Withheld.of(db, db.get_one(Patient, row.patient_id)).require(row.key)
        if row.acknowledged_at is None:
            row.acknowledged_at, row.acknowledged_by, row.note = services.clock(), by, checked
            db.flush()
        return show_alert(row)


def count_open(db: Session, patient_id: UUID, as_of: datetime) -> int:
    """Return how many alerts of a patient were open at a time, of those that reviews have found and may be shown."""
    return db.scalars(
        select(func.count())
        .select_from(Alert)
        .where(
            Alert.patient_id == patient_id,
            Alert.found_at <= as_of,
            alert_is_shown(),
            or_(Alert.ended_at.is_(None), Alert.ended_at > as_of),
            or_(Alert.acknowledged_at.is_(None), Alert.acknowledged_at > as_of),
        )
    ).one()


def show_alert(row: Alert) -> dict[str, Any]:
    """Return an alert as it stands on the wire."""
    return {
        "id": str(row.id),
        "study": str(row.study_id),
        "patient": str(row.patient_id),
        "kind": row.kind,
        "key": row.key,
        "at": told(row.at),
        "message": row.told["message"],
        "evidence": row.told["evidence"],
        "found_at": told(row.found_at),
        "ended_at": told_if_any(row.ended_at),
        "acknowledged_at": told_if_any(row.acknowledged_at),
        "acknowledged_by": row.acknowledged_by,
        "note": row.note,
    }


def _narrowed(status: str, kind: str | None) -> Iterator[ColumnElement[bool]]:
    if status not in STATUSES:
        raise FieldInvalid(f"status must be one of {', '.join(STATUSES)}", at="/query/status")
    if kind not in (None, *KINDS):
        raise FieldInvalid(f"kind must be one of {', '.join(KINDS)}", at="/query/kind")
    if status == "open":
        yield Alert.acknowledged_at.is_(None)
        yield Alert.ended_at.is_(None)
    elif status == "acknowledged":
        yield Alert.acknowledged_at.is_not(None)
    elif status == "ended":
        yield Alert.ended_at.is_not(None)
    if kind is not None:
        yield Alert.kind == kind
