"""When a voice recording counts, and what of it is measured."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from konectom.assessments import get_assessment
from konectom.assessments.base import Result
from konectom.simulate.voice import VoiceTruth, simulate_voice
from tests.assessments.examples import parse

GOOD = simulate_voice(VoiceTruth(), np.random.default_rng(4))


def run(wire: dict[str, Any]) -> Result:
    return get_assessment("voice").run(parse(wire))


def values(result: Result) -> dict[str, float]:
    return {entry.key.removeprefix("voice."): value for entry, value in result.measures()}


def codes(result: Result) -> set[str]:
    return {flag.code.removeprefix("voice.") for flag in result.quality.flags}


def changed(exercise: int, change: Any) -> dict[str, Any]:
    """Return the good recording with the samples of one exercise changed."""
    wire = copy.deepcopy(GOOD)
    audio = wire["parts"][exercise]["streams"]["audio"]
    audio["amplitude"] = change(np.array(audio["amplitude"])).tolist()
    return wire


@pytest.mark.parametrize("factor", [0.03, 1.9])
def test_how_loud_it_is_changes_no_measure(factor: float) -> None:
    once, louder = values(run(GOOD)), values(run(changed(0, lambda x: factor * x)))
    assert louder == pytest.approx(once, rel=1e-6)


def test_a_quiet_voice_and_one_that_is_clipped_are_limited() -> None:
    assert "too_quiet" in codes(run(changed(0, lambda x: 0.01 * x)))
    result = run(changed(0, lambda x: np.clip(5 * x, -1, 1)))
    assert "clipped" in codes(result)
    assert result.quality.verdict == "limited"


@pytest.mark.parametrize("exercise", [0, 1])
def test_noise_without_a_voice_is_invalid(exercise: int) -> None:
    rng = np.random.default_rng(1)
    result = run(changed(exercise, lambda x: rng.normal(0, 0.1, x.size)))
    assert "no_voice" in codes(result)
    assert result.quality.verdict == "invalid"


def test_a_vowel_that_never_sounded_was_held_for_no_time() -> None:
    result = run(changed(0, np.zeros_like))
    assert values(result)["phonation_time[aah]"] == 0.0
    assert result.absent["voice.jitter[aah]"] == "too_few_values"


def test_the_longest_phonation_counts_and_a_short_break_does_not_end_it() -> None:
    def silent(seconds: float) -> Any:
        def change(x: np.ndarray) -> np.ndarray:
            first = int(1.3 * 8000)
            x[first : first + int(seconds * 8000)] = 0
            return x

        return change

    assert values(run(changed(0, silent(0.07))))["phonation_time[aah]"] == pytest.approx(3.5, abs=0.05)
    broken = values(run(changed(0, silent(0.5))))
    assert broken["phonation_time[aah]"] == pytest.approx(2.0, abs=0.05)
    assert broken["voiced_share[aah]"] == pytest.approx(100 * 3.0 / 3.5, abs=2)


def test_a_voice_that_sounds_to_the_end_is_noted() -> None:
    result = run(changed(0, lambda x: x[: 3 * 8000]))
    assert "cut_off" in codes(result)
    assert result.quality.verdict == "valid"


def test_a_pause_to_breathe_is_counted_and_left_out_of_the_rhythm() -> None:
    usual = values(run(GOOD))
    paused = values(run(changed(1, lambda x: np.insert(x, int(2.24 * 8000), np.zeros(4000)))))
    assert paused["pauses[pataka]"] == 1
    assert paused["syllable_rate[pataka]"] == pytest.approx(usual["syllable_rate[pataka]"], rel=0.02)
    assert paused["rhythm_irregularity[pataka]"] == pytest.approx(usual["rhythm_irregularity[pataka]"], abs=0.02)


def test_few_syllables_are_limited() -> None:
    assert "few_syllables" in codes(run(changed(1, lambda x: x[: int(0.8 * 8000)])))


def test_one_exercise_alone_is_measured_and_noted() -> None:
    wire = GOOD | {"parts": GOOD["parts"][:1]}
    result = run(wire)
    assert "exercise_missing" in codes(result)
    assert result.quality.verdict == "valid"
    assert not any("pataka" in key for key in values(result))


def test_a_sensor_of_motion_is_no_microphone() -> None:
    wire = copy.deepcopy(GOOD)
    for part in wire["parts"]:
        part["streams"]["audio"]["rate_hz"] = 50
    result = run(wire)
    assert "rate_unusable" in codes(result)
    assert result.quality.verdict == "invalid"
    assert set(result.absent.values()) == {"not_applicable"}


def test_a_gap_is_silent_and_flagged() -> None:
    def lost(x: np.ndarray) -> np.ndarray:
        x[8000:10000] = np.nan
        return x

    wire = changed(0, lost)
    wire["parts"][0]["streams"]["audio"]["amplitude"] = [
        None if np.isnan(value) else value for value in wire["parts"][0]["streams"]["audio"]["amplitude"]
    ]
    result = run(wire)
    assert "gap" in codes(result)
    assert values(result)["phonation_time[aah]"] < 3.0


def test_at_most_two_minutes_are_looked_at() -> None:
    wire = copy.deepcopy(GOOD)
    audio = wire["parts"][1]["streams"]["audio"]
    audio["amplitude"] = audio["amplitude"] * 60
    assert values(run(wire))["syllables[pataka]"] < 120 / 4 * 24
