"""Statistics of a series, all that are wanted in one pass.

Definitions: ``sd`` has n - 1 in the denominator; quantiles are linear between order statistics (Hyndman & Fan 1996,
type 7); ``iqr`` is p75 - p25; ``skew`` and ``kurtosis`` are the bias-corrected sample coefficients G1 and excess G2
(Joanes & Gill 1998); ``cv`` is sd / mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from konectom.recording import FloatArray

LEAST_VALUES = {
    "mean": 1,
    "median": 1,
    "min": 1,
    "max": 1,
    "p05": 1,
    "p95": 1,
    "iqr": 1,
    "sd": 2,
    "cv": 2,
    "skew": 3,
    "kurtosis": 4,
}
"""Every statistic there is, and the fewest values from which it is defined."""

_QUANTILES = {"min": (0.0,), "p05": (0.05,), "median": (0.5,), "p95": (0.95,), "max": (1.0,), "iqr": (0.25, 0.75)}


def describe(values: ArrayLike, statistics: Sequence[str]) -> FloatArray:
    """Return the named statistics of a 1-d series, NaN where undefined. Missing values (NaN) are left out.

    ``skew`` and ``kurtosis`` of a constant series are undefined, as is ``cv`` of a series whose mean is 0.
    """
    x = np.asarray(values, dtype=np.float64).ravel()
    if x.size and not np.isfinite(x).all():
        x = x[np.isfinite(x)]
    n = x.size
    out = np.full(len(statistics), np.nan)
    if n == 0:
        return out
    ordered = np.sort(x)
    mean = float(np.add.reduce(x)) / n
    centred = x - mean
    m2 = float(centred @ centred) / n
    constant = ordered[0] == ordered[-1]
    for i, name in enumerate(statistics):
        if n < LEAST_VALUES[name]:
            continue
        if name in _QUANTILES:
            levels = [_quantile(ordered, q) for q in _QUANTILES[name]]
            out[i] = levels[-1] - (levels[0] if len(levels) == 2 else 0.0)
        elif name == "mean":
            out[i] = mean
        elif name == "sd":
            out[i] = 0.0 if constant else (m2 * n / (n - 1)) ** 0.5
        elif name == "cv":
            if mean != 0:
                out[i] = 0.0 if constant else (m2 * n / (n - 1)) ** 0.5 / mean
        elif not constant:
            out[i] = _skew(centred, m2, n) if name == "skew" else _kurtosis(centred, m2, n)
    return out


def mean_of_known(*rows: FloatArray) -> FloatArray:
    """Return the mean of several rows of statistics, element by element; NaN only where each row has NaN."""
    stacked = np.vstack(rows)
    known = np.isfinite(stacked)
    count = known.sum(axis=0)
    total = np.where(known, stacked, 0.0).sum(axis=0)
    mean: FloatArray = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def _quantile(ordered: FloatArray, q: float) -> float:
    position = q * (ordered.size - 1)
    below = int(position)
    fraction = position - below
    if fraction == 0.0:
        return float(ordered[below])
    low, high = float(ordered[below]), float(ordered[below + 1])
    return low + (high - low) * fraction


def _skew(centred: FloatArray, m2: float, n: int) -> float:
    m3 = float(np.add.reduce(centred**3)) / n
    return float(m3 / m2**1.5 * (n * (n - 1)) ** 0.5 / (n - 2))


def _kurtosis(centred: FloatArray, m2: float, n: int) -> float:
    squared = centred * centred
    m4 = float(squared @ squared) / n
    return (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (m4 / m2**2 - 3) + 6)
