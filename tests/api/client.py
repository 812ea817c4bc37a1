"""The API as its callers see it: an application, callers with their tokens, and a check of every answer.

Each answer that a test gets is compared with what the view documents: the status is declared, the body loads through
its schema with nothing missing and nothing unknown, failures are problems, and the headers that all carry are there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import marshmallow
import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from konectom import logs
from konectom.api.noting import Refusals
from konectom.api.schemas.problem import Problem
from konectom.app import create_app
from konectom.errors import error_class
from konectom.settings import SETTINGS
from konectom.workflows.access.service_tokens import ALL, issue_service_token
from konectom.workflows.patients.enrolments import enrol_device
from konectom.workflows.services import Services
from tests.backends import WHERE

ALWAYS = ("X-Request-Id", "X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy", "Cache-Control")


class CheckedClient(FlaskClient):
    """A test client that holds every answer against its documentation."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        response = super().open(*args, **{"buffered": True} | kwargs)
        check(self.application, response)
        return response


def check(app: Flask, response: TestResponse) -> None:
    """Fail unless the answer is one that the view documents."""
    assert [name for name in ALWAYS if name not in response.headers] == []
    if response.request.method == "HEAD" or not response.data:
        return
    if response.status_code >= 400:
        if response.mimetype == "text/html":  # pages tell failures as pages: tests/dashboard
            assert not response.request.path.startswith("/api")
            return
        check_problem(response)
        return
    if response.mimetype != "application/json":
        return
    described = documented(app, response.request.path, response.request.method)
    if described is None:
        return
    assert response.status_code in described, f"{response.status_code} is not documented"
    schemas = [each["schema"] for each in described[response.status_code] if each["content_type"] is None]
    for schema in schemas:
        schema.load(response.json)


def check_problem(response: TestResponse) -> None:
    """Fail unless the answer is the one shape of a failure."""
    assert response.mimetype == "application/problem+json"
    told = Problem().load(response.json)
    error = error_class(told["code"])
    assert told["title"] == error.title
    assert told["type"] == f"/docs/errors#{error.code}"
    assert told["status"] == response.status_code
    assert told["instance"] == response.request.path
    assert told["request_id"] == response.headers["X-Request-Id"]
    assert "Traceback" not in response.text


def documented(app: Flask, path: str, method: str) -> dict[int, list[dict[str, Any]]] | None:
    """Return the answers that a view documents, by status; None for views that are no part of the document."""
    try:
        endpoint, _ = app.url_map.bind("localhost").match(path, method)
    except HTTPException:
        return None
    blueprint, _, name = endpoint.partition(".")
    documents = getattr(app.blueprints[blueprint], "_docs", None)
    if documents is None:
        return None
    responses: dict[int, list[dict[str, Any]]] = documents[name][method.lower()]["response"]["responses"]
    return responses


@dataclass(frozen=True)
class Caller:
    """Somebody with a token: calls the API with it."""

    client: FlaskClient
    token: str | None = None
    patient: UUID | None = None
    study: UUID | None = None
    device: UUID | None = None
    credential: UUID | None = None

    def __call__(self, method: str, path: str, **kwargs: Any) -> TestResponse:
        headers = dict(kwargs.pop("headers", {}))
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        full = (
            path
            if path.startswith(("/api", "/docs", "/openapi", "/healthz", "/readyz", "/metrics"))
            else f"/api/v1{path}"
        )
        return self.client.open(full, method=method, headers=headers, **kwargs)

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self("GET", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> TestResponse:
        return self("POST", path, **kwargs)

    def put(self, body: bytes, session_id: UUID | str | None = None, **kwargs: Any) -> TestResponse:
        """Hand over a session, by default a new one."""
        headers = {"Content-Type": "application/json"} | dict(kwargs.pop("headers", {}))
        return self("PUT", f"/sessions/{session_id or uuid4()}", data=body, headers=headers, **kwargs)


@dataclass(frozen=True)
class Callers:
    """Makes callers."""

    client: FlaskClient
    services: Services
    people: Any

    def anybody(self) -> Caller:
        return Caller(self.client)

    def phone(self, patient: UUID | None = None) -> Caller:
        """A phone, by default of a patient of its own in a study of its own."""
        patient = patient or self.people.patient()
        enrolled = enrol_device(self.services, patient_id=patient)
        return Caller(self.client, enrolled.access_token, patient=patient, device=enrolled.device_id)

    def staff(self, study: UUID | None = None) -> Caller:
        """A program of the staff's, of one study or of all, that may do all that a program can."""
        issued = issue_service_token(self.services, name="Ada", permissions=[ALL], study_id=study)
        return Caller(self.client, issued.token, study=study, credential=issued.token_id)


_APPS: dict[frozenset[tuple[str, str]], Flask] = {}


def app_for(services: Services) -> Flask:
    """An application that works with these services: made once for equal settings, since that takes its time."""
    settings = services.settings
    kind = frozenset((each.name, repr(getattr(settings, each.name))) for each in SETTINGS if each.name not in WHERE)
    if kind not in _APPS:
        _APPS[kind] = create_app(services=services)
    app = _APPS[kind]
    logs.configure(settings.log_format)
    app.extensions["konectom"] = services
    app.extensions["konectom_refusals"] = Refusals()
    return app


@pytest.fixture
def app(services: Services) -> Iterator[Flask]:
    app = app_for(services)
    app.test_client_class = CheckedClient
    yield app
    structlog.reset_defaults()


@pytest.fixture
def callers(app: Flask, services: Services, people: Any) -> Callers:
    return Callers(app.test_client(), services, people)


@pytest.fixture
def anybody(callers: Callers) -> Caller:
    return callers.anybody()


@pytest.fixture
def phone(callers: Callers) -> Caller:
    return callers.phone()


@pytest.fixture
def staff(callers: Callers) -> Caller:
    return callers.staff()


def first_error(problem: TestResponse) -> tuple[int, str, str | None]:
    """Return status, code and pointer of a problem."""
    return problem.status_code, problem.json["code"], problem.json.get("at")


assert marshmallow.Schema().unknown == marshmallow.RAISE, "answers must not hold what their schema does not know"
