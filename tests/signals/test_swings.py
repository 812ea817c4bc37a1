"""Swings of a rotation: against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.signals.swings import Swings, find_swings

LEAST_RAD = float(np.radians(30))


def test_a_triangle_wave_turns_half_base_times_height() -> None:
    t_s = np.arange(0, 4, 0.02)
    triangle = 10 * (1 - 4 * np.abs((t_s + 0.25) % 1 - 0.5))  # 1 Hz, from -10 to 10 rad/s
    found = find_swings(3.0, triangle, 50.0, LEAST_RAD)
    np.testing.assert_allclose(np.abs(found.angle_rad), 0.5 * 0.5 * 10, rtol=2e-3)
    np.testing.assert_allclose(found.duration_s, 0.5, atol=1.1e-3)
    assert (np.sign(found.angle_rad[1:]) == -np.sign(found.angle_rad[:-1])).all()
    assert found.begin_s[0] >= 3.0


def test_small_swings_are_none() -> None:
    t_s = np.arange(0, 4, 0.02)
    sine = np.sin(2 * np.pi * t_s)  # 18 degrees each way
    assert len(find_swings(0.0, sine, 50.0, LEAST_RAD)) == 0
    assert len(find_swings(0.0, 2 * sine, 50.0, LEAST_RAD)) > 5


@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_too_short_for_a_swing(size: int) -> None:
    assert len(find_swings(0.0, np.ones(size), 50.0, LEAST_RAD)) == 0


@pytest.mark.parametrize(("count", "cycles"), [(0, 0), (1, 0), (3, 0), (4, 1), (5, 1), (6, 2), (27, 12)])
def test_cycles_leave_out_the_first_the_last_and_whoever_has_no_partner(count: int, cycles: int) -> None:
    at_s = np.arange(count, dtype=float)
    swings = Swings(at_s, at_s + 1, np.where(at_s % 2, -1.0, 2.0))
    angle_rad, duration_s = swings.cycles()
    assert angle_rad.tolist() == [3.0] * cycles
    assert duration_s.tolist() == [2.0] * cycles
