"""Reviews: a patient is gone through for what a clinician should look at, and what is found is kept as alerts.

The same finding is the same row, however often it is made, so that one which was acknowledged stays so. A finding that
is made no longer (a lapse that is over, an observation that was retracted) ends; one that comes back is open again
unless somebody had acknowledged it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid5

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from konectom.errors import KonectomError, OperationError, StoreUnavailable
from konectom.security.acting import SERVER, acting, acting_as
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import Alert, Patient, Review
from konectom.workflows.following.due import SETTLING, due_patients
from konectom.workflows.following.findings import CHANGES, Finding, Found, find_all
from konectom.workflows.services import Services

AT_ONCE = 20
"""Patients reviewed before a list is answered; the rest is told as pending."""

AT_ONCE_S = 1.0
"""And for so long at most, but for the last one."""

_LOG = structlog.get_logger("konectom.reviews")


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A patient who was gone through, or the fault that prevented it."""

    patient_id: UUID
    fault: Exception | None = None


def patients_due(
    services: Services,
    study_id: UUID,
    *,
    patient: UUID | None = None,
    scope: Scope = EVERYTHING,
    most: int | None = None,
) -> list[UUID]:
    """Return the patients of a study (or the one) within ``scope`` who are due, those who waited longest first."""
    with services.db.read() as db:
        due = due_patients(study_id, services.clock(), patient=patient, scope=scope)
        return list(db.scalars(due.limit(most)))


def review_each(services: Services, patients: Iterable[UUID]) -> Iterator[Reviewed]:
    """Review these patients and yield each when it is kept. One that fails never costs the others.

    Raises :class:`OperationError` where the operator has to act.
    """
    for patient_id in patients:
        try:
            review_patient(services, patient_id)
        except OperationError:
            raise
        except Exception as fault:
            _LOG.exception("review.failed")  # whose it is, whoever asked for the review is told
            yield Reviewed(patient_id, fault)
        else:
            yield Reviewed(patient_id)


def review_some(
    services: Services,
    study_id: UUID,
    *,
    patient: UUID | None = None,
    scope: Scope = EVERYTHING,
    most: int = AT_ONCE,
    within_s: float = AT_ONCE_S,
) -> int:
    """Review so many patients within ``scope`` who are due as fit into the time, at least one; return how many.

    This is for whoever reads: what is found is the server's doing, and is told as such in the audit. Where nothing can
    be written at present, none is: what was found before can still be read.
    """
    with acting_as(replace(SERVER, action="review", request_id=acting().request_id)):
        # More are asked for than are reviewed: those that fail again and again do not stand in the others' way.
        due = patients_due(services, study_id, patient=patient, scope=scope, most=10 * most)
        return _review_some(services, due, most, within_s)


def _review_some(services: Services, due: list[UUID], most: int, within_s: float) -> int:
    began, done = time.monotonic(), 0
    try:
        for each in review_each(services, due):
            done += each.fault is None
            if done >= most or time.monotonic() - began >= within_s:
                break
    except StoreUnavailable as error:
        _LOG.warning("review.not_kept", detail=error.detail, cause=str(error.__cause__ or ""))
    return done


def review_patient(services: Services, patient_id: UUID) -> None:
    """Look through a patient's scores, observations, tests and schedules, and keep what is found."""
    now = services.clock()
    with services.db.read() as db:
        found = find_all(db, db.get_one(Patient, patient_id), now)
    with services.db.write() as db:
        _keep(db, patient_id, found, now)


def fault_told(fault: Exception) -> str:
    """Return a fault in one line."""
    return f"{fault.code}: {fault.detail}" if isinstance(fault, KonectomError) else f"{type(fault).__name__}: {fault}"


def _keep(db: Session, patient_id: UUID, found: Found, now: datetime) -> None:
    """Add what is new, end what is over, and remember that the patient was reviewed."""
    # The row is locked, so that of two reviews at the same time the second sees what the first has kept.
    patient = db.get_one(Patient, patient_id, with_for_update=True)
    reviewed = db.get(Review, patient_id)
    if reviewed is not None and reviewed.reviewed_at > now:
        return  # another began later and was kept first: it has seen more
    there = {row.id: row for row in _alerts(db, patient_id)}
    seen = set()
    for number, finding in _numbered(patient_id, found.findings, there):
        seen.add(number)
        if number in there:
            _again(there[number], finding)
        else:
            there[number] = _new(number, patient, finding, now)
            db.add(there[number])
    for number, row in there.items():
        if number not in seen and row.ended_at is None and _judged(row, found):
            row.ended_at = now
    if reviewed is None:
        db.add(Review(patient_id=patient_id, reviewed_at=now, seen_until=now - SETTLING))
    else:
        reviewed.reviewed_at, reviewed.seen_until = now, now - SETTLING


def _alerts(db: Session, patient_id: UUID) -> Iterable[Alert]:
    return db.scalars(
        select(Alert).where(Alert.patient_id == patient_id).order_by(Alert.at, Alert.id).with_for_update()
    ).all()


def _numbered(
    patient_id: UUID, findings: Iterable[Finding], there: dict[UUID, Alert]
) -> Iterator[tuple[UUID, Finding]]:
    """Yield each finding with the id of its alert: that of the same one before, or one that follows from what it is."""
    own = {uuid5(patient_id, f"{each.kind}/{each.key}/{each.identity}"): each for each in findings}
    free = [row for number, row in there.items() if row.kind in CHANGES and number not in own]
    for number, finding in own.items():
        same = None
        if number not in there and finding.onset is not None:
            same = next((row for row in free if _overlap(row, finding)), None)
        if same is not None:
            free.remove(same)
            yield same.id, finding
        else:
            yield number, finding


def _overlap(row: Alert, finding: Finding) -> bool:
    if finding.onset is None or (row.kind, row.key) != (finding.kind, finding.key):
        return False
    return finding.onset <= row.at and datetime.fromisoformat(row.told["evidence"]["event"]["onset_at"]) <= finding.at


def _again(row: Alert, finding: Finding) -> None:
    """Open an alert that had ended. What somebody has acknowledged keeps saying what that one saw."""
    row.ended_at = None
    if row.acknowledged_at is None and (row.at, row.told) != (finding.at, finding.told):
        row.at, row.told = finding.at, finding.told


def _judged(row: Alert, found: Found) -> bool:
    """Say whether the review can tell that a finding is no longer made: of what is withheld it can not.

    Values of another version of an assessment say nothing of a change that was found among those of an earlier one.
    """
    if found.withheld.hides(row.key):
        return False
    if row.kind not in CHANGES or row.key not in found.versions:
        return True
    return bool(found.versions[row.key] == row.told["evidence"]["version"])


def _new(number: UUID, patient: Patient, finding: Finding, now: datetime) -> Alert:
    return Alert(
        id=number,
        study_id=patient.study_id,
        patient_id=patient.id,
        kind=finding.kind,
        key=finding.key,
        at=finding.at,
        told=finding.told,
        found_at=now,
        ended_at=None,
        acknowledged_at=None,
        acknowledged_by=None,
        note=None,
    )
