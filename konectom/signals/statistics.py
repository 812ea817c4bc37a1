"""Statistics of a series, all that are wanted in one pass.

Definitions: ``sd`` has n - 1 in the denominator; quantiles are linear between order statistics (Hyndman & Fan 1996,
type 7); ``iqr`` is p75 - p25; ``skew`` and ``kurtosis`` are the bias-corrected sample coefficients G1 and excess G2
(Joanes & Gill 1998); ``cv`` is sd / mean; ``npcv`` is the mean distance from the mean over the mean size.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan

import numpy as np
from numpy.typing import ArrayLike

from konectom.recording import FloatArray

LEAST_VALUES = {
    "mean": 1,
    "median": 1,
    "min": 1,
    "max": 1,
    "p05": 1,
    "p90": 1,
    "p95": 1,
    "iqr": 1,
    "npcv": 1,
    "sd": 2,
    "cv": 2,
    "skew": 3,
    "kurtosis": 4,
}
"""Every statistic there is, and the fewest values from which it is defined."""

_QUANTILES = {"min": 0.0, "p05": 0.05, "median": 0.5, "p90": 0.9, "p95": 0.95, "max": 1.0}


@np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore")
def describe(values: ArrayLike, statistics: Sequence[str]) -> FloatArray:
    """Return the named statistics of a 1-d series, NaN where undefined. Missing values (NaN) are left out.

    ``skew`` and ``kurtosis`` of a constant series are undefined, as is ``cv`` of a series whose mean is 0. Where
    squares leave the range of floating-point numbers, the statistics that need them are NaN, infinite or 0.
    """
    x = np.asarray(values, dtype=np.float64).ravel()
    total = float(np.add.reduce(x))
    if not isfinite(total):
        x = x[np.isfinite(x)]
        total = float(np.add.reduce(x))
    n = x.size
    if n == 0:
        return np.full(len(statistics), np.nan)
    ordered = x.copy()
    ordered.sort()
    mean = total / n
    centred = x - mean
    m2 = float(centred @ centred) / n
    constant = ordered[0] == ordered[-1]
    sd = 0.0 if constant else (m2 * n / (n - 1)) ** 0.5
    out = []
    for name in statistics:
        value = nan
        if n < LEAST_VALUES[name]:
            pass
        elif name in _QUANTILES:
            value = _quantile(ordered, _QUANTILES[name])
        elif name == "mean":
            value = mean
        elif name == "sd":
            value = sd
        elif name == "iqr":
            value = _quantile(ordered, 0.75) - _quantile(ordered, 0.25)
        elif name == "cv":
            value = sd / mean if mean != 0 else nan
        elif name == "npcv":
            value = _relative_deviation(x, centred)
        elif not constant:
            value = _skew(centred, m2, n) if name == "skew" else _kurtosis(centred, m2, n)
        out.append(value)
    return np.array(out)


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
    low, fraction = ordered.item(below), position - below
    return low + (ordered.item(below + 1) - low) * fraction if fraction else low


def _relative_deviation(x: FloatArray, centred: FloatArray) -> float:
    size = float(np.abs(x).sum())
    return float(np.abs(centred).sum()) / size if size > 0 else nan


def _skew(centred: FloatArray, m2: float, n: int) -> float:
    m3 = float(np.add.reduce(centred**3)) / n
    return float(m3 / np.float64(m2) ** 1.5 * (n * (n - 1)) ** 0.5 / (n - 2))


def _kurtosis(centred: FloatArray, m2: float, n: int) -> float:
    squared = centred * centred
    m4 = float(squared @ squared) / n
    return float((n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (m4 / np.float64(m2) ** 2 - 3) + 6))
