"""Zero-phase filters over the first axis of a signal (n,) or (n, k).

All of them take signals of any length: what is too short for a filter's usual padding or window gets the longest that
fits, and a cutoff above half the sampling rate filters nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

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


@lru_cache(maxsize=128)
def _butterworth(
    kind: Literal["lowpass", "highpass"], cutoff_hz: float, order: int, rate_hz: float
) -> tuple[FloatArray, FloatArray]:
    from scipy.signal import butter

    numerator, denominator = butter(order, cutoff_hz / (rate_hz / 2), btype=kind)
    return np.asarray(numerator), np.asarray(denominator)


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
    slope = time @ centred / (time @ time)
    detrended: FloatArray = centred - np.multiply.outer(time, slope)
    return detrended


def moving_mean(signal: FloatArray, window: int) -> FloatArray:
    """Return the mean of ``window`` (odd) samples around each sample (n,), NaN where the window is not full."""
    averaged = np.full(signal.shape[0], np.nan)
    half = window // 2
    if signal.shape[0] >= window:
        averaged[half : signal.shape[0] - half] = np.convolve(signal, np.full(window, 1 / window), "valid")
    return averaged
