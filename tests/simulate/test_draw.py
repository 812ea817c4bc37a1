"""Simulated drawing: what was planted is found again."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.simulate.draw import DrawTruth, simulate_draw
from tests.assessments.examples import run

SPIRAL = {"hand": "right", "shape": "spiral", "attempt": "first"}
SITTINGS = 4


def found(truth: DrawTruth, quantity: str, statistic: str = "", **condition: str) -> float:
    """Return the mean of a quantity over some simulated tests."""
    values = []
    for seed in range(SITTINGS):
        result = run(simulate_draw(truth, np.random.default_rng(seed)))
        values += [
            value
            for entry, value in result.measures()
            if (entry.quantity, entry.statistic, dict(entry.condition)) == (quantity, statistic, condition)
        ]
    assert len(values) == SITTINGS
    return float(np.mean(values))


@pytest.mark.parametrize("speed_ptps", [150.0, 700.0])
def test_speed_and_reaction_are_found(speed_ptps: float) -> None:
    truth = DrawTruth(speed_ptps=speed_ptps, stray_pt=1.0, tremor_pt=0.1, reaction_s=1.25)
    assert found(truth, "speed", "median", **SPIRAL) == pytest.approx(speed_ptps, rel=0.03)
    assert found(truth, "reaction_time", "mean") == pytest.approx(1250.0, abs=1.0)


@pytest.mark.parametrize("stray_pt", [1.5, 6.0])
def test_how_far_a_spiral_strays_is_found_within_5_percent(stray_pt: float) -> None:
    truth = DrawTruth(stray_pt=stray_pt, tremor_pt=0.0)
    assert found(truth, "radial_error", **SPIRAL) == pytest.approx(stray_pt, rel=0.05)


@pytest.mark.parametrize("tremor_hz", [5.0, 9.0])
@pytest.mark.parametrize("tremor_pt", [0.5, 3.0])
def test_tremor_is_found_within_10_percent(tremor_pt: float, tremor_hz: float) -> None:
    truth = DrawTruth(tremor_pt=tremor_pt, tremor_hz=tremor_hz)
    assert found(truth, "tremor", **SPIRAL) == pytest.approx(tremor_pt, rel=0.1)


def test_the_worse_hand_is_found_worse() -> None:
    truth = DrawTruth(left_slower=1.5, left_worse=2.0)
    slower = found(truth, "mean_duration", hand="left") / found(truth, "mean_duration", hand="right")
    assert slower == pytest.approx(1.5, rel=0.01)
    assert found(truth, "mean_distance", hand="left") > 1.5 * found(truth, "mean_distance", hand="right")


def test_the_faster_and_truer_the_nearer_to_0_is_time_and_distance() -> None:
    good, bad = DrawTruth(speed_ptps=600.0, stray_pt=1.0), DrawTruth(speed_ptps=200.0, stray_pt=5.0)
    assert found(good, "time_and_distance", **SPIRAL) < 0.5 * found(bad, "time_and_distance", **SPIRAL)
