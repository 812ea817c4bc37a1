"""Members of staff: made, found, listed, invited and disabled."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from konectom.errors import AlreadyExists, FieldInvalid, NotFound
from konectom.security.principal import Principal
from konectom.storage.models import RecoveryCode, User
from konectom.workflows.access.grants import grants_of, require_another_administrator, show_grant
from konectom.workflows.access.invitations import NewInvitation, end_invitations_of, invite
from konectom.workflows.access.logins import end_logins_of, normal_login
from konectom.workflows.access.proofs import lift_locks
from konectom.workflows.pages import BY_TEXT_AND_ID, Asked, page, told
from konectom.workflows.patients.people import checked_text
from konectom.workflows.services import Services

LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,199}")
"""A login is plain, so that no two look the same; an address of e-mail serves, and is what OpenID links by."""


def create_user(services: Services, *, login: str, name: str = "") -> tuple[dict[str, Any], NewInvitation]:
    """Make a user; return it and the code with which he or she sets a password.

    Raises :class:`AlreadyExists` where the login is taken.
    """
    now, wanted = services.clock(), normal_login(login)
    if not LOGIN.fullmatch(wanted):
        raise FieldInvalid("a login is letters, digits and . _ @ + -, at most 200, the first no sign", at="/login")
    row = User(id=uuid4(), login=wanted, name=checked_text(name, "name"), failures=0, created_at=now)
    try:
        with services.db.write() as db:
            db.add(row)
            db.flush()
            return show_user(row), invite(services, db, row)
    except IntegrityError:
        raise AlreadyExists(f"there is a user {wanted!r} already") from None


def get_user(services: Services, user_id: UUID) -> dict[str, Any]:
    """Return a user."""
    with services.db.read() as db:
        return show_user(find_user(db, user_id))


def find_user(db: Session, user_id: UUID, *, lock: bool = False) -> User:
    """Return a user's row; raises :class:`NotFound`."""
    row = db.get(User, user_id, with_for_update=lock)
    if row is None:
        raise NotFound("there is no such user")
    return row


def list_users(
    services: Services, *, login: str | None = None, cursor: str | None = None, limit: int | None = None
) -> dict[str, Any]:
    """Return a page of users, by login; ``login`` asks for one of them."""
    statement = select(User)
    if login is not None:
        statement = statement.where(User.login == normal_login(login))
    with services.db.read() as db:
        asked = Asked.of(services.settings, cursor, limit)
        return page(db, statement, (User.login, User.id), BY_TEXT_AND_ID, show_user, asked)


def invite_user(services: Services, user_id: UUID, *, remove_second_factor: bool = False) -> NewInvitation:
    """Return a new code with which a user sets a new password; earlier codes end.

    Until then the old password holds, unless the second factor is removed as well: then the code alone opens the
    account, lest a password alone do so, here or at an OpenID provider; that also holds when the code has expired.
    Raises :class:`LastAdministrator` where nobody else could let the user in again.
    """
    with services.db.write() as db:
        if remove_second_factor:
            require_another_administrator(db, user_id)  # first: it locks the rows in an order
        row = find_user(db, user_id, lock=True)
        return invite(services, db, row, remove_second_factor=remove_second_factor)


def disable_user(services: Services, user_id: UUID) -> dict[str, Any]:
    """Shut a user out from now on: logins and codes end. Raises :class:`LastAdministrator`."""
    with services.db.write() as db:
        require_another_administrator(db, user_id)
        row = find_user(db, user_id, lock=True)
        if row.disabled_at is None:
            row.disabled_at = services.clock()
            end_logins_of(db, user_id, row.disabled_at)
            end_invitations_of(db, user_id, row.disabled_at)
        return show_user(row)


def enable_user(services: Services, user_id: UUID) -> dict[str, Any]:
    """Let a user in again, with the password and the roles that he or she had."""
    with services.db.write() as db:
        row = find_user(db, user_id, lock=True)
        row.disabled_at = None
        lift_locks(row)
        return show_user(row)


def set_user_state(services: Services, user_id: UUID, *, disabled: bool) -> dict[str, Any]:
    """Disable or enable a user."""
    return disable_user(services, user_id) if disabled else enable_user(services, user_id)


def get_account(services: Services, caller: Principal) -> dict[str, Any]:
    """Return the account of who is logged in, with the roles that he or she holds."""
    unused = select(func.count()).where(RecoveryCode.user_id == caller.id, RecoveryCode.used_at.is_(None))
    with services.db.read() as db:
        return show_user(find_user(db, caller.id)) | {
            "login_id": str(caller.login_id),
            "needs_second_factor": caller.permissions is not None,
            "recovery_codes_left": db.scalar(unused) or 0,
            "grants": [show_grant(row) for row in grants_of(db, caller.id)],
        }


def unlink_user(services: Services, user_id: UUID) -> dict[str, Any]:
    """Forget by whom an OpenID provider knows a user; all logins end. Whoever was not linked stays as he or she is.

    The next person whom the provider tells by the verified address is linked anew. Raises :class:`LastAdministrator`
    where only the provider lets the user in, and nobody else is an administrator.
    """
    with services.db.write() as db:
        if find_user(db, user_id).password_hash is None:
            require_another_administrator(db, user_id)
        row = find_user(db, user_id, lock=True)
        if row.subject is not None:
            row.issuer = row.subject = None
            end_logins_of(db, user_id, services.clock())
        return show_user(row)


def show_user(row: User) -> dict[str, Any]:
    """Return a user as it stands on the wire."""
    locks = [each for each in (row.locked_until, row.provider_locked_until) if each is not None]
    return {
        "id": str(row.id),
        "login": row.login,
        "name": row.name,
        "created_at": told(row.created_at),
        "disabled_at": _told(row.disabled_at),
        "password_set_at": _told(row.password_set_at),
        "second_factor_at": _told(row.totp_confirmed_at),
        "issuer": row.issuer,
        "locked_until": _told(max(locks, default=None)),
    }


def _told(at: Any) -> str | None:
    return None if at is None else told(at)
