"""Before a page is shown or a form is taken: who is there, and whether the permission that the view names is his.

Pages know a person by the login in the browser's cookie and by nothing else: a bearer token is worth nothing here, and
the cookie nothing to the REST interface. A view that declares nothing is closed to all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from flask import Flask, Response, current_app, g, redirect, request, url_for

from konectom.dashboard import cookies, forms
from konectom.errors import NotAuthenticated, NotPermitted
from konectom.security.acting import Acting, ActorKind, act_as
from konectom.security.matrix import MATRIX
from konectom.security.principal import Principal, Scope
from konectom.workflows.access.logins import authenticate_login
from konectom.workflows.services import Admit

View = TypeVar("View", bound=Callable[..., Any])
PUBLIC = "public"
SIGNED_IN = "signed in"


def public(view: View) -> View:
    """Declare that anybody may see the page."""
    return _declare(view, PUBLIC)


def signed_in(view: View) -> View:
    """Declare that whoever has signed in may see the page, also without any role."""
    return _declare(view, SIGNED_IN)


def permits(permission: str) -> Callable[[View], View]:
    """Declare that only those may see the page who have this permission."""
    declared = MATRIX[permission].name
    return lambda view: _declare(view, declared)


def _declare(view: View, permission: str) -> View:
    view.permission = permission  # type: ignore[attr-defined]
    return view


def counted() -> Admit:
    """Return what counts against somebody's rate that he or she has come in."""
    count: Admit = current_app.extensions["konectom.count"]
    return count


def principal() -> Principal:
    """Return who is there."""
    caller: Principal = g.principal
    return caller


def init_app(app: Flask) -> None:
    """Find out who is there; must precede what counts the requests of each, and what reads forms."""
    app.before_request(_recognise)


def _recognise() -> None:
    if request.blueprint != "dashboard":
        return
    # What another site sends is nobody's: it must not even keep a login from ending.
    if _declared() not in (None, PUBLIC) and (request.method in forms.SAFE or forms.is_same_origin()):
        _enter()


def _declared() -> str | None:
    permission: str | None = getattr(current_app.view_functions[str(request.endpoint)], "permission", None)
    return permission


def guard() -> Response | None:
    """Stop a request before its view unless whoever sends it may; without a login, lead to the page of sign-in."""
    declared = _declared()
    if declared is None:
        raise NotPermitted("nobody may see this")
    unsafe = request.method not in forms.SAFE
    if unsafe:
        forms.require_same_origin()
    if declared == PUBLIC:
        act_as(_acting("anybody", str(request.endpoint)))
    elif "principal" not in g:
        return _to_sign_in()
    if unsafe:
        forms.require_form_token()
    if declared not in (PUBLIC, SIGNED_IN):
        g.scope = _reached(declared)
    return None


def _enter() -> None:
    """Find out who is there, if anybody is whose login holds."""
    token = cookies.read(cookies.LOGIN)
    if not token:
        return
    try:
        g.principal = authenticate_login(cookies.services(), token)
    except NotAuthenticated:
        return
    g.login_token = token
    act_as(_acting("user", str(request.endpoint)))
    structlog.contextvars.bind_contextvars(user=str(g.principal.id))


def _reached(permission: str) -> Scope:
    act_as(_acting("user", permission))
    g.permission = MATRIX[permission]  # by which the audit knows what an answer shows
    reached = principal().reach(permission)
    if reached is None:
        raise NotPermitted("You have no role that allows this. Ask your administrator.")
    return reached


def _acting(kind: ActorKind, action: str) -> Acting:
    known = principal() if kind == "user" else None
    return Acting(
        kind=kind,
        id=known.id if known else None,
        name=known.name if known else "",
        action=action,
        request_id=g.get("request_id", ""),
        address=request.remote_addr or "",
    )


def _to_sign_in() -> Response:
    back = request.full_path.rstrip("?") if request.method in forms.SAFE else "/"
    after = None if back == "/" else forms.local_path(back)  # None is left out of the address
    response = current_app.make_response(redirect(url_for("dashboard.login_page", next=after), 303))
    cookies.take(response, cookies.LOGIN)
    return response
