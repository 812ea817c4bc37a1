"""The trend, against scipy and pymannkendall 1.4.3 (its output is recorded here, as printed by the calls named)."""

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, norm, theilslopes

from konectom.scoring.slope import MOST_POINTS, Slope, theil_sen
from tests.shared import SHARED

YEAR = 365.25
SLEEP = SHARED / "data" / "longitudinal" / "lme4_sleepstudy.csv"


def slope_of(at_day: np.ndarray, value: np.ndarray, autocorrelation: bool = True) -> Slope:
    found = theil_sen(np.asarray(at_day, dtype=float), np.asarray(value, dtype=float), autocorrelation=autocorrelation)
    assert found is not None
    return found


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(-20, 20)), min_size=3, max_size=60, unique_by=lambda p: p[0])
)
def test_slope_and_interval_are_scipys(points: list[tuple[int, int]]) -> None:
    points.sort(key=lambda point: point[0])
    day = np.array([float(day) for day, _ in points])
    value = np.array([v / 2 for _, v in points])
    ours = slope_of(day, value, autocorrelation=False)
    theirs = theilslopes(value, (day - day[0]) / YEAR)
    assert ours.per_year == pytest.approx(theirs.slope, rel=1e-9, abs=1e-9)
    assert ours.intercept == pytest.approx(theirs.intercept, rel=1e-9, abs=1e-9)
    assert ours.low == pytest.approx(theirs.low_slope, rel=1e-9, abs=1e-9)
    assert ours.high == pytest.approx(theirs.high_slope, rel=1e-9, abs=1e-9)


def test_variance_with_ties_in_both_is_that_of_kendalls_tau() -> None:
    day = np.array([1.0, 1, 2, 3, 3, 4, 5, 6, 7, 8])
    value = np.array([2.0, 3, 3, 2, 4, 4, 5, 4, 6, 6])
    ours = slope_of(day, value, autocorrelation=False)
    theirs = kendalltau(day, value, method="asymptotic")
    # scipy takes no continuity correction.
    z = ours.s / np.sqrt(ours.variance)
    assert 2 * norm.sf(abs(z)) == pytest.approx(theirs.pvalue, rel=1e-9)


# fmt: off
WAVE = [11.5, 11.1, 11.9, 13.4, 10.7, 9.4, 10.1, 8.2, 9.0, 12.0, 11.6, 12.4, 13.8, 11.0, 9.8, 10.5, 8.6, 9.5, 12.4,
        12.0, 12.9, 14.2, 11.4, 10.3, 10.9, 8.9, 10.0, 12.9, 12.4, 13.4, 14.6, 11.7, 10.7, 11.3, 9.3, 10.5, 13.3, 12.8,
        13.8, 15.0]
WALK = [1.0, 2.96, 4.4, 4.33, 3.42, 2.83, 2.93, 3.44, 3.6, 2.6, 2.18, 4.06, 3.91, 2.61, 2.73, 2.47, 4.29, 3.37, 2.94,
        2.49, 2.58, 4.4, 3.79, 1.92, 2.2, 4.03, 4.78, 3.46, 1.51, 0.76, 1.27, 1.51, 0.53, -0.85, -1.44, -1.44, -1.82,
        -2.41, -2.18, -1.49, -1.48, -1.35, -1.39, -2.89, -1.9, -0.84, -1.39, -1.83, -2.73, -1.74, -0.67, -1.79, -1.81,
        -2.29, -2.25, -0.95, -0.62, -1.83, -2.8, -2.65]
STEPS = [3, 3, 4, 4, 4, 5, 4, 5, 6, 6, 5, 7]
# fmt: on


@pytest.mark.parametrize(
    ("value", "s", "variance", "z", "p", "slope"),
    [
        (WAVE, 151, 7357.0, 1.7488029654251624, 0.08032508404230021, 0.04444444444444448),
        (WALK, -1073, 24578.333333333332, -6.837834268753997, 8.040013099730459e-12, -0.12126602564102562),
        (STEPS, 49, 198.33333333333334, 3.408343691984286, 0.0006535851763234124, 1 / 3),
    ],
    ids=["wave", "walk", "steps"],
)
def test_mann_kendall_is_that_of_pymannkendall(
    value: list[float], s: float, variance: float, z: float, p: float, slope: float
) -> None:
    """pymannkendall.original_test(value)."""
    ours = slope_of(np.arange(len(value)) * YEAR, np.array(value), autocorrelation=False)
    assert ours.s == s
    assert ours.variance == pytest.approx(variance)
    assert ours.z == pytest.approx(z)
    # Beyond z of 6 theirs has lost digits: it takes 1 - cdf.
    assert ours.p == pytest.approx(p, rel=1e-4)
    assert ours.per_year == pytest.approx(slope)


