"""From the phone's own sampling to an even grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray
from konectom.signals.timebase import nanoseconds

GRID_RATES_HZ = (20.0, 50.0, 100.0, 128.0)
"""Rates at which phones and wearables usually sample."""

REFERENCE_RATE_HZ = 50.0
"""The rate for which filter windows counted in samples were chosen."""

TOLERANCE_HZ = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Even:
    """Samples at a fixed rate: value i stands for the time from ``t_s[i]`` to ``t_s[i] + 1 / rate_hz``."""

    t_s: FloatArray
    values: FloatArray
    rate_hz: float

    def __len__(self) -> int:
        return int(self.t_s.size)


MOST_BINS = 1_000_000
"""Longer than any test at any rate here (almost three hours at 100 Hz): what lies beyond is a clock that leapt."""


def grid_rate_hz(median_rate_hz: float, within_hz: float = TOLERANCE_HZ) -> float:
    """Return the rate of the grid on which a recording is analysed.

    The usual rate ``within_hz`` of the recording's; for any other, the reference rate of 50 Hz if the recording is
    faster than that, else 20 Hz. So within 5 Hz, 60, 75 and 200 Hz are analysed at 50 Hz.
    """
    usual = min(GRID_RATES_HZ, key=lambda rate: abs(rate - median_rate_hz))
    if abs(usual - median_rate_hz) <= within_hz:
        return usual
    return REFERENCE_RATE_HZ if median_rate_hz > REFERENCE_RATE_HZ else GRID_RATES_HZ[0]


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Which samples fall into which intervals of a grid: the same for all signals that were sampled together.

    ``grid_s`` (m) are the intervals' begins; the i-th with samples begins with the sample ``starts[i]``, has
    ``counts[i]`` of them, and is followed by empty ones to the number of ``lasting[i]`` in all. ``used`` samples are
    binned.
    """

    rate_hz: float
    grid_s: FloatArray
    starts: NDArray[np.intp]
    counts: NDArray[np.intp]
    lasting: NDArray[np.int64]
    used: int

    @classmethod
    def of(cls, t_s: FloatArray, rate_hz: float) -> Bins:
        """Return the bins of samples at tidy times (n); see :func:`bin_means`."""
        period_ns = round(1e9 / rate_hz)
        bins = nanoseconds(t_s) // period_ns
        if bins.size and bins[-1] - bins[0] >= MOST_BINS:
            bins = bins[: np.searchsorted(bins, bins[0] + MOST_BINS)]
        starts = np.flatnonzero(np.diff(bins, prepend=bins[:1] - 1))
        counts = np.diff(starts, append=bins.size)
        filled = bins[starts]
        lasting = np.diff(filled, append=filled[-1:] + 1)
        grid = np.arange(filled[0], filled[-1] + 1) if filled.size else np.empty(0)
        return cls(rate_hz, grid * (period_ns / 1e9), starts, counts, lasting, bins.size)

    def means(self, values: FloatArray) -> Even:
        """Return the mean of the samples (n, k) in each interval."""
        if not self.used:
            return Even(self.grid_s, values[:0], self.rate_hz)
        means = np.add.reduceat(values[: self.used], self.starts, axis=0) / self.counts[:, None]
        if len(means) < self.grid_s.size:
            means = np.repeat(means, self.lasting, axis=0)
        return Even(self.grid_s, means, self.rate_hz)


def bin_means(t_s: FloatArray, values: FloatArray, rate_hz: float) -> Even:
    """Return the mean of the samples in each interval of 1 / ``rate_hz``, empty intervals filled from the one before.

    ``t_s`` are tidy times (n), ``values`` (n, k). The intervals start at whole multiples of 1 / ``rate_hz`` on the
    recording's clock, so that the result does not depend on where within an interval the recording began. Samples
    more than :data:`MOST_BINS` intervals after the first are left aside.
    """
    return Bins.of(t_s, rate_hz).means(values)
