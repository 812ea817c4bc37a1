"""Drawing: flags, units, and what is absent when something is missing; on simulated drawings that are spoilt."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import orjson
import pytest

from konectom import formats
from konectom.assessments.base import Result
from konectom.assessments.draw import extract as draw
from konectom.assessments.draw._trace import corners
from konectom.recording import Recording
from konectom.signals.figures import rectangle
from tests.assessments.examples import Wire, example, run
from tests.shared import KONECTOM, inflated, needs_shared

SPIRAL = {"hand": "right", "shape": "spiral", "attempt": "first"}
SQUARE = {"hand": "right", "shape": "square_clockwise", "attempt": "first"}
LOOP = {"hand": "right", "shape": "infinity", "attempt": "first"}
SCREEN = {"width_pt": 375, "height_pt": 812, "width_px": 1125, "height_px": 2436, "pt_per_mm": 6.0}


def value(result: Result, quantity: str, statistic: str = "", **condition: str) -> float:
    (found,) = [
        float(result.features[entry.index])
        for entry in result.catalogue
        if (entry.quantity, entry.statistic, dict(entry.condition)) == (quantity, statistic, condition)
    ]
    return found


def wire(**only: str) -> Wire:
    """Return the example, or just the parts under some condition."""
    whole = copy.deepcopy(example("draw"))
    whole["parts"] = [part for part in whole["parts"] if only.items() <= part["condition"].items()]
    return whole


def read(body: Wire, screen: dict[str, Any] | None) -> Result:
    """Run a recording of a phone with this screen."""
    session = {
        "schema": "konectom.session/1",
        "started_at": "2026-01-01T09:00:00+01:00",
        "device": {"platform": "ios", **({"screen": screen} if screen else {})},
        "recordings": [body],
    }
    (recording,) = formats.read(orjson.dumps(session)).recordings
    assert isinstance(recording, Recording), recording
    return draw.run(recording)


def flags(result: Result) -> set[str]:
    return {flag.code.removeprefix("draw.") for flag in result.quality.flags}


def rows(touch: Wire, keep: slice) -> None:
    for name in ("t", "x", "y", "phase", "finger", "pressure"):
        touch[name] = touch[name][keep]


def rescaled(body: Wire, unit: str, factor: float) -> Wire:
    for part in body["parts"]:
        touch = part["streams"]["touch"]
        touch["unit"] = unit
        for axis in "xy":
            touch[axis] = [place * factor for place in touch[axis]]
        for event in part["events"]:
            if event["type"] == "target":
                event["x"], event["y"] = event["x"] * factor, event["y"] * factor
    return body


@pytest.mark.parametrize(("unit", "factor"), [("px", 3.0), ("mm", 1 / 6.0)])
def test_positions_in_px_or_mm_become_points_by_the_screens_size(unit: str, factor: float) -> None:
    in_pt = read(wire(shape="spiral"), SCREEN)
    other = read(rescaled(wire(shape="spiral"), unit, factor), SCREEN)
    np.testing.assert_allclose(other.features, in_pt.features, rtol=1e-6, atol=1e-9)


def test_without_the_screens_size_px_give_times_pressure_and_motion_only() -> None:
    result = read(rescaled(wire(**SPIRAL), "px", 3.0), None)
    assert "screen_unknown" in flags(result)
    assert result.quality.verdict == "limited"
    for quantity, statistic in (("speed", "mean"), ("distance", "mean"), ("tremor", ""), ("reached_share", "")):
        assert np.isnan(value(result, quantity, statistic, **SPIRAL))
    assert result.absent["draw.distance[right,spiral,first].mean"] == "input_missing"
    assert value(result, "duration", **SPIRAL) > 1000
    assert value(result, "pressure", "mean", **SPIRAL) == pytest.approx(0.29, abs=0.02)
    assert value(result, "rotation_tremor_energy", hand="right", axis="x") > 0


def test_without_the_figure_what_compares_with_it_is_absent() -> None:
    body = wire(**SPIRAL)
    body["parts"][0]["events"] = []
    result = run(body)
    assert "figure_unknown" in flags(result)
    assert result.absent["draw.crossings[right,spiral,first]"] == "input_missing"
    assert value(result, "speed", "mean", **SPIRAL) == pytest.approx(420, rel=0.03)


def test_a_lifted_finger_leaves_the_drawing_out_but_not_the_others() -> None:
    body = wire(hand="right")
    touch = body["parts"][0]["streams"]["touch"]
    touch["finger"] = [0] * 50 + [1] * (len(touch["finger"]) - 50)
    result = run(body)
    assert flags(result) >= {"lifted", "hand_missing"}
    assert np.isnan(value(result, "distance", "mean", **SQUARE))
    assert result.absent["draw.distance[right,square_clockwise,first].mean"] == "not_applicable"
    assert value(result, "distance", "mean", **SPIRAL) > 0


def test_a_drawing_that_stops_half_way_is_no_drawing() -> None:
    body = wire(**SPIRAL)
    rows(body["parts"][0]["streams"]["touch"], slice(0, 100))
    body["parts"][0]["events"] = [event for event in body["parts"][0]["events"] if event["type"] == "target"]
    result = run(body)
    assert "path_missed" in flags(result)
    assert np.isnan(value(result, "distance", "mean", **SPIRAL))


def test_a_drawing_that_begins_elsewhere_is_no_drawing() -> None:
    body = wire(**SPIRAL)
    rows(body["parts"][0]["streams"]["touch"], slice(40, None))
    body["parts"][0]["streams"]["touch"]["phase"][0] = "down"
    assert "path_missed" in flags(run(body))


def test_going_on_past_the_end_is_left_out_and_flagged() -> None:
    body = wire(**SPIRAL)
    touch = body["parts"][0]["streams"]["touch"]
    clean = run(body)
    count = 60
    last_x, last_y, last_s = touch["x"][-1], touch["y"][-1], touch["t"][-1]
    touch["t"] += [round(last_s + (i + 1) / 60, 3) for i in range(count)]
    touch["x"] += [last_x - 4.0 * (i + 1) * (i < 10) - 40 * (i >= 10) for i in range(count)]
    touch["y"] += [last_y + 8.0 * (i + 1) for i in range(count)]
    touch["phase"] = ["down", *["move"] * (len(touch["t"]) - 2), "up"]
    touch["finger"] = [0] * len(touch["t"])
    touch["pressure"] += [0.3] * count
    result = run(body)
    assert {"overshoot", "wrong_length"} <= flags(result)
    clean_distance = value(clean, "distance", "mean", **SPIRAL)
    assert value(result, "distance", "mean", **SPIRAL) == pytest.approx(clean_distance, rel=0.05)


def test_a_loop_the_other_way_round_is_noticed() -> None:
    body = wire(**LOOP)
    touch = body["parts"][0]["streams"]["touch"]
    assert "opposite_direction" not in flags(run(body))
    touch["x"] = [375.0 - x for x in touch["x"]]
    assert "opposite_direction" in flags(run(body))


def test_the_app_that_tells_so_is_believed_that_the_end_was_not_reached() -> None:
    body = wire(**SPIRAL)
    assert "incomplete" not in flags(run(body))
    (recording,) = formats.read(
        orjson.dumps({"schema": "konectom.session/1", "started_at": "2026-01-01T09:00:00Z", "recordings": [body]})
    ).recordings
    assert isinstance(recording, Recording)
    recording.parts[0].events["finish"] = recording.parts[0].events["finish"].where(np.zeros(1, dtype=bool))  # type: ignore[index]
    assert "incomplete" in flags(draw.run(recording))


@pytest.mark.parametrize(
    ("gravity", "upright"), [((0, 9.8, 0), True), ((0, 0, 9.8), True), ((0, 6.9, -6.9), False), ((9.8, 0, 0), False)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_how_the_phone_is_held_whatever_sign_gravity_has(
    gravity: tuple[float, float, float], upright: bool, sign: int
) -> None:
    body = wire(**SPIRAL)
    stream = body["parts"][0]["streams"]["gravity"]
    for axis, told in zip("xyz", gravity, strict=True):
        stream[axis] = [sign * told] * len(stream["t"])
    assert ("not_upright" in flags(run(body))) is not upright


def test_positions_beside_the_screen_are_not_believed() -> None:
    body = wire(**SPIRAL)
    body["parts"][0]["streams"]["touch"]["x"][30] = -5.0
    result = run(body)
    assert "off_screen" in flags(result)
    assert np.isnan(value(result, "duration", **SPIRAL))


def test_a_light_drawing_on_a_phone_that_senses_pressure_has_a_pressure_of_0() -> None:
    body = wire(**SPIRAL)
    other = wire(**LOOP)["parts"][0]
    body["parts"] = [body["parts"][0], other]
    touch = body["parts"][0]["streams"]["touch"]
    touch["pressure"] = [0.0] * len(touch["t"])
    result = run(body)
    assert "no_pressure" not in flags(result)
    assert value(result, "pressure", "mean", **SPIRAL) == value(result, "pressure_cv", **SPIRAL) == 0.0


def test_a_drawing_on_its_figure_has_no_distance_and_all_of_it_is_reached() -> None:
    body = wire(**SQUARE)
    part = body["parts"][0]
    figure = rectangle(clockwise=True)
    count = len(figure)
    t_s = np.arange(count) / 120.0
    part["events"] = [
        {"type": "target", "t": 0.0, "point": i, "x": x, "y": y} for i, (x, y) in enumerate(figure.tolist())
    ]
    part["streams"]["touch"] |= {
        **{"t": t_s.tolist(), "x": figure[:, 0].tolist(), "y": figure[:, 1].tolist()},
        **{"phase": ["down", *["move"] * (count - 1)], "finger": [0] * count, "pressure": [0.1] * count},
    }
    result = run(body)
    assert value(result, "distance", "median", **SQUARE) < 0.4
    assert value(result, "reached_share", **SQUARE) == 1.0
    assert value(result, "length_ratio", **SQUARE) == pytest.approx(1.0, abs=0.01)
    assert value(result, "side_overshoot", **SQUARE) == pytest.approx(0.0, abs=0.5)
    assert abs(value(result, "corner_distance", **SQUARE)) < 1.0
    assert value(result, "duration", **SQUARE) == pytest.approx(1e3 * (count - 1) / 120)


def test_the_corners_of_a_figure() -> None:
    np.testing.assert_allclose(corners(rectangle(clockwise=True)), [[319, 173], [319, 689], [56, 689]])


@needs_shared
@pytest.mark.parametrize(
    ("file", "raised"),
    [
        ("bdh/DRAW/opp_direction.json.gz", "opposite_direction"),
        ("bdh/DRAW/non_continuous_iphone_X.json.gz", "lifted"),
        ("ads/DRAW/example_not_continuous.json.gz", "lifted"),
        ("ads/DRAW/drawing_orientation_invalid.json.gz", "not_upright"),
    ],
)
def test_real_recordings_are_flagged_for_what_is_wrong_with_them(file: str, raised: str) -> None:
    (recording,) = formats.read(inflated(KONECTOM / file)).recordings
    assert isinstance(recording, Recording)
    assert raised in flags(draw.run(recording))


@needs_shared
def test_a_good_real_recording_is_valid() -> None:
    (recording,) = formats.read(inflated(KONECTOM / "ads/DRAW/example.json.gz")).recordings
    assert isinstance(recording, Recording)
    result = draw.run(recording)
    assert flags(result) <= {"not_upright", "overshoot", "wrong_length"}, result.quality
