"""What follows from a patient's scores: windows, definitions, versions, fates, and times that are no ordinary ones."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest

from konectom.assessments import every_assessment
from konectom.errors import FieldInvalid
from konectom.workflows.following.alerts import list_alerts
from konectom.workflows.following.policies import set_policy
from konectom.workflows.following.trends import patient_trends
from konectom.workflows.observations.entering import enter_observation
from konectom.workflows.sessions.ingest import ingest_session
from tests.probe import probe_of, probe_recording, recompute, session_body
from tests.workflows.following.following import FIRST, WEEK, patient, study, visit

__all__ = ["patient", "study", "visit"]
LEVEL = "probe.level[left].mean"
DAY = timedelta(days=1)

pytestmark = pytest.mark.usefixtures("probe")


@pytest.fixture
def perform(services, patient):
    """Sends a probe of this level (lower is better)."""

    def send(at, level, *, samples=5):
        at = at if isinstance(at, str) else at.isoformat()
        body = session_body(probe_recording(x=[level] * samples), started_at=at)
        return ingest_session(services, session_id=uuid4(), patient_id=patient, body=body).receipt["id"]

    return send


@pytest.fixture
def trend_of(services, patient):
    def ask(measure=LEVEL, **how):
        (trend,) = patient_trends(services, patient, measure=measure, **how)["trends"]
        return trend

    return ask


def fates(trend):
    return [point["fate"] for point in trend["points"]]


def wobble(week):
    """Noise without chance: about 2 % of a level of 5."""
    return 0.1 * ((7 * week) % 5 - 2)


@pytest.fixture
def course(services, study, clock, perform):
    """A probe a week over so many weeks; ``level`` says how the patient is in each."""

    def make(level, weeks=78):
        set_policy(services, study, {"noise": ["patient"]})
        for week in range(weeks):
            clock.now = FIRST + week * WEEK
            perform(clock.now, level(week) + wobble(week))

    return make


def test_a_planted_decline_is_a_confirmed_worsening_and_one_alert(services, study, course, trend_of, clock):
    course(lambda week: 5.0 if week < 30 else 7.0)
    trend = trend_of()
    (found,) = [each for each in trend["events"] if each["direction"] == "worsening"]
    onset = datetime.fromisoformat(found["onset_at"])
    assert abs(onset - (FIRST + 30 * WEEK)) <= 8 * WEEK
    assert datetime.fromisoformat(found["confirmed_at"]) - onset >= 11 * WEEK
    assert (found["reference_value"], found["value"]) == (pytest.approx(5.0, abs=0.2), pytest.approx(7.0, abs=0.2))
    assert trend["verdict"]["code"] == "confirmed_worsening"
    assert trend["slope"]["per_year"] > 0
    for _ in range(3):
        alerts = list_alerts(services, study, status="all")["items"]
        assert [(each["kind"], each["key"]) for each in alerts] == [("confirmed_worsening", LEVEL)]
        clock.forward(days=1)


def test_a_steady_course_has_neither_event_nor_alert(services, study, course, trend_of):
    course(lambda week: 5.0)
    trend = trend_of()
    assert (trend["events"], trend["verdict"]["code"]) == ([], "no_change")
    assert trend["slope"]["low"] <= 0 <= trend["slope"]["high"]
    assert trend["bands"]["low"] < 5.0 < trend["bands"]["high"]
    assert list_alerts(services, study, status="all")["items"] == []


def test_the_window_is_the_callers_where_one_is_asked_for(services, study, perform, trend_of):
    for day in range(60):
        perform(FIRST + day * DAY, 5.0 + day)
    trend = trend_of()
    assert (trend["window_days"], trend["baseline"]["n"]) == (14.0, 14)  # but for the first run, of practice
    asked = trend_of(window=7)
    assert (asked["window_days"], asked["baseline"]["n"], asked["baseline"]["value"]) == (7.0, 7, 9.0)
    assert len(asked["aggregates"]) == 9
    # Where tests are rare the study's windows are widened; one that was asked for is as it was asked for.
    assert trend_of(window=2)["aggregates"][0]["absent"] == "too_few_tests"
    set_policy(services, study, {"window_days": 28})
    assert trend_of()["window_days"] == 28.0
    with pytest.raises(FieldInvalid) as refused:
        trend_of(window=500)
    assert refused.value.at == "/query/window"


def test_the_definition_is_the_callers_where_one_is_asked_for(visit, trend_of, services, patient):
    for week, score in ((0, 3.0), (12, 4.0), (26, 4.0)):
        visit(week, score)
    edss = "obs.edss.step"
    assert [each["definition"] for each in trend_of(edss)["events"]] == ["edss-roving-cdw-12w/1"]
    assert trend_of(edss)["definition"]["confirmation"]["days"] == 84
    asked = trend_of(edss, definition="edss-cdw-24w/1")
    assert (asked["events"], asked["definition"]["name"]) == ([], "edss-cdw-24w")
    visit(40, 4.0)
    (event,) = trend_of(edss, definition="edss-cdw-24w/1")["events"]
    assert event["definition"] == "edss-cdw-24w/1"
    for wrong in ("edss-cdw-24w", "sdmt-4-12w/1"):
        with pytest.raises(FieldInvalid) as refused:
            trend_of(edss, definition=wrong)
        assert refused.value.at == "/query/definition"
    with pytest.raises(FieldInvalid):  # also of a patient of whom nothing is known
        patient_trends(services, patient, definition="none/1", measure=LEVEL)


def test_from_hides_and_does_not_change_what_follows(visit, trend_of):
    for week in range(0, 97, 12):
        visit(week, 3.0 + (week >= 36))
    whole, part = trend_of("obs.edss.step"), trend_of("obs.edss.step", start=FIRST + 60 * WEEK)
    assert [point["at"] for point in part["points"]] == [point["at"] for point in whole["points"][5:]]
    assert part["aggregates"] == whole["aggregates"][5:]
    hidden = {"points", "aggregates"}
    assert {name: part[name] for name in part.keys() - hidden} == {name: whole[name] for name in whole.keys() - hidden}
    assert part["baseline"]["index"] == 0
    assert [point["aggregate"] for point in part["points"]] == [5, 6, 7, 8]


def test_to_tells_all_as_it_was_then(visit, trend_of):
    for week, score in ((0, 3.0), (12, 4.0)):
        visit(week, score)
    then = trend_of("obs.edss.step")
    for week in (24, 36):
        visit(week, 4.0)
    assert trend_of("obs.edss.step")["verdict"]["code"] == "confirmed_worsening"
    assert trend_of("obs.edss.step", end=FIRST + 12 * WEEK) == then


def test_as_of_then_a_patient_had_not_lapsed(course, trend_of, clock):
    course(lambda week: 5.0, weeks=40)
    last = clock.now
    clock.forward(days=200)
    assert trend_of()["verdict"]["code"] == "lapsed"
    assert trend_of()["verdict"]["lapsed_since_at"] == last.isoformat()
    assert trend_of(end=last + DAY)["verdict"]["code"] == "no_change"


def test_versions_are_told_and_never_compared(perform, trend_of, probe, services):
    first = [perform(FIRST + day * DAY, 5.0) for day in range(10)]
    probe(version=2)  # its values are twice as large
    for day in range(10, 20):
        perform(FIRST + day * DAY, 5.0)
    trend = trend_of()
    assert (trend["versions"], trend["version"]) == ([1, 2], 2)
    assert fates(trend) == ["other_version"] * 10 + ["counted"] * 10
    assert (trend["baseline"]["value"], trend["change"]) == (10.0, None)
    assert any("computed by version 1" in note for note in trend["notes"])
    for each in first:
        recompute(services, each)
    trend = trend_of()
    assert (trend["versions"], fates(trend)) == ([2], ["run_in"] + ["counted"] * 19)
    assert trend["change"]["amount"] == 0.0
    assert not any("version" in note for note in trend["notes"])


def test_every_point_says_what_became_of_it(perform, trend_of, monkeypatch, clock):
    monkeypatch.setitem(every_assessment(), "probe", probe_of(1, strict=True))
    perform(FIRST, 5.0)
    for day in range(1, 4):
        perform(FIRST + day * DAY, 5.0)
    perform(FIRST + 4 * DAY, 50.0, samples=2)
    perform(clock.now + 2 * DAY, 90.0)
    trend = trend_of()
    assert fates(trend) == ["run_in", "counted", "counted", "counted", "not_usable", "in_future"]
    assert [point["aggregate"] for point in trend["points"]] == [None, 0, 0, 0, None, None]
    assert [point["run"] for point in trend["points"]] == [1, 2, 3, 4, 5, 6]
    assert (trend["now"]["value"], trend["now"]["n"]) == (5.0, 3)


def test_a_patient_with_no_value_of_the_score_has_no_trend(services, patient):
    assert patient_trends(services, patient)["trends"] == []
    assert patient_trends(services, patient, measure=LEVEL)["trends"] == []


def test_one_point_is_told_with_reasons_for_the_rest(perform, trend_of, visit):
    perform(FIRST, 5.0)
    trend = trend_of()
    nothing = ("baseline", "now", "change", "slope", "bands")
    assert {name: trend[name] for name in nothing} == dict.fromkeys(nothing)
    assert set(nothing) <= trend["absent"].keys()
    assert all(reason["message"] for reason in trend["absent"].values())
    visit(0, 3.0)
    trend = trend_of("obs.edss.step")
    assert (trend["baseline"]["value"], trend["now"]["value"]) == (3.0, 3.0)
    assert trend["absent"]["change"]["code"] == "one_value"
    assert trend["events"] == []


def test_a_years_gap_is_neither_filled_nor_a_confirmation(services, study, perform, trend_of, clock):
    set_policy(services, study, {"noise": ["patient"]})
    for week in range(40):
        perform(FIRST + week * WEEK, (5.0 if week < 36 else 7.0) + wobble(week))
    clock.now = FIRST + 96 * WEEK
    for week in range(92, 96):
        perform(FIRST + week * WEEK, 7.0 + wobble(week))
    trend = trend_of()
    assert trend["events"] == []
    assert trend["verdict"]["code"] == "worse_unconfirmed"
    starts = [datetime.fromisoformat(each["start"]) for each in trend["aggregates"]]
    assert max(later - earlier for earlier, later in pairwise(starts)) > 50 * WEEK


@pytest.mark.parametrize(
    ("days", "offsets"),
    [
        (("2026-03-28", "2026-03-29", "2026-03-30"), ("+01:00", "+02:00", "+02:00")),
        (("2026-10-24", "2026-10-25", "2026-10-26"), ("+02:00", "+01:00", "+01:00")),
    ],
)
def test_where_clocks_change_times_keep_their_offsets_and_order(perform, trend_of, days, offsets):
    told = [f"{day}T08:00:00{offset}" for day, offset in zip(days, offsets, strict=True)]
    for at in reversed(told):
        perform(at, 5.0)
    assert [point["at"] for point in trend_of()["points"]] == told


def test_an_hour_that_is_there_twice_is_two_hours(perform, trend_of):
    for at, level in (("2026-10-25T02:30:00+01:00", 2.0), ("2026-10-25T02:30:00+02:00", 1.0)):
        perform(at, level)
    assert [point["value"] for point in trend_of()["points"]] == [1.0, 2.0]


def test_a_journey_changes_the_clock_and_not_the_order(perform, trend_of):
    told = ["2026-11-01T23:00:00+13:00", "2026-11-01T09:00:00-04:00", "2026-11-01T20:00:00+05:30"]
    for level, at in enumerate(told):
        perform(at, float(level))
    assert [(point["at"], point["value"]) for point in trend_of()["points"]] == [
        (told[0], 0.0),
        (told[1], 1.0),
        (told[2], 2.0),
    ]


@pytest.mark.parametrize(
    "at", ["9999-12-31T23:59:59.999999+00:00", "9999-12-31T20:00:00-03:00", "2099-01-01T00:00:00+00:00"]
)
def test_what_lies_in_the_future_is_told_and_left_out(perform, trend_of, at):
    for day in range(5):
        perform(FIRST + day * DAY, 5.0)
    before = trend_of()
    perform(at, 99.0)
    trend = trend_of()
    assert fates(trend)[-1] == "in_future"
    assert datetime.fromisoformat(trend["points"][-1]["at"]) == datetime.fromisoformat(at)
    same = ("baseline", "now", "aggregates", "change", "slope", "events", "verdict")
    assert {name: trend[name] for name in same} == {name: before[name] for name in same}
    assert any("dated in the future" in note for note in trend["notes"])


def test_the_beginning_of_all_years_can_be_told(perform, trend_of):
    perform("0001-01-02T00:00:00+00:00", 5.0)
    assert trend_of()["points"][0]["at"] == "0001-01-02T00:00:00+00:00"


def test_two_observations_of_one_instant_are_one_value(services, patient, trend_of):
    for source, step in (("Dr A", 3.0), ("Dr B", 4.0)):
        enter_observation(services, patient, code="edss", at=FIRST, values={"step": step}, source=source)
    trend = trend_of("obs.edss.step")
    assert sorted((point["source"], point["value"]) for point in trend["points"]) == [("Dr A", 3.0), ("Dr B", 4.0)]
    assert (len(trend["aggregates"]), trend["now"]["value"], trend["now"]["n"]) == (1, 3.5, 2)


def test_what_was_found_the_day_before_the_first_is_the_new_first(visit, trend_of):
    visit(12, 4.0)
    assert trend_of("obs.edss.step")["baseline"]["value"] == 4.0
    visit(0, 3.0)
    assert trend_of("obs.edss.step")["baseline"]["at"] == datetime(2025, 1, 6, 10, tzinfo=UTC).isoformat()
