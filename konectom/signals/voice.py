"""Voice: when it sounds, and at which fundamental frequency.

The frequency is found by autocorrelation, as by P. Boersma, "Accurate short-term analysis of the fundamental frequency
and the harmonics-to-noise ratio of a sampled sound", Proceedings of the Institute of Phonetic Sciences 17 (1993),
97-110: frames of three periods of the lowest frequency under a Hann window, the autocorrelation divided by the window's
own, and the best path through the candidates. Costs and thresholds are those of the paper and of Praat. Deviations: a
quarter of the fine rate of :mod:`sound` is enough, and a parabola through half samples tells where a maximum lies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from konectom.recording import FloatArray
from konectom.signals.responses import BoolArray
from konectom.signals.sound import IntArray, Sound, coarser

FLOOR_HZ, CEILING_HZ = 75.0, 500.0
STEP_S = 0.01
COARSER = 4
PERIODS_A_FRAME = 3.0
BETWEEN_SAMPLES = 2

VOICED_FROM, SILENT_BELOW = 0.45, 0.03
OCTAVE_COST, JUMP_COST, CHANGE_COST = 0.01, 0.35, 0.14
CANDIDATES = 4
FRAMES_AT_ONCE = 500


@dataclass(frozen=True, slots=True, eq=False)
class Pitch:
    """The fundamental frequency in n frames, every :data:`STEP_S`: NaN where the voice is silent or unvoiced."""

    t_s: FloatArray
    f0_hz: FloatArray

    @property
    def voiced(self) -> BoolArray:
        """Tell which frames are voiced."""
        return np.isfinite(self.f0_hz)

    def stretches(self) -> list[tuple[int, int]]:
        """Return the first frame of each voiced stretch and the one after its last."""
        edges = np.flatnonzero(np.diff(self.voiced.astype(np.int8), prepend=0, append=0))
        return [(int(first), int(stop)) for first, stop in edges.reshape(-1, 2)]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What n frames may be: voiced at one of k frequencies (n, k), each with its strength (n, k), or silent (n)."""

    f0_hz: FloatArray
    strength: FloatArray
    silence: FloatArray


def follow_pitch(sound: Sound) -> Pitch:
    """Return the fundamental frequency of a sound that is at the fine rate."""
    frame_s = PERIODS_A_FRAME / FLOOR_HZ
    count = int((sound.duration_s - frame_s) / STEP_S) + 1 if sound.duration_s > frame_s else 0
    t_s = (sound.duration_s - (count - 1) * STEP_S) / 2 + STEP_S * np.arange(float(count))
    return Pitch(t_s, _best_path(_candidates_at(coarser(sound, COARSER), t_s)) if count else np.empty(0))


def voiced_at(sound: Sound, t_s: FloatArray) -> BoolArray:
    """Tell at which times (n) a sound at the fine rate is voiced, each judged by itself."""
    if not t_s.size or sound.duration_s <= PERIODS_A_FRAME / FLOOR_HZ:
        return np.zeros(t_s.size, dtype=np.bool_)
    found = _candidates_at(sound, t_s)
    voiced: BoolArray = found.strength.max(axis=1) > found.silence
    return voiced


