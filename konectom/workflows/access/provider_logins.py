"""Logins of whom an OpenID provider knows (OpenID Connect Core 1.0, section 5.7)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from konectom.errors import NotAuthenticated
from konectom.storage.models import User
from konectom.workflows.access.logins import Opened, link, open_for
from konectom.workflows.access.proofs import REFUSED, second_factor_needed
from konectom.workflows.access.users import LOGIN
from konectom.workflows.services import Services


def log_in_by_provider(
    services: Services, *, issuer: str, subject: str, email: str | None, email_verified: bool, second_factor: bool
) -> Opened:
    """Open a login for whom the provider calls ``subject``; ``second_factor``: it is believed to have asked for one.

    At the first time the user is found whose login is the verified address of e-mail; from then on only issuer and
    subject count, since addresses are given to others. Where a second factor is set up here, that first time needs it,
    whatever the provider asked for: an address alone takes over no account. Finding, judging, linking and opening are
    one transaction. Raises :class:`NotAuthenticated` with one wording, and :class:`SecondFactorNeeded`.
    """
    try:
        with services.db.write() as db:
            known = select(User).where(User.issuer == issuer, User.subject == subject)
            user = db.scalars(known.with_for_update()).one_or_none()
            if user is None and email_verified is True:
                user = _by_address(db, email)
                if user is not None and user.totp_confirmed_at is not None:
                    raise second_factor_needed(user)
                if user is not None:
                    link(db, user, issuer, subject)
            return open_for(services, db, user, "oidc+mfa" if second_factor else "oidc")
    except IntegrityError:  # another login of the same person was linked to another user at the same instant
        raise NotAuthenticated(REFUSED) from None


def _by_address(db: Session, email: str | None) -> User | None:
    """Return whose login an address is, and who is linked to nobody.

    An address that is no login as it stands is nobody's: there are letters beyond ASCII that become ASCII in lower
    case (U+212A, the sign of kelvin, becomes k), and a provider may take them for others than we do.
    """
    if not email or not email.isascii() or not LOGIN.fullmatch(email.lower()):
        return None
    unlinked = select(User).where(
        User.login == email.lower(), User.subject.is_(None), User.disabled_at.is_(None), User.reset_at.is_(None)
    )
    return db.scalars(unlinked.with_for_update()).one_or_none()
