"""U-turns: simulated turns and steps come out with their truth; windows, quality and signs."""

from __future__ import annotations

import copy
import csv
import gzip
from typing import Any

import numpy as np
import pytest

from konectom.assessments import get_assessment
from konectom.assessments._outcome import Result
from konectom.simulate.u_turn import UTurnTruth, simulate_u_turn, yaw_radps
from tests.assessments.examples import pick, run
from tests.shared import SHARED

Wire = dict[str, Any]


def simulated(seed: int = 0, **truth: Any) -> Wire:
    return simulate_u_turn(UTurnTruth(**truth), np.random.default_rng(seed))


def values(result: Result) -> dict[str, float]:
    return {entry.key.removeprefix("u_turn."): value for entry, value in result.measures()}


def codes(result: Result) -> set[str]:
    return {flag.code.removeprefix("u_turn.") for flag in result.quality.flags}


@pytest.mark.parametrize("rate_hz", [20, 50, 60, 100, 200])
@pytest.mark.parametrize(
    "truth",
    [
        {},
        {"turn_speed_radps": 0.8, "step_rate_hz": 1.4},
        {"turn_speed_radps": 2.4, "turns": 7},
        {"alternating": False, "turn_angle_rad": 2.8, "tilt_deg": -25},
    ],
)
def test_turns_and_steps_of_a_simulated_walk_come_out(truth: dict[str, Any], rate_hz: float) -> None:
    """Every turn; its angle within 2 %, speed and duration within 8 %; cadence within 1 %, steps within 2."""
    stated = UTurnTruth(**truth, rate_hz=rate_hz)
    found = values(run(simulated(5, **truth, rate_hz=rate_hz)))
    assert found["turn_count[all]"] == stated.turns
    assert found["turn_angle[all].median"] == pytest.approx(stated.turn_angle_rad, rel=0.02)
    assert found["turn_duration[all].median"] == pytest.approx(stated.turn_duration_s, rel=0.08)
    assert found["turn_speed[all].median"] == pytest.approx(stated.turn_speed_radps, rel=0.08)
    assert found["cadence"] == pytest.approx(60 * stated.step_rate_hz, rel=0.01)
    assert found["step_count"] == pytest.approx(stated.steps, abs=2)


def test_the_speed_within_a_turn_is_that_of_its_wave() -> None:
    stated = UTurnTruth(turn_speed_radps=0.8, trunk_swing_radps=0, noise_radps=0)
    found = values(run(simulated(0, turn_speed_radps=0.8, trunk_swing_radps=0.0, noise_radps=0.0)))
    assert found["rotation[all,vertical].mean"] == pytest.approx(stated.turn_speed_radps, rel=0.03)
    peak_radps = yaw_radps(np.arange(0, 10, 0.01), stated).max()  # near which a cosine spends 5 % of its time
    assert found["fast_rotation[all,vertical].median"] == pytest.approx(peak_radps, rel=0.03)
    assert found["rotation[all,any_axis].mean"] > found["rotation[all,vertical].mean"]


def test_the_first_turns_are_told_apart() -> None:
    found = values(run(simulated(turns=7)))
    counts = {turns: found[f"turn_count[{turns}]"] for turns in ("all", "first_5", "first_4", "second_to_fourth")}
    assert counts == {"all": 7, "first_5": 5, "first_4": 4, "second_to_fourth": 3}
    few = values(run(simulated(turns=2)))
    assert (few["turn_count[first_4]"], few["turn_count[second_to_fourth]"]) == (2, 1)


def test_left_and_right_turns_count_alike_and_the_phones_sign_of_gravity_only_swaps_the_senses() -> None:
    one = simulated()
    other = copy.deepcopy(one)
    for axis in "xyz":
        held = other["streams"]["accelerometer"]
        held[axis] = [-value for value in held[axis]]
    first, second = values(run(one)), values(run(other))
    assert second["turn_speed[all].median"] == pytest.approx(first["turn_speed[all].median"], rel=1e-3)
    assert second["cadence"] == pytest.approx(first["cadence"], rel=0.01)


def test_rotation_between_steps_adds_up_to_the_turns() -> None:
    result = run(simulated(alternating=False, turns=1, noise_radps=0.0, trunk_swing_radps=0.0))
    found = values(result)
    # A turn to the left is negative about an axis that points down; nothing turns the other way.
    assert found["pelvis_rotation[negative].max"] > 0.5
    assert found["pelvis_rotation[negative].max"] > 50 * found.get("pelvis_rotation[positive].max", 0.0)


