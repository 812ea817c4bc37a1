"""Dynamic time warping of curves in the plane: which point of one goes with which of the other.

The warping is the approximate one of Salvador & Chan 2007 ("FastDTW", Intell. Data Anal. 11:561) with radius 1: both
curves are halved until one has fewer than three points, warped there, and each coarser path, widened by one cell, is
the window in which the next finer one is searched. Where two ways cost the same, a step along the first curve is taken
before one along the second, and that before one along both; so does ``fastdtw`` 0.3.4 in Python (its compiled form
differs in this, and in the edges of the window).

Many pairs are warped at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from konectom.recording import FloatArray
from konectom.signals._warping import IndexArray, Level, Spans, search


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Which points go together: ``first`` (k) and ``second`` (k) count along the curves and never fall.

    ``distance`` (k) is how far each two are apart.
    """

    first: IndexArray
    second: IndexArray
    distance: FloatArray

    @property
    def cost(self) -> float:
        """Return the sum of the distances, which the warping makes small."""
        return float(self.distance.sum())

    def nearest(self) -> tuple[FloatArray, IndexArray]:
        """Return, for each point of the first curve, its least distance, and the earliest point that it goes with."""
        begins = np.flatnonzero(np.diff(self.first, prepend=-1))
        return np.minimum.reduceat(self.distance, begins), self.second[begins]


def warp(pairs: Sequence[tuple[FloatArray, FloatArray]]) -> list[Matches]:
    """Return the matches of each pair of curves, (n, 2) and (m, 2) with one point or more."""
    if not pairs:
        return []
    level = Level.of(pairs)
    levels = [level]
    while level.halves().any():
        level = level.halved()
        levels.append(level)
    path = None
    for level in reversed(levels):
        path = search(level, level.bands(path))
    return [_matches(pair, path, index) for index, pair in enumerate(pairs)]


def _matches(pair: tuple[FloatArray, FloatArray], path: Spans | None, index: int) -> Matches:
    assert path is not None  # noqa: S101 - one level there always is
    rows = len(pair[1])
    begin, count = path.first[:rows, index], path.last[:rows, index] - path.first[:rows, index] + 1
    second = np.repeat(np.arange(rows), count)
    first = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - begin, count)
    apart = pair[0].take(first, axis=0) - pair[1].take(second, axis=0)
    apart *= apart
    return Matches(first, second, np.sqrt(apart[:, 0] + apart[:, 1]))
