"""Courses of clinical values, entered and imported, as trends: points, baseline, confirmed changes, relapses."""

import pytest

from konectom.scoring.progression import DEFINITIONS
from konectom.workflows.access.service_tokens import issue_service_token
from tests.api.client import Caller, first_error

HEADER = "patient,code,at,component,value,unit,id,source,note"


@pytest.fixture
def ada(people):
    study = people.study()
    return study, people.patient(study, "P-001")


@pytest.fixture
def load(staff, ada):
    """Import lines of code, day, component, value and unit."""

    def load(*lines):
        rows = [
            f"P-001,{code},{day},{component},{value},{unit},,,"
            for code, day, component, value, unit in (line.split() + [""] * (5 - len(line.split())) for line in lines)
        ]
        body = "\n".join((HEADER, *rows)).encode()
        headers = {"Content-Type": "text/csv"}
        told = staff.post(f"/studies/{ada[0]}/observations?time_zone=Europe/Paris", data=body, headers=headers).json
        assert told["problems"] == []
        return told["entered"]

    return load


@pytest.fixture
def trend(staff, ada):
    def trend(measure, **query):
        query = {"measure": measure} | query
        (only,) = staff.get(f"/patients/{ada[1]}/trends", query_string=query).json["trends"]
        return only

    return trend


@pytest.fixture
def retract(staff, ada):
    def retract(code, day):
        listed = staff.get(f"/patients/{ada[1]}/observations?code={code}").json["items"]
        (number,) = [each["id"] for each in listed if each["at"].startswith(day)]
        path = f"/patients/{ada[1]}/observations/{number}/retraction"
        assert staff("PUT", path, json={"reason": "wrong"}).status_code == 200

    return retract


def told(event):
    return event["direction"], event["onset_at"][:10], event["confirmed_at"][:10], event["kind"]


EDSS = (
    "edss 2025-01-14 step 3",
    "edss 2025-04-15 step 3",
    "edss 2025-07-15 step 4",
    "edss 2025-10-14 step 4",
    "edss 2026-01-13 step 4.5",
)
"""From 3, the step that counts is 1; 4 holds from July, and October is 13 weeks later, January 26."""


def test_a_course_of_edss_has_points_a_baseline_and_a_confirmed_worsening(load, trend):
    load(*EDSS)
    found = trend("obs.edss.step")
    assert [(each["at"], each["value"], each["fate"]) for each in found["points"]] == [
        ("2025-01-14T12:00:00+01:00", 3.0, "counted"),
        ("2025-04-15T12:00:00+02:00", 3.0, "counted"),
        ("2025-07-15T12:00:00+02:00", 4.0, "counted"),
        ("2025-10-14T12:00:00+02:00", 4.0, "counted"),
        ("2026-01-13T12:00:00+01:00", 4.5, "counted"),
    ]
    assert (found["baseline"]["value"], found["now"]["value"], found["change"]["amount"]) == (3.0, 4.5, 1.5)
    assert [told(each) for each in found["events"]] == [("worsening", "2025-07-15", "2025-10-14", None)]
    assert (found["events"][0]["reference_value"], found["events"][0]["threshold"]) == (3.0, 1.0)
    assert found["verdict"]["code"] == "confirmed_worsening"


@pytest.mark.parametrize(
    ("definition", "confirmed"),
    [("edss-cdw-12w/1", "2025-10-14"), ("edss-cdw-24w/1", "2026-01-13"), ("edss-roving-cdw-24w/1", "2026-01-13")],
)
def test_a_definition_may_be_asked_for_and_stands_in_the_answer_in_full(load, trend, definition, confirmed):
    load(*EDSS)
    found = trend("obs.edss.step", definition=definition)
    assert [each["confirmed_at"][:10] for each in found["events"]] == [confirmed]
    assert {each["definition"] for each in found["events"]} == {definition}
    assert found["definition"] == DEFINITIONS[definition].as_dict()


