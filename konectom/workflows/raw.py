"""Raw uploads as they lie in the object store: sealed under the key of their patient."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from konectom.security.sealing import seal, unseal
from konectom.storage.models import SessionRow
from konectom.workflows.patient_keys import patient_key
from konectom.workflows.services import Services

PURPOSE = b"upload"


@dataclass(frozen=True, slots=True)
class SealedUpload:
    """An upload as it is stored: sealed, and the sha256 of that (hexadecimal), which is its name there."""

    name: str
    data: bytes


def sealed_upload(key: bytes, body: bytes) -> SealedUpload:
    """Return an upload sealed under its patient's key: the same bytes of the same patient are the same object."""
    data = seal(key, PURPOSE, body)
    return SealedUpload(hashlib.sha256(data).hexdigest(), data)


def raw_bytes(services: Services, session: SessionRow) -> bytes:
    """Return a session's bytes as they were uploaded, still compressed.

    Raises :class:`~konectom.errors.KeyDestroyed` where the patient was erased,
    :class:`~konectom.errors.StoreUnavailable` (its :class:`~konectom.errors.SealBroken`) where the bytes are damaged.
    """
    with services.db.read() as db:
        key = patient_key(services, db, session.patient_id)
    return opened_upload(services, key, session.object)


def opened_upload(services: Services, key: bytes, name: str) -> bytes:
    """Return the upload that is sealed under its patient's ``key`` in the object of this name; raises as above."""
    return unseal(key, PURPOSE, services.objects.get(name))
