"""Campaigns over HTTP: decided here, computed elsewhere, within what the caller manages."""

from uuid import UUID, uuid4

import pytest

from tests.api.client import Caller
from tests.probe import probe_recording
from tests.workflows.campaigns.campaigning import send, work


@pytest.fixture
def study(people):
    return people.study()


@pytest.fixture
def sent(services, people, study, probe):
    patient = people.patient(study)
    return [send(services, patient, probe_recording(x=[value, 2.0, 3.0, 4.0])) for value in (1.0, 7.0)]


@pytest.fixture
def somebody(callers, staff_members, study):
    def somebody(role="study_manager", site=None, where=study):
        member = staff_members.member(role, None if role == "administrator" else where, site)
        return Caller(callers.client, member.token)

    return somebody


def test_a_manager_plans_looks_and_lets_it_run(services, somebody, study, sent, probe):
    probe(version=2, extra=True)
    manager = somebody()
    made = manager.post("/campaigns", json={"study": str(study), "assessment": "probe", "note": "better"})
    assert made.status_code == 201
    address = made.headers["Location"].removeprefix("/api/v1")
    assert (made.json["state"], made.json["chosen"]) == ("planned", {"sessions": 2, "recordings": 2})
    assert manager.post(f"{address}:run").json["code"] == "campaign_state"
    asked = manager.post(f"{address}:dry-run")
    assert (asked.status_code, asked.json["state"]) == (202, "dry_run")
    work(services, UUID(made.json["id"]))
    shown = manager.get(address).json
    assert (shown["state"], shown["counts"]) == ("ready", {"recordings": 2, "sessions": 2})
    (probed,) = shown["report"]["assessments"]
    assert {line["key"] for line in probed["measures"]} == {
        "probe.level[left].mean",
        "probe.level[left].sd",
        "probe.peak[left]",
    }
    assert manager.post(f"{address}:run").json["state"] == "running"
    assert manager.post(f"{address}:pause").json["state"] == "paused"
    assert manager.post(f"{address}:resume").json["state"] == "running"
    work(services, UUID(made.json["id"]))
    (listed,) = manager.get(f"/campaigns?study={study}&state=done").json["items"]
    assert listed["counts"] == {"results": 2, "sessions": 2}
    assert manager.post(f"{address}:cancel").status_code == 409


def test_it_is_ended(somebody, study):
    manager = somebody()
    address = f"/campaigns/{manager.post('/campaigns', json={'study': str(study)}).json['id']}"
    assert manager.post(f"{address}:cancel").json["state"] == "cancelled"
    assert manager.get("/campaigns?state=planned").json["items"] == []


def test_others_do_not_see_it(somebody, people, study):
    campaign = somebody().post("/campaigns", json={"study": str(study)}).json["id"]
    elsewhere = somebody(where=people.study())
    for call in (
        lambda who: who.get(f"/campaigns/{campaign}"),
        lambda who: who.post(f"/campaigns/{campaign}:cancel"),
        lambda who: who.post("/campaigns", json={"study": str(study)}),
        lambda who: who.get(f"/campaigns?study={study}"),
    ):
        assert call(elsewhere).status_code == 404
    assert elsewhere.get("/campaigns").json["items"] == []
    assert somebody("monitor").get(f"/campaigns/{campaign}").status_code == 200
    for role in ("monitor", "clinician", "researcher", "administrator"):
        assert somebody(role).post(f"/campaigns/{campaign}:dry-run").status_code == 403


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"study": None}, "/study"),
        ({"study": str(uuid4())}, "/study"),
        ({"patient": str(uuid4())}, "/patient"),
        ({"statuses": ["lost"]}, "/statuses/0"),
        ({"version": 1}, "/version"),
        ({"start": "yesterday"}, "/start"),
        ({"colour": "red"}, "/colour"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_is_wrong_is_told_at_its_place(somebody, study, body, at):
    answer = somebody().post("/campaigns", json={"study": str(study)} | body)
    assert (answer.status_code in (404, 422), answer.json.get("at")) == (True, at)


AS_OF = {
    "a session": "/sessions/{session}?measures=all",
    "trends": "/patients/{patient}/trends",
    "features": "/studies/{study}/features?assessment=probe",
    "values": "/studies/{study}/features",
    "dictionary": "/studies/{study}/dictionary",
}


@pytest.mark.parametrize("name", AS_OF)
def test_as_of_tells_what_was_told_then(services, somebody, study, sent, probe, clock, name):
    path = AS_OF[name].format(session=sent[0]["id"], patient=sent[0]["patient"], study=study)
    manager, instant = somebody(), clock().strftime("%Y-%m-%dT%H:%M:%SZ")
    then = manager.get(path).data
    clock.forward(minutes=5)
    probe(version=2, extra=True)
    campaign = UUID(manager.post("/campaigns", json={"study": str(study)}).json["id"])
    work(services, campaign, "run", unseen=True)
    assert manager.get(path).data != then
    asked = f"{path}{'&' if '?' in path else '?'}as_of="
    assert manager.get(f"{asked}{instant}").data == then
    refused = manager.get(f"{asked}2027-01-01T00:00:00Z")
    assert (refused.status_code, refused.json["at"]) == (422, "/query/as_of")
