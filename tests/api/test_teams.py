"""Sites, care teams, members, and breaking the glass, over HTTP."""

from uuid import UUID, uuid4

import pytest

from tests.api.client import Caller, first_error

REASON = "fell in the waiting room, unconscious"


@pytest.fixture
def study(people) -> UUID:
    return people.study()


@pytest.fixture
def somebody(callers, staff_members, study):
    """Makes a caller of a role in the study."""

    def somebody(role, site=None, where=study):
        member = staff_members.member(role, None if role == "administrator" else where, site)
        return Caller(callers.client, member.token), member.user

    return somebody


def test_a_manager_puts_patients_into_the_care_of_a_clinician(somebody, people, study):
    (manager, _), (clinician, user) = somebody("study_manager"), somebody("clinician")
    ours, theirs = people.patient(study), people.patient(study)
    made = manager.post(f"/studies/{study}/teams", json={"name": "Day clinic"})
    assert (made.status_code, made.json["members"], made.json["patients"]) == (201, [], [])
    team = f"/studies/{study}/teams/{made.json['id']}"
    assert clinician.get(f"/patients/{ours}").status_code == 404
    assert manager("PUT", f"{team}/members/{user}").status_code == 204
    assert manager("PUT", f"{team}/patients/{ours}").status_code == 204
    assert clinician.get(f"/patients/{ours}").status_code == 200
    assert clinician.get(f"/patients/{theirs}").status_code == 404
    (shown,) = clinician.get(f"/studies/{study}/teams").json["items"]
    assert [row["user"] for row in shown["members"]] == [str(user)]
    assert [row["id"] for row in shown["patients"]] == [str(ours)]
    assert manager("DELETE", f"{team}/patients/{ours}").status_code == 204
    assert clinician.get(f"/patients/{ours}").status_code == 404
    assert manager("PUT", f"{team}/patients/{ours}").status_code == 204
    assert manager("DELETE", f"{team}/members/{user}").status_code == 204
    assert clinician.get(f"/patients/{ours}").status_code == 404
    assert manager("DELETE", f"{team}/members/{user}").status_code == 204


def test_a_clinician_sees_of_other_teams_no_patient(somebody, people, study):
    (manager, _), (clinician, _) = somebody("study_manager"), somebody("clinician")
    made = manager.post(f"/studies/{study}/teams", json={"name": "Ward"}).json
    patient = people.patient(study)
    manager("PUT", f"/studies/{study}/teams/{made['id']}/patients/{patient}")
    assert str(patient) not in clinician.get(f"/studies/{study}/teams").text
    assert str(patient) in manager.get(f"/studies/{study}/teams").text


def test_what_is_not_the_studys_is_not_put_into_its_teams(somebody, people, study, staff_members):
    manager, _ = somebody("study_manager")
    team = manager.post(f"/studies/{study}/teams", json={"name": "Ward"}).json["id"]
    strange = staff_members.member("clinician", people.study()).user
    for path in (f"members/{strange}", f"members/{uuid4()}", f"patients/{people.patient()}", f"patients/{uuid4()}"):
        assert manager("PUT", f"/studies/{study}/teams/{team}/{path}").status_code == 404


@pytest.mark.parametrize("role", ["clinician", "researcher", "monitor", "administrator"])
def test_only_managers_of_the_whole_study_make_teams(somebody, staff_members, study, role):
    caller, _ = somebody(role)
    assert caller.post(f"/studies/{study}/teams", json={"name": "Ward"}).status_code == 403
    at_a_site, _ = somebody("study_manager", staff_members.site(study))
    assert at_a_site.post(f"/studies/{study}/teams", json={"name": "Ward"}).status_code == 404


