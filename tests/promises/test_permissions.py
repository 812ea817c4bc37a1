"""Every caller at every endpoint of the OpenAPI document, at every place: what the matrix says is what happens.

Each cell is one request. What the answer must be is worked out from the declared matrix by the oracle of
:mod:`tests.world`; the cells are counted. In the same round, each answer is searched for whatever tells of a patient
whom the caller may not reach.
"""

import io
import re
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import structlog
from flask import Flask

from konectom.app import create_app
from konectom.security.matrix import MATRIX, permissions_page
from tests.tus import VERSION, metadata
from tests.world import Both, Place, Who, World, build

ROOT = Path(__file__).resolve().parents[2]
METHODS = ("get", "head", "put", "post", "patch", "delete")
OF_A_PATIENT = {"session_id", "quarantine_id", "upload_id"}
"""Names in addresses that belong to a patient, beside ``patient_id`` itself."""
OF_A_STUDYS_PATIENT = {"alert_id", "schedule_id"}
OF_A_STUDY = {"form_id", "team_id", "erasure_id", "site_id"}
OF_A_STUDY_BY_ITSELF = {"campaign_id"}
"""Names in addresses that belong to a study which the address does not name."""
OF_NOBODY = {"name", "user_id", "grant_id", "token_id", "member_id"}


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    path: str
    method: str
    permission: str | None

    @property
    def names(self) -> set[str]:
        """What the address names."""
        return set(re.findall(r"{(\w+)}", self.path))

    def address(self, place: Place) -> str:
        """The path with the ids of ``place``."""
        return re.sub(r"{(\w+)}", lambda found: str(place.ids.get(found[1], "tap")), self.path)


@pytest.fixture(scope="module")
def world(tmp_path_factory: Any, installed: Any) -> Any:
    services = installed(tmp_path_factory.mktemp("world"))
    yield build(services)
    services.close()


@pytest.fixture(scope="module")
def app(world: World) -> Any:
    yield create_app(services=world.services)
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def operations(app: Flask) -> list[Operation]:
    document = app.test_client().get("/openapi.json").json
    found = [
        Operation(path, method, operation.get("x-permission"))
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]
    return [*found, *(Operation(each.path, "head", each.permission) for each in found if each.method == "get")]


def expected(who: Who | Both, operation: Operation, place: Place) -> str:
    """What must happen: ``refused``, ``absent`` or ``allowed``."""
    permission = operation.permission
    if who.has(permission) is None:
        return "refused"
    names = operation.names
    if who.has(permission) == "everything" and who.study is not None:
        return "refused"
    within = True
    if names & {"patient_id", *OF_A_PATIENT} or permission == "session.upload":
        within &= who.reaches(permission, place)
    if names & {"study_id", *OF_A_STUDY_BY_ITSELF}:
        within &= who.reaches_study(permission, place)
    if names & OF_A_STUDYS_PATIENT and "patient_id" not in names:
        within &= who.reaches(permission, place)
    if place.name == "nowhere" and (names - OF_NOBODY or permission == "session.upload"):
        within = False
    return "allowed" if within else "absent"


def asked(operation: Operation, place: Place, who: Who | Both) -> dict[str, Any]:
    """The request's query and body: where a target stands there and not in the address, it is of ``place``."""
    if "/uploads" in operation.path:
        told = metadata(session=uuid4(), patient=place.patient)
        return {"headers": {**VERSION, "Upload-Length": "9", "Upload-Metadata": told}}
    if operation.permission == "session.upload":
        return {"query_string": {"patient": str(place.patient)}, "data": b"", "content_type": "application/json"}
    if operation.path.endswith("/patients") and operation.method in ("get", "head"):
        return {"query_string": {"limit": "500"}}
    return {"json": {}} if operation.method in ("put", "post", "patch") else {}


def test_every_operation_names_a_permission_or_is_public(app, operations):
    public = {f"{each.method} {each.path}" for each in operations if each.permission is None and each.method != "head"}
    assert public == PUBLIC
    assert {each.permission for each in operations} - {None} == set(MATRIX) - set(NOT_OVER_HTTP)
    with app.app_context():
        declared = {
            rule.endpoint: getattr(app.view_functions[rule.endpoint], "permission", None)
            for rule in app.url_map.iter_rules()
        }
    assert [endpoint for endpoint, permission in declared.items() if permission is None] == []


PUBLIC = {
    "get /healthz",
    "get /readyz",
    "post /api/v1/logins",
    "post /api/v1/invitations/acceptance",
    "post /api/v1/enrolments/exchange",
    "post /api/v1/devices/renewal",
}
NOT_OVER_HTTP = ()

EMERGENCY = {
    *("patient.read", "identity.read", "session.read", "trend.read", "summary.read", "observation.read"),
    *("adherence.read", "schedule.read", "alert.read", "consent.read"),
}