def test_an_unknown_definition_is_refused(load, staff, ada):
    load(*EDSS)
    answer = staff.get(f"/patients/{ada[1]}/trends?measure=obs.edss.step&definition=edss-cdw-13w/1")
    assert (answer.status_code, answer.json["at"]) == (422, "/query/definition")


def test_the_step_from_5_5_is_a_half_or_a_whole_one_as_the_definition_says(load, trend):
    load("edss 2025-01-14 step 5.5", "edss 2025-04-15 step 6", "edss 2025-10-14 step 6")
    assert len(trend("obs.edss.step")["events"]) == 1
    assert trend("obs.edss.step", definition="edss-5.5-cdw-12w/1")["events"] == []


def test_as_of_an_earlier_day_what_came_later_is_not_known(load, trend):
    load(*EDSS)
    found = trend("obs.edss.step", to="2025-10-13T00:00:00Z")
    assert len(found["points"]) == 3
    assert found["events"] == []
    assert found["verdict"]["code"] == "worse_unconfirmed"
    assert len(trend("obs.edss.step", to="2025-10-15T00:00:00Z")["events"]) == 1


def test_from_leaves_points_out_and_the_baseline_as_it_was(load, trend):
    load(*EDSS)
    found = trend("obs.edss.step", **{"from": "2025-07-01T00:00:00Z"})
    assert len(found["points"]) == 3
    assert found["baseline"]["value"] == 3.0
    assert len(found["events"]) == 1


def test_a_step_that_follows_from_functional_systems_counts_like_a_given_one(load, trend, staff, ada):
    systems = dict.fromkeys(("visual", "brainstem", "cerebellar", "sensory", "bowel_bladder", "cerebral"), 0)
    systems |= {"pyramidal": 3, "ambulation": 0}
    body = {"code": "edss", "at": "2025-01-14T12:00:00+01:00", "values": systems}
    assert staff.post(f"/patients/{ada[1]}/observations", json=body).status_code == 201
    load(*EDSS[1:])
    found = trend("obs.edss.step")
    assert found["points"][0]["value"] == 3.0
    assert len(found["events"]) == 1


def test_a_value_that_was_retracted_no_longer_counts(load, trend, retract):
    load(*EDSS)
    retract("edss", "2025-07-15")
    found = trend("obs.edss.step")
    assert [each["value"] for each in found["points"]] == [3.0, 3.0, 4.0, 4.5]
    # Now the worsening begins in October, and January, 13 weeks later, confirms it.
    assert [told(each) for each in found["events"]] == [("worsening", "2025-10-14", "2026-01-13", None)]
    retract("edss", "2026-01-13")
    assert trend("obs.edss.step")["events"] == []


def test_a_patient_whose_only_value_was_retracted_has_no_trend(load, staff, ada, retract):
    load(EDSS[0])
    retract("edss", "2025-01-14")
    assert staff.get(f"/patients/{ada[1]}/trends?measure=obs.edss.step").json["trends"] == []


@pytest.fixture
def recorded(staff, ada):
    """Relapses of the study are on record."""
    assert staff("PUT", f"/studies/{ada[0]}/policy", json={"relapses_since": "2024-01-01"}).status_code == 200


PIRA = "edss-pira-cagol-2022-12w/1"
"""RAW: a relapse in the 90 days before the onset. PIRA: none from 90 days before the onset to the confirmation."""


@pytest.mark.parametrize(
    ("relapses", "kind"),
    [
        ([], "PIRA"),
        (["2024-06-01"], "PIRA"),
        (["2024-06-01", "2025-06-20"], "RAW"),
        (["2024-06-01", "2025-08-20"], "undefined"),
    ],
)
def test_a_relapse_decides_between_raw_and_pira(load, trend, recorded, relapses, kind):
    load(*EDSS, *[f"relapse {onset} onset {onset}" for onset in relapses])
    events = trend("obs.edss.step", definition=PIRA)["events"]
    assert [each["kind"] for each in events] == [kind]


