"""Raw uploads as they lie in the object store: sealed under the key of their patient."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from uuid import UUID

from konectom.errors import NotFound
from konectom.security.sealing import seal, unseal
from konectom.storage.models import QuarantineRow, SessionRow
from konectom.workflows.patient_keys import patient_key
from konectom.workflows.services import Services

PURPOSE = b"upload"


@dataclass(frozen=True, slots=True)
class SealedUpload:
    """An upload as it is stored: sealed, and the sha256 of that (hexadecimal), which is its name there."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Raw:
    """The bytes of an upload as they came, and how they were declared."""

    body: bytes
    media_type: str | None
    encoding: str | None
    digest: str
    patient_id: UUID

    @classmethod
    def of(cls, services: Services, row: SessionRow | QuarantineRow) -> Raw:
        """Return the upload of a row; raises as :func:`raw_bytes` does."""
        return cls(raw_bytes(services, row), row.media_type, row.encoding, row.digest, row.patient_id)


def sealed_upload(key: bytes, body: bytes) -> SealedUpload:
    """Return an upload sealed under its patient's key: the same bytes of the same patient are the same object."""
    data = seal(key, PURPOSE, body)
    return SealedUpload(hashlib.sha256(data).hexdigest(), data)


def raw_bytes(services: Services, row: SessionRow | QuarantineRow) -> bytes:
    """Return the bytes of an upload as they came, still compressed.

    Raises :class:`~konectom.errors.NotFound` for one in quarantine that is not held any more,
    :class:`~konectom.errors.KeyDestroyed` where the patient was erased,
    :class:`~konectom.errors.StoreUnavailable` (its :class:`~konectom.errors.SealBroken`) where the bytes are damaged.
    """
    if row.object is None:
        raise NotFound("the bytes are not held any more")
    with services.db.read() as db:
        key = patient_key(services, db, row.patient_id)
    return unseal(key, PURPOSE, services.objects.get(row.object))
