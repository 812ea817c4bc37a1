"""The simulated turns and steps are what their truth says, seen without any of the analysis."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.simulate.u_turn import EDGE_RADPS, UTurnTruth, simulate_u_turn, yaw_radps


@pytest.mark.parametrize("speed_radps", [0.6, 1.5, 3.0])
def test_each_turn_has_its_angle_and_lasts_from_5_to_5_degrees_a_second(speed_radps: float) -> None:
    truth = UTurnTruth(turn_speed_radps=speed_radps, turns=1)
    t_s = np.arange(0, truth.duration_s, 0.001)
    yaw = yaw_radps(t_s, truth)
    assert np.trapezoid(yaw, t_s) == pytest.approx(np.pi, rel=1e-4)
    above = t_s[yaw > EDGE_RADPS]
    assert above[-1] - above[0] == pytest.approx(np.pi / speed_radps, abs=0.005)
    assert (above[0] + above[-1]) / 2 == pytest.approx(truth.duration_s / 2, abs=0.005)


def test_turns_alternate_or_do_not() -> None:
    truth = UTurnTruth(turns=4)
    t_s = np.arange(0, truth.duration_s, 0.001)
    assert np.trapezoid(yaw_radps(t_s, truth), t_s) == pytest.approx(0, abs=1e-6)
    same_way = UTurnTruth(turns=4, alternating=False)
    assert np.trapezoid(yaw_radps(t_s, same_way), t_s) == pytest.approx(4 * np.pi, rel=1e-4)


def test_steps_are_counted_in_the_vertical_acceleration() -> None:
    truth = UTurnTruth(tilt_deg=0, noise_g=0, jitter_s=0)
    stream = simulate_u_turn(truth, np.random.default_rng(0))["streams"]["accelerometer"]
    upwards = -np.array(stream["x"]) - 9.80665
    crossings = np.count_nonzero((upwards[:-1] < 0) & (upwards[1:] >= 0))
    assert crossings == pytest.approx(truth.steps, abs=1)


def test_a_turn_to_the_left_is_negative_about_the_phones_x_that_points_down() -> None:
    truth = UTurnTruth(turns=1, tilt_deg=0, noise_radps=0, trunk_swing_radps=0)
    stream = simulate_u_turn(truth, np.random.default_rng(0))["streams"]["gyroscope"]
    assert np.trapezoid(stream["x"], stream["t"]) == pytest.approx(-np.pi, rel=0.01)


def test_the_same_seed_gives_the_same_recording() -> None:
    one, same, other = (simulate_u_turn(UTurnTruth(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other
