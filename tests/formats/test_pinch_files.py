"""Bubble pinching in the files of Konectom 1 and 2."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import orjson
import pytest

from konectom import formats
from konectom.recording import Part, Recording
from tests.shared import inflated, needs_shared, recordings

BEGIN_MS = 1_600_000_000_000


def parts(document: Any) -> tuple[Part, ...]:
    (recording,) = formats.read(orjson.dumps(document)).recordings
    assert isinstance(recording, Recording), recording
    assert recording.assessment == "pinch"
    return recording.parts


# Two bubbles; the second is missed at first, and left alone when the time runs out on the third.
TOUCHES = {
    "timestamp": [500, 510, 800, 900, 1600, 1610, 1700, 1720, 2100, 2110, 2400, 2450],
    "touch_path_id": [7, 8, 7, 8, 7, 8, 7, 8, 7, 8, 7, 8],
    "action": ["start", "start", "end", "end"] * 3,
    "x": [190] * 12,
    "y": [100, 300, 190, 210] * 3,
    "pressure": [None] * 12,
}
LEVEL_2: dict[str, Any] = {
    "name": "left",
    "configuration": {"hand": "left"},
    "effective_time_frame": {"begin_timestamp": BEGIN_MS + 50, "end_timestamp": BEGIN_MS + 30_050},
    "raw_data": {
        "balls": {
            "appearance_timestamp": [100, 1100, 2700],
            "burst_timestamp": [850, 2420, None],
            "center_x": [190, 190, 190],
            "center_y": [200, 210, 220],
            "radius": [8, 11, 15],
            "radius_level": [1, 2, 4],
            "ball_id": [1, 2, 3],
        },
        "pinches": {
            "ball_id": [1, 2, 2],
            "first_finger_press_in_timestamp": [500, 1600, 2100],
            "first_finger_press_out_timestamp": [None, None, None],
            "second_finger_press_in_timestamp": [510, 1610, 2110],
            "second_finger_press_out_timestamp": [None, 1705, None],
            "successful": [True, False, True],
        },
        "touch_events": TOUCHES,
    },
}
POINT = {"unit": "point (iOS) / dp (android)"}
MS = {"unit": "ms"}
FILE_2: dict[str, Any] = {
    "header": {
        "schema_id": {"namespace": "konectom2", "name": "pinch-activity", "version": "2.2.0"},
        "completion": "completed",
        "effective_time_frame": {"begin_timestamp": BEGIN_MS, "end_timestamp": BEGIN_MS + 60_000},
        "acquisition_provenance": {"source_device": {"screen_width_pt_dp": 390, "screen_width_mm": 65}},
        "raw_data": {
            "balls": {
                "columns": {
                    "appearance_timestamp": MS,
                    "burst_timestamp": MS,
                    "center_x": {"unit": "pt"},
                    "center_y": {"unit": "pt"},
                    "radius": {"unit": "mm"},
                }
            },
            "pinches": {
                "columns": {"first_finger_press_in_timestamp": MS, "second_finger_press_out_timestamp": MS},
            },
            "touch_events": {"columns": {"x": POINT, "y": POINT, "timestamp": MS}},
        },
    },
    "body": {"levels": [LEVEL_2]},
}


def file_2() -> dict[str, Any]:
    """Return the file with its times since 1970."""
    document = copy.deepcopy(FILE_2)
    for table in document["body"]["levels"][0]["raw_data"].values():
        for name, values in table.items():
            if name.endswith("timestamp"):
                table[name] = [None if value is None else BEGIN_MS + value for value in values]
    return document


def test_konectom_2_has_a_part_for_each_hand_with_its_bubbles() -> None:
    (part,) = parts(file_2())
    assert part.condition == {"hand": "left"}
    assert (part.start_s, part.duration_s) == (0.05, 30.0)
    assert not part.defects
    bubbles = part.events["bubble"]
    np.testing.assert_allclose(bubbles.t_s, [0.1, 1.1, 2.7])
    np.testing.assert_allclose(bubbles["burst_at_s"], [0.85, 2.42, np.nan])
    assert bubbles["size"].tolist() == ["small", "medium", "extra_large"]
    assert bubbles.units == {"x": "pt", "y": "pt", "radius": "mm"}


def test_konectom_2_tells_of_each_touch_whether_it_burst_the_bubble_and_when_it_was_pinched() -> None:
    (part,) = parts(file_2())
    touch = part.streams["touch"]
    assert touch.units == {"x": "pt", "y": "pt"}
    assert "pressure" not in touch
    assert touch["led_to_success"].tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1]
    # Only of the pinch that missed is it told when it ended: at 1705.
    assert touch["valid_pinch"].tolist() == [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0]


def test_konectom_2_counts_sizes_from_0_or_from_1() -> None:
    document = file_2()
    document["body"]["levels"][0]["raw_data"]["balls"]["radius_level"] = [0, 1, 3]
    (part,) = parts(document)
    assert part.events["bubble"]["size"].tolist() == ["small", "medium", "extra_large"]


def test_a_touch_before_any_pinch_counts_as_the_app_counts_it() -> None:
    document = file_2()
    pinches = document["body"]["levels"][0]["raw_data"]["pinches"]
    for column in pinches:
        pinches[column] = pinches[column][1:]
    (part,) = parts(document)
    assert part.streams["touch"]["led_to_success"].tolist()[:4] == [1, 1, 1, 1]
    for column in pinches:
        pinches[column] = []
    (part,) = parts(document)
    assert part.streams["touch"]["led_to_success"].all()


def test_a_defective_table_of_bubbles_is_noted_where_it_stands() -> None:
    document = file_2()
    document["body"]["levels"][0]["raw_data"]["balls"]["radius"] = "8"
    (part,) = parts(document)
    assert "bubble" not in part.events
    assert [defect.at for defect in part.defects] == ["/body/levels/0/raw_data/balls/radius"]


def row(**values: tuple[str, str]) -> dict[str, Any]:
    return {"values": [{"name": name, "value": value, "unit": unit} for name, (value, unit) in values.items()]}


def touch(t: int, action: str, finger: int, y: float, success: str) -> dict[str, Any]:
    return row(
        touchAction=(action, "n/a"),
        xPosition=("190", "point"),
        yPosition=(str(y), "point"),
        tsTouch=(str(BEGIN_MS + t), "ms"),
        pressure=("0.5", "n/a"),
        ledToSuccess=(success, "n/a"),
        isValidPinch=("true" if y == 200 else "false", "n/a"),
        touchPathId=(str(finger), "n/a"),
    )


def level(begin: int, end: int, hand: str, radius: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    told = {"targetRadius": radius, "xTargetBall": "190", "yTargetBall": "200", "usedHand": hand}
    motion = row(x=("0.1", "rad/s"), y=("0", "rad/s"), z=("0", "rad/s"), ts=(str(BEGIN_MS + begin + 10), "ms"))
    return {
        "beginTimestamp": str(BEGIN_MS + begin),
        "endTimestamp": str(BEGIN_MS + end),
        "contexts": [{"name": name, "value": value, "unit": "n/a"} for name, value in told.items()],
        "sensors": [{"name": "gyroscope", "measurements": [motion]}, {"name": "screen", "measurements": rows}],
    }


def file_1(version: str) -> dict[str, Any]:
    pinch = [
        touch(400, "down", 0, 90, "true"),
        touch(700, "up", 0, 200, "true"),
        touch(410, "down", 1, 300, "true"),
        touch(700, "up", 1, 210, "true"),
    ]
    missed = [touch(1300, "down", 0, 90, "false"), touch(1400, "up", 0, 100, "false")]
    return {
        "mobileDevice": {"platform": "iOS", "versionNumber": version},
        "mobileEvaluationTest": {
            "code": "pinch",
            "finished": True,
            "beginTimestamp": BEGIN_MS,
            "levels": [
                level(1000, 1500, "right", "100", missed),
                level(100, 800, "right", "55.5", pinch),
                level(9000, 9100, "left", "81", []),
            ],
        },
    }


def test_konectom_1_joins_a_hands_levels_in_order_of_time() -> None:
    right, left = parts(file_1("1.0.0"))
    assert (right.condition, left.condition) == ({"hand": "right"}, {"hand": "left"})
    assert (right.start_s, right.duration_s) == (0.1, pytest.approx(1.4))
    bubbles = right.events["bubble"]
    assert bubbles["size"].tolist() == ["small", "extra_large"]
    np.testing.assert_allclose(bubbles.t_s, [0.1, 1.0])
    np.testing.assert_allclose(bubbles["gone_at_s"], [0.8, 1.5])
    np.testing.assert_allclose(bubbles["burst_at_s"], [0.8, np.nan])
    touched = right.streams["touch"]
    assert len(set(touched["finger"])) == 3, "fingers of different levels are different contacts"
    assert touched["valid_pinch"].tolist() == [0, 1, 0, 0, 0, 0]
    np.testing.assert_allclose(right.streams["gyroscope"].t_s, [0.11, 1.01])
    assert not right.defects
    assert not left.defects, "a bubble that nobody touched is no defect"
    assert "touch" not in left.streams


def test_konectom_1_sent_the_diameter_at_first() -> None:
    document = file_1("0.2.8")
    for each in document["mobileEvaluationTest"]["levels"]:
        each["contexts"][0]["value"] = str(2 * float(each["contexts"][0]["value"]))
    right, _ = parts(document)
    np.testing.assert_allclose(right.events["bubble"]["radius"], [55.5, 100])
    assert right.events["bubble"]["size"].tolist() == ["small", "extra_large"]
    right, _ = parts(file_1("0.2.8"))
    assert right.events["bubble"]["size"].tolist() == ["", "small"], "27.75 points is no size"


@needs_shared
@pytest.mark.parametrize("path", recordings("bdh/PINCH", "ads/PINCH"), ids=lambda path: path.name)
def test_real_files_have_both_hands_without_defect(path: Any) -> None:
    (recording,) = formats.read(inflated(path)).recordings
    assert isinstance(recording, Recording), recording
    assert {part.condition["hand"] for part in recording.parts} == {"left", "right"}
    for part in recording.parts:
        assert not part.defects
        assert len(part.events["bubble"]) > 20
        assert set(part.events["bubble"]["size"]) == {"small", "medium", "large", "extra_large"}
