"""Bubble pinching by hand: a few touches whose measures one can reckon on paper."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import orjson
import pytest

from konectom import formats
from konectom.assessments import get_assessment
from konectom.assessments._outcome import Result
from konectom.recording import Recording
from tests.assessments.examples import Wire, example, run

SCREEN = {"width_px": 1170, "width_pt": 390, "height_pt": 844, "pt_per_mm": 6.0}
BURST_AFTER_S = 0.3


def bubble(t: float, size: str = "small", *, burst: bool = True, y: float = 400.0, radius: float = 50.0) -> Wire:
    """Return a bubble that bursts a second after it appeared."""
    burst_at = t + 1.0 if burst else None
    return {"type": "bubble", "t": t, "x": 200.0, "y": y, "radius": radius, "size": size, "burst_at": burst_at}


def finger(number: int, t: float, until: float, from_y: float, to_y: float, *, rate_hz: float = 60.0) -> list[Wire]:
    """Return the samples of a finger that goes straight down or up the middle at an even speed."""
    times = np.round(np.append(np.arange(t, until - 0.5 / rate_hz, 1 / rate_hz), until), 3)
    places = np.interp(times, [t, until], [from_y, to_y])
    phases = ["down", *["move"] * (len(times) - 2), "up"]
    return [
        {"t": time, "x": 200.0, "y": place, "phase": phase, "finger": number, "pressure": 0.5}
        for time, place, phase in zip(times.tolist(), places.tolist(), phases, strict=True)
    ]


def attempt(t: float, until: float, *, apart_s: float = 0.01, to: float = 10.0, y: float = 400.0) -> list[Wire]:
    """Return both fingers' samples: from 80 points above and below the centre to ``to`` points, the upper later."""
    return [
        *finger(1, t, until, y + 80, y + to),
        *finger(0, t + apart_s, until, y - 80, y - to),
    ]


def part(hand: str, bubbles: list[Wire], samples: list[Wire], unit: str = "pt", **streams: Any) -> Wire:
    """Return a hand's part of the test."""
    names = list(samples[0]) if samples else ["t", "x", "y", "phase", "finger"]
    ordered = sorted(samples, key=lambda sample: sample["t"])
    touch = {"unit": unit} | {name: [sample[name] for sample in ordered] for name in names}
    return {
        "condition": {"hand": hand},
        "duration_s": 30.0,
        "streams": {"touch": touch} | streams,
        "events": bubbles,
    }


def told(*parts: Wire, screen: Wire | None = None) -> tuple[dict[str, float], Result]:
    """Return the measures by key, and the result."""
    recording = {"assessment": "pinch", "completion": "completed", "parts": list(parts)}
    session = {
        "schema": "konectom.session/1",
        "started_at": "2026-01-01T09:00:00+01:00",
        "device": {"screen": screen or SCREEN},
        "recordings": [recording],
    }
    (read,) = formats.read(orjson.dumps(session)).recordings
    assert isinstance(read, Recording), read
    result = get_assessment("pinch").run(read)
    return {entry.key.removeprefix("pinch."): value for entry, value in result.measures()}, result


def codes(result: Result) -> set[str]:
    return {flag.code.removeprefix("pinch.") for flag in result.quality.flags}


# Three bubbles: the second takes two attempts.
BUBBLES = [bubble(1.0), bubble(3.0), bubble(5.0, "large")]
SAMPLES = [
    *attempt(1.6, 2.0),
    *attempt(3.2, 3.4, to=70.0),
    *attempt(3.6, 4.0, apart_s=0.03),
    *attempt(5.5, 6.0),
]


def test_attempts_are_counted_by_hand_and_size() -> None:
    values, result = told(part("left", BUBBLES, SAMPLES))
    assert values["attempts[left]"] == 4
    assert values["successes[left]"] == 3
    assert values["attempts[left,small]"] == 3
    assert values["accuracy[left,small]"] == pytest.approx(2 / 3)
    assert values["accuracy[left]"] == pytest.approx((2 / 3 + 1) / 2)
    assert values["success_rate[left]"] == pytest.approx(3 / 4)
    assert result.absent["pinch.attempts[left,medium]"] == "condition_not_recorded"
    assert result.absent["pinch.attempts[right,small]"] == "condition_not_recorded"


