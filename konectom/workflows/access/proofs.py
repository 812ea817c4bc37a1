"""Proving who one is with a password and a second factor, at a cost and with an answer that tell nobody who exists.

Each try is counted before it is judged, so that tries at the same instant cannot outrun the count. After
:data:`FREE_TRIES` the account is locked for a minute, then for twice as long after each further try, up to an hour.
Tries while it is locked are neither counted nor looked at: they do not lengthen the lock. One that is right begins the
count anew. Codes of whom an OpenID provider let in are counted and locked apart: who mistypes somebody's password here,
as any stranger can, keeps nobody from coming in through the provider.

Whether there is no such account, or it is disabled, or locked, or the password or the code is wrong, the answer is the
same, and so is what costs most: a password is verified each time, and a transaction notes the try. What differs is that
a try that counts changes a row besides.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from konectom.errors import FieldInvalid, NotAuthenticated, SecondFactorNeeded
from konectom.security.secrets import hash_of
from konectom.security.totp import TOTP_PURPOSE, is_totp_code, plain_recovery_code, step_of
from konectom.storage.audit import note
from konectom.storage.models import RecoveryCode, User
from konectom.workflows.services import Services

T = TypeVar("T")
Act = Callable[[Session, User], T]

FREE_TRIES = 5
FIRST_LOCK = timedelta(minutes=1)
LONGEST_LOCK = timedelta(hours=1)
REFUSED = "login, password or code is wrong, or the account cannot be used now"


@dataclass(frozen=True, slots=True, repr=False)
class _Try:
    """One try: of whom, what is kept of the password, and whether the account can be used now."""

    user_id: UUID | None = None
    password_hash: str | None = None
    admitted: bool = False


def with_proof(
    services: Services,
    who: ColumnElement[bool],
    password: str | None,
    act: Act[T],
    *,
    code: str | None = None,
    ask_code: bool = True,
    state: str | None = None,
    by_provider: bool = False,
) -> T:
    """Return what ``act`` does with the one user that ``who`` finds, in the transaction that admits the proof.

    Raises :class:`NotAuthenticated` with one wording, whatever the reason, and :class:`SecondFactorNeeded` where all is
    right but that a code is missing. With ``ask_code`` false a second factor is not asked for; without a password
    (None: the caller knows already that it is right, or asked an OpenID provider) it always is, and ``state`` tells on
    which :func:`state_of` the account the caller knew it; ``by_provider``: that a provider said so. Raises
    :class:`~konectom.errors.TooBusy` where too many passwords are looked at; that is not counted as a try.
    """
    with services.passwords.turn():  # before the try is counted: who is sent away for others has not tried
        tried = _count_try(services, who, by_provider)
        right = services.passwords.verify(tried.password_hash, password or "") or password is None
        if not right or not tried.admitted:
            raise NotAuthenticated(REFUSED)
        rehashed = _up_to_date(services, tried.password_hash, password)
    with services.db.write() as db:
        user = db.get_one(User, tried.user_id, with_for_update=True)
        has_second = user.totp_confirmed_at is not None
        if user.disabled_at is not None or user.password_hash != tried.password_hash:
            raise NotAuthenticated(REFUSED)
        if password is None and not has_second:
            raise NotAuthenticated(REFUSED)
        if state is not None and not hmac.compare_digest(state, state_of(user)):
            raise NotAuthenticated(REFUSED)
        must_have_code = has_second and (ask_code or password is None)
        if not must_have_code or _is_right_code(services, db, user, code):
            _keep_count(user, by_provider, 0, None)
            user.password_hash = rehashed
            return act(db, user)
        # Nothing was guessed, so nothing is counted; nor is anything forgotten that was guessed before.
        _keep_count(user, by_provider, max(_counted(user, by_provider)[0] - 1, 0), None)
        needed = second_factor_needed(user)
    raise needed


def with_own_proof(
    services: Services,
    user_id: UUID,
    password: str | None,
    act: Act[T],
    *,
    code: str | None = None,
    ask_code: bool = False,
) -> T:
    """Do as :func:`with_proof` for a user who is logged in; raises :class:`FieldInvalid` at ``/password``.

    Whoever has no password here, but comes in through an OpenID provider, proves no more than the code.
    """
    with services.db.read() as db:
        has_password = db.get_one(User, user_id).password_hash is not None
    if not has_password and not ask_code:
        with services.db.write() as db:
            user = db.get_one(User, user_id, with_for_update=True)
            if user.password_hash is not None or user.reset_at is not None:
                raise FieldInvalid("the account is being set up anew: use the invitation", at="/password")
            return act(db, user)
    told = (password or "") if has_password else None
    try:
        by_provider = not has_password
        return with_proof(
            services, User.id == user_id, told, act, code=code, ask_code=ask_code, by_provider=by_provider
        )
    except NotAuthenticated:
        also = " or the code" if ask_code else ""
        raise FieldInvalid(f"the password{also} is wrong, or was tried too often", at="/password") from None


def second_factor_needed(user: User) -> SecondFactorNeeded:
    """Return what says that the first factor of a user was right, and that a code is needed besides."""
    told = "send the password again with a code: six digits of the app, or a recovery code"
    return SecondFactorNeeded(told, user_id=user.id, state=state_of(user))


def state_of(user: User) -> str:
    """Return a digest of what a first factor rests on: another one after each change of it.

    What was found right before such a change is worth nothing after it: a new or removed password, another second
    factor, another person at the OpenID provider.
    """
    told = (user.id, user.password_hash, user.totp_confirmed_at, user.reset_at, user.issuer, user.subject)
    return hashlib.sha256(repr([None if each is None else str(each) for each in told]).encode()).hexdigest()


def lift_locks(user: User) -> None:
    """Begin all counts anew, within a transaction."""
    for by_provider in (False, True):
        _keep_count(user, by_provider, 0, None)


def lock_after(failures: int) -> timedelta | None:
    """Return how long an account is locked after so many tries in a row that were wrong."""
    if failures < FREE_TRIES:
        return None
    doublings = min(failures - FREE_TRIES, 10)
    return min(FIRST_LOCK * (1 << doublings), LONGEST_LOCK)


def _count_try(services: Services, who: ColumnElement[bool], by_provider: bool) -> _Try:
    now = services.clock()
    with services.db.write() as db:
        user = db.scalars(select(User).where(who).with_for_update()).one_or_none()
        # Told whether there is such a user or not, so that the one costs as much as the other. What was entered as the
        # login is not: people enter passwords there.
        entity_id = "" if user is None else str(user.id)
        note(db, entity="user", entity_id=entity_id, detail={"event": "proof tried"})
        if user is None:
            return _Try()
        failures, locked_until = _counted(user, by_provider)
        is_locked = locked_until is not None and locked_until > now
        tried = _Try(user.id, user.password_hash, user.disabled_at is None and not is_locked)
        if tried.admitted:
            lock = lock_after(failures + 1)
            _keep_count(user, by_provider, failures + 1, None if lock is None else now + lock)
    return tried


def _counted(user: User, by_provider: bool) -> tuple[int, datetime | None]:
    """Return how many tries in a row were wrong, and until when there are no more."""
    if by_provider:
        return user.provider_failures, user.provider_locked_until
    return user.failures, user.locked_until


def _keep_count(user: User, by_provider: bool, failures: int, locked_until: datetime | None) -> None:
    if by_provider:
        user.provider_failures, user.provider_locked_until = failures, locked_until
    else:
        user.failures, user.locked_until = failures, locked_until


def _up_to_date(services: Services, kept: str | None, password: str | None) -> str | None:
    """Return what is kept of a password that is right: made anew where the parameters have changed since."""
    if kept is None or password is None or not services.passwords.is_outdated(kept):
        return kept
    return services.passwords.hash(password)


def _is_right_code(services: Services, db: Session, user: User, code: str | None) -> bool:
    """Tell whether a code came; raises :class:`NotAuthenticated` where it is wrong. What is used, is used up."""
    if not code:
        return False
    now = services.clock()
    if is_totp_code(code):
        if user.totp_sealed is None:
            raise NotAuthenticated(REFUSED)
        secret = services.keys.unseal_small(TOTP_PURPOSE, user.totp_sealed, bound_to=user.id.bytes)
        step = step_of(secret, code, now, after=user.totp_step)
        if step is None:
            raise NotAuthenticated(REFUSED)
        user.totp_step = step
        return True
    asked = select(RecoveryCode).where(
        RecoveryCode.user_id == user.id,
        RecoveryCode.code_hash == hash_of(plain_recovery_code(code)),
        RecoveryCode.used_at.is_(None),
    )
    row = db.scalars(asked).one_or_none()
    if row is None:
        raise NotAuthenticated(REFUSED)
    row.used_at = now
    return True
