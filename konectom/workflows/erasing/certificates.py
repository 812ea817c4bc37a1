"""Certificates of erasure: what was removed, what is kept and why, sealed so that nobody can change one unnoticed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from konectom import __version__
from konectom.errors import NotFound
from konectom.security.acting import acting
from konectom.storage.belonging import rows_of, tables_of_patients
from konectom.storage.models import Erasure, Residue
from konectom.workflows.pages import BY_TIME_AND_ID, Asked, page, told
from konectom.workflows.services import Services

SCHEMA = "konectom.erasure/1"
PURPOSE = b"konectom erasure certificate"
"""Keeps a certificate's seal apart from whatever else the installation's key seals."""

AUDIT_KEPT = (
    "who did what and when must stay provable: the entries name the patient by this random id alone, and what they"
    " hold under the patient's key nobody reads any more"
)
ROOM_KEPT = (
    "PostgreSQL's VACUUM gives the room of removed rows free, and their bytes lie there until they are overwritten, or"
    " VACUUM FULL writes the tables anew; an archive of the write-ahead log and replicas hold them as long as they are"
    " kept. Uploads and identity were sealed, and their key is in that room alone"
)
"""What is kept on PostgreSQL besides; SQLite's file is written anew."""

CERTIFICATE_KEPT = "it proves the erasure, and holds nothing of the patient but this random id"


@dataclass(frozen=True, slots=True)
class Removed:
    """Rows per table, objects and their bytes as uploaded, and the key under which the patient's key was sealed."""

    rows: Mapping[str, int]
    objects: int
    size_bytes: int
    sealed_under: str | None


def certified(services: Services, row: Erasure, reason: str, removed: Removed, audited: int) -> dict[str, Any]:
    """Return the certificate of an erasure, sealed."""
    who = acting()
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "id": str(row.id),
        "patient": str(row.patient_id),
        "study": str(row.study_id),
        "erased_at": told(row.erased_at),
        "by": {"kind": who.kind, "id": None if who.id is None else str(who.id), "name": who.name},
        "reason": reason,
        "removed": {
            "rows": {table: count for table, count in sorted(removed.rows.items()) if count},
            "objects": removed.objects,
            "size_bytes": removed.size_bytes,
            "key_sealed_under": removed.sealed_under,
        },
        "kept": [
            {"what": "audit", "entries": audited + 1, "why": AUDIT_KEPT},
            {"what": "certificate", "entries": 1, "why": CERTIFICATE_KEPT},
            *([] if services.db.url.startswith("sqlite") else [{"what": "freed room", "entries": 0, "why": ROOM_KEPT}]),
        ],
        "software": f"konectom {__version__}",
    }
    key_id, mac = services.keys.mac(PURPOSE, _bytes_of(content))
    return content | {"seal": {"key": key_id, "mac": mac}}


def digest_of(certificate: Mapping[str, Any]) -> str:
    """Return the sha256 of a certificate with its seal, in hexadecimal."""
    return hashlib.sha256(_bytes_of(certificate)).hexdigest()


def show_certificate(db: Session, row: Erasure, *, reasons: bool = True) -> dict[str, Any]:
    """Return a certificate, and beside it what the erasure has still to remove; without ``reasons``, not why."""
    left = db.scalars(select(Residue.object).where(Residue.erasure_id == row.id)).all()
    residue = {"objects": sum(name != "" for name in left), "database": "" in left}
    shown = row.certificate if reasons else row.certificate | {"reason": None}
    return {"certificate": shown, "residue": residue}


def list_certificates(
    services: Services,
    study_id: UUID,
    *,
    patient: UUID | None = None,
    reasons: bool = True,
    cursor: str | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Return a page of the certificates of a study, in the order of the erasures."""
    statement = select(Erasure).where(Erasure.study_id == study_id)
    if patient is not None:
        statement = statement.where(Erasure.patient_id == patient)
    asked = Asked.of(services.settings, cursor, limit)
    with services.db.read() as db:
        order = (Erasure.erased_at, Erasure.id)
        return page(db, statement, order, BY_TIME_AND_ID, lambda row: show_certificate(db, row, reasons=reasons), asked)


def get_certificate(
    services: Services, of: UUID, *, study_id: UUID | None = None, reasons: bool = True
) -> dict[str, Any]:
    """Return the certificate that has this id, or is of the patient who had it; raises :class:`NotFound`."""
    with services.db.read() as db:
        row = _find(db, of)
        if study_id not in (None, row.study_id):
            raise NotFound("there is no such certificate")
        return show_certificate(db, row, reasons=reasons)


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether a certificate is as it was sealed here, what is still to be removed, and rows of the patient by table."""

    sealed: bool
    residue: Mapping[str, Any]
    rows: Mapping[str, int]

    @property
    def holds(self) -> bool:
        """Tell whether the certificate is genuine, and true."""
        return self.sealed and not self.rows and not any(self.residue.values())


def verify_certificate(services: Services, of: UUID) -> Verified:
    """Check a certificate's seal, and that there is nothing here of the patient; raises :class:`NotFound`."""
    with services.db.read() as db:
        row = _find(db, of)
        rows: dict[str, int] = {}
        for table in tables_of_patients():
            counted = db.scalar(select(func.count()).select_from(table).where(rows_of(table, row.patient_id)))
            if counted:
                rows[table.name] = counted
        return Verified(_is_sealed(services, row), show_certificate(db, row)["residue"], rows)


def _is_sealed(services: Services, row: Erasure) -> bool:
    """Tell whether a certificate is as it was sealed, and stands where it was put."""
    seal = row.certificate.get("seal") or {}
    if not seal.get("key"):
        return False
    content = {name: value for name, value in row.certificate.items() if name != "seal"}
    told_here = {"id": str(row.id), "patient": str(row.patient_id), "study": str(row.study_id)}
    if {name: content.get(name) for name in told_here} != told_here or content.get("erased_at") != told(row.erased_at):
        return False
    _, mac = services.keys.mac(PURPOSE, _bytes_of(content), key_id=seal["key"])
    return hmac.compare_digest(mac, str(seal.get("mac")))


def _find(db: Session, of: UUID) -> Erasure:
    row = db.scalars(select(Erasure).where(or_(Erasure.id == of, Erasure.patient_id == of))).one_or_none()
    if row is None:
        raise NotFound("there is no such certificate")
    return row


def _bytes_of(content: Mapping[str, Any]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
