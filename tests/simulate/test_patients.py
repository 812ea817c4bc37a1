"""Simulated patients: what is planted can be computed again, and is the same whenever it is asked for."""

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from math import exp, log

import numpy as np
import pytest
from scipy.stats import linregress, t

from konectom import formats
from konectom.simulate.cohort import HEADLINES, MISSED, QUANTITIES, simulate_cohort
from konectom.simulate.patients import COURSES, WEEKS_PER_YEAR, annual_slope, simulate_patient, visits
from konectom.simulate.sessions import upload
from konectom.workflows.sessions.process import Extracted, extract_session

START = date(2025, 1, 6)
BY_NAME = {each.name: each for each in QUANTITIES}


@dataclass(frozen=True)
class Stated:
    """By which measure a quantity is found again, and how exactly: bias and spread of the logarithm of the ratio."""

    key: str
    bias: float
    spread: float


STATED = {
    # The mean of about 50 and 20 answers whose coefficient of variation is a quarter.
    "cps.symbol_reaction_s": Stated("cps.reaction_time[symbol_to_digit].mean", 0.0, 0.04),
    "cps.digit_reaction_s": Stated("cps.reaction_time[digit_to_digit].mean", 0.0, 0.07),
    # The median of about 80 intervals; that of a skewed distribution lies a little below its mean.
    "tap.left_interval_s": Stated("tap.valid_tap_interval[left].median", -0.005, 0.025),
    "tap.right_interval_s": Stated("tap.valid_tap_interval[right].median", -0.005, 0.025),
    # The assessment filters the sway, which takes a tenth of it.
    "balance.sway_rms_mg": Stated("balance.rms[after_5_s]", -0.095, 0.015),
    "u_turn.turn_speed_radps": Stated("u_turn.turn_speed[all].median", -0.005, 0.025),
    "walk.cadence": Stated("walk.cadence[2mwt,all_bouts].mean", 0.0, 0.001),
    # Seconds were planted, milliseconds are measured.
    "pinch.right_reaction_s": Stated("pinch.reaction_time[right].median", log(1000), 0.05),
    "draw.speed_ptps": Stated("draw.speed[right,spiral,first].median", 0.0, 0.006),
    # Answers are whole: of 0.84 points.
    "msis29.physical_impact": Stated("msis29.physical_impact", -0.01, 0.025),
}


@pytest.fixture(scope="module")
def year():
    """A worsening patient's year: weeks, the truth of each sitting, and what was computed of it."""
    patient = simulate_patient(1, COURSES["worsening"], QUANTITIES, seed=1)
    weeks, truth, computed = [], [], []
    for visit in visits(patient, QUANTITIES, start=START, weeks=52):
        results = extract_session(formats.read(upload(patient, visit, QUANTITIES).body))
        assert all(isinstance(each, Extracted) for each in results)
        weeks.append((visit.at.date() - START).days / 7)
        truth.append(dict(visit.truth))
        computed.append({entry.key: value for each in results for entry, value in each.result.measures()})
    return np.array(weeks), truth, computed


def test_every_quantity_has_a_stated_error():
    assert set(STATED) == set(BY_NAME)


@pytest.mark.parametrize("name", STATED)
def test_the_truth_of_each_sitting_is_found_again(year, name):
    _, truth, computed = year
    stated = STATED[name]
    done = [
        (found[stated.key], planted[name])
        for found, planted in zip(computed, truth, strict=True)
        if stated.key in found
    ]
    assert len(done) == 52 / BY_NAME[name].every_weeks
    error = np.array([log(found / planted) for found, planted in done])
    assert np.abs(error - stated.bias).max() < 4 * stated.spread
    assert abs(error.mean() - stated.bias) < 4 * stated.spread / np.sqrt(error.size)


@pytest.mark.parametrize("name", STATED)
def test_the_planted_slope_lies_within_the_confidence_interval(year, name):
    weeks, _, computed = year
    done = np.array([STATED[name].key in found for found in computed])
    values = [found[STATED[name].key] for found in computed if STATED[name].key in found]
    fit = linregress(weeks[done] / WEEKS_PER_YEAR, np.log(values))
    half_width = t.ppf(0.995, len(values) - 2) * fit.stderr
    planted = annual_slope(COURSES["worsening"], BY_NAME[name])
    assert abs(fit.slope - planted) < half_width
    assert half_width < 0.35  # wide enough to hold anything, it would say nothing


@pytest.mark.parametrize("name", STATED)
def test_a_test_is_part_of_the_sittings_in_which_it_is_due(year, name):
    weeks, _, computed = year
    done = [int(week) for week, found in zip(weeks, computed, strict=True) if STATED[name].key in found]
    assert done == list(range(0, 52, BY_NAME[name].every_weeks))


