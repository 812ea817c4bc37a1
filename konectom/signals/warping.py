"""Dynamic time warping of curves in the plane: which point of one goes with which of the other.

The warping is the approximate one of Salvador & Chan 2007 ("FastDTW", Intell. Data Anal. 11:561) with radius 1: both
curves are halved until one has fewer than three points, warped there, and each coarser path, widened by one cell, is
the window in which the next finer one is searched. Where two ways cost the same, a step along the first curve is taken
before one along the second, and that before one along both; so does ``fastdtw`` 0.3.4 in Python (its compiled form
differs in this, and in the edges of the window).

Many pairs are warped at once: the search goes row by row, a row being a point of the second curve, over all pairs
together. Within a row each cell costs the cheapest way in from the row before, or from its left neighbour::

    D[w] = min(M[w], D[w - 1]) + c[w]     and so     D = C + min over v <= w of (M[v] - C[v - 1]),   C = cumsum(c)

which is one running minimum instead of a loop over cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray

IndexArray = NDArray[np.intp]

_ALIKE = 1e-9
"""Ways whose costs differ by less are as cheap: the running minimum is exact to about 1e-12."""

_BLOCK_ROWS = 32
"""Rows that share one window width: enough to work on together, few enough for their widths to be alike."""


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
    level = _Level.of(pairs)
    levels = [level]
    while level.halves().any():
        level = level.halved()
        levels.append(level)
    path = None
    for level in reversed(levels):
        path = _search(level, level.window(path))
    return [_matches(pair, path, index) for index, pair in enumerate(pairs)]


@dataclass(frozen=True, slots=True, eq=False)
class _Spans:
    """For each row (m) of each pair (b), the first and the last column: of a window, or of a path."""

    first: IndexArray
    last: IndexArray


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """All pairs at one resolution, padded to one number of points: columns (n, b) and rows (m, b).

    ``columns`` and ``rows`` (b) are how many points each pair has, 0 where it is coarse enough already.
    """

    x: FloatArray
    y: FloatArray
    row_x: FloatArray
    row_y: FloatArray
    columns: IndexArray
    rows: IndexArray
    out_of_reach: float

    @classmethod
    def of(cls, pairs: Sequence[tuple[FloatArray, FloatArray]]) -> _Level:
        columns = np.array([len(first) for first, _ in pairs])
        rows = np.array([len(second) for _, second in pairs])
        size = len(pairs)
        first, second = np.zeros((2, columns.max(), size)), np.zeros((2, rows.max(), size))
        for index, (along, against) in enumerate(pairs):
            first[:, : len(along), index] = along.T
            second[:, : len(against), index] = against.T
        both = np.concatenate([first, second], axis=1)
        # More than any path costs: the largest distance that there can be, for as many points as there are.
        farthest = float(np.hypot(*np.ptp(both, axis=(1, 2)))) + 1.0
        return cls(first[0], first[1], second[0], second[1], columns, rows, farthest * both.shape[1])

    def halves(self) -> NDArray[np.bool_]:
        """Tell which pairs have a coarser level."""
        return np.minimum(self.columns, self.rows) > 2

    def halved(self) -> _Level:
        """Return half the points, each the mean of two; an odd last one is left out."""
        go_on = self.halves()
        columns, rows = self.columns // 2 * go_on, self.rows // 2 * go_on
        n, m = 2 * columns.max(), 2 * rows.max()
        x, y = ((each[0:n:2] + each[1:n:2]) / 2 for each in (self.x, self.y))
        row_x, row_y = ((each[0:m:2] + each[1:m:2]) / 2 for each in (self.row_x, self.row_y))
        return _Level(x, y, row_x, row_y, columns, rows, self.out_of_reach)

    def window(self, coarse: _Spans | None) -> _Spans:
        """Return the cells in which to search: those around a path of half the resolution, or all where none was."""
        height = len(self.row_x)
        held = np.arange(height)[:, None] < self.rows
        whole = ~self.halves()
        if coarse is None or whole.all():
            first, last = np.zeros(held.shape, dtype=np.intp), np.broadcast_to(self.columns - 1, held.shape)
            return _Spans(first, np.where(held, last, -1))
        # A row reaches from one before where the path was in the row above to one after where it is in the row below.
        count = (height + 1) // 2
        first = coarse.first[np.clip(np.arange(count) - 1, 0, len(coarse.first) - 1)] - 1
        last = coarse.last[np.clip(np.arange(count) + 1, 0, len(coarse.last) - 1)] + 1
        first, last = np.repeat(2 * first, 2, axis=0)[:height], np.repeat(2 * last + 1, 2, axis=0)[:height]
        first = np.where(whole, 0, np.maximum(first, 0))
        last = np.where(whole, self.columns - 1, np.minimum(last, self.columns - 1))
        return _Spans(np.where(held, first, 0), np.where(held, last, -1))


def _matches(pair: tuple[FloatArray, FloatArray], path: _Spans | None, index: int) -> Matches:
    assert path is not None  # noqa: S101 - one level there always is
    rows = len(pair[1])
    begin, count = path.first[:rows, index], path.last[:rows, index] - path.first[:rows, index] + 1
    second = np.repeat(np.arange(rows), count)
    first = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - begin, count)
    apart = pair[0].take(first, axis=0) - pair[1].take(second, axis=0)
    apart *= apart
    return Matches(first, second, np.sqrt(apart[:, 0] + apart[:, 1]))


def _search(level: _Level, window: _Spans) -> _Spans:
    """Return the cheapest path of each pair within its window; after its last row it stays where it ended.

    A cell of a row is counted as its place in the window times the number of pairs, plus the pair.
    """
    height, size = window.first.shape
    pair = np.arange(size)
    before = np.full((2 * 1 + 5, size), np.inf)
    before[0] = before[3] = 0.0  # the corner before (0, 0): it costs nothing to come from there
    begins, blocks = np.zeros(size, dtype=np.intp), []
    for start in range(0, height, _BLOCK_ROWS):
        rows = slice(start, min(start + _BLOCK_ROWS, height))
        entry, onward, before = _forward(level, window, rows, before, begins)
        blocks.append((rows, entry, onward))
        begins = window.first[rows.stop - 1]
    first, last = np.zeros((height, size), dtype=np.intp), np.zeros((height, size), dtype=np.intp)
    ends = {int(rows) - 1: level.rows == rows for rows in np.unique(level.rows)}
    at = pair
    for rows, entry, onward in reversed(blocks):
        for row in range(rows.stop - 1, rows.start - 1, -1):
            if row in ends:
                at = np.where(ends[row], (window.last[row] - window.first[row]) * size + pair, at)
            last[row] = at
            came = entry[row - rows.start].take(at)
            first[row] = came
            at = onward[row - rows.start].take(came)
    first, last = first // size + window.first, last // size + window.first
    after = np.arange(height)[:, None] >= level.rows
    if after.any():
        end = np.maximum(level.rows - 1, 0), pair
        first, last = np.where(after, first[end], first), np.where(after, last[end], last)
    return _Spans(first, last)


def _forward(
    level: _Level, window: _Spans, rows: slice, before: FloatArray, begins: IndexArray
) -> tuple[NDArray[np.int32], NDArray[np.int32], FloatArray]:
    """Search a block of rows, given what the row before it costs and the column at which that begins.

    What a row costs is kept as (2 w + 5, b) for its w cells: the cheaper of each two neighbours (w + 2), then the
    costs (w + 3) between an infinite one to the left and two to the right, so that what a window does not reach is
    found to be out of reach.

    Returns, for each cell, the cell at which the path that leaves the row there came into it; the cell of the row
    before from which one comes in there; then what the last row costs.
    """
    first, last = window.first[rows], window.last[rows]
    count, size = first.shape
    width, width_before = max(1, int((last - first).max()) + 1), (before.shape[0] - 5) // 2
    pair, cells = np.arange(size), np.arange(width)[:, None]
    # First with the cells of a row in planes (w, m, b), where these sums are quick.
    plane = cells[:, None]
    place = plane * size + (first * size + pair)
    cost, apart = level.x.take(place, mode="clip"), level.y.take(place, mode="clip")
    cost -= level.row_x[rows]
    apart -= level.row_y[rows]
    cost *= cost
    apart *= apart
    cost += apart
    np.sqrt(cost, out=cost)
    np.copyto(cost, level.out_of_reach, where=plane > last - first)
    for cell in range(1, width):
        cost[cell] += cost[cell - 1]
    # Each cell's place in the row before: that of the corner, among the costs with their infinite one to the left.
    place -= np.concatenate([begins[None], first[:-1]]) * size
    most = np.full((count, 1), width + 1)
    most[0] = width_before + 1
    np.minimum(place, most * size + pair, out=place)
    place = place.transpose(1, 0, 2).copy()
    total = np.zeros((count, width + 1, size))  # what the cells up to each one cost, and nothing before the first
    total[:, 1:] = cost.transpose(1, 0, 2)
    less, total = total[:, :-1], total[:, 1:]
    costs = np.empty((count, 2 * width + 5, size))
    costs[:, width + 2] = costs[:, -2] = costs[:, -1] = np.inf
    inward, reach = np.empty((count, width, size)), np.empty((width, size))
    cheaper, inner = costs[:, : width + 2], costs[:, width + 3 : -2]
    left, right = costs[:, width + 2 : -1], costs[:, width + 3 :]
    previous = before
    each_row = zip(costs, place, inward, less, total, inner, left, right, cheaper, strict=True)
    for now, at, into, spent, sums, told, one, other, lesser in each_row:
        previous.take(at, out=into, mode="clip")
        np.subtract(into, spent, out=reach)
        np.minimum.accumulate(reach, axis=0, out=reach)
        np.add(reach, sums, out=told)
        np.minimum(one, other, out=lesser)
        previous = now
    # It came from the corner where the same column would have cost more than the cheaper of the two did.
    same = np.empty((count, width, size))
    ahead = place[1:] + (np.arange(count - 1) * ((2 * width + 5) * size) + (width + 3) * size)[:, None, None]
    costs.take(ahead, out=same[1:], mode="clip")
    before.take(place[0] + (width_before + 3) * size, out=same[0], mode="clip")
    inward += _ALIKE
    onward = (place - (same > inward) * size).astype(np.int32)
    from_left = costs[:, width + 2 : -3] <= inward
    entry = np.empty((count, width, size), dtype=np.int32)
    entry[:] = cells * size + pair
    for cell in range(1, width):
        np.copyto(entry[:, cell], entry[:, cell - 1], where=from_left[:, cell])
    return entry, onward, costs[-1]
