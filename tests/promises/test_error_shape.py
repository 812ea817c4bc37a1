"""Whatever goes wrong looks like this, and nothing that is sent makes the server fail."""

import copy
import hashlib
import html
import re
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import abort

from konectom.api import upload
from konectom.assessments import every_assessment
from konectom.errors import StoreUnavailable, every_error
from konectom.formats import FORMATS
from konectom.workflows.sessions.holding import HOLDABLE
from tests.probe import probe_recording, session_body

CANONICAL = {
    "type": "/docs/errors#unit_missing",
    "title": "Unit missing",
    "status": 422,
    "code": "unit_missing",
    "detail": "the unit of this acceleration is missing; say one of: m/s2, g",
    "at": "/recordings/0/streams/accelerometer/unit",
    "kept": "…",
    "instance": "/api/v1/sessions/6f1ed002-ab58-4b22-b9c6-7a5ab8cd9c11",
    "request_id": "…",
}

ERRORS_PAGE = Path(__file__).resolve().parents[2] / "docs" / "errors.md"


def without_unit():
    recording = probe_recording()
    del recording["streams"]["accelerometer"]["unit"]
    return recording


def test_the_canonical_error(probe, phone):
    sent = session_body(without_unit())
    answer = phone.put(sent, "6f1ed002-ab58-4b22-b9c6-7a5ab8cd9c11")
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    kept = {"id": answer.json["kept"]["id"], "digest": f"sha256:{hashlib.sha256(sent).hexdigest()}"}
    assert answer.json == CANONICAL | {"kept": kept, "request_id": answer.headers["X-Request-Id"]}
    assert list(answer.json) == list(CANONICAL)


