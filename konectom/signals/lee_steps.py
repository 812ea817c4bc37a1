"""Steps from the vertical acceleration, by adaptive thresholds.

Lee, Choi & Lee 2015, Step detection robust against the dynamics of smartphones, Sensors 15:27230
(doi 10.3390/s151027230), with its constants K = 25, M = 10, alpha = 4, beta = 1/3. Deviations: the input is the
vertical acceleration averaged over five samples, not the norm; until two peaks (valleys) are known the usual interval
between them is taken as 0.25 s.

It is here for comparison with others. A regular walk can lock it to every second step: an interval longer than usual,
followed by regular ones, makes the threshold reject each step that comes in time. :mod:`konectom.signals.steps` does
not suffer from that.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray
from konectom.signals.filters import moving_mean

AVERAGED_SAMPLES = 5
DEVIATION_SAMPLES = 25
INTERVALS = 10
ALPHA = 4.0
BETA = 1 / 3
FIRST_INTERVAL_S = 0.25
FIRST_VALLEY_AFTER_S = 0.025


def averaged(vertical_g: FloatArray) -> FloatArray:
    """Return the acceleration (n) in which steps are sought: the mean of five samples, NaN for two at either end."""
    return moving_mean(vertical_g, AVERAGED_SAMPLES)


def find_lee_steps(averaged_g: FloatArray, rate_hz: float) -> NDArray[np.intp]:
    """Return the samples at which steps were made: the peaks of the upward acceleration, :func:`averaged`.

    It may be a stretch of a longer one; values that are not known (NaN) stand at its ends only.
    As in the paper the second sample opens the sequence and counts as a step. Peaks and valleys alternate. A candidate
    must stand out from the level half-way between the last peak and the last valley by a quarter of the recent
    standard deviation. If it comes later after the last of its kind than the usual interval less three of its
    standard deviations, it is a new one; if sooner or just then, it replaces the last of its kind where that is less
    extreme. Intervals are compared in samples, so that rounding does not decide what comes just then.
    """
    known = np.flatnonzero(np.isfinite(averaged_g))
    if known.size < 2:
        return np.empty(0, dtype=np.intp)
    peaks, valleys = _Found(FIRST_INTERVAL_S * rate_hz), _Found(FIRST_INTERVAL_S * rate_hz)
    peaks.append(1)
    peak_g, valley_g = float(averaged_g[1]), 0.0
    level_g = float(averaged_g[known].mean())
    valleys.next_after = FIRST_VALLEY_AFTER_S * rate_hz  # of the begin
    on_peak = True
    for at, value_g, is_peak, margin_g in _candidates(averaged_g, known):
        # Comparisons with NaN are false: a level that is not known yet turns no candidate away.
        if is_peak:
            if value_g <= level_g + margin_g:
                continue
            late = at - peaks.last > peaks.next_after
            if late and not on_peak:
                peaks.append(at)
                level_g = (value_g + valley_g) / 2
            elif on_peak and not late and value_g > peak_g:
                peaks.replace(at)
            else:
                continue
            peak_g, on_peak = value_g, True
        else:
            if value_g >= level_g - margin_g:
                continue
            late = at - valleys.last > valleys.next_after
            if late and on_peak:
                valleys.append(at)
                level_g = (peak_g + value_g) / 2
            elif not on_peak and not late and value_g <= valley_g:
                valleys.replace(at)
            else:
                continue
            valley_g, on_peak = value_g, False
    return np.asarray(peaks.samples, dtype=np.intp)


def _candidates(averaged_g: FloatArray, known: NDArray[np.intp]) -> zip[tuple[int, float, bool, float]]:
    """Return each local extremum: its sample, value, whether it is a peak, and by how much it must stand out."""
    lead = int(known[0])
    inner = averaged_g[lead : known[-1] + 1]
    rise = np.diff(inner)
    after = np.append(rise[1:], -rise[-1:])  # the last known value has nothing after it, and is taken as extreme
    if known[-1] == averaged_g.size - 1:
        after[-1] = np.nan  # unless the sequence ends there: its last sample is never judged
    is_peak, is_valley = (rise > 0) & (after < 0), (rise < 0) & (after > 0)
    at = np.flatnonzero(is_peak | is_valley)
    at = at[at + 1 + lead > 1]  # the second sample has opened the sequence
    # The deviation is that of the 25 values that end two before the candidate.
    last = at
    first = (last - DEVIATION_SAMPLES).clip(0)
    centred = inner - inner.mean()
    sums = np.concatenate([np.zeros((1, 2)), np.cumsum(np.column_stack([centred, centred**2]), axis=0)])
    n = last - first
    total, squares = (sums[last] - sums[first]).T
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = np.sqrt(((squares - total**2 / n) / (n - 1)).clip(0))
    margin = np.where(n > 1, deviation, 0.0 if lead == 0 else np.nan) / ALPHA
    return zip((at + lead + 1).tolist(), inner[at + 1].tolist(), is_peak[at].tolist(), margin.tolist(), strict=True)


class _Found:
    """The peaks, or the valleys, that were found, and how soon the next may come.

    That is the mean less 3 SD of the last ten intervals, in samples; ``first_after`` until there is an interval.
    """

    __slots__ = ("_first_after", "_squares", "last", "next_after", "samples")

    def __init__(self, first_after: float) -> None:
        self.samples: list[int] = []
        self.last = 0
        self.next_after = self._first_after = first_after
        self._squares = 0  # of the last ten intervals, summed

    def append(self, at: int) -> None:
        """Add the next one."""
        found = self.samples
        found.append(at)
        if len(found) > 1:
            self._squares += (at - self.last) ** 2
        if len(found) > INTERVALS + 1:
            self._squares -= (found[-INTERVALS - 1] - found[-INTERVALS - 2]) ** 2
        self._look_ahead(at)

    def replace(self, at: int) -> None:
        """Put another one in the place of the last."""
        found = self.samples
        found[-1] = at
        if len(found) > 1:
            self._squares += (at - found[-2]) ** 2 - (self.last - found[-2]) ** 2
        self._look_ahead(at)

    def _look_ahead(self, at: int) -> None:
        self.last = at
        n = min(len(self.samples) - 1, INTERVALS)
        if n < 1:
            self.next_after = self._first_after
            return
        total = at - self.samples[-n - 1]
        spread = math.sqrt((n * self._squares - total * total) / (n * (n - 1))) if n > 1 else 0.0
        self.next_after = total / n - spread / BETA
