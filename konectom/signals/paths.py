"""Curves in the plane, as points (n, 2) in the order in which they are drawn: length, even spacing, crossings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray

IndexArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]


def steps(points: FloatArray) -> FloatArray:
    """Return how far each point (n) is from the one before it, shape (n - 1)."""
    apart = points[1:] - points[:-1]
    return np.sqrt(apart[:, 0] ** 2 + apart[:, 1] ** 2)


def length(points: FloatArray) -> float:
    """Return a curve's length along its points."""
    return float(steps(points).sum())


def distances(points: FloatArray, target: FloatArray) -> FloatArray:
    """Return how far each point is from one target (2)."""
    far: FloatArray = np.sqrt((points[:, 0] - target[0]) ** 2 + (points[:, 1] - target[1]) ** 2)
    return far


def distinct(points: FloatArray, *, last: bool = False) -> BoolArray:
    """Tell which points stand for their place: of several at the same place, the first drawn, or the last."""
    held = points[::-1] if last else points
    order = np.lexsort((held[:, 1], held[:, 0]))  # stable: equal places stay in the order in which they were drawn
    ordered = held[order]
    keep = np.ones(len(points), dtype=np.bool_)
    keep[order[1:]] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return keep[::-1] if last else keep


def evenly(points: FloatArray, count: int, *, smooth: bool) -> FloatArray:
    """Return ``count`` points at equal distances along the chords between the points, from the first to the last.

    ``smooth`` lays a cubic spline (not-a-knot) through the points over their distance along the chords; otherwise, or
    with fewer than four points, the points lie on the chords. No two successive points may be at the same place.
    """
    along = np.concatenate(([0.0], np.cumsum(steps(points))))
    apart = np.concatenate(([True], along[1:] > along[:-1]))
    if not apart.all():  # beside a leap that is beyond all measure short steps come to nothing
        points, along = points[apart], along[apart]
    wanted = np.linspace(0.0, along[-1], count)
    if not smooth or len(points) < 4:
        return np.column_stack([np.interp(wanted, along, column) for column in points.T])
    return _spline(along, points, wanted)


def _spline(knots: FloatArray, values: FloatArray, wanted: FloatArray) -> FloatArray:
    """Return the cubic spline (not-a-knot) through values (n, k) at n knots, at sorted places between them.

    With four points it is one parabola or cubic throughout. The slopes at the knots solve a tridiagonal system.
    """
    from scipy.linalg.lapack import dgtsv

    columns = np.ascontiguousarray(values.T)  # one row for each of the k: sums along it are quick
    step = knots[1:] - knots[:-1]
    chord = (columns[:, 1:] - columns[:, :-1]) / step
    upper, lower, middle = np.empty(step.size), np.empty(step.size), np.empty(knots.size)
    upper[1:], lower[:-1], middle[1:-1] = step[:-1], step[1:], 2 * (step[1:] + step[:-1])
    right = np.empty(columns.shape)
    right[:, 1:-1] = 3 * (step[1:] * chord[:, :-1] + step[:-1] * chord[:, 1:])
    # Not a knot: the third derivative goes on through the second point, and through the last but one.
    for end, (near, far, inner, outer) in ((0, (step[0], step[1], 0, 1)), (-1, (step[-1], step[-2], -1, -2))):
        both = near + far
        middle[end] = far
        right[:, end] = ((near + 2 * both) * far * chord[:, inner] + near**2 * chord[:, outer]) / both
    upper[0], lower[-1] = step[0] + step[1], step[-1] + step[-2]
    slope = dgtsv(lower, middle, upper, right.T)[3].T
    # Between two knots: the chord, and what leans off it at either end.
    at = np.searchsorted(knots[1:-1], wanted, "right")
    t = (wanted - knots.take(at)) / step.take(at)
    leave, arrive = step * (slope[:, :-1] - chord), step * (chord - slope[:, 1:])
    rise = (columns[:, 1:] - columns[:, :-1]).take(at, axis=1)
    lean = (1.0 - t) * leave.take(at, axis=1) + t * arrive.take(at, axis=1)
    return np.ascontiguousarray((columns.take(at, axis=1) + t * (rise + (1.0 - t) * lean)).T)


