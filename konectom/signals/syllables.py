"""Syllables said in quick succession: when each begins, from how loud the sound is.

A syllable is a peak of the level that is at least 25 dB below the loudest and rises at least 2 dB above the dips to
either side, as by N. H. de Jong & T. Wempe, "Praat script to detect syllable nuclei and measure speech rate
automatically", Behavior Research Methods 41 (2009), 385-390. It begins where the level,
under a window so short that neighbours do not reach into it, last passes half of the rise (in dB) to its peak: the
steepest place, hence the best defined. Deviations: a shorter window, since syllables
repeated as fast as possible follow each other twice as fast as in speech; no two begin within 80 ms, so that a burst
is not taken for a syllable; a peak that is not voiced counts as well, since fast repeated syllables lose their voice.
"""

from __future__ import annotations

import numpy as np

from konectom.recording import FloatArray
from konectom.signals.sound import Sound

BLOCK_S = 0.0025
PEAK_BLOCKS, BEGIN_BLOCKS = 21, 7
"""Lengths of the Hann windows: 50 ms, and 15 ms, which still holds a period of the voice."""

BELOW_LOUDEST_DB, LEAST_RISE_DB = 25.0, 2.0
LEAST_APART_S = 0.08
SILENCE = 1e-12


def level_db(sound: Sound, window_blocks: int) -> FloatArray:
    """Return the level of each block of 2.5 ms, in dB, under a Hann window of so many blocks."""
    size = max(1, round(BLOCK_S * sound.rate_hz))
    count = sound.x.size // size
    if count < window_blocks:
        return np.empty(0)
    blocks = sound.x[: count * size].reshape(count, size)
    power = np.einsum("ij,ij->i", blocks, blocks) / size
    window = np.hanning(window_blocks + 2)[1:-1]
    smooth: FloatArray = np.convolve(power, window / window.sum(), mode="same")
    return 10 * np.log10(smooth + SILENCE)


def find_syllables(sound: Sound) -> tuple[FloatArray, FloatArray]:
    """Return when each syllable begins and when it is loudest (n, n), in seconds."""
    from scipy.signal import find_peaks

    level = level_db(sound, PEAK_BLOCKS)
    if not level.size:
        return np.empty(0), np.empty(0)
    block_s = max(1, round(BLOCK_S * sound.rate_hz)) / sound.rate_hz
    lowest = float(np.quantile(level, 0.99)) - BELOW_LOUDEST_DB
    found, _ = find_peaks(level, height=lowest, prominence=LEAST_RISE_DB, distance=round(LEAST_APART_S / block_s))
    peaks: list[int] = found.tolist()
    sharp = level_db(sound, BEGIN_BLOCKS)
    begin = [_half_way_up(sharp, before, peak) for before, peak in zip([0, *peaks], peaks, strict=False)]
    return (np.array(begin) + 0.5) * block_s, (np.array(peaks, dtype=np.float64) + 0.5) * block_s


def _half_way_up(level: FloatArray, before: int, peak: int) -> float:
    """Return where the level last passes, upwards, the middle between the dip after ``before`` and the peak."""
    dip = before + int(level[before : peak + 1].argmin())
    rise = level[dip : peak + 1]
    half = (rise[0] + rise.max()) / 2
    rise = rise[: int(rise.argmax()) + 1]
    below = np.flatnonzero(rise < half)
    if not below.size:
        return float(peak)
    last = int(below[-1])
    return dip + last + float((half - rise[last]) / (rise[last + 1] - rise[last]))