@pytest.mark.parametrize(("since", "kind"), [(None, "undefined"), ("2025-05-01", "undefined"), ("2025-01-01", "PIRA")])
def test_nothing_is_independent_of_relapses_that_nobody_recorded(load, trend, staff, ada, since, kind):
    load(*EDSS)
    staff("PUT", f"/studies/{ada[0]}/policy", json={"relapses_since": since})
    assert [each["kind"] for each in trend("obs.edss.step", definition=PIRA)["events"]] == [kind]


def test_a_relapse_that_was_retracted_no_longer_makes_a_worsening_raw(load, trend, recorded, retract):
    load(*EDSS, "relapse 2024-06-01 onset 2024-06-01", "relapse 2025-06-20 onset 2025-06-20")
    retract("relapse", "2025-06-20")
    assert [each["kind"] for each in trend("obs.edss.step", definition=PIRA)["events"]] == ["PIRA"]


def test_a_relapse_that_was_told_later_is_not_known_before(load, trend, recorded):
    """Entered with its visit in December, it bears on an answer as of December, not on one as of November."""
    load(*EDSS, "relapse 2024-06-01 onset 2024-06-01", "relapse 2025-12-01 onset 2025-06-20")
    before = trend("obs.edss.step", definition=PIRA, to="2025-11-01T00:00:00Z")
    assert [each["kind"] for each in before["events"]] == ["PIRA"]
    after = trend("obs.edss.step", definition=PIRA, to="2025-12-02T00:00:00Z")
    assert [each["kind"] for each in after["events"]] == ["RAW"]


def visits(code, component, unit, *values):
    days = ("2025-01-14", "2025-04-15", "2025-07-15", "2025-10-14", "2026-01-13")
    return [f"{code} {day} {component} {value} {unit}" for day, value in zip(days, values, strict=False)]


def test_sdmt_worsens_by_eight_points_downwards_or_by_four_where_asked(load, trend):
    load(*visits("sdmt", "correct", "", 52, 55, 48, 47, 48))
    found = trend("obs.sdmt.correct")
    assert (found["events"], found["definition"]["name"]) == ([], "sdmt-8-roving-12w")
    asked = trend("obs.sdmt.correct", definition="sdmt-4-12w/1")["events"]
    assert [told(each) for each in asked] == [("worsening", "2025-07-15", "2025-10-14", None)]


def test_the_walk_worsens_by_a_fifth_in_any_unit(load, trend):
    """20 % of 5.0 s are 1.0 s: 5.9 s is not enough, 6000 ms is."""
    load(*visits("t25fw", "trial_1", "s", 5.0, 5.9, 5.9, 5.9))
    assert trend("obs.t25fw.time")["events"] == []
    load("t25fw 2026-02-10 trial_1 6000 ms", "t25fw 2026-06-10 trial_1 6200 ms")
    found = trend("obs.t25fw.time")
    assert [told(each) for each in found["events"]] == [("worsening", "2026-02-10", "2026-06-10", None)]
    assert [each["value"] for each in found["points"][-2:]] == [pytest.approx(6.0), pytest.approx(6.2)]


def test_a_walk_that_could_not_be_done_is_no_value_and_says_so(load, staff, ada, trend):
    load(*visits("t25fw", "trial_1", "s", 5.0, 5.2), "t25fw 2025-07-15 unable yes")
    assert len(trend("obs.t25fw.time")["points"]) == 2
    *_, last = staff.get(f"/patients/{ada[1]}/observations?code=t25fw").json["items"]
    assert last["absent"] == {"time": "unable", "speed": "unable"}


def test_after_a_gap_of_years_a_change_is_not_called_confirmed(load, trend):
    """Nothing says when the change began to hold: the next visit comes more than two years after it was due."""
    load("edss 2020-01-14 step 3", "edss 2020-04-14 step 4", "edss 2023-04-15 step 4")
    found = trend("obs.edss.step")
    assert found["events"] == []
    assert found["verdict"]["code"] == "worse_unconfirmed"