def share_reached(figure: FloatArray, drawn: FloatArray, radius: float, known: IndexArray | None = None) -> float:
    """Return which share of a figure's points has a drawn point nearer than ``radius``.

    Those that are ``known`` to have one are not looked at again.
    """
    from scipy.spatial import cKDTree

    reached = np.zeros(len(figure), dtype=np.bool_)
    if known is not None:
        reached[known] = True
    open_ = np.flatnonzero(~reached)
    if open_.size:
        distance, _ = cKDTree(drawn, leafsize=32, balanced_tree=False, compact_nodes=False).query(
            figure[open_], distance_upper_bound=radius
        )
        reached[open_] = distance < radius
    return float(np.count_nonzero(reached)) / len(figure)


def crossings(
    drawn: FloatArray, figure: FloatArray, *, window: float = 0.1, least_angle_deg: float = 0.1
) -> IndexArray:
    """Return which segments of the drawn curve cross the figure: i stands for the one from point i - 1 to point i.

    Segments are compared that come at about the same share of their curve's length (within ``window``), and that do
    not run the same way (to ``least_angle_deg``). Those that touch cross too. The drawn curve's last segment is left
    out, as in the published definition. No two successive points may be at the same place.
    """
    if min(len(drawn), len(figure)) < 2:
        return np.empty(0, dtype=np.intp)
    share, figure_share = (np.cumsum(steps(each)) / length(each) for each in (drawn, figure))
    share = share[:-1]
    first = np.searchsorted(figure_share, share - window, "right")
    count = np.searchsorted(figure_share, share + window, "left") - first
    segment = np.repeat(np.arange(share.size), count)
    other = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - first, count)
    for axis in (0, 1):
        near = _overlap(drawn[:, axis], segment, figure[:, axis], other)
        segment, other = segment[near], other[near]
    a, b = drawn.take(segment, axis=0), drawn.take(segment + 1, axis=0)
    c, d = figure.take(other, axis=0), figure.take(other + 1, axis=0)
    u, v = b - a, d - c
    meet = (_side(a, u, c) * _side(a, u, d) <= 0) & (_side(c, v, a) * _side(c, v, b) <= 0)
    cosine = (u * v).sum(axis=1) / np.sqrt((u * u).sum(axis=1) * (v * v).sum(axis=1))
    apart = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))) > least_angle_deg
    return np.unique(segment[meet & apart]) + 1


def _overlap(a: FloatArray, i: IndexArray, b: FloatArray, j: IndexArray) -> BoolArray:
    """Tell where the stretch from a[i] to a[i + 1] overlaps that from b[j] to b[j + 1]."""
    low_a, high_a = np.minimum(a[:-1], a[1:]), np.maximum(a[:-1], a[1:])
    low_b, high_b = np.minimum(b[:-1], b[1:]), np.maximum(b[:-1], b[1:])
    told: BoolArray = (low_a.take(i) <= high_b.take(j)) & (low_b.take(j) <= high_a.take(i))
    return told


def _side(origin: FloatArray, direction: FloatArray, point: FloatArray) -> FloatArray:
    """Return on which side of lines points lie: positive to the one, negative to the other, 0 on the line."""
    away = point - origin
    return direction[:, 0] * away[:, 1] - direction[:, 1] * away[:, 0]


def spectral_arc_length(movement: FloatArray, rate_hz: float, highest_hz: float = 10.0, least: float = 0.05) -> float:
    """Return the length of a movement's normalised amplitude spectrum, negative: nearer to 0 is smoother.

    The spectrum is taken up to ``highest_hz``, and there from the first to the last frequency with at least the share
    ``least`` of the largest amplitude; zeros are added to 16 times the next power of two. Source: Balasubramanian,
    Melendez-Calderon, Burdet 2012 (doi 10.1109/TBME.2011.2179545). NaN where the movement is all zeros.
    """
    n_fft = 2 ** (int(np.ceil(np.log2(max(movement.size, 1)))) + 4)
    spectrum = np.fft.rfft(movement, n_fft)
    largest = float(np.sqrt((spectrum.real**2 + spectrum.imag**2).max()))
    if not largest > 0:
        return float("nan")
    upto = int(highest_hz / rate_hz * n_fft) + 1
    amplitude = np.abs(spectrum[:upto]) / largest
    strong = np.flatnonzero(amplitude >= least)
    if not strong.size or strong[-1] == strong[0]:
        return float("nan")
    amplitude = amplitude[strong[0] : strong[-1] + 1]
    return float(-np.sqrt((1.0 / (amplitude.size - 1)) ** 2 + np.diff(amplitude) ** 2).sum())
