"""What is due: schedules of a study or of one patient, and how they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from konectom.assessments import every_assessment
from konectom.errors import FieldInvalid, NotFound
from konectom.recording import FloatArray
from konectom.scoring.adherence import Schedule as Rule
from konectom.scoring.adherence import adherence
from konectom.storage.models import Patient, RecordingRow, Schedule, SessionRow, Study
from konectom.workflows.follow import day_of
from konectom.workflows.pages import told
from konectom.workflows.people import find_patient
from konectom.workflows.services import Services

MOST = 100
"""Schedules of a study, and of a patient: adherence reads them all."""


def create_schedule(
    services: Services,
    study_id: UUID,
    *,
    assessment: str,
    patient: UUID | None = None,
    **rule: Any,
) -> dict[str, Any]:
    """Make a schedule for a study's patients, or for one of them, whose own then stands instead of the study's.

    Raises :class:`FieldInvalid` at the field, :class:`NotFound` for the patient.
    """
    if assessment not in every_assessment():
        raise FieldInvalid(f"there is no assessment {assessment!r}", at="/assessment")
    checked = Rule.of(rule)
    with services.db.write() as db:
        if db.get(Study, study_id) is None:
            raise NotFound("there is no such study")
        if patient is not None:
            find_patient(db, patient, study_id=study_id)
        if len(_rows(db, study_id, patient)) >= MOST:
            raise FieldInvalid(f"there are {MOST} schedules already", at="/assessment")
        row = Schedule(
            id=uuid4(),
            study_id=study_id,
            patient_id=patient,
            assessment=assessment,
            rule=checked.as_dict(),
            created_at=services.clock(),
        )
        db.add(row)
        db.flush()
        return show_schedule(row)


def list_schedules(services: Services, study_id: UUID, *, patient: UUID | None = None) -> dict[str, Any]:
    """Return the schedules of a study, or, with ``patient``, those that hold for this patient."""
    with services.db.read() as db:
        if patient is None:
            rows = db.scalars(
                select(Schedule).where(Schedule.study_id == study_id).order_by(Schedule.assessment, Schedule.id)
            ).all()
        else:
            rows = schedules_of(db, find_patient(db, patient, study_id=study_id))
        return {"items": [show_schedule(row) for row in rows]}


def delete_schedule(services: Services, study_id: UUID, schedule_id: UUID) -> None:
    """Remove a schedule; what was done under it stays."""
    with services.db.write() as db:
        row = db.get(Schedule, schedule_id)
        if row is None or row.study_id != study_id:
            raise NotFound("there is no such schedule")
        db.delete(row)


def patient_adherence(services: Services, patient_id: UUID, *, study_id: UUID | None = None) -> dict[str, Any]:
    """Return what was due, done, late and missed, for each schedule that holds for the patient."""
    now = services.clock()
    with services.db.read() as db:
        patient = find_patient(db, patient_id, study_id=study_id)
        return {"patient": str(patient_id), "schedules": adherence_of(db, patient, day_of(now))}


def adherence_of(db: Session, patient: Patient, today_day: float) -> list[dict[str, Any]]:
    """Return the adherence to each schedule that holds for the patient."""
    rows = schedules_of(db, patient)
    done = _done(db, patient.id, {row.assessment for row in rows})
    found = []
    for row in rows:
        kept = adherence(Rule.of(row.rule), done.get(row.assessment, np.empty(0)), today_day)
        figures = asdict(kept)
        figures["periods"] = [each | {"start": each["start"].isoformat()} for each in figures["periods"]]
        since = kept.lapsed_since
        figures["lapsed_since"] = None if since is None else since.isoformat()
        found.append(show_schedule(row) | figures)
    return found


def schedules_of(db: Session, patient: Patient) -> Sequence[Schedule]:
    """Return the schedules that hold for a patient: the own ones, and the study's of every other assessment."""
    own = _rows(db, patient.study_id, patient.id)
    named = {row.assessment for row in own}
    general = [row for row in _rows(db, patient.study_id, None) if row.assessment not in named]
    return sorted([*own, *general], key=lambda row: (row.assessment, row.id))


def show_schedule(row: Schedule) -> dict[str, Any]:
    """Return a schedule as it stands on the wire."""
    return {
        "id": str(row.id),
        "study": str(row.study_id),
        "patient": None if row.patient_id is None else str(row.patient_id),
        "assessment": row.assessment,
        **row.rule,
        "created_at": told(row.created_at),
    }


def _rows(db: Session, study_id: UUID, patient_id: UUID | None) -> list[Schedule]:
    whose = Schedule.patient_id.is_(None) if patient_id is None else Schedule.patient_id == patient_id
    return list(db.scalars(select(Schedule).where(Schedule.study_id == study_id, whose).order_by(Schedule.id)))


def _done(db: Session, patient_id: UUID, assessments: set[str]) -> Mapping[str, FloatArray]:
    """Return when the patient performed each assessment, usable or not: whoever tried has not been idle."""
    if not assessments:
        return {}
    rows = db.execute(
        select(RecordingRow.assessment, SessionRow.started_at, RecordingRow.offset_s)
        .join(SessionRow, SessionRow.id == RecordingRow.session_id)
        .where(SessionRow.patient_id == patient_id, RecordingRow.assessment.in_(assessments))
    )
    found: dict[str, list[float]] = {}
    for name, started_at, offset_s in rows:
        found.setdefault(str(name), []).append(day_of(started_at) + offset_s / 86_400)
    return {name: np.array(days) for name, days in found.items()}
