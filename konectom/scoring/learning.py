"""How a patient learns a test: the curve of practice over runs.

Two curves, both linear in what is left once their shape is fixed, so that no iterative optimiser is needed:

* ``inverse``: ``y = plateau - gain / x`` over the run ``x`` (from 1), the form of the published Konectom library: half
  of the gain is made by run 2, 90 % by run 10, whoever learns.
* ``exponential``: ``y = plateau - gain * 2 ** (-(x - 1) / half_runs)``, the bounded growth of Woelfle et al. (2021,
  doi:10.2196/30394): ``half_runs`` further runs make half of what is left.

``gain`` is signed as the score is: negative where lower is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import copysign, inf, log, log2, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray
from konectom.scoring.series import Better
from konectom.scoring.windows import MAD_TO_SD, median

Form = Literal["inverse", "exponential"]

LEAST_RUNS = 8
MOST_RUNS = 100
"""Later runs are left out: what happens there is the disease's course rather than practice."""

LATEST_START = 3
"""Where the first known run is a later one, the steep part of the curve was not seen."""

_LEAST_T = 3.0
_COARSE, _FINE = 32, 16


@dataclass(frozen=True, slots=True)
class Learning:
    """A fitted curve. ``share`` is the part of the spread that it explains (R squared), over ``n`` runs.

    ``half_runs`` is the number of runs after the first by which half of the gain is made; ``run_90`` the first run by
    which 90 % of it is. ``left_out`` counts outliers.
    """

    form: Form
    plateau: float
    gain: float
    half_runs: float
    run_90: int
    share: float
    n: int
    left_out: int

    def at(self, run: FloatArray | float) -> FloatArray:
        """Return the curve's value at a run (from 1)."""
        x = np.asarray(run, dtype=np.float64)
        rest = 1.0 / x if self.form == "inverse" else np.exp2(-(x - 1.0) / self.half_runs)
        value: FloatArray = self.plateau - self.gain * rest
        return value

    @property
    def rate(self) -> float:
        """Return the gain over the plateau, the published library's learning rate."""
        return self.gain / self.plateau


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """Least squares through one basis function: what is needed of it."""

    plateau: float
    gain: float
    rss: float
    total: float
    t: float
    half_runs: float
    residual: FloatArray


def learning_curve(run: FloatArray, value: FloatArray, better: Better | None) -> tuple[Learning | None, str | None]:
    """Fit practice to finite values by run (rising, from 1); return the curve, or None and the reason.

    Values further than 3.5 robust standard deviations from a first fit are left out of the second. The exponential is
    taken where it explains so much more than the inverse that it is worth its further parameter (Schwarz 1978).
    Refused are: fewer than 8 runs (``too_few_runs``), a first known run beyond the third (``start_not_seen``), a gain
    that is a loss or less than three of its standard errors (``no_practice_seen``), and an exponential of which less
    than two halvings were seen (``plateau_not_reached``).
    """
    early = run <= MOST_RUNS
    x, y = run[early].astype(np.float64), value[early]
    if run.size and run[0] > LATEST_START:
        return None, "start_not_seen"
    if y.size < LEAST_RUNS:
        return None, "too_few_runs"
    exponential = _exponential(x, y)
    kept = _inliers(exponential.residual)
    left_out = int(kept.size - np.count_nonzero(kept))
    if left_out:
        x, y = x[kept], y[kept]
        if y.size < LEAST_RUNS:
            return None, "too_few_runs"
        exponential = _exponential(x, y)
    inverse = _linear(1.0 / x, y, 1.0, parameters=2)
    n = y.size
    curved = exponential.rss <= 0.0 < inverse.rss or (
        exponential.rss > 0.0 and inverse.rss > 0.0 and n * np.log(inverse.rss / exponential.rss) > np.log(n)
    )
    fit = exponential if curved else inverse
    if not fit.total > 0.0:
        return None, "no_practice_seen"
    gained = fit.gain > 0 if better == "higher" else fit.gain < 0 if better == "lower" else fit.gain != 0
    if not gained or abs(fit.t) < _LEAST_T:
        return None, "no_practice_seen"
    if curved and 2 * fit.half_runs > x[-1] - 1:
        return None, "plateau_not_reached"
    return _told(fit, "exponential" if curved else "inverse", n, left_out), None


