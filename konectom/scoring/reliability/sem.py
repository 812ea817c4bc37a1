"""Measurement error in the score's own unit: SEM, smallest detectable change, coefficient of variation within patients.

SEM is the standard deviation of a patient's repeats. A change between two values is more than error, with 95 %
confidence, beyond MDC95 = 1.96 * sqrt(2) * SEM (MDC90: 1.645), for a patient measured twice under the same
conditions.

From an ICC and an SD: SEM = SD * sqrt(1 - ICC), where a negative ICC counts as 0. From repeats: the root of a mean
square, with limits from its chi-square distribution. "agreement" takes the one-way mean square within patients, so
that a shift between repeats counts as error (de Vet et al., J Clin Epidemiol 59 (2006) 1033-1039: the variance of
repeats plus that of the residue, which is the same number); "consistency" takes the two-way mean square of error,
without such a shift.

The coefficient of variation is a share (0.05 is 5 %) and wants values on a ratio scale. "rms" is the root of the
patients' mean squared CV, its limits from the standard error of that mean; "log" is exp(s) - 1, where s is the
standard deviation within patients of the natural logarithms, its limits from those of s (Bland & Altman, BMJ 313
(1996) 106, and the note that Bland published in 2006). Deviation from that note: the limits of s are those of
chi-square, not plus or minus 1.96 standard errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from konectom.errors import FieldInvalid
from konectom.recording import FloatArray
from konectom.scoring.change import Z90, detectable_change, standard_error
from konectom.scoring.reliability.anova import FEW_PATIENTS, one_way, two_way
from konectom.scoring.reliability.estimate import Estimate, Result, absent, check_level, estimate, repeats_table

Kind = Literal["agreement", "consistency"]
CvMethod = Literal["rms", "log"]

NOT_A_RATIO_SCALE = "a coefficient of variation wants values above 0 only"


@dataclass(frozen=True, slots=True)
class MeasurementError(Result):
    """SEM and what follows from it, in the score's unit; ``mdc95_share`` is MDC95 over the mean, where that is above
    0.
    """

    sem: Estimate
    mdc90: Estimate
    mdc95: Estimate
    mdc95_share: Estimate


def sem_from_icc(sd: float, icc: float, *, mean: float | None = None) -> MeasurementError:
    """Return the measurement error that follows from a published SD between patients and ICC.

    There are no limits: an ICC and an SD alone do not say how they vary together. Raises :class:`FieldInvalid` for an
    SD that is negative and an ICC above 1, and where one is no number.
    """
    if not 0 <= sd < np.inf:
        raise FieldInvalid(f"a standard deviation is 0 or above, not {sd}", at="/sd")
    if not -np.inf < icc <= 1:
        raise FieldInvalid(f"an ICC is 1 at most, not {icc}", at="/icc")
    return _following(Estimate(standard_error(sd, icc), reason="an SD and an ICC alone give no limits"), mean)


def sem_from_repeats(values: ArrayLike, *, kind: Kind = "agreement", confidence: float = 0.95) -> MeasurementError:
    """Return the measurement error from a table of repeats, shape (patients, repeats), NaN where missing.

    "agreement" uses every patient with at least 2 values, "consistency" those with every repeat.
    """
    table, alpha = repeats_table(values), 1 - check_level(confidence)
    if kind == "agreement":
        simple = one_way(table)
        if isinstance(simple, str):
            return _following(absent(simple), None)
        return _following(_root(simple.ms_within, simple.df_within, alpha), simple.mean)
    if kind != "consistency":
        raise FieldInvalid(f"kind is agreement or consistency, not {kind!r}", at="/kind")
    crossed = two_way(table)
    if isinstance(crossed, str):
        return _following(absent(crossed), None)
    return _following(_root(crossed.ms_error, crossed.df_error, alpha), crossed.mean)


def cv_within(values: ArrayLike, *, method: CvMethod = "rms", confidence: float = 0.95) -> Estimate:
    """Return the coefficient of variation within patients, as a share, from a table of repeats (NaN where missing)."""
    table, alpha = repeats_table(values), 1 - check_level(confidence)
    if method not in ("rms", "log"):
        raise FieldInvalid(f"method is rms or log, not {method!r}", at="/method")
    rows = table[np.isfinite(table).sum(axis=1) >= 2]
    if rows.shape[0] < 2:
        return absent(FEW_PATIENTS)
    if not np.nanmin(rows) > 0:
        return absent(NOT_A_RATIO_SCALE)
    return _cv_by_logarithms(rows, alpha) if method == "log" else _cv_by_squares(rows, alpha)


WIDEST_LOG = 20.0
"""A sd of logarithms beyond which a coefficient of variation, half a billion, says nothing."""


def _cv_by_logarithms(rows: FloatArray, alpha: float) -> Estimate:
    found = one_way(np.log(rows))
    if isinstance(found, str):
        return absent(found)
    s = _root(found.ms_within, found.df_within, alpha)
    if max(s.value or 0.0, s.high or 0.0) > WIDEST_LOG:
        return absent("the values of a patient differ by too many orders of magnitude")
    value, low, high = (None if each is None else float(np.expm1(each)) for each in (s.value, s.low, s.high))
    return Estimate(value, low, high, s.reason)


def _cv_by_squares(rows: FloatArray, alpha: float) -> Estimate:
    from scipy.special import ndtri

    rows = rows / np.nanmax(rows, axis=1, keepdims=True)  # whose squares stay within the range of numbers
    squares = np.nanvar(rows, axis=1, ddof=1) / np.nanmean(rows, axis=1) ** 2
    mean, error = float(squares.mean()), float(squares.std(ddof=1)) / np.sqrt(squares.size)
    reach = float(ndtri(1 - alpha / 2)) * error
    return Estimate(float(np.sqrt(mean)), float(np.sqrt(max(0.0, mean - reach))), float(np.sqrt(mean + reach)))


def _root(mean_square: float, df: int, alpha: float) -> Estimate:
    """Return the root of a mean square with the limits of chi-square."""
    from scipy.special import chdtri

    low = np.sqrt(df * mean_square / chdtri(df, alpha / 2))
    high = np.sqrt(df * mean_square / chdtri(df, 1 - alpha / 2))
    return estimate(float(np.sqrt(mean_square)), low, high)


def _following(sem: Estimate, mean: float | None) -> MeasurementError:
    mdc95 = sem.scaled(detectable_change(1.0))
    if sem.value is None:
        share = sem
    elif mean is None or mean <= 0:
        share = absent("a share wants a mean above 0")
    else:
        share = mdc95.scaled(1 / mean)
    return MeasurementError(sem=sem, mdc90=sem.scaled(detectable_change(1.0, Z90)), mdc95=mdc95, mdc95_share=share)
