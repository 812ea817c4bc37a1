"""The simulated pressure is what its truth says, seen without any of the analysis."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.simulate.grip import TARGETS, GripTruth, simulate_grip


def test_each_target_is_missed_by_the_share_it_should_be() -> None:
    truth = GripTruth(bias=0.1, unsteadiness=0)
    part = simulate_grip(truth, np.random.default_rng(0))["parts"][0]
    t_s, pressure = np.array(part["streams"]["touch"]["t"]), np.array(part["streams"]["touch"]["pressure"])
    for event, target in zip(part["events"], TARGETS, strict=True):
        inside = (t_s > event["t"] + 1) & (t_s < event["ends_at"] - 1)
        np.testing.assert_allclose(pressure[inside], 1.1 * target, atol=1 / 120)
        assert event["pressure"] == target


def test_the_thumb_leaves_after_its_reaction_time() -> None:
    truth = GripTruth(reaction_s=0.7, transition_s=0.3, unsteadiness=0)
    touch = simulate_grip(truth, np.random.default_rng(0))["parts"][0]["streams"]["touch"]
    t_s, pressure = np.array(touch["t"]), np.array(touch["pressure"])
    first_change = t_s[np.flatnonzero(pressure != pressure[0])[0]]
    assert first_change == pytest.approx(6.7, abs=0.04)
    settled = t_s[np.flatnonzero(pressure >= 4.2 * (1 + truth.bias) - 0.02)[0]]
    assert settled == pytest.approx(7.0, abs=0.04)


def test_the_same_seed_gives_the_same_recording() -> None:
    one, same, other = (simulate_grip(GripTruth(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other
