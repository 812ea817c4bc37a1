"""Simulated finger tapping: what was planted is found again."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.simulate.tap import TapTruth, simulate_tap
from tests.assessments.examples import run

SITTINGS = 30


def found(truth: TapTruth, quantity: str, statistic: str = "", **condition: str) -> float:
    """Return the mean of a quantity over many simulated tests."""
    values = []
    for seed in range(SITTINGS):
        result = run(simulate_tap(truth, np.random.default_rng(seed)))
        values += [
            value
            for entry, value in result.measures()
            if (entry.quantity, entry.statistic, dict(entry.condition)) == (quantity, statistic, condition)
        ]
    assert len(values) == SITTINGS
    return float(np.mean(values))


@pytest.mark.parametrize("interval_s", [0.15, 0.3, 0.5])
def test_the_pace_of_each_hand_is_found_within_2_percent(interval_s: float) -> None:
    truth = TapTruth(left_interval_s=interval_s, right_interval_s=0.2)
    assert found(truth, "tap_interval", "mean", hand="left") == pytest.approx(interval_s, rel=0.02)
    assert found(truth, "tap_interval", "mean", hand="right") == pytest.approx(0.2, rel=0.02)


def test_with_perfect_aim_every_tap_is_valid() -> None:
    truth = TapTruth(miss_share=0.0, repeat_share=0.0)
    assert found(truth, "valid_taps", hand="left") == found(truth, "taps", hand="left")
    assert found(truth, "irregularity", hand="left") == pytest.approx(truth.irregularity, rel=0.05)
    assert found(truth, "off_target_share", hand="left") == 0.0


def test_aim_and_contact_are_found() -> None:
    truth = TapTruth(miss_share=0.1, contact_s=0.06)
    assert found(truth, "off_target_share", hand="right") == pytest.approx(10.0, abs=1.5)
    assert found(truth, "contact_time", "mean", hand="right") == pytest.approx(0.06, rel=0.03)
    assert found(truth, "double_tap_share", hand="right") == 0.0


def test_ordinary_tapping_is_valid() -> None:
    for seed in range(20):
        assert run(simulate_tap(TapTruth(), np.random.default_rng(seed))).quality.verdict == "valid"


def test_slow_tapping_is_limited() -> None:
    result = run(simulate_tap(TapTruth(left_interval_s=1.3), np.random.default_rng(0)))
    assert {flag.code for flag in result.quality.flags if flag.severity == "warning"} == {"tap.too_few_taps"}
