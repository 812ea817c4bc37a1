"""Members of staff for tests: with roles and logged in without the cost of a password, or with a password."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import pyotp

from konectom.security.passwords import Passwords
from konectom.storage.models import User
from konectom.workflows.access.grants import grant_role
from konectom.workflows.access.invitations import accept_invitation
from konectom.workflows.access.logins import Opened, open_login
from konectom.workflows.access.second_factor import confirm_second_factor, start_second_factor
from konectom.workflows.access.users import create_user
from konectom.workflows.patients.sites import create_site
from konectom.workflows.services import Services

QUICK = Passwords(time_cost=1, memory_kib=64, lanes=1, waiting=100)
"""Hashes as weakly as argon2 can: tests try many passwords, also at the same instant, and none that matters."""

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class LoggedIn:
    """A member of staff who is in: the user's id and login, the login's id, and the token that opens."""

    user: UUID
    login: str
    login_id: UUID
    token: str


@dataclass(frozen=True)
class Staff:
    """Makes members of staff; each has a login of its own unless it is given one."""

    services: Services

    def user(self, login: str | None = None, name: str = "Ada Lovelace") -> UUID:
        """A user without password or role."""
        user, _ = create_user(self.services, login=login or f"u{uuid4().hex[:8]}", name=name)
        return UUID(user["id"])

    def grant(self, user: UUID, role: str, study: UUID | None = None, site: UUID | None = None) -> UUID:
        """A role of a user."""
        return UUID(grant_role(self.services, user, role=role, study_id=study, site_id=site)["id"])

    def member(
        self, role: str, study: UUID | None = None, site: UUID | None = None, *, login: str | None = None
    ) -> LoggedIn:
        """Somebody of this role (in a study, at a site) who is logged in, as an OpenID provider would log in."""
        user = self.user(login)
        self.grant(user, role, study, site)
        return self.log_in(user)

    def log_in(self, user: UUID) -> LoggedIn:
        """A further login of a user, as an OpenID provider would log in."""
        opened: Opened = open_login(self.services, user, "oidc+mfa")
        with self.services.db.read() as db:
            login = db.get_one(User, user).login
        return LoggedIn(user, login, opened.login_id, opened.token)

    def site(self, study: UUID, code: str | None = None) -> UUID:
        """A site of a study."""
        return UUID(create_site(self.services, study, code=code or f"C{uuid4().hex[:8]}")["id"])

    def with_password(self, login: str | None = None, password: str = PASSWORD, role: str | None = None) -> Any:
        """A user who accepted the invitation: as :func:`konectom.workflows.access.users.create_user` tells it."""
        user, invitation = create_user(self.services, login=login or f"u{uuid4().hex[:8]}")
        accept_invitation(self.services, code=invitation.code, password=password)
        if role is not None:
            self.grant(UUID(user["id"]), role)
        return user

    def second_factor(self, user: UUID, password: str = PASSWORD) -> tuple[pyotp.TOTP, list[str]]:
        """The app of a user's second factor, confirmed, and the recovery codes. The present code is used up."""
        totp = pyotp.TOTP(start_second_factor(self.services, user, password=password).secret)
        return totp, confirm_second_factor(self.services, user, code=totp.at(self.services.clock()))


def with_settings(services: Services, **changed: Any) -> Services:
    """The same services under other settings."""
    return replace(services, settings=type(services.settings)(services.settings._values | changed))
