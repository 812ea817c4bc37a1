"""Correlation of a score with another quantity: Pearson, Spearman, and within patients over several values each.

Limits by Fisher's z: for Pearson with variance 1 / (n - 3), for Spearman with (1 + r^2 / 2) / (n - 3) (Bonett & Wright,
Psychometrika 65 (2000) 23-28). p is that of Student's t with n - 2 degrees of freedom (for Spearman an approximation).

Repeated measures (Bakdash & Marusich, Frontiers in Psychology 8 (2017) 456): one slope that is common to all
patients, each with a level of their own; N - patients - 1 degrees of freedom, and limits by Fisher's z with variance
1 / (df - 1), as the authors' package has it since version 0.5.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from konectom.errors import FieldInvalid
from konectom.recording import FloatArray
from konectom.scoring.reliability.estimate import (
    Estimate,
    Result,
    absent,
    check_level,
    is_rounding,
    known_pairs,
    vector,
)

CONSTANT = "one of the two does not vary"
CONSTANT_WITHIN = "one of the two does not vary within any patient"
PERFECT = "a correlation of -1 or 1 has no limits"


@dataclass(frozen=True, slots=True)
class Correlation(Result):
    """A correlation: method, number of pairs (and of patients, where they have several), r, degrees of freedom, p."""

    method: str
    pairs: int
    patients: int
    r: Estimate
    df: int | None
    p: float | None


def pearson(x: ArrayLike, y: ArrayLike, *, confidence: float = 0.95) -> Correlation:
    """Return Pearson's correlation of pairs, shape (n,); pairs with a missing value (NaN) are left out."""
    alpha = 1 - check_level(confidence)
    first, second = known_pairs(x, y)
    return _of_pairs("pearson", first, second, alpha, added=0.0)


def spearman(x: ArrayLike, y: ArrayLike, *, confidence: float = 0.95) -> Correlation:
    """Return Spearman's rank correlation of pairs, ties sharing their mean rank; missing ones are left out."""
    alpha = 1 - check_level(confidence)
    first, second = known_pairs(x, y)
    return _of_pairs("spearman", ranks(first), ranks(second), alpha, added=0.5)


def repeated(patient: ArrayLike, x: ArrayLike, y: ArrayLike, *, confidence: float = 0.95) -> Correlation:
    """Return the correlation within patients, each with several pairs; patients with one pair say nothing and are
    left out.

    ``patient`` names the patient of each pair, shape (n,).
    """
    alpha = 1 - check_level(confidence)
    who, first, second = np.asarray(patient), vector(x, "x"), vector(y, "y")
    if not who.shape == first.shape == second.shape:
        raise FieldInvalid("patient, x and y are not of the same length", at="/patient")
    known = np.isfinite(first) & np.isfinite(second)
    _, index, counts = np.unique(who[known], return_inverse=True, return_counts=True)
    several = counts[index] >= 2
    first, second = first[known][several], second[known][several]
    _, index = np.unique(index[several], return_inverse=True)
    n = int((counts >= 2).sum())
    df = first.size - n - 1
    if n == 0 or df < 1:
        return _missing("repeated", first.size, n, "there are too few patients with several pairs")
    r = _r(_within(first, index), _within(second, index), first, second)
    if r is None:
        return _missing("repeated", first.size, n, CONSTANT_WITHIN)
    return Correlation("repeated", first.size, n, _limits(r, 1.0, df - 1, alpha), df, _p(r, df))


def ranks(values: FloatArray) -> FloatArray:
    """Return the ranks of values from 1, ties sharing their mean rank."""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: FloatArray = (last - (counts - 1) / 2)[index]
    return mean


def _of_pairs(method: str, x: FloatArray, y: FloatArray, alpha: float, added: float) -> Correlation:
    n = x.size
    if n < 3:
        return _missing(method, n, n, f"{n} pairs are too few")
    r = _r(x - x.mean(), y - y.mean(), x, y)
    if r is None:
        return _missing(method, n, n, CONSTANT)
    return Correlation(method, n, n, _limits(r, 1 + added * r**2, n - 3, alpha), n - 2, _p(r, n - 2))


def _r(dx: FloatArray, dy: FloatArray, x: FloatArray, y: FloatArray) -> float | None:
    """Return the correlation of deviations, None where those of one are nothing but the rounding of its values."""
    sxx, syy = float(dx @ dx), float(dy @ dy)
    if is_rounding(sxx / x.size, float(np.abs(x).max())) or is_rounding(syy / y.size, float(np.abs(y).max())):
        return None
    return max(-1.0, min(1.0, float(dx @ dy) / (sqrt(sxx) * sqrt(syy))))


def _within(values: FloatArray, patient: np.ndarray) -> FloatArray:
    centred = values - values.mean()
    means = np.bincount(patient, centred) / np.bincount(patient)
    deviations: FloatArray = centred - means[patient]
    return deviations


def _limits(r: float, factor: float, size: int, alpha: float) -> Estimate:
    """Return r with limits by Fisher's z, whose variance is ``factor / size``."""
    from scipy.special import ndtri

    if size < 1:
        return Estimate(r, reason="there are too few pairs for limits")
    if abs(r) > 1 - 1e-12:
        return Estimate(r, reason=PERFECT)
    reach = float(ndtri(1 - alpha / 2)) * (factor / size) ** 0.5
    return Estimate(r, float(np.tanh(np.arctanh(r) - reach)), float(np.tanh(np.arctanh(r) + reach)))


def _p(r: float, df: int) -> float:
    from scipy.special import stdtr

    if abs(r) > 1 - 1e-12:
        return 0.0
    return float(2 * stdtr(df, -abs(r) * (df / (1 - r**2)) ** 0.5))


def _missing(method: str, pairs: int, patients: int, reason: str) -> Correlation:
    return Correlation(method, pairs, patients, absent(reason), None, None)
