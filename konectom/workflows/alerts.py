"""What a clinician should look at: confirmed changes, alarming answers, patients who stopped testing, spoiled tests.

Alerts are found by going through a patient's scores again after something new came (a *review*). The same finding has
the same id, however often it is made, so that one which was acknowledged stays so. What is a state rather than an event
(a lapse, a run of spoiled tests) ends when it is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from konectom.errors import FieldInvalid, NotFound
from konectom.storage.models import (
    Alert,
    CatalogueRow,
    Observation,
    Patient,
    RecordingRow,
    ResultRow,
    Review,
    SessionRow,
    Study,
)
from konectom.storage.queries import IS_CURRENT
from konectom.workflows.follow import day_of, follow_patient
from konectom.workflows.pages import BY_TIME_AND_ID, Asked, instant_of_day, page, told
from konectom.workflows.people import checked_text
from konectom.workflows.schedules import adherence_of
from konectom.workflows.services import Services

KINDS = ("confirmed_worsening", "confirmed_improvement", "item_alarm", "lapsed", "spoiled_tests")
STATES = ("lapsed", "spoiled_tests")
"""Kinds that last, and end."""

STATUSES = ("open", "acknowledged", "ended", "all")

SPOILED_RUN = 3
"""So many recordings of an assessment without a usable one, the last ones, are worth a call."""

SPOILED_DAYS = 90
"""How far back recordings are looked at for that."""

REVIEW_EVERY = timedelta(days=1)
"""A patient is reviewed anew after this time even where nothing came: that nothing came may be the finding."""

REVIEWS_AT_ONCE = 20
"""Patients reviewed before a list is answered; the rest is told as pending."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look at; ``identity`` is what makes it the same finding again."""

    kind: str
    key: str
    at: datetime
    identity: str
    told: dict[str, Any]


