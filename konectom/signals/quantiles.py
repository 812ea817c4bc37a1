"""Medians of many series of positive numbers that pass once, in bounded memory.

Numbers are counted in bins whose widths grow with the number, so that the middle of a bin lies within 1 % of whatever
fell into it: DDSketch of Masson, Rim and Lee (2019), PVLDB 12(12), 2195-2205, section 2.1. A series needs at most as
many counts as there are bins, however many numbers pass. Deviation: no bins are merged, since their number is bounded
by the range; what lies beyond the range is counted in the outermost bin.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from konectom.recording import FloatArray

IntArray = npt.NDArray[np.int64]

ACCURACY = 0.01
GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
RANGE = (1e-18, 1e18)
LOWEST, HIGHEST = (int(np.ceil(np.log(end) / np.log(GAMMA))) for end in RANGE)
BINS = HIGHEST - LOWEST + 1


class Medians:
    """Counts of numbers by series and bin: only those that occur."""

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: dict[int, int] = dict(counts or {})

    def add(self, series: IntArray, values: FloatArray) -> None:
        """Count n positive ``values``, each of the series of that number."""
        if not values.size:
            return
        bins = np.ceil(np.log(values) / np.log(GAMMA)).clip(LOWEST, HIGHEST).astype(np.int64) - LOWEST
        found, often = np.unique(series * BINS + bins, return_counts=True)
        for place, count in zip(found.tolist(), often.tolist(), strict=True):
            self.counts[place] = self.counts.get(place, 0) + count

    def all(self) -> dict[int, float]:
        """Return the median of each series that has numbers, the lower one of an even count, within 1 %."""
        by_series: dict[int, list[tuple[int, int]]] = {}
        for place in sorted(self.counts):
            by_series.setdefault(place // BINS, []).append((place % BINS, self.counts[place]))
        return {series: _median(counted) for series, counted in by_series.items()}


def _median(counted: list[tuple[int, int]]) -> float:
    seen = list(accumulate(count for _, count in counted))
    place, _ = counted[bisect_left(seen, (seen[-1] + 1) // 2)]
    return float(2 * GAMMA ** (place + LOWEST) / (GAMMA + 1))
