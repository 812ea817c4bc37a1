"""Fundamental frequency, jitter, shimmer and harmonics-to-noise ratio: against Praat, and where the truth is known."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from konectom.formats._wave import open_wave
from konectom.recording import FloatArray
from konectom.signals.perturbation import Periods, find_periods, harmonicity_db, local_jitter, local_shimmer
from konectom.signals.sound import Sound, at_fine_rate
from konectom.signals.voice import Pitch, follow_pitch, voiced_at
from tests.shared import SHARED

VOICES = SHARED / "data" / "voice"
needs_voices = pytest.mark.skipif(not VOICES.is_dir(), reason="the shared voices are not beside this checkout")

# praat-parselmouth 0.4.7 (Praat 6.1.38), each file first brought to 32 kHz by "Resample: 32000, 50"; then
# "To Pitch: 0, 75, 500", "To PointProcess (cc)", "Get jitter (local): 0, 0, 0.0001, 0.02, 1.3",
# "Get shimmer (local): 0, 0, 0.0001, 0.02, 1.3, 1.6", "To Harmonicity (cc): 0.01, 75, 0.1, 1.0", "Get mean: 0, 0".
AT_32_KHZ = {
    "hc_AH_064F": (0.0041475136, 0.0386047393, 20.2615842823),
    "hc_AH_322A": (0.0043832638, 0.0533706472, 19.2010569605),
    "pd_AH_545616858": (0.0072743987, 0.0641377639, 13.6207941908),
    "pd_AH_545692309": (0.0041848588, 0.0390325758, 17.7125342501),
}


@cache
def analysed(path: Path) -> tuple[Sound, Pitch, list[Periods]]:
    wave = open_wave(path.read_bytes(), "")
    sound = at_fine_rate(wave.amplitudes(), wave.rate_hz)
    pitch = follow_pitch(sound)
    return sound, pitch, find_periods(sound, pitch)


def voices() -> list[tuple[Path, dict[str, str]]]:
    if not VOICES.is_dir():
        return []
    with (VOICES / "peer_praat.csv").open(newline="") as rows:
        return [(VOICES / row["file"], row) for row in csv.DictReader(rows) if (VOICES / row["file"]).exists()]


each_voice = pytest.mark.parametrize(
    ("path", "praat"), voices(), ids=lambda it: it.name[:15] if hasattr(it, "name") else ""
)


@needs_voices
def test_there_are_voices() -> None:
    assert len(voices()) >= 4


@needs_voices
@each_voice
def test_the_fundamental_frequency_is_praats(path: Path, praat: dict[str, str]) -> None:
    _, pitch, _ = analysed(path)
    f0_hz = pitch.f0_hz[pitch.voiced]
    assert f0_hz.mean() == pytest.approx(float(praat["f0_mean_hz"]), rel=1e-4)
    assert f0_hz.std(ddof=1) == pytest.approx(float(praat["f0_sd_hz"]), rel=5e-3)
    assert f0_hz.min() == pytest.approx(float(praat["f0_min_hz"]), rel=5e-3)
    assert f0_hz.max() == pytest.approx(float(praat["f0_max_hz"]), rel=5e-3)
    assert pitch.voiced.mean() == pytest.approx(float(praat["voiced_fraction"]), abs=0.005)


@needs_voices
@each_voice
def test_jitter_shimmer_and_harmonicity_are_near_praats_at_the_files_own_rate(
    path: Path, praat: dict[str, str]
) -> None:
    sound, pitch, periods = analysed(path)
    assert sum(int(each.real.sum()) for each in periods) == pytest.approx(int(praat["n_periods"]), abs=5)
    assert local_jitter(periods) == pytest.approx(float(praat["jitter_local"]), rel=0.1)
    assert local_shimmer(sound, periods) == pytest.approx(float(praat["shimmer_local"]), rel=0.08)
    assert harmonicity_db(sound, pitch).mean() == pytest.approx(float(praat["hnr_db"]), abs=0.6)


@needs_voices
@each_voice
def test_jitter_and_shimmer_are_praats_at_the_rate_at_which_both_look(path: Path, praat: dict[str, str]) -> None:
    jitter, shimmer, harmonicity = next(told for name, told in AT_32_KHZ.items() if path.name.startswith(name))
    sound, pitch, periods = analysed(path)
    assert local_jitter(periods) == pytest.approx(jitter, rel=0.02)
    assert local_shimmer(sound, periods) == pytest.approx(shimmer, rel=0.015)
    assert harmonicity_db(sound, pitch).mean() == pytest.approx(harmonicity, abs=0.6)


RATE_HZ = 44_100.0


def pulses(lasting_s: FloatArray, size: FloatArray, rate_hz: float = RATE_HZ) -> FloatArray:
    """Return pulses that follow each other at these distances, each a short smooth wave at its exact time."""
    at_s = 0.05 + np.cumsum(lasting_s)
    t_s = np.arange(0, at_s[-1] + 0.05, 1 / rate_hz)
    x = np.zeros(t_s.size)
    for when, how in zip(at_s, size, strict=True):
        near = slice(*np.searchsorted(t_s, [when - 0.004, when + 0.004]))
        since = (t_s[near] - when) / 0.001
        x[near] += how * (1 - since**2) * np.exp(-(since**2) / 2)
    return x


@pytest.mark.parametrize("f0_hz", [85.0, 140.0, 220.0, 410.0])
@pytest.mark.parametrize("rate_hz", [8_000.0, 16_000.0, 44_100.0, 96_000.0])
def test_a_known_frequency_is_found_at_any_rate(f0_hz: float, rate_hz: float) -> None:
    t_s = np.arange(0, 1.0, 1 / rate_hz)
    x = sum(np.sin(2 * np.pi * f0_hz * k * t_s) / k for k in range(1, 8))
    pitch = follow_pitch(at_fine_rate(np.asarray(x), rate_hz))
    assert pitch.voiced.all()
    np.testing.assert_allclose(pitch.f0_hz, f0_hz, rtol=1e-3)


@pytest.mark.parametrize("share", [0.005, 0.02, 0.05])
def test_periods_that_alternate_give_the_jitter_that_follows_from_them(share: float) -> None:
    lasting_s = 0.007 * (1 + share / 2 * np.where(np.arange(200) % 2, 1, -1))
    sound = at_fine_rate(pulses(lasting_s, np.ones(200)), RATE_HZ)
    periods = find_periods(sound, follow_pitch(sound))
    assert local_jitter(periods) == pytest.approx(share, rel=0.02)
    assert local_shimmer(sound, periods) < 0.003


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_amplitudes_that_alternate_give_the_shimmer_that_follows_from_them(share: float) -> None:
    size = 1 + share / 2 * np.where(np.arange(200) % 2, 1, -1)
    sound = at_fine_rate(pulses(np.full(200, 0.007), size), RATE_HZ)
    periods = find_periods(sound, follow_pitch(sound))
    assert local_shimmer(sound, periods) == pytest.approx(share, rel=0.02)
    assert local_jitter(periods) < 0.001


@pytest.mark.parametrize("noise_db", [5.0, 10.0, 20.0, 30.0])
def test_the_harmonics_to_noise_ratio_is_that_of_the_noise_that_was_added(noise_db: float) -> None:
    rng = np.random.default_rng(3)
    x = pulses(np.full(400, 0.007), np.ones(400), 32_000.0)
    x = x[4000:-4000]
    x = x - x.mean()
    noise = rng.normal(0, np.sqrt(np.mean(x**2)) * 10 ** (-noise_db / 20), x.size)
    sound = at_fine_rate(x + noise, 32_000.0)
    found = harmonicity_db(sound, follow_pitch(sound)).mean()
    # The best of several lags repeats the noise a little better than one does: the more, the more noise there is.
    assert found == pytest.approx(noise_db, abs=1.0)


def test_noise_and_silence_have_no_voice() -> None:
    noise = at_fine_rate(np.random.default_rng(1).normal(size=48_000), 16_000.0)
    assert follow_pitch(noise).voiced.mean() < 0.05
    silence = at_fine_rate(np.zeros(48_000), 16_000.0)
    pitch = follow_pitch(silence)
    assert not pitch.voiced.any()
    assert find_periods(silence, pitch) == []
    assert harmonicity_db(silence, pitch).size == 0
    assert np.isnan(local_jitter([]))
    assert np.isnan(local_shimmer(silence, []))


def test_a_pause_parts_two_stretches_and_is_not_voiced() -> None:
    tone = np.sign(np.sin(2 * np.pi * 120 * np.arange(0, 0.5, 1 / 16_000)))
    sound = at_fine_rate(np.concatenate([tone, np.zeros(8_000), tone]), 16_000.0)
    pitch = follow_pitch(sound)
    first, second = pitch.stretches()
    assert pitch.t_s[first[1] - 1] == pytest.approx(0.5, abs=0.03)
    assert pitch.t_s[second[0]] == pytest.approx(1.0, abs=0.03)
    assert len(find_periods(sound, pitch)) == 2
    np.testing.assert_array_equal(voiced_at(sound, np.array([0.25, 0.75, 1.25])), [True, False, True])


def test_a_sound_shorter_than_a_frame_has_no_frames() -> None:
    short = at_fine_rate(np.sin(np.arange(100.0)), 8_000.0)
    assert follow_pitch(short).t_s.size == 0
    assert not voiced_at(short, np.array([0.0])).any()