def test_steps_by_lees_method_are_counted_over_the_whole_duration() -> None:
    found = values(run(simulated(3, step_cv=0.15)))
    duration_s = UTurnTruth().duration_s
    assert found["lee_step_rate"] == pytest.approx(found["lee_step_count"] / duration_s, rel=0.01)
    assert found["lee_step_duration.mean"] * (found["lee_step_count"] - 1) == pytest.approx(duration_s, rel=0.05)
    assert 0 < found["lee_step_power"] < 0.05


def instructed(*times_s: float) -> Wire:
    """Return a recording in which turns at the begin are practice, spoken instructions at the times."""
    wire = simulated(turns=8)
    wire["events"] = [{"type": "instruction", "t": t, "name": f"voice {i}"} for i, t in enumerate(times_s)]
    return wire


def test_from_three_spoken_instructions_on_the_test_begins_with_the_third() -> None:
    truth = UTurnTruth(turns=8)
    third_turn_s = 3 * truth.walk_s + 2 * truth.turn_duration_s - 0.5
    assert values(run(instructed(0, 1, third_turn_s, 50)))["turn_count[all]"] == 6
    assert values(run(instructed(0, 1)))["turn_count[all]"] == 8
    beyond = run(instructed(0, 1, 1e4))
    assert set(beyond.absent.values()) == {"no_data"}


def test_a_test_with_instructions_is_followed_for_two_minutes_and_one_without_for_five() -> None:
    wire = simulated(turns=30)
    assert values(run(wire))["turn_count[all]"] == 30
    spoken = wire | {"events": [{"type": "instruction", "t": 0.0, "name": "go"}] * 3}
    assert values(run(spoken))["turn_count[all]"] == pytest.approx(120 / (5 + UTurnTruth().turn_duration_s), abs=1)


def test_good_turns_have_no_flag() -> None:
    assert codes(run(simulated())) == set()


def test_no_turns_and_few_turns_are_flagged() -> None:
    none = run(simulated(turns=0, walk_s=30.0))
    assert codes(none) == {"no_turns"}
    assert none.quality.verdict == "invalid"
    assert values(none)["turn_count[all]"] == 0
    assert none.absent["u_turn.turn_speed[all].median"] == "too_few_values"
    assert codes(run(simulated(turns=3))) == {"few_turns"}


def test_a_slow_rate_limits_and_a_gap_invalidates() -> None:
    slow = run(simulated(rate_hz=20))
    assert (codes(slow), slow.quality.verdict) == ({"slow_sampling"}, "limited")
    wire = simulated()
    for held in wire["streams"].values():
        pick(held, [row for row, t in enumerate(held["t"]) if not 10 < t < 12.5])
    assert run(wire).quality.verdict == "invalid"
    assert "gap" in codes(run(wire))


@pytest.mark.parametrize(
    ("until_s", "expected"), [(2, set()), (8, {"off_belt"}), (20, {"off_belt", "mostly_off_belt"})]
)
def test_time_off_the_belt_counts_up_to_the_end_of_the_fifth_turn(until_s: float, expected: set[str]) -> None:
    wire = simulated()
    for held in wire["streams"].values():
        t_s = np.array(held["t"])
        x, y = np.array(held["x"]), np.array(held["y"])
        held["x"] = np.where(t_s < until_s, y, x).tolist()
        held["y"] = np.where(t_s < until_s, x, y).tolist()
    assert codes(run(wire)) & {"off_belt", "mostly_off_belt"} == expected


def test_a_gyroscope_without_samples_is_no_data_and_one_of_nulls_has_no_turns() -> None:
    wire = simulated()
    for axis in "xyz":
        wire["streams"]["gyroscope"][axis] = [None] * len(wire["streams"]["gyroscope"]["t"])
    result = run(wire)
    assert result.quality.verdict == "invalid"
    assert set(result.absent.values()) == {"no_data"}


def test_every_published_name_is_carried() -> None:
    path = SHARED / "reference" / "measure_definitions.csv.gz"
    if not path.exists():
        pytest.skip("the list of published measures is not beside this checkout")
    with gzip.open(path, "rt", newline="") as rows:
        published = {row["id"] for row in csv.DictReader(rows) if row["id"].startswith("utt-")}
    assert published == {
        entry.aliases["dispel"] for entry in get_assessment("u_turn").catalogue if "dispel" in entry.aliases
    }
