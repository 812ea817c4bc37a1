"""Sound as evenly spaced samples: put on a grid where the clock was not even, and brought to a workable rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray

IntArray = NDArray[np.intp]

FINE_HZ = 32_000.0
LOUDEST = 1e6
_EVEN = (0.5, 1.5)
"""Intervals between these shares of the mean one leave no doubt in which place of the grid a sample belongs."""


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Samples (n) at a steady rate, from the time 0 on."""

    x: FloatArray
    rate_hz: float

    @property
    def duration_s(self) -> float:
        """How long the sound lasts."""
        return self.x.size / self.rate_hz

    def sample(self, t_s: FloatArray) -> IntArray:
        """Return the numbers of the samples that are nearest to these times, whether there are such or not."""
        numbers: IntArray = np.rint(t_s * self.rate_hz).astype(np.intp)
        return numbers


def rate_of(t_s: FloatArray) -> float:
    """Return the sampling rate from tidy times (see :mod:`timebase`), gaps left out; NaN for fewer than two."""
    if t_s.size < 2:
        return float("nan")
    places = t_s.size - 1 if _is_even(t_s) else _steps(t_s).sum()
    return float(places / (t_s[-1] - t_s[0]))


def evenly(t_s: FloatArray, x: FloatArray, rate_hz: float, most: int) -> FloatArray:
    """Return samples (n, at most ``most``) on an even grid from the first on: NaN where none was recorded."""
    if _is_even(t_s):
        return x[:most]
    place = np.concatenate([[0.0], np.cumsum(_steps(t_s))])
    inside = place < most
    grid = np.full(int(place[inside][-1]) + 1, np.nan)
    grid[place[inside].astype(np.intp)] = x[inside]
    return grid


def _is_even(t_s: FloatArray) -> bool:
    """Tell whether no sample is missing and none out of its place."""
    passed_s = np.diff(t_s)
    usual_s = float(t_s[-1] - t_s[0]) / max(1, passed_s.size)
    return not passed_s.size or bool(passed_s.min() > _EVEN[0] * usual_s and passed_s.max() < _EVEN[1] * usual_s)


def _steps(t_s: FloatArray) -> FloatArray:
    """Return how many places of the grid each sample (n - 1) stands after the one before: 1 where none is missing."""
    passed_s = np.diff(t_s)
    steps: FloatArray = np.rint(passed_s / np.median(passed_s)).clip(1.0)
    return steps


def at_fine_rate(x: FloatArray, rate_hz: float) -> Sound:
    """Return samples at a rate from 32 to below 64 kHz, in a whole proportion to their own.

    What is missing (NaN) is silent. The mean is taken out, and the largest sample is 1 or -1, unless all are the same.
    """
    from scipy.signal import resample_poly

    x = np.clip(x, -LOUDEST, LOUDEST)
    mean = float(x.mean()) if x.size else np.nan
    if not np.isfinite(mean):
        known = np.isfinite(x)
        if not known.any():
            return Sound(np.zeros(0), FINE_HZ)
        mean = float(x[known].mean())
        x[~known] = mean
    x -= mean
    largest = max(float(x.max()), -float(x.min()))
    if largest > 0:
        x /= largest
    if rate_hz < FINE_HZ:
        times = int(np.ceil(FINE_HZ / rate_hz))
        return Sound(resample_poly(x, times, 1), rate_hz * times)
    part = int(rate_hz / FINE_HZ)
    return Sound(resample_poly(x, 1, part) if part > 1 else x, rate_hz / part)


def coarser(sound: Sound, part: int) -> Sound:
    """Return a sound at a whole part of its rate, freed of what is too fast for that."""
    from scipy.signal import resample_poly

    return Sound(resample_poly(sound.x, 1, part), sound.rate_hz / part)
