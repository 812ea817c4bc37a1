"""When the feet touch and leave the ground, from the vertical acceleration of the lower trunk.

McCamley et al. 2012, Gait Posture 36:316 (doi 10.1016/j.gaitpost.2012.02.019): the integrated acceleration,
differentiated by a Gaussian wavelet, has its troughs at initial contacts; differentiated once more, its peaks at final
contacts. Scales and prominences are those of GaitPy (Czech & Patel 2019, doi 10.21105/joss.01778), which choose among
extrema by their size in the units of an integral over samples: they hold at the rate for which they were made, 50 Hz,
and are stricter at lower rates. Which contacts belong together is decided by the limits of Del Din et al. 2016
(doi 10.1109/JBHI.2015.2419317).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray
from konectom.signals.filters import detrend, low_pass

INITIAL_PER_S, FINAL_PER_S = 5.0, 6.0
INITIAL_PROMINENCE, FINAL_PROMINENCE = 5.0, 10.0
SMOOTHED_FROM_HZ, SMOOTHED_TO_HZ = 40.0, 20.0

LONGEST_STRIDE_S = 2.25
LOADING_S = 0.2 * LONGEST_STRIDE_S
STANCE_S = 0.5 * LONGEST_STRIDE_S + LOADING_S

_HALF_WIDTH, _TABULATED = 5.0, 1024

IntArray = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Contacts:
    """n initial contacts in order of time, as samples of the signal.

    ``final`` is when the same foot leaves the ground, ``opposite`` when the other one does, just after the initial
    contact; ``bout`` is the walking bout in which it was found. All have length n.
    """

    initial: IntArray
    final: IntArray
    opposite: IntArray
    bout: IntArray

    def __len__(self) -> int:
        return int(self.initial.size)

    def followed(self, steps: int) -> NDArray[np.bool_]:
        """Tell which contacts have ``steps`` more after them in the same bout (n booleans)."""
        ahead = np.zeros(len(self), dtype=np.bool_)
        if len(self) > steps:
            ahead[:-steps] = self.bout[:-steps] == self.bout[steps:]
        return ahead

    def cycles(self, rate_hz: float) -> NDArray[np.bool_]:
        """Tell which contacts begin a gait cycle: the next two follow in the same bout, soon enough for a stride."""
        begun = self.followed(2)
        at = np.flatnonzero(begun)
        begun[at] = (self.initial[at + 2] - self.initial[at]) / rate_hz <= LONGEST_STRIDE_S
        return begun


def find_contacts(vertical_mps2: FloatArray, rate_hz: float, bouts: list[tuple[int, int]]) -> Contacts:
    """Return the contacts in an evenly sampled acceleration (n), at rest -9.81 m/s2.

    ``bouts`` are stretches by their first sample and the one after their last; each is searched by itself.
    """
    found = [
        (first + samples, number)
        for number, (first, stop) in enumerate(bouts)
        if (samples := _together(*_events(vertical_mps2[first:stop], rate_hz), rate_hz)).size
    ]
    table = np.concatenate([samples for samples, _ in found]) if found else np.empty((0, 3), dtype=np.intp)
    bout = np.repeat([number for _, number in found], [len(samples) for samples, _ in found]).astype(np.intp)
    return Contacts(table[:, 0], table[:, 1], table[:, 2], bout)


def _events(vertical_mps2: FloatArray, rate_hz: float) -> tuple[IntArray, IntArray]:
    """Return the samples of all initial and of all final contacts, whether they make a gait or not."""
    from scipy.signal import find_peaks

    if vertical_mps2.size < 3:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    steady = detrend(vertical_mps2)
    if rate_hz >= SMOOTHED_FROM_HZ:
        steady = low_pass(steady, SMOOTHED_TO_HZ, 4, rate_hz)
    # The published scales count the sampling interval in whole microseconds, which matters at 128 Hz only.
    scale_hz = 1.0 / (int(1e6 / rate_hz) / 1e6)
    velocity = np.cumsum((-steady[1:] - steady[:-1]) / 2)  # per sample, not per second
    slope = -_derivative(velocity, scale_hz / INITIAL_PER_S)
    initial, _ = find_peaks(slope, prominence=INITIAL_PROMINENCE)
    final, _ = find_peaks(_derivative(slope, scale_hz / FINAL_PER_S), prominence=FINAL_PROMINENCE)
    return initial, final


def _together(initial: IntArray, final: IntArray, rate_hz: float) -> IntArray:
    """Return those initial contacts that a gait can have, each with its own and the opposite foot's final contact.

    Within the loading response exactly one foot, the opposite one, leaves the ground; within the stance a second one.
    """
    after = np.searchsorted(final, initial, side="right")
    loading = np.searchsorted(final, initial + LOADING_S * rate_hz, side="left") - after
    stance = np.searchsorted(final, initial + STANCE_S * rate_hz, side="left") - after
    kept = (loading == 1) & (stance >= 2)
    opposite = after[kept]
    return np.column_stack([initial[kept], final[opposite + 1], final[opposite]])


def _derivative(signal: FloatArray, scale: float) -> FloatArray:
    """Return the wavelet transform of ``signal`` (n) at ``scale`` samples: a smoothed derivative."""
    kernel = _smoother(scale)
    transformed = -np.sqrt(scale) * np.diff(np.convolve(signal, kernel))
    surplus = transformed.size - signal.size
    derivative: FloatArray = transformed[surplus // 2 : surplus // 2 + signal.size]
    return derivative


@cache
def _smoother(scale: float) -> FloatArray:
    """Return the integral of the first Gaussian wavelet at ``scale``: a Gaussian.

    It is read from a table of 1024 points without interpolation, as PyWavelets does, so that a contact does not move
    to the next sample for the rounding of the kernel.
    """
    x = np.linspace(-_HALF_WIDTH, _HALF_WIDTH, _TABULATED)
    step = x[1] - x[0]
    tabulated = np.cumsum(-2 * x * np.exp(-(x**2)) / (np.pi / 2) ** 0.25) * step
    at = (np.arange(scale * 2 * _HALF_WIDTH + 1) / (scale * step)).astype(np.intp)
    smoother: FloatArray = tabulated[at[at < _TABULATED]][::-1]
    return smoother
