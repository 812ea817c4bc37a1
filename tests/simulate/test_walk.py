"""The simulated walk is what its truth says, seen without any of the analysis."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.simulate.walk import WalkTruth, simulate_walk, turn_times_s, yaw_radps


def test_each_turn_is_half_a_round_and_comes_after_each_way() -> None:
    truth = WalkTruth(way_m=20)
    t_s = np.arange(0, truth.duration_s, 0.001)
    assert truth.turns == int(truth.distance_m / 20)
    assert np.trapezoid(yaw_radps(t_s, truth), t_s) == pytest.approx(truth.turns * np.pi, rel=1e-4)
    np.testing.assert_allclose(np.diff(turn_times_s(truth)), 20 / truth.speed_mps)


def test_steps_are_counted_in_the_vertical_acceleration() -> None:
    truth = WalkTruth(tilt_deg=0, noise_g=0, jitter_s=0, impact_g=0)
    stream = simulate_walk(truth, np.random.default_rng(0))["streams"]["accelerometer"]
    upwards = -np.array(stream["x"]) - 9.80665
    crossings = np.count_nonzero((upwards[:-1] < 0) & (upwards[1:] >= 0))
    assert crossings == pytest.approx(truth.cadence * truth.duration_s / 60, abs=1)


def test_the_trunk_rises_as_a_pendulum_that_makes_the_step() -> None:
    truth = WalkTruth(step_length_m=0.8, height_m=1.9)
    leg_m = 0.53 * 1.9
    assert np.sqrt(8 * leg_m * truth.rise_m - 4 * truth.rise_m**2) == pytest.approx(0.8, rel=1e-9)


def test_positions_make_the_distance() -> None:
    truth = WalkTruth(gps_error_m=0)
    gps = simulate_walk(truth, np.random.default_rng(0))["streams"]["gps"]
    walked = np.abs(np.diff(gps["x"])).sum()
    assert walked == pytest.approx(truth.distance_m, rel=0.02)
    assert np.ptp(gps["x"]) <= truth.way_m


def test_standing_comes_first() -> None:
    truth = WalkTruth(standing_s=20, noise_g=0, noise_radps=0, tilt_deg=0)
    streams = simulate_walk(truth, np.random.default_rng(0))["streams"]
    still = np.array(streams["accelerometer"]["t"]) < 19.9
    np.testing.assert_allclose(np.array(streams["accelerometer"]["x"])[still], -9.80665, atol=1e-5)
    assert truth.distance_m == pytest.approx(100 * truth.speed_mps)


def test_the_same_seed_gives_the_same_recording() -> None:
    one, same, other = (simulate_walk(WalkTruth(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other
