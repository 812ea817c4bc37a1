"""Values of a stretch of days put together into one: what is compared is a window, not a single test.

The median of several tests carries far less noise than one of them. Windows follow one another without gap from half a
day before the first value, so that a test at about the same hour of the 15th day belongs to the next window whichever
time zone or clock change lies between.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray
from konectom.scoring.series import IntArray

MAD_TO_SD = 1.482602218505602
"""1 / the 75th centile of the normal distribution: makes the median absolute deviation estimate its sd."""

_LEAD_DAYS = 0.5
_RHYTHM_GAPS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Aggregates:
    """Arrays with one element per window in which there was a usable test, oldest first.

    ``start_day`` and ``end_day`` bound the window (the end is not part of it; for values that stand alone both are the
    value's time). ``at_day`` is the mean time of its tests, ``n`` their number, ``value`` their median or mean, NaN
    where there are fewer than ``tests_min``. ``spread`` is 1.4826 times the median absolute deviation of its tests, NaN
    for one test alone. ``empty`` counts the windows between the first and the last in which there was no test; ``of``
    says for each value into which element it went.
    """

    window_days: float
    tests_min: int
    start_day: FloatArray
    end_day: FloatArray
    at_day: FloatArray
    value: FloatArray
    n: IntArray
    spread: FloatArray
    empty: int
    of: IntArray

    def __len__(self) -> int:
        return int(self.value.size)

    @property
    def known(self) -> IntArray:
        """Return the indices of the windows that have a value."""
        return np.flatnonzero(self.n >= self.tests_min)


def window_length(at_day: FloatArray, window_days: float, tests_min: int, widest_days: float) -> float:
    """Return the length of windows that suits how often a patient tests.

    With the usual gap between tests (the median of the first 8 gaps, at least two of them), a window shall hold one
    test more than ``tests_min``, so that one may be missed; it is widened in whole multiples up to ``widest_days``.
    Only the first gaps are looked at: after nine tests the windows stay as they are.
    """
    gaps = np.diff(at_day[: _RHYTHM_GAPS + 1])
    if gaps.size < 2 or widest_days <= window_days:
        return window_days
    needed = (tests_min + 1) * median(gaps) / window_days
    # A gap of 6.9 or 7.1 days is a week.
    multiple = min(max(1, ceil(needed - 0.05)), int(widest_days // window_days))
    return multiple * window_days


def aggregate(
    at_day: FloatArray, value: FloatArray, *, window_days: float, tests_min: int, statistic: str = "median"
) -> Aggregates:
    """Put finite values at sorted times together by windows of ``window_days``."""
    n = value.size
    if n == 0:
        nothing, none = np.empty(0), np.empty(0, dtype=np.int64)
        return Aggregates(window_days, tests_min, nothing, nothing, nothing, nothing, none, nothing, 0, none)
    origin = float(at_day[0]) - _LEAD_DAYS
    window = np.floor((at_day - origin) / window_days).astype(np.int64)
    first = starts(window)
    count = sizes(first, n)
    of = np.repeat(np.arange(first.size), count)
    middle = _medians(value, window, first, count)
    centre = middle if statistic == "median" else np.add.reduceat(value, first) / count
    deviation = np.abs(value - middle[of])
    spread = MAD_TO_SD * _medians(deviation, window, first, count)
    start: FloatArray = np.asarray(origin + window[first] * window_days, dtype=np.float64)
    return Aggregates(
        window_days=window_days,
        tests_min=tests_min,
        start_day=start,
        end_day=start + window_days,
        at_day=np.add.reduceat(at_day, first) / count,
        value=np.where(count >= tests_min, centre, np.nan),
        n=count,
        spread=np.where(count >= 2, spread, np.nan),
        empty=int(window[-1] + 1 - first.size),
        of=of,
    )


def each_alone(at_day: FloatArray, value: FloatArray) -> Aggregates:
    """Return every value as an aggregate of its own; several of one instant are one, their median."""
    n = value.size
    if n == 0:
        return aggregate(at_day, value, window_days=0.0, tests_min=1)
    first = starts(at_day)
    count = sizes(first, n)
    of = np.repeat(np.arange(first.size), count)
    time = at_day[first]
    middle = value if first.size == n else _medians(value, of, first, count)
    return Aggregates(0.0, 1, time, time, time, middle, count, np.full(first.size, np.nan), 0, of)


def median(x: FloatArray) -> float:
    """Return the median of a few finite values; numpy's own costs ten times as much for so few."""
    ordered = np.sort(x)
    return 0.5 * (ordered.item((x.size - 1) // 2) + ordered.item(x.size // 2))


def starts(x: NDArray[Any]) -> IntArray:
    """Return the index of the first element of each stretch of equal ones."""
    new = np.empty(x.size, dtype=bool)
    new[0] = True
    np.not_equal(x[1:], x[:-1], out=new[1:])
    return np.flatnonzero(new)


def sizes(first: IntArray, total: int) -> IntArray:
    """Return the length of each stretch that begins at ``first``."""
    size = np.empty_like(first)
    size[:-1] = first[1:] - first[:-1]
    size[-1] = total - first[-1]
    return size


def _medians(value: FloatArray, window: IntArray, first: IntArray, count: IntArray) -> FloatArray:
    """Return the median of each window, all at once: values are sorted within windows, the middle ones looked up."""
    ordered = value[np.lexsort((value, window))]
    low, high = first + (count - 1) // 2, first + count // 2
    median: FloatArray = 0.5 * (ordered[low] + ordered[high])
    return median
