"""Who holds a token: a phone (``kd_…``), a member of staff who logged in (``ku_…``), or a program (``ks_…``)."""

from __future__ import annotations

from konectom.errors import NotAuthenticated
from konectom.security.principal import Principal
from konectom.security.secrets import kind_of
from konectom.workflows.access.logins import authenticate_login
from konectom.workflows.access.service_tokens import authenticate_service
from konectom.workflows.patients.devices import authenticate_device
from konectom.workflows.services import Services


def authenticate(services: Services, token: str) -> Principal:
    """Return who holds ``token``; raises :class:`NotAuthenticated`, also where it is a secret of another kind."""
    match kind_of(token):
        case "access":
            return authenticate_device(services, token)
        case "service":
            return authenticate_service(services, token)
        case "login":
            return authenticate_login(services, token)
    raise NotAuthenticated("the token is not known")