def fit_inverse(run: FloatArray, value: FloatArray) -> Learning:
    """Fit ``y = plateau - gain / x`` by least squares to at least two different runs."""
    return _told(_linear(1.0 / np.asarray(run), np.asarray(value), 1.0, parameters=2), "inverse", len(run), 0)


def fit_exponential(run: FloatArray, value: FloatArray) -> Learning:
    """Fit the bounded exponential by least squares: the best of all half-lives from 0.3 runs to twice those known."""
    x = np.asarray(run, dtype=np.float64)
    return _told(_exponential(x, np.asarray(value)), "exponential", x.size, 0)


def warm_up(value: FloatArray, curve: Learning) -> int | None:
    """Return the published library's warm-up: the index of the first value beyond 90 % of the way to the plateau.

    The way begins at the worst value that was seen; None where no value is beyond. (The library counts from 0, and
    returns 0 for both "the first" and "none".)
    """
    worst = float(value.min() if curve.gain >= 0 else value.max())
    at_90 = worst + 0.9 * (curve.plateau - worst)
    beyond = value > at_90 if curve.gain >= 0 else value < at_90
    return int(np.argmax(beyond)) if beyond.any() else None


def _told(fit: _Fit, form: Form, n: int, left_out: int) -> Learning:
    run_90 = 10 if form == "inverse" else 1 + int(np.ceil(fit.half_runs * log2(10.0) - 1e-9))
    share = 1.0 - fit.rss / fit.total if fit.total > 0 else 0.0
    return Learning(form, fit.plateau, fit.gain, fit.half_runs, run_90, max(0.0, share), n, left_out)


def _inliers(residual: FloatArray) -> NDArray[np.bool_]:
    distance = np.abs(residual)
    scale = MAD_TO_SD * median(distance)
    return distance <= 3.5 * scale if scale > 0 else np.ones(distance.size, dtype=bool)


def _exponential(x: FloatArray, y: FloatArray) -> _Fit:
    """Return the best exponential: for each half-life the fit is linear, so they are all tried, finer at the second."""
    low, high = log(0.3), log(2.0 * max(1.0, float(x[-1])))
    for count in (_COARSE, _FINE):
        tried = np.linspace(low, high, count)
        basis = np.exp2(np.multiply.outer(-np.exp(-tried), x - 1.0))
        basis -= basis.mean(axis=1, keepdims=True)
        power = np.einsum("ij,ij->i", basis, basis)
        explained = (basis @ (y - y.mean())) ** 2 / np.maximum(power, 1e-300)
        best = int(np.argmax(explained))
        width = (high - low) / (count - 1)
        low, high = max(low, float(tried[best]) - width), min(high, float(tried[best]) + width)
    half_runs = float(np.exp(tried[best] + _vertex(explained, best) * (tried[1] - tried[0])))
    return _linear(np.exp2(-(x - 1.0) / half_runs), y, half_runs, parameters=3)


def _vertex(y: FloatArray, at: int) -> float:
    """Return how many steps beside the greatest element the top of the parabola through it and its neighbours lies."""
    if at == 0 or at == y.size - 1:
        return 0.0
    before, top, after = float(y[at - 1]), float(y[at]), float(y[at + 1])
    bend = before - 2.0 * top + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0


def _linear(basis: FloatArray, y: FloatArray, half_runs: float, *, parameters: int) -> _Fit:
    centre, mean = float(basis.mean()), float(y.mean())
    b, d = basis - centre, y - mean
    power, total = float(b @ b), float(d @ d)
    gain = -float(b @ d) / power
    residual = d + gain * b
    rss = float(residual @ residual)
    error = sqrt(rss / (y.size - parameters) / power) if y.size > parameters else 0.0
    t = gain / error if error > 0 else copysign(inf, gain) if gain else 0.0
    return _Fit(mean + gain * centre, gain, rss, total, t, half_runs, residual)
