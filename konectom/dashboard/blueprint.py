"""What all pages have in common: their guard, their headers, how they are shown, and how failures are told."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from flask import Blueprint, Response, current_app, g, redirect, render_template, send_file, url_for
from werkzeug.exceptions import HTTPException

from konectom.dashboard import access, forms
from konectom.errors import KonectomError

if TYPE_CHECKING:
    from konectom.dashboard.oidc import Provider

dashboard = Blueprint("dashboard", __name__, template_folder="templates")
dashboard.before_request(access.guard)

SHEET = Path(__file__).parent / "assets" / "konectom.css"

# No script at all, nothing from elsewhere, no frame. The images in data addresses are the QR codes.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
RETRY_AFTER_S = {429: 120, 503: 10}
"""How long a browser should wait before it asks again, by status."""

_LOG = structlog.get_logger("konectom.dashboard")


@dataclass(frozen=True, slots=True)
class Told:
    """What stands on top of a page: that something was done, or what was wrong and in which field."""

    text: str
    wrong: bool = False
    at: str | None = None

    @classmethod
    def of(cls, error: KonectomError) -> Told:
        """Return what a refusal says on the page of its form."""
        text = error.detail[:1].upper() + error.detail[1:].rstrip(".") + "."
        return cls(text, wrong=True, at=error.at.strip("/") if error.at else None)


def provider() -> Provider | None:
    """Return the OpenID provider, None where there is none."""
    found: Provider | None = current_app.extensions["konectom.oidc"]
    return found


def show(template: str, *, status: int = 200, told: Told | None = None, **context: Any) -> Response:
    """Return a page."""
    who = g.get("principal")
    context |= {"told": told, "who": who, "form_token": forms.form_token, "sheet": _sheet_address()}
    return Response(render_template(f"dashboard/{template}.html", **context), status, mimetype="text/html")


def redirect_to(address: str) -> Response:
    """Lead the browser on, with GET (RFC 9110, 15.4.4)."""
    return current_app.make_response(redirect(address, 303))


@dashboard.get("/assets/konectom.css")
@access.public
def sheet() -> Response:
    """The style of the pages."""
    return send_file(SHEET, mimetype="text/css", max_age=3600, conditional=True)


def _sheet_address() -> str:
    return url_for("dashboard.sheet", v=_sheet_version())


@cache
def _sheet_version() -> str:
    return hashlib.sha256(SHEET.read_bytes()).hexdigest()[:12]


@dashboard.after_request
def _finish(response: Response) -> Response:
    forms.keep_secret(response)
    headers = response.headers
    headers["Content-Security-Policy"] = POLICY
    # With no-referrer, browsers would send forms with "Origin: null", and could not be told from other sites' forms.
    headers["Referrer-Policy"] = "same-origin"
    return response


@dashboard.errorhandler(KonectomError)
def _refused(error: KonectomError) -> Response:
    """Tell a refusal as a page. What exactly failed within the server is for its log."""
    title, detail = error.title, Told.of(error).text
    if error.status >= 500:
        _LOG.error("page.failed", code=error.code, detail=error.detail, exc_info=error.__cause__ or error)
        detail = "The server cannot do this now. Try again in a while."
    return _failure(error.status, title, detail)


@dashboard.errorhandler(429)
def _too_often(_error: HTTPException) -> Response:
    return _failure(429, "Too many tries", "Too many tries came from where you are. Wait a few minutes.")


@dashboard.errorhandler(HTTPException)
def _of_http(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:
        return current_app.make_response(error.get_response())
    return _failure(error.code, error.name, "The browser sent what cannot be read here.")


@dashboard.errorhandler(Exception)
def _of_bug(error: Exception) -> Response:
    _LOG.error("page.failed", code="internal_error", exc_info=error)
    return _failure(500, "Internal error", "The server failed. The id below leads to the reason in its log.")


def _failure(status: int, title: str, detail: str) -> Response:
    response = show("error", status=status, title=title, detail=detail, request_id=g.get("request_id", ""))
    if status in RETRY_AFTER_S:
        response.headers["Retry-After"] = str(RETRY_AFTER_S[status])
    return response
