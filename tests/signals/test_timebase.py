from __future__ import annotations

import numpy as np
import pytest

from konectom.recording import Stream
from konectom.signals import timebase


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]


def test_tidy_sorts_keeps_the_first_of_repeats_and_leaves_out_holes() -> None:
    t_s, values = timebase.tidy(np.array([0.0, 2.0, 1.0, 2.0, 3.0, 4.0]), column(0, 20, 10, 21, np.nan, 40))
    assert t_s.tolist() == [0.0, 1.0, 2.0, 4.0]
    assert values.ravel().tolist() == [0, 10, 20, 40]


def test_a_hole_does_not_hide_the_sample_that_repeats_its_time() -> None:
    t_s, values = timebase.tidy(np.array([0.0, 0.0]), column(np.nan, 5))
    assert (t_s.tolist(), values.ravel().tolist()) == ([0.0], [5])


@pytest.mark.parametrize("n", [0, 1])
def test_tidy_takes_next_to_nothing(n: int) -> None:
    t_s, values = timebase.tidy(np.zeros(n), np.zeros((n, 3)))
    assert t_s.shape == (n,)
    assert values.shape == (n, 3)


def test_rate_and_gap() -> None:
    t_s = np.array([0.0, 0.02, 0.04, 2.54, 2.56])
    assert timebase.median_rate_hz(t_s) == pytest.approx(50)
    assert timebase.longest_gap_s(t_s) == pytest.approx(2.5)
    assert np.isnan(timebase.median_rate_hz(t_s[:1]))
    assert timebase.longest_gap_s(t_s[:1]) == 0


def test_nearest_takes_the_earlier_of_two_as_near_whatever_the_rounding() -> None:
    held = np.array([1.00, 1.02, 1.04])
    # 1.01 - 1.00 and 1.02 - 1.01 differ in the last bits of a float.
    assert timebase.nearest(held, np.array([0.0, 1.01, 1.011, 1.03, 9.0])).tolist() == [0, 0, 1, 1, 2]
    assert timebase.nearest(held[:1], np.array([0.0, 5.0])).tolist() == [0, 0]


def test_stretches_of_a_stream_include_both_ends_in_any_order_of_arrival() -> None:
    stream = Stream("gravity", np.array([3.1, 2.1, 1.1, 0.1]), {"x": np.array([3.0, 2.0, 1.0, 0.0])})
    assert timebase.first_seconds(stream, 1.0)["x"].tolist() == [1, 0]
    assert timebase.last_seconds(stream, 2.0)["x"].tolist() == [3, 2, 1]
    assert timebase.since(stream, 1.1)["x"].tolist() == [3, 2, 1]
    empty = stream.where(np.zeros(4, dtype=bool))
    assert len(timebase.first_seconds(empty, 1.0)) == len(timebase.last_seconds(empty, 1.0)) == 0
