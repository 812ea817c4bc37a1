"""Uploads that are computed after they are answered."""

from dataclasses import replace
from uuid import UUID

import pytest

from konectom.app import create_app
from konectom.settings import load_settings
from konectom.workflows.patients.enrolments import enrol_device
from konectom.workflows.sessions.compute import compute_session
from tests.api.client import Caller
from tests.probe import probe_recording, session_body


@pytest.fixture
def later(services, settings):
    told = {"mode": "development", "rate_limits": "off", "data_dir": settings.data_dir}
    return replace(services, settings=load_settings({}, processing="workers", **told))


@pytest.fixture
def phone(later, patient, probe):
    token = enrol_device(later, patient_id=patient).access_token
    return Caller(create_app(services=later).test_client(), token)


def test_the_answer_tells_when_to_ask_again(phone, later):
    answer = phone.put(session_body(probe_recording(), probe_recording()))
    assert (answer.status_code, answer.json["status"]) == (201, "received")
    assert answer.headers["Retry-After"] == "5"
    assert [each["status"] for each in answer.json["recordings"]] == ["received"] * 2
    address = answer.headers["Location"]
    assert address.endswith(answer.json["id"])
    told = phone.get(f"/sessions/{answer.json['id']}").json
    assert told == answer.json
    compute_session(later, UUID(told["id"]))
    told = phone.get(f"/sessions/{told['id']}").json
    assert (told["status"], [each["status"] for each in told["recordings"]]) == ("processed", ["processed"] * 2)


def test_the_same_bytes_again_are_answered_as_they_stand(phone, later):
    body = session_body(probe_recording())
    first = phone.put(body).json
    again = phone.put(body, first["id"])
    assert (again.status_code, again.json, again.headers["Retry-After"]) == (200, first, "5")
    compute_session(later, UUID(first["id"]))
    again = phone.put(body, first["id"])
    assert (again.status_code, again.json["status"], "Retry-After" in again.headers) == (200, "processed", False)


def test_what_can_be_told_at_once_is_refused_at_once(phone):
    refused = phone.put(b"{")
    assert (refused.status_code, refused.json["code"]) == (400, "not_json")


def test_sessions_are_listed_by_what_became_of_them(phone, later):
    waits, done = (phone.put(session_body(probe_recording(x=[1, n]))).json["id"] for n in (2, 3))
    compute_session(later, UUID(done))
    for status, expected in (("received", [waits]), ("processed", [done]), ("parked", []), ("failed", [])):
        assert [each["id"] for each in phone.get(f"/sessions?status={status}").json["items"]] == expected
    assert phone.get("/sessions?status=lost").status_code == 422
