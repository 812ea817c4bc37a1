"""What a user does to the own account: the second factor, codes for when it is lost, and the password.

The password is proved each time; whoever has none here, but comes in through an OpenID provider, leaves it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from konectom.errors import AlreadyExists, FieldInvalid, NotFound
from konectom.security.passwords import check_password
from konectom.security.secrets import hash_of
from konectom.security.totp import (
    TOTP_PURPOSE,
    new_recovery_codes,
    new_totp_secret,
    plain_recovery_code,
    step_of,
    totp_text,
    totp_uri,
)
from konectom.storage.models import RecoveryCode, User
from konectom.workflows.access.logins import end_logins_of
from konectom.workflows.access.proofs import with_own_proof
from konectom.workflows.services import Services


@dataclass(frozen=True, slots=True)
class Started:
    """A second factor to be confirmed: its secret as it is typed, and as an app reads it from a QR code."""

    secret: str
    uri: str

    def __repr__(self) -> str:
        return "Started(…)"

    def as_dict(self) -> dict[str, Any]:
        """Return it as it stands on the wire."""
        return {"secret": self.secret, "uri": self.uri}


def start_second_factor(services: Services, user_id: UUID, *, password: str | None = None) -> Started:
    """Begin to set up a second factor; it counts once it is confirmed. One that was begun before is forgotten.

    Raises :class:`AlreadyExists` where there is one, and :class:`FieldInvalid` at ``/password``.
    """
    with services.db.read() as db:
        _require_none(db.get_one(User, user_id))
    secret = new_totp_secret()

    def begin(db: Session, user: User) -> Started:
        _require_none(user)
        user.totp_sealed = services.keys.seal_small(TOTP_PURPOSE, secret, bound_to=user.id.bytes)
        user.totp_step = None
        return Started(totp_text(secret), totp_uri(secret, login=user.login))

    return with_own_proof(services, user_id, password, begin)


def confirm_second_factor(services: Services, user_id: UUID, *, code: str, login_id: UUID | None = None) -> list[str]:
    """Let the second factor count from now on, since the app makes the right codes; return ten recovery codes.

    All logins but ``login_id`` end: they were opened by the password alone. Raises :class:`FieldInvalid` at ``/code``.
    """
    now = services.clock()
    with services.db.write() as db:
        user = db.get_one(User, user_id, with_for_update=True)
        if user.totp_sealed is None or user.totp_confirmed_at is not None:
            raise NotFound("no second factor waits to be confirmed")
        secret = services.keys.unseal_small(TOTP_PURPOSE, user.totp_sealed, bound_to=user.id.bytes)
        step = step_of(secret, code, now)
        if step is None:
            raise FieldInvalid("the code is wrong: is the clock of the phone right?", at="/code")
        user.totp_confirmed_at, user.totp_step = now, step
        end_logins_of(db, user_id, now, but=login_id)
        return _new_codes(services, db, user)


def remove_second_factor(services: Services, user_id: UUID, *, code: str, password: str | None = None) -> None:
    """Remove the second factor and its recovery codes; raises :class:`FieldInvalid` at ``/password``."""
    _require_one(services, user_id)

    def remove(db: Session, user: User) -> None:
        forget_second_factor(db, user)

    with_own_proof(services, user_id, password, remove, code=code, ask_code=True)


def renew_recovery_codes(services: Services, user_id: UUID, *, code: str, password: str | None = None) -> list[str]:
    """Return ten new recovery codes; the old ones are worth nothing from then on."""
    _require_one(services, user_id)

    def renew(db: Session, user: User) -> list[str]:
        return _new_codes(services, db, user)

    return with_own_proof(services, user_id, password, renew, code=code, ask_code=True)


def change_password(services: Services, user_id: UUID, *, password: str, new: str) -> None:
    """Change one's own password; all logins end. Raises :class:`FieldInvalid` at ``/password`` or ``/new``."""
    with services.db.read() as db:
        user = db.get_one(User, user_id)
        if user.password_hash is None:
            raise FieldInvalid("there is no password here: ask for an invitation", at="/password")
        check_password(new, about=(user.login, user.name), at="/new")
    password_hash = services.passwords.hash(new)

    def change(db: Session, user: User) -> None:
        now = services.clock()
        user.password_hash, user.password_set_at = password_hash, now
        end_logins_of(db, user.id, now)

    with_own_proof(services, user_id, password, change)


def forget_second_factor(db: Session, user: User) -> None:
    """Remove a user's second factor and its recovery codes within a transaction."""
    user.totp_sealed = user.totp_confirmed_at = user.totp_step = None
    _forget_codes(db, user)


def _new_codes(services: Services, db: Session, user: User) -> list[str]:
    _forget_codes(db, user)
    codes, now = new_recovery_codes(), services.clock()
    for code in codes:
        code_hash = hash_of(plain_recovery_code(code))
        db.add(RecoveryCode(id=uuid4(), user_id=user.id, code_hash=code_hash, created_at=now))
    return codes


def _forget_codes(db: Session, user: User) -> None:
    for row in db.scalars(select(RecoveryCode).where(RecoveryCode.user_id == user.id)):
        db.delete(row)


def _require_none(user: User) -> None:
    if user.totp_confirmed_at is not None:
        raise AlreadyExists("there is a second factor already; remove it first")


def _require_one(services: Services, user_id: UUID) -> None:
    with services.db.read() as db:
        if db.get_one(User, user_id).totp_confirmed_at is None:
            raise NotFound("there is no second factor")
