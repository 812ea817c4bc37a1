"""Zero-phase filters over the first axis of a signal (n,) or (n, k).

All of them take signals of any length: what is too short for a filter's usual padding or window gets the longest that
fits, and a cutoff above half the sampling rate filters nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray


def low_pass(signal: FloatArray, cutoff_hz: float, order: int, rate_hz: float) -> FloatArray:
    """Return the part of ``signal`` below ``cutoff_hz``: Butterworth, forwards and backwards."""
    return signal if cutoff_hz >= rate_hz / 2 else _both_ways("lowpass", signal, cutoff_hz, order, rate_hz)


def high_pass(signal: FloatArray, cutoff_hz: float, order: int, rate_hz: float) -> FloatArray:
    """Return the part of ``signal`` above ``cutoff_hz``: Butterworth, forwards and backwards."""
    return signal if cutoff_hz >= rate_hz / 2 else _both_ways("highpass", signal, cutoff_hz, order, rate_hz)


def slow_part(signal: FloatArray, cutoff_hz: float, rate_hz: float) -> FloatArray:
    """Return what is slower than ``cutoff_hz``, of second order.

    A slow filter reaches far, so the signal is mirrored at its ends for as long as one period of the cutoff.
    """
    from scipy.signal import filtfilt

    padding = min(round(rate_hz / cutoff_hz), signal.shape[0] - 1)
    if padding < 1 or cutoff_hz >= rate_hz / 2:
        return signal
    slow: FloatArray = filtfilt(
        *_butterworth("lowpass", cutoff_hz, 2, rate_hz), signal, axis=0, padtype="even", padlen=padding
    )
    return slow


def _both_ways(
    kind: Literal["lowpass", "highpass"], signal: FloatArray, cutoff_hz: float, order: int, rate_hz: float
) -> FloatArray:
    from scipy.signal import filtfilt

    n = signal.shape[0]
    if n < 2:
        return signal
    numerator, denominator = _butterworth(kind, cutoff_hz, order, rate_hz)
    padding = min(3 * max(numerator.size, denominator.size), n - 1)
    filtered: FloatArray = filtfilt(numerator, denominator, signal, axis=0, padlen=padding)
    return filtered


def low_pass_rows(
    rows: FloatArray, lengths: NDArray[np.int64], cutoff_hz: float, order: int, rate_hz: float
) -> FloatArray:
    """Return :func:`low_pass` of k signals of different lengths at once: row i of (k, m) holds ``lengths[i]`` values.

    What stands after a row's length is of no meaning, there and in what is returned. Every length is greater than
    3 (order + 1), the filter's padding.
    """
    from scipy.signal import lfilter, lfilter_zi

    numerator, denominator = _butterworth("lowpass", cutoff_hz, order, rate_hz)
    padding = 3 * max(numerator.size, denominator.size)
    settled = lfilter_zi(numerator, denominator)
    last = lengths[:, None] - 1
    # Each row is continued at both ends by its reflection through the end's value (odd extension).
    place = np.arange(-padding, rows.shape[1] + padding)[None, :]
    mirrored = np.where(place < 0, -place, np.where(place > last, 2 * last - place, place)).clip(0)
    held = np.take_along_axis(rows, mirrored, axis=1)
    ends = np.take_along_axis(rows, np.where(place < 0, 0, last), axis=1)
    extended = np.where((place < 0) | (place > last), 2 * ends - held, held)
    backwards = (last + 2 * padding - np.arange(place.size)).clip(0)
    for _ in range(2):
        filtered, _ = lfilter(numerator, denominator, extended, axis=1, zi=settled * extended[:, :1])
        extended = np.take_along_axis(filtered, backwards, axis=1)
    result: FloatArray = extended[:, padding : padding + rows.shape[1]]
    return result


@lru_cache(maxsize=128)
def _butterworth(
    kind: Literal["lowpass", "highpass"], cutoff_hz: float, order: int, rate_hz: float
) -> tuple[FloatArray, FloatArray]:
    from scipy.signal import butter

    numerator, denominator = butter(order, cutoff_hz / (rate_hz / 2), btype=kind)
    return np.asarray(numerator), np.asarray(denominator)


def butterworth_low_pass(cutoff_hz: float, order: int, rate_hz: float) -> tuple[FloatArray, FloatArray]:
    """Return numerator and denominator of the Butterworth low-pass filter; the cutoff is below half the rate."""
    return _butterworth("lowpass", cutoff_hz, order, rate_hz)


def smooth(signal: FloatArray, window: int = 41, order: int = 3) -> FloatArray:
    """Return the signal smoothed by a polynomial through each ``window`` of samples (Savitzky & Golay 1964)."""
    from scipy.signal import savgol_filter

    window = min(window, signal.shape[0] - 1 + signal.shape[0] % 2)  # the longest odd number that fits
    if window <= order:
        return signal
    smoothed: FloatArray = savgol_filter(signal, window, order, axis=0)
    return smoothed


def detrend(signal: FloatArray) -> FloatArray:
    """Return the signal less its least-squares line."""
    n = signal.shape[0]
    if n < 2:
        return signal - signal
    time = np.arange(n) - (n - 1) / 2
    centred = signal - signal.mean(axis=0)
    # Sums by einsum: a product of matrices would wake the threads of the linear algebra library for this little.
    slope = np.einsum("i,i...->...", time, centred) / np.einsum("i,i->", time, time)
    detrended: FloatArray = centred - np.multiply.outer(time, slope)
    return detrended


def moving_mean(signal: FloatArray, window: int) -> FloatArray:
    """Return the mean of ``window`` (odd) samples around each sample (n,), NaN where the window is not full."""
    averaged = np.full(signal.shape[0], np.nan)
    half = window // 2
    if signal.shape[0] >= window:
        averaged[half : signal.shape[0] - half] = np.convolve(signal, np.full(window, 1 / window), "valid")
    return averaged
