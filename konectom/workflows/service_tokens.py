"""Programs' tokens: for the permissions that they name, in one study or in all, until they expire or are revoked."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from konectom.errors import FieldInvalid, NotAuthenticated, NotFound
from konectom.security.matrix import service_permissions
from konectom.security.principal import Grant, Principal
from konectom.security.secrets import hash_of, new_secret
from konectom.storage.models import ServiceToken
from konectom.workflows.pages import BY_TIME_AND_ID, Asked, page, told
from konectom.workflows.people import checked_text, find_study
from konectom.workflows.services import Services

ALL = "*"
"""Stands for every permission that a program's token may be given."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token: shown this once, and never again."""

    token: str
    token_id: UUID
    expires_at: datetime

    def __repr__(self) -> str:
        return f"IssuedToken({self.token[:3]}…, {self.token_id})"

    def as_dict(self) -> dict[str, Any]:
        """Return it as it stands on the wire."""
        return {"id": str(self.token_id), "token": self.token, "expires_at": told(self.expires_at)}


def issue_service_token(
    services: Services,
    *,
    name: str,
    permissions: Iterable[str],
    study_id: UUID | None = None,
    lifetime: timedelta | None = None,
) -> IssuedToken:
    """Make a token for a program: for one study, or for all. Raises :class:`FieldInvalid` at the permission."""
    wanted = _checked(list(permissions))
    now = services.clock()
    token = new_secret("service")
    expires_at = now + (lifetime or services.settings.service_token_lifetime)
    row = ServiceToken(
        id=uuid4(),
        name=checked_text(name, "name"),
        study_id=study_id,
        permissions=wanted,
        token_hash=hash_of(token),
        created_at=now,
        expires_at=expires_at,
    )
    issued = IssuedToken(token, row.id, expires_at)
    with services.db.write() as db:
        if study_id is not None:
            find_study(db, study_id)
        db.add(row)
    return issued


def authenticate_service(services: Services, token: str) -> Principal:
    """Return the program that holds ``token``; raises :class:`NotAuthenticated`. Nothing is written."""
    token_hash = hash_of(token)
    with services.db.read() as db:
        row = db.scalars(select(ServiceToken).where(ServiceToken.token_hash == token_hash)).one_or_none()
    if row is None or not hmac.compare_digest(row.token_hash, token_hash):
        raise NotAuthenticated("the token is not known")
    if row.revoked_at is not None:
        raise NotAuthenticated("the token was revoked")
    if row.expires_at <= services.clock():
        raise NotAuthenticated(f"the token expired at {told(row.expires_at)}")
    return Principal(
        kind="service",
        id=row.id,
        name=row.name,
        grants=(Grant("service", row.study_id),),
        permissions=frozenset(row.permissions),
    )


def revoke_service_token(services: Services, token_id: UUID) -> None:
    """Make a token invalid from now on. Revoking again changes nothing."""
    with services.db.write() as db:
        row = db.get(ServiceToken, token_id)
        if row is None:
            raise NotFound("there is no such token")
        if row.revoked_at is None:
            row.revoked_at = services.clock()


def list_service_tokens(services: Services, *, cursor: str | None = None, limit: int | None = None) -> dict[str, Any]:
    """Return a page of programs' tokens, oldest first; the tokens themselves are not kept."""
    with services.db.read() as db:
        order = (ServiceToken.created_at, ServiceToken.id)
        asked = Asked.of(services.settings, cursor, limit)
        return page(db, select(ServiceToken), order, BY_TIME_AND_ID, show_service_token, asked)


def show_service_token(row: ServiceToken) -> dict[str, Any]:
    """Return a program's token as it stands on the wire."""
    return {
        "id": str(row.id),
        "name": row.name,
        "study": str(row.study_id) if row.study_id else None,
        "permissions": row.permissions,
        "created_at": told(row.created_at),
        "expires_at": told(row.expires_at),
        "revoked_at": told(row.revoked_at) if row.revoked_at else None,
    }


def _checked(permissions: list[str]) -> list[str]:
    known = service_permissions()
    if permissions == [ALL]:
        return list(known)
    if not permissions:
        raise FieldInvalid("a token needs at least one permission", at="/permissions")
    for index, name in enumerate(permissions):
        if name not in known:
            raise FieldInvalid("no program can have this permission", at=f"/permissions/{index}")
    return [name for name in known if name in permissions]