def list_alerts(
    services: Services,
    study_id: UUID,
    *,
    status: str = "open",
    kind: str | None = None,
    patient: UUID | None = None,
    cursor: str | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Return a page of a study's alerts in the order in which they were found, after reviewing some patients.

    ``pending`` counts the patients of whom something came since they were last reviewed: what they have to tell is not
    among the alerts yet. :func:`review_study` goes through all of them.
    """
    review_study(services, study_id, most=REVIEWS_AT_ONCE)
    statement = select(Alert).where(Alert.study_id == study_id, *_narrowed(status, kind))
    if patient is not None:
        statement = statement.where(Alert.patient_id == patient)
    with services.db.read() as db:
        asked = Asked.of(services.settings, cursor, limit)
        answer = page(db, statement, (Alert.found_at, Alert.id), BY_TIME_AND_ID, show_alert, asked)
        return answer | {"pending": _pending(db, study_id, services.clock())}


def acknowledge(services: Services, study_id: UUID, alert_id: UUID, *, by: str, note: str = "") -> dict[str, Any]:
    """Say that somebody has seen an alert; a second time changes nothing."""
    with services.db.write() as db:
        row = db.get(Alert, alert_id)
        if row is None or row.study_id != study_id:
            raise NotFound("there is no such alert")
        if row.acknowledged_at is None:
            row.acknowledged_at, row.acknowledged_by = services.clock(), by
            row.note = checked_text(note, "note")
            db.flush()
        return show_alert(row)


def review_study(services: Services, study_id: UUID, *, most: int | None = None) -> int:
    """Review the patients of whom something came since their last review, at most so many; returns how many."""
    now = services.clock()
    with services.db.read() as db:
        if db.get(Study, study_id) is None:
            raise NotFound("there is no such study")
        due = list(db.scalars(_due(study_id, now).limit(most)))
    for patient_id in due:
        review_patient(services, patient_id)
    return len(due)


def review_patient(services: Services, patient_id: UUID) -> None:
    """Look through a patient's scores, observations, tests and schedules, and keep what is found."""
    now = services.clock()
    with services.db.read() as db:
        patient = db.get_one(Patient, patient_id)
        found = list(_findings(db, patient, now))
    with services.db.write() as db:
        _keep(db, patient, found, now)


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
        "ended_at": None if row.ended_at is None else told(row.ended_at),
        "acknowledged_at": None if row.acknowledged_at is None else told(row.acknowledged_at),
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


def _due(study_id: UUID, now: datetime) -> Select[UUID]:
    """Return the patients who are due for a review, those who waited longest first."""
    came = (
        select(SessionRow.id)
        .where(SessionRow.patient_id == Patient.id, SessionRow.received_at > Review.reviewed_at)
        .exists()
    )
    entered = (
        select(Observation.id)
        .where(
            Observation.patient_id == Patient.id,
            or_(Observation.entered_at > Review.reviewed_at, Observation.retracted_at > Review.reviewed_at),
        )
        .exists()
    )
    return (
        select(Patient.id)
        .outerjoin(Review, Review.patient_id == Patient.id)
        .where(
            Patient.study_id == study_id,
            or_(Review.reviewed_at.is_(None), Review.reviewed_at <= now - REVIEW_EVERY, came, entered),
        )
        .order_by(Review.reviewed_at.is_not(None), Review.reviewed_at, Patient.id)
    )


def _pending(db: Session, study_id: UUID, now: datetime) -> int:
    return db.scalars(select(func.count()).select_from(_due(study_id, now).order_by(None).subquery())).one()


def _keep(db: Session, patient: Patient, found: Iterable[Finding], now: datetime) -> None:
    """Add what is new, end what is over, and remember that the patient was reviewed."""
    by_id = {uuid5(patient.id, f"{each.kind}/{each.key}/{each.identity}"): each for each in found}
    # The row is locked, so that of two reviews at the same time the second sees what the first has kept.
    db.get_one(Patient, patient.id, with_for_update=True)
    there = {row.id: row for row in db.scalars(select(Alert).where(Alert.patient_id == patient.id))}
    for number, each in by_id.items():
        if number in there:
            there[number].ended_at = None
            continue
        db.add(
            Alert(
                id=number,
                study_id=patient.study_id,
                patient_id=patient.id,
                kind=each.kind,
                key=each.key,
                at=each.at,
                told=each.told,
                found_at=now,
                ended_at=None,
                acknowledged_at=None,
                acknowledged_by=None,
                note=None,
            )
        )
    for number, row in there.items():
        if number not in by_id and row.ended_at is None:
            row.ended_at = now
    reviewed = db.get(Review, patient.id)
    if reviewed is None:
        db.add(Review(patient_id=patient.id, reviewed_at=now))
    else:
        reviewed.reviewed_at = now


def _findings(db: Session, patient: Patient, now: datetime) -> Iterator[Finding]:
    yield from _changes(db, patient, now)
    yield from _alarms(db, patient.id)
    yield from _lapses(db, patient, now)
    yield from _spoiled(db, patient.id, now)


def _changes(db: Session, patient: Patient, now: datetime) -> Iterator[Finding]:
    for track in follow_patient(db, patient, now=now):
        for event in track.followed.events:
            onset = instant_of_day(event.onset_day)
            yield Finding(
                kind=f"confirmed_{event.direction}",
                key=track.score.key,
                at=instant_of_day(event.confirmed_day),
                identity=f"{event.definition}/{onset.date().isoformat()}",
                told={
                    "message": f"Confirmed {event.direction} of: {track.score.title}",
                    "evidence": asdict(event),
                },
            )


def _alarms(db: Session, patient_id: UUID) -> Iterator[Finding]:
    rows = db.scalars(
        select(Observation).where(Observation.patient_id == patient_id, Observation.retracted_at.is_(None))
    )
    for row in rows:
        for flag in row.flags:
            if flag["kind"] == "alarm":
                yield Finding(
                    kind="item_alarm",
                    key=f"obs.{row.code}",
                    at=row.at,
                    identity=f"{row.id}/{flag['code']}",
                    told={"message": flag["message"], "evidence": flag["evidence"] | {"observation": str(row.id)}},
                )


def _lapses(db: Session, patient: Patient, now: datetime) -> Iterator[Finding]:
    for kept in adherence_of(db, patient, day_of(now)):
        since = kept["lapsed_since"]
        if since is not None:
            yield Finding(
                kind="lapsed",
                key=kept["assessment"],
                at=datetime.combine(date.fromisoformat(since), datetime.min.time(), UTC),
                identity=since,
                told={
                    "message": f"No {kept['assessment']} test since {since}, though it is scheduled.",
                    "evidence": {name: kept[name] for name in ("id", "due", "done", "late", "missed", "share")},
                },
            )


def _spoiled(db: Session, patient_id: UUID, now: datetime) -> Iterator[Finding]:
    rows = db.execute(
        select(RecordingRow.assessment, SessionRow.started_at, RecordingRow.offset_s, ResultRow.verdict)
        .join(SessionRow, SessionRow.id == RecordingRow.session_id)
        .join(ResultRow, ResultRow.recording_id == RecordingRow.id)
        .join(CatalogueRow, CatalogueRow.id == ResultRow.catalogue_id)
        .where(
            SessionRow.patient_id == patient_id,
            SessionRow.started_at >= now - timedelta(days=SPOILED_DAYS),
            IS_CURRENT,
        )
    )
    tests: dict[str, list[tuple[datetime, str]]] = {}
    for assessment, started_at, offset_s, verdict in rows:
        tests.setdefault(str(assessment), []).append((started_at + timedelta(seconds=offset_s), verdict))
    for assessment, each in tests.items():
        each.sort()
        run = 0
        while run < len(each) and each[-1 - run][1] == "invalid":
            run += 1
        if run >= SPOILED_RUN:
            first = each[-run][0]
            yield Finding(
                kind="spoiled_tests",
                key=assessment,
                at=first,
                identity=first.isoformat(),
                told={
                    "message": f"The last {run} {assessment} tests cannot be used.",
                    "evidence": {"tests": run, "last_at": told(each[-1][0])},
                },
            )
