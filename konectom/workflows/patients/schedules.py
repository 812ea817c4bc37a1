"""What is due: schedules of a study or of one patient, and how they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session, aliased

from konectom.assessments import get_assessment
from konectom.errors import AlreadyExists, FieldInvalid, NotFound
from konectom.recording import FloatArray
from konectom.scoring.adherence import Adherence, adherence, local_days
from konectom.scoring.adherence import Schedule as Rule
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import Patient, RecordingRow, Schedule, SessionRow
from konectom.storage.scopes import patients_in
from konectom.storage.types import EPOCH
from konectom.workflows.consent.withheld import Withheld, patient_is_shown, shown_patient
from konectom.workflows.following.due import void_reviews
from konectom.workflows.pages import BY_TEXT_AND_ID, Asked, day_of, page, told
from konectom.workflows.patients.people import find_patient, find_study, require_patient
from konectom.workflows.services import Services

MOST = 100
"""Schedules of a study, and of a patient: adherence reads them all."""

FARTHEST = timedelta(days=3653)
"""How far from today a schedule may start: ten years of days are counted through whenever somebody asks."""

APART = timedelta(days=2)
"""So far the same local day can lie from that of UTC, with some room."""

PERIODS_TOLD = 60
"""So many periods, the last ones, are told one by one; the sums are over all of them."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a schedule asks for, since when of this patient, and how it was kept."""

    rule: Rule
    since: date
    adherence: Adherence


def create_schedule(
    services: Services,
    study_id: UUID,
    *,
    assessment: str,
    patient: UUID | None = None,
    **rule: Any,
) -> dict[str, Any]:
    """Make a schedule for a study's patients, or for one of them, whose own then stands instead of the study's.

    Raises :class:`FieldInvalid` and its kin at the field, :class:`NotFound` for study and patient,
    :class:`AlreadyExists` where there is the same one.
    """
    get_assessment(assessment)
    checked, now = Rule.of(rule), services.clock()
    if abs(checked.start - now.date()) > FARTHEST:
        raise FieldInvalid("a schedule starts within ten years of today", at="/start")
    with services.db.write() as db:
        # The row is locked, so that of two who make the same schedule the second finds it.
        find_study(db, study_id, lock=True)
        if patient is not None:
            find_patient(db, patient, study_id=study_id, at="/patient")
        there = _rows(db, study_id, patient)
        if len(there) >= MOST:
            raise FieldInvalid(f"there are {MOST} schedules already", at="/assessment")
        if any(row.assessment == assessment and Rule.of(row.rule) == checked for row in there):
            raise AlreadyExists("there is such a schedule already")
        row = Schedule(
            id=uuid4(),
            study_id=study_id,
            patient_id=patient,
            assessment=assessment,
            rule=checked.as_dict(),
            created_at=now,
        )
        db.add(row)
        void_reviews(db, study_id=study_id, patient_id=patient)
        db.flush()
        return show_schedule(row)


