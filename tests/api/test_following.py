"""Policy, schedules, alerts and summary over HTTP: who may, what is refused and where, the shape of every answer."""

from uuid import UUID, uuid4

import pytest

from tests.api.client import first_error
from tests.probe import session_body

pytestmark = pytest.mark.usefixtures("probe")
WEEKLY = {"assessment": "probe", "start": "2026-11-02"}


@pytest.fixture
def study(people):
    return people.study()


@pytest.fixture
def phone(callers, people, study):
    return callers.phone(people.patient(study))


@pytest.fixture
def staff(callers, study):
    return callers.staff(study)


@pytest.fixture
def worse(staff, phone):
    """A patient whose EDSS has worsened, confirmed after 12 weeks."""
    for at, step in (("2026-01-05", 3.0), ("2026-06-22", 4.0), ("2026-09-28", 4.0)):
        body = {"code": "edss", "at": f"{at}T10:00:00+01:00", "values": {"step": step}}
        assert staff.post(f"/patients/{phone.patient}/observations", json=body).status_code == 201
    return phone.patient


def test_the_policy_is_shown_and_set(staff, study):
    default = staff.get(f"/studies/{study}/policy").json
    told = staff("PUT", f"/studies/{study}/policy", json={"window_days": 28, "verdicts": ["valid"]})
    assert (told.status_code, told.json) == (200, default | {"window_days": 28.0, "verdicts": ["valid"]})
    assert staff.get(f"/studies/{study}/policy").json == told.json
    assert staff("PUT", f"/studies/{study}/policy", json=told.json).json == told.json
    assert staff("PUT", f"/studies/{study}/policy", json={}).json == default


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"window_days": "14"}, "/window_days"),
        ({"window_days": None}, "/window_days"),
        ({"tests_min": 1e9}, "/tests_min"),
        ({"verdicts": ["invalid"]}, "/verdicts/0"),
        ({"definition": "best/1"}, "/definition"),
        ({"definitions": {"a/b": "digital-12w/1"}}, "/definitions/a~1b"),
        ({"windows": 3}, "/windows"),
        ({"version": 7}, "/version"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(staff, study, body, at):
    assert first_error(staff("PUT", f"/studies/{study}/policy", json=body)) == (422, "field_invalid", at)


def test_a_schedule_is_made_shown_kept_and_removed(staff, phone, study):
    made = staff.post(f"/studies/{study}/schedules", json=WEEKLY | {"times": 2, "time_zone": "Europe/Paris"})
    assert made.status_code == 201
    assert (made.json["per_days"], made.json["tolerance_days"], made.json["until"]) == (7, 0, None)
    assert staff.get(f"/studies/{study}/schedules").json == {"items": [made.json], "next": None}
    assert staff.get(f"/studies/{study}/schedules?patient={phone.patient}").json["items"] == [made.json]
    phone.put(session_body(started_at="2026-11-20T10:00:00+01:00"))
    for caller in (phone, staff):
        (kept,) = caller.get(f"/patients/{phone.patient}/schedules").json["schedules"]
        assert (kept["id"], kept["holds_from"]) == (made.json["id"], "2026-11-20")
        assert [(each["start"], each["done"], each["open"]) for each in kept["periods"]] == [("2026-11-20", 1, True)]
    assert staff("DELETE", f"/studies/{study}/schedules/{made.json['id']}").status_code == 204
    assert staff.get(f"/studies/{study}/schedules").json["items"] == []
    assert staff("DELETE", f"/studies/{study}/schedules/{made.json['id']}").status_code == 404


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"start": "2026-11-02"}, (422, "field_missing", "/assessment")),
        ({"assessment": "probe"}, (422, "field_missing", "/start")),
        (WEEKLY | {"assessment": "luck"}, (422, "assessment_unknown", "/assessment")),
        (WEEKLY | {"start": "1900-01-01", "per_days": 1}, (422, "field_invalid", "/start")),
        (WEEKLY | {"start": 20261102}, (422, "field_invalid", "/start")),
        (WEEKLY | {"times": 1.5}, (422, "field_invalid", "/times")),
        (WEEKLY | {"times": None}, (422, "field_invalid", "/times")),
        (WEEKLY | {"until": "2026-11-01"}, (422, "field_invalid", "/until")),
        (WEEKLY | {"time_zone": "../../etc/passwd"}, (422, "field_invalid", "/time_zone")),
        (WEEKLY | {"patient": "P-1"}, (422, "field_invalid", "/patient")),
        (WEEKLY | {"patient": str(uuid4())}, (404, "not_found", "/patient")),
        (WEEKLY | {"every": 7}, (422, "field_invalid", "/every")),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(staff, study, body, error):
    assert first_error(staff.post(f"/studies/{study}/schedules", json=body)) == error


def test_the_same_schedule_sent_twice_is_one(staff, study):
    assert staff.post(f"/studies/{study}/schedules", json=WEEKLY).status_code == 201
    assert first_error(staff.post(f"/studies/{study}/schedules", json=WEEKLY))[:2] == (409, "already_exists")
    assert len(staff.get(f"/studies/{study}/schedules").json["items"]) == 1


