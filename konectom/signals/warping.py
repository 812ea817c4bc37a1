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
from numpy.typing import NDArray

from konectom.recording import FloatArray
from konectom.signals._warping import BLOCK, Block, IndexArray, Level, Row, Spans, flat, forward


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
        path = _search(level, level.bands(path))
    return [_matches(pair, path, index) for index, pair in enumerate(pairs)]


def _search(level: Level, window: Spans) -> Spans:
    """Return the cheapest path of each pair within its window; after its last row it stays where it ended.

    A cell of a row is counted as its place in the window times the number of pairs, plus the pair.
    """
    count, size = window.first.shape
    pair = np.arange(size)
    # Before the first row there is a corner, to the left of its first cell, from which it costs nothing to come.
    before = Row(np.full(3 * size, np.inf), np.full(3 * size, np.inf), np.zeros(size, dtype=np.intp))
    before.cheaper[:size] = 0.0
    blocks = []
    for start in range(0, count, BLOCK):
        bands = slice(start, min(start + BLOCK, count))
        block, before = forward(level, window.first[bands], window.last[bands], 2 * start, before)
        blocks.append(block)
    leaves = _backward(blocks, level.rows, (window.last - window.first) * size + pair)
    came = np.concatenate([(pair - size)[None], leaves[:-1]])
    enters, row = np.empty_like(leaves), 0
    for block in blocks:
        rows = slice(row, row := row + len(block.onward))
        enters[rows] = block.entered(came[rows], leaves[rows])
    begins = np.repeat(window.first, 2, axis=0)
    first, last = enters // size + begins, leaves // size + begins
    after = np.arange(2 * count)[:, None] >= level.rows
    if after.any():
        end = np.maximum(level.rows - 1, 0), pair
        first, last = np.where(after, first[end], first), np.where(after, last[end], last)
    return Spans(first, last)


def _backward(blocks: list[Block], rows: IndexArray, ends: IndexArray) -> IndexArray:
    """Return the cell (m, b) at which each path leaves each row; ``ends`` (m / 2, b) are the windows' last cells."""
    size, row = rows.size, sum(len(block.onward) for block in blocks)
    leaves = np.empty((row, size), dtype=np.intp)
    last = {int(each) - 1: rows == each for each in np.unique(rows)}
    at: NDArray[np.integer] = np.arange(size)
    for block in reversed(blocks):
        for onward in flat(block.onward)[::-1]:
            row -= 1
            if row in last:
                at = np.where(last[row], ends[row // 2], at)
            leaves[row] = at
            at = onward.take(at, 0, None, "clip")
    return leaves


def _matches(pair: tuple[FloatArray, FloatArray], path: Spans | None, index: int) -> Matches:
    assert path is not None  # noqa: S101 - one level there always is
    rows = len(pair[1])
    begin, count = path.first[:rows, index], path.last[:rows, index] - path.first[:rows, index] + 1
    second = np.repeat(np.arange(rows), count)
    first = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - begin, count)
    apart = pair[0].take(first, axis=0) - pair[1].take(second, axis=0)
    apart *= apart
    return Matches(first, second, np.sqrt(apart[:, 0] + apart[:, 1]))
