"""Agreement of two measurements of the same: bias, limits of agreement, whether the bias grows with the size.

Differences are the second minus the first. The limits of agreement are bias -+ z * SD of the differences. Their
confidence limits are exact for normal differences (a limit of agreement is a quantile, whose estimate follows the
noncentral t distribution; Carkeet, Optometry and Vision Science 92 (2015) e71-e80). Deviation from Bland & Altman
(Lancet 327 (1986) 307-310), who take the standard error sqrt(3 / n) * SD: that is symmetrical and too narrow on the
outside in small samples.

With several measurements of a patient (Bland & Altman, J Biopharm Stat 17 (2007) 571-582; in the form of Zou, Stat
Methods Med Res 22 (2013) 630-642), each patient counts once in the bias, and the SD is that of the difference between
single measurements: the variance of the patients' mean differences, plus what averaging took away. ``repeated_pairs``
is for pairs that belong together while the true value moves from pair to pair, ``repeated_values`` for values of
which any of one kind may be compared with any of the other, the true value being the same. The confidence limits of
the limits of agreement are Zou's (variance estimates recovery); those of the bias are of t, where he takes the normal
distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from konectom.errors import FieldInvalid
from konectom.recording import FloatArray
from konectom.scoring.reliability.estimate import (
    Estimate,
    Result,
    absent,
    check_level,
    estimate,
    is_rounding,
    known_pairs,
    vector,
)

FEW_PAIRS = "fewer than 2 pairs"
FEW_PATIENTS = "fewer than 2 patients have both measurements"
FEW_REPEATS = "no patient has several measurements"
CONSTANT = "the differences do not vary"

Part = tuple[float, float, int]
"""A variance, the factor by which it counts, and its degrees of freedom."""


@dataclass(frozen=True, slots=True)
class BlandAltman(Result):
    """Agreement; ``slope`` is the change of the difference per unit of the pair's mean, and ``slope_p`` its p."""

    method: str
    patients: int
    pairs: int
    agreement: float
    bias: Estimate
    sd: float | None
    lower: Estimate
    upper: Estimate
    slope: Estimate
    slope_p: float | None


def bland_altman(
    first: ArrayLike, second: ArrayLike, *, agreement: float = 0.95, confidence: float = 0.95
) -> BlandAltman:
    """Return the agreement of pairs, one for each patient, shape (n,); pairs with a missing one (NaN) are left out."""
    from scipy.special import ndtri, stdtrit

    share, alpha = check_level(agreement, "agreement"), 1 - check_level(confidence)
    x, y = known_pairs(first, second)
    n = x.size
    if n < 2:
        return _missing("pairs", n, n, share, FEW_PAIRS)
    difference, bias, sd = _differences(x, y)
    if sd == 0:
        fixed = Estimate(bias, reason=CONSTANT)
        return BlandAltman("pairs", n, n, share, fixed, 0.0, fixed, fixed, absent(CONSTANT), None)
    reach = float(stdtrit(n - 1, 1 - alpha / 2)) * sd / n**0.5
    z = float(ndtri((1 + share) / 2))
    near, far = _quantile_limits(n, z, alpha)
    slope, p = _slope(difference, (x + y) / 2, alpha)
    return BlandAltman(
        method="pairs",
        patients=n,
        pairs=n,
        agreement=share,
        bias=estimate(bias, bias - reach, bias + reach),
        sd=sd,
        lower=estimate(bias - z * sd, bias - far * sd, bias - near * sd),
        upper=estimate(bias + z * sd, bias + near * sd, bias + far * sd),
        slope=slope,
        slope_p=p,
    )


def repeated_pairs(
    patient: ArrayLike, first: ArrayLike, second: ArrayLike, *, agreement: float = 0.95, confidence: float = 0.95
) -> BlandAltman:
    """Return the agreement of single measurements from several pairs for each patient, the true value moving between
    pairs.

    ``patient`` names the patient of each pair, shape (n,). Pairs with a missing value are left out.
    """
    share, alpha = check_level(agreement, "agreement"), 1 - check_level(confidence)
    who, x, y = np.asarray(patient), vector(first, "first"), vector(second, "second")
    _same_length(who, x, y)
    known = np.isfinite(x) & np.isfinite(y)
    _, index = np.unique(who[known], return_inverse=True)
    difference = y[known] - x[known]
    n = int(index.max()) + 1 if index.size else 0
    if n < 2:
        return _missing("repeated_pairs", n, difference.size, share, FEW_PATIENTS)
    means, within, counts = _by_patient(difference, index)
    df = difference.size - n
    if df < 1:
        return _missing("repeated_pairs", n, difference.size, share, FEW_REPEATS)
    parts: list[Part] = [(within, 1 - float(np.mean(1 / counts)), df)]
    sizes = np.bincount(index, (x[known] + y[known]) / 2) / counts
    return _repeated("repeated_pairs", difference.size, means, sizes, parts, share, alpha)


