"""Known groups: whether a score differs between two groups that are known to differ.

The difference of means with Welch's t; Cohen's d (pooled SD) and Hedges' g (d without its bias in small samples,
exact factor), with limits from the noncentral t distribution (Steiger & Fouladi 1997; exact where both groups are
normal with the same SD); the share of pairs in which the first group's value is the higher one, ties by half (the
area under the ROC curve, Mann-Whitney's U over n1 * n2), with limits by method 5 of Newcombe, Statistics in Medicine
25 (2006) 559-573, which lie between 0 and 1 and do not collapse where the groups are separated.

All signs are those of the first group minus the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, log, sqrt

import numpy as np
from numpy.typing import ArrayLike

from konectom.recording import FloatArray
from konectom.scoring.reliability.correlation import ranks
from konectom.scoring.reliability.estimate import Estimate, Result, absent, check_level, estimate, is_rounding, vector

FEW = "each group needs at least 2 patients"
CONSTANT = "no group varies"


@dataclass(frozen=True, slots=True)
class Group(Result):
    """One group: number of values, mean and SD (None where there are too few)."""

    n: int
    mean: float | None
    sd: float | None


@dataclass(frozen=True, slots=True)
class KnownGroups(Result):
    """Two groups compared, the first minus the second; t, df and p are Welch's."""

    first: Group
    second: Group
    difference: Estimate
    t: float | None
    df: float | None
    p: float | None
    cohen_d: Estimate
    hedges_g: Estimate
    auc: Estimate


def known_groups(first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95) -> KnownGroups:
    """Compare two groups, one value for each patient, shape (n,); missing values (NaN) are left out."""
    alpha = 1 - check_level(confidence)
    a, b = (each[np.isfinite(each)] for each in (vector(first, "first"), vector(second, "second")))
    groups = _group(a), _group(b)
    if a.size < 2 or b.size < 2:
        return KnownGroups(*groups, absent(FEW), None, None, None, absent(FEW), absent(FEW), _auc(a, b, alpha))
    difference, t, df, p = _welch(a, b, alpha)
    d, g = _effect(a, b, alpha)
    return KnownGroups(*groups, difference, t, df, p, d, g, _auc(a, b, alpha))


def _group(values: FloatArray) -> Group:
    return Group(
        n=values.size,
        mean=float(values.mean()) if values.size else None,
        sd=float(values.std(ddof=1)) if values.size > 1 else None,
    )


def _variances(a: FloatArray, b: FloatArray) -> tuple[float, float]:
    """Return the variances, 0 where a group's values are equal but for rounding."""
    found = (float(each.var(ddof=1)) for each in (a, b))
    va, vb = (0.0 if is_rounding(v, float(np.abs(each).max())) else v for v, each in zip(found, (a, b), strict=True))
    return va, vb


def _welch(a: FloatArray, b: FloatArray, alpha: float) -> tuple[Estimate, float | None, float | None, float | None]:
    from scipy.special import stdtr, stdtrit

    va, vb = (v / n for v, n in zip(_variances(a, b), (a.size, b.size), strict=True))
    difference = float(a.mean() - b.mean())
    if va + vb == 0:
        return Estimate(difference, reason=CONSTANT), None, None, None
    share = va / (va + vb)  # of the variance: its square stays within the range of numbers
    df = 1 / (share**2 / (a.size - 1) + (1 - share) ** 2 / (b.size - 1))
    error = sqrt(va + vb)
    reach = float(stdtrit(df, 1 - alpha / 2)) * error
    t = difference / error
    return estimate(difference, difference - reach, difference + reach), t, df, float(2 * stdtr(df, -abs(t)))


def _effect(a: FloatArray, b: FloatArray, alpha: float) -> tuple[Estimate, Estimate]:
    """Return Cohen's d and Hedges' g."""
    df = a.size + b.size - 2
    va, vb = _variances(a, b)
    pooled = sqrt(((a.size - 1) * va + (b.size - 1) * vb) / df)
    if pooled == 0:
        return absent(CONSTANT), absent(CONSTANT)
    d = float(a.mean() - b.mean()) / pooled
    low, high = noncentral_limits(d, a.size, b.size, alpha)
    found = estimate(d, low, high)
    return found, found.scaled(exp(lgamma(df / 2) - lgamma((df - 1) / 2) - log(df / 2) / 2))


def noncentral_limits(d: float, n1: int, n2: int, alpha: float) -> tuple[float, float]:
    """Return the limits of a standardised difference: those of the noncentrality of t, scaled back."""
    from scipy.special import nctdtrinc

    scale = sqrt(n1 * n2 / (n1 + n2))
    df, t = n1 + n2 - 2, d * scale
    # The function wants t above 0: what is below is its mirror image.
    size = abs(t)
    low, high = (float(nctdtrinc(df, p, size)) / scale for p in (1 - alpha / 2, alpha / 2))
    return (low, high) if t >= 0 else (-high, -low)


def _auc(a: FloatArray, b: FloatArray, alpha: float) -> Estimate:
    from scipy.special import ndtri

    if a.size == 0 or b.size == 0:
        return absent("a group has no patient")
    m, n = a.size, b.size
    u = float(ranks(np.concatenate((a, b)))[:m].sum()) - m * (m + 1) / 2
    auc = u / (m * n)
    z = float(ndtri(1 - alpha / 2))
    return Estimate(auc, 1 - _farthest(1 - auc, m, n, z), _farthest(auc, m, n, z))


def _farthest(auc: float, m: int, n: int, z: float) -> float:
    """Return the highest area that is within z of its own standard errors of the one seen, by bisection."""

    def reachable(area: float) -> bool:
        rest = (m + n) / 2 - 1
        spread = 1 + rest * (1 - area) / (2 - area) + rest * area / (1 + area)
        return (area - auc) ** 2 * m * n <= z**2 * area * (1 - area) * spread

    low, high = auc, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if reachable(middle) else (low, middle)
    return high
