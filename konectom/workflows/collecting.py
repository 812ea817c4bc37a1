"""Whether data may be collected: what a patient has decided, held against what arrives, before anything is kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from konectom.errors import ConsentMissing, ConsentWithdrawn, KonectomError
from konectom.recording import Session as Sitting
from konectom.storage.models import Consent, Patient, Study
from konectom.workflows.consents import ELSEWHERE, REFUSED, WITHDRAWN
from konectom.workflows.data_types import OTHER, data_types_of
from konectom.workflows.withheld import RESTRICTED, refusal

States = Iterable[tuple[str, str]]
"""Types of data, each with a state that holds."""


def require_consent(db: Session, patient: Patient, sitting: Sitting) -> None:
    """Raise unless data of every type that a session carries may be collected; ``at`` is the first that may not.

    :class:`~konectom.errors.PatientRestricted` where their use is restricted, :class:`ConsentWithdrawn`, or
    :class:`ConsentMissing`; ``data_types`` are all those of which it holds.
    """
    carried = [data_types_of(recording) for recording in sitting.recordings]
    error = _refused(db, [patient], patient.study_id, frozenset().union(*carried)).get(patient.id)
    if error is not None:
        faulty = set(error.context["data_types"])
        error.at = f"/recordings/{next(index for index, types in enumerate(carried) if types & faulty)}"
        raise error


def require_consent_to(db: Session, patient: Patient, data_type: str) -> None:
    """Raise as :func:`require_consent` does, for one type of data."""
    for error in _refused(db, [patient], patient.study_id, frozenset({data_type})).values():
        raise error


def refused_of(db: Session, study_id: UUID, patients: Collection[UUID], data_type: str) -> dict[UUID, KonectomError]:
    """Return why data of this type may not be collected, of each of a study's patients of whom they may not."""
    rows = db.scalars(select(Patient).where(Patient.id.in_(patients))).all()
    return _refused(db, rows, study_id, frozenset({data_type}))


def _refused(
    db: Session, patients: Collection[Patient], study_id: UUID, types: frozenset[str]
) -> dict[UUID, KonectomError]:
    holding = select(Consent.patient_id, Consent.data_type, Consent.state).where(
        Consent.patient_id.in_([patient.id for patient in patients]), Consent.ended_at.is_(None)
    )
    states: dict[UUID, list[tuple[str, str]]] = {}
    for patient_id, data_type, state in db.execute(holding):
        states.setdefault(patient_id, []).append((data_type, state))
    kept_here = db.get_one(Study, study_id).consent != ELSEWHERE
    faults = (
        (patient.id, _fault(states.get(patient.id, ()), types, patient.restricted_at, kept_here))
        for patient in patients
    )
    return {patient_id: fault for patient_id, fault in faults if fault is not None}


def _fault(
    states: States, types: frozenset[str], restricted_at: datetime | None, kept_here: bool
) -> KonectomError | None:
    """Return why data of these types may not be collected: the gravest reason, for the types of which it holds."""
    if restricted_at is not None:
        return refusal(types)
    restricted = {name for name, state in states if state == RESTRICTED}
    if restricted & types:
        return refusal(restricted & types)
    decided = {name: state for name, state in states if state != RESTRICTED}
    decisions = {name: _decision(decided, name) for name in types}
    withdrawn = sorted(name for name, state in decisions.items() if state == WITHDRAWN)
    if withdrawn:
        listed = ", ".join(withdrawn)
        return ConsentWithdrawn(f"the patient no longer agrees to the collection of: {listed}", data_types=withdrawn)
    lacking = sorted(name for name, state in decisions.items() if state == REFUSED or (state is None and kept_here))
    if lacking:
        listed = ", ".join(lacking)
        return ConsentMissing(f"the patient has not agreed to the collection of: {listed}", data_types=lacking)
    return None


def _decision(decided: dict[str, str], name: str) -> str | None:
    """Return the decision on a type. One that was not known when all else was declined is declined as well."""
    own, rest = decided.get(name), decided.get(OTHER)
    return rest if own is None and rest in (REFUSED, WITHDRAWN) else own
