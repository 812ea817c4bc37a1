"""Learning curves: closed forms, simulated truth, and the published library's own fits.

Recorded from DISPEL (newcastleuniversity/DISPEL at 35e8bba), ``dispel.stats.learning.LearningCurve.fit`` and
``get_warm_up`` run with pandas 3.1.1 and scipy 1.17.1.
"""

import numpy as np
import pytest

from konectom.scoring.learning import (
    MOST_RUNS,
    fit_exponential,
    fit_inverse,
    learning_curve,
    warm_up,
)

RUNS = np.arange(1.0, 61.0)


@pytest.mark.parametrize(
    ("value", "asymptote", "slope", "rate", "first_at_90"),
    [
        (
            [31, 36, 41, 40, 44, 43, 45, 44, 47, 46, 45, 47, 48, 46, 47, 48],
            47.506279978638425,
            18.368961186356913,
            0.3866638514869331,
            8,
        ),
        (
            [2.9, 2.4, 2.2, 2.25, 2.0, 2.05, 1.9, 1.95, 1.92, 1.88],
            1.8184512340153154,
            -1.114893497197406,
            -0.613100575007235,
            6,
        ),
    ],
    ids=["higher is better", "lower is better"],
)
def test_the_inverse_curve_is_the_librarys(
    value: list[float], asymptote: float, slope: float, rate: float, first_at_90: int
) -> None:
    y = np.array(value, dtype=float)
    curve = fit_inverse(np.arange(1.0, y.size + 1), y)
    assert curve.plateau == pytest.approx(asymptote, rel=1e-6)
    assert curve.gain == pytest.approx(slope, rel=1e-6)
    assert curve.rate == pytest.approx(rate, rel=1e-6)
    assert warm_up(y, curve) == first_at_90


@pytest.mark.parametrize("half", [0.8, 3.0, 11.0, 28.0])
def test_an_exact_exponential_is_found(half: float) -> None:
    curve = fit_exponential(RUNS, 60 - 20 * 0.5 ** ((RUNS - 1) / half))
    assert curve.half_runs == pytest.approx(half, rel=1e-3)
    assert curve.plateau == pytest.approx(60, abs=0.01)
    assert curve.gain == pytest.approx(20, abs=0.01)
    # 90 % of the gain is made when a tenth is left.
    assert 0.5 ** ((curve.run_90 - 1) / half) <= 0.1 + 1e-3
    assert 0.5 ** ((curve.run_90 - 2) / half) > 0.1 - 1e-3


def test_the_published_practice_of_a_symbol_digit_test_comes_back() -> None:
    # doi:10.2196/30394: half of 40.8 % after 11 runs, 90 % after 35: 11 * log2(10) = 36.5.
    rng = np.random.default_rng(5)
    found = []
    for _ in range(60):
        value = 50 * np.exp(-np.log(1.408) * 0.5 ** (RUNS / 11) + 0.05 * rng.standard_normal(RUNS.size))
        curve, reason = learning_curve(RUNS, value, "higher")
        assert curve is not None, reason
        found.append((curve.half_runs, curve.plateau))
    half, plateau = np.median(found, axis=0)
    assert half == pytest.approx(11, rel=0.15)
    assert plateau == pytest.approx(50, rel=0.02)


def test_times_get_shorter() -> None:
    rng = np.random.default_rng(5)
    value = 1.8 + 0.9 * 0.5 ** ((RUNS - 1) / 5) + 0.05 * rng.standard_normal(RUNS.size)
    curve, _ = learning_curve(RUNS, value, "lower")
    assert curve is not None
    assert curve.form == "exponential"
    assert curve.gain == pytest.approx(-0.9, abs=0.1)
    assert learning_curve(RUNS, value, "higher") == (None, "no_practice_seen")


def test_a_steep_start_is_told_by_the_simpler_curve() -> None:
    rng = np.random.default_rng(5)
    curve, _ = learning_curve(RUNS, 40 - 20 / RUNS + rng.standard_normal(RUNS.size), "higher")
    assert curve is not None
    assert (curve.form, curve.run_90) == ("inverse", 10)
    assert curve.at(10.0) == pytest.approx(curve.plateau - 0.1 * curve.gain)


def test_outliers_are_left_out() -> None:
    rng = np.random.default_rng(5)
    value = 60 - 20 * 0.5 ** ((RUNS - 1) / 6) + rng.standard_normal(RUNS.size)
    value[[10, 30]] = [5, 120]
    curve, _ = learning_curve(RUNS, value, "higher")
    assert curve is not None
    assert curve.left_out >= 2
    assert curve.plateau == pytest.approx(60, abs=0.6)
    assert curve.half_runs == pytest.approx(6, rel=0.2)


def test_chance_is_hardly_ever_taken_for_practice() -> None:
    rng = np.random.default_rng(11)
    curves = [learning_curve(RUNS, 50 + 4 * rng.standard_normal(RUNS.size), "higher")[0] for _ in range(500)]
    assert sum(curve is not None for curve in curves) <= 10


def test_refuses_with_a_reason() -> None:
    rising = 50 + 0.5 * RUNS + 0.01 * np.sin(RUNS)
    assert learning_curve(RUNS[:7], rising[:7], "higher") == (None, "too_few_runs")
    assert learning_curve(RUNS[5:], rising[5:], "higher") == (None, "start_not_seen")
    assert learning_curve(RUNS, rising, "higher") == (None, "plateau_not_reached")
    assert learning_curve(RUNS, np.full(RUNS.size, 3.0), "higher") == (None, "no_practice_seen")


def test_runs_long_after_the_start_are_left_out() -> None:
    runs = np.arange(1.0, 400.0)
    value = 60 - 20 * 0.5 ** ((runs - 1) / 6) - 0.2 * np.maximum(0, runs - MOST_RUNS) + 0.01 * np.sin(7 * runs)
    curve, _ = learning_curve(runs, value, "higher")
    assert curve is not None
    assert curve.n + curve.left_out == MOST_RUNS
    assert curve.plateau == pytest.approx(60, abs=0.1)
