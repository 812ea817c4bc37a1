"""One's own account: password, second factor, and where one is signed in."""

from __future__ import annotations

from typing import TypedDict
from uuid import UUID

import segno
from flask import Response, request, url_for

from konectom.dashboard import cookies
from konectom.dashboard.access import permits, principal
from konectom.dashboard.blueprint import Told, dashboard, redirect_to, show
from konectom.dashboard.cookies import services
from konectom.dashboard.forms import text
from konectom.errors import AlreadyExists, DataError, FieldInvalid, NotFound
from konectom.security.principal import Scope
from konectom.workflows.access.logins import end_login, list_logins
from konectom.workflows.access.second_factor import (
    change_password,
    confirm_second_factor,
    remove_second_factor,
    renew_recovery_codes,
    start_second_factor,
)
from konectom.workflows.access.users import get_account
from konectom.workflows.patients.people import list_studies

DONE = {
    "ended": "That login has ended.",
    "removed": "The second factor is removed.",
}
QR_MARGIN = 4
"""Blank modules around a code (ISO/IEC 18004, 6.3.8)."""


class _Proof(TypedDict):
    password: str | None
    code: str


@dashboard.get("/account")
@permits("account.own")
def account_page() -> Response:
    """One's own account."""
    return _account()


@dashboard.post("/account/password")
@permits("account.own")
def new_password() -> Response:
    """Change one's password; all logins end, this one too."""
    try:
        present = text("password", "The present password", strip=False)
        new = text("new", "The new password", strip=False)
        if text("again", "The new password, once more,", strip=False) != new:
            raise FieldInvalid("The two passwords differ.", at="/again")
        change_password(services(), principal().id, password=present, new=new)
    except DataError as error:
        return _account(Told.of(error), status=error.status)
    response = redirect_to(url_for("dashboard.login_page", done="changed"))
    cookies.take(response, cookies.LOGIN)
    return response


@dashboard.post("/account/logins/<uuid:login_id>/end")
@permits("account.own")
def end_one(login_id: UUID) -> Response:
    """End one of one's logins, in another browser or program."""
    own = {each["id"] for each in _logins()}
    if str(login_id) not in own:
        raise NotFound("There is no such login.")
    end_login(services(), login_id)
    return redirect_to(url_for("dashboard.account_page", done="ended"))


@dashboard.get("/account/second-factor")
@permits("account.own")
def second_factor_setup() -> Response:
    """The page on which a second factor is set up or removed."""
    return _second_factor()


@dashboard.post("/account/second-factor")
@permits("account.own")
def start() -> Response:
    """Begin to set up a second factor: show its secret, for an app to keep."""
    try:
        started = start_second_factor(services(), principal().id, password=_password())
    except (DataError, AlreadyExists) as error:
        return _second_factor(Told.of(error), status=error.status)
    picture = segno.make(started.uri, micro=False).svg_data_uri(scale=4, border=QR_MARGIN, dark="#000", light="#fff")
    return show("second_factor_start", picture=picture, secret=_grouped(started.secret))


@dashboard.post("/account/second-factor/confirm")
@permits("account.own")
def confirm() -> Response:
    """Let the second factor count, since the app makes the right codes."""
    try:
        code = text("code", "The code")
        codes = confirm_second_factor(services(), principal().id, code=code, login_id=principal().login_id)
    except NotFound as error:
        return _second_factor(Told.of(error), status=error.status)
    except DataError as error:
        return show("second_factor_start", status=error.status, told=Told.of(error))
    return show("recovery_codes", codes=codes, told=Told("The second factor is set up. Other logins have ended."))


@dashboard.post("/account/second-factor/remove")
@permits("account.own")
def remove() -> Response:
    """Remove the second factor."""
    try:
        remove_second_factor(services(), principal().id, **_proof())
    except (DataError, NotFound) as error:
        return _second_factor(Told.of(error), status=error.status)
    return redirect_to(url_for("dashboard.account_page", done="removed"))


@dashboard.post("/account/recovery-codes")
@permits("account.own")
def new_recovery_codes() -> Response:
    """Make new recovery codes."""
    try:
        codes = renew_recovery_codes(services(), principal().id, **_proof())
    except (DataError, NotFound) as error:
        return _second_factor(Told.of(error), status=error.status)
    return show("recovery_codes", codes=codes, told=Told("The earlier recovery codes are worth nothing now."))


def _password() -> str | None:
    """Return the password; None where the form has no field for it, since there is none here."""
    return text("password", "The password", strip=False) if "password" in request.form else None


def _proof() -> _Proof:
    return {"password": _password(), "code": text("code", "The code")}


def _account(told: Told | None = None, *, status: int = 200) -> Response:
    done = DONE.get(request.args.get("done", "")) if request.method == "GET" else None
    return show(
        "account",
        status=status,
        told=told or (Told(done) if done else None),
        user=get_account(services(), principal()),
        studies=_studies(),
        logins=_logins(),
        present=str(principal().login_id),
    )


def _studies() -> dict[str, str]:
    """Return the codes of the studies in which one has roles, by id."""
    places = frozenset((grant.study_id, None) for grant in principal().grants if grant.study_id is not None)
    found = list_studies(services(), scope=Scope(places=places), limit=services().settings.page_size_max)
    return {each["id"]: each["code"] for each in found["items"]}


def _logins() -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    cursor = None
    while True:
        page = list_logins(services(), principal().id, cursor=cursor, limit=services().settings.page_size_max)
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            return found[::-1]


def _second_factor(told: Told | None = None, *, status: int = 200) -> Response:
    return show("second_factor_setup", status=status, told=told, user=get_account(services(), principal()))


def _grouped(secret: str) -> str:
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
