"""Invitations: a code with which a member of staff sets a password, once. Nobody else ever knows the password."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from konectom.errors import NotAuthenticated
from konectom.security.passwords import check_password
from konectom.security.secrets import hash_of, kind_of, new_secret
from konectom.storage.models import Invitation, User
from konectom.workflows.access.logins import end_logins_of
from konectom.workflows.access.proofs import lift_locks
from konectom.workflows.access.second_factor import forget_second_factor
from konectom.workflows.pages import told
from konectom.workflows.services import Services

REFUSED = "the invitation is not known, was used, or has expired"


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """A new code: shown this once, and never again."""

    code: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"NewInvitation({self.code[:3]}…)"

    def as_dict(self) -> dict[str, Any]:
        """Return it as it stands on the wire."""
        return {"code": self.code, "expires_at": told(self.expires_at)}


def invite(services: Services, db: Session, user: User, *, remove_second_factor: bool = False) -> NewInvitation:
    """Return a new code for a user within a transaction; earlier ones end.

    Where the second factor is removed, nothing but a code opens the account until a password is set with one: neither
    the old password, nor an OpenID provider, which may have asked for no more than a password of its own.
    """
    now = services.clock()
    end_invitations_of(db, user.id, now)
    if remove_second_factor:
        forget_second_factor(db, user)
        user.password_hash = user.password_set_at = None
        user.reset_at = now
        end_logins_of(db, user.id, now)
    made = NewInvitation(new_secret("invitation"), now + services.settings.invitation_lifetime)
    row = Invitation(
        id=uuid4(), user_id=user.id, code_hash=hash_of(made.code), created_at=now, expires_at=made.expires_at
    )
    db.add(row)
    return made


def accept_invitation(services: Services, *, code: str, password: str) -> dict[str, Any]:
    """Set the password of the user whom ``code`` invites; all logins end and a lock is lifted. Return the login.

    Raises :class:`NotAuthenticated` with one wording, and :class:`FieldInvalid` at ``/password``, which leaves the code
    as it was.
    """
    if kind_of(code) != "invitation":
        raise NotAuthenticated(REFUSED)
    with services.db.read() as db:
        _, user = _invited(services, db, code)
        check_password(password, about=(user.login, user.name))
    password_hash = services.passwords.hash(password)
    with services.db.write() as db:
        invitation, user = _invited(services, db, code, lock=True)
        invitation.used_at = user.password_set_at = services.clock()
        user.password_hash, user.reset_at = password_hash, None
        lift_locks(user)
        end_logins_of(db, user.id, invitation.used_at)
        return {"login": user.login, "name": user.name}


def end_invitations_of(db: Session, user_id: UUID, now: datetime) -> None:
    """Let a user's codes end now, within a transaction."""
    unused = select(Invitation).where(
        Invitation.user_id == user_id, Invitation.used_at.is_(None), Invitation.expires_at > now
    )
    for row in db.scalars(unused):
        row.expires_at = now


def _invited(services: Services, db: Session, code: str, *, lock: bool = False) -> tuple[Invitation, User]:
    asked = select(Invitation, User).join(User).where(Invitation.code_hash == hash_of(code))
    found = db.execute(asked.with_for_update() if lock else asked).one_or_none()
    if found is None:
        raise NotAuthenticated(REFUSED)
    invitation, user = found
    if invitation.used_at is not None or invitation.expires_at <= services.clock() or user.disabled_at is not None:
        raise NotAuthenticated(REFUSED)
    return invitation, user
