"""The simulated movements are what their truth says, seen without any of the analysis."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.simulate.pronation import PronationTruth, simulate_pronation


def test_each_movement_turns_by_its_angle() -> None:
    truth = PronationTruth(irregularity=0, fading=0, noise_radps=0, jitter_s=0, rate_hz=1000)
    right, left = simulate_pronation(truth, np.random.default_rng(0))["parts"]
    for part, hand, sense in ((right, "right", 1), (left, "left", -1)):
        t_s, z = np.array(part["streams"]["gyroscope"]["t"]), np.array(part["streams"]["gyroscope"]["z"])
        first = t_s - part["start_s"] <= 0.5 / truth.cycles_per_s(hand)
        turned = np.degrees(np.trapezoid(z[first], t_s[first]))
        assert turned == pytest.approx(sense * truth.mean_rotation_deg(hand), rel=0.01)


def test_the_last_movement_is_smaller_by_the_fading() -> None:
    truth = PronationTruth(irregularity=0, fading=0.5, noise_radps=0, jitter_s=0)
    z = np.abs(simulate_pronation(truth, np.random.default_rng(0))["parts"][0]["streams"]["gyroscope"]["z"])
    assert z[-40:].max() / z[:40].max() == pytest.approx(0.5, abs=0.06)


def test_the_same_seed_gives_the_same_recording() -> None:
    one, same, other = (simulate_pronation(PronationTruth(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other
