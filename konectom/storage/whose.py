"""Whose a row is: its patient and study, and the patient's key, under which it is digested and reasons are sealed."""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, TypeVar
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import BindParameter, Connection, Select, bindparam, select

from konectom.security.chain import Keys
from konectom.storage.digests import installations_digest, patients_digest, patients_digest_key
from konectom.storage.models import CareTeam, Device, Patient, PatientKey

KEY_PURPOSE = b"patient-key"
WHY_PURPOSE = b"audit-why"
OF_PATIENT, IN_THE_OPEN = b"\x01", b"\x02"
"""The first byte of a reason as it is kept: sealed under the patient's key, or as it was given."""

NONCE_BYTES = 12
AT_ONCE = 500
"""So many ids are asked for in one question."""

T = TypeVar("T")


class KeyRing(Keys, Protocol):
    """What the audit needs of the installation's keys: to seal, and to open the patients'."""

    def unwrap(self, purpose: bytes, key_id: str, sealed: bytes, *, bound_to: bytes = b"") -> bytes:
        """Return what was sealed under the key of this id."""
        ...


class Owned(Protocol):
    """What tells by its facts (values by attribute) whose it is."""

    @property
    def entity(self) -> str:
        """Return the table's name."""
        ...

    @property
    def facts(self) -> Mapping[str, Any]:
        """Return values by attribute."""
        ...


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose the rows of one transaction are. ``patient_keys`` lacks those that were destroyed."""

    keys: KeyRing
    teams: Mapping[UUID, UUID]
    devices: Mapping[UUID, UUID]
    patients: Mapping[UUID, UUID]
    patient_keys: Mapping[UUID, bytes]

    @classmethod
    def of(cls, connection: Connection, keys: KeyRing, notes: Sequence[Owned]) -> Whose:
        """Look up whose the rows are, in three questions at most. Rows removed here tell it themselves."""
        teams, devices, patients = (_removed(notes, *each) for each in _BELONGS)
        teams |= _pairs(connection, _TEAMS, _wanted(notes, "team_id"))
        without = [each for each in notes if each.facts.get("patient_id") is None]
        devices |= _pairs(connection, _DEVICES, _wanted(without, "device_id"))
        found = cls(keys, teams, devices, patients, {})
        wanted = {patient for each in notes if (patient := found.patient_of(each)) is not None}
        patient_keys = {}
        for patient, study, key, sealed in _patients(connection, wanted):
            patients[patient] = study
            if sealed is not None:
                patient_keys[patient] = open_patient_key(keys, patient, key, sealed)
        return cls(keys, teams, devices, patients, patient_keys)

    def patient_of(self, note: Owned) -> UUID | None:
        """Return the patient whose a row is, None where it is of no patient."""
        facts = note.facts
        if note.entity == Patient.__tablename__ and "id" in facts:
            return UUID(str(facts["id"]))
        if facts.get("patient_id") is not None:
            return UUID(str(facts["patient_id"]))
        return self.devices.get(facts["device_id"]) if facts.get("device_id") is not None else None

    def study_of(self, note: Owned) -> UUID | None:
        """Return the study that a row belongs to, None where it belongs to none."""
        facts = note.facts
        if note.entity == "study" and "id" in facts:
            return UUID(str(facts["id"]))
        if facts.get("study_id") is not None:
            return UUID(str(facts["study_id"]))
        patient = self.patient_of(note)
        if patient is not None:
            return self.patients.get(patient)
        return self.teams.get(facts["team_id"]) if facts.get("team_id") is not None else None

    def digest(self, patient: UUID | None, content: bytes | None) -> str | None:
        """Return the digest of what a row says; None for no row, and for a patient's whose key was destroyed."""
        if content is None:
            return None
        if patient is None:
            return installations_digest(self.keys, content)
        key = self.patient_keys.get(patient)
        return None if key is None else patients_digest(patients_digest_key(key), content)

    def seal_why(self, patient: UUID | None, why: str | None) -> bytes | None:
        """Return a reason sealed under the patient's key; one that is about no patient stands as it is.

        About a patient whose key was destroyed nothing is kept that could be read: the reason is left out.
        """
        if why is None:
            return None
        said = why.encode("utf-8", "replace")
        if patient is None:
            return IN_THE_OPEN + said
        key = self.patient_keys.get(patient)
        if key is None:
            return None
        nonce = os.urandom(NONCE_BYTES)
        return OF_PATIENT + nonce + _why_cipher(key).encrypt(nonce, said, WHY_PURPOSE)


def open_patient_key(keys: KeyRing, patient: UUID, key: str, sealed: bytes) -> bytes:
    """Return a patient's key as its row keeps it."""
    return keys.unwrap(KEY_PURPOSE, key, sealed, bound_to=patient.bytes)


def keys_of_patients(connection: Connection, keys: KeyRing, patients: Iterable[UUID]) -> dict[UUID, bytes]:
    """Return the keys of those patients who have one."""
    return {
        patient: open_patient_key(keys, patient, key, sealed)
        for patient, _, key, sealed in _patients(connection, set(patients))
        if sealed is not None
    }


def unseal_why(patient_key: bytes | None, sealed: bytes) -> str | None:
    """Return a reason, None where its key was destroyed or it cannot be read any more."""
    try:
        if sealed[:1] == IN_THE_OPEN:
            return sealed[1:].decode()
        if patient_key is None:
            return None
        start = 1 + NONCE_BYTES
        return _why_cipher(patient_key).decrypt(sealed[1:start], sealed[start:], WHY_PURPOSE).decode()
    except (InvalidTag, ValueError):
        return None


def _why_cipher(patient_key: bytes) -> AESGCM:
    return AESGCM(hmac.digest(patient_key, b"konectom.audit.why/1", "sha256"))


_BELONGS = (("care_team", "study_id"), ("device", "patient_id"), ("patient", "study_id"))


def _removed(notes: Iterable[Owned], entity: str, to: str) -> dict[UUID, UUID]:
    """Return to whom the rows of ``entity`` belong that are told of here themselves."""
    return {each.facts["id"]: each.facts[to] for each in notes if each.entity == entity and "id" in each.facts}


def _wanted(notes: Iterable[Owned], name: str) -> set[UUID]:
    return {value for each in notes if (value := each.facts.get(name)) is not None}


# Made once: to put a statement together costs SQLAlchemy more than the database takes to answer it.
_SOME: BindParameter[Any] = bindparam("some", expanding=True)
_TEAMS = select(CareTeam.id, CareTeam.study_id).where(CareTeam.id.in_(_SOME))
_DEVICES = select(Device.id, Device.patient_id).where(Device.id.in_(_SOME))
_PATIENTS = (
    select(Patient.id, Patient.study_id, PatientKey.key, PatientKey.sealed)
    .outerjoin(PatientKey, PatientKey.patient_id == Patient.id)
    .where(Patient.id.in_(_SOME))
)


def _pairs(connection: Connection, statement: Select[UUID, UUID], wanted: set[UUID]) -> dict[UUID, UUID]:
    return {row[0]: row[1] for some in _some(wanted) for row in connection.execute(statement, {"some": some})}


def _patients(connection: Connection, wanted: set[UUID]) -> Iterator[tuple[UUID, UUID, str, bytes | None]]:
    for some in _some(wanted):
        for row in connection.execute(_PATIENTS, {"some": some}):
            yield row[0], row[1], row[2], row[3]


def _some(wanted: Iterable[T]) -> Iterator[list[T]]:
    left = iter(wanted)
    while some := list(islice(left, AT_ONCE)):
        yield some
