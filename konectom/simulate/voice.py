"""A voice whose periods and syllables are known: pulses of the vocal folds, each ringing in two formants of /a/.

The voice of the vowel changes from period to period by chance: duration and amplitude are normal and independent, so
that the mean difference of two is 2 / sqrt(pi) of the standard deviation. Noise is white.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from konectom.recording import FloatArray

FORMANTS_HZ, DAMPING_HZ = (800.0, 1200.0), (80.0, 110.0)
RINGING_S = 0.025
LEAD_S = 0.3
BETWEEN_S = 20.0
LOUDNESS = 0.5
CLOSED_SHARE, EDGE_S = 0.35, 0.012
PER_DEVIATION = 2 / np.sqrt(np.pi)


@dataclass(frozen=True, slots=True)
class VoiceTruth:
    """What the voice does, and how the phone records it.

    The vowel sounds for ``phonation_s`` at ``f0_hz``; ``jitter`` and ``shimmer`` are the local ones, as shares.
    Syllables follow each other ``syllable_rate_hz`` times a second; their intervals vary by the coefficient
    ``irregularity``. ``noise_db`` is how far the noise is below the voice.
    """

    f0_hz: float = 140.0
    jitter: float = 0.005
    shimmer: float = 0.04
    noise_db: float = 30.0
    phonation_s: float = 3.5
    syllable_rate_hz: float = 6.0
    irregularity: float = 0.08
    syllables: int = 24
    rate_hz: float = 8000.0


def simulate_voice(truth: VoiceTruth, rng: np.random.Generator) -> dict[str, Any]:
    """Return a recording of both exercises in the form of ``konectom.session/1``."""
    vowel, syllables = _vowel(truth, rng), _syllables(truth, rng)
    return {
        "assessment": "voice",
        "duration_s": round(BETWEEN_S + syllables.size / truth.rate_hz, 3),
        "completion": "completed",
        "parts": [
            _part("aah", 0.0, vowel, truth),
            _part("pataka", BETWEEN_S, syllables, truth),
        ],
    }


def _part(exercise: str, start_s: float, sound: FloatArray, truth: VoiceTruth) -> dict[str, Any]:
    audio = {"unit": "1", "rate_hz": truth.rate_hz, "t0": start_s, "amplitude": np.round(sound, 5).tolist()}
    return {
        "condition": {"exercise": exercise},
        "start_s": start_s,
        "duration_s": round(sound.size / truth.rate_hz, 3),
        "streams": {"audio": audio},
    }


def _vowel(truth: VoiceTruth, rng: np.random.Generator) -> FloatArray:
    count = int(truth.phonation_s * truth.f0_hz)
    lasting_s = rng.normal(1.0, truth.jitter / PER_DEVIATION, count).clip(0.5, 1.5) / truth.f0_hz
    size = rng.normal(1.0, truth.shimmer / PER_DEVIATION, count).clip(0.1)
    pulse_s = LEAD_S + np.concatenate([[0.0], np.cumsum(lasting_s)[:-1]])
    return _recorded(_rung(pulse_s, size, 2 * LEAD_S + truth.phonation_s, truth), truth, rng)


def _syllables(truth: VoiceTruth, rng: np.random.Generator) -> FloatArray:
    usual_s = 1.0 / truth.syllable_rate_hz
    between_s = usual_s * rng.normal(1.0, truth.irregularity, truth.syllables - 1).clip(0.5, 1.8)
    begin_s = LEAD_S + np.concatenate([[0.0], np.cumsum(between_s)])
    end_s = begin_s + (1 - CLOSED_SHARE) * np.append(between_s, usual_s)
    pulse_s = np.arange(LEAD_S, end_s[-1], 1.0 / truth.f0_hz)
    opening = [
        _smooth((pulse_s - begin) / EDGE_S) * _smooth((end - pulse_s) / EDGE_S)
        for begin, end in zip(begin_s, end_s, strict=True)
    ]
    return _recorded(_rung(pulse_s, np.sum(opening, axis=0), end_s[-1] + LEAD_S, truth), truth, rng)


def _smooth(x: FloatArray) -> FloatArray:
    return 0.5 * (1.0 + np.tanh(2.0 * x))


def _rung(pulse_s: FloatArray, size: FloatArray, duration_s: float, truth: VoiceTruth) -> FloatArray:
    """Return the sound of pulses at any time, between samples too: each rings in the formants from then on."""
    x = np.zeros(int(duration_s * truth.rate_hz))
    first = np.ceil(pulse_s * truth.rate_hz).astype(np.intp)
    at = first[:, None] + np.arange(int(RINGING_S * truth.rate_hz))
    since_s = at / truth.rate_hz - pulse_s[:, None]
    ringing = np.zeros(since_s.shape)
    for formant_hz, damping_hz in zip(FORMANTS_HZ, DAMPING_HZ, strict=True):
        ringing += np.exp(-np.pi * damping_hz * since_s) * np.sin(2 * np.pi * formant_hz * since_s)
    inside = at < x.size
    np.add.at(x, at[inside], (size[:, None] * ringing)[inside])
    return x


def _recorded(sound: FloatArray, truth: VoiceTruth, rng: np.random.Generator) -> FloatArray:
    sounding = np.abs(sound) > 0
    power = float(np.mean(sound[sounding] ** 2))
    noise = rng.normal(0.0, np.sqrt(power) * 10 ** (-truth.noise_db / 20), sound.size)
    return LOUDNESS * (sound + noise) / float(np.abs(sound).max())
