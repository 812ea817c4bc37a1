"""What a browser keeps for us: its login, what binds forms to it, and a step of signing in that is under way.

On https the names begin with ``__Host-``, so that no other host and no unencrypted answer can plant one (RFC 6265bis,
section 4.1.3.2); on http, which is for development, browsers refuse such names. Scripts see none of them, and with
``SameSite=Lax`` none travels with what another site sends. Strict would lose the login on the way back from an OpenID
provider, which is another site; that nothing is done on another site's word is seen to by :mod:`.forms`.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Any

import orjson
from flask import Response, current_app, request

from konectom.errors import KeysMissing, SealBroken
from konectom.workflows.services import Services

LOGIN = "konectom"
FORM = "konectom-form"
STEP = "konectom-step"
"""Half of a sign-in: the first factor was right, as the account stood then, and the second is awaited."""
FLOW = "konectom-oidc"
"""A sign-in at the OpenID provider that is under way."""

_PURPOSE = b"pages"
_LONGEST = 4096


def services() -> Services:
    """Return what the workflows work with."""
    opened: Services = current_app.extensions["konectom"]
    return opened


def is_secure() -> bool:
    """Tell whether browsers reach this server through https."""
    return services().settings.public_url.startswith("https://")


def name_of(cookie: str) -> str:
    """Return the name under which a cookie travels."""
    return f"__Host-{cookie}" if is_secure() else cookie


def read(cookie: str) -> str | None:
    """Return what the browser sent under this name."""
    return request.cookies.get(name_of(cookie))


def give(response: Response, cookie: str, value: str, lifetime: timedelta | None = None) -> None:
    """Let the browser keep ``value``: for a time, or until it is closed."""
    response.set_cookie(
        name_of(cookie), value, max_age=lifetime, path="/", secure=is_secure(), httponly=True, samesite="Lax"
    )


def take(response: Response, cookie: str) -> None:
    """Let the browser forget a cookie."""
    response.delete_cookie(name_of(cookie), path="/", secure=is_secure(), httponly=True, samesite="Lax")


def give_sealed(response: Response, cookie: str, told: dict[str, Any], lifetime: timedelta) -> None:
    """Let the browser carry ``told`` to its next request, so that no worker has to remember it.

    It travels sealed under a key of the installation, with until when it holds: nobody reads or changes it underway.
    """
    body = orjson.dumps({**told, "until": (services().clock() + lifetime).isoformat()})
    sealed = services().keys.seal_small(_PURPOSE, body, bound_to=cookie.encode())
    give(response, cookie, urlsafe_b64encode(sealed).decode(), lifetime)


def read_sealed(cookie: str) -> dict[str, Any] | None:
    """Return what the browser carries, None where it is nothing of ours, was changed, or holds no longer."""
    try:
        sealed = urlsafe_b64decode((read(cookie) or "")[:_LONGEST].encode())
        body = services().keys.unseal_small(_PURPOSE, sealed, bound_to=cookie.encode())
    except (ValueError, KeysMissing, SealBroken):  # no base64; a key that there is not; sealed by somebody else
        return None
    told: dict[str, Any] = orjson.loads(body)
    return told if datetime.fromisoformat(told["until"]) > services().clock() else None
