"""Pronation and supination: against closed forms, against the simulator's truth, and its quality rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from konectom import formats
from konectom.assessments._outcome import Result
from konectom.assessments.pronation import extract as pronation
from konectom.recording import FloatArray, Part, Recording, Stream
from konectom.simulate.pronation import PronationTruth, simulate_pronation
from tests.assessments.examples import parse
from tests.shared import KONECTOM, inflated, needs_shared

T_S = np.arange(0, 7.0, 0.02)


def part(hand: str, about_z_radps: FloatArray, t_s: FloatArray = T_S, **other: Any) -> Part:
    """A part in which the phone turns about its z alone."""
    rest = np.zeros(t_s.size)
    columns = {"x": rest, "y": rest.copy(), "z": about_z_radps} | other
    return Part({"hand": hand}, float(t_s[0]), float(np.ptp(t_s)), {"gyroscope": Stream("gyroscope", t_s, columns)})


def run(*parts: Part) -> Result:
    return pronation.run(Recording("pronation", parts))


def values(result: Result) -> dict[str, float]:
    return {entry.key: value for entry, value in result.measures()}


def codes(result: Result) -> set[str]:
    return {flag.code.removeprefix("pronation.") for flag in result.quality.flags}


def test_a_sine_turns_twice_its_size_over_its_angular_frequency() -> None:
    """The integral of a sin(wt) over half a period is 2a/w."""
    speed, hz = 12.0, 2.0
    found = values(run(part("right", speed * np.sin(2 * np.pi * hz * T_S + 0.3))))
    each_deg = np.degrees(2 * speed / (2 * np.pi * hz))
    for movement in ("pronation", "supination", "both"):
        assert found[f"pronation.rotation[right,{movement}].median"] == pytest.approx(each_deg, rel=0.01)
    assert found["pronation.cycle_rotation[right].median"] == pytest.approx(2 * each_deg, rel=0.01)
    assert found["pronation.cycle_duration[right].mean"] == pytest.approx(1 / hz, rel=2e-3)
    assert found["pronation.rotation_speed[right,both].median"] == pytest.approx(2 * hz * each_deg, rel=0.01)
    assert found["pronation.rhythm_irregularity[right]"] < 0.01
    passed = 1 / (1 + (hz / 4) ** 6)  # of the power, by a Butterworth filter of order 3 run once
    assert found["pronation.movement_power[right]"] == pytest.approx(passed**2 * speed**2 / 2, rel=0.01)


def test_a_positive_rotation_pronates_the_right_hand_and_supinates_the_left() -> None:
    # To one side fast, back slowly.
    phase = (T_S * 2) % 1
    rotation = np.where(phase < 0.25, 12 * np.sin(np.pi * phase / 0.25), -4 * np.sin(np.pi * (phase - 0.25) / 0.75))
    found = values(run(part("right", rotation), part("left", rotation)))
    fast, slow = "pronation.rotation_speed[{},pronation].mean", "pronation.rotation_speed[{},supination].mean"
    assert found[fast.format("right")] > 2 * found[slow.format("right")]
    assert found[slow.format("left")] > 2 * found[fast.format("left")]


def test_only_the_last_seven_seconds_count() -> None:
    t_s = np.arange(0, 12.0, 0.02)
    rotation = np.where(t_s < 5, 15.0, 8.0) * np.sin(2 * np.pi * 2 * t_s)
    found = values(run(part("right", rotation, t_s)))
    assert found["pronation.movements[right]"] == pytest.approx(28, abs=1)
    assert found["pronation.rotation[right,both].median"] == pytest.approx(np.degrees(16 / (4 * np.pi)), rel=0.02)


@pytest.mark.parametrize("truth", [PronationTruth(), PronationTruth(rotation_deg=90, cycle_hz=1.0, fading=0.3)])
def test_the_simulators_truth_comes_back(truth: PronationTruth) -> None:
    """Rotation within 4 %, rate within 5 %: the movements at the edges do not count, and 10 Hz rounds the reversals."""
    result = pronation.run(parse(simulate_pronation(truth, np.random.default_rng(1))))
    found = values(result)
    for hand in ("left", "right"):
        rotation = found[f"pronation.rotation[{hand},both].mean"]
        assert rotation == pytest.approx(truth.mean_rotation_deg(hand), rel=0.04)
        assert 1 / found[f"pronation.cycle_duration[{hand}].mean"] == pytest.approx(truth.cycles_per_s(hand), rel=0.05)
        # The quarters' middles are less than the whole test apart.
        fading = found[f"pronation.cycle_rotation_decrement[{hand}]"] / (2 * truth.rotation_deg)
        assert truth.fading < 0.1 or 0.4 * truth.fading < fading < truth.fading
    assert result.quality.verdict == "valid"


def test_a_phone_that_lies_still_is_invalid() -> None:
    result = run(part("right", 0.01 * np.sin(T_S)), part("left", np.zeros(T_S.size)))
    assert result.quality.verdict == "invalid"
    assert "too_few_movements" in codes(result)
    assert values(result)["pronation.movements[left]"] == 0
    assert result.absent["pronation.rotation[right,both].median"] == "too_few_values"


def test_what_disturbs_the_test_is_flagged() -> None:
    sine = 12 * np.sin(2 * np.pi * 2 * T_S)
    assert codes(run(part("right", sine), part("left", sine))) == set()
    assert codes(run(part("right", sine))) == {"hand_missing"}
    halted = np.where((T_S > 2) & (T_S < 4), 0.0, sine)
    assert "halt" in codes(run(part("right", halted), part("left", sine)))
    late = np.where(T_S < 2, 0.0, sine)
    assert "halt" in codes(run(part("right", late), part("left", sine)))
    assert "other_axis" in codes(run(part("right", sine, x=2 * sine), part("left", sine)))
    lost = (T_S < 3) | (T_S > 3.6)
    assert "gap" in codes(run(part("right", sine[lost], T_S[lost]), part("left", sine)))
    assert "slow_sampling" in codes(run(part("right", sine[::2], T_S[::2]), part("left", sine)))
    assert "too_short" in codes(run(part("right", sine[:200], T_S[:200]), part("left", sine)))


def test_a_time_stamp_far_off_costs_neither_memory_nor_the_test() -> None:
    sine = 12 * np.sin(2 * np.pi * 2 * T_S)
    far = np.concatenate((T_S[:-1], [8e8]))
    result = run(part("right", sine, far), part("left", sine))
    assert "too_short" in codes(result)
    assert values(result)["pronation.movements[left]"] >= 26


@needs_shared
def test_a_phone_on_a_table_has_no_movements() -> None:
    (recording,) = formats.read(inflated(KONECTOM / "bdh/PS/static_ps.json.gz")).recordings
    assert isinstance(recording, Recording)
    result = pronation.run(recording)
    assert result.quality.verdict == "invalid"
    assert values(result)["pronation.movements[right]"] == 0
    for key, reason in result.absent.items():
        assert reason == "too_few_values", key
