"""The search for the cheapest warping of many pairs of curves, one resolution at a time.

It goes row by row, a row being a point of the second curve, over all pairs together. Within a row each cell costs the
cheapest way in from the row before, or from its left neighbour::

    D[w] = min(M[w], D[w - 1]) + c[w]     and so     D = C + min over v <= w of (M[v] - C[v - 1]),   C = cumsum(c)

which is one running minimum instead of a loop over cells. Two successive rows have one window between them, since both
stem from one row of the coarser path: they are a band. What is done for all cells of many bands at once is cheap; what
is done for each row is not, for the pairs of one recording are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray

IndexArray = NDArray[np.intp]
Minimum = tuple[FloatArray, FloatArray, FloatArray]
"""Two arrays, and where the lesser of each two elements goes."""

_ALIKE = 1e-9
"""Ways whose costs differ by less are as cheap: the running minimum is exact to about 1e-12."""

BLOCK = 32
"""Bands that share one window width: enough to work on together, few enough for their widths to be alike."""


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """The first and the last column of each pair (b): of its window in each band, or of its path in each row."""

    first: IndexArray
    last: IndexArray


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """All pairs at one resolution, padded to one number of points: columns (n, b) and rows (m, b), an even number.

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
    def of(cls, pairs: Sequence[tuple[FloatArray, FloatArray]]) -> Level:
        columns = np.array([len(first) for first, _ in pairs])
        rows = np.array([len(second) for _, second in pairs])
        size = len(pairs)
        first, second = np.zeros((2, columns.max(), size)), np.zeros((2, _even(rows), size))
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

    def halved(self) -> Level:
        """Return half the points, each the mean of two; an odd last one is left out."""
        go_on = self.halves()
        columns, rows = self.columns // 2 * go_on, self.rows // 2 * go_on
        n, m = 2 * columns.max(), 2 * rows.max()
        x, y = ((each[0:n:2] + each[1:n:2]) / 2 for each in (self.x, self.y))
        row_x, row_y = np.zeros((2, _even(rows), rows.size))
        for coarse, fine in ((row_x, self.row_x), (row_y, self.row_y)):
            coarse[: m // 2] = (fine[0:m:2] + fine[1:m:2]) / 2
        return Level(x, y, row_x, row_y, columns, rows, self.out_of_reach)

    def bands(self, coarse: Spans | None) -> Spans:
        """Return the cells in which to search: those around a path of half the resolution, or all where none was.

        What is said of a pair after its last row, or at a level that it does not have, has no meaning.
        """
        whole = ~self.halves()
        count = len(self.row_x) // 2
        ends = np.maximum(self.columns - 1, 0)
        if coarse is None or whole.all():
            first = np.zeros((count, whole.size), dtype=np.intp)
            return Spans(first, first + ends)
        # A row reaches from one before where the path was in the row above to one after where it is in the row below.
        first = coarse.first[np.clip(np.arange(count) - 1, 0, len(coarse.first) - 1)] - 1
        last = coarse.last[np.clip(np.arange(count) + 1, 0, len(coarse.last) - 1)] + 1
        first = np.where(whole, 0, np.maximum(2 * first, 0))
        return Spans(first, np.where(whole, ends, np.minimum(2 * last + 1, ends)))


def _even(rows: IndexArray) -> int:
    """Return how many rows make whole bands of two."""
    return int(rows.max() + 1) // 2 * 2


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What a row of w cells costs, and the cheaper of each cell and the one before it, cell by cell ((w + 2) b).

    Both go on with infinity, so that what a window does not reach is found to be out of reach. ``first`` (b) is the
    column at which its window begins.
    """

    cheaper: FloatArray
    costs: FloatArray
    first: IndexArray


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The ways in m successive rows of w cells.

    ``onward`` (m, w, b) is the cell of the row before from which comes the path that leaves a row at a cell; ``entry``
    (m, w, b) tells whether the way into a cell is from that row, not from its left; ``moved`` (m, b) is by how many
    cells the window has moved since the row before.
    """

    onward: NDArray[np.int32]
    entry: NDArray[np.bool_]
    moved: IndexArray

    def entered(self, came: IndexArray, leaves: IndexArray) -> IndexArray:
        """Return the cell (m, b) at which a path enters each row, given where it left the row before and leaves it."""
        size = came.shape[1]
        same = came - self.moved * size
        # From the corner, unless it is by going on to the right that it gets there.
        cells = flat(self.entry)
        entry = np.take_along_axis(cells, np.minimum(same + size, cells.shape[1] - 1), axis=1)
        entered: IndexArray = same + size * ((same + size <= leaves) & entry)
        return entered


def forward(level: Level, first: IndexArray, last: IndexArray, row: int, before: Row) -> tuple[Block, Row]:
    """Search a block of bands (g, b) from a row on, given the row before it; return it, and its last row."""
    count, size = first.shape
    width = int((last - first).max()) + 1
    here = np.arange(width)[:, None] * size + np.arange(size)
    moved = np.diff(first, axis=0, prepend=before.first[None])
    place = here + (moved * size)[:, None]  # of each cell (g, w, b) in the row before its band
    total = _summed(level, first, last, row, width)
    costs = np.empty((2 * count, width + 3, size))
    costs[:, 0] = costs[:, -2] = costs[:, -1] = np.inf
    cheaper = np.empty((2 * count, width + 2, size))
    # What it costs to come into a band's first row, and what the row before it costs in the same column.
    inward, above = np.empty((2, count, width, size))
    # In the loop each row is one stretch of memory: that is what numpy is quickest with.
    end, sums, told, less = width * size, flat(total), flat(costs), flat(cheaper)
    views = (
        sums[:, :end],
        sums[:, size:],
        told[:, size : size + end],
        told[:, :-size],
        told[:, size:],
        less,
        less[:, :end],
    )
    rows = list(zip(*views, strict=True))
    reach, running, reached = _running_minimum(width, size)
    way, cost = before.cheaper, before.costs
    each_band = zip(flat(place), flat(inward), flat(above), rows[::2], rows[1::2], strict=True)
    for at, into, over, *both_rows in each_band:
        way.take(at, 0, into, "clip")
        cost.take(at, 0, over, "clip")
        for spent, summed, costing, one, cost, way, through in both_rows:
            np.subtract(into, spent, out=reach)
            for near, far, both in running:
                np.minimum(near, far, out=both)
            np.add(reached, summed, out=costing)
            np.minimum(one, cost, out=way)
            into = through
    block = _ways(place, here, moved, costs, ((inward, above), (cheaper[::2, :width], costs[::2, 1:-2])))
    return block, Row(way, cost, first[-1])


def flat(rows: NDArray[Any]) -> NDArray[Any]:
    """Return each row (m, w, b) as one line (m, w b)."""
    return rows.reshape(len(rows), -1)


def _doublings(width: int) -> list[int]:
    """Return by how much to look back, one after the other, to have looked at all of so many cells."""
    return [2**power for power in range((width - 1).bit_length())]


def _running_minimum(width: int, size: int) -> tuple[FloatArray, list[Minimum], FloatArray]:
    """Return where to put values (w b), which minima to take, and where the least of those up to each then stands.

    Each minimum doubles how far it looks back: a few of them, over all pairs at once, instead of one after the other.
    """
    back = _doublings(width)
    pad, end = sum(back[-1:]) * size, width * size
    one, other = np.full((2, pad + end), np.inf)
    begin = one[pad:]
    steps: list[Minimum] = []
    for far in back:
        from_ = pad - far * size
        steps.append((one[pad:], one[from_ : from_ + end], other[pad:]))
        one, other = other, one
    return begin, steps, one[pad:]


def _ways(
    place: IndexArray,
    here: IndexArray,
    moved: IndexArray,
    costs: FloatArray,
    entered: tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]],
) -> Block:
    """Return which ways were cheapest, by what it cost to come in and what the same column cost in the row before.

    ``entered`` has both (g, w, b) of the first row of each band, then of the second.
    """
    count, width, size = place.shape
    onward = np.empty((count, 2, width, size), dtype=np.int32)
    entry = np.empty((count, 2, width, size), dtype=np.bool_)
    for half, (inward, above) in enumerate(entered):
        limit = inward + _ALIKE
        np.greater(costs[half::2, :-3], limit, out=entry[:, half])
        # It came from the corner where the same column would have cost more than the cheaper of the two did.
        onward[:, half] = here if half else place
        onward[:, half] -= (above > limit) * np.int32(size)
    onward *= entry.astype(np.int32)
    for far in _doublings(width):  # to the right of an entry, it is the entry's
        np.maximum(onward[:, :, far:], onward[:, :, :-far], out=onward[:, :, far:])
    both = np.zeros((count, 2, size), dtype=np.intp)
    both[:, 0] = moved
    return Block(*(each.reshape(2 * count, *each.shape[2:]) for each in (onward, entry, both)))


def _summed(level: Level, first: IndexArray, last: IndexArray, row: int, width: int) -> FloatArray:
    """Return what the cells up to each one cost (m, w + 1, b), nothing before the first, of both rows of each band."""
    count, size = first.shape
    plane = np.arange(width)[:, None, None]
    # With the cells of a row in planes (w, g, b) these sums are quick.
    place = plane * size + (first * size + np.arange(size))
    x, y = level.x.take(place, mode="clip"), level.y.take(place, mode="clip")
    x += (plane > last - first) * level.out_of_reach
    total = np.zeros((count, 2, width + 1, size))
    for half in (0, 1):
        rows = slice(row + half, row + half + 2 * count, 2)
        cost, apart = x - level.row_x[rows], y - level.row_y[rows]
        cost *= cost
        apart *= apart
        cost += apart
        np.sqrt(cost, out=cost)
        for cell in range(1, width):
            cost[cell] += cost[cell - 1]
        total[:, half, 1:] = cost.transpose(1, 0, 2)
    return total.reshape(2 * count, width + 1, size)
