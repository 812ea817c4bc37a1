"""Paths from positions."""

from __future__ import annotations

import numpy as np

from konectom.recording import Stream
from konectom.signals.path import path_of


def gps(t_s: list[float], x: list[float], y: list[float]) -> Stream:
    return Stream("gps", np.array(t_s), {"x": np.array(x), "y": np.array(y)})


def test_legs_and_speeds() -> None:
    path = path_of(gps([0, 1, 3], [0, 3, 3], [0, 4, 10]))
    np.testing.assert_allclose(path.legs_m(), [5, 6])
    np.testing.assert_allclose(path.speeds_mps(), [5, 3])


def test_of_two_positions_at_one_time_the_last_counts_so_that_no_speed_is_infinite() -> None:
    path = path_of(gps([0, 1, 1, 2], [0, 99, 1, 2], [0, 0, 0, 0]))
    np.testing.assert_allclose(path.speeds_mps(), [1, 1])


def test_order_and_unknown_positions_do_not_matter() -> None:
    path = path_of(gps([2, 0, 1, 1.5], [2, 0, 1, np.nan], [0, 0, 0, 0]))
    np.testing.assert_allclose(path.legs_m(), [1, 1])


def test_fewer_than_two_positions_have_no_legs() -> None:
    for count in (0, 1):
        path = path_of(gps([0.0] * count, [1.0] * count, [2.0] * count))
        assert path.legs_m().size == path.speeds_mps().size == 0