def test_reaction_counts_from_appearance_and_leaves_the_first_bubble_apart() -> None:
    values, _ = told(part("left", BUBBLES, SAMPLES))
    assert values["first_reaction_time[left]"] == pytest.approx(600)
    assert values["reaction_time[left].mean"] == pytest.approx((200 + 500) / 2)
    assert values["reaction_time[small].mean"] == pytest.approx(200)
    assert values["reaction_time[large].mean"] == pytest.approx(500)
    assert values["reaction_time.max"] == pytest.approx(500)


def test_times_of_an_attempt() -> None:
    values, _ = told(part("left", BUBBLES, SAMPLES))
    assert values["double_touch_asynchrony[left,small,all].mean"] == pytest.approx((10 + 10 + 30) / 3)
    assert values["double_touch_asynchrony[left,small,first].mean"] == pytest.approx(10)
    assert values["typical_double_touch_asynchrony[left,all]"] == pytest.approx(((10 + 10 + 30) / 3 + 10) / 2)
    assert values["touch_asynchrony[left].median"] == pytest.approx(10)
    assert values["bubble_duration[left,small].mean"] == pytest.approx((0.4 + 0.8) / 2)
    assert values["single_shot_duration[left].mean"] == pytest.approx((0.4 + 0.5) / 2)
    assert values["gap[left].median"] == pytest.approx(1.2)
    assert values["lift_asynchrony[left].mean"] == pytest.approx(0, abs=1e-6)
    assert values["dwell_time[left,large,all].mean"] == pytest.approx(17, abs=0.7), "the fingers move from the start"


def test_the_top_finger_is_the_upper_one_and_goes_as_fast_as_it_goes() -> None:
    values, _ = told(part("left", BUBBLES, SAMPLES))
    # 70 points in 490 and 500 ms.
    assert values["speed[left,large,top,all].mean"] == pytest.approx(70 / 490, rel=1e-3)
    assert values["speed[left,large,bottom,all].mean"] == pytest.approx(70 / 500, rel=1e-3)
    assert values["contact_distance[left,large,top,all].mean"] == pytest.approx(30)
    assert values["edge_distance[left,bottom].mean"] == pytest.approx(30)
    assert values["jerk[left,large,top,all].median"] == pytest.approx(0, abs=1e-6)
    assert values["pressure[left,large,top,all].mean"] == pytest.approx(0.5)


def test_both_fingers_are_inside_from_where_the_later_one_enters() -> None:
    values, _ = told(part("left", BUBBLES, SAMPLES))
    # 30 of 70 points to the edge in 500 ms, or 490 from 10 ms later; seen with the next sample.
    assert values["time_to_squeeze[left,large,all].mean"] == pytest.approx(10e-3 + 490e-3 * 30 / 70, abs=1 / 60)
    assert values["squeeze_duration[left,large,all].mean"] == pytest.approx(490e-3 * 40 / 70, abs=1 / 60)
    assert "time_to_squeeze[left,small,failed].mean" not in values


def test_what_the_app_itself_judges_goes_before_places_and_times() -> None:
    samples = [sample | {"led_to_success": 0, "valid_pinch": 0} for sample in SAMPLES]
    for sample in samples:
        if 3.2 <= sample["t"] <= 3.4:
            sample |= {"led_to_success": 1, "valid_pinch": int(sample["t"] >= 3.3)}
    values, _ = told(part("left", BUBBLES, samples))
    assert values["successes[left]"] == 1
    assert values["squeeze_duration[left,small,successful].mean"] == pytest.approx(0.1, abs=1 / 60)


