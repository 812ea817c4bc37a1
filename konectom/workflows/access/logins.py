"""Logins of staff: opened with a password and a second factor, or by an OpenID provider; ended by time or by hand.

A login's token (``ku_…``) serves the REST interface and, in a cookie, the pages. What it opens is looked up at each
request, so that a login that was ended, a user who was disabled and a role that was taken away count from then on.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast
from uuid import UUID, uuid4

from sqlalchemy import and_, bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from konectom.errors import NotAuthenticated, NotFound
from konectom.security.matrix import Role
from konectom.security.principal import Grant, Principal
from konectom.security.secrets import hash_of, new_secret
from konectom.storage.audit import note
from konectom.storage.models import GrantRow, Login, User
from konectom.workflows.access.proofs import REFUSED, second_factor_needed, with_proof
from konectom.workflows.pages import BY_TIME_AND_ID, Asked, page, told
from konectom.workflows.services import Admit, Services, anybody

Method = Literal["token", "page", "oidc", "oidc+mfa"]
"""How somebody came in. ``oidc+mfa``: through a provider that says that it asked for a second factor."""

SEEN_EVERY = timedelta(minutes=1)
"""How exactly it is kept when a login was last used."""

RESTRICTED = frozenset({"account.own"})
"""What a user may do who has yet to set up the second factor that is required."""


_WHO = (
    select(
        *(Login.id, Login.token_hash, Login.method, Login.seen_at, Login.expires_at, Login.ended_at, Login.user_id),
        *(User.login, User.disabled_at, User.totp_confirmed_at),
        *(GrantRow.role, GrantRow.study_id, GrantRow.site_id),
    )
    .join(User, User.id == Login.user_id)
    .outerjoin(GrantRow, and_(GrantRow.user_id == User.id, GrantRow.ended_at.is_(None)))
    .where(Login.token_hash == bindparam("token_hash"))
)
"""A login, its user, and a line for each role; made once, since making it takes as long as asking it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A new login: its token is shown this once, and never again.

    ``needs_second_factor`` tells that the user may do no more than see to the own account until one is set up.
    """

    token: str
    login_id: UUID
    user_id: UUID
    expires_at: datetime
    needs_second_factor: bool = False

    def __repr__(self) -> str:
        return f"Opened({self.token[:3]}…, {self.login_id})"

    def as_dict(self) -> dict[str, Any]:
        """Return it as it stands on the wire."""
        return {
            "id": str(self.login_id),
            "user": str(self.user_id),
            "token": self.token,
            "expires_at": told(self.expires_at),
            "needs_second_factor": self.needs_second_factor,
        }


def log_in(
    services: Services,
    *,
    login: str,
    password: str,
    code: str | None = None,
    method: Method = "token",
    admit: Admit = anybody,
) -> Opened:
    """Open a login; raises :class:`NotAuthenticated` or, where only the code is missing, ``SecondFactorNeeded``.

    ``admit`` is told which user it is, and may refuse by raising; then no login is opened, and it counts as a try.
    """

    def enter(db: Session, user: User) -> Opened:
        admit("user", user.id)
        return _open(services, db, user, method)

    return with_proof(services, User.login == normal_login(login), password, enter, code=code)


def finish_login(
    services: Services,
    user_id: UUID,
    *,
    state: str,
    code: str,
    method: Method = "page",
    subject: tuple[str, str] | None = None,
    admit: Admit = anybody,
) -> Opened:
    """Open a login for whom the caller has just found right but for the code; raises :class:`NotAuthenticated`.

    ``user_id`` and ``state`` are those of the :class:`SecondFactorNeeded` that said so; once the account has changed
    they are worth nothing. ``subject`` is the issuer and the subject of who came from an OpenID provider: whoever is
    not known by them yet, is from now on, and wrong codes are counted apart. Other wrong codes are counted, and
    ``admit`` is asked, as in :func:`log_in`.
    """

    def enter(db: Session, user: User) -> Opened:
        admit("user", user.id)
        if subject is not None:
            link(db, user, *subject)
        return _open(services, db, user, method)

    try:
        by_provider = subject is not None
        return with_proof(services, User.id == user_id, None, enter, code=code, state=state, by_provider=by_provider)
    except IntegrityError:  # somebody else was linked to this subject at the same instant
        raise NotAuthenticated(REFUSED) from None


def open_login(services: Services, user_id: UUID, method: Method = "oidc") -> Opened:
    """Open a login for a user who proved elsewhere who he or she is.

    Raises :class:`NotAuthenticated` and, where a second factor is set up and ``method`` is none that saw one,
    :class:`SecondFactorNeeded`.
    """
    with services.db.write() as db:
        return open_for(services, db, db.get(User, user_id, with_for_update=True), method)


def open_for(services: Services, db: Session, user: User | None, method: Method) -> Opened:
    """Do as :func:`open_login` for a row that is locked, within a transaction."""
    if user is None or user.disabled_at is not None or user.reset_at is not None:
        raise NotAuthenticated(REFUSED)
    if user.totp_confirmed_at is not None and method != "oidc+mfa":
        raise second_factor_needed(user)
    return _open(services, db, user, method)


def link(db: Session, user: User, issuer: str, subject: str) -> None:
    """Let a user be known from now on as whom an OpenID provider calls ``subject``; raises :class:`NotAuthenticated`.

    Whoever is known by another subject stays so, and nobody takes a subject that another user is known by.
    """
    if (user.issuer, user.subject) == (issuer, subject):
        return
    taken = select(User.id).where(User.issuer == issuer, User.subject == subject)
    if user.subject is not None or db.scalars(taken).first() is not None:
        raise NotAuthenticated(REFUSED)
    user.issuer, user.subject = issuer, subject


def authenticate_login(services: Services, token: str) -> Principal:
    """Return the user who holds ``token``; raises :class:`NotAuthenticated`."""
    now, token_hash = services.clock(), hash_of(token)
    with services.db.ask() as connection:
        rows = connection.execute(_WHO, {"token_hash": token_hash}).all()
    if not rows or not hmac.compare_digest(rows[0].token_hash, token_hash):
        raise NotAuthenticated("the token is not known")
    login = rows[0]
    if login.ended_at is not None or login.disabled_at is not None:
        raise NotAuthenticated("the login was ended")
    idle = services.settings.login_idle
    ends_at = min(login.expires_at, login.seen_at + idle)
    if ends_at <= now:
        raise NotAuthenticated(f"the login expired at {told(ends_at)}")
    if now - login.seen_at >= min(SEEN_EVERY, idle / 2):
        _keep_seen(services, login.id, now)
    restricted = needs_second_factor(services, login.totp_confirmed_at, login.method)
    return Principal(
        kind="user",
        id=login.user_id,
        name=login.login,
        grants=tuple(Grant(cast("Role", row.role), row.study_id, row.site_id) for row in rows if row.role is not None),
        login_id=login.id,
        permissions=RESTRICTED if restricted else None,
    )


def needs_second_factor(services: Services, confirmed_at: datetime | None, method: str) -> bool:
    """Tell whether the user has yet to set one up: one is required, and the provider did not ask for one either."""
    required = services.settings.require_second_factor == "yes" and method != "oidc+mfa"
    return required and confirmed_at is None


def end_login(services: Services, login_id: UUID) -> None:
    """End a login. Ending it again changes nothing."""
    with services.db.write() as db:
        row = db.get(Login, login_id)
        if row is None:
            raise NotFound("there is no such login")
        if row.ended_at is None:
            row.ended_at = services.clock()


def end_own_login(services: Services, caller: Principal) -> None:
    """End the login with which the caller came in."""
    if caller.login_id is not None:
        end_login(services, caller.login_id)


def end_all_logins(services: Services, user_id: UUID) -> None:
    """End all logins of a user."""
    with services.db.write() as db:
        end_logins_of(db, user_id, services.clock())


def end_logins_of(db: Session, user_id: UUID, now: datetime, *, but: UUID | None = None) -> None:
    """End a user's logins within a transaction, all or all ``but`` one."""
    for row in db.scalars(select(Login).where(Login.user_id == user_id, Login.ended_at.is_(None))):
        if row.id != but:
            row.ended_at = now


