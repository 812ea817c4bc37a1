"""No line of the log holds what anybody sent, who anybody is, or what opens a door, whatever happens to a session.

The application runs as in production would, with the log at its most talkative, and the libraries below it as well.
"""

import io
import logging
from uuid import UUID, uuid4

import orjson
import pytest
import structlog

from konectom import logs
from konectom.security.secrets import new_secret
from tests.api.client import Caller, anybody, app, callers, phone, staff
from tests.people import PASSWORD
from tests.probe import probe_recording, session_body
from tests.world import user

__all__ = ["anybody", "app", "callers", "phone", "staff"]

WORD = "Schimmelpfennig"
"""What is sent wherever text can stand, and must be found nowhere."""

NUMBER = 17.123456789
NAMES = {"given_name": "Wilhelmine", "family_name": WORD, "birth_date": "1931-02-03"}
CODE = "PAT-SECRET-7"


@pytest.fixture(params=["json", "console"])
def written(request, app):
    """All that is logged, by us and by the libraries."""
    out = io.StringIO()
    logs.configure(request.param, stream=out, level=logging.DEBUG)
    handler, root = logging.StreamHandler(out), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield out
    root.removeHandler(handler)
    root.setLevel(before)
    structlog.reset_defaults()


def bodies():
    """Uploads of every kind: good, wrong in each of many ways, and not to be computed."""
    good = session_body(probe_recording(x=[NUMBER, 2, 3, 4]), setting=WORD)
    yield "good", good
    yield "again", good
    yield "no json", f'{{"{WORD}": '.encode()
    yield "no session", orjson.dumps({"schema": WORD})
    yield "wrong field", session_body(started_at=WORD)
    yield "wrong zone", session_body(time_zone=WORD)
    yield "wrong unit", session_body(probe_recording() | {"streams": {"accelerometer": {"unit": WORD, "x": [NUMBER]}}})
    yield "unknown test", session_body(probe_recording() | {"assessment": WORD})
    yield "unknown stream", session_body(probe_recording() | {"streams": {WORD: {"unit": "m/s2", "x": [NUMBER]}}})
    yield "wrong hand", session_body(probe_recording(hand=WORD))
    yield "partly", session_body(probe_recording(), probe_recording(hand=WORD))
    yield "fault", session_body(probe_recording(x=[1e7, NUMBER]))
    yield "compressed badly", b"\x1f\x8b" + WORD.encode()


def test_a_whole_life_leaves_no_word_in_the_log(
    written, probe, services, callers, anybody, staff, people, staff_members, monkeypatch
):
    secrets = {WORD, str(NUMBER), CODE, *NAMES.values(), PASSWORD}
    study = people.study()
    made = staff.post("/patients", json={"study": str(study), "code": CODE, "birth_year": 1931})
    patient = UUID(made.json["id"])
    secrets |= {str(patient), patient.hex}

    secrets |= logins(anybody, staff_members, callers)
    phone, opened = enrolment(anybody, staff, callers, patient)
    secrets |= opened
    sessions = uploads(phone, secrets)
    faults(phone, monkeypatch, secrets)
    reading(staff, services, callers, study, patient, sessions)

    told = written.getvalue()
    assert "session.stored" in told
    assert "recording.failed" in told
    assert "request.failed" in told
    assert told.count("request.answered") > 30
    assert sorted(each for each in secrets if each in told) == []


def logins(anybody, staff_members, callers):
    """Logins that succeed and fail; returns what must not be told."""
    staff_members.with_password("wilhelmine.s", role="administrator")
    for login, password in (("wilhelmine.s", PASSWORD), ("wilhelmine.s", f"{WORD}!"), (WORD, PASSWORD), ("", "")):
        answer = anybody.post("/logins", json={"login": login, "password": password})
    opened = anybody.post("/logins", json={"login": "wilhelmine.s", "password": PASSWORD}).json["token"]
    ada = Caller(callers.client, opened)
    secret = ada.post("/me/second-factor", json={"password": PASSWORD}).json["secret"]
    ada.post("/me/second-factor/confirmation", json={"code": "000000"})
    assert answer.status_code == 401
    anybody.get("/sessions", headers={"Authorization": f"Bearer {WORD}"})
    anybody.get(f"/sessions?limit={WORD}&token={WORD}")
    anybody.post("/invitations/acceptance", json={"code": f"{WORD}-code", "password": PASSWORD})
    return {opened, secret, "wilhelmine.s"}


