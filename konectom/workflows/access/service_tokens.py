"""Programs' tokens: for the permissions that they name, in one study or in all, until they expire or are revoked."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import bindparam, or_, select

from konectom.errors import FieldInvalid, NotAuthenticated, NotFound
from konectom.security.matrix import reach_of, service_permissions
from konectom.security.principal import Grant, Principal
from konectom.security.secrets import hash_of, new_secret
from konectom.storage.models import GrantRow, ServiceToken, User
from konectom.workflows.pages import BY_TIME_AND_ID, Asked, id_if_any, page, told, told_if_any
from konectom.workflows.patients.people import checked_text, find_study
from konectom.workflows.services import Services

ALL = "*"
"""Stands for every permission that a program's token may be given."""

LONGEST = timedelta(days=366)
"""A token lives no longer: what a program may do is looked at once a year."""

_IS_VOUCHED_FOR = or_(
    ServiceToken.created_by.is_(None),
    select(GrantRow.id)
    .join(User)
    .where(
        GrantRow.user_id == ServiceToken.created_by,
        GrantRow.role == "administrator",
        GrantRow.ended_at.is_(None),
        User.disabled_at.is_(None),
    )
    .correlate(ServiceToken)
    .exists(),
)
"""Whether the operator made a token, or a user who still is an administrator and may come in."""

# Made once: putting the question together takes longer than the answer.
_HOLDER = select(*ServiceToken.__table__.columns, _IS_VOUCHED_FOR.label("is_vouched_for")).where(
    ServiceToken.token_hash == bindparam("hash")
)


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
    created_by: UUID | None = None,
) -> IssuedToken:
    """Make a token for a program: for one study, or for all.

    One that a user made (``created_by``) holds while that one is an administrator, and names its permissions one by
    one if it is for all studies. Raises :class:`FieldInvalid` at the permission and at ``/days``.
    """
    wanted = _checked(list(permissions), study_id, by_user=created_by is not None)
    now = services.clock()
    token = new_secret("service")
    if lifetime is not None and lifetime > LONGEST:
        raise FieldInvalid(f"a token is valid for at most {LONGEST.days} days", at="/days")
    expires_at = now + (lifetime or min(services.settings.service_token_lifetime, LONGEST))
    row = ServiceToken(
        id=uuid4(),
        name=checked_text(name, "name"),
        study_id=study_id,
        permissions=wanted,
        token_hash=hash_of(token),
        created_at=now,
        created_by=created_by,
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
    with services.db.ask() as connection:
        row = connection.execute(_HOLDER, {"hash": token_hash}).one_or_none()
    if row is None or not hmac.compare_digest(row.token_hash, token_hash):
        raise NotAuthenticated("the token is not known")
    if row.revoked_at is not None:
        raise NotAuthenticated("the token was revoked")
    if row.expires_at <= services.clock():
        raise NotAuthenticated(f"the token expired at {told(row.expires_at)}")
    if not row.is_vouched_for:
        raise NotAuthenticated("who made the token is no administrator any more")
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
        "study": id_if_any(row.study_id),
        "permissions": row.permissions,
        "created_at": told(row.created_at),
        "created_by": str(row.created_by) if row.created_by else None,
        "expires_at": told(row.expires_at),
        "revoked_at": told_if_any(row.revoked_at),
    }


def _checked(permissions: list[str], study_id: UUID | None, *, by_user: bool) -> list[str]:
    known = [name for name in service_permissions() if study_id is None or reach_of("service", name) != "everything"]
    if permissions == [ALL]:
        if study_id is None and by_user:
            raise FieldInvalid("name the permissions one by one, or the study", at="/permissions")
        return known
    if not permissions:
        raise FieldInvalid("a token needs at least one permission", at="/permissions")
    for index, name in enumerate(permissions):
        if name not in known:
            whose = "no program" if study_id is None else "no program of one study"
            raise FieldInvalid(f"{whose} can have this permission", at=f"/permissions/{index}")
    return [name for name in known if name in permissions]
