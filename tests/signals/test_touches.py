"""From rows of finger samples to contacts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from konectom.recording import Stream
from konectom.signals.touches import Touches, nearest, split_touches


def stream(*rows: tuple[float, str, float], fingers: bool = True) -> Stream:
    """A touch stream from (time, phase, finger)."""
    columns = {"phase": np.array([row[1] for row in rows], dtype=np.str_)}
    if fingers:
        columns["finger"] = np.array([row[2] for row in rows], dtype=float)
    return Stream("touch", np.array([row[0] for row in rows], dtype=float), columns)


def contacts(touches: Touches) -> list[tuple[float, float]]:
    return list(zip(touches.begin_s.tolist(), touches.end_s.tolist(), strict=True))


def test_a_contact_lasts_from_down_to_the_last_sample_of_its_finger() -> None:
    held = split_touches(stream((0.0, "down", 0), (0.1, "move", 0), (0.2, "up", 0), (1.0, "down", 0), (1.3, "up", 0)))
    assert contacts(held) == [(0.0, 0.2), (1.0, 1.3)]
    assert held.intervals().tolist() == [1.0]
    assert held.duration_s.tolist() == pytest.approx([0.2, 0.3])


def test_fingers_are_told_apart() -> None:
    held = split_touches(stream((0.0, "down", 0), (0.1, "down", 1), (0.2, "up", 0), (0.5, "up", 1), (0.6, "down", 0)))
    assert contacts(held) == [(0.0, 0.2), (0.1, 0.5), (0.6, 0.6)]
    assert held.overlapping().tolist() == [False, True, False]


def test_an_overlap_with_any_earlier_contact_counts() -> None:
    held = Touches(np.array([0.0, 0.1, 0.3]), np.array([1.0, 0.2, 0.4]))
    assert held.overlapping().tolist() == [False, True, True]


def test_without_finger_numbers_there_is_one_finger() -> None:
    held = split_touches(stream((0.0, "down", 0), (0.2, "up", 0), fingers=False))
    assert contacts(held) == [(0.0, 0.2)]
    missing = split_touches(stream((0.0, "down", math.nan), (0.2, "up", math.nan)))
    assert contacts(missing) == [(0.0, 0.2)]


def test_samples_before_a_finger_came_down_are_left_out() -> None:
    held = split_touches(stream((0.0, "move", 0), (0.1, "up", 0), (0.5, "down", 0), (0.6, "up", 0), (0.7, "up", 3)))
    assert contacts(held) == [(0.5, 0.6)]


def test_the_order_of_rows_does_not_matter() -> None:
    rows = [(0.0, "down", 0), (0.1, "down", 1), (0.2, "up", 0), (0.5, "up", 1), (0.6, "down", 0), (0.7, "up", 0)]
    assert contacts(split_touches(stream(*rows))) == contacts(split_touches(stream(*reversed(rows))))


def test_no_row_gives_no_contact() -> None:
    held = split_touches(stream())
    assert len(held) == 0
    assert held.overlapping().size == held.intervals().size == 0


def test_the_nearest_time_is_found_and_the_earlier_of_two() -> None:
    assert nearest(np.array([1.0, 2.0, 4.0]), np.array([0.0, 1.4, 1.5, 1.6, 3.0, 3.1, 9.0])).tolist() == [
        *(0, 0, 0, 1, 1, 2, 2)
    ]
    assert nearest(np.array([5.0]), np.array([1.0, 9.0])).tolist() == [0, 0]
