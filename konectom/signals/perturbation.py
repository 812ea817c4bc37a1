"""Perturbation of the voice from period to period: jitter, shimmer; and how much of it is harmonic.

Definitions: local jitter is the mean difference of successive periods over the mean period; local shimmer the same of
amplitudes (P. Boersma & D. Weenink, Praat; D. Deliyski, Multi-Dimensional Voice Program). The harmonics-to-noise ratio
is 10 log10(r / (1 - r)), where r is how well the sound repeats after one period (Boersma 1993, see :mod:`voice`).

A period counts from 0.1 to 20 ms, a pair of them if they differ by less than a factor of 1.3, a pair of amplitudes by
less than 1.6, as in Praat. The amplitude of a period is the root mean square about its peak, under a Hann window that
reaches a fifth of a period to either side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from konectom.recording import FloatArray
from konectom.signals.responses import BoolArray
from konectom.signals.sound import IntArray, Sound
from konectom.signals.voice import COARSER, FLOOR_HZ, Pitch

SHORTEST_S, LONGEST_S = 0.0001, 0.02
MOST_PERIOD_RATIO, MOST_AMPLITUDE_RATIO = 1.3, 1.6
NEAREST, FURTHEST = 0.8, 1.25
LEAST_LIKENESS = 0.3
BESIDE = 5
"""Samples to either side of a coarse lag among which the fine one is sought."""

MARGIN_S = 3 / FLOOR_HZ
AMPLITUDE_REACH = 0.2
MOST_LIKE = 1 - 1e-9
AT_ONCE = 500


@dataclass(frozen=True, slots=True, eq=False)
class Periods:
    """The m periods of a voiced stretch: m + 1 pulses, how long each period lasts, and whether it is one (m)."""

    pulse_s: FloatArray
    lasting_s: FloatArray
    real: BoolArray

    @property
    def pairs(self) -> BoolArray:
        """Tell which successive periods (m - 1) are like enough to be compared."""
        first, second = self.lasting_s[:-1], self.lasting_s[1:]
        like = np.maximum(first, second) <= MOST_PERIOD_RATIO * np.minimum(first, second)
        return self.real[:-1] & self.real[1:] & like


def find_periods(sound: Sound, pitch: Pitch) -> list[Periods]:
    """Return the periods of each voiced stretch that has two pulses or more."""
    found = []
    for first, stop in pitch.stretches():
        t_s = pitch.t_s[first:stop]
        start = max(0, int((t_s[0] - MARGIN_S) * sound.rate_hz))  # its own samples only: the rest may be long
        part = Sound(sound.x[start : int((t_s[-1] + MARGIN_S) * sound.rate_hz)], sound.rate_hz)
        start_s = start / sound.rate_hz
        periods = _periods_in(part, t_s - start_s, pitch.f0_hz[first:stop])
        if periods is not None:
            found.append(replace(periods, pulse_s=periods.pulse_s + start_s))
    return found


def _periods_in(sound: Sound, t_s: FloatArray, f0_hz: FloatArray) -> Periods | None:
    """Follow the pulses of a voiced stretch (n frames) from the largest peak in its middle."""
    if t_s.size < 2:
        return None
    usual_s = 1.0 / float(np.median(f0_hz))
    phase = np.concatenate([[0.0], np.cumsum((f0_hz[1:] + f0_hz[:-1]) / 2 * np.diff(t_s))])
    anchor_s = _largest_near(sound, (t_s[0] + t_s[-1]) / 2, usual_s / 2)
    at_anchor = float(np.interp(anchor_s, t_s, phase))
    anchor = int(at_anchor)
    turns = at_anchor + np.arange(-anchor, int(phase[-1] - at_anchor) + 1)
    if turns.size < 2:
        return None
    pulse_s = np.interp(turns, phase, t_s)
    expected_s = 1.0 / np.interp(pulse_s[:-1], t_s, f0_hz)
    lasting_s, like = _coarse_lag(sound, pulse_s[:-1], usual_s, expected_s)
    for _ in range(2):  # where the pulses are hangs on the periods, and these a little on where the pulses are
        pulse_s = _followed(lasting_s, anchor, anchor_s)
        lasting_s, like = _best_lag(sound, pulse_s[:-1], usual_s, sound.sample(lasting_s) - BESIDE, 2 * BESIDE + 1)
    real = (like >= LEAST_LIKENESS) & (lasting_s >= SHORTEST_S) & (lasting_s <= LONGEST_S)
    real &= (lasting_s >= NEAREST * expected_s) & (lasting_s <= FURTHEST * expected_s)
    return Periods(_followed(lasting_s, anchor, anchor_s), lasting_s, real)


def _largest_near(sound: Sound, t_s: float, reach_s: float) -> float:
    """Return when the sound is largest, of either sign, within ``reach_s`` of a time."""
    first, last = (int((t_s + side) * sound.rate_hz) for side in (-reach_s, reach_s))
    first = max(0, first)
    return (first + int(np.abs(sound.x[first : last + 1]).argmax())) / sound.rate_hz


def _coarse_lag(
    sound: Sound, pulse_s: FloatArray, window_s: float, expected_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the best lags (m) in a quarter of the samples, from 0.8 to 1.25 times those that the frequency tells."""
    part = Sound(sound.x[::COARSER], sound.rate_hz / COARSER)
    first = part.sample(NEAREST * expected_s)
    lags = int((part.sample(FURTHEST * expected_s) - first).max()) + 1
    return _best_lag(part, pulse_s, window_s, first, max(3, lags))