def test_a_bubble_left_when_the_time_ran_out_counts_for_the_success_rate_only() -> None:
    last = bubble(7.0, burst=False)
    values, _ = told(part("left", [*BUBBLES, last], [*SAMPLES, *attempt(7.5, 7.9, to=70.0)]))
    assert values["attempts[left]"] == 4
    assert values["success_rate[left]"] == pytest.approx(3 / 5)
    gone = last | {"gone_at": 8.0}
    values, _ = told(part("left", [*BUBBLES, gone], [*SAMPLES, *attempt(7.5, 7.9, to=70.0)]))
    assert values["attempts[left]"] == 5


def test_a_gesture_of_one_or_three_fingers_is_no_attempt() -> None:
    one = finger(0, 7.2, 7.4, 320, 390)
    three = [*attempt(7.5, 7.9), *finger(5, 7.6, 7.8, 500, 450)]
    values, result = told(part("left", [*BUBBLES, bubble(7.0)], [*SAMPLES, *one, *three]))
    assert values["attempts[left]"] == 4
    assert "one_finger" not in codes(result)
    _, result = told(part("left", [bubble(7.0)], [*one, *three]))
    assert {"one_finger", "none_burst", "no_attempts"} <= codes(result)


def test_a_finger_that_lifts_after_the_burst_still_belongs_to_its_bubble() -> None:
    late = [bubble(1.0) | {"burst_at": 1.9}, bubble(2.2)]
    values, _ = told(part("left", late, [*attempt(1.6, 2.0), *attempt(2.6, 3.0)]))
    assert values["single_shot_duration[left].mean"] == pytest.approx(0.4)
    # Once another finger comes down, what follows is aimed at the next bubble.
    early = [bubble(1.0) | {"burst_at": 1.9}, bubble(1.91)]
    samples = [*attempt(1.6, 2.0), *finger(7, 1.92, 2.4, 300, 380), *finger(8, 1.93, 2.4, 500, 420)]
    values, _ = told(part("left", early, samples))
    assert values["attempts[left]"] == 2
    assert values["bubble_duration[left,small].mean"] == pytest.approx((0.31 + 0.48) / 2, abs=0.02)


def test_a_bubble_with_a_touch_recorded_in_part_is_left_out_and_noted() -> None:
    broken = [*SAMPLES, {"t": 5.2, "x": 1.0, "y": 1.0, "phase": "down", "finger": 9, "pressure": 0.1}]
    values, result = told(part("left", BUBBLES, broken))
    assert values["attempts[left]"] == 3
    assert "touch_incomplete" in codes(result)


def test_units_of_the_screen_become_points_where_its_size_is_known() -> None:
    in_points, _ = told(part("left", BUBBLES, SAMPLES))
    scaled = [sample | {axis: sample[axis] * 3 for axis in "xy"} for sample in SAMPLES]
    bubbles = [each | {name: each[name] * 3 for name in ("x", "y", "radius")} for each in BUBBLES]
    in_pixels, _ = told(part("left", bubbles, scaled, "px"))
    assert in_pixels.keys() == in_points.keys()
    for key, value in in_points.items():
        if "jerk" in key or "peak" in key:
            continue  # at an even speed these are nothing but rounding
        assert in_pixels[key] == pytest.approx(value, rel=1e-4, abs=1e-6), key
    nowhere, result = told(part("left", bubbles, scaled, "px"), screen={"width_px": 1170})
    assert not [key for key in nowhere if key.startswith(("speed", "contact_distance", "edge_distance"))]
    assert nowhere["attempts[left]"] == 4
    assert "position_unit_unknown" in codes(result)


def test_a_bubble_larger_than_the_screen_has_no_known_radius() -> None:
    values, result = told(part("left", [each | {"radius": 300.0} for each in BUBBLES], SAMPLES))
    assert "radius_unknown" in codes(result)
    assert not [key for key in values if key.startswith("edge_distance")]


def test_a_size_that_is_none_is_left_to_the_hand() -> None:
    values, _ = told(part("left", [each | {"size": "huge"} for each in BUBBLES], SAMPLES))
    assert values["attempts[left]"] == 4
    assert "attempts[left,small]" not in values


