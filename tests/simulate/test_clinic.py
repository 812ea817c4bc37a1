"""What the clinic finds follows the simulated course, and can be entered."""

from datetime import UTC, date, datetime, timedelta
from math import log

import pytest

from konectom.scoring.scales import find_scale
from konectom.simulate.clinic import EDSS_START, EVERY_WEEKS, TRIAL_NOISE, clinic_findings
from konectom.simulate.cohort import QUANTITIES, simulate_cohort
from konectom.simulate.patients import COURSES, simulate_patient, visits

START = date(2025, 1, 6)


def found(course, weeks=80, seed=3):
    patient = simulate_patient(1, COURSES[course], QUANTITIES, seed)
    return patient, list(clinic_findings(patient, start=START, weeks=weeks))


def scores(findings, code):
    scale = find_scale(code)
    return [scale.score(each.values, on=each.at.date()).values for each in findings if each.code == code]


def test_visits_are_24_weeks_apart_and_the_same_for_the_same_seed():
    _, findings = found("steady", weeks=49)
    days = sorted({each.at.date() for each in findings})
    assert days == [START + timedelta(weeks=week) for week in (0, 24, 48)]
    assert [each.code for each in findings] == ["edss", "sdmt", "t25fw"] * 3
    assert found("steady", weeks=49)[1] == findings
    assert found("steady", weeks=48)[1] == findings[:6]
    assert found("steady", weeks=49, seed=4)[1] != findings


@pytest.mark.parametrize("course", COURSES)
def test_what_is_found_follows_the_course(course):
    patient, findings = found(course)
    burdens = [patient.course.burden(week) for week in range(0, 80, EVERY_WEEKS)]
    for key, code, sign in (("correct", "sdmt", -1), ("time", "t25fw", 1)):
        values = [each[key] for each in scores(findings, code)]
        # Noise, and the rounding to whole answers or tenths of a second.
        allowed = 4 * TRIAL_NOISE * 2**0.5 + 0.03
        for value, burden in zip(values, burdens, strict=True):
            assert sign * log(value / values[0]) == pytest.approx(burden - burdens[0], abs=allowed)
    steps = [each["step"] for each in scores(findings, "edss")]
    assert steps[0] == EDSS_START
    assert steps == [EDSS_START + round(20 * burden) / 2 for burden in burdens]


def test_a_relapse_is_told_at_the_visit_after_it():
    _, findings = found("relapse")
    (relapse,) = [each for each in findings if each.code == "relapse"]
    onset = START + timedelta(weeks=COURSES["relapse"].relapse_week)
    assert relapse.values == {"onset": onset.isoformat()}
    assert relapse.at.date() == onset
    assert findings.index(relapse) == 3
    assert [each.code for each in found("relapse", weeks=24)[1]] == ["edss", "sdmt", "t25fw"]


def test_everything_found_of_a_cohort_can_be_entered():
    for patient in simulate_cohort(40, seed=7):
        findings = list(clinic_findings(patient, start=START, weeks=260))
        times = [each.at for each in findings]
        assert times == sorted(times)
        assert times[0] > datetime(2025, 1, 5, tzinfo=UTC)
        for each in findings:
            scored = find_scale(each.code).score(each.values, on=each.at.date())
            assert scored.values
            assert [flag.code for flag in scored.flags] == []


def test_the_clinic_takes_nothing_from_the_sittings():
    patient = simulate_patient(1, COURSES["worsening"], QUANTITIES, 3)
    before = [visit.truth for visit in visits(patient, QUANTITIES, start=START, weeks=30)]
    list(clinic_findings(patient, start=START, weeks=30))
    assert [visit.truth for visit in visits(patient, QUANTITIES, start=START, weeks=30)] == before
