"""The voice test of Konectom 2: the sound as it was, and what cannot be decoded costs nothing else."""

from __future__ import annotations

import base64
import copy
from typing import Any

import numpy as np
import orjson
import pytest

from konectom import formats
from konectom.assessments import get_assessment
from konectom.errors import AudioUndecodable
from konectom.recording import Recording, Rejected
from tests.formats.test_konectom2 import FILE
from tests.formats.test_wave import written
from tests.shared import KONECTOM, inflated, needs_shared

SOUND = (20_000 * np.sin(2 * np.pi * 130 / 8000 * np.arange(12_000))).astype(np.int64)
AUDIO = {
    "duration": 1,
    "base64": base64.b64encode(written(SOUND, 2)).decode(),
    "sample_depth": 16,
    "channels": 1,
    "sample_rate": 8000,
}


def level(exercise: Any, attempt: Any, audio: Any) -> dict[str, Any]:
    return {
        "name": f"{exercise}.{attempt}",
        "configuration": {"exercise_name": exercise, "attempt_number": attempt},
        "effective_time_frame": {"begin_timestamp": 1_600_000_000_500, "end_timestamp": 1_600_000_002_000},
        "raw_data": {"audio": dict(audio)},
    }


VOICE: dict[str, Any] = copy.deepcopy(FILE)
VOICE["header"]["schema_id"]["name"] = "voice-activity"
VOICE["body"]["levels"] = [level("aah", 1, AUDIO), level("pataka", 1, AUDIO)]


def read(document: Any, **limits: int) -> tuple[Recording | Rejected, ...]:
    return formats.read(orjson.dumps(document), limits=formats.Limits(**limits)).recordings


def with_audio(index: int, **fields: Any) -> dict[str, Any]:
    document = copy.deepcopy(VOICE)
    document["body"]["levels"][index]["raw_data"]["audio"] |= fields
    return document


def test_the_sound_begins_with_its_level_at_the_rate_of_its_file() -> None:
    (recording,) = read(VOICE)
    assert isinstance(recording, Recording)
    first, second = recording.parts
    assert first.condition == {"exercise": "aah", "attempt": "1"}
    assert second.condition["exercise"] == "pataka"
    audio = first.streams["audio"]
    np.testing.assert_array_equal(audio["amplitude"], SOUND / 32768)
    np.testing.assert_allclose(audio.t_s[[0, 8000]], [0.5, 1.5])
    assert audio.units == {"amplitude": "1"}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"base64": ""}, "empty"),
        ({"base64": "AAAA"}, "no form known here"),
        ({"base64": base64.b64encode(b"OggS" + bytes(60)).decode()}, "Ogg"),
        ({"base64": "A"}, "not base64"),
        ({"base64": "\N{GREEK SMALL LETTER MU}"}, "not base64"),
        ({"base64": None}, "not None"),
        ({"base64": ["x"]}, "a list"),
        ({"sample_rate": 44_100}, "44100 samples a second, its WAV file 8000"),
    ],
)
def test_audio_that_cannot_be_decoded_is_noted_and_the_other_exercise_is_measured(
    fields: dict[str, Any], named: str
) -> None:
    (recording,) = read(with_audio(1, **fields))
    assert isinstance(recording, Recording)
    (defect,) = recording.parts[1].defects
    assert (defect.stream, defect.code) == ("audio", AudioUndecodable.code)
    assert named in defect.detail
    assert defect.at.startswith("/body/levels/1/raw_data/audio/")
    result = get_assessment("voice").run(recording)
    measured = {entry.key for entry, _ in result.measures()}
    assert "voice.jitter[aah]" in measured
    (flag,) = (flag for flag in result.quality.flags if flag.code == "voice.input_unreadable")
    assert flag.evidence["code"] == "audio_undecodable"
    assert result.quality.verdict == "limited"


def test_where_no_audio_can_be_decoded_the_recording_is_refused_with_the_place() -> None:
    document = with_audio(0, base64="")
    document["body"]["levels"][1]["raw_data"]["audio"] = {}
    (recording,) = read(document)
    assert isinstance(recording, Recording)
    with pytest.raises(AudioUndecodable, match="empty") as refused:
        get_assessment("voice").run(recording)
    assert refused.value.at == "/body/levels/0/raw_data/audio/base64"


def test_another_exercise_costs_the_others_nothing() -> None:
    document = copy.deepcopy(VOICE)
    document["body"]["levels"].append(level("yodel", 1, AUDIO))
    recording, rejected = read(document)
    assert isinstance(recording, Recording)
    assert len(recording.parts) == 2
    assert isinstance(rejected, Rejected)
    assert rejected.error["at"] == "/body/levels/2/configuration/exercise_name"


def test_more_sound_than_accepted_is_refused_before_it_is_unpacked() -> None:
    (rejected,) = read(VOICE, max_values=30_000)
    assert isinstance(rejected, Rejected)
    assert rejected.error["code"] == "too_many_samples"
    assert isinstance(read(VOICE, max_values=50_000)[0], Recording)


@needs_shared
def test_the_real_recording() -> None:
    (recording,) = formats.read(inflated(KONECTOM / "bdh" / "VOICE" / "voice_redmi8_1.json.gz")).recordings
    assert isinstance(recording, Recording)
    assert [len(part.streams["audio"]) for part in recording.parts] == [437_248, 661_248]
    result = get_assessment("voice").run(recording)
    assert result.quality.verdict == "valid"
    found = {entry.key.removeprefix("voice."): value for entry, value in result.measures()}
    # praat-parselmouth 0.4.7 (Praat 6.1.38), the calls of tests/signals/test_voice.py on the first WAV file.
    assert found["fundamental_frequency[aah].mean"] == pytest.approx(94.4616773656, rel=1e-4)
    assert found["fundamental_frequency[aah].sd"] == pytest.approx(1.5750080535, rel=5e-3)
    assert found["jitter[aah]"] == pytest.approx(0.5439614328, rel=0.005)
    assert found["shimmer[aah]"] == pytest.approx(5.8361714730, rel=0.005)
    assert found["harmonics_to_noise[aah]"] == pytest.approx(17.3827051993, abs=0.05)
    assert found["phonation_time[aah]"] == pytest.approx(9.5, abs=0.1)