def _followed(lasting_s: FloatArray, anchor: int, anchor_s: float) -> FloatArray:
    """Return the pulses whose distances are given, the one numbered ``anchor`` at its place."""
    sums = np.concatenate([[0.0], np.cumsum(lasting_s)])
    pulse_s: FloatArray = sums - sums[anchor] + anchor_s
    return pulse_s


def _best_lag(
    sound: Sound, pulse_s: FloatArray, window_s: float, from_lag: IntArray, lags: int
) -> tuple[FloatArray, FloatArray]:
    """Return after how long (m, s) the waveform about each pulse repeats best, and how well (m, at most 1).

    The lags tried are ``lags`` whole samples from ``from_lag`` (m) on; a parabola tells what lies between them.
    """
    size = max(3, round(window_s * sound.rate_hz))
    padded = np.pad(sound.x, size + lags)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)
    start = sound.sample(pulse_s) - size // 2 + size + lags
    start = start.clip(0, len(windows) - 1)
    r = np.empty((start.size, lags))
    for at in range(0, start.size, AT_ONCE):
        rows = slice(at, at + AT_ONCE)
        here = windows[start[rows]]
        own = np.einsum("ij,ij->i", here, here)
        for lag in range(lags):
            there = windows[(start[rows] + from_lag[rows] + lag).clip(0, len(windows) - 1)]
            norm = np.sqrt(own * np.einsum("ij,ij->i", there, there))
            r[rows, lag] = np.einsum("ij,ij->i", here, there) / np.where(norm > 0, norm, np.inf)
    best = r.argmax(axis=1)
    inner = best.clip(1, lags - 2)
    row = np.arange(best.size)
    before, at_best, after = (r[row, inner + step] for step in (-1, 0, 1))
    bend = 2 * at_best - before - after
    shift = np.where((bend > 0) & (inner == best), (after - before) / (2 * np.where(bend > 0, bend, 1.0)), 0.0)
    like = np.where(inner == best, at_best + (after - before) * shift / 4, r[row, best])
    return (from_lag + best + shift) / sound.rate_hz, like


def local_jitter(stretches: list[Periods]) -> float:
    """Return the local jitter, a ratio; NaN without a pair of periods."""
    change_s = np.concatenate([np.abs(np.diff(each.lasting_s))[each.pairs] for each in stretches] or [np.empty(0)])
    lasting_s = np.concatenate([each.lasting_s[each.real] for each in stretches] or [np.empty(0)])
    return float(change_s.mean() / lasting_s.mean()) if change_s.size else np.nan


def local_shimmer(sound: Sound, stretches: list[Periods]) -> float:
    """Return the local shimmer, a ratio; NaN without a pair of amplitudes."""
    changes, sizes = [np.empty(0)], [np.empty(0)]
    for each in stretches:
        size = _amplitudes(sound, each)
        first, second = size[:-1], size[1:]
        pairs = (np.maximum(first, second) <= MOST_AMPLITUDE_RATIO * np.minimum(first, second)) & (first > 0)
        changes.append(np.abs(second - first)[pairs])
        sizes.append(size[np.isfinite(size)])
    change, size = np.concatenate(changes), np.concatenate(sizes)
    return float(change.mean() / size.mean()) if change.size else np.nan


def _amplitudes(sound: Sound, periods: Periods) -> FloatArray:
    """Return the amplitude at each pulse between two like periods (m - 1), NaN at the others."""
    pulse = periods.pulse_s[1:-1] * sound.rate_hz
    left, right = (AMPLITUDE_REACH * sound.rate_hz * each for each in (periods.lasting_s[:-1], periods.lasting_s[1:]))
    reach = min(int(max(left.max(initial=0), right.max(initial=0))), int(LONGEST_S * sound.rate_hz)) + 1
    at = np.rint(pulse).astype(np.intp)[:, None] + np.arange(-reach, reach + 1)
    away = at - pulse[:, None]
    phase = away / np.where(away < 0, left[:, None], right[:, None])
    window = np.where(np.abs(phase) < 1, 0.5 + 0.5 * np.cos(np.pi * phase), 0.0)
    inside = (at >= 0) & (at < sound.x.size)
    x = np.where(inside, sound.x[at.clip(0, sound.x.size - 1)], 0.0)
    weight = (window**2).sum(axis=1)
    size = np.sqrt(((window * x) ** 2).sum(axis=1) / np.where(weight > 0, weight, np.inf))
    return np.where(periods.pairs, size, np.nan)


def harmonicity_db(sound: Sound, pitch: Pitch) -> FloatArray:
    """Return the harmonics-to-noise ratio (dB) of each voiced frame.

    Windows of one period of the lowest frequency are compared with those a period later, both about the frame's middle.
    """
    t_s, f0_hz = pitch.t_s[pitch.voiced], pitch.f0_hz[pitch.voiced]
    if not t_s.size:
        return np.empty(0)
    lag = sound.sample(1.0 / f0_hz) - BESIDE
    _, like = _best_lag(sound, t_s - 0.5 / f0_hz, 1.0 / FLOOR_HZ, lag, 2 * BESIDE + 1)
    r = like.clip(1 - MOST_LIKE, MOST_LIKE)
    ratio_db: FloatArray = 10 * np.log10(r / (1 - r))
    return ratio_db
