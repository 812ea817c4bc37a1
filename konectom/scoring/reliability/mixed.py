"""A cohort's course: a linear mixed model with an intercept, and a slope, of each patient's own.

value = (b0 + u0) + (b1 + u1) * time + error, with u0 and u1 normal and free to correlate, by restricted maximum
likelihood (Laird & Ware, Biometrics 38 (1982) 963-974). Limits and p are Wald's, from the normal distribution. The
model is computed by statsmodels, the extra ``stats`` of this package; nothing else here needs it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from konectom.errors import ExtraMissing, FieldInvalid
from konectom.recording import FloatArray
from konectom.scoring.reliability.estimate import (
    ROUNDING,
    Estimate,
    Result,
    absent,
    check_level,
    estimate,
    is_rounding,
    vector,
)

FEW = "fewer than 3 patients have values at 2 times or more"
NOT_FOUND = "the fit did not converge"
NO_VARIATION = "the values lie on the patients' own lines: there is no error to estimate"
ON_BOUNDARY = "the fit lies on the edge: a variance of the patients' lines is 0 as far as these data can tell"

METHODS = ["bfgs", "lbfgs", "powell", "nm"]
"""Ways to search for the fit; each is tried where those before it did not converge."""

BOUNDARY = 1e-6
"""A variance of patients smaller than this share of the error's is 0."""


@dataclass(frozen=True, slots=True)
class MixedModel(Result):
    """The fit: intercept and slope of the cohort, and how far patients and single values lie from them (SD).

    ``sd_slope`` and ``correlation`` are None in a model with one slope for all; ``reason`` says what is missing and
    why.
    """

    patients: int
    values: int
    intercept: Estimate
    slope: Estimate
    slope_p: float | None
    sd_intercept: float | None
    sd_slope: float | None
    correlation: float | None
    sd_residual: float | None
    reason: str | None


def mixed_model(
    patient: ArrayLike, time: ArrayLike, value: ArrayLike, *, own_slopes: bool = True, confidence: float = 0.95
) -> MixedModel:
    """Fit the model; ``patient`` names the patient of each value, all of shape (n,). Missing values (NaN) are left out.

    ``slope`` is in the value's unit per unit of ``time``. Raises :class:`~konectom.errors.ExtraMissing` without
    statsmodels.
    """
    alpha = 1 - check_level(confidence)
    who, x, y = np.asarray(patient), vector(time, "time"), vector(value, "value")
    if not who.shape == x.shape == y.shape:
        raise FieldInvalid("patient, time and value are not of the same length", at="/patient")
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    _, index = np.unique(who[known], return_inverse=True)
    n = int(index.max()) + 1 if index.size else 0
    lines = _own_lines(index, x, y) if n else None
    if lines is None or lines.moved < 3:
        return _missing(n, y.size, FEW)
    if is_rounding(lines.rest / y.size, float(np.abs(y).max())):
        return _missing(n, y.size, NO_VARIATION)
    # Fitted in units of its own, since the search depends on them.
    x_unit, y_unit, y_zero = float(np.abs(x).max()), float(y.std()), float(y.mean())
    fit = _fit(index, x / x_unit, (y - y_zero) / y_unit, own_slopes)
    if not fit.converged:
        return _missing(n, y.size, NOT_FOUND)
    return _told(fit, n, y.size, alpha, (x_unit, y_unit, y_zero))


@dataclass(frozen=True, slots=True)
class _Lines:
    """What each patient's own straight line leaves over, and how many patients have one (2 times or more)."""

    moved: int
    rest: float


def _own_lines(index: NDArray[np.intp], x: FloatArray, y: FloatArray) -> _Lines:
    counts = np.bincount(index)
    dx = x - (np.bincount(index, x) / counts)[index]
    dy = y - y.mean()
    dy = dy - (np.bincount(index, dy) / counts)[index]
    sxx, sxy = np.bincount(index, dx * dx), np.bincount(index, dx * dy)
    moves = np.sqrt(sxx / counts) > ROUNDING * float(np.abs(x).max())
    slopes = np.divide(sxy, sxx, out=np.zeros_like(sxx), where=moves)
    return _Lines(int(moves.sum()), float(((dy - slopes[index] * dx) ** 2).sum()))


def _fit(index: NDArray[np.intp], x: FloatArray, y: FloatArray, own_slopes: bool) -> Any:
    try:
        from statsmodels.regression.mixed_linear_model import MixedLM
    except ImportError:
        raise ExtraMissing(
            "mixed models need statsmodels; install konectom with the extra stats: konectom[stats]"
        ) from None
    design = np.column_stack([np.ones_like(x), x])
    model = MixedLM(y, design, index, exog_re=design if own_slopes else design[:, :1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they warn of is read off the fit: convergence, boundary, limits
        return model.fit(reml=True, method=METHODS)


def _told(fit: Any, n: int, values: int, alpha: float, units: tuple[float, float, float]) -> MixedModel:
    """Return the fit in the caller's units."""
    from scipy.special import ndtr, ndtri

    x_unit, y_unit, y_zero = units
    by = np.array([y_unit, y_unit / x_unit])
    with np.errstate(invalid="ignore"):  # on the edge a variance may come out below 0: such limits are left out
        fixed, errors = fit.fe_params * by, fit.bse_fe * by
    reach = float(ndtri(1 - alpha / 2)) * errors
    level, slope = (
        estimate(each, each - far, each + far) for each, far in zip(map(float, fixed), map(float, reach), strict=True)
    )
    covariance = np.asarray(fit.cov_re) * np.outer(by, by)[: fit.cov_re.shape[0], : fit.cov_re.shape[0]]
    sds = [float(each) ** 0.5 for each in np.maximum(np.diag(covariance), 0)]
    least = float(np.linalg.eigvalsh(np.asarray(fit.cov_re)).min())
    boundary = least <= BOUNDARY * float(fit.scale)
    both = len(sds) == 2
    return MixedModel(
        patients=n,
        values=values,
        intercept=_moved(level, y_zero),
        slope=slope,
        slope_p=float(2 * ndtr(-abs(fixed[1] / errors[1]))) if slope.low is not None else None,
        sd_intercept=sds[0],
        sd_slope=sds[1] if both else None,
        correlation=float(covariance[0, 1]) / (sds[0] * sds[1]) if both and not boundary else None,
        sd_residual=float(fit.scale) ** 0.5 * y_unit,
        reason=ON_BOUNDARY if boundary else None,
    )


def _moved(found: Estimate, by: float) -> Estimate:
    value, low, high = (None if each is None else each + by for each in (found.value, found.low, found.high))
    return Estimate(value, low, high, found.reason)


def _missing(patients: int, values: int, reason: str) -> MixedModel:
    none = absent(reason)
    return MixedModel(patients, values, none, none, None, None, None, None, None, reason)
