"""How long a study's data are kept: until a date, and then every patient of it is erased, with a certificate each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from konectom.errors import FieldInvalid
from konectom.storage.models import Patient, Study
from konectom.workflows.erasing.erasure import erase_patient, require_reason
from konectom.workflows.patients.people import find_study
from konectom.workflows.services import Services


def overdue_studies(services: Services, *, overdue_only: bool = True) -> list[dict[str, Any]]:
    """Return the studies that have a date of retention and patients, the earliest first.

    ``overdue`` are those whose last day, in UTC, is over.
    """
    today = services.clock().date()
    statement = (
        select(Study, func.count(Patient.id))
        .join(Patient, Patient.study_id == Study.id)
        .where(Study.retain_until.is_not(None))
        .group_by(Study.id)
        .order_by(Study.retain_until, Study.code)
    )
    if overdue_only:
        statement = statement.where(Study.retain_until < today)
    with services.db.read() as db:
        return [_told(study, patients, today) for study, patients in db.execute(statement)]


def _told(study: Study, patients: int, today: date) -> dict[str, Any]:
    until = study.retain_until
    return {
        "id": str(study.id),
        "code": study.code,
        "name": study.name,
        "retain_until": None if until is None else until.isoformat(),
        "overdue": until is not None and until < today,
        "patients": patients,
    }


def patients_overdue(services: Services, study_id: UUID) -> list[UUID]:
    """Return the patients of a study whose time is over; raises :class:`FieldInvalid` where it is not."""
    today = services.clock().date()
    with services.db.read() as db:
        until = find_study(db, study_id).retain_until
        if until is None or until >= today:
            kept = "has no date until which its data are kept" if until is None else f"keeps its data until {until}"
            raise FieldInvalid(f"the study {kept}; patients are erased one by one before", at="/retain_until")
        chosen = select(Patient.id).where(Patient.study_id == study_id)
        return list(db.scalars(chosen.order_by(Patient.created_at, Patient.id)))


def erase_study(services: Services, study_id: UUID, *, reason: str = "retention") -> Iterator[dict[str, Any]]:
    """Erase the patients of a study whose time is over, and yield each certificate.

    What was interrupted goes on where it is called again: who was erased is no longer among the patients. What lies
    outside of the rows is left to :func:`~konectom.workflows.erasing.erasure.finish_erasures`, once for all of them.
    """
    require_reason(reason)
    for patient_id in patients_overdue(services, study_id):
        yield erase_patient(services, patient_id, reason=reason, finish=False)
