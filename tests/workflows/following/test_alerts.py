"""Alerts: found once, the same however often they are found, over when they are over."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from konectom.assessments import every_assessment
from konectom.errors import FieldInvalid, NotFound
from konectom.workflows.following.alerts import acknowledge, list_alerts
from konectom.workflows.following.findings import SPOILED_DAYS
from konectom.workflows.following.policies import set_policy
from konectom.workflows.following.reviews import patients_due
from konectom.workflows.observations.entering import enter_observation, retract_observation
from konectom.workflows.patients.schedules import create_schedule, delete_schedule
from konectom.workflows.sessions.ingest import ingest_session
from tests.probe import probe_of, probe_recording, recompute, session_body
from tests.workflows.following.following import FIRST, WEEK, alerts, kinds, patient, study, visit

__all__ = ["alerts", "patient", "study", "visit"]


def test_a_steady_course_gives_no_alert(visit, alerts):
    for week in range(0, 73, 12):
        visit(week, 3.0)
    assert alerts("all") == []


def test_a_confirmed_worsening_is_told_once_with_its_whole_definition(services, visit, alerts, patient, study, clock):
    for week, score in ((0, 3.0), (12, 3.0), (24, 4.0), (36, 4.0)):
        visit(week, score)
    (found,) = alerts()
    event_told = found["evidence"]["event"]
    assert (found["kind"], found["key"], found["patient"]) == ("confirmed_worsening", "obs.edss.step", str(patient))
    assert found["at"] == (FIRST + 36 * WEEK).isoformat()
    assert found["message"].startswith("Confirmed worsening since 2025-06-23 (from 3 to 4): Expanded Disability")
    assert (event_told["onset_at"], event_told["confirmed_at"]) == (
        (FIRST + 24 * WEEK).isoformat(),
        (FIRST + 36 * WEEK).isoformat(),
    )
    definition = found["evidence"]["definition"]
    assert f"{definition['name']}/{definition['version']}" == event_told["definition"]
    assert definition["confirmation"]["days"] == 84.0
    for week in (48, 60):
        visit(week, 4.0)
        clock.forward(days=2)
        assert [each["id"] for each in alerts("all")] == [found["id"]]
    assert list_alerts(services, study)["pending"] == 0


def test_an_unconfirmed_worsening_is_none(visit, alerts):
    for week, score in ((0, 3.0), (24, 4.0), (30, 4.0)):
        visit(week, score)
    assert alerts("all") == []


def test_what_was_acknowledged_stays_so(services, study, visit, alerts, clock):
    for week, score in ((0, 3.0), (24, 4.0), (36, 4.0)):
        visit(week, score)
    (found,) = alerts()
    told = acknowledge(services, study, UUID(found["id"]), by="Ada", note="seen at the visit")
    assert (told["acknowledged_by"], told["note"]) == ("Ada", "seen at the visit")
    clock.forward(days=2)
    again = acknowledge(services, study, UUID(found["id"]), by="Bob", note="")
    assert again == told
    visit(48, 4.5)
    assert alerts() == []
    assert alerts("acknowledged") == [told]


def test_a_visit_that_comes_late_moves_the_onset_and_not_the_alert(services, study, visit, alerts):
    for week, score in ((0, 3.0), (24, 4.0), (40, 4.0)):
        visit(week, score)
    (found,) = alerts()
    visit(20, 4.0)
    (moved,) = alerts("all")
    assert moved["id"] == found["id"]
    assert moved["evidence"]["event"]["onset_at"] == (FIRST + 20 * WEEK).isoformat()
    acknowledge(services, study, UUID(found["id"]), by="Ada")
    visit(18, 4.0)
    (seen,) = alerts("all")
    # What was acknowledged says what was seen.
    assert (seen["id"], seen["evidence"]) == (found["id"], moved["evidence"])


def test_another_definition_is_the_same_alert_where_it_is_the_same_change(services, study, visit, alerts):
    for week, score in ((0, 3.0), (24, 4.0), (36, 4.0), (48, 4.0), (60, 4.0)):
        visit(week, score)
    (found,) = alerts()
    acknowledge(services, study, UUID(found["id"]), by="Ada")
    set_policy(services, study, {"definitions": {"edss": "edss-cdw-24w/1"}})
    assert [each["id"] for each in alerts("all")] == [found["id"]]


def test_a_change_that_the_policy_no_longer_counts_ends_and_comes_back(services, study, visit, alerts):
    for week, score in ((0, 3.0), (24, 4.0), (38, 4.0)):
        visit(week, score)
    (found,) = alerts()
    set_policy(services, study, {"definitions": {"edss": "edss-cdw-24w/1"}})
    assert alerts() == []
    (ended,) = alerts("ended")
    assert ended["id"] == found["id"]
    set_policy(services, study, {})
    (back,) = alerts()
    assert (back["id"], back["ended_at"], back["found_at"]) == (found["id"], None, found["found_at"])


def test_a_retracted_value_takes_its_alert_along(services, patient, visit, alerts):
    visit(0, 3.0)
    visit(24, 4.0)
    wrong = visit(36, 4.0)
    (found,) = alerts()
    retract_observation(services, patient, UUID(wrong["id"]), reason="of another patient")
    assert alerts() == []
    assert [each["id"] for each in alerts("ended")] == [found["id"]]


def test_two_worsenings_are_two_alerts(services, study, visit, alerts):
    set_policy(services, study, {"definitions": {"edss": "edss-roving-cdw-12w/1"}})
    for week in range(0, 97, 12):
        visit(week, 2.0 + (week >= 24) + (week >= 60))
    found = alerts()
    assert sorted(each["evidence"]["event"]["onset_at"][:10] for each in found) == ["2025-06-23", "2026-03-02"]


def test_an_alarming_answer_is_an_alert_until_it_is_retracted(services, patient, alerts):
    items = {f"item_{number}": 0 for number in range(1, 10)}
    calm = enter_observation(services, patient, code="phq9", at=FIRST, values=items)
    assert calm.created
    assert alerts("all") == []
    told = enter_observation(services, patient, code="phq9", at=FIRST + WEEK, values=items | {"item_9": 1}).observation
    (found,) = alerts()
    assert (found["kind"], found["key"], found["at"]) == ("item_alarm", "obs.phq9", (FIRST + WEEK).isoformat())
    assert found["evidence"]["observation"] == told["id"]
    retract_observation(services, patient, UUID(told["id"]), reason="typing error")
    assert alerts() == []


def test_a_lapse_begins_ends_and_another_is_another(services, study, patient, alerts, clock, probe):
    create_schedule(services, study, assessment="probe", start="2026-11-02", time_zone="Europe/Paris")

    def perform():
        body = session_body(started_at=clock.now.isoformat())
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=body)

    perform()
    assert alerts() == []
    clock.forward(days=22)
    (first,) = alerts()
    assert (first["kind"], first["key"]) == ("lapsed", "probe")
    assert first["at"] == "2026-11-20T23:00:00+00:00"  # the beginning of the last day with a test, in Paris
    assert first["message"] == "No probe test since 2026-11-21, though it is scheduled."
    acknowledge(services, study, UUID(first["id"]), by="Ada", note="on holiday")
    clock.forward(days=7)
    assert alerts() == []
    perform()
    assert alerts("ended")[0]["id"] == first["id"]
    clock.forward(days=22)
    (second,) = alerts()
    assert second["id"] != first["id"]


def test_a_lapse_ends_with_its_schedule(services, study, patient, alerts, clock, probe):
    made = create_schedule(services, study, assessment="probe", start="2026-11-02")
    clock.forward(days=22)
    assert kinds(alerts()) == ["lapsed"]
    delete_schedule(services, study, UUID(made["id"]))
    assert alerts() == []


@pytest.fixture
def perform(services, patient, probe, monkeypatch):
    """Sends a probe that is usable or not."""

    def send(at, usable=True):
        body = session_body(probe_recording(x=[3.0] * (5 if usable else 2)), started_at=at.isoformat())
        return ingest_session(services, session_id=uuid4(), patient_id=patient, body=body).receipt

    return send


@pytest.fixture
def spoiling(monkeypatch, probe):
    """A probe of which a short recording is not usable."""
    monkeypatch.setitem(every_assessment(), "probe", probe_of(1, strict=True))


@pytest.mark.usefixtures("spoiling")
def test_a_run_of_spoiled_tests_is_one_alert_however_long(perform, alerts, clock):
    perform(clock.now - timedelta(days=1))
    for _ in range(2):
        perform(clock.now, usable=False)
        clock.forward(days=3)
    assert alerts() == []
    perform(clock.now, usable=False)
    (found,) = alerts()
    assert (found["kind"], found["key"], found["evidence"]["tests"]) == ("spoiled_tests", "probe", 3)
    assert found["message"] == "The last 3 probe tests cannot be used."
    # It goes on for longer than reviews look back, and a test of its beginning comes late.
    for _ in range(int(SPOILED_DAYS / 10) + 3):
        clock.forward(days=10)
        perform(clock.now, usable=False)
        assert [each["id"] for each in alerts("all")] == [found["id"]]
    perform(clock.now)
    assert alerts() == []
    assert [each["id"] for each in alerts("ended")] == [found["id"]]


@pytest.mark.usefixtures("spoiling")
def test_a_test_from_the_future_hides_no_spoiled_ones(perform, alerts, clock):
    perform(datetime(2099, 1, 1, tzinfo=UTC))
    for _ in range(3):
        perform(clock.now, usable=False)
        clock.forward(hours=1)
    assert kinds(alerts()) == ["spoiled_tests"]


@pytest.mark.usefixtures("spoiling")
def test_tests_that_were_never_usable(perform, alerts, clock):
    for _ in range(3):
        perform(clock.now, usable=False)
        clock.forward(hours=1)
    assert alerts()[0]["evidence"]["usable_at"] is None


def test_a_new_version_of_a_test_does_not_take_back_what_was_found(services, study, patient, alerts, clock, probe):
    set_policy(services, study, {"noise": ["patient"]})
    sent = []
    for week in range(0, 60):
        clock.now = FIRST + week * WEEK
        level = (2.0 if week < 24 else 9.0) + 0.1 * (week % 3)
        body = session_body(probe_recording(x=[level] * 5), started_at=clock.now.isoformat())
        sent.append(ingest_session(services, session_id=uuid4(), patient_id=patient, body=body).receipt["id"])
    found = [each for each in alerts() if each["key"] == "probe.level[left].mean"]
    assert kinds(found) == ["confirmed_worsening"]
    probe(version=2)
    recompute(services, sent[-1])
    clock.forward(days=2)
    # One value of version 2 is all that is compared now, and it says nothing of what was before.
    assert found[0] in alerts()


def test_alerts_are_narrowed_and_come_in_pages(services, people, study, visit, alerts):
    others = [people.patient(study) for _ in range(2)]
    for each in others:
        for week, score in ((0, 3.0), (24, 4.0), (36, 4.0)):
            visit(week, score, each)
    assert len(alerts()) == 2
    assert [each["patient"] for each in alerts(patient=others[1])] == [str(others[1])]
    assert alerts(kind="lapsed") == []
    first = list_alerts(services, study, limit=1)
    second = list_alerts(services, study, limit=1, cursor=first["next"])
    assert {first["items"][0]["patient"], second["items"][0]["patient"]} == set(map(str, others))
    assert second["next"] is None


@pytest.mark.parametrize(
    ("asked", "at"),
    [({"status": "new"}, "/query/status"), ({"kind": "x"}, "/query/kind"), ({"limit": 0}, "/query/limit")],
)
def test_what_cannot_be_asked_is_refused_before_anybody_is_reviewed(services, study, patient, asked, at):
    with pytest.raises(FieldInvalid) as refused:
        list_alerts(services, study, **asked)
    assert refused.value.at == at
    assert patients_due(services, study) == [patient]


def test_what_lies_in_another_study_is_not_found(services, people, study, visit, alerts):
    for week, score in ((0, 3.0), (24, 4.0), (36, 4.0)):
        visit(week, score)
    (found,) = alerts()
    other = people.study()
    assert list_alerts(services, other)["items"] == []
    for ask in (
        lambda: acknowledge(services, other, UUID(found["id"]), by="Ada"),
        lambda: acknowledge(services, study, uuid4(), by="Ada"),
        lambda: list_alerts(services, uuid4()),
        lambda: list_alerts(services, other, patient=UUID(found["patient"])),
    ):
        with pytest.raises(NotFound):
            ask()
    with pytest.raises(FieldInvalid) as refused:
        acknowledge(services, study, UUID(found["id"]), by="Ada", note="x" * 201)
    assert refused.value.at == "/note"