def test_alerts_are_listed_and_acknowledged(staff, study, worse, clock):
    answer = staff.get(f"/studies/{study}/alerts").json
    (found,) = answer["items"]
    assert (found["kind"], found["patient"], answer["pending"], answer["next"]) == (
        "confirmed_worsening",
        str(worse),
        0,
        None,
    )
    address = f"/studies/{study}/alerts/{found['id']}/acknowledgement"
    seen = staff("PUT", address, json={"note": "MRI ordered"})
    assert (seen.json["acknowledged_by"], seen.json["note"]) == ("Ada", "MRI ordered")
    assert seen.json["acknowledged_at"] == clock.now.isoformat()
    assert staff("PUT", address, json={}).json == seen.json
    assert staff.get(f"/studies/{study}/alerts").json["items"] == []
    assert staff.get(f"/studies/{study}/alerts?status=acknowledged").json["items"] == [seen.json]
    assert staff.get(f"/studies/{study}/alerts?status=all&kind=lapsed").json["items"] == []
    assert staff.get(f"/studies/{study}/alerts?status=all&patient={worse}").json["items"] == [seen.json]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("status=new", (422, "field_invalid", "/query/status")),
        ("kind=x", (422, "field_invalid", "/query/kind")),
        ("limit=0", (422, "field_invalid", "/query/limit")),
        ("cursor=x", (422, "field_invalid", "/query/cursor")),
        ("state=open", (422, "field_invalid", "/query/state")),
        (f"patient={UUID(int=1)}", (404, "not_found", "/query/patient")),
    ],
)
def test_what_cannot_be_asked_is_refused(staff, study, query, error):
    assert first_error(staff.get(f"/studies/{study}/alerts?{query}")) == error


def test_a_note_that_is_too_long_is_refused(staff, study, worse):
    (found,) = staff.get(f"/studies/{study}/alerts").json["items"]
    address = f"/studies/{study}/alerts/{found['id']}/acknowledgement"
    for note in ("x" * 201, "a\0b", None, 3):
        assert first_error(staff("PUT", address, json={"note": note})) == (422, "field_invalid", "/note")


def test_the_staff_of_another_study_see_nothing(callers, staff, study, worse):
    (found,) = staff.get(f"/studies/{study}/alerts").json["items"]
    made = staff.post(f"/studies/{study}/schedules", json=WEEKLY).json
    other = callers.staff(callers.people.study())
    for method, path in (
        ("GET", f"/studies/{study}/policy"),
        ("PUT", f"/studies/{study}/policy"),
        ("GET", f"/studies/{study}/schedules"),
        ("POST", f"/studies/{study}/schedules"),
        ("GET", f"/studies/{study}/alerts"),
        ("GET", f"/patients/{worse}/summary"),
        ("GET", f"/patients/{worse}/schedules"),
        # What is another study's is not found under one's own either.
        ("DELETE", f"/studies/{other.study}/schedules/{made['id']}"),
        ("PUT", f"/studies/{other.study}/alerts/{found['id']}/acknowledgement"),
        ("GET", f"/studies/{other.study}/alerts?patient={worse}"),
    ):
        body = {"json": WEEKLY if method == "POST" else {}} if method in ("PUT", "POST") else {}
        assert other(method, path, **body).status_code == 404, (method, path)


def test_a_study_that_there_is_not_has_nothing(callers):
    everywhere = callers.staff()
    for what in ("policy", "schedules", "alerts"):
        assert everywhere.get(f"/studies/{uuid4()}/{what}").status_code == 404


def test_a_summary_is_a_line_for_each_score(staff, study, worse):
    staff.post(f"/studies/{study}/schedules", json=WEEKLY)
    staff.get(f"/studies/{study}/alerts")
    told = staff.get(f"/patients/{worse}/summary").json
    (line,) = told["scores"]
    assert (line["key"], line["now"]["value"], line["verdict"]["code"]) == (
        "obs.edss.step",
        4.0,
        "confirmed_worsening",
    )
    assert (told["open_alerts"], [each["assessment"] for each in told["schedules"]]) == (1, ["probe"])
    early = staff.get(f"/patients/{worse}/summary?to=2026-02-01T00:00:00Z").json
    assert (early["as_of"], early["scores"][0]["verdict"]["code"]) == ("2026-02-01T00:00:00+00:00", "one_value")
    assert first_error(staff.get(f"/patients/{worse}/summary?to=yesterday")) == (422, "field_invalid", "/query/to")


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("window=0", "/query/window"),
        ("window=nan", "/query/window"),
        ("window=367", "/query/window"),
        ("definition=best/1", "/query/definition"),
        ("definition=sdmt-4-12w/1&measure=obs.edss.step", "/query/definition"),
        ("from=2026-01-01", "/query/from"),
        ("to=2026-01-01T00:00:00", "/query/to"),
    ],
)
def test_a_trend_that_cannot_be_is_refused(staff, worse, query, at):
    assert first_error(staff.get(f"/patients/{worse}/trends?{query}")) == (422, "field_invalid", at)


def test_a_definition_stands_for_the_scores_it_was_made_for(staff, phone, worse):
    phone.put(session_body())
    trends = staff.get(f"/patients/{worse}/trends?definition=edss-cdw-24w/1").json["trends"]
    named = {each["key"]: each["definition"]["name"] for each in trends if each["definition"]}
    assert named["obs.edss.step"] == "edss-cdw-24w"
    assert named["probe.level[left].mean"].startswith("digital")
