"""Bearer tokens: for a phone (``kd_…``) and for staff (``ks_…``).

A token is 256 random bits, so its plain sha256 is all that needs keeping: there is nothing to guess that a slow
hash would protect, and an attacker cannot steer the hash by which it is looked up, so the look-up tells no more
than whether the token is known.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import select

from konectom.errors import NotAuthenticated, NotFound
from konectom.storage.models import Credential, Device, Patient
from konectom.workflows.pages import BY_TIME_AND_ID, Asked, page, told
from konectom.workflows.people import checked_text, find_study
from konectom.workflows.services import Services

Kind = Literal["device", "staff"]
PREFIXES: dict[Kind, str] = {"device": "kd_", "staff": "ks_"}
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token: shown this once, and never again."""

    token: str
    credential_id: UUID
    expires_at: datetime

    def __repr__(self) -> str:
        return f"IssuedToken({self.token[:3]}…, {self.credential_id})"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. A device speaks for its patient; staff for a study, or for all where ``study_id`` is None."""

    kind: Kind
    credential_id: UUID
    device_id: UUID | None
    patient_id: UUID | None
    study_id: UUID | None
    name: str


def issue_device_token(
    services: Services, *, device_id: UUID, name: str = "", lifetime: timedelta | None = None
) -> IssuedToken:
    """Make a token for a phone. Earlier ones stay valid until they expire or are revoked."""
    with services.db.read() as db:
        if db.get(Device, device_id) is None:
            raise NotFound("there is no such device")
    lifetime = lifetime or services.settings.device_token_lifetime
    return _issue(services, "device", name, lifetime, device_id=device_id)


def issue_staff_token(
    services: Services, *, name: str, study_id: UUID | None = None, lifetime: timedelta | None = None
) -> IssuedToken:
    """Make a token for a member of staff: for one study, or for all."""
    if study_id is not None:
        with services.db.read() as db:
            find_study(db, study_id)
    lifetime = lifetime or services.settings.staff_token_lifetime
    return _issue(services, "staff", name, lifetime, study_id=study_id)


def authenticate(services: Services, token: str) -> Principal:
    """Return who holds ``token``; raises :class:`NotAuthenticated`. Nothing is written."""
    token_hash = _hash(token)
    statement = (
        select(Credential, Patient.id, Patient.study_id)
        .outerjoin(Device, Device.id == Credential.device_id)
        .outerjoin(Patient, Patient.id == Device.patient_id)
        .where(Credential.token_hash == token_hash)
    )
    with services.db.read() as db:
        found = db.execute(statement).one_or_none()
    if found is None or not hmac.compare_digest(found[0].token_hash, token_hash):
        raise NotAuthenticated("the token is not known")
    credential, patient_id, study_id = found
    if credential.revoked_at is not None:
        raise NotAuthenticated("the token was revoked")
    if credential.expires_at is not None and credential.expires_at <= services.clock():
        raise NotAuthenticated(f"the token expired at {told(credential.expires_at)}")
    if credential.kind == "device":
        return Principal("device", credential.id, credential.device_id, patient_id, study_id, credential.name)
    return Principal("staff", credential.id, None, None, credential.study_id, credential.name)


def revoke_token(services: Services, credential_id: UUID) -> None:
    """Make a token invalid from now on. Revoking again changes nothing."""
    with services.db.write() as db:
        row = db.get(Credential, credential_id)
        if row is None:
            raise NotFound("there is no such token")
        if row.revoked_at is None:
            row.revoked_at = services.clock()


def list_tokens(
    services: Services,
    *,
    device_id: UUID | None = None,
    cursor: str | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Return a page of what tokens there are, oldest first: all, or those of one device."""
    statement = select(Credential)
    if device_id is not None:
        statement = statement.where(Credential.device_id == device_id)
    with services.db.read() as db:
        order = (Credential.created_at, Credential.id)
        asked = Asked.of(services.settings, cursor, limit)
        return page(db, statement, order, BY_TIME_AND_ID, _shown, asked)


def _issue(
    services: Services,
    kind: Kind,
    name: str,
    lifetime: timedelta,
    *,
    device_id: UUID | None = None,
    study_id: UUID | None = None,
) -> IssuedToken:
    token = PREFIXES[kind] + secrets.token_urlsafe(SECRET_BYTES)
    now = services.clock()
    checked_text(name, "name")
    row = Credential(
        id=uuid4(),
        kind=kind,
        device_id=device_id,
        study_id=study_id,
        name=name,
        token_hash=_hash(token),
        created_at=now,
        expires_at=now + lifetime,
    )
    issued = IssuedToken(token, row.id, now + lifetime)
    with services.db.write() as db:
        db.add(row)
    return issued


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _shown(row: Credential) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "kind": row.kind,
        "device": str(row.device_id) if row.device_id else None,
        "study": str(row.study_id) if row.study_id else None,
        "name": row.name,
        "created_at": told(row.created_at),
        "expires_at": told(row.expires_at) if row.expires_at else None,
        "revoked_at": told(row.revoked_at) if row.revoked_at else None,
    }
