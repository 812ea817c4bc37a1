"""The documentation: the OpenAPI document, pages to read it with, and the list of errors. Everything is local."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import flask
from flask import Response, current_app, render_template, send_file
from swagger_ui_bundle import swagger_ui_path

from konectom.api import openapi
from konectom.api.access import public
from konectom.api.json import encode
from konectom.errors import NotFound, every_error
from konectom.workflows.catalogue import list_assessments

docs = flask.Blueprint("docs", __name__, template_folder="pages")

ASSETS = {
    **{name: Path(str(swagger_ui_path)) / name for name in ("swagger-ui-bundle.js", "swagger-ui.css")},
    "favicon-32x32.png": Path(str(swagger_ui_path)) / "favicon-32x32.png",
    "docs.js": Path(__file__).parent / "pages" / "docs.js",
}

# Scripts only as files from here; Swagger UI draws its icons from data addresses and asks this server only.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@docs.route("/openapi.json")
@public
def openapi_json() -> Response:
    """The OpenAPI 3.1 document of this API."""
    return Response(encode(_document()), mimetype="application/json")


@docs.route("/docs/openapi.json")
@public
def openapi_30_json() -> Response:
    """The same document in OpenAPI 3.0, for the page."""
    return Response(encode(openapi.as_30(_document())), mimetype="application/json")


@docs.route("/docs")
@public
def page() -> Response:
    """The documentation as a page."""
    return _html("docs.html")


@docs.route("/docs/errors")
@public
def errors_page() -> Response:
    """Every error there is; the ``type`` of a problem leads here."""
    return _html("errors.html", errors=every_error())


@docs.route("/docs/<name>")
@public
def asset(name: str) -> Response:
    """A script, a style or an icon of the page."""
    if name not in ASSETS:
        raise NotFound("There is no such page.")
    return send_file(ASSETS[name], max_age=3600, conditional=True)


def _html(template: str, **context: object) -> Response:
    response = Response(render_template(template, **context), mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    return response


@cache
def _document() -> dict[str, object]:
    spec = current_app.extensions["flask-smorest"]["apis"][""]["ext_obj"].spec
    names = [each["name"] for each in list_assessments()]
    return openapi.complete(spec.to_dict(), names)
