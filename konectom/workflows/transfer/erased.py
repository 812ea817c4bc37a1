"""Who was erased, kept beside a backup: so that whoever was erased after it was made does not come back with it.

A backup of the database holds the rows, and the wrapped key, of patients who were there when it was made. Their erasure
later reaches the installation, and no copy of it. So each run of a backup writes down, beside it, whom the installation
erased up to then, and a restoration erases them again before anybody can be served. The list holds what a certificate
of erasure holds: random ids, instants, counts, the reason in one of a few words. It only grows: what it says already
stays, also where the installation itself was put back to an earlier state and does not know it any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from konectom.security.chain import Keys
from konectom.storage.models import Erasure, Patient
from konectom.workflows.erasing.erasure import REASONS
from konectom.workflows.services import Services
from konectom.workflows.transfer.documents import read_document, require_seal, write_document

NAME = "erased.json"
SCHEMA = "konectom.erased/1"
PURPOSE = b"konectom list of the erased"
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class ErasedList:
    """Who was erased up to an instant: the certificates, by the patient's id."""

    as_of: datetime
    certificates: Mapping[UUID, Mapping[str, Any]] = field(default_factory=dict)

    def with_others(self, others: Iterable[ErasedList]) -> ErasedList:
        """Return what several lists say together, as of the latest of them."""
        found, as_of = dict(self.certificates), self.as_of
        for other in others:
            found |= {patient: each for patient, each in other.certificates.items() if patient not in found}
            as_of = max(as_of, other.as_of)
        return ErasedList(as_of, found)

    def reason(self, patient: UUID) -> str:
        """Return why a patient was erased."""
        reason = str(self.certificates[patient].get("reason"))
        return reason if reason in REASONS else "other"


def erased_here(services: Services, not_before: datetime) -> ErasedList:
    """Return whom the installation has erased up to now, which is not before an instant: clocks are set back."""
    as_of = max(services.clock(), not_before)
    with services.db.read() as db:
        rows = db.execute(select(Erasure.patient_id, Erasure.certificate).order_by(Erasure.erased_at, Erasure.id))
        return ErasedList(as_of, {row.patient_id: row.certificate for row in rows})


def refresh_list(services: Services, directory: Path, taken_at: datetime) -> ErasedList:
    """Add to the list beside a backup, which is of an instant, whom the installation has erased since; return it."""
    path = directory / NAME
    found = erased_here(services, taken_at)
    if path.exists():
        found = found.with_others([read_list(path, services.keys)])
    content = {
        "schema": SCHEMA,
        "as_of": found.as_of.isoformat(),
        "erased": {str(patient): each for patient, each in found.certificates.items()},
    }
    write_document(path, content, services.keys, PURPOSE)
    return found


def read_list(path: Path, keys: Keys | None = None) -> ErasedList:
    """Return a list as it was written; with ``keys``, only one that was sealed under them.

    Raises :class:`~konectom.errors.BackupInvalid`.
    """
    told = read_document(path, SCHEMA)
    if keys is not None:
        require_seal(path, told, keys, PURPOSE)
    return ErasedList(
        datetime.fromisoformat(told["as_of"]), {UUID(patient): each for patient, each in told["erased"].items()}
    )


def who_is_back(services: Services, listed: ErasedList) -> int:
    """Return how many of those who were erased the installation holds again."""
    patients, found = list(listed.certificates), 0
    with services.db.read() as db:
        for at in range(0, len(patients), AT_ONCE):
            some = patients[at : at + AT_ONCE]
            found += db.scalar(select(func.count()).select_from(Patient).where(Patient.id.in_(some))) or 0
    return found