def _candidates_at(sound: Sound, t_s: FloatArray) -> Candidates:
    """Return the candidates of the frames about these times (n), in portions that bound the memory."""
    size = min(int(PERIODS_A_FRAME / FLOOR_HZ * sound.rate_hz), sound.x.size)
    start = (sound.sample(t_s) - size // 2).clip(0, sound.x.size - size)
    loudest = float(np.abs(sound.x).max())
    windows = np.lib.stride_tricks.sliding_window_view(sound.x, size)
    portions = (windows[start[at : at + FRAMES_AT_ONCE]] for at in range(0, start.size, FRAMES_AT_ONCE))
    found = [_candidates(frames, sound.rate_hz, loudest) for frames in portions]
    return Candidates(
        np.concatenate([each.f0_hz for each in found]),
        np.concatenate([each.strength for each in found]),
        np.concatenate([each.silence for each in found]),
    )


def _candidates(frames: FloatArray, rate_hz: float, loudest: float) -> Candidates:
    """Return the candidates of frames (n, size) of a sound whose largest sample is ``loudest``."""
    frames = frames - frames.mean(axis=1, keepdims=True)
    middle, half = frames.shape[1] // 2, int(rate_hz / FLOOR_HZ / 2)
    peak = np.abs(frames[:, middle - half : middle + half]).max(axis=1)
    relative = peak / loudest if loudest > 0 else peak
    silence = VOICED_FROM + np.maximum(0.0, 2.0 - relative / (SILENT_BELOW / (1.0 + VOICED_FROM)))
    lag_hz = BETWEEN_SAMPLES * rate_hz
    lags = np.arange(int(lag_hz / CEILING_HZ) - 1, int(lag_hz / FLOOR_HZ) + 3, dtype=np.intp)
    r = _autocorrelation(frames, lags)
    before, here, after = r[:, :-2], r[:, 1:-1], r[:, 2:]
    is_peak = (here > before) & (here >= after) & (here > VOICED_FROM / 2)
    bend = np.where(is_peak, 2 * here - before - after, 1.0)
    shift = np.where(is_peak, (after - before) / (2 * bend), 0.0)
    height = here + (after - before) * shift / 4
    f0_hz = lag_hz / (lags[1:-1] + shift)
    strength = np.where(height > 1, 1 / height.clip(1), height) - OCTAVE_COST * np.log2(CEILING_HZ / f0_hz)
    allowed = is_peak & (f0_hz >= FLOOR_HZ) & (f0_hz <= CEILING_HZ)
    strength = np.where(allowed, strength, -np.inf)
    best = np.argpartition(-strength, CANDIDATES, axis=1)[:, :CANDIDATES]
    return Candidates(np.take_along_axis(f0_hz, best, axis=1), np.take_along_axis(strength, best, axis=1), silence)


def _autocorrelation(frames: FloatArray, lags: IntArray) -> FloatArray:
    """Return how well each frame (n, size) repeats after each lag, over its window's own (the paper's eq. 9).

    Lags are in fractions of a sample: a parabola through whole ones would favour periods that are, and their doubles.
    """
    size = frames.shape[1]
    turn = 2 * np.pi * np.arange(size) / size
    padded = 1 << (2 * size - 1).bit_length()
    spectrum = np.fft.rfft(frames * (0.5 - 0.5 * np.cos(turn)), padded)
    correlation = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, BETWEEN_SAMPLES * padded)
    energy = np.where(correlation[:, :1] > 0, correlation[:, :1], np.inf)
    share = lags / (BETWEEN_SAMPLES * size)
    own = (1 - share) * (2 / 3 + np.cos(2 * np.pi * share) / 3) + np.sin(2 * np.pi * share) / (2 * np.pi)
    repeated: FloatArray = correlation[:, lags] / energy / own
    return repeated


def _best_path(found: Candidates) -> FloatArray:
    """Return the frequency of each frame (n), NaN where unvoiced: the path that is strongest less what changes cost."""
    octave = np.column_stack([np.zeros(len(found.f0_hz)), np.log2(found.f0_hz)])
    score = np.column_stack([found.silence, found.strength])
    is_voiced = np.arange(score.shape[1]) > 0
    change = CHANGE_COST * (is_voiced[:, None] != is_voiced)
    both = JUMP_COST * (is_voiced[:, None] & is_voiced)
    total, came_from = score[0], np.zeros(score.shape, dtype=np.intp)
    for frame in range(1, len(score)):
        cost = change + both * np.abs(octave[frame - 1][:, None] - octave[frame])
        reached = total[:, None] - cost
        came_from[frame] = reached.argmax(axis=0)
        total = reached.max(axis=0) + score[frame]
    path = np.empty(len(score), dtype=np.intp)
    path[-1] = total.argmax()
    for frame in range(len(score) - 1, 0, -1):
        path[frame - 1] = came_from[frame, path[frame]]
    chosen = np.take_along_axis(octave, path[:, None], axis=1)[:, 0]
    return np.where(path > 0, 2.0**chosen, np.nan)