def test_one_value_is_nothing_to_compare_with_and_says_so(load, trend):
    load(EDSS[0])
    found = trend("obs.edss.step")
    assert (found["verdict"]["code"], found["change"], found["events"]) == ("one_value", None, [])
    assert {"change", "slope"} <= found["absent"].keys()


def test_visits_on_either_side_of_a_change_of_the_clocks_are_whole_days_apart(load, trend):
    """84 days from the last Saturday of winter time, told as days: neither an hour too few nor too many."""
    load("edss 2026-01-03 step 3", "edss 2026-03-28 step 4", "edss 2026-06-20 step 4")
    assert [told(each)[1:3] for each in trend("obs.edss.step")["events"]] == [("2026-03-28", "2026-06-20")]


def test_the_summary_has_a_line_for_it(load, staff, ada):
    load(*EDSS)
    (line,) = staff.get(f"/patients/{ada[1]}/summary").json["scores"]
    assert (line["key"], line["verdict"]["code"]) == ("obs.edss.step", "confirmed_worsening")


def test_a_phone_is_not_told_what_others_found(load, trend, callers, ada):
    load(*EDSS)
    assert trend("obs.edss.step")["points"]
    phone = callers.phone(ada[1])
    for path in (f"/patients/{ada[1]}/trends", f"/patients/{ada[1]}/trends?measure=obs.edss.step"):
        assert phone.get(path).json["trends"] == []


def test_who_can_no_longer_walk_is_not_told_as_unchanged(load, trend, staff, ada):
    load("t25fw 2025-01-14 trial_1 6.0 s", "t25fw 2025-04-15 trial_1 6.1 s", "t25fw 2025-07-15 unable yes")
    found = trend("obs.t25fw.time")
    assert found["verdict"]["code"] == "unable"
    assert found["verdict"]["words"].startswith("Could not do the test on 2025-07-15; before that: ")
    assert trend("obs.t25fw.time", to="2025-07-01T00:00:00Z")["verdict"]["code"] != "unable"
    (alert,) = staff.get(f"/studies/{ada[0]}/alerts").json["items"]
    assert (alert["kind"], alert["key"], alert["evidence"]["flag"]) == ("item_alarm", "obs.t25fw", "unable")
    load("t25fw 2025-10-14 trial_1 9.0 s")
    assert trend("obs.t25fw.time")["verdict"]["code"] != "unable"


@pytest.fixture
def program(callers, services, ada):
    """Makes a program of the study that may do these things."""

    def program(*permissions):
        issued = issue_service_token(services, name="x", permissions=permissions, study_id=ada[0])
        return Caller(callers.client, issued.token)

    return program


def test_a_program_sees_what_clinicians_found_only_if_its_token_says_so(program, load, ada):
    load("edss 2025-01-14 step 3", "t25fw 2025-01-14 trial_1 5 s")
    study, patient = ada
    for permission, path, name in (("trend.read", "trends", "trends"), ("summary.read", "summary", "scores")):
        narrow, wide = program(permission), program(permission, "observation.read")
        assert narrow.get(f"/patients/{patient}/{path}").json[name] == []
        assert {each["key"] for each in wide.get(f"/patients/{patient}/{path}").json[name]} >= {"obs.edss.step"}
    assert program("trend.read").get(f"/patients/{patient}/trends?measure=obs.edss.step").json["trends"] == []
    narrow, wide = program("reliability.read"), program("reliability.read", "observation.read")
    for query, at in (
        ("measure=obs.edss.step", "measure"),
        ("measure=obs.edss", "measure"),
        ("measure=tap.valid_taps[left]&references=obs.edss.step", "references"),
        ("measure=tap.valid_taps[left]&groups=obs.edss.step>=3", "groups"),
    ):
        answer = narrow.get(f"/studies/{study}/reliability?{query}")
        assert first_error(answer) == (403, "not_permitted", f"/query/{at}"), query
    assert wide.get(f"/studies/{study}/reliability?measure=obs.edss.step").status_code == 200
