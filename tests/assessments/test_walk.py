"""Walking: simulated steps, turns and distances come out with their truth; protocols, bouts, quality, ways to fail."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from konectom import formats
from konectom.assessments import get_assessment
from konectom.assessments.base import Result
from konectom.assessments.walk._cycles import CYCLE_COLUMNS
from konectom.simulate.walk import WalkTruth, simulate_walk
from tests.assessments.examples import at_rate, pick, run
from tests.shared import KONECTOM, inflated, needs_shared

Wire = dict[str, Any]


def simulated(seed: int = 0, **truth: Any) -> Wire:
    return simulate_walk(WalkTruth(**truth), np.random.default_rng(seed))


def values(result: Result) -> dict[str, float]:
    return {entry.key.removeprefix("walk."): value for entry, value in result.measures()}


def codes(result: Result) -> set[str]:
    return {flag.code.removeprefix("walk.") for flag in result.quality.flags}


@pytest.mark.parametrize("rate_hz", [20, 50, 60, 100, 128, 200])
@pytest.mark.parametrize(
    "truth",
    [
        {},
        {"cadence": 90, "step_length_m": 0.5, "tilt_deg": -25},
        {"cadence": 125, "step_length_m": 0.75, "way_m": 25},
        {"protocol": "6mwt", "duration_s": 360.0, "height_m": 1.9},
    ],
)
def test_a_simulated_walk_comes_out(truth: dict[str, Any], rate_hz: float) -> None:
    """Cadence within 1 %, contacts within 2 steps a minute, turns exactly, distance within 3 %, lengths within 16 %."""
    stated = WalkTruth(**truth, rate_hz=rate_hz)
    result = run(simulated(1, **truth, rate_hz=rate_hz))
    found, protocol, minutes = values(result), stated.protocol, stated.duration_s / 60
    assert found[f"cadence[{protocol},all_bouts].mean"] == pytest.approx(stated.cadence, rel=0.01)
    assert found[f"step_count[{protocol},whole]"] == pytest.approx(stated.cadence * minutes, abs=2 * minutes + 1)
    assert round(found[f"large_turn_rate[{protocol}]"] * minutes) == stated.turns
    assert found[f"distance[{protocol}]"] == pytest.approx(stated.distance_m, rel=0.03)
    length_m, speed_mps = (found[f"{name}[{protocol},all_bouts].mean"] for name in ("step_length", "gait_speed"))
    assert length_m == pytest.approx(stated.step_length_m, rel=0.16)
    assert speed_mps == pytest.approx(stated.speed_mps, rel=0.16)
    assert codes(result) <= {"slow_sampling", "height_assumed"}


def test_variable_and_uneven_steps_show() -> None:
    even, variable, limping = (
        values(run(simulated(1, **truth)))
        for truth in ({"step_cv": 0.01}, {"step_cv": 0.06}, {"step_cv": 0.01, "asymmetry_s": 0.08})
    )
    variability, asymmetry = "stride_variability[2mwt]", "step_duration_asymmetry[2mwt,all_bouts].mean"
    assert variable[variability] > 2 * even[variability]
    assert limping[asymmetry] > 3 * even[asymmetry]
    regular = "step_regularity[2mwt,whole].mean"
    assert variable[regular] < even[regular]


def test_every_cycle_measure_comes_for_every_selection_of_bouts() -> None:
    found = values(run(simulated(protocol="6mwt", duration_s=360.0)))
    assert len(CYCLE_COLUMNS) == 26
    for name in CYCLE_COLUMNS:
        for bouts in ("first_2_min", "longest_bout", "all_bouts", "whole"):
            assert f"{name}[6mwt,{bouts}].mean" in found
    assert found["step_count[6mwt,first_2_min]"] < found["step_count[6mwt,all_bouts]"]
    assert found["step_count[6mwt,longest_bout]"] < found["step_count[6mwt,all_bouts]"]
    assert found["step_count[6mwt,all_bouts]"] < found["step_count[6mwt,whole]"]


@pytest.mark.parametrize("protocol", ["6mwt", "2mwt", "free"])
def test_the_protocol_stands_in_the_condition_and_in_the_librarys_name(protocol: str) -> None:
    result = run(simulated(protocol=protocol))
    assert {entry.condition["protocol"] for entry, _ in result.measures()} == {protocol}
    names = {entry.aliases["dispel"] for entry, _ in result.measures() if "dispel" in entry.aliases}
    assert {name.split("-")[0] for name in names} == ({protocol} if protocol != "free" else set())
    assert ("6mwt-lee_ab-sc" in names) == (protocol == "6mwt")
    assert len(result.catalogue.scores) <= 15


def test_a_protocol_that_is_not_told_is_a_free_walk() -> None:
    wire = simulated()
    wire["condition"] = {"placement": "belt"}
    result = run(wire)
    assert "condition_unknown" in codes(result)
    assert values(result)["cadence[free,all_bouts].mean"] == pytest.approx(110, rel=0.01)


def test_without_a_gyroscope_all_but_turns_is_measured() -> None:
    wire = simulated()
    del wire["streams"]["gyroscope"]
    result = run(wire)
    found = values(result)
    assert "no_gyroscope" in codes(result)
    assert found["cadence[2mwt,all_bouts].mean"] == pytest.approx(110, rel=0.01)
    assert result.absent["walk.large_turn_rate[2mwt]"] == "input_missing"
    assert result.absent["walk.spectral_norm[2mwt,gyroscope]"] == "input_missing"
    assert "step_regularity[2mwt,whole].mean" in found


def test_without_positions_there_is_no_distance_by_satellite() -> None:
    wire = simulated()
    del wire["streams"]["gps"]
    result = run(wire)
    assert "no_position" in codes(result)
    assert result.quality.verdict == "valid"
    assert result.absent["walk.distance[2mwt]"] == "input_missing"
    assert "distance_by_steps[2mwt]" in values(result)


def test_two_positions_at_one_time_make_no_infinite_speed() -> None:
    wire = simulated()
    plain = values(run(copy.deepcopy(wire)))
    gps = wire["streams"]["gps"]
    pick(gps, [row for row in range(len(gps["t"])) for _ in range(2)])
    gps["x"][40] += 30.0  # the first of two at the same time
    found = values(run(wire))
    assert found["position_speed[2mwt]"] == pytest.approx(plain["position_speed[2mwt]"])
    assert np.isfinite(found["path_length[2mwt]"])


def test_poor_positions_are_left_out_of_the_distance_but_not_of_the_path() -> None:
    wire = simulated()
    gps = wire["streams"]["gps"]
    plain = values(run(copy.deepcopy(wire)))
    for row in range(30, 60):
        gps["x"][row] += 200.0 * (row % 2)
        gps["accuracy_m"][row] = 65.0
    result = run(wire)
    found = values(result)
    assert "poor_position" in codes(result)
    assert found["distance[2mwt]"] < plain["distance[2mwt]"] * 1.01
    assert found["path_length[2mwt]"] > 10 * plain["path_length[2mwt]"]


def test_what_was_walked_before_the_test_does_not_count_as_distance() -> None:
    wire = simulated(duration_s=150.0)
    for name in ("accelerometer", "gyroscope"):
        stream = wire["streams"][name]
        pick(stream, [row for row, time in enumerate(stream["t"]) if time > 75])
    found = values(run(wire))
    assert found["distance[2mwt]"] == pytest.approx(found["path_length[2mwt]"] / 2, rel=0.05)


def test_lengths_follow_the_height() -> None:
    wire = simulated()
    plain = values(run(copy.deepcopy(wire)))
    taller = values(run(wire | {"answers": {"height_m": 1.7 * 1.21}}))
    name = "step_length[2mwt,all_bouts].median"
    assert taller[name] == pytest.approx(1.1 * plain[name], rel=0.01)
    assert taller["distance_by_steps[2mwt]"] == pytest.approx(1.21 * plain["distance_by_steps[2mwt]"])
    for unknown in ({}, {"height_m": "tall"}, {"height_m": 17.0}):
        result = run(wire | {"answers": unknown})
        assert "height_assumed" in codes(result)
        assert values(result)[name] == pytest.approx(plain[name])


def test_a_phone_off_the_belt_is_said_and_the_whole_recording_still_measured() -> None:
    wire = simulated()
    for name in ("accelerometer", "gyroscope"):
        stream = wire["streams"][name]
        stream["x"], stream["y"] = stream["y"], stream["x"]  # upright, as in a pocket
    result = run(wire)
    assert {"off_belt", "mostly_off_belt", "no_walking"} <= codes(result)
    assert result.quality.verdict == "invalid"
    found = values(result)
    assert found["step_count[2mwt,all_bouts]"] == 0
    assert found["cadence[2mwt,whole].median"] == pytest.approx(110, rel=0.03)
    assert result.absent["walk.cadence[2mwt,all_bouts].mean"] == "too_few_values"


def test_pauses_turns_and_short_walks_are_said() -> None:
    assert "pauses" in codes(run(simulated(standing_s=30.0)))
    assert "mostly_still" in codes(run(simulated(standing_s=80.0)))
    assert "too_short" in codes(run(simulated(duration_s=60.0)))
    many = codes(run(simulated(protocol="6mwt", duration_s=360.0, way_m=10)))
    assert {"many_turns", "too_many_turns", "not_straight"} <= many
    assert "many_turns" not in codes(run(simulated(way_m=10)))


def test_slow_phones_are_measured_as_far_as_possible() -> None:
    result = run(at_rate(20)(simulated()))
    assert result.quality.verdict == "invalid"
    assert "slow_sampling" in codes(result)
    assert values(result)["cadence[2mwt,all_bouts].mean"] == pytest.approx(110, rel=0.01)


def test_a_clock_that_jumps_by_years_costs_what_follows_and_no_more() -> None:
    wire = simulated()
    for name in ("accelerometer", "gyroscope"):
        stream = wire["streams"][name]
        stream["t"] = [time if time < 100 else time + 1e9 for time in stream["t"]]
    result = run(wire)
    assert "too_short" in codes(result)
    assert values(result)["cadence[2mwt,all_bouts].mean"] == pytest.approx(110, rel=0.01)


def test_the_measured_stretch_follows_the_instructions() -> None:
    wire = simulated(protocol="6mwt", duration_s=420.0, standing_s=30.0)
    wire["events"] = [{"type": "instruction", "t": t, "name": "x"} for t in (0.0, 20.0, 30.0)]
    found = values(run(wire))
    wire["events"] = wire["events"][:2]
    longer = values(run(wire))
    assert found["time_not_moving[6mwt]"] == pytest.approx(0, abs=0.3)
    assert longer["time_not_moving[6mwt]"] > 6
    assert longer["step_count[6mwt,whole]"] > found["step_count[6mwt,whole]"] + 40


@needs_shared
def test_a_real_walk_with_duplicated_stamps_at_20_hz_in_a_pocket_is_measured_and_flagged() -> None:
    body = inflated(KONECTOM / "ads" / "6MWT" / "duplicated_ts.json.gz")
    result = get_assessment("walk").run(formats.read(body).recordings[0])  # type: ignore[arg-type]
    assert {"slow_sampling", "input_disordered", "mostly_off_belt", "no_walking", "poor_position"} <= codes(result)
    assert values(result)["path_length[6mwt]"] == pytest.approx(646.9175055, rel=1e-4)
    assert values(result)["cadence[6mwt,whole].median"] >= 80
