"""The planted voice comes back: its period and amplitude changes, its duration, its syllables; and Praat agrees."""

from __future__ import annotations

import numpy as np
import pytest

from konectom.assessments import get_assessment
from konectom.simulate.voice import VoiceTruth, simulate_voice
from tests.assessments.examples import parse


def measured(truth: VoiceTruth, seed: int = 4) -> dict[str, float]:
    result = get_assessment("voice").run(parse(simulate_voice(truth, np.random.default_rng(seed))))
    assert result.quality.verdict == "valid", result.quality
    return {entry.key.removeprefix("voice."): value for entry, value in result.measures()}


PRAAT = {
    "mean": 139.9933072016,
    "sd": 0.3789555883,
    "jitter": 0.0048560534,
    "shimmer": 0.0525731704,
    "harmonicity": 19.8419338790,
}

TRUTHS = [
    VoiceTruth(),
    VoiceTruth(f0_hz=95.0, jitter=0.003, shimmer=0.02, noise_db=40.0, syllable_rate_hz=3.0, irregularity=0.2),
    VoiceTruth(f0_hz=210.0, jitter=0.004, shimmer=0.03, noise_db=40.0, phonation_s=2.0, irregularity=0.02),
    VoiceTruth(rate_hz=44_100.0, noise_db=35.0, syllable_rate_hz=7.5),
]


@pytest.mark.parametrize("truth", TRUTHS)
def test_the_voice_comes_back(truth: VoiceTruth) -> None:
    found = measured(truth)
    assert found["phonation_time[aah]"] == pytest.approx(truth.phonation_s, abs=0.05)
    assert found["fundamental_frequency[aah].mean"] == pytest.approx(truth.f0_hz, rel=0.005)
    # By chance, 300 periods give a mean difference of about 5 % to either side; noise adds a little. Each period still
    # rings in the next, so that jitter makes some shimmer.
    assert found["jitter[aah]"] == pytest.approx(100 * truth.jitter, rel=0.2)
    assert 80 * truth.shimmer < found["shimmer[aah]"] < 100 * truth.shimmer + 2
    assert found["harmonics_to_noise[aah]"] < truth.noise_db


@pytest.mark.parametrize("truth", TRUTHS)
def test_the_syllables_come_back(truth: VoiceTruth) -> None:
    found = measured(truth)
    assert found["syllables[pataka]"] == truth.syllables
    assert found["pauses[pataka]"] == 0
    # The mean of 23 intervals lies within 3 standard errors; their spread is known to about 15 %.
    error = 3 * truth.irregularity / np.sqrt(truth.syllables - 1)
    assert found["syllable_rate[pataka]"] == pytest.approx(truth.syllable_rate_hz, rel=error + 0.005)
    assert found["rhythm_irregularity[pataka]"] == pytest.approx(truth.irregularity, rel=0.35, abs=0.03)


def test_more_noise_more_jitter_and_more_shimmer_are_told_apart() -> None:
    usual = measured(VoiceTruth())
    assert measured(VoiceTruth(noise_db=20.0))["harmonics_to_noise[aah]"] < usual["harmonics_to_noise[aah]"] - 2
    assert measured(VoiceTruth(jitter=0.015))["jitter[aah]"] > 2.5 * usual["jitter[aah]"]
    assert measured(VoiceTruth(shimmer=0.12))["shimmer[aah]"] > 1.8 * usual["shimmer[aah]"]


def test_praat_finds_the_same_in_the_same_sound() -> None:
    """praat-parselmouth 0.4.7 (Praat 6.1.38), the calls of tests/signals/test_voice.py, at the file's own rate."""
    found = measured(VoiceTruth())
    assert found["fundamental_frequency[aah].mean"] == pytest.approx(PRAAT["mean"], rel=1e-5)
    assert found["fundamental_frequency[aah].sd"] == pytest.approx(PRAAT["sd"], rel=0.01)
    assert found["jitter[aah]"] == pytest.approx(100 * PRAAT["jitter"], rel=0.03)
    assert found["shimmer[aah]"] == pytest.approx(100 * PRAAT["shimmer"], rel=0.03)
    assert found["harmonics_to_noise[aah]"] == pytest.approx(PRAAT["harmonicity"], abs=0.2)
