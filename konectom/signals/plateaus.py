"""Plateaus: the stretches over which a force is held, found without knowing where it should be.

Published in DISPEL 0.0.3 (ads/tasks/grip.py) for pressures sampled at 100 Hz; lengths here are in samples of that. A
pressure is held where the change of its change is below what is usual under the same target. Small gaps are filled,
short stretches dropped, and gaps bridged between stretches at about the same pressure.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray
from konectom.signals.responses import BoolArray

RATE_HZ = 100.0
AVERAGED, GAP, SHORTEST = 10, 15, 30
BEHIND, AHEAD = 100, 40
SAME_PRESSURE = 0.3
EDGE = 20
"""In the last samples no plateau begins."""

IntArray = NDArray[np.intp]


def unrest(pressure: FloatArray) -> FloatArray:
    """Return how much the size of the pressure's change changes from sample to sample (n); NaN beside missing ones.

    A change after which the pressure rests again at the second next sample is left out.
    """
    change = np.abs(np.diff(pressure, prepend=pressure[:1]))
    change[:1] = 0.0
    resting = np.zeros(change.size, dtype=np.bool_)
    resting[:-2] = change[2:] == 0
    change[(change > 0) & resting] = 0.0
    restless = np.abs(np.diff(change, prepend=change[:1]))
    restless[:1] = 0.0
    return restless


def find_plateaus(pressure: FloatArray, usual_unrest: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Return which of n samples belong to plateaus, and which of them were added as bridges.

    ``usual_unrest`` is, for each sample, the mean unrest under its target, 0 where there is none.
    """
    n = pressure.size
    held = np.zeros(n, dtype=np.bool_)
    if n <= EDGE:
        return held, held
    ahead = window_means(unrest(pressure), np.arange(n - EDGE), AVERAGED)
    held[: n - EDGE] = ahead < usual_unrest[: n - EDGE]
    held = _without_short(_without_gaps(held))
    bridged = _bridges(pressure, held)
    return held | bridged, bridged


def window_means(values: FloatArray, first: IntArray, size: int) -> FloatArray:
    """Return the mean of ``size`` values from each of some places on, without the missing ones; NaN where none is."""
    windows = np.lib.stride_tricks.sliding_window_view(values, size)[first]
    known = np.isfinite(windows)
    count = known.sum(axis=1)
    means: FloatArray = np.divide(
        np.where(known, windows, 0.0).sum(axis=1), count, out=np.full(first.size, np.nan), where=count > 0
    )
    return means


def runs(flags: BoolArray) -> tuple[IntArray, IntArray]:
    """Return first and one after the last of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return edges[::2], edges[1::2]


def _without_gaps(held: BoolArray) -> BoolArray:
    """Fill whatever lies between two samples held that are 15 apart, from the first on, filled ones included."""
    later = np.zeros(held.size, dtype=np.bool_)
    later[: held.size - EDGE] = held[GAP : held.size - EDGE + GAP]
    filled = held
    while True:
        reached: IntArray = np.concatenate((np.zeros(GAP, dtype=np.intp), np.cumsum(filled & later)))
        more = held | (reached[GAP:] > reached[:-GAP])
        if (more == filled).all():
            return filled
        filled = more


def _without_short(held: BoolArray) -> BoolArray:
    kept = np.zeros(held.size, dtype=np.bool_)
    for first, after in zip(*runs(held), strict=True):
        kept[first:after] = after - first >= SHORTEST
    return kept


def _bridges(pressure: FloatArray, held: BoolArray) -> BoolArray:
    """Return the stretches of 40 samples that end in a plateau and have about the pressure of the second before.

    A bridge starts in a plateau. Within a bridge another starts only where, as published, the pressure is exactly 1.
    """
    n = pressure.size
    bridged = np.zeros(n, dtype=np.bool_)
    at = np.arange(AHEAD, n - AHEAD)
    if not at.size:
        return bridged
    at = at[held[at + AHEAD] & (held[at] | (pressure[at] == 1.0))]
    known = np.isfinite(pressure)
    total = np.concatenate(([0.0], np.cumsum(np.where(known, pressure, 0.0))))
    count = np.concatenate(([0], np.cumsum(known)))

    def mean(first: IntArray, after: IntArray) -> FloatArray:
        held_count = np.maximum(count[after] - count[first], 1)
        means: FloatArray = (total[after] - total[first]) / held_count
        return means

    same = np.abs(mean(at, at + AHEAD) - mean(np.maximum(at - BEHIND, 0), at)) < SAME_PRESSURE
    at = at[same]
    starts, ones = at[held[at]].tolist(), at[pressure[at] == 1.0].tolist()
    reach = 0
    while (place := bisect_left(starts, reach)) < len(starts):
        first = starts[place]
        reach = first + AHEAD
        while (inside := bisect_left(ones, reach) - 1) >= 0 and ones[inside] + AHEAD > reach:
            reach = ones[inside] + AHEAD
        bridged[first:reach] = True
    return bridged