KINDS = {
    "no such address": ("GET", "/nothing", {}, 404, "not_found"),
    "an id that is none": ("GET", "/sessions/1", {}, 404, "not_found"),
    "nothing there": ("GET", f"/sessions/{uuid4()}", {}, 404, "not_found"),
    "another method": ("DELETE", "/sessions", {}, 405, "method_not_allowed"),
    "a method that nobody knows": ("BREW", "/sessions", {}, 405, "method_not_allowed"),
    "not allowed": ("POST", "/studies", {"json": {"code": "A"}}, 403, "not_permitted"),
    "a query field that is wrong": ("GET", "/sessions?limit=x", {}, 422, "field_invalid"),
    "a query field that there is not": ("GET", "/sessions?colour=red", {}, 422, "field_invalid"),
    "no JSON": ("PUT", f"/sessions/{uuid4()}", {"data": b"{"}, 400, "not_json"),
    "no format": ("PUT", f"/sessions/{uuid4()}", {"data": b"{}"}, 415, "format_unknown"),
    "another encoding": (
        "PUT",
        f"/sessions/{uuid4()}",
        {"data": b"{}", "headers": {"Content-Encoding": "br"}},
        415,
        "encoding_unsupported",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_failure_has_this_shape(phone, kind):
    """The shape itself is asserted of each answer that a test client gets: see tests/api/client.py."""
    method, path, sent, status, code = KINDS[kind]
    answer = phone(method, path, **sent)
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_no_token_is_told_how_to_bring_one(anybody):
    answer = anybody.get("/sessions")
    assert (answer.status_code, answer.json["code"]) == (401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_another_method_is_told_which_there_are(phone):
    assert phone("DELETE", "/patients").headers["Allow"] == "GET, HEAD, OPTIONS, POST"


@pytest.mark.parametrize("status", [400, 406, 410, 414, 416, 417, 422, 428, 429, 431, 451])
def test_what_the_framework_refuses_is_told_as_ours(phone, monkeypatch, status):
    monkeypatch.setattr("konectom.api.sessions.list_sessions", lambda *_, **__: abort(status))
    answer = phone.get("/sessions")
    assert (answer.status_code, answer.json["code"]) == (400, "request_invalid")


@pytest.mark.parametrize("status", [500, 501, 502, 504])
def test_what_the_framework_cannot_do_is_told_as_ours(phone, monkeypatch, status):
    monkeypatch.setattr("konectom.api.sessions.list_sessions", lambda *_, **__: abort(status))
    answer = phone.get("/sessions")
    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")


def test_a_fault_of_ours_tells_its_id_and_no_more(phone, monkeypatch, capsys):
    def fail(*_, **__):
        raise RuntimeError("password=hunter2 at /var/lib/somewhere")

    monkeypatch.setattr("konectom.api.sessions.list_sessions", fail)
    answer = phone.get("/sessions")
    assert answer.json == {
        "type": "/docs/errors#internal_error",
        "title": "Internal error",
        "status": 500,
        "code": "internal_error",
        "detail": "The server failed; the request id leads to the reason in its log.",
        "instance": "/api/v1/sessions",
        "request_id": answer.headers["X-Request-Id"],
    }


def test_a_storage_that_is_away_asks_to_come_again(phone, monkeypatch):
    def fail(*_, **__):
        raise StoreUnavailable("the database cannot be used at present")

    monkeypatch.setattr("konectom.api.sessions.list_sessions", fail)
    answer = phone.get("/sessions")
    assert (answer.status_code, answer.json["code"]) == (503, "store_unavailable")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "told", ["short", "with space in it", "x" * 65, "<script>alert(1)</script>", "\N{SNOWMAN}" * 8]
)
def test_a_callers_request_id_that_is_none_is_not_repeated(anybody, told):
    answer = anybody.get("/nothing", headers={"X-Request-Id": told.encode().decode("latin-1")})
    assert re.fullmatch("[0-9a-f]{32}", answer.json["request_id"])
    assert "X-Client-Request-Id" not in answer.headers


def test_every_error_is_on_the_page():
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (.+?) \|", ERRORS_PAGE.read_text(), re.MULTILINE)
    told = {code: (status, title) for code, status, title in rows}
    known = {error.code: (str(error.status), error.title) for error in every_error()}
    assert {code: told.get(code) for code in known} == known
    beside = {"extraction_failed", "process_ended", "out_of_time", "processing_failed"}  # a recording, never alone
    assert set(told) - set(known) == beside


def test_the_page_tells_what_is_held():
    """Of which errors the bytes of an upload are held follows from the tree of errors."""
    rows = re.findall(r"^\| `(\w+)` \|.*\| (yes)? ?\|$", ERRORS_PAGE.read_text(), re.MULTILINE)
    unread = {"body_too_large", "batch_too_long", "batch_invalid"}
    held = {error.code for error in every_error() if issubclass(error, HOLDABLE)} - unread
    assert {code for code, told in rows if told} == held
    beside = {"extraction_failed", "process_ended", "out_of_time", "processing_failed"}  # stand in receipts only
    assert {code for code, _ in rows} == {error.code for error in every_error()} | beside
    assert len(rows) == len(every_error()) + len(beside)


def test_where_each_type_leads_there_is_a_description(anybody):
    """The page is served, and has a place for each error, named as the ``type`` of a problem names it."""
    page = anybody.get("/docs/errors")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert re.findall(r'<tr id="(\w+)">', page.text) == [error.code for error in every_error()]
    told = set(map(html.unescape, re.findall(r"<td>([^<]*)</td>", page.text)))
    assert {error.title for error in every_error()} <= told


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
RECORDING_FIELDS = (
    *("assessment", "condition", "offset_s", "duration_s", "completion", "interruption"),
    *("streams", "events", "answers", "parts"),
)
PLACES = [
    (),
    *[(name,) for name in ("schema", "started_at", "time_zone", "setting", "supervised", "device", "recordings")],
    *[("device", name) for name in ("platform", "screen")],
    ("recordings", 0),
    *[("recordings", 0, name) for name in RECORDING_FIELDS],
    *[("recordings", 0, "streams", name) for name in ("accelerometer", "gyroscope", "touch", "other/~name")],
    *[("recordings", 0, "streams", "accelerometer", name) for name in ("unit", "t", "rate_hz", "t0", "x", "y", "z")],
    ("recordings", 0, "streams", "accelerometer", "t", 0),
    ("recordings", 0, "streams", "accelerometer", "x", 0),
    ("recordings", 0, "events", 0),
    *[("recordings", 0, "events", 0, name) for name in ("type", "t", "zone", "shown_at", "answered")],
    ("recordings", 0, "parts", 0),
    ("recordings", 0, "parts", 0, "condition"),
]


def with_value_at(assessment, place, value):
    """A session that is right but for one place."""
    body = copy.deepcopy(upload.EXAMPLE)
    body["recordings"][0]["assessment"] = assessment
    body["recordings"][0]["events"] = [{"type": "tap", "t": 0.5, "zone": "left"}]
    if not place:
        return value
    holder = body
    for step, following in pairwise(place):
        if isinstance(step, str) and step not in holder:
            holder[step] = [{}] if following == 0 else {}
        holder = holder[step]
    holder[place[-1]] = value
    return body


MEDIA_TYPES = [media_type for known in FORMATS for media_type in known.media_types]

FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@FUZZ
@given(
    body=st.binary(max_size=300) | JSON.map(orjson.dumps),
    encoding=st.sampled_from([None, "gzip", "zstd", "identity", "br", "gzip, gzip"]),
    media_type=st.sampled_from(["", "application/json", "text/plain", *MEDIA_TYPES]),
)
def test_no_bytes_make_the_server_fail(phone, body, encoding, media_type):
    headers = {"Content-Type": media_type} | ({"Content-Encoding": encoding} if encoding else {})
    answer = phone.put(body, headers=headers)
    assert answer.status_code in (400, 413, 415, 422), answer.text


@FUZZ
@given(assessment=st.sampled_from(list(every_assessment())), place=st.sampled_from(PLACES), value=JSON)
def test_no_value_anywhere_makes_the_server_fail(phone, assessment, place, value):
    answer = phone.put(orjson.dumps(with_value_at(assessment, place, value)))
    assert answer.status_code in (201, 400, 413, 415, 422), answer.text
    if answer.status_code == 201:
        assert {each["status"] for each in answer.json["recordings"]} <= {"processed", "rejected"}, answer.text


@FUZZ
@given(
    path=st.sampled_from(["/sessions", "/patients/{own}/sessions", "/patients/{own}/trends", "/measures"]),
    name=st.sampled_from(["since", "cursor", "limit", "measure", "start", "end", "assessment", "score"]),
    value=st.text(max_size=60) | st.integers().map(str) | st.datetimes().map(str),
)
def test_no_query_makes_the_server_fail(phone, path, name, value):
    answer = phone.get(path.format(own=phone.patient), query_string={name: value.encode("utf-8", "replace")})
    assert answer.status_code in (200, 422), answer.text
