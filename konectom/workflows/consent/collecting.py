"""Whether data may be collected: what a patient has decided, held against what arrives, before anything is kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, bindparam, select
from sqlalchemy.orm import Session

from konectom.errors import ConsentMissing, ConsentWithdrawn, KonectomError, NotFound
from konectom.recording import Session as Sitting
from konectom.storage.models import Consent, Patient, Study
from konectom.workflows.consent.data_types import CLINICAL, OTHER, data_types_of, every_data_type
from konectom.workflows.consent.decisions import ELSEWHERE, REFUSED, WITHDRAWN
from konectom.workflows.consent.withheld import RESTRICTED, Withheld, refusal


@dataclass(frozen=True, slots=True)
class Agreed:
    """What holds for a patient: the decision on each type of data that was decided on, and what is restricted."""

    decided: Mapping[str, str]
    restricted: frozenset[str]
    kept_here: bool
    all_restricted: bool

    @classmethod
    def of(cls, db: Session, patient_id: UUID) -> Agreed:
        """Return what holds for a patient, by one question; raises :class:`NotFound`."""
        found = _read(db, [patient_id])
        if not found:
            raise NotFound("there is no such patient")
        return found[patient_id]

    @property
    def withheld(self) -> Withheld:
        """Return what is shown to nobody; raises :class:`~konectom.errors.PatientRestricted` where all is."""
        if self.all_restricted:
            raise refusal()
        return Withheld(self.restricted)

    def require(self, sitting: Sitting) -> None:
        """Raise unless data of every type that a session carries may be collected; ``at`` is the first that may not.

        :class:`~konectom.errors.PatientRestricted` where their use is restricted, :class:`ConsentWithdrawn`, or
        :class:`ConsentMissing`; ``data_types`` are all those of which it holds.
        """
        carried = [data_types_of(recording) for recording in sitting.recordings]
        error = self.fault(frozenset().union(*carried))
        if error is not None:
            faulty = set(error.context["data_types"])
            error.at = f"/recordings/{next(index for index, types in enumerate(carried) if types & faulty)}"
            raise error

    def require_any(self) -> None:
        """Raise as :meth:`require` does where data of no type that a session can carry may be collected."""
        types = frozenset(every_data_type()) - {CLINICAL}
        if self.all_restricted or all(self.fault(frozenset({name})) is not None for name in types):
            error = self.fault(types)
            if error is not None:
                raise error

    def require_type(self, data_type: str) -> None:
        """Raise as :meth:`require` does, for one type of data."""
        error = self.fault(frozenset({data_type}))
        if error is not None:
            raise error

    def lets_hold(self, sitting: Sitting | None) -> bool:
        """Say whether the bytes of an upload that was refused may be held; None is one of which nothing can be told.

        Where the kinds of data in it can be told, each of them is asked for, as of any upload. What cannot be read may
        hold anything: then ``other`` is asked for, and besides nothing that a phone records may be refused, withdrawn
        or restricted.
        """
        if sitting is not None:
            return self.fault(frozenset().union(*map(data_types_of, sitting.recordings))) is None
        declined = {name for name, state in self.decided.items() if state in (REFUSED, WITHDRAWN)}
        return not (declined | self.restricted) - {CLINICAL} and self.fault(frozenset({OTHER})) is None

    def fault(self, types: frozenset[str]) -> KonectomError | None:
        """Return why data of these types may not be collected: the gravest reason, for the types of which it holds."""
        restricted = types if self.all_restricted else self.restricted & types
        if restricted:
            return refusal(restricted)
        decisions = {name: self._decision(name) for name in types}
        withdrawn = sorted(name for name, state in decisions.items() if state == WITHDRAWN)
        if withdrawn:
            detail = f"the patient no longer agrees to the collection of: {', '.join(withdrawn)}"
            return ConsentWithdrawn(detail, data_types=withdrawn)
        lacks = {REFUSED, None} if self.kept_here else {REFUSED}
        lacking = sorted(name for name, state in decisions.items() if state in lacks)
        if lacking:
            detail = f"the patient has not agreed to the collection of: {', '.join(lacking)}"
            return ConsentMissing(detail, data_types=lacking)
        return None

    def _decision(self, name: str) -> str | None:
        """Return the decision on a type. One that was not known when all else was declined is declined as well."""
        own, rest = self.decided.get(name), self.decided.get(OTHER)
        return rest if own is None and rest in (REFUSED, WITHDRAWN) else own


def refused_of(db: Session, patients: Collection[UUID], data_type: str) -> dict[UUID, KonectomError]:
    """Return why data of this type may not be collected, of each of these patients of whom they may not."""
    faults = {patient_id: agreed.fault(frozenset({data_type})) for patient_id, agreed in _read(db, patients).items()}
    return {patient_id: fault for patient_id, fault in faults.items() if fault is not None}


_HOLDING = (
    select(Patient.id, Patient.restricted_at, Study.consent, Consent.data_type, Consent.state)
    .join(Study, Study.id == Patient.study_id)
    .outerjoin(Consent, and_(Consent.patient_id == Patient.id, Consent.ended_at.is_(None)))
    .where(Patient.id.in_(bindparam("patients", expanding=True)))
)
"""Made once: an upload waits for it."""


def _read(db: Session, patients: Collection[UUID]) -> dict[UUID, Agreed]:
    decided: dict[UUID, dict[str, str]] = {}
    restricted: dict[UUID, set[str]] = {}
    of_whom: dict[UUID, tuple[bool, bool]] = {}
    for patient_id, since, consent, data_type, state in db.connection().execute(_HOLDING, {"patients": list(patients)}):
        of_whom[patient_id] = (consent != ELSEWHERE, since is not None)
        if state == RESTRICTED:
            restricted.setdefault(patient_id, set()).add(data_type)
        elif state is not None:
            decided.setdefault(patient_id, {})[data_type] = state
    return {
        patient_id: Agreed(decided.get(patient_id, {}), frozenset(restricted.get(patient_id, ())), *of_study)
        for patient_id, of_study in of_whom.items()
    }
