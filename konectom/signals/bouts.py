"""Bouts: when somebody moved, and when somebody walked straight on with the phone on the belt.

Times are counted in ticks of 20 ms on the recording's clock, so that bouts from different sensors fit together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray
from konectom.signals.filters import low_pass
from konectom.signals.resample import Even

TICK_S = 0.02
TICKS_PER_S = 50
STEP_TICKS = 5
WINDOW_TICKS = 50

LOWPASS_HZ = 17.0
UPRIGHT_G, MOVING_G = 0.03, 0.3
SHORTEST_MOVEMENT_TICKS = 50
SHORTEST_WALK_TICKS, SHORTEST_PAUSE_TICKS = 150, 15
STARTING_TICKS = 10 * TICKS_PER_S

IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Bouts:
    """n bouts one after the other, each with its first and last tick (included), alternately on and off."""

    first: IntArray
    last: IntArray
    on: BoolArray

    def __len__(self) -> int:
        return int(self.first.size)

    def spans(self) -> list[tuple[int, int]]:
        """Return first and last tick of each bout that is on."""
        return list(zip(self.first[self.on].tolist(), self.last[self.on].tolist(), strict=True))

    def longest(self) -> tuple[int, int] | None:
        """Return first and last tick of the longest bout that is on, the first of equals; None where none is."""
        spans = self.spans()
        return max(spans, key=lambda span: span[1] - span[0]) if spans else None

    def share_on(self) -> float:
        """Return the share of the time that is on; NaN where there is no time."""
        lasting = self.last - self.first
        total = int(lasting.sum())
        return float(lasting[self.on].sum()) / total if total else float("nan")


def tick_of(t_s: float) -> int:
    """Return the tick at a time."""
    return round(t_s / TICK_S)


def samples_between(even: Even, first_tick: int, last_tick: int) -> tuple[int, int]:
    """Return the first sample at or after one tick, and the one after the last sample at or before another."""
    origin = even.t_s[0] * even.rate_hz if len(even) else 0.0
    per_tick = TICK_S * even.rate_hz
    first = int(np.ceil(round(first_tick * per_tick - origin, 6)))
    stop = int(np.floor(round(last_tick * per_tick - origin, 6))) + 1
    return min(max(first, 0), len(even)), min(max(stop, 0), len(even))


def steps_of(even: Even) -> tuple[IntArray, IntArray]:
    """Return the steps of 0.1 s in which a signal of 50 Hz lies, as their first ticks, and the first sample in each."""
    ticks = tick_of(even.t_s[0]) + np.arange(len(even)) if len(even) else np.empty(0, dtype=np.intp)
    step = ticks // STEP_TICKS
    first = np.flatnonzero(np.diff(step, prepend=step[:1] - 1))
    return step[first] * STEP_TICKS, first


def find_movement(upright: Even) -> Bouts:
    """Return when somebody moved, from the user acceleration (n, 3) in g, x vertical, at 50 Hz and free of trend.

    A step of 0.1 s is movement where over the second around it the mean size of the vertical acceleration and the sum
    of the three axes' standard deviations exceed thresholds. Bouts of at most one second are joined to the one before.
    """
    if len(upright) < 2:
        return _merged(np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp), np.empty(0, dtype=np.bool_))
    label, at = steps_of(upright)
    smoothed = low_pass(upright.values, LOWPASS_HZ, 2, upright.rate_hz)
    size, spread = _around(smoothed, at)
    moving = (size > UPRIGHT_G) & (spread > MOVING_G)
    bouts = _merged(label, label, moving)
    long = bouts.last - bouts.first > SHORTEST_MOVEMENT_TICKS
    first, on = bouts.first[long], bouts.on[long]
    return _merged(first, np.append(first[1:], bouts.last[-1:])[: first.size], on)


def find_walking(movement: Bouts, on_belt: BoolArray, turns: list[tuple[int, int]], belt_from: int) -> Bouts:
    """Return when somebody walked straight on with the phone on the belt.

    ``on_belt`` tells it for each 0.1 s from tick ``belt_from`` on; ``turns`` are stretches of large turns by their
    first and last tick. The first ten seconds are left out; walking of at most 3 s and pauses of at most 0.3 s go to
    the bout before.
    """
    if not len(movement):
        return movement
    begin, end = int(movement.first[0]), int(movement.last[-1])
    tick = np.arange(begin, end + 1)
    step = (tick - belt_from) // STEP_TICKS
    placed = (step >= 0) & (step < on_belt.size)
    placed[placed] = on_belt[step[placed]]
    walking = _within(tick, movement.spans()) & placed & ~_within(tick, turns) & (tick >= begin + STARTING_TICKS)
    bouts = _merged(tick, tick, walking)
    long = bouts.last - bouts.first > np.where(bouts.on, SHORTEST_WALK_TICKS, SHORTEST_PAUSE_TICKS)
    first, last, on = bouts.first[long], bouts.last[long], bouts.on[long]
    if not first.size:  # nothing lasted long enough
        return Bouts(np.array([begin]), np.array([end]), np.array([False]))
    first[0], last[-1] = begin, end
    return _merged(first, last, on)


def _around(signal: FloatArray, at: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return, over the second around samples, the mean size of the first axis and the summed standard deviations."""
    columns = np.column_stack([np.abs(signal[:, 0]), signal, signal**2])
    summed = np.concatenate([np.zeros((1, 7)), np.cumsum(columns, axis=0)])
    first = (at - WINDOW_TICKS // 2 + 1).clip(0)
    last = (at + WINDOW_TICKS // 2 + 1).clip(None, len(signal))
    n = (last - first)[:, None]
    total = summed[last] - summed[first]
    squares = (total[:, 4:] - total[:, 1:4] ** 2 / n).clip(0)
    return total[:, 0] / n[:, 0], np.sqrt(squares / np.maximum(n - 1, 1)).sum(axis=1)


def _merged(first: IntArray, last: IntArray, on: BoolArray) -> Bouts:
    """Return bouts with neighbours of one kind joined."""
    begins = np.flatnonzero(np.diff(on, prepend=~on[:1]))
    ends = np.append(begins[1:], on.size)[: begins.size] - 1
    return Bouts(first[begins], last[ends], on[begins])


def _within(tick: IntArray, spans: list[tuple[int, int]]) -> BoolArray:
    """Tell which ticks lie in a span, its last tick left out."""
    inside = np.zeros(tick.size, dtype=np.bool_)
    for first, last in spans:
        inside[max(first - int(tick[0]), 0) : max(last - int(tick[0]), 0)] = True
    return inside
