"""Who a patient is: kept apart from all data, sealed under the patient's key, and never written to a log.

It serves those who call or meet the patient. Nothing is computed from it and nothing is found by it.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import orjson

from konectom.errors import FieldInvalid
from konectom.security.sealing import seal, unseal
from konectom.storage.models import Identity
from konectom.workflows.pages import told
from konectom.workflows.patients.patient_keys import patient_key
from konectom.workflows.patients.people import find_patient
from konectom.workflows.services import Services

PURPOSE = b"identity"

MOST_CHARACTERS = {
    "given_name": 200,
    "family_name": 200,
    "birth_date": 10,
    "email": 254,
    "phone": 40,
    "hospital_number": 64,
    "note": 2000,
}
"""The fields, and how long each may be. All are optional."""


def get_identity(services: Services, patient_id: UUID) -> dict[str, Any]:
    """Return who a patient is; None for what nobody has said."""
    with services.db.read() as db:
        find_patient(db, patient_id)
        row = db.get(Identity, patient_id)
        said = {} if row is None else orjson.loads(unseal(patient_key(services, db, patient_id), PURPOSE, row.sealed))
        return _shown(patient_id, said, None if row is None else told(row.changed_at))


def set_identity(services: Services, patient_id: UUID, **fields: str | None) -> dict[str, Any]:
    """Say who a patient is, in place of what was said before; raises :class:`FieldInvalid`.

    Fields that are left out, None or empty are not known from then on.
    """
    said = {name: _checked(name, value) for name, value in fields.items() if value}
    if not said:
        remove_identity(services, patient_id)
        return _shown(patient_id, {}, None)
    now = services.clock()
    with services.db.write() as db:
        find_patient(db, patient_id, lock=True)
        sealed = seal(patient_key(services, db, patient_id), PURPOSE, orjson.dumps(said, option=orjson.OPT_SORT_KEYS))
        row = db.get(Identity, patient_id)
        if row is None:
            db.add(Identity(patient_id=patient_id, sealed=sealed, changed_at=now))
        else:
            row.sealed, row.changed_at = sealed, now
    return _shown(patient_id, said, told(now))


def remove_identity(services: Services, patient_id: UUID) -> None:
    """Remove what was said of who a patient is, if anything was."""
    with services.db.write() as db:
        find_patient(db, patient_id, lock=True)
        row = db.get(Identity, patient_id)
        if row is not None:
            db.delete(row)


def _shown(patient_id: UUID, said: dict[str, str], changed_at: str | None) -> dict[str, Any]:
    fields = {name: said.get(name) for name in MOST_CHARACTERS}
    return {"patient": str(patient_id), **fields, "changed_at": changed_at}


def _checked(name: str, value: str) -> str:
    """Return a field as it is kept. What is wrong is told without repeating it."""
    most = MOST_CHARACTERS[name]
    if len(value) > most or "\0" in value:
        raise FieldInvalid(f"{name} must be text of at most {most} characters", at=f"/{name}")
    if name == "birth_date":
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            raise FieldInvalid("birth_date must be a day such as 1980-05-17", at="/birth_date") from None
    return value