def test_the_glass_is_broken_for_one_patient_and_seen(somebody, people, study, clock):
    (clinician, user), (monitor, _) = somebody("clinician"), somebody("monitor")
    patient = people.patient(study, "P1")
    other = people.patient(study, "P2")
    assert clinician.get(f"/patients/{patient}").status_code == 404
    reached = clinician.post(f"/studies/{study}/break-glass", json={"code": "P1", "reason": REASON})
    assert (reached.status_code, reached.json["patient"]) == (201, str(patient))
    assert clinician.get(f"/patients/{patient}").status_code == 200
    assert clinician.get(f"/patients/{other}").status_code == 404
    (event,) = monitor.get(f"/studies/{study}/break-glass").json["items"]
    assert (event["user"], event["patient"]) == (str(user), str(patient))
    assert clinician.get(f"/studies/{study}/break-glass").status_code == 403
    for _ in range(9):
        clock.forward(minutes=28)
        answer = clinician.get(f"/patients/{patient}")
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"code": "P1"}, (422, "field_missing", "/reason")),
        ({"code": "P1", "reason": "because"}, (422, "field_invalid", "/reason")),
        ({"reason": REASON}, (422, "field_missing", "/code")),
    ],
)
def test_breaking_it_needs_code_and_reason(somebody, people, study, body, error):
    people.patient(study, "P1")
    assert first_error(somebody("clinician")[0].post(f"/studies/{study}/break-glass", json=body)) == error


def test_patients_who_are_not_there_or_elsewhere_are_told_alike(somebody, staff_members, people, study):
    site = staff_members.site(study)
    clinician, _ = somebody("clinician", site)
    people.patient(study, "ELSEWHERE")
    people.patient(people.study(), "OTHER")
    told = set()
    for code in ("ELSEWHERE", "OTHER", "NOBODY", "", "a b"):
        answer = clinician.post(f"/studies/{study}/break-glass", json={"code": code, "reason": REASON})
        told.add((*first_error(answer), answer.json["detail"]))
    assert len(told) == 1


@pytest.mark.parametrize("role", ["study_manager", "researcher", "monitor", "administrator"])
def test_breaking_it_is_for_clinicians(somebody, people, study, role):
    people.patient(study, "P1")
    caller, _ = somebody(role)
    body = {"code": "P1", "reason": REASON}
    assert caller.post(f"/studies/{study}/break-glass", json=body).status_code == 403


def test_sites_are_made_and_listed(somebody, people, study):
    manager, _ = somebody("study_manager")
    made = manager.post(f"/studies/{study}/sites", json={"code": "PARIS", "name": "Salpêtrière"})
    assert made.status_code == 201
    assert manager.get(f"/studies/{study}/sites").json["items"] == [made.json]
    again = manager.post(f"/studies/{study}/sites", json={"code": "PARIS"})
    assert first_error(again)[:2] == (409, "already_exists")
    assert first_error(manager.post(f"/studies/{study}/sites", json={"code": "a b"})) == (422, "field_invalid", "/code")
    assert somebody("monitor")[0].post(f"/studies/{study}/sites", json={"code": "X"}).status_code == 403
    assert manager.get(f"/studies/{people.study()}/sites").status_code == 404


def test_members_are_listed_for_who_runs_and_watches_the_study(somebody, study):
    manager, user = somebody("study_manager")
    (monitor, _), (clinician, _) = somebody("monitor"), somebody("clinician")
    told = manager.get(f"/studies/{study}/members").json["items"]
    assert {row["role"] for row in told} == {"study_manager", "monitor", "clinician"}
    assert str(user) in {row["user"] for row in told}
    assert monitor.get(f"/studies/{study}/members").json["items"] == told
    assert clinician.get(f"/studies/{study}/members").status_code == 403


def test_breaking_it_opens_reading_and_nothing_that_outlasts_it(somebody, people, study):
    clinician, _ = somebody("clinician")
    patient = people.patient(study, "P1")
    clinician.post(f"/studies/{study}/break-glass", json={"code": "P1", "reason": REASON})
    for path in ("identity", "summary", "trends", "sessions", "observations", "schedules", "consents"):
        assert clinician.get(f"/patients/{patient}/{path}").status_code == 200, path
    for method, path, body in (
        ("POST", "enrolments", None),
        ("GET", "enrolments", None),
        ("GET", "archive", None),
        ("PUT", "identity", {"family_name": "Lovelace"}),
        ("PUT", "consents/withdrawal", {}),
        ("POST", "observations", {"code": "edss", "at": "2026-11-20T09:00:00Z", "values": {"step": 2}}),
    ):
        answer = clinician(method, f"/patients/{patient}/{path}", json=body)
        assert first_error(answer)[:2] == (404, "not_found"), path