def test_one_hand_a_pause_and_a_short_test_are_flagged() -> None:
    short = part("left", BUBBLES, SAMPLES) | {"duration_s": 10.0}
    _, result = told(short)
    assert {"hand_missing", "wrong_duration"} <= codes(result)
    later = [bubble(20.0, "medium")]
    _, result = told(part("left", [*BUBBLES, *later], [*SAMPLES, *attempt(20.3, 20.9)]))
    assert "long_pause" in codes(result)


@pytest.mark.parametrize(
    ("down", "flagged"),
    [((0, 9.81, 0), False), ((0, 6.9, 6.9), False), ((9.81, 0, 0), True), ((0, 4.0, -9.0), True)],
    ids=["upright", "leaning back", "landscape", "leaning far forward"],
)
@pytest.mark.parametrize("sign", [1, -1], ids=["specific force", "gravity"])
def test_a_phone_that_is_not_upright_is_flagged(down: tuple[float, ...], flagged: bool, sign: int) -> None:
    t = np.round(np.arange(0, 10, 0.05), 3).tolist()
    held = {"unit": "m/s2", "t": t} | {axis: [sign * g] * len(t) for axis, g in zip("xyz", down, strict=True)}
    _, result = told(part("left", BUBBLES, SAMPLES, accelerometer=held))
    assert ("not_upright" in codes(result)) == flagged


def test_a_pressure_of_nothing_but_0_was_not_sensed() -> None:
    _, result = told(part("left", BUBBLES, [sample | {"pressure": 0} for sample in SAMPLES]))
    assert result.absent["pinch.pressure[left,small,top,all].mean"] == "input_missing"
    values, _ = told(part("left", BUBBLES, [*[s | {"pressure": 0} for s in SAMPLES[:1]], *SAMPLES[1:]]))
    assert values["first_pressure[left,small,bottom,all].mean"] == pytest.approx(0.5), "sensed with the second sample"


def test_without_pressure_or_motion_what_needs_them_is_absent_with_the_reason() -> None:
    wire = example("pinch")
    for each in wire["parts"]:
        del each["streams"]["touch"]["pressure"]
        del each["streams"]["gyroscope"]
    result = run(wire)
    assert result.quality.verdict == "valid"
    assert result.absent["pinch.pressure[left,small,top,all].mean"] == "input_missing"
    assert result.absent["pinch.rotation_spectral_norm[right]"] == "input_missing"
    assert "pinch.acceleration_spectral_norm[right]" not in result.absent


def test_tremor_is_that_while_a_bubble_is_shown() -> None:
    wire = example("pinch")
    shaken = copy.deepcopy(wire)
    for each in shaken["parts"]:
        first_s = min(event["t"] for event in each["events"])
        for name in ("accelerometer", "gyroscope"):
            stream = each["streams"][name]
            stream["x"] = [x + 50 if t < first_s else x for t, x in zip(stream["t"], stream["x"], strict=True)]
    key = "pinch.rotation_spectral_norm[left]"
    same = [{entry.key: value for entry, value in run(each).measures()}[key] for each in (wire, shaken)]
    assert same[0] == same[1]


def test_some_two_thousand_measures_follow_from_a_few_declarations() -> None:
    declared = get_assessment("pinch")
    assert len(declared.measures) < 50
    assert 1900 < len(declared.catalogue) < 2200
    assert sum("dispel" in entry.aliases for entry in declared.catalogue) == 2033


def test_a_clock_that_leaps_by_years_costs_neither_memory_nor_the_result() -> None:
    wire = example("pinch")
    for each in wire["parts"]:
        for stream in each["streams"].values():
            stream["t"][-40:] = [t + 1e9 for t in stream["t"][-40:]]
        each["events"][-1]["gone_at"] = 1e10
    result = run(wire)
    assert "pinch.rotation_spectral_norm[left]" not in result.absent
    assert not np.isinf(result.features).any()