def test_an_emergency_opens_what_is_read_and_nothing_that_lasts():
    assert {each.name for each in MATRIX.values() if each.emergency} == EMERGENCY
    assert all(MATRIX[name].reach["clinician"] == "care" for name in EMERGENCY)


def test_the_page_says_what_the_matrix_says():
    written = (ROOT / "docs" / "permissions.md").read_text()
    assert written == permissions_page(), "run: python -m konectom.security.matrix > docs/permissions.md"


def test_every_name_in_an_address_has_a_rule(operations):
    known = {"patient_id", "study_id", *OF_A_PATIENT, *OF_A_STUDYS_PATIENT, *OF_A_STUDY, *OF_A_STUDY_BY_ITSELF}
    known |= OF_NOBODY
    known |= {"observation_id", "device_id", "enrolment_id"}  # below a patient's address
    assert set().union(*(each.names for each in operations)) <= known


@pytest.mark.slow
def test_who_reaches_what(app, world, operations, record_property):
    """Each caller, each operation, each place."""
    client, cells, wrong = app.test_client(), Counter(), []
    outside: dict[Any, str] = {}
    for who in world.callers:
        for operation in operations:
            if operation.permission is None:
                continue
            for place in world.places.values() if needs_place(operation) else [world.places["own"]]:
                # A session that is handed over is new: its id tells nothing.
                there = place if operation.permission != "session.upload" else with_new_session(place)
                must = expected(who, operation, place)
                headers = {"Authorization": f"Bearer {who.token}"}
                sent = asked(operation, place, who)
                headers |= sent.pop("headers", {})
                with world.unchanged():
                    answer = client.open(
                        operation.address(there), method=operation.method.upper(), headers=headers, **sent
                    )  # fmt: skip
                cells[must] += 1
                if not as_expected(must, answer):
                    wrong.append((who.name, operation, place.name, must, answer.status_code, text_of(answer)[:200]))
                wrong += leaks(who, operation, place, world, answer)
                if must == "absent" and operation.method != "head":
                    told = {k: v for k, v in answer.json.items() if k not in ("instance", "request_id")}
                    visible = who.reaches_study(operation.permission, place) and place.name != "nowhere"
                    same = outside.setdefault((who.name, operation, visible), str(told))
                    if same != str(told):
                        wrong.append((who.name, operation, place.name, "tells apart", same, told))
    assert wrong[:10] == [], f"{len(wrong)} of {cells.total()} cells"
    record_property("cells", dict(cells))
    print(f"\ncells: {dict(cells)}, {cells.total()} in all")
    assert min(cells.values()) > 500


def needs_place(operation: Operation) -> bool:
    return bool(operation.names - OF_NOBODY) or operation.permission == "session.upload"


def with_new_session(place: Place) -> Place:
    return Place(place.name, place.study, place.site, place.patient, place.ids | {"session_id": uuid4()})


def as_expected(must: str, answer: Any) -> bool:
    match must:
        case "refused":
            return answer.status_code == 403
        case "absent":
            return answer.status_code == 404
    return answer.status_code not in (401, 403, 404) and answer.status_code < 500


def leaks(who: Who | Both, operation: Operation, place: Place, world: World, answer: Any) -> list[Any]:
    """Where the answer tells of a patient whom the caller may not reach under this permission."""
    text = text_of(answer).replace(operation.address(place), "")
    return [
        (who.name, operation, place.name, "tells of", other.name, mark)
        for other in world.places.values()
        if not who.reaches(operation.permission, other)
        for mark in other.marks
        if mark in text and mark not in operation.address(place)
    ]


def text_of(answer: Any) -> str:
    """All that the answer says; of an archive, all that is in it."""
    if answer.mimetype != "application/zip" or not answer.get_data():
        return answer.get_data().decode(errors="replace")
    with zipfile.ZipFile(io.BytesIO(answer.get_data())) as archive:
        return "\n".join(f"{each} {archive.read(each).decode(errors='replace')}" for each in archive.namelist())


NAMED = (
    ("patient.create", "POST", "/patients", lambda to: {"json": {"study": str(to.study), "code": uuid4().hex,
                                                                 "site": str(to.site)}}),
    ("patient.edit", "PATCH", "/patients/{patient_id}", lambda to: {"json": {"site": str(to.site)}}),
    ("schedule.edit", "POST", "/studies/{study_id}/schedules", lambda to: {"json": {
        "assessment": "tap", "patient": str(to.patient), "start": "2027-01-04"}}),
    ("schedule.read", "GET", "/studies/{study_id}/schedules", lambda to: {"query_string": {"patient": to.patient}}),
    ("alert.read", "GET", "/studies/{study_id}/alerts", lambda to: {"query_string": {"patient": to.patient}}),
    ("patient.break_glass", "POST", "/studies/{study_id}/break-glass", lambda to: {"json": {
        "code": to.code, "reason": "fell in the waiting room"}}),
    ("campaign.edit", "POST", "/campaigns", lambda to: {"json": {"study": str(to.study), "patient": str(to.patient)}}),
    ("audit.read", "GET", "/audit", lambda to: {"query_string": {"patient": to.patient}}),
    ("audit.read", "GET", "/audit/export", lambda to: {"query_string": {"patient": to.patient}}),
)  # fmt: skip
"""Operations that name a patient or a place in the query or the body: permission, method, path, what is sent."""


