"""A patient's key: raw uploads, identity and whatever else must go with the patient are sealed under it.

It is random, made with the patient, and kept in the database sealed under a key of the installation, bound to its
patient so that no other row opens with it. Once its row is gone, and its copies in backups with the key under which
they are sealed, nothing that it sealed can be read by anybody.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from konectom.errors import KeyDestroyed, KeysMissing
from konectom.security.derived import KEY_BYTES
from konectom.storage.models import PatientKey
from konectom.storage.whose import KEY_PURPOSE

if TYPE_CHECKING:
    from konectom.workflows.services import Services


def make_patient_key(services: Services, db: Session, patient_id: UUID) -> bytes:
    """Make the key of a patient whose row was written in the same transaction, and return it."""
    key = secrets.token_bytes(KEY_BYTES)
    key_id, sealed = services.keys.wrap(KEY_PURPOSE, key, bound_to=patient_id.bytes)
    db.add(PatientKey(patient_id=patient_id, key=key_id, sealed=sealed, created_at=services.clock()))
    db.flush()
    _require_not_retired(services, key_id)
    return key


def patient_key(services: Services, db: Session, patient_id: UUID) -> bytes:
    """Return a patient's key; raises :class:`KeyDestroyed` where it is gone, or its patient never was."""
    found = db.connection().execute(_KEY, {"patient": patient_id}).one_or_none()
    if found is None:
        raise KeyDestroyed("there is no such patient")
    return services.keys.unwrap(KEY_PURPOSE, found.key, found.sealed, bound_to=patient_id.bytes)


_KEY = select(PatientKey.key, PatientKey.sealed).where(PatientKey.patient_id == bindparam("patient"))
"""Made once: an upload waits for it."""


def open_patient_key(services: Services, row: PatientKey) -> bytes:
    """Return the key that a row holds."""
    return services.keys.unwrap(KEY_PURPOSE, row.key, row.sealed, bound_to=row.patient_id.bytes)


def rewrap_patient_key(services: Services, row: PatientKey) -> None:
    """Seal a patient's key under the installation's current key. What it sealed stays as it is."""
    key = open_patient_key(services, row)
    row.key, row.sealed = services.keys.wrap(KEY_PURPOSE, key, bound_to=row.patient_id.bytes)


def _require_not_retired(services: Services, key_id: str) -> None:
    """Raise unless the key of the installation still seals, now that the row that needs it can be seen or waited for.

    Whoever retires a key locks the rows first and looks at them then (:func:`konectom.workflows.keys.retire`).
    """
    if services.keys.current_id != key_id and not services.keys.opens(key_id):
        raise KeysMissing("the key of the installation was changed meanwhile; try again")