def list_logins(
    services: Services, user_id: UUID, *, cursor: str | None = None, limit: int | None = None
) -> dict[str, Any]:
    """Return a page of a user's logins that are open, in the order in which they were opened."""
    now = services.clock()
    statement = select(Login).where(
        Login.user_id == user_id,
        Login.ended_at.is_(None),
        Login.expires_at > now,
        Login.seen_at > now - services.settings.login_idle,
    )
    with services.db.read() as db:
        order = (Login.created_at, Login.id)
        asked = Asked.of(services.settings, cursor, limit)
        return page(db, statement, order, BY_TIME_AND_ID, _show_login, asked)


def normal_login(login: str) -> str:
    """Return a login as it is kept: capitals and blanks around it do not matter."""
    return login.strip().lower()


def _open(services: Services, db: Session, user: User, method: Method) -> Opened:
    now, token = services.clock(), new_secret("login")
    row = Login(
        id=uuid4(),
        user_id=user.id,
        token_hash=hash_of(token),
        method=method,
        created_at=now,
        seen_at=now,
        expires_at=now + services.settings.login_lifetime,
    )
    db.add(row)
    told_of = {"event": "logged in", "login": str(row.id), "method": method}
    note(db, entity="user", entity_id=str(user.id), detail=told_of)
    return Opened(token, row.id, user.id, row.expires_at, needs_second_factor(services, user.totp_confirmed_at, method))


def _keep_seen(services: Services, login_id: UUID, now: datetime) -> None:
    with services.db.write() as db:
        row = db.get_one(Login, login_id, with_for_update=True)
        row.seen_at = max(row.seen_at, now)


def _show_login(row: Login) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "method": row.method,
        "created_at": told(row.created_at),
        "seen_at": told(row.seen_at),
        "expires_at": told(row.expires_at),
    }
