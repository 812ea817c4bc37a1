"""Consent over REST: who may decide, what is answered, and that no address shows what is restricted."""

import re
from dataclasses import replace
from itertools import product
from uuid import UUID, uuid4

import pytest

from konectom.api import access
from konectom.api.access import declared_permission
from konectom.assessments import every_assessment
from konectom.security.matrix import MATRIX
from konectom.security.principal import Grant, Principal
from konectom.storage.models import Alert
from konectom.workflows.consent.restrictions import restrict_patient
from konectom.workflows.patients.schedules import create_schedule
from tests.api.client import first_error
from tests.probe import probe_of, probe_recording, session_body

FORM = {"version": "1", "title": "Study", "text": "Agree?", "data_types": ["touch", "movement"]}
HIDDEN = 43.2109875


@pytest.fixture
def study(people):
    return people.study(consent="here")


@pytest.fixture
def patient(people, study):
    return people.patient(study, "P-1", sex="female", birth_year=1987)


@pytest.fixture
def form(staff, study):
    return staff.post(f"/studies/{study}/consent-forms", json=FORM).json


@pytest.fixture
def phone(callers, patient):
    return callers.phone(patient)


@pytest.fixture
def manager(callers, study, monkeypatch):
    """A member of staff who runs the study, and who has logged in."""
    caller = Principal(kind="user", id=uuid4(), name="Grace", grants=(Grant("study_manager", study),))
    known = access.authenticate
    monkeypatch.setattr(access, "authenticate", lambda s, token: caller if token == "grace" else known(s, token))
    return replace(callers.anybody(), token="grace")


@pytest.fixture
def touch(monkeypatch, probe):
    """Makes ``probe`` a test of the type ``touch``."""
    monkeypatch.setitem(every_assessment(), "probe", replace(probe_of(1), domain="upper limb"))


def test_a_form_is_made_listed_and_retired(staff, study, form):
    where = f"/studies/{study}/consent-forms"
    assert staff.get(where).json == {"items": [form], "next": None}
    assert first_error(staff.post(where, json=FORM)) == (409, "already_exists", "/version")
    assert first_error(staff.post(where, json=FORM | {"data_types": ["thoughts"]}))[1:] == (
        "field_invalid",
        "/data_types/0",
    )
    assert first_error(staff.post(where, json={"version": "2"}))[:2] == (422, "field_missing")
    assert staff("DELETE", f"{where}/{form['id']}").status_code == 204
    assert staff.get(where).json["items"] == []
    assert [each["version"] for each in staff.get(f"{where}?retired=true").json["items"]] == ["1"]
    assert staff("DELETE", f"{where}/{uuid4()}").status_code == 404


def test_a_phone_decides_for_its_patient(phone, patient, form, callers):
    where = f"/patients/{patient}/consents"
    before = phone.get(where).json
    assert (before["current"], before["forms"], before["kept"]) == ([], [form], "here")
    made = phone.post(where, json={"state": "given", "form": "1"})
    assert made.status_code == 201
    assert [(each["data_type"], each["state"]) for each in made.json["current"]] == [
        ("movement", "given"),
        ("touch", "given"),
    ]
    assert phone.post(where, json={"state": "given", "form": "1"}).status_code == 200
    gone = phone("PUT", f"{where}/withdrawal", json={"data_types": ["touch"]})
    assert [each["state"] for each in gone.json["current"]] == ["given", "withdrawn"]
    assert phone.get(where).json == gone.json
    everything = phone("PUT", f"{where}/withdrawal", json={}).json
    assert {each["state"] for each in everything["current"]} == {"withdrawn"}
    stranger = callers.phone()
    assert stranger.get(where).status_code == stranger.post(where, json={"state": "given"}).status_code == 404


