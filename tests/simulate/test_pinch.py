"""What was simulated comes back as measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from konectom.simulate.pinch import PinchTruth, simulate_pinch
from tests.assessments.examples import parse, run


def values(truth: PinchTruth, seeds: int, *keys: str) -> list[float]:
    """Return the mean of each measure over recordings of the same truth."""
    found = []
    for seed in range(seeds):
        told = {entry.key: value for entry, value in run(simulate_pinch(truth, np.random.default_rng(seed))).measures()}
        found.append([told[key] for key in keys])
    return [float(mean) for mean in np.mean(found, axis=0)]


@pytest.mark.parametrize("rate", [0.6, 0.9])
def test_the_success_rate_comes_back_within_five_hundredths(rate: float) -> None:
    # About 70 attempts of each hand in five recordings a hand: the standard error is below 0.03.
    told = values(replace(PinchTruth(), success_rate=rate), 5, "pinch.success_rate[left]", "pinch.success_rate[right]")
    assert np.mean(told) == pytest.approx(rate, abs=0.05)


def test_each_hands_reaction_time_comes_back_within_a_twentieth() -> None:
    truth = replace(PinchTruth(), left_reaction_s=0.7, right_reaction_s=0.35, reaction_spread=0.1)
    left, right = values(truth, 4, "pinch.reaction_time[left].median", "pinch.reaction_time[right].median")
    assert left == pytest.approx(700, rel=0.05)
    assert right == pytest.approx(350, rel=0.05)


@pytest.mark.parametrize("asynchrony_s", [0.01, 0.03])
def test_the_asynchrony_comes_back_within_a_sixth(asynchrony_s: float) -> None:
    # An exponential's mean of some 250 attempts: the standard error is a sixteenth.
    truth = replace(PinchTruth(), asynchrony_s=asynchrony_s)
    told = values(truth, 4, "pinch.touch_asynchrony[left].mean", "pinch.touch_asynchrony[right].mean")
    assert np.mean(told) == pytest.approx(asynchrony_s * 1e3, rel=1 / 6)


def test_a_steady_attempt_lasts_as_long_as_it_was_made() -> None:
    truth = replace(PinchTruth(), asynchrony_s=1e-9, closing_s=0.3)
    keys = ("pinch.single_shot_duration[left].mean", "pinch.dwell_time[left,large,all].mean")
    lasted_s, dwell_ms = values(truth, 1, *keys)
    assert lasted_s == pytest.approx(0.05 + 0.3, abs=0.002)
    assert 50 <= dwell_ms <= 50 + 2 * 1000 / 60, "movement is seen with the sample after it has begun"


def test_the_tremor_comes_back_at_its_frequency() -> None:
    truth = replace(PinchTruth(), tremor_hz=6.0, tremor_mg=20.0)
    (hz,) = values(truth, 1, "pinch.acceleration_peak_frequency[left,y]")
    assert hz == pytest.approx(6.0, abs=0.1)


def test_the_same_seed_gives_the_same_recording() -> None:
    first, second = (simulate_pinch(PinchTruth(), np.random.default_rng(3)) for _ in range(2))
    assert first == second
    assert {part.condition["hand"] for part in parse(first).parts} == {"left", "right"}
