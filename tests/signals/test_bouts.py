"""Bouts of movement and of straight walking on the belt."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.signals.bouts import Bouts, find_movement, find_walking, samples_between, steps_of, tick_of
from konectom.signals.resample import Even

RATE_HZ = 50.0


def even(values: np.ndarray, start_s: float = 0.0, rate_hz: float = RATE_HZ) -> Even:
    return Even(start_s + np.arange(len(values)) / rate_hz, values, rate_hz)


def moving(*stretches: tuple[float, bool], start_s: float = 0.0) -> Even:
    """Return stretches of so many seconds, each with or without the shaking of a walk."""
    on = np.concatenate([np.full(round(seconds * RATE_HZ), moves) for seconds, moves in stretches])
    phase = 2 * np.pi * 2.0 * np.arange(on.size) / RATE_HZ
    return even(np.column_stack([0.3 * np.sin(phase)] * 3) * on[:, None], start_s)


def whole(seconds: float) -> Bouts:
    return Bouts(np.array([0]), np.array([round(seconds * 50)]), np.array([True]))


def test_movement_begins_and_ends_within_half_a_second_of_the_truth() -> None:
    bouts = find_movement(moving((10, False), (20, True), (10, False)))
    assert bouts.on.tolist() == [False, True, False]
    (first, last) = bouts.spans()[0]
    assert first / 50 == pytest.approx(10, abs=0.5)
    assert last / 50 == pytest.approx(30, abs=0.5)


def test_a_pause_of_less_than_a_second_is_none() -> None:
    assert find_movement(moving((10, True), (0.9, False), (10, True))).on.tolist() == [True]
    assert find_movement(moving((10, True), (4, False), (10, True))).on.tolist() == [True, False, True]


def test_stillness_and_too_little_signal_have_no_bout_of_movement() -> None:
    assert find_movement(moving((5, False))).spans() == []
    assert len(find_movement(even(np.empty((0, 3))))) == 0
    assert len(find_movement(even(np.zeros((1, 3))))) == 0


def test_walking_starts_after_ten_seconds_and_ends_with_turns_and_off_the_belt() -> None:
    belt = np.ones(600, dtype=bool)
    belt[400:450] = False  # 40 to 45 s
    walking = find_walking(whole(60), belt, [(1000, 1100)], 0)
    spans = [(round(first / 50, 1), round(last / 50, 1)) for first, last in walking.spans()]
    assert spans == [(10.0, 20.0), (22.0, 40.0), (45.0, 60.0)]
    assert walking.longest() == walking.spans()[1]


def test_walks_of_three_seconds_and_short_interruptions_are_left_out() -> None:
    belt = np.ones(600, dtype=bool)
    belt[133:600] = False  # 13.3 s: three seconds of walking and a bit
    assert len(find_walking(whole(60), belt, [], 0).spans()) == 1
    belt[130] = False
    assert find_walking(whole(60), belt, [], 0).spans() == []
    short_turn = [(1000, 1015)]  # 0.3 s
    assert len(find_walking(whole(60), np.ones(600, dtype=bool), short_turn, 0).spans()) == 1


def test_shares_add_up() -> None:
    bouts = Bouts(np.array([0, 100]), np.array([99, 199]), np.array([False, True]))
    assert bouts.share_on() == 0.5
    assert np.isnan(find_movement(even(np.empty((0, 3)))).share_on())


@pytest.mark.parametrize("rate_hz", [20.0, 50.0, 128.0])
def test_ticks_become_samples_at_any_rate(rate_hz: float) -> None:
    signal = even(np.zeros(1000), 3.0, rate_hz)
    first, stop = samples_between(signal, tick_of(4.0), tick_of(6.0))
    assert signal.t_s[first] == pytest.approx(4.0, abs=1 / rate_hz)
    assert signal.t_s[first] >= 4.0 - 1e-9
    assert signal.t_s[stop - 1] <= 6.0 + 1e-9
    assert signal.t_s[stop] > 6.0
    assert samples_between(signal, 0, 10) == (0, 0)


def test_tenths_of_a_second_stand_on_the_clock() -> None:
    label, at = steps_of(even(np.zeros((12, 3)), 1.06))
    assert label.tolist() == [50, 55, 60]
    assert at.tolist() == [0, 2, 7]
