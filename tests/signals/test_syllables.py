"""Syllables: those that are there, and when they begin; the level against Praat's."""

from __future__ import annotations

import base64

import numpy as np
import orjson
import pytest

from konectom.formats._wave import open_wave
from konectom.recording import FloatArray
from konectom.signals.sound import Sound, at_fine_rate
from konectom.signals.syllables import find_syllables, level_db
from konectom.signals.voice import voiced_at
from tests.shared import KONECTOM, inflated, needs_shared

RATE_HZ = 44_100.0


def said(begin_s: FloatArray, lasting_s: float = 0.08) -> Sound:
    """Return bursts of a tone that begin and end within 5 ms, 40 dB above a hum."""
    t_s = np.arange(0, begin_s[-1] + 0.5, 1 / RATE_HZ)
    loud = np.zeros(t_s.size)
    for begin in begin_s:
        loud += (np.tanh((t_s - begin) / 0.002) - np.tanh((t_s - begin - lasting_s) / 0.002)) / 2
    return at_fine_rate((0.01 + loud) * np.sin(2 * np.pi * 150 * t_s), RATE_HZ)


@pytest.mark.parametrize("rate_hz", [2.0, 5.0, 7.5])
def test_each_syllable_is_found_and_its_begin(rate_hz: float) -> None:
    rng = np.random.default_rng(2)
    begin_s = 0.3 + np.cumsum(rng.normal(1.0, 0.05, 20) / rate_hz)
    found_s, loudest_s = find_syllables(said(begin_s))
    assert found_s.size == 20
    # All begin as steeply, so that the delay is the same for all.
    np.testing.assert_allclose(np.diff(found_s), np.diff(begin_s), atol=0.002)
    assert (loudest_s > found_s).all()


def test_what_hardly_rises_or_is_far_too_quiet_is_no_syllable() -> None:
    t_s = np.arange(0, 3, 1 / RATE_HZ)
    hardly = at_fine_rate((1 + 0.1 * np.sin(2 * np.pi * 5 * t_s)) * np.sin(2 * np.pi * 150 * t_s), RATE_HZ)
    assert find_syllables(hardly)[0].size <= 1
    sound = said(np.array([0.5, 1.0, 1.5]))
    weak = Sound(np.concatenate([sound.x, 0.01 * sound.x]), sound.rate_hz)
    assert find_syllables(weak)[0].size == 3


def test_a_short_sound_has_none() -> None:
    none, _ = find_syllables(Sound(np.ones(500), RATE_HZ))
    assert none.size == 0
    assert level_db(Sound(np.ones(500), RATE_HZ), 7).size == 0


@needs_shared
def test_the_real_recording_has_about_the_peaks_that_praats_level_has() -> None:
    """Praat 6.1.38 (praat-parselmouth 0.4.7) finds 104.

    s = parselmouth.Sound("pataka.1.wav"); i = s.to_intensity(50, 0.005)
    scipy.signal.find_peaks(i.values[0], prominence=2, height=numpy.quantile(i.values[0], 0.99) - 25)
    """
    document = orjson.loads(inflated(KONECTOM / "bdh" / "VOICE" / "voice_redmi8_1.json.gz"))
    held = document["body"]["levels"][1]["raw_data"]["audio"]["base64"]
    wave = open_wave(base64.b64decode(held), "")
    assert wave.amplitudes().size == 661_248  # as the published library's own tests have it
    sound = at_fine_rate(wave.amplitudes(), wave.rate_hz)
    begin_s, loudest_s = find_syllables(sound)
    assert begin_s.size == pytest.approx(104, abs=4)
    assert voiced_at(sound, loudest_s).mean() > 0.9
    assert np.median(np.diff(begin_s)) == pytest.approx(0.1265, abs=0.002)