def list_schedules(
    services: Services,
    study_id: UUID,
    *,
    scope: Scope = EVERYTHING,
    patient: UUID | None = None,
    cursor: str | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Return a page of a study's schedules, or, with ``patient``, of those that hold for this patient.

    A patient's own is listed where the patient lies within ``scope``.
    """
    statement = select(Schedule).where(Schedule.study_id == study_id, patient_is_shown(Schedule.patient_id))
    if patient is not None:
        require_patient(services, patient, scope=scope, study_id=study_id, at="/query/patient")
    if not scope.everything:
        within = select(Patient.id).where(patients_in(scope, services.clock()))
        statement = statement.where(or_(Schedule.patient_id.is_(None), Schedule.patient_id.in_(within)))
    with services.db.read() as db:
        find_study(db, study_id)
        if patient is not None:
            held = _holds_for(shown_patient(db, patient, study_id=study_id, at="/query/patient")[0])
            statement = statement.where(held)
        order = (Schedule.assessment, Schedule.id)
        return page(db, statement, order, BY_TEXT_AND_ID, show_schedule, Asked.of(services.settings, cursor, limit))


def delete_schedule(services: Services, study_id: UUID, schedule_id: UUID) -> None:
    """Remove a schedule; what was done under it stays."""
    with services.db.write() as db:
        row = db.get(Schedule, schedule_id)
        if row is None or row.study_id != study_id:
            raise NotFound("there is no such schedule")
        void_reviews(db, study_id=study_id, patient_id=row.patient_id)
        db.delete(row)


def patient_adherence(services: Services, patient_id: UUID) -> dict[str, Any]:
    """Return what was due, done, late and missed, for each schedule that holds for the patient."""
    now = services.clock()
    with services.db.read() as db:
        patient, withheld = shown_patient(db, patient_id)
        kept = [_show_kept(*each) for each in adherence_of(db, patient, now, withheld)]
        return {"patient": str(patient_id), "schedules": kept, "withheld": withheld.told}


def adherence_of(db: Session, patient: Patient, now: datetime, withheld: Withheld) -> list[tuple[Schedule, Kept]]:
    """Return each schedule that holds for the patient, and how it was kept, unless that is ``withheld``.

    A study's schedule holds for a patient from the day on which the patient came, if that is later than its start:
    nobody has missed what was due before.
    """
    shown = (row for row in schedules_of(db, patient) if not withheld.hides(row.assessment))
    rules = [(row, Rule.of(row.rule)) for row in shown]
    done = _done(db, patient.id, rules, now)
    found = []
    for row, rule in rules:
        at_day = done.get(row.assessment, np.empty(0))
        since = rule.start if row.patient_id is not None else max(rule.start, _came(rule, patient, at_day))
        kept = adherence(rule, at_day, day_of(now), since=since)
        if kept.lapsed_since is not None and rule.until is not None and rule.until < _today(rule, now):
            kept = replace(kept, lapsed_since=None)  # nothing is due any more
        found.append((row, Kept(rule, since, kept)))
    return found


def schedules_of(db: Session, patient: Patient) -> Sequence[Schedule]:
    """Return the schedules that hold for a patient: the own ones, and the study's of every other assessment."""
    statement = select(Schedule).where(Schedule.study_id == patient.study_id, _holds_for(patient))
    return db.scalars(statement.order_by(Schedule.assessment, Schedule.id)).all()


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


def show_sums(kept: Adherence) -> dict[str, Any]:
    """Return what adherence comes to, without its periods."""
    sums = {each.name: getattr(kept, each.name) for each in fields(kept) if each.name != "periods"}
    return sums | {"lapsed_since": None if kept.lapsed_since is None else kept.lapsed_since.isoformat()}


def _show_kept(row: Schedule, kept: Kept) -> dict[str, Any]:
    periods = [asdict(each) | {"start": each.start.isoformat()} for each in kept.adherence.periods[-PERIODS_TOLD:]]
    shown = show_schedule(row) | {"holds_from": kept.since.isoformat()}
    return shown | show_sums(kept.adherence) | {"periods": periods}


def _holds_for(patient: Patient) -> ColumnElement[bool]:
    """Return the condition that a schedule of the patient's study holds for the patient."""
    own = aliased(Schedule)
    has_own = select(own.id).where(
        own.study_id == patient.study_id, own.patient_id == patient.id, own.assessment == Schedule.assessment
    )
    return or_(Schedule.patient_id == patient.id, and_(Schedule.patient_id.is_(None), ~has_own.exists()))


def _rows(db: Session, study_id: UUID, patient_id: UUID | None) -> list[Schedule]:
    whose = Schedule.patient_id.is_(None) if patient_id is None else Schedule.patient_id == patient_id
    return list(db.scalars(select(Schedule).where(Schedule.study_id == study_id, whose)))


def _came(rule: Rule, patient: Patient, at_day: FloatArray) -> date:
    """Return the day on which a patient came: when entered here, or that of the first test, if that is earlier."""
    known = min([day_of(patient.created_at), *at_day.tolist()])
    return EPOCH.date() + timedelta(days=int(local_days([known], ZoneInfo(rule.time_zone))[0]))


def _today(rule: Rule, now: datetime) -> date:
    return now.astimezone(ZoneInfo(rule.time_zone)).date()


def _done(
    db: Session, patient_id: UUID, rules: Sequence[tuple[Schedule, Rule]], now: datetime
) -> Mapping[str, FloatArray]:
    """Return when the patient performed each assessment, usable or not: whoever tried has not been idle.

    Only what lies between the first start and now is read, wherever on earth their days begin.
    """
    if not rules:
        return {}
    first = datetime.combine(min(rule.start for _, rule in rules), datetime.min.time(), UTC) - APART
    last = now + APART
    rows = db.execute(
        select(RecordingRow.assessment, SessionRow.started_at, RecordingRow.offset_s)
        .join(SessionRow, SessionRow.id == RecordingRow.session_id)
        .where(
            SessionRow.patient_id == patient_id,
            SessionRow.started_at.between(first, last),
            RecordingRow.assessment.in_({row.assessment for row, _ in rules}),
        )
    )
    found: dict[str, list[float]] = {}
    for name, started_at, offset_s in rows:
        day = day_of(started_at) + offset_s / 86_400
        if day_of(first) <= day <= day_of(last):
            found.setdefault(str(name), []).append(day)
    return {name: np.array(days) for name, days in found.items()}