def enrolment(anybody, staff, callers, patient):
    """A phone that enrols itself, after somebody tried wrong codes."""
    made = staff.post(f"/patients/{patient}/enrolments").json
    mine, following = new_secret("renewal"), new_secret("renewal")
    for code in (f"{WORD}", "kc_" + "A" * 43):
        anybody.post("/enrolments/exchange", json={"code": code, "renewal": mine})
    first = anybody.post(
        "/enrolments/exchange", json={"code": made["code"], "renewal": mine, "device": {"model": WORD}}
    ).json
    anybody.post("/devices/renewal", json={"renewal": new_secret("renewal"), "next": new_secret("renewal")})
    renewed = anybody.post("/devices/renewal", json={"renewal": mine, "next": following}).json["access"]["token"]
    phone = Caller(callers.client, renewed, patient=patient, device=UUID(first["device"]))
    first_token = first["access"]["token"]
    return phone, {made["code"], mine, following, first_token, renewed, str(phone.device), phone.device.hex}


def uploads(phone, secrets):
    """Hand over every kind of body; returns the ids that were used."""
    sessions, answers = {}, {}
    for name, body in bodies():
        session = sessions["good"] if name == "again" else uuid4()
        sessions[name] = session
        encoding = {"Content-Encoding": "gzip"} if name == "compressed badly" else {}
        answers[name] = phone.put(body, session, headers=encoding).status_code
    assert answers["good"] == 201
    assert answers["again"] == 200
    assert {answers["partly"], answers["fault"]} == {201}
    assert sum(400 <= status < 500 for status in answers.values()) >= 7
    phone.put(session_body(setting="other"), sessions["good"])
    phone.put(session_body(), uuid4(), headers={"Content-Type": f"text/{WORD}"})
    phone.put(session_body(), f"{WORD}")
    secrets |= {str(each) for each in sessions.values()}
    return sessions


def faults(phone, monkeypatch, secrets):
    """Faults of ours whose text quotes what was sent."""
    for error in (ValueError(WORD), KeyError(CODE), RuntimeError(str(NUMBER))):
        with monkeypatch.context() as patched:
            patched.setattr("konectom.api.sessions.ingest_session", raising(error))
            assert phone.put(session_body()).status_code == 500
    with monkeypatch.context() as patched:
        patched.setattr("konectom.workflows.sessions.process.get_assessment", raising(ValueError(WORD)))
        assert phone.put(session_body(setting="another")).status_code == 201
    secrets.add("iPhone15,2")


def raising(error):
    def fail(*_, **__):
        raise error

    return fail


def reading(staff, services, callers, study, patient, sessions):
    """Whatever else happens to a patient: names, findings, restriction, erasure."""
    _, token = user(services, "study_manager", study=study)
    manager = Caller(callers.client, token)
    assert manager("PUT", f"/patients/{patient}/identity", json=NAMES).status_code == 200
    manager.get(f"/patients/{patient}/identity")
    finding = {"code": "edss", "at": "2026-03-02T10:15:00+01:00", "values": {"step": 3.5}, "note": WORD}
    assert staff.post(f"/patients/{patient}/observations", json=finding).status_code == 201
    staff.post(f"/patients/{patient}/observations", json=finding | {"values": {"step": WORD}})
    for path in (
        f"/sessions/{sessions['good']}",
        f"/patients/{patient}/trends?measure={WORD}",
        f"/patients?code={CODE}",
    ):
        staff.get(path)
    staff.post("/patients", json={"study": str(study), "code": CODE})
    staff.get(f"/patients/{WORD}")