def test_a_decision_may_be_told_late_but_not_early(phone, patient, form, clock):
    where = f"/patients/{patient}/consents"
    clock.forward(hours=2)
    told = {"state": "given", "form": "1", "decided_at": "2026-11-21T11:00:00+01:00"}
    assert phone.post(where, json=told).json["history"][0]["decided_at"] == "2026-11-21T10:00:00+00:00"
    before = told | {"decided_at": "2026-11-20T10:00:00+01:00"}  # when there was no such form
    assert first_error(phone.post(where, json=before)) == (422, "field_invalid", "/decided_at")
    late = told | {"decided_at": "2026-11-22T10:00:00+01:00"}
    assert first_error(phone.post(where, json=late)) == (422, "field_invalid", "/decided_at")
    naive = told | {"decided_at": "2026-11-20T10:00:00"}
    assert first_error(phone.post(where, json=naive)) == (422, "field_invalid", "/decided_at")
    assert first_error(phone.post(where, json={"state": "restricted"})) == (422, "field_invalid", "/state")


def test_an_upload_is_answered_by_what_is_lacking(phone, patient, form, touch):
    refused = phone.put(session_body(probe_recording()))
    assert first_error(refused) == (403, "consent_missing", "/recordings/0")
    assert refused.json["data_types"] == ["touch"]
    phone.post(f"/patients/{patient}/consents", json={"state": "given", "form": "1"})
    assert phone.put(session_body(probe_recording())).status_code == 201
    phone("PUT", f"/patients/{patient}/consents/withdrawal", json={})
    assert first_error(phone.put(session_body(probe_recording())))[:2] == (403, "consent_withdrawn")


def test_only_those_who_run_the_study_restrict(phone, staff, manager, patient, form):
    where = f"/patients/{patient}/restriction"
    for nobody in (phone, staff):
        assert first_error(nobody("PUT", where, json={"reason": "why"}))[:2] == (403, "not_permitted")
        assert first_error(nobody("DELETE", where))[:2] == (403, "not_permitted")
    assert first_error(manager("PUT", where, json={})) == (422, "field_missing", "/reason")
    now = manager("PUT", where, json={"reason": "Contested.", "data_types": ["touch"]}).json
    assert [each["data_type"] for each in now["current"] if each["restricted_at"]] == ["touch"]
    assert manager("PUT", where, json={"reason": "Contested."}).json["restricted_at"] is not None
    assert first_error(manager.get(f"/patients/{patient}/trends")) == (403, "patient_restricted", None)
    assert manager.get(f"/patients/{patient}").json["birth_year"] is None
    assert manager.get(f"/patients/{patient}/consents").status_code == 200
    assert manager("DELETE", f"{where}?data_type=touch").json["current"] == []
    assert manager.get(f"/patients/{patient}/trends").status_code == 403
    assert manager("DELETE", where).json["restricted_at"] is None
    assert manager.get(f"/patients/{patient}").json["birth_year"] == 1987
    assert manager.get(f"/patients/{patient}/trends").json["withheld"] == []


def test_a_study_says_where_consent_is_kept(staff):
    assert staff.post("/studies", json={"code": "A"}).json["consent"] == "here"
    made = staff.post("/studies", json={"code": "B", "consent": "elsewhere"}).json
    assert staff.get(f"/studies/{made['id']}").json["consent"] == "elsewhere"
    assert first_error(staff.post("/studies", json={"code": "C", "consent": "no"})) == (
        422,
        "field_invalid",
        "/consent",
    )


@pytest.fixture
def told(services, staff, phone, study, patient, form, touch):
    """A patient of whom a touch score says ``HIDDEN``, wherever it can be said. Returns what addresses name."""
    phone.post(f"/patients/{patient}/consents", json={"state": "given", "form": "1"})
    session_id, now = uuid4(), services.clock()
    assert phone.put(session_body(probe_recording(x=[HIDDEN] * 4)), session_id).status_code == 201
    create_schedule(services, study, assessment="probe", start="2026-11-02")
    alert = Alert(
        id=uuid4(),
        study_id=study,
        patient_id=patient,
        kind="item_alarm",
        key="probe.level[left].mean",
        at=now,
        told={"message": f"{HIDDEN}", "evidence": {}},
        found_at=now,
    )
    with services.db.write() as db:
        db.add(alert)
        named = {"study_id": study, "patient_id": patient, "session_id": session_id, "alert_id": alert.id}
    return named | {"form_id": UUID(form["id"])}