@pytest.mark.slow
def test_what_is_named_in_a_body_or_a_query_lies_within_too(app, world):
    """Each caller at each place that it names, from an address in the study of ``own``."""
    client, cells, wrong, own = app.test_client(), Counter(), [], world.places["own"]
    for who in world.callers:
        for permission, method, path, send in NAMED:
            operation = Operation(f"/api/v1{path}", method.lower(), permission)
            for to in world.places.values():
                must = expected(who, operation, own)
                if must == "allowed":
                    elsewhere = bool(operation.names) and to.study != own.study
                    inside = who.reaches(permission, to)
                    if MATRIX[permission].whole:
                        inside &= who.reaches_study(permission, to)
                    must = "allowed" if inside and not elsewhere and to.name != "nowhere" else "absent"
                headers = {"Authorization": f"Bearer {who.token}"}
                with world.unchanged():
                    answer = client.open(operation.address(own), method=method, headers=headers, **send(to))
                cells[must] += 1
                if not as_expected(must, answer) or (must == "allowed" and answer.status_code >= 300):
                    wrong.append((who.name, method, path, to.name, must, answer.status_code, text_of(answer)[:200]))
                wrong += leaks(who, operation, own, world, answer)
    assert wrong[:10] == [], f"{len(wrong)} of {cells.total()} cells"
    print(f"\ncells: {dict(cells)}, {cells.total()} in all")
    assert min(cells.values()) > 50


def test_who_may_not_read_observations_is_told_none_by_what_follows_from_them(app, world):
    client, own = app.test_client(), world.places["own"]
    shown = Counter()
    for who in world.callers:
        for permission, path in (("trend.read", "trends"), ("summary.read", "summary")):
            if who.reaches(permission, own):
                headers = {"Authorization": f"Bearer {who.token}"}
                told = client.get(f"/api/v1/patients/{own.patient}/{path}", headers=headers).text
                sees = who.reaches("observation.read", own)
                assert ("obs.edss.step" in told) == sees, (who.name, path)
                shown[sees] += 1
    assert min(shown[True], shown[False]) > 2


@pytest.mark.slow
def test_no_bad_token_opens_anything(app, world, operations):
    client, cells, wrong = app.test_client(), 0, []
    headers = {name: f"Bearer {token}" for name, token in world.bad_tokens.items()}
    good = world.callers[0].token
    headers |= {
        "none": None,
        "empty": "Bearer ",
        "another scheme": f"Basic {good}",
        "no scheme": good,
        "as a parameter": f'Bearer token="{good}"',
        "not ASCII": "Bearer kd_\xff\xfe",
        "long": f"Bearer kd_{'A' * 5000}",
    }
    place = world.places["own"]
    for operation in operations:
        if operation.permission is None:
            continue
        for name, sent in headers.items():
            answer = client.open(
                operation.address(place),
                method=operation.method.upper(),
                headers={} if sent is None else {"Authorization": sent},
            )
            cells += 1
            if answer.status_code != 401 or not answer.headers["WWW-Authenticate"].startswith("Bearer"):
                wrong.append((operation, name, answer.status_code))
    assert wrong[:10] == [], f"{len(wrong)} of {cells} cells"
    print(f"\ncells: {cells} with {len(headers)} bad tokens")
    assert cells > 1000


def test_a_token_in_the_query_or_a_cookie_is_none(app, world):
    client, token = app.test_client(), world.callers[0].token
    assert client.get(f"/api/v1/sessions?token={token}").status_code == 401
    assert client.get(f"/api/v1/sessions?access_token={token}").status_code == 401
    client.set_cookie("konectom", token)
    assert client.get("/api/v1/sessions").status_code == 401


def test_a_view_that_says_nothing_is_closed(tmp_path, installed):
    services = installed(tmp_path)
    app = create_app(services=services)
    app.add_url_rule("/api/v1/forgotten", "forgotten", lambda: "everything")
    answer = app.test_client().get("/api/v1/forgotten")
    assert (answer.status_code, answer.json["code"]) == (403, "not_permitted")
    services.close()
    structlog.reset_defaults()


def test_the_token_is_asked_for_before_the_body_is_read(app):
    class Unread:
        def read(self, *_):
            raise AssertionError("the body was read")

    environ = {"wsgi.input": Unread(), "CONTENT_LENGTH": "100"}
    answer = app.test_client().put(f"/api/v1/sessions/{uuid4()}", environ_overrides=environ)
    assert answer.status_code == 401
