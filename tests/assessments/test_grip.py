"""Grip: against closed forms, against the simulator's truth, and its quality rules."""

from __future__ import annotations

import numpy as np
import pytest

from konectom import formats
from konectom.assessments._outcome import Result
from konectom.assessments.grip import extract as grip
from konectom.recording import Part, Recording, Stream
from konectom.simulate.grip import TARGETS, GripTruth, simulate_grip
from tests.assessments.examples import Wire, parse
from tests.shared import KONECTOM, inflated, needs_shared


def part(hand: str, share: float, targets: tuple[float, ...] = TARGETS, lifted: tuple[float, float] = (0, 0)) -> Part:
    """A thumb that presses this share of each target from its begin on, and may leave the screen for a while."""
    t_s = np.arange(0, 6.0 * len(targets), 0.02)
    t_s = t_s[(t_s < lifted[0]) | (t_s >= lifted[1])]
    asked = np.array(targets)[(t_s // 6).astype(int)]
    phase = np.full(t_s.size, "move", dtype="<U4")
    phase[0], phase[-1] = "down", "up"
    phase[np.flatnonzero(np.diff(t_s) > 0.1)] = "up"
    touch = Stream("touch", t_s, {"x": t_s * 0 + 10, "y": t_s * 0 + 20, "phase": phase, "pressure": share * asked})
    begin_s = np.arange(0.0, 6.0 * len(targets), 6.0)
    columns = {"pressure": np.array(targets), "ends_at_s": begin_s + 6}
    events = {"target": Stream("target", begin_s, columns)}
    return Part({"hand": hand}, 0.0, 6.0 * len(targets), {"touch": touch}, events)


def run(*parts: Part) -> Result:
    return grip.run(Recording("grip", parts))


def values(result: Result) -> dict[str, float]:
    return {entry.key: value for entry, value in result.measures()}


def codes(result: Result) -> set[str]:
    return {flag.code.removeprefix("grip.") for flag in result.quality.flags}


def test_a_constant_share_of_each_target() -> None:
    result = run(part("left", 1.1), part("right", 0.9))
    assert result.quality.verdict == "valid"
    found = values(result)
    for hand, share in (("left", 1.1), ("right", 0.9)):
        assert found[f"grip.relative_error[{hand}]"] == pytest.approx(0.1, rel=1e-5)
        assert found[f"grip.unsteadiness[{hand}]"] == pytest.approx(0.0, abs=1e-6)
        for window in ("middle_4_s", "middle_2_s", "last_5_s"):
            for target, pressure in (("low", 1.0), ("medium", 2.6), ("high", 4.2), ("very_high", 5.8)):
                where = f"{hand},{target},{window}"
                assert found[f"grip.applied_force[{where}].mean"] == pytest.approx(share, rel=0.01)
                if window != "last_5_s":  # whose last sample has the next target's pressure
                    assert found[f"grip.pressure_error[{where}]"] == pytest.approx(0.1 * pressure, rel=1e-4)
            assert found[f"grip.applied_force_difference[{hand},{window}]"] < 0.01
            expected = 0.1 * np.sqrt(np.mean(np.square(TARGETS)))
            if window != "last_5_s":
                assert found[f"grip.pressure_error[{hand},{window}]"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    "truth", [GripTruth(), GripTruth(reaction_s=0.3, transition_s=0.6, bias=-0.1, unsteadiness=0.08)]
)
def test_the_simulators_truth_comes_back(truth: GripTruth) -> None:
    """Error and unsteadiness within a quarter, reaction within 0.25 s: the thumb wanders, plateaus are found late."""
    result = grip.run(parse(simulate_grip(truth, np.random.default_rng(3))))
    found = values(result)
    assert result.quality.verdict == "valid"
    for hand in ("left", "right"):
        assert found[f"grip.relative_error[{hand}]"] == pytest.approx(truth.relative_error, rel=0.25)
        assert found[f"grip.unsteadiness[{hand}]"] == pytest.approx(truth.unsteadiness, rel=0.25)
        assert found[f"grip.reaction_time[{hand}].mean"] == pytest.approx(truth.reaction_s, abs=0.25)
        assert found[f"grip.acceleration_peak_frequency[{hand},norm]"] == pytest.approx(8.0, abs=0.2)  # of |sine|
        assert found[f"grip.acceleration_peak_frequency[{hand},x]"] == pytest.approx(4.0, abs=0.1)


def test_targets_that_are_not_four_have_no_names() -> None:
    result = run(part("left", 1.0, (1.0, 2.0, 3.0)), part("right", 1.0))
    assert codes(result) == {"too_few_targets"}
    assert result.absent["grip.pressure_error[left,low,middle_4_s]"] == "not_applicable"
    assert values(result)["grip.relative_error[left]"] == pytest.approx(0, abs=1e-6)


def test_what_disturbs_the_test_is_flagged() -> None:
    good = part("right", 1.0)
    assert codes(run(part("left", 1.0), good)) == set()
    assert codes(run(good)) == {"hand_missing"}
    assert "thumb_lifted" in codes(run(part("left", 1.0, lifted=(10, 14)), good))
    assert "off_target" in codes(run(part("left", 0.2), good))
    flat = simulate_grip(GripTruth(), np.random.default_rng(0))
    flat["parts"][0]["streams"]["touch"]["pressure"] = [1.0] * len(flat["parts"][0]["streams"]["touch"]["t"])
    assert grip.run(parse(flat)).quality.verdict == "invalid"
    assert "no_pressure" in codes(grip.run(parse(flat)))


@pytest.mark.parametrize("far_s", [1e7, 8e8])
def test_a_time_stamp_far_off_costs_no_memory(far_s: float) -> None:
    wire: Wire = simulate_grip(GripTruth(), np.random.default_rng(0))
    wire["parts"][0]["streams"]["touch"]["t"][-1] = far_s
    wire["parts"][1]["events"][-1]["ends_at"] = far_s
    result = grip.run(parse(wire))
    assert values(result)["grip.relative_error[right]"] < 0.1


@needs_shared
def test_pressure_is_taken_as_published_where_a_plateau_hangs_on_the_last_digit() -> None:
    (recording,) = formats.read(inflated(KONECTOM / "ads/GRIP/example.json.gz")).recordings
    assert isinstance(recording, Recording)
    found = values(grip.run(recording))
    assert found["grip.pressure_error[left,very_high,plateau]"] == pytest.approx(0.3247256854586842, rel=1e-6)
    assert [dict(one.condition) for one in recording.parts] == [{"hand": "right"}, {"hand": "left"}]
    assert [len(one.events["target"]) for one in recording.parts] == [8, 8]
    assert recording.parts[0].streams["touch"].units["x"] == "pt"
