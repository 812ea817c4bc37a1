"""Power spectra of evenly sampled signals, and what is read off them."""

from __future__ import annotations

from functools import cache

import numpy as np

from konectom.recording import FloatArray

SEGMENT = 256
"""Samples in each of Welch's segments."""


def power_spectrum(signal: FloatArray, rate_hz: float) -> tuple[FloatArray, FloatArray]:
    """Return frequencies (f) in Hz and the power (f, k) of a signal (n, k), in the signal's unit squared.

    Welch 1967 (doi 10.1109/TAU.1967.1161901): segments of 256 samples, or the whole signal if shorter, half
    overlapping, their mean removed, under a Hann window; scaled so that a sine of amplitude a shows a peak of a²/2.
    """
    n = signal.shape[0]
    length = min(SEGMENT, n)
    if length == 0:
        return np.empty(0), np.empty((0, signal.shape[1]))
    step = length - length // 2
    along = np.ascontiguousarray(signal.T)
    segments = np.lib.stride_tricks.sliding_window_view(along, length, axis=1)[:, ::step]  # (k, segments, length)
    window = _hann(length)
    centred = segments - segments.mean(axis=-1, keepdims=True)
    spectrum = np.fft.rfft(centred * window, axis=-1)
    power: FloatArray = (spectrum.real**2 + spectrum.imag**2).mean(axis=1) / window.sum() ** 2
    power[:, 1 : (length + 1) // 2] *= 2  # the negative frequencies; neither 0 Hz nor half the rate has a mirror
    frequency_hz: FloatArray = np.arange(length // 2 + 1) * (rate_hz / length)
    return frequency_hz, power.T


@cache
def _hann(length: int) -> FloatArray:
    return np.ones(1) if length == 1 else 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


def band_energy(frequency_hz: FloatArray, power: FloatArray, low_hz: float, high_hz: float) -> FloatArray:
    """Return half the frequency-weighted sum of power (f, k) from ``low_hz`` to ``high_hz``, both included."""
    band = (frequency_hz >= low_hz) & (frequency_hz <= high_hz)
    energy: FloatArray = 0.5 * (frequency_hz[band] @ power[band])
    return energy


def spectral_entropy_bit(power: FloatArray) -> FloatArray:
    """Return Shannon's entropy of the power (f, k) over frequency; NaN where there is no power."""
    total = power.sum(axis=0)
    share = np.divide(power, total, out=np.full_like(power, np.nan), where=total > 0)
    logarithm = np.log2(share, out=np.zeros_like(share), where=share > 0)
    entropy: FloatArray = -(share * logarithm).sum(axis=0)
    return entropy


def spectral_norm(signal: FloatArray) -> float:
    """Return the largest singular value of a signal (n, k)."""
    product = np.einsum("ni,nj->ij", signal, signal)
    return float(np.sqrt(np.linalg.eigvalsh(product)[-1]))