QUERIES = (
    "",
    "?measures=all",
    "?assessment=probe",
    "?assessment=probe&version=1",
    "?measure=probe.level",
    "?measure=probe.level&format=csv",
    "?format=csv",
    "?format=json",
    "?status=all",
    "?patient=$PATIENT",
)


def shown(app, callers, named):
    """Ask every address of a patient or study in every way; return what was answered, by address."""
    answers = {}
    for rule in app.url_map.iter_rules():
        if not {"study_id", "patient_id", "session_id"} & set(rule.arguments) or "GET" not in rule.methods:
            continue
        with app.app_context():
            permission = declared_permission(rule.endpoint)
        if permission == "patient.archive":  # the patient's own copy of what is kept
            continue
        values = {name: named.get(name, UUID(int=1)) for name in rule.arguments}
        path = app.url_map.bind("localhost").build(rule.endpoint, values)
        for query, caller in product(QUERIES, callers):
            asked = path + query.replace("$PATIENT", str(named["patient_id"]))
            answers[asked, caller.token] = caller.get(asked).text
    for caller, path in product(callers, ("/sessions", "/patients", "/studies")):
        answers[path, caller.token] = caller.get(path).text
    return answers


def tell(answers):
    """The addresses whose answers say what is hidden, or name a score of the test with a value."""
    return {path.split("?")[0].rsplit("/", 1)[1] for (path, _), text in answers.items() if f"{HIDDEN}" in text}


def test_no_address_shows_what_is_restricted(app, services, staff, phone, manager, told):
    callers = (staff, phone, manager)
    before = shown(app, callers, told)
    assert tell(before) >= {str(told["session_id"]), "trends", "features", "alerts"}
    restrict_patient(services, told["patient_id"], data_types=["touch"], reason="why")
    after = shown(app, callers, told)
    assert after.keys() == before.keys()
    assert tell(after) == set()
    said = {path for (path, _), text in after.items() if "probe.level" in text and "/dictionary" not in path}
    assert {path for path in said if "measure=" not in path and "/features?assessment=" not in path} == set()
    tables = [
        text for (path, caller), text in after.items() if "/features?assessment=" in path and caller != phone.token
    ]
    assert {text.count("\n") for text in tables} == {1}  # nothing but the names of the columns
    with_value = [text for (path, _), text in after.items() if "measure=probe.level" in path and '"value":4' in text]
    assert with_value == []


def test_no_address_shows_a_patient_of_whom_all_is_restricted(app, services, staff, phone, manager, told):
    restrict_patient(services, told["patient_id"], reason="why")
    after = shown(app, (staff, phone, manager), told)
    assert tell(after) == set()
    born = re.compile(r"(?<![0-9a-f])1987(?![0-9a-f])")  # not within an id
    assert [path for (path, _), text in after.items() if born.search(text)] == []
    again = phone.put(session_body(probe_recording(x=[HIDDEN] * 4)), told["session_id"])
    assert first_error(again)[:2] == (403, "patient_restricted")


def test_every_address_of_a_patient_is_closed_unless_it_is_said_to_be_open(app, services, manager, told):
    restrict_patient(services, told["patient_id"], reason="why")
    with app.app_context():
        rules = [
            (rule, MATRIX[permission])
            for rule in app.url_map.iter_rules()
            if "patient_id" in rule.arguments and (permission := declared_permission(rule.endpoint)) in MATRIX
        ]
    reached = [(rule, each) for rule, each in rules if "study_manager" in each.reach]
    assert len(reached) > 10
    for rule, permission in reached:
        values = {name: told.get(name, uuid4()) for name in rule.arguments}
        path = app.url_map.bind("localhost").build(rule.endpoint, values)
        for method in rule.methods - {"HEAD", "OPTIONS", "DELETE"}:
            answer = manager(method, path, json={})
            restricted = answer.status_code == 403 and answer.json["code"] == "patient_restricted"
            assert restricted is (permission.name not in access.EVEN_RESTRICTED), (method, path, answer.text)
