"""What every answer carries, how JSON is written, and what the log tells."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import UUID

import numpy as np
import orjson
import pytest
from structlog.testing import capture_logs

from konectom.api.headers import POLICY
from konectom.api.json import encode
from tests.api.client import first_error
from tests.probe import session_body


def test_every_answer_keeps_browsers_from_harm(phone):
    headers = phone.get("/sessions").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("query", ["limit=1&limit=2", "limit=1&limit=1"])
def test_a_query_field_that_is_told_twice_is_refused(phone, query):
    assert first_error(phone.get(f"/sessions?{query}"))[:3] == (422, "field_invalid", "/query/limit")


def test_only_assets_may_be_kept(anybody):
    assert "no-store" in anybody.get("/docs").headers["Cache-Control"]
    assert "max-age=3600" in anybody.get("/docs/swagger-ui.css").headers["Cache-Control"]


OWN_ID = {"X-Request-Id": "phone-7.retry_2"}


def test_a_callers_request_id_comes_back_beside_ours(anybody):
    headers = anybody.get("/healthz", headers=OWN_ID).headers
    assert headers["X-Client-Request-Id"] == "phone-7.retry_2"
    assert re.fullmatch("[0-9a-f]{32}", headers["X-Request-Id"])
    assert "X-Client-Request-Id" not in anybody.get("/healthz").headers


def test_a_callers_request_id_stands_in_the_log_beside_ours(phone, capsys):
    from konectom import logs

    logs.configure("json")
    told = phone.get("/sessions", headers=OWN_ID).headers
    line = orjson.loads(capsys.readouterr().err.splitlines()[-1])
    assert (line["request_id"], line["client_request_id"]) == (told["X-Request-Id"], "phone-7.retry_2")
    phone.get("/sessions")
    assert "client_request_id" not in orjson.loads(capsys.readouterr().err.splitlines()[-1])


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("sent", "trace"),
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", TRACE),
        (f"01-{TRACE}-00f067aa0ba902b7-01-more", TRACE),
        (f"ff-{TRACE}-00f067aa0ba902b7-01", None),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", None),
        ("Anna Svensson", None),
    ],
)
def test_the_trace_to_which_a_request_belongs_stands_in_its_line(phone, capsys, sent, trace):
    """As W3C's Trace Context writes it, level 1, section 3.2."""
    from konectom import logs

    logs.configure("json")
    phone.get("/sessions", headers={"traceparent": sent})
    assert orjson.loads(capsys.readouterr().err.splitlines()[-1]).get("trace_id") == trace


@pytest.mark.parametrize("headers", [{}, OWN_ID])
def test_each_request_has_an_id_of_its_own(anybody, headers):
    ids = {anybody.get("/healthz", headers=headers).headers["X-Request-Id"] for _ in range(5)}
    assert len(ids) == 5


@dataclass(frozen=True)
class Pair:
    left: float
    right: UUID


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, "null"),
        ([math.inf, -math.inf], "[null,null]"),
        (np.float64("nan"), "null"),
        (np.array([1.5, np.nan]), "[1.5,null]"),
        (np.int64(3), "3"),
        (MappingProxyType({"a": (1, 2)}), '{"a":[1,2]}'),
        (Pair(0.5, UUID(int=1)), '{"left":0.5,"right":"00000000-0000-0000-0000-000000000001"}'),
        (datetime(2026, 11, 21, 9, tzinfo=UTC), '"2026-11-21T09:00:00Z"'),
        ("…", '"…"'),
    ],
)
def test_json_has_one_form(value, text):
    assert encode(value).decode() == text


def test_what_has_no_json_form_is_a_fault():
    with pytest.raises(TypeError):
        encode(object())


@pytest.fixture
def lines(app):
    with capture_logs() as captured:
        yield captured


def test_a_request_is_one_line_without_what_was_asked(phone, lines):
    phone.get(f"/patients/{phone.patient}/trends?measure=secret")
    (line,) = lines
    assert line["event"] == "request.answered"
    assert (line["method"], line["status"]) == ("GET", 422)
    assert line["rule"] == "/api/v1/patients/<uuid:patient_id>/trends"
    assert str(phone.patient) not in str(line)
    assert "secret" not in str(line)


def test_a_line_tells_sizes_and_what_kind_of_caller(phone, staff, anybody, lines, probe):
    body = session_body()
    receipt = phone.put(body)
    staff.get("/sessions")
    anybody.get("/sessions")
    told = [each for each in lines if each["event"] == "request.answered"]
    assert [each["caller"] for each in told] == ["device", "service", "anybody"]
    assert [each["received_bytes"] for each in told] == [len(body), 0, 0]
    assert told[0]["sent_bytes"] == len(receipt.data)


def test_neither_tokens_nor_bodies_are_logged(probe, phone, lines, monkeypatch):
    phone.put(session_body(setting="marker-in-the-body"))
    monkeypatch.setattr("konectom.api.sessions.ingest_session", lambda *_, **__: 1 / 0)
    assert first_error(phone.put(session_body(setting="marker-in-the-body")))[0] == 500
    told = str(lines)
    assert "request.failed" in told
    assert phone.token not in told
    assert "marker-in-the-body" not in told


def test_the_traceback_in_the_log_shows_no_variables(phone, monkeypatch, capsys, services):
    from konectom import logs

    monkeypatch.setattr("konectom.api.sessions.ingest_session", lambda *_, **__: 1 / 0)
    for form in ("console", "json"):
        logs.configure(form)
        phone.put(session_body(setting="marker-in-the-body"))
        told = capsys.readouterr().err
        assert "ZeroDivisionError" in told
        assert phone.token not in told
        assert "marker-in-the-body" not in told
        assert form == "console" or orjson.loads(told.splitlines()[0])["event"] == "request.failed"


def test_health_checks_do_not_fill_the_log(anybody, lines):
    anybody.get("/healthz")
    assert lines == []
