"""Signing in and out: with a password and a second factor, at the OpenID provider, and for the first time.

What goes wrong is told in one wording whoever asks, so that nobody learns who has an account here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from flask import Response, g, request, url_for

from konectom.dashboard import cookies
from konectom.dashboard.access import counted, principal, public, signed_in
from konectom.dashboard.blueprint import Told, dashboard, provider, redirect_to, show
from konectom.dashboard.cookies import services
from konectom.dashboard.forms import local_path, text
from konectom.errors import DataError, FieldInvalid, NotAuthenticated, NotFound, SecondFactorNeeded
from konectom.workflows.access.invitations import accept_invitation
from konectom.workflows.access.logins import Opened, authenticate_login, end_login, finish_login, log_in
from konectom.workflows.access.provider_logins import log_in_by_provider

if TYPE_CHECKING:
    from konectom.dashboard.oidc import Person

STEP_LIFETIME = timedelta(minutes=5)
FLOW_LIFETIME = timedelta(minutes=10)
DONE = {
    "set": "Your password is set. Sign in with it.",
    "changed": "Your password is changed, and all your logins have ended. Sign in with the new one.",
}

_LOG = structlog.get_logger("konectom.dashboard")


@dashboard.get("/login")
@public
def login_page() -> Response:
    """The page of sign-in."""
    done = DONE.get(request.args.get("done", ""))
    told = Told(done) if done else None
    return show("login", next=local_path(request.args.get("next")), provider=provider(), told=told)


@dashboard.post("/login")
@public
def login() -> Response:
    """Sign in with a password; where a second factor is set up, its page follows."""
    after = local_path(request.form.get("next"))
    name = request.form.get("login", "")
    try:
        name = text("login", "The login")
        password = text("password", "The password", strip=False)
        opened = log_in(services(), login=name, password=password, method="page", admit=counted())
    except SecondFactorNeeded as needed:
        return _to_second_factor(needed, {"method": "page", "next": after})
    except (NotAuthenticated, DataError) as error:
        told = Told.of(error)
        return show("login", status=error.status, told=told, next=after, login=name[:200], provider=provider())
    return _enter(opened, after)


@dashboard.get("/login/second-factor")
@public
def second_factor_page() -> Response:
    """The page that asks for the second factor."""
    return show("second_factor") if cookies.read_sealed(cookies.STEP) else _begin_again()


@dashboard.post("/login/second-factor")
@public
def second_factor() -> Response:
    """Finish signing in with a code of the app, or a recovery code."""
    step = cookies.read_sealed(cookies.STEP)
    if step is None:
        return _begin_again()
    try:
        known = (step["issuer"], step["subject"]) if "subject" in step else None
        proof = {"state": step["state"], "code": text("code", "The code")}
        user = UUID(step["user"])
        opened = finish_login(services(), user, **proof, method=step["method"], subject=known, admit=counted())
    except (NotAuthenticated, DataError) as error:
        return show("second_factor", status=error.status, told=Told.of(error))
    return _enter(opened, local_path(step["next"]))


@dashboard.get("/login/oidc")
@public
def oidc_begin() -> Response:
    """Go to the OpenID provider. A link, not a form: it changes nothing here, and a form may lead nowhere else."""
    found = provider()
    if found is None:
        raise NotFound("There is no such page.")
    address, flow = found.begin()
    response = redirect_to(address)
    told = {**flow, "next": local_path(request.args.get("next"))}
    cookies.give_sealed(response, cookies.FLOW, told, FLOW_LIFETIME)
    return response


@dashboard.get("/login/oidc/callback")
@public
def oidc_callback() -> Response:
    """Come back from the OpenID provider."""
    found = provider()
    if found is None:
        raise NotFound("There is no such page.")
    flow = cookies.read_sealed(cookies.FLOW)
    try:
        person = found.finish(flow, request.args.to_dict())
    except NotAuthenticated as error:
        response = _failed(Told.of(error))
    else:
        response = _enter_as(person, local_path((flow or {}).get("next")))
    cookies.take(response, cookies.FLOW)
    return response


@dashboard.get("/invitation")
@public
def invitation_page() -> Response:
    """The page on which a new member of staff sets a password. The code is typed, so that no log holds it."""
    return show("invitation")


@dashboard.post("/invitation")
@public
def invitation() -> Response:
    """Set a password with the code of an invitation."""
    try:
        code, password = text("code", "The code"), text("password", "The password", strip=False)
        if text("again", "The password, once more,", strip=False) != password:
            raise FieldInvalid("The two passwords differ.", at="/again")
        accept_invitation(services(), code=code, password=password)
    except (NotAuthenticated, DataError) as error:
        return show("invitation", status=error.status, told=Told.of(error))
    return redirect_to(url_for("dashboard.login_page", done="set"))


@dashboard.post("/logout")
@signed_in
def sign_out() -> Response:
    """Sign out of this browser."""
    login_id = principal().login_id
    if login_id is not None:
        end_login(services(), login_id)
    response = redirect_to(url_for("dashboard.login_page"))
    cookies.take(response, cookies.LOGIN)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _enter(opened: Opened, after: str) -> Response:
    """Let the browser keep its new login in place of any other."""
    _end_present_login()
    response = redirect_to(url_for("dashboard.second_factor_setup") if opened.needs_second_factor else after)
    cookies.give(response, cookies.LOGIN, opened.token)
    cookies.take(response, cookies.STEP)
    cookies.take(response, cookies.FORM)
    g.pop("form_secret", None)
    return response


def _enter_as(person: Person, after: str) -> Response:
    """Let in whom the provider knows, if he or she has an account here."""
    known = {"issuer": person.issuer, "subject": person.subject}
    try:
        opened = log_in_by_provider(
            services(),
            **known,
            email=person.email,
            email_verified=person.email_verified,
            second_factor=person.second_factor,
        )
    except SecondFactorNeeded as needed:
        return _to_second_factor(needed, {"method": "oidc", "next": after, **known})
    except NotAuthenticated:
        _LOG.warning("oidc.unknown", **known)
        return _failed(Told("There is no account for you here. Please ask your administrator.", wrong=True))
    counted()("user", opened.user_id)  # a login whose token nobody has been told is worth nothing
    return _enter(opened, after)


def _failed(told: Told) -> Response:
    return show("login", status=401, told=told, next="/", provider=provider())


def _end_present_login() -> None:
    token = cookies.read(cookies.LOGIN)
    if token is None:
        return
    try:
        present = authenticate_login(services(), token).login_id
    except NotAuthenticated:
        return  # it has ended already
    if present is not None:
        end_login(services(), present)


def _to_second_factor(needed: SecondFactorNeeded, step: dict[str, str]) -> Response:
    response = redirect_to(url_for("dashboard.second_factor_page"))
    told = {"user": str(needed.user_id), "state": needed.state, **step}
    cookies.give_sealed(response, cookies.STEP, told, STEP_LIFETIME)
    return response


def _begin_again() -> Response:
    return _failed(Told("That took too long. Please sign in again.", wrong=True))
