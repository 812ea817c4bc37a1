"""The reader of Konectom 2's files, on real ones and on what apps have sent wrong."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import orjson
import pytest

from konectom import formats
from konectom.errors import KonectomError
from konectom.recording import Recording, Rejected
from tests.shared import KONECTOM, inflated, needs_shared

BDH = KONECTOM / "bdh"

FILE: dict[str, Any] = {
    "header": {
        "id": "38b678f9-6a30-4775-9388-5ccc0105255f",
        "schema_id": {"namespace": "konectom2", "name": "fingertap-activity", "version": "2.2.0"},
        "completion": "completed",
        "effective_time_frame": {"begin_timestamp": 1_600_000_000_000, "end_timestamp": 1_600_000_002_000},
        "acquisition_provenance": {
            "source": {"name": "Konectom", "version": "1.0"},
            "source_device": {"platform": "ios", "time_zone": "Europe/Paris", "screen_width_pixels": 1170},
        },
        "raw_data": {
            "tap_events": {"columns": {"location": {}, "timestamp": {"unit": "ms"}}},
            "touch_events": {
                "columns": {
                    "x": {"unit": "px"},
                    "y": {"unit": "px"},
                    "timestamp": {"unit": "ms"},
                    "action": {},
                    "touch_path_id": {},
                }
            },
        },
    },
    "body": {
        "levels": [
            {
                "name": "fingertap_left",
                "configuration": {"hand": "left"},
                "effective_time_frame": {"begin_timestamp": 1_600_000_000_500, "end_timestamp": 1_600_000_001_500},
                "raw_data": {
                    "tap_events": {"location": ["left", "none"], "timestamp": [1_600_000_001_000, "1600000001250"]},
                    "touch_events": {
                        "x": [1, 2],
                        "y": [3, 4],
                        "timestamp": [1_600_000_001_000, 1_600_000_001_100],
                        "action": ["start", "end"],
                        "touch_path_id": [0, 0],
                    },
                },
            }
        ]
    },
}
LEVEL = ("body", "levels", 0)
COLUMNS = ("header", "raw_data", "touch_events", "columns")


def changed(path: tuple[Any, ...], value: Any) -> bytes:
    document = copy.deepcopy(FILE)
    holder: Any = document
    for token in path[:-1]:
        holder = holder[token]
    holder[path[-1]] = value
    return orjson.dumps(document)


def first(body: bytes) -> Recording:
    recording = formats.read(body).recordings[0]
    assert isinstance(recording, Recording), recording
    return recording


def test_a_file_becomes_a_session_under_its_own_id() -> None:
    session = formats.read(orjson.dumps(FILE))
    assert str(session.id) == "38b678f9-6a30-4775-9388-5ccc0105255f"
    assert session.started_at.isoformat() == "2020-09-13T14:26:40+02:00"
    assert session.device.screen.width_px == 1170
    (part,) = first(orjson.dumps(FILE)).parts
    assert (part.start_s, part.duration_s) == (0.5, 1.0)
    np.testing.assert_allclose(part.events["tap"].t_s, [1.0, 1.25])
    assert part.events["tap"]["zone"].tolist() == ["left", "none"]
    assert part.streams["touch"]["phase"].tolist() == ["down", "up"]
    assert part.streams["touch"].units["x"] == "px"


@pytest.mark.parametrize(
    ("path", "value", "code", "at"),
    [
        ((*COLUMNS, "y"), {"unit": "The y-axis of the touch"}, "unit_invalid", "touch_events/y"),
        ((*COLUMNS, "y"), {}, "unit_missing", "touch_events/y"),
        ((*COLUMNS, "timestamp"), {"unit": "s"}, "unit_invalid", "touch_events/timestamp"),
        ((*LEVEL, "raw_data", "touch_events", "x"), [1], "stream_length_mismatch", "touch_events/x"),
        ((*LEVEL, "raw_data", "touch_events", "x"), 7, "column_invalid", "touch_events/x"),
        ((*LEVEL, "raw_data", "touch_events", "x"), [1, True], "column_invalid", "touch_events/x/1"),
        ((*LEVEL, "raw_data", "touch_events", "action"), ["start", "hover"], "column_invalid", "touch_events/action/1"),
        ((*LEVEL, "raw_data", "touch_events", "timestamp"), [1, None], "time_not_finite", "touch_events/timestamp/1"),
        ((*LEVEL, "raw_data", "touch_events"), {}, "column_missing", "touch_events/x"),
    ],
)
def test_a_table_that_cannot_be_read_is_noted_and_the_rest_stands(
    path: tuple[Any, ...], value: Any, code: str, at: str
) -> None:
    (part,) = first(changed(path, value)).parts
    (defect,) = part.defects
    assert (defect.stream, defect.code, defect.at) == ("touch", code, f"/body/levels/0/raw_data/{at}")
    assert "touch" not in part.streams
    assert len(part.events["tap"]) == 2


@pytest.mark.parametrize(
    ("path", "value", "code", "at"),
    [
        (("header", "schema_id", "name"), "juggling", "assessment_unknown", "/header/schema_id/name"),
        (("header", "schema_id", "name"), ["x"], "assessment_unknown", "/header/schema_id/name"),
        ((*LEVEL, "configuration"), {"hand": ["left"]}, "field_invalid", "/body/levels/0/configuration/hand"),
        ((*LEVEL, "configuration"), {"hand": "third"}, "field_invalid", "/body/levels/0/configuration/hand"),
    ],
)
def test_a_task_that_is_not_known_is_rejected(path: tuple[Any, ...], value: Any, code: str, at: str) -> None:
    (rejected,) = formats.read(changed(path, value)).recordings
    assert isinstance(rejected, Rejected)
    assert (rejected.error["code"], rejected.error["at"]) == (code, at)


@pytest.mark.parametrize(
    ("path", "value", "code", "at"),
    [
        (("body",), {}, "field_missing", "/body/levels"),
        (("body", "levels"), [7], "field_invalid", "/body/levels/0"),
        (("header", "schema_id"), {"namespace": "other"}, "format_unknown", "/schema"),
    ],
)
def test_a_file_without_levels_is_refused(path: tuple[Any, ...], value: Any, code: str, at: str) -> None:
    with pytest.raises(KonectomError) as refused:
        formats.read(changed(path, value))
    assert (refused.value.code, refused.value.at) == (code, at)


@pytest.mark.parametrize("value", [1e101, -1e300, 10**120])
def test_a_number_that_nothing_measures_is_refused_with_its_place(value: float) -> None:
    document = copy.deepcopy(FILE)
    document["body"]["levels"][0]["raw_data"]["touch_events"]["x"][1] = float(value)
    (part,) = first(orjson.dumps(document)).parts
    (defect,) = part.defects
    assert (defect.stream, defect.code) == ("touch", "column_invalid")
    assert defect.at == "/body/levels/0/raw_data/touch_events/x/1"


@pytest.mark.parametrize("value", [1e21, -1e300])
@pytest.mark.parametrize("count", [2, 600])
def test_a_sensor_is_refused_for_such_a_number_however_many_it_has(value: float, count: int) -> None:
    document = copy.deepcopy(FILE)
    axes = {axis: {"unit": "rad/s"} for axis in "xyz"}
    document["header"]["raw_data"]["raw_gyroscope"] = {"columns": axes | {"timestamp": {"unit": "ms"}}}
    turned = {axis: [0.5] * count for axis in "xyz"}
    turned["y"][1] = value
    stamps = list(range(1_600_000_000_500, 1_600_000_000_500 + count))
    document["body"]["levels"][0]["raw_data"]["raw_gyroscope"] = turned | {"timestamp": stamps}
    (defect,) = first(orjson.dumps(document)).parts[0].defects
    assert (defect.stream, defect.code) == ("raw_gyroscope", "column_invalid")
    assert defect.at == "/body/levels/0/raw_data/raw_gyroscope/y/1"


def test_an_edge_that_the_app_never_saw_is_not_a_time() -> None:
    (part,) = first(changed((*LEVEL, "effective_time_frame"), {"begin_timestamp": 0, "end_timestamp": 5})).parts
    assert (part.start_s, part.duration_s) == (0.0, None)


@pytest.mark.parametrize(("told", "setting"), [(True, "clinic"), (False, "remote"), (None, None), ([], None)])
def test_the_setting_is_the_one_that_is_told(told: object, setting: str | None) -> None:
    assert formats.read(changed(("header", "inclinic_mode"), told)).setting == setting
    assert formats.read(orjson.dumps(FILE)).setting is None


def test_a_recording_begins_so_long_after_its_session() -> None:
    session = formats.read(
        changed(("header", "effective_time_frame"), {"begin_timestamp": 1_600_000_000_219, "end_timestamp": 0})
    )
    (recording,) = session.recordings
    assert isinstance(recording, Recording)
    assert recording.offset_s == pytest.approx(0.5 - 0.219)
    assert recording.parts[0].start_s == 0.5


@needs_shared
def test_the_begin_of_a_real_recording_is_the_one_that_its_level_tells() -> None:
    body = inflated(BDH / "CPS" / "uat_cps.json.gz")
    session = formats.read(body)
    (recording,) = session.recordings
    assert isinstance(recording, Recording)
    begin_ms = float(orjson.loads(body)["body"]["levels"][0]["effective_time_frame"]["begin_timestamp"])
    assert session.started_at.microsecond == 219_000
    assert session.started_at.timestamp() + recording.offset_s == pytest.approx(begin_ms / 1000, abs=1e-4)


@pytest.mark.parametrize("column", ["presented_symbol", "presented_symbol_timestamp", "response", "response_timestamp"])
@needs_shared
def test_a_column_cut_short_is_noted_before_it_is_combined(column: str) -> None:
    document = orjson.loads(inflated(BDH / "CPS" / "uat_cps.json.gz"))
    document["body"]["levels"][0]["raw_data"]["activity_sequence"][column].pop()
    cut, whole = first(orjson.dumps(document)).parts[:2]
    (defect,) = (each for each in cut.defects if each.stream == "answer")
    assert (defect.code, defect.at) == (
        "stream_length_mismatch",
        f"/body/levels/0/raw_data/activity_sequence/{column}",
    )
    assert "answer" in whole.events


@needs_shared
def test_a_level_that_is_neither_costs_no_other() -> None:
    document = orjson.loads(inflated(BDH / "SBT-UTT" / "uat_sbt_utt.json.gz"))
    document["body"]["levels"][0]["configuration"]["mode"] = "juggling"
    good, bad = formats.read(orjson.dumps(document)).recordings
    assert isinstance(good, Recording)
    assert isinstance(bad, Rejected)
    assert (good.assessment, bad.assessment) == ("u_turn", None)
    assert (bad.error["code"], bad.error["at"]) == ("field_invalid", "/body/levels/0/configuration/mode")


def test_an_unfinished_test_says_so() -> None:
    assert not first(changed(("header", "completion"), "cancelled")).finished


@needs_shared
def test_the_cognitive_test_has_two_parts_and_its_key_is_applied() -> None:
    symbols, digits = first(inflated(BDH / "CPS" / "cps_table_type_4.json.gz")).parts
    assert dict(symbols.condition) == {"mode": "symbol_to_digit", "sequence": "random", "key": "fixed_3"}
    assert dict(digits.condition) == {"mode": "digit_to_digit", "sequence": "random"}
    # The app counted these itself: 47 of 50 right, 22 of 22 right; the last symbol shown was not answered.
    for part, right, total in ((symbols, 47, 50), (digits, 22, 22)):
        answers = part.events["answer"]
        assert len(answers) == total
        assert np.count_nonzero(answers["answered"] == answers["expected"]) == right
    same = symbols.events["answer"]["answered_as"] == symbols.events["answer"]["shown"]
    assert np.count_nonzero(same) == 47


@needs_shared
def test_balance_and_u_turn_come_from_one_file() -> None:
    balance, u_turn = formats.read(inflated(BDH / "SBT-UTT" / "uat_sbt_utt.json.gz")).recordings
    assert isinstance(balance, Recording)
    assert isinstance(u_turn, Recording)
    assert (balance.assessment, u_turn.assessment) == ("balance", "u_turn")
    assert u_turn.offset_s - balance.offset_s == pytest.approx(69.311)
    (part,) = balance.parts
    total_mps2 = np.linalg.norm(part.streams["accelerometer"].matrix(), axis=1)
    assert np.median(total_mps2) == pytest.approx(9.8, abs=0.2)
