"""The trend of a score: Theil-Sen slope per year, and the Mann-Kendall test.

The slope is the median over all pairs of points of the change between them per time (Theil 1950, Sen 1968): up to 29 %
of the points may be anything without moving it far. Its interval and the test rest on Kendall's S, whose variance
allows for ties (Kendall 1970) and for autocorrelation (Hamed & Rao 1998, doi:10.1016/S0022-1694(97)00125-X): points
that lie beside one another resemble each other, which makes chance look like a trend.

Deviation: Hamed and Rao's factor is never let below 1, so that the correction can make a trend less sure but not surer;
and the interval of the slope is widened by it as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np

from konectom.recording import FloatArray
from konectom.scoring.series import DAYS_PER_YEAR, IntArray
from konectom.scoring.windows import median, sizes, starts

Z95 = 1.959963984540054
MOST_POINTS = 400
"""Pairs grow with the square of the points: beyond this many, neighbours are put together first."""

LEAST_FOR_AUTOCORRELATION = 10


@dataclass(frozen=True, slots=True)
class Slope:
    """A trend per year with its 95 % interval, in the score's unit.

    The line is ``intercept + per_year * (day - origin_day) / 365.25``. ``s`` and ``variance`` are Kendall's, the latter
    before ``inflation``, the factor by which autocorrelation enlarges it; ``z`` (with the continuity correction) and
    ``p`` (two-sided) are after it. ``effective_n`` is the number of independent points that would say as much.
    ``n`` points were used; where there were more, ``thinned_from`` says how many.
    """

    per_year: float
    low: float
    high: float
    intercept: float
    origin_day: float
    n: int
    s: float
    variance: float
    inflation: float
    z: float
    p: float
    lag1: float | None
    thinned_from: int | None = None

    @property
    def effective_n(self) -> float:
        """Return how many independent points would say as much."""
        return self.n / self.inflation

    def at(self, day: float) -> float:
        """Return the line's value on a day."""
        return self.intercept + self.per_year * (day - self.origin_day) / DAYS_PER_YEAR


def theil_sen(at_day: FloatArray, value: FloatArray, *, autocorrelation: bool = True) -> Slope | None:
    """Return the slope through finite values at sorted times, None where fewer than two times differ.

    More than 400 points are first put together: consecutive groups of equal size, each at its mean time with its median
    value; that is the same each time. Points at one time are not compared with each other.
    """
    thinned_from = None
    if value.size > MOST_POINTS:
        thinned_from = int(value.size)
        at_day, value = _thinned(at_day, value)
    n = int(value.size)
    if n < 2 or at_day[0] == at_day[-1]:
        return None
    years = (at_day - at_day[0]) / DAYS_PER_YEAR
    apart = years - years[:, None]
    later = apart > 0
    rise = (value - value[:, None])[later]
    slopes = rise / apart[later]
    slopes.sort()
    middle = _median_of_sorted(slopes)
    s = float(np.sign(rise).sum())
    variance = _variance_of_s(_tie_sizes(value), _tie_sizes(years), n)
    lag1, inflation = None, 1.0
    if autocorrelation and n >= LEAST_FOR_AUTOCORRELATION:
        lag1, factor = hamed_rao(value - middle * years)
        inflation = max(1.0, factor)
    sigma = sqrt(variance * inflation)
    z = (s - np.sign(s)) / sigma if sigma > 0 else 0.0
    count = slopes.size
    # The ranks of Sen (1968), rounded to whole ones.
    above = min(round((count + Z95 * sigma) / 2), count - 1)
    below = max(round((count - Z95 * sigma) / 2) - 1, 0)
    return Slope(
        per_year=middle,
        low=float(slopes[below]),
        high=float(slopes[above]),
        intercept=median(value) - middle * median(years),
        origin_day=float(at_day[0]),
        n=n,
        s=s,
        variance=variance,
        inflation=inflation,
        z=float(z),
        p=erfc(abs(z) / sqrt(2.0)),
        lag1=lag1,
        thinned_from=thinned_from,
    )


def hamed_rao(detrended: FloatArray) -> tuple[float, float]:
    """Return the lag-1 autocorrelation of the ranks, and the factor for the variance of S.

    Lags whose autocorrelation lies within 1.96 / sqrt(n) of zero are left out. The factor may come out below 1.
    """
    n = detrended.size
    ranks = _ranks(detrended)
    ranks -= ranks.mean()
    power = float(ranks @ ranks)
    if power == 0:
        return 0.0, 1.0
    r = np.correlate(ranks, ranks, mode="full")[n:] / power
    lag = np.arange(1, n)
    left = n - lag
    weights = left * (left - 1.0) * (left - 2.0)
    counted = np.abs(r) > Z95 / sqrt(n)
    return float(r[0]), 1.0 + 2.0 / (n * (n - 1.0) * (n - 2.0)) * float(weights[counted] @ r[counted])


def _variance_of_s(ties: IntArray, time_ties: IntArray, n: int) -> float:
    """Return the variance of Kendall's S with ties in the values and in the times (Kendall 1970, chapter 4)."""

    def term(t: IntArray) -> float:
        return float((t * (t - 1) * (2 * t + 5)).sum())

    variance = (n * (n - 1) * (2 * n + 5) - term(ties) - term(time_ties)) / 18.0
    pairs = float((ties * (ties - 1)).sum()) * float((time_ties * (time_ties - 1)).sum())
    if pairs:
        variance += pairs / (2.0 * n * (n - 1))
        triples = [float((t * (t - 1) * (t - 2)).sum()) for t in (ties, time_ties)]
        if n > 2:
            variance += triples[0] * triples[1] / (9.0 * n * (n - 1) * (n - 2))
    return variance


def _tie_sizes(x: FloatArray) -> IntArray:
    """Return how often each value occurs that occurs more than once."""
    first = starts(np.sort(x))
    size = sizes(first, x.size)
    return size[size > 1]


def _ranks(x: FloatArray) -> FloatArray:
    """Return ranks from 1; equal values share the mean of theirs."""
    order = np.argsort(x, kind="stable")
    ordered = x[order]
    first = starts(ordered)
    size = sizes(first, x.size)
    ranks = np.empty(x.size)
    ranks[order] = np.repeat(first + 0.5 * (size + 1), size)
    return ranks


def _median_of_sorted(x: FloatArray) -> float:
    return float(0.5 * (x[(x.size - 1) // 2] + x[x.size // 2]))


def _thinned(at_day: FloatArray, value: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Put each so many consecutive points together; the last group may be smaller."""
    size = -(-value.size // MOST_POINTS)
    first = np.arange(0, value.size, size)
    count = sizes(first, value.size)
    group = np.repeat(first, count)
    ordered = value[np.lexsort((value, group))]
    median = 0.5 * (ordered[first + (count - 1) // 2] + ordered[first + count // 2])
    return np.add.reduceat(at_day, first) / count, median
