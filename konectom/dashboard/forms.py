"""Whether what a browser sends comes from a page of ours.

Two checks, each enough by itself (OWASP, Cross-Site Request Forgery Prevention): the browser's own word from where the
request comes (``Origin``, ``Sec-Fetch-Site``), which no page can forge; and a token in each form, made from a secret
that lies in a cookie, which no other site can read or plant. Behind a login that secret is the login's token, so a form
is worth nothing to another login, and nothing after it has ended.
"""

from __future__ import annotations

import hmac
import re
import secrets

from flask import Response, g, request

from konectom.dashboard import cookies
from konectom.errors import FieldInvalid, FieldMissing, NotPermitted

FIELD = "form_token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_LONGEST = 1024
_REFUSED = "This form did not come from a page of this server, or is too old. Go back, load the page anew, and repeat."
# A path on this server: one slash, then what a path and a query are made of. Browsers take \ for /, and // for a host.
_LOCAL = re.compile(r"/(?![/\\])[A-Za-z0-9/._~?&=%+-]{0,500}")


def require_same_origin() -> None:
    """Raise :class:`NotPermitted` unless the browser says that a page of this server sends this."""
    if not is_same_origin():
        raise NotPermitted(_REFUSED)


def is_same_origin() -> bool:
    """Tell whether the browser says that a page of this server sends this."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    return site in (None, "same-origin") and origin in (None, *_own_origins()) and (origin or site) is not None


def _own_origins() -> tuple[str, ...]:
    public = cookies.services().settings.public_url
    # In development the server answers under any name of the machine, with the browser's word that it is the same.
    return (public,) if cookies.is_secure() else (public, request.host_url.rstrip("/"))


def form_token() -> str:
    """Return a token for a form on the page at hand; another one each time, so that compression tells nothing of it."""
    pad = secrets.token_urlsafe(16)
    return f"{pad}.{_mac(_secret(), pad)}"


def require_form_token() -> None:
    """Raise :class:`NotPermitted` unless the form that was sent carries a token of this browser and this login."""
    pad, _, mac = request.form.get(FIELD, "").partition(".")
    secret = g.get("login_token") or cookies.read(cookies.FORM)
    if not secret or not hmac.compare_digest(_mac(secret, pad).encode(), mac.encode()):
        raise NotPermitted(_REFUSED)


def _mac(secret: str, pad: str) -> str:
    return hmac.digest(secret.encode(), b"form " + pad.encode(), "sha256").hex()


def _secret() -> str:
    if "login_token" in g:
        login: str = g.login_token
        return login
    if "form_secret" not in g:
        g.form_secret = cookies.read(cookies.FORM) or secrets.token_urlsafe(32)
    secret: str = g.form_secret
    return secret


def keep_secret(response: Response) -> None:
    """Let the browser keep what the forms of a page before login were made from."""
    if "form_secret" in g and g.form_secret != cookies.read(cookies.FORM):
        cookies.give(response, cookies.FORM, g.form_secret)


def text(name: str, told: str, *, needed: bool = True, strip: bool = True) -> str:
    """Return a field of the form; ``told`` is what the page calls it."""
    value = request.form.get(name, "")
    value = value.strip() if strip else value
    if needed and not value:
        raise FieldMissing(f"{told} is missing.", at=f"/{name}")
    if len(value) > _LONGEST or "\0" in value:
        raise FieldInvalid(f"{told} is too long, or has a character that cannot stand in it.", at=f"/{name}")
    return value


def local_path(told: str | None) -> str:
    """Return where to go afterwards: a path on this server, whatever was told."""
    return told if told and _LOCAL.fullmatch(told) else "/"
