"""The drawing test of Konectom 1 and 2: conditions, figures, and what the app tells beside the touches."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from konectom import formats
from konectom.recording import Recording, Rejected
from tests.shared import KONECTOM, inflated, needs_shared

pytestmark = needs_shared

BDH, ADS = KONECTOM / "bdh/DRAW/drawing_bug.json.gz", KONECTOM / "ads/DRAW/example.json.gz"


def read(document: Any) -> Recording | Rejected:
    (recording,) = formats.read(orjson.dumps(document)).recordings
    return recording


@pytest.mark.parametrize("path", [BDH, ADS], ids=["bdh", "ads"])
def test_each_hand_draws_each_figure_twice(path: Any) -> None:
    recording = read(orjson.loads(inflated(path)))
    assert isinstance(recording, Recording)
    conditions = {tuple(part.condition.values()) for part in recording.parts}
    assert len(conditions) == len(recording.parts) == 16
    for part in recording.parts:
        touch, target = part.streams["touch"], part.events["target"]
        assert touch.units["x"] == touch.units["y"] == "pt"
        assert (touch["y"] > 0).all()
        start = np.hypot(touch["x"][0] - target["x"], touch["y"][0] - target["y"])
        assert start.min() < 44, "the figure lies where it was drawn"
        assert len(part.events["finish"]) > 0


def test_the_screen_of_konectom_2_is_told_in_pixels_points_and_millimetres() -> None:
    recording = read(orjson.loads(inflated(BDH)))
    assert isinstance(recording, Recording)
    screen = recording.device.screen
    assert (screen.width_px, screen.height_px, screen.width_pt, screen.height_pt) == (750, 1334, 375, 667)
    assert screen.pt_per_mm == pytest.approx(375 / 58)


def test_the_time_of_day_at_which_the_clock_starts() -> None:
    document = orjson.loads(inflated(BDH))
    recording = read(document)
    assert isinstance(recording, Recording)
    begin_ms = document["header"]["effective_time_frame"]["begin_timestamp"]
    assert recording.parts[0].answers["clock_utc_s"] == begin_ms // 1000 % 86_400


def test_a_figure_that_was_not_completed_has_no_finish() -> None:
    document = orjson.loads(inflated(BDH))
    document["body"]["levels"][0]["configuration"]["drawing_figure_completed"] = False
    document["body"]["levels"][1]["configuration"]["drawing_figure_completed"] = None
    recording = read(document)
    assert isinstance(recording, Recording)
    assert not len(recording.parts[0].events["finish"])
    assert "finish" not in recording.parts[1].events


@pytest.mark.parametrize("figure", [[[1.0, 2.0], [3.0]], "none", [[1.0, "x"], [2.0, 3.0]]])
def test_a_figure_that_cannot_be_read_is_noted_and_costs_nothing_else(figure: Any) -> None:
    document = orjson.loads(inflated(BDH))
    document["body"]["levels"][0]["configuration"]["target_figure_position_xy"] = figure
    recording = read(document)
    assert isinstance(recording, Recording)
    assert "target" not in recording.parts[0].events
    (defect,) = recording.parts[0].defects
    assert defect.stream == "target"
    assert defect.at.startswith("/body/levels/0/configuration/target_figure_position_xy")
    assert "target" in recording.parts[1].events


def test_a_figure_unknown_is_refused_with_its_place() -> None:
    document = orjson.loads(inflated(BDH))
    document["body"]["levels"][2]["configuration"]["drawing_figure_name"] = "star"
    rejected = read(document)
    assert isinstance(rejected, Rejected)
    assert rejected.error["at"] == "/body/levels/2/configuration/drawing_figure_name"
    document = orjson.loads(inflated(ADS))
    document["mobileEvaluationTest"]["levels"][2]["contexts"][0]["value"] = "star"
    rejected = read(document)
    assert isinstance(rejected, Rejected)
    assert rejected.error["at"] == "/mobileEvaluationTest/levels/2/contexts"
