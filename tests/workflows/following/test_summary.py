"""The summary: a line for each score, how schedules were kept, how many alerts are open."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from konectom.errors import NotFound
from konectom.workflows.following.alerts import acknowledge
from konectom.workflows.following.summary import patient_summary
from konectom.workflows.following.trends import patient_trends
from konectom.workflows.observations.entering import enter_observation
from konectom.workflows.patients.schedules import create_schedule
from konectom.workflows.sessions.ingest import ingest_session
from tests.probe import session_body
from tests.workflows.following.following import FIRST, WEEK, alerts, patient, study, visit

__all__ = ["alerts", "patient", "study", "visit"]


def line_of(services, patient, key="obs.edss.step", **how):
    return {each["key"]: each for each in patient_summary(services, patient, **how)["scores"]}[key]


def test_a_patient_of_whom_nothing_is_known(services, patient, clock):
    assert patient_summary(services, patient) == {
        "patient": str(patient),
        "as_of": clock.now.isoformat(),
        "scores": [],
        "schedules": [],
        "open_alerts": 0,
        "withheld": [],
    }


def test_one_value_is_nothing_to_compare_with(services, patient, visit):
    visit(0, 3.0)
    line = line_of(services, patient)
    assert (line["now"]["value"], line["baseline"]["value"], line["change"], line["slope"]) == (3.0, 3.0, None, None)
    assert line["verdict"]["words"] == "One value: nothing to compare with."
    assert (line["values"], line["last_at"]) == (1, FIRST.isoformat())


def test_a_course_is_one_line(services, patient, visit):
    for week, score in ((0, 3.0), (12, 3.0), (24, 4.0), (36, 4.0)):
        visit(week, score)
    line = line_of(services, patient)
    assert (line["baseline"]["value"], line["now"]["value"]) == (3.0, 4.0)
    assert (line["change"]["direction"], line["change"]["amount"], line["change"]["share"]) == ("worse", 1.0, None)
    assert line["change"]["absent"]["share"] == "not_a_ratio"
    assert line["verdict"]["code"] == "confirmed_worsening"
    assert line["verdict"]["words"] == "Confirmed worsening since 2025-06-23 (12 weeks)."


def test_a_line_says_what_the_trend_says(services, patient, visit):
    for week, score in ((0, 3.0), (12, 3.5), (24, 4.0), (36, 4.0), (48, 4.5), (60, 4.0)):
        visit(week, score)
    line, trend = line_of(services, patient), patient_trends(services, patient, measure="obs.edss.step")["trends"][0]
    shared = line.keys() & trend.keys()
    assert {"baseline", "now", "change", "slope", "verdict", "norms", "notes", "unit", "better"} <= shared
    assert {name: line[name] for name in shared} == {name: trend[name] for name in shared}


def test_a_years_gap_is_no_confirmation(services, patient, visit):
    visit(0, 3.0)
    visit(24, 4.0)
    assert line_of(services, patient)["verdict"]["code"] == "worse_unconfirmed"
    visit(90, 3.0)
    line = line_of(services, patient)
    assert (line["now"]["value"], line["verdict"]["code"]) == (3.0, "no_change")


def test_as_of_an_earlier_day_all_is_as_it_was(services, study, patient, visit, alerts, clock, probe):
    create_schedule(services, study, assessment="probe", patient=patient, start="2026-11-02")
    for week, score in ((0, 3.0), (24, 4.0)):
        visit(week, score)
    body = session_body(started_at="2026-11-17T10:00:00+01:00")
    ingest_session(services, session_id=uuid4(), patient_id=patient, body=body)
    assert alerts() == []
    before, then = patient_summary(services, patient), clock.now
    assert (before["open_alerts"], before["schedules"][0]["due"]) == (0, 2)
    clock.forward(days=21)
    visit(36, 4.0)
    worse, lapsed = sorted(alerts(), key=lambda each: each["kind"])
    assert (worse["kind"], lapsed["kind"]) == ("confirmed_worsening", "lapsed")
    now = patient_summary(services, patient)
    assert (now["open_alerts"], now["schedules"][0]["due"], now["schedules"][0]["lapsed_since"]) == (2, 5, "2026-11-17")
    acknowledge(services, study, UUID(worse["id"]), by="Ada")
    assert patient_summary(services, patient)["open_alerts"] == 1
    past = patient_summary(services, patient, end=then)
    assert (past["as_of"], past["open_alerts"]) == (then.isoformat(), 0)
    assert past["schedules"] == before["schedules"]
    # Of visits only their own day counts, not the day on which they were entered.
    visits_then = patient_summary(services, patient, end=FIRST + 24 * WEEK)["scores"]
    assert [each["values"] for each in visits_then] == [2]


def test_a_day_in_the_future_is_now(services, patient, clock):
    assert patient_summary(services, patient, end=datetime(2099, 1, 1, tzinfo=UTC))["as_of"] == clock.now.isoformat()


def test_a_schedule_is_one_line(services, study, patient, probe, clock):
    made = create_schedule(services, study, assessment="probe", patient=patient, start="2026-11-02", times=2)
    for day in (2, 3, 9):
        body = session_body(started_at=f"2026-11-0{day}T10:00:00+01:00")
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=body)
    assert patient_summary(services, patient)["schedules"] == [
        {
            "schedule": made["id"],
            "assessment": "probe",
            "due": 4,
            "done": 3,
            "late": 0,
            "missed": 1,
            "extra": 0,
            "share": 0.75,
            "lapsed_since": None,
        }
    ]


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59.999999+00:00", "2099-06-01T10:00:00+02:00"])
def test_the_last_value_is_not_one_of_the_future(services, patient, probe, at):
    for started_at in ("2026-11-02T10:00:00+01:00", at):
        body = session_body(started_at=started_at)
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=body)
    line = line_of(services, patient, "probe.samples")
    assert (line["values"], line["last_at"]) == (1, "2026-11-02T10:00:00+01:00")
    assert any("dated in the future" in note for note in line["notes"])


def test_nothing_but_the_future(services, patient, probe):
    body = session_body(started_at="2099-06-01T10:00:00+02:00")
    ingest_session(services, session_id=uuid4(), patient_id=patient, body=body)
    line = line_of(services, patient, "probe.samples")
    assert (line["values"], line["last_at"], line["now"], line["verdict"]["code"]) == (0, None, None, "no_values")


def test_norms_stand_beside_the_present_value(services, people, study):
    patient = people.patient(study, birth_year=1970, sex="female", height_m=1.65, mass_kg=60)
    enter_observation(
        services,
        patient,
        code="sixmwt",
        at=FIRST + timedelta(hours=1),
        values={"distance": {"value": 520.0, "unit": "m"}},
    )
    line = line_of(services, patient, "obs.sixmwt.distance")
    assert {each["norm"] for each in line["norms"]} >= {"sixmwt_enright_1998/1"}


def test_a_patient_who_is_not_there_is_not_found(services):
    with pytest.raises(NotFound):
        patient_summary(services, uuid4())
