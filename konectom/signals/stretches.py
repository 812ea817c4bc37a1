"""Many stretches of one signal at once, each of its own length: one matrix with a row for each.

A row holds its stretch from the left; what stands to the right of it has no meaning.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray
from konectom.signals.filters import butterworth_low_pass

IntArray = NDArray[np.intp]


def gather(signal: FloatArray, first: IntArray, size: IntArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return ``size[i]`` samples of ``signal`` (n,) from ``first[i]`` on in row i, and which elements are meant."""
    column = np.arange(int(size.max(initial=0)))
    meant = column < size[:, None]
    at = np.minimum(first[:, None] + column, signal.size - 1)
    return np.where(meant, signal[at], 0.0), meant


def centred(rows: FloatArray, meant: NDArray[np.bool_], size: IntArray) -> FloatArray:
    """Return each row less its mean, 0 right of its end."""
    mean = rows.sum(axis=1, where=meant) / np.maximum(size, 1)
    return np.where(meant, rows - mean[:, None], 0.0)


def detrended(rows: FloatArray, meant: NDArray[np.bool_], size: IntArray) -> FloatArray:
    """Return each row less its least-squares line, 0 right of its end."""
    level = centred(rows, meant, size)
    time = np.where(meant, np.arange(rows.shape[1]) - (size[:, None] - 1) / 2, 0.0)
    spread = np.einsum("ij,ij->i", time, time)
    slope = np.einsum("ij,ij->i", time, level) / np.where(spread > 0, spread, 1.0)
    steady: FloatArray = level - slope[:, None] * time
    return steady


def low_passed(rows: FloatArray, size: IntArray, cutoff_hz: float, order: int, rate_hz: float) -> FloatArray:
    """Return each row's part below ``cutoff_hz``: Butterworth, forwards and backwards, as one would filter it alone.

    At its ends each row is continued by its point reflection, over three times the length of the filter; a row that
    is not longer than that has no such continuation and becomes NaN.
    """
    from scipy.signal import lfilter, lfilter_zi

    numerator, denominator = butterworth_low_pass(cutoff_hz, order, rate_hz)
    settled = lfilter_zi(numerator, denominator)
    pad = 3 * max(numerator.size, denominator.size)
    last = np.maximum(size - 1, 0)[:, None]
    column = np.arange(rows.shape[1] + 2 * pad) - pad
    mirrored = np.minimum(np.abs(column), np.abs(2 * last - np.abs(column))).clip(0, rows.shape[1] - 1)
    extended = np.take_along_axis(rows, mirrored, axis=1)
    extended[:, :pad] = 2 * rows[:, :1] - extended[:, :pad]
    np.subtract(2 * np.take_along_axis(rows, last, axis=1), extended, out=extended, where=column > last)
    backwards = (last + 2 * pad - np.arange(column.size)).clip(0)
    for _ in range(2):
        filtered, _ = lfilter(numerator, denominator, extended, axis=1, zi=settled * extended[:, :1])
        extended = np.take_along_axis(filtered, backwards, axis=1)
    within: FloatArray = extended[:, pad : pad + rows.shape[1]]
    within[size <= pad] = np.nan
    return within
