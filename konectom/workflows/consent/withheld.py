"""What is kept but shown to nobody: data whose use is restricted, of a patient or of some types of a patient's data.

Every workflow that shows data of patients asks here: of one patient by :class:`Withheld`, of many by the conditions on
rows. Restricted data are not used either: trends, reviews and reliability are computed as if they were not there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from konectom.assessments import every_assessment
from konectom.errors import PatientRestricted
from konectom.storage.models import Alert, Consent, MeasureRow, Patient
from konectom.workflows.consent.data_types import BY_STREAM, CLINICAL, OBSERVED, OTHER, data_type_of, data_types_of_key
from konectom.workflows.patients.people import find_patient

RESTRICTED = "restricted"

EVEN_RESTRICTED = frozenset(
    {
        *("patient.read", "patient.edit", "patient.restrict", "patient.archive", "patient.erase"),
        *("patient.break_glass", "team.read", "team.edit", "identity.read", "identity.edit"),
        *("consent.read", "consent.record", "device.read", "device.revoke"),
    }
)
"""Permissions that reach a patient of whom all is restricted: to be found and told, and to decide what follows.

None of them shows what was collected, but for the archive, which is the patient's own copy of it.
"""


@dataclass(frozen=True, slots=True)
class Withheld:
    """The types of a patient's data that are shown to nobody; usually none."""

    types: frozenset[str] = frozenset()

    @classmethod
    def of(cls, db: Session, patient: Patient) -> Withheld:
        """Return what is withheld of a patient; raises :class:`PatientRestricted` where all is."""
        if patient.restricted_at is not None:
            raise refusal()
        found = select(Consent.data_type).where(
            Consent.patient_id == patient.id, Consent.ended_at.is_(None), Consent.state == RESTRICTED
        )
        return cls(frozenset(db.scalars(found)))

    def hides(self, key: str) -> bool:
        """Say whether what follows from restricted data is named by ``key``: a score's, a measure's or a test's.

        Where the test is one that nobody here knows any more, so is its type: it is withheld with any other.
        """
        if not self.types:
            return False
        types = data_types_of_key(key)
        return OTHER in types or not self.types.isdisjoint(types)

    def require(self, key: str) -> None:
        """Raise :class:`PatientRestricted` where what ``key`` names is withheld."""
        if self.hides(key):
            raise refusal(data_types_of_key(key))

    @property
    def told(self) -> list[str]:
        """Return the types in order of name, as answers tell them."""
        return sorted(self.types)


NOTHING = Withheld()


def shown_patient(
    db: Session, patient_id: UUID, *, study_id: UUID | None = None, at: str | None = None
) -> tuple[Patient, Withheld]:
    """Return a patient's row and what is withheld; raises :class:`NotFound`, :class:`PatientRestricted`."""
    patient = find_patient(db, patient_id, study_id=study_id, at=at)
    return patient, Withheld.of(db, patient)


def refusal(types: Collection[str] = ()) -> PatientRestricted:
    """Return the error that tells what is restricted: types of data, or all that is kept of a patient."""
    if not types:
        return PatientRestricted("the use of what is kept of this patient is restricted")
    listed = sorted(types)
    return PatientRestricted(f"the use of this patient's data is restricted: {', '.join(listed)}", data_types=listed)


def withheld_in_study(db: Session, study_id: UUID) -> dict[UUID, Withheld]:
    """Return what is withheld of each of a study's patients of whom something is; those who are restricted, are not."""
    found: dict[UUID, set[str]] = {}
    statement = (
        select(Consent.patient_id, Consent.data_type)
        .join(Patient, Patient.id == Consent.patient_id)
        .where(Consent.state == RESTRICTED, Consent.ended_at.is_(None), Patient.study_id == study_id)
    )
    for patient_id, data_type in db.execute(statement):
        found.setdefault(patient_id, set()).add(data_type)
    return {patient_id: Withheld(frozenset(types)) for patient_id, types in found.items()}


def keys_shown(keys: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition on :class:`MeasureRow` and :class:`Patient` that a value of these keys may be shown."""
    groups: dict[frozenset[str], list[str]] = {}
    for key in keys:
        groups.setdefault(data_types_of_key(key), []).append(key)
    shown = []
    for types, group in groups.items():
        restricted = select(Consent.patient_id).where(Consent.state == RESTRICTED, Consent.ended_at.is_(None))
        if OTHER not in types:
            restricted = restricted.where(Consent.data_type.in_(sorted(types)))
        shown.append(and_(MeasureRow.key.in_(group), Patient.id.not_in(restricted)))
    return and_(Patient.restricted_at.is_(None), or_(*shown))


def patient_is_shown(patient_id: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Return the condition on rows of a patient, by this column, that not all that is kept is restricted."""
    restricted = select(Patient.id).where(Patient.id == patient_id, Patient.restricted_at.is_not(None))
    return ~restricted.correlate(patient_id.class_).exists()


def alert_is_shown() -> ColumnElement[bool]:
    """Return the condition on :class:`Alert` that it may be shown."""
    restricted = select(Consent.id).where(
        Consent.patient_id == Alert.patient_id,
        Consent.state == RESTRICTED,
        Consent.ended_at.is_(None),
        _type_of(Alert.key),
    )
    return and_(patient_is_shown(Alert.patient_id), ~restricted.correlate(Alert).exists())


def _type_of(key: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Return the condition on :class:`Consent` that its type is one of what ``key`` names, or that nobody knows it."""
    by_type: dict[str, list[ColumnElement[bool]]] = {CLINICAL: [_names(key, OBSERVED)]}
    for name, declared in every_assessment().items():
        by_type.setdefault(data_type_of(name), []).append(_names(key, name))
        for measure in declared.measures:
            if measure.stream in BY_STREAM:
                under = _names(key, f"{name}.{measure.quantity}")
                by_type.setdefault(BY_STREAM[measure.stream], []).append(under)
    known = or_(*(each for conditions in by_type.values() for each in conditions))
    return or_(*(and_(Consent.data_type == name, or_(*each)) for name, each in by_type.items()), ~known)


def _names(key: InstrumentedAttribute[str], prefix: str) -> ColumnElement[bool]:
    """Return the condition that a key is ``prefix``, or goes on with a condition or a further part."""
    return or_(
        key == prefix, key.startswith(f"{prefix}.", autoescape=True), key.startswith(f"{prefix}[", autoescape=True)
    )