def repeated_values(
    patient: ArrayLike, second: ArrayLike, value: ArrayLike, *, agreement: float = 0.95, confidence: float = 0.95
) -> BlandAltman:
    """Return the agreement of single measurements from several of each kind for each patient, the true value being
    the same.

    ``patient`` names the patient of each value and ``second`` says whether it is of the second kind, all of shape (n,).
    Patients who lack one kind are left out; of the others at least one must have several of a kind.
    """
    share, alpha = check_level(agreement, "agreement"), 1 - check_level(confidence)
    who, values, kind = np.asarray(patient), vector(value, "value"), np.asarray(second, dtype=bool)
    _same_length(who, kind, values)
    known = np.isfinite(values)
    who, values, kind = who[known], values[known], kind[known]
    both = np.intersect1d(who[kind], who[~kind])
    used = np.isin(who, both)
    who, values, kind = who[used], values[used], kind[used]
    n = both.size
    if n < 2:
        return _missing("repeated_values", n, values.size, share, FEW_PATIENTS)
    means, parts = [], []
    for chosen in (~kind, kind):
        _, index = np.unique(who[chosen], return_inverse=True)
        mean, within, counts = _by_patient(values[chosen], index)
        means.append(mean)
        df = int(chosen.sum()) - n
        if df > 0:
            parts.append((within, 1 - float(np.mean(1 / counts)), df))
    if not parts:
        return _missing("repeated_values", n, values.size, share, FEW_REPEATS)
    sizes = (means[0] + means[1]) / 2
    return _repeated("repeated_values", values.size, means[1] - means[0], sizes, parts, share, alpha)


def _differences(x: FloatArray, y: FloatArray) -> tuple[FloatArray, float, float]:
    difference = y - x
    variance = float(difference.var(ddof=1))
    size = float(max(np.abs(x).max(), np.abs(y).max()))
    return difference, float(difference.mean()), 0.0 if is_rounding(variance, size) else variance**0.5


def _quantile_limits(n: int, z: float, alpha: float) -> tuple[float, float]:
    """Return how many SD from the bias the limits of a limit of agreement lie: the one within, and the one outside."""
    from scipy.special import nctdtrit

    shift = z * n**0.5
    near, far = (float(nctdtrit(n - 1, shift, p)) / n**0.5 for p in (alpha / 2, 1 - alpha / 2))
    return near, far


def _slope(difference: FloatArray, size: FloatArray, alpha: float) -> tuple[Estimate, float | None]:
    """Return the slope of the differences on the sizes, with its p."""
    from scipy.special import stdtr, stdtrit

    n = difference.size
    dx, dy = size - size.mean(), difference - difference.mean()
    sxx = float(dx @ dx)
    if n < 3:
        return absent("fewer than 3 patients"), None
    if is_rounding(sxx / n, float(np.abs(size).max())):
        return absent("the sizes do not vary"), None
    slope = float(dx @ dy) / sxx
    rest = dy - slope * dx
    error = (float(rest @ rest) / (n - 2) / sxx) ** 0.5
    if is_rounding(error**2 * sxx, float(np.abs(size).max())):
        return Estimate(slope, reason="the differences lie on a line"), None
    reach = float(stdtrit(n - 2, 1 - alpha / 2)) * error
    return estimate(slope, slope - reach, slope + reach), float(2 * stdtr(n - 2, -abs(slope) / error))


def _by_patient(values: FloatArray, index: NDArray[np.intp]) -> tuple[FloatArray, float, NDArray[np.intp]]:
    """Return the patients' means, the variance within patients (0 without repeats), and how many values each has."""
    counts = np.bincount(index)
    centre = float(values.mean())
    means: FloatArray = centre + np.bincount(index, values - centre) / counts
    rest = values - means[index]
    df = values.size - counts.size
    return means, float(rest @ rest) / df if df > 0 else 0.0, counts


def _repeated(
    method: str, pairs: int, means: FloatArray, sizes: FloatArray, parts: Sequence[Part], share: float, alpha: float
) -> BlandAltman:
    from scipy.special import ndtri, stdtrit

    n = means.size
    bias, between = float(means.mean()), float(means.var(ddof=1))
    total = between + sum(variance * factor for variance, factor, _ in parts)
    if is_rounding(total, float(np.abs(sizes).max())):
        fixed = Estimate(bias, reason=CONSTANT)
        return BlandAltman(method, n, pairs, share, fixed, 0.0, fixed, fixed, absent(CONSTANT), None)
    least, most = _variance_limits(total, [(between, 1.0, n - 1), *parts], alpha)
    z, level = float(ndtri((1 + share) / 2)), float(ndtri(1 - alpha / 2))
    of_bias = level**2 * between / n
    outward = (of_bias + z**2 * (most**0.5 - total**0.5) ** 2) ** 0.5
    inward = (of_bias + z**2 * (total**0.5 - least**0.5) ** 2) ** 0.5
    sd = total**0.5
    reach = float(stdtrit(n - 1, 1 - alpha / 2)) * (between / n) ** 0.5
    lower, upper = bias - z * sd, bias + z * sd
    slope, p = _slope(means, sizes, alpha)
    return BlandAltman(
        method=method,
        patients=n,
        pairs=pairs,
        agreement=share,
        bias=estimate(bias, bias - reach, bias + reach),
        sd=sd,
        lower=estimate(lower, lower - outward, lower + inward),
        upper=estimate(upper, upper - inward, upper + outward),
        slope=slope,
        slope_p=p,
    )


def _variance_limits(total: float, parts: Sequence[Part], alpha: float) -> tuple[float, float]:
    """Return the limits of a sum of variances, recovered from those of each."""
    from scipy.special import chdtri

    down = sum((v * f * (1 - df / float(chdtri(df, alpha / 2)))) ** 2 for v, f, df in parts)
    up = sum((v * f * (df / float(chdtri(df, 1 - alpha / 2)) - 1)) ** 2 for v, f, df in parts)
    return max(0.0, total - down**0.5), total + up**0.5


def _same_length(*arrays: NDArray[np.generic]) -> None:
    if len({each.shape for each in arrays}) > 1:
        raise FieldInvalid("the columns are not of the same length", at="/patient")


def _missing(method: str, patients: int, pairs: int, share: float, reason: str) -> BlandAltman:
    none = absent(reason)
    return BlandAltman(method, patients, pairs, share, none, None, none, none, none, None)
