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
    pad, width = 3 * max(numerator.size, denominator.size), rows.shape[1]
    row, last = np.arange(len(rows))[:, None], np.maximum(size - 1, 0)[:, None]
    beyond = np.arange(1, pad + 1)
    extended = np.zeros((len(rows), width + 2 * pad))
    extended[:, pad : pad + width] = rows
    before = np.minimum(beyond[::-1], width - 1)
    extended[:, :pad] = 2 * rows[:, :1] - rows[:, before]
    extended[row, pad + last + beyond] = 2 * rows[row, last] - rows[row, np.maximum(last - beyond, 0)]
    filtered, _ = lfilter(numerator, denominator, extended, axis=1, zi=settled * extended[:, :1])
    # Backwards a filter that has settled stays so while the input does: right of its end a row goes on as it ends.
    end = 2 * pad + last
    stop = filtered[row, end]
    steady = np.where(np.arange(width + 2 * pad) > end, stop, filtered)
    backwards, _ = lfilter(numerator, denominator, steady[:, ::-1], axis=1, zi=settled * stop)
    within: FloatArray = backwards[:, ::-1][:, pad : pad + width].copy()
    within[size <= pad] = np.nan
    return within