def test_most_simulated_recordings_are_valid(year):
    patient = simulate_cohort(1, seed=1)[0]
    bodies = [upload(patient, visit, QUANTITIES).body for visit in visits(patient, QUANTITIES, start=START, weeks=6)]
    verdicts = [each.result.quality.verdict for body in bodies for each in extract_session(formats.read(body))]
    assert len(verdicts) == 6 * 4 + 3 * 2 + 2 * 2
    assert verdicts.count("valid") >= 30
    assert "invalid" not in verdicts


def test_the_scores_that_are_shown_exist(year):
    _, _, computed = year
    assert set(HEADLINES) <= set(computed[0])


def test_a_steady_patient_stays(year):
    assert [COURSES["steady"].burden(week) for week in (0, 20, 52)] == [0.0, 0.0, 0.0]


def test_a_worsening_patient_loses_the_planted_share_in_a_year():
    course = COURSES["worsening"]
    assert course.burden(0) == 0.0
    assert course.burden(WEEKS_PER_YEAR) == pytest.approx(course.worsening_per_year)
    higher, lower = BY_NAME["u_turn.turn_speed_radps"], BY_NAME["balance.sway_rms_mg"]
    assert higher.value(0.0, 0.2) == pytest.approx(higher.typical * exp(-0.2))
    assert lower.value(0.0, 0.2) == pytest.approx(lower.typical * exp(0.2))


def test_a_relapse_comes_within_days_and_leaves_a_rest():
    course = COURSES["relapse"]
    onset = course.relapse_week
    assert course.burden(onset - 0.1) == 0.0
    peak = max(course.burden(onset + days / 7) for days in range(60))
    assert 0.7 * course.relapse_depth < peak < course.relapse_depth
    assert course.burden(onset + 100) == pytest.approx(course.remains * course.relapse_depth)


def test_practice_is_half_made_after_eleven_runs():
    symbols, course = BY_NAME["cps.symbol_reaction_s"], COURSES["improving"]
    first = course.practice(symbols, 0)
    assert exp(first) == pytest.approx(1.408)
    assert course.practice(symbols, 11) == pytest.approx(first / 2)
    assert course.practice(symbols, 35) < first / 4
    assert COURSES["steady"].practice(symbols, 0) == 0.0


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    def bodies(seed):
        patient = simulate_cohort(1, seed)[0]
        sent = [upload(patient, visit, QUANTITIES) for visit in visits(patient, QUANTITIES, start=START, weeks=2)]
        return [(each.session_id, each.body) for each in sent]

    assert bodies(1) == bodies(1)
    assert not {identifier for identifier, _ in bodies(1)} & {identifier for identifier, _ in bodies(2)}


def test_a_patient_does_not_depend_on_the_others():
    alone = simulate_patient(3, COURSES["worsening"], QUANTITIES, seed=1)
    among = simulate_cohort(8, seed=1)[2]
    assert (among.course.name, among.own) == ("worsening", alone.own)
    assert [each.truth for each in visits(among, QUANTITIES, start=START, weeks=3)] == [
        each.truth for each in visits(alone, QUANTITIES, start=START, weeks=3)
    ]


def test_patients_differ():
    own = [tuple(patient.own.values()) for patient in simulate_cohort(20, seed=1)]
    assert len(set(own)) == 20


def test_a_sitting_does_not_depend_on_those_before_it():
    patient = simulate_cohort(1, seed=1)[0]
    weekly = {each.week: each for each in visits(patient, QUANTITIES, start=START, weeks=9)}
    for each in visits(patient, QUANTITIES, start=START, weeks=9, every_weeks=4):
        assert (each.at, each.truth) == (weekly[each.week].at, weekly[each.week].truth)


def test_sittings_lie_in_their_weeks_and_some_are_missed():
    took_place = 0
    for patient in simulate_cohort(20, seed=1):
        for visit in visits(patient, QUANTITIES, start=START, weeks=52, missed=MISSED):
            monday = START + timedelta(weeks=visit.week)
            assert monday <= visit.at.date() < monday + timedelta(days=7)
            assert visit.at.astimezone(UTC).utcoffset() == timedelta(0)
            took_place += 1
    # 1040 sittings were planned; 4 standard deviations of a share of 8 % are 3.4 %.
    assert took_place / 1040 == pytest.approx(1 - MISSED, abs=0.034)


def test_the_noise_between_sessions_is_the_declared_one():
    patient = simulate_patient(1, COURSES["steady"], QUANTITIES, seed=1)
    every = list(visits(patient, QUANTITIES, start=START, weeks=400))
    for name, quantity in BY_NAME.items():
        ratio = np.log([each.truth[name] / each.expected[name] for each in every])
        assert ratio.std() == pytest.approx(quantity.noise, rel=0.15)
        assert abs(ratio.mean()) < 4 * quantity.noise / np.sqrt(400)


def test_every_quantity_says_where_its_figures_come_from():
    assert [each.name for each in QUANTITIES if not each.source] == []