def test_autocorrelation_is_corrected_as_by_pymannkendall() -> None:
    """pymannkendall.hamed_rao_modification_test(value): var_s, z and p."""
    ours = slope_of(np.arange(len(WALK)) * YEAR, np.array(WALK))
    assert ours.variance * ours.inflation == pytest.approx(73069.24251140961)
    assert ours.z == pytest.approx(-3.9657696315670754)
    assert ours.p == pytest.approx(7.315949683928125e-05)
    assert ours.effective_n == pytest.approx(60 * 24578.333333333332 / 73069.24251140961)
    assert ours.lag1 is not None
    assert ours.lag1 > 0.5
    steps = slope_of(np.arange(len(STEPS)) * YEAR, np.array(STEPS))
    assert steps.variance * steps.inflation == pytest.approx(198.33333333333334)


def test_the_correction_never_makes_a_trend_surer() -> None:
    # pymannkendall takes this wave's variance down from 7357 to 5002, and p from 0.08 to 0.03.
    ours = slope_of(np.arange(len(WAVE)) * YEAR, np.array(WAVE))
    assert ours.inflation == 1.0
    assert ours.p == pytest.approx(0.08032508404230021)


def test_the_interval_grows_with_autocorrelation() -> None:
    years = np.arange(len(WALK)) * YEAR
    plain, corrected = slope_of(years, np.array(WALK), autocorrelation=False), slope_of(years, np.array(WALK))
    assert corrected.low < plain.low < plain.per_year < plain.high < corrected.high


def test_outliers_hardly_move_it() -> None:
    day = np.arange(30) * 14.0
    line = 50 - 4 * day / YEAR
    spoiled = line.copy()
    spoiled[[3, 11, 12, 20, 27]] += [40, -30, 25, -45, 60]
    assert slope_of(day, line).per_year == pytest.approx(-4)
    assert slope_of(day, spoiled).per_year == pytest.approx(-4, abs=0.3)
    assert slope_of(day, line).at(365.25) == pytest.approx(46)


def test_many_points_are_put_together_and_give_the_same_trend() -> None:
    rng = np.random.default_rng(3)
    day = np.arange(1500.0)
    value = 100 - 6 * day / YEAR + rng.standard_normal(1500)
    ours = slope_of(day, value)
    assert (ours.thinned_from, ours.n <= MOST_POINTS) == (1500, True)
    assert ours.per_year == pytest.approx(theilslopes(value, day / YEAR).slope, abs=0.05)
    assert slope_of(day[:MOST_POINTS], value[:MOST_POINTS]).thinned_from is None


@pytest.mark.skipif(not SLEEP.is_file(), reason="the shared data are not beside this checkout")
def test_eighteen_real_courses() -> None:
    """Reaction times over ten days without enough sleep (lme4's sleepstudy), each person against scipy."""
    with SLEEP.open(newline="") as rows:
        people: dict[str, list[tuple[float, float]]] = {}
        for row in csv.DictReader(rows):
            people.setdefault(row["Subject"], []).append((float(row["Days"]), float(row["Reaction"])))
    assert len(people) == 18
    for course in people.values():
        day, value = np.array(course).T
        ours, theirs = slope_of(day * YEAR, value, autocorrelation=False), theilslopes(value, day)
        assert (ours.per_year, ours.low, ours.high) == pytest.approx(theirs[0:1] + theirs[2:4])


def test_no_trend_through_a_single_time() -> None:
    assert theil_sen(np.array([5.0]), np.array([1.0])) is None
    assert theil_sen(np.array([5.0, 5.0]), np.array([1.0, 2.0])) is None


def test_a_constant_has_no_trend() -> None:
    ours = slope_of(np.arange(20.0), np.full(20, 3.0))
    assert (ours.per_year, ours.low, ours.high, ours.z, ours.p) == (0, 0, 0, 0, 1)
