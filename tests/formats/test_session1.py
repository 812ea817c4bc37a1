"""The reader of konectom.session/1: what it takes, and how exactly it says what it does not."""

from __future__ import annotations

import copy
import gzip
from typing import Any

import numpy as np
import orjson
import pytest
import zstandard

from konectom import formats
from konectom.errors import KonectomError
from konectom.recording import Recording, Rejected

SESSION: dict[str, Any] = {
    "schema": "konectom.session/1",
    "started_at": "2026-11-21T09:12:03.250+01:00",
    "time_zone": "Europe/Paris",
    "setting": "remote",
    "supervised": False,
    "device": {
        "platform": "ios",
        "model": "iPhone15,2",
        "os": "19.1",
        "app": "1.4.2",
        "screen": {"width_pt": 390, "height_pt": 844, "pt_per_mm": 6.06},
    },
    "recordings": [
        {
            "assessment": "tap",
            "condition": {"hand": "left"},
            "offset_s": 12.0,
            "duration_s": 20,
            "streams": {
                "touch": {
                    "unit": "pt",
                    "t": [0, 1.0],
                    "x": [1, None],
                    "y": [1, 2],
                    "phase": ["down", "up"],
                    "finger": [0, 0],
                },
                "gyroscope": {"unit": "deg/s", "rate_hz": 100, "x": [1, 2], "y": [1, 2], "z": [180, 0]},
                "accelerometer": {"unit": "g", "t": [0.5], "x": [1], "y": [0], "z": [0]},
                "barometer": {"unit": "hPa", "t": [0], "p": [1013]},
            },
            "events": [
                {"type": "tap", "t": 0.1, "zone": "left"},
                {"type": "answer", "t": 3, "shown_at": 2.5, "ok": True},
                {"type": "tap", "t": 0.2},
            ],
        }
    ],
}
RECORDING = ("recordings", 0)
TOUCH = (*RECORDING, "streams", "touch")
LEFT_OUT = object()
FLOODED = ("column_invalid", "/events/2")


def changed(path: tuple[Any, ...], value: Any) -> bytes:
    document = copy.deepcopy(SESSION)
    holder: Any = document
    for token in path[:-1]:
        holder = holder[token]
    if value is LEFT_OUT:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return orjson.dumps(document)


def only_recording(body: bytes) -> Recording:
    (recording,) = formats.read(body).recordings
    assert isinstance(recording, Recording), recording
    return recording


def test_metadata_arrive_as_sent() -> None:
    session = formats.read(orjson.dumps(SESSION))
    assert session.started_at.isoformat() == "2026-11-21T09:12:03.250000+01:00"
    assert (session.time_zone, session.setting, session.supervised) == ("Europe/Paris", "remote", False)
    assert session.device.model == "iPhone15,2"
    assert session.device.screen.pt_per_mm == 6.06
    assert session.id is None


def test_streams_arrive_in_si_units_on_one_clock() -> None:
    (part,) = only_recording(orjson.dumps(SESSION)).parts
    np.testing.assert_array_equal(part.streams["gyroscope"].t_s, [0.0, 0.01])
    np.testing.assert_allclose(part.streams["gyroscope"]["z"], [np.pi, 0])
    np.testing.assert_allclose(part.streams["accelerometer"]["x"], [9.80665])
    assert part.streams["touch"].units["x"] == "pt"
    np.testing.assert_array_equal(part.streams["touch"]["x"], [1, np.nan])
    assert part.streams["touch"]["phase"].tolist() == ["down", "up"]


def test_events_become_columns_by_type() -> None:
    (part,) = only_recording(orjson.dumps(SESSION)).parts
    np.testing.assert_array_equal(part.events["tap"].t_s, [0.1, 0.2])
    assert part.events["tap"]["zone"].tolist() == ["left", ""]
    np.testing.assert_array_equal(part.events["answer"]["shown_at_s"], [2.5])
    np.testing.assert_array_equal(part.events["answer"]["ok"], [1.0])


def test_arrays_cannot_be_written() -> None:
    (part,) = only_recording(orjson.dumps(SESSION)).parts
    with pytest.raises(ValueError, match="read-only"):
        part.streams["gyroscope"]["x"][0] = 1


def test_a_stream_not_known_here_is_noted_and_costs_nothing() -> None:
    (part,) = only_recording(orjson.dumps(SESSION)).parts
    (defect,) = part.defects
    assert (defect.stream, defect.code) == ("barometer", "stream_unknown")
    assert defect.at == "/recordings/0/streams/barometer"


def test_parts_inherit_the_condition_and_add_their_own() -> None:
    document = copy.deepcopy(SESSION)
    whole = document["recordings"][0]
    whole["parts"] = [
        {"condition": {"mode": "a"}, "start_s": 0, "duration_s": 5, "events": whole.pop("events")},
        {"condition": {"mode": "b", "hand": "right"}, "start_s": 5, "streams": whole.pop("streams")},
    ]
    recording = only_recording(orjson.dumps(document))
    assert [dict(part.condition) for part in recording.parts] == [
        {"hand": "left", "mode": "a"},
        {"hand": "right", "mode": "b"},
    ]
    assert recording.parts[0].end_s == 5
    assert recording.parts[1].end_s is None


@pytest.mark.parametrize(
    ("path", "value", "code", "at"),
    [
        (("started_at",), "2026-11-21T09:12:03", "field_invalid", "/started_at"),
        (("started_at",), LEFT_OUT, "field_missing", "/started_at"),
        (("time_zone",), "Mars/Olympus", "field_invalid", "/time_zone"),
        (("time_zone",), "../etc/passwd", "field_invalid", "/time_zone"),
        (("supervised",), "yes", "field_invalid", "/supervised"),
        (("recordings",), [], "field_invalid", "/recordings"),
        (("recordings",), {}, "field_invalid", "/recordings"),
        (("device", "screen", "pt_per_mm"), -1, "field_invalid", "/device/screen/pt_per_mm"),
        (("schema",), "konectom.session/9", "format_unknown", "/schema"),
    ],
)
def test_a_fault_in_the_whole_refuses_the_whole(path: tuple[Any, ...], value: Any, code: str, at: str) -> None:
    with pytest.raises(KonectomError) as refused:
        formats.read(changed(path, value))
    assert (refused.value.code, refused.value.at) == (code, at)


@pytest.mark.parametrize(
    ("path", "value", "code", "at"),
    [
        (RECORDING, 3, "field_invalid", ""),
        ((*RECORDING, "assessment"), LEFT_OUT, "field_missing", "/assessment"),
        ((*RECORDING, "condition"), {"hand": 3}, "field_invalid", "/condition/hand"),
        ((*RECORDING, "completion"), "maybe", "field_invalid", "/completion"),
        ((*RECORDING, "duration_s"), -1, "field_invalid", "/duration_s"),
        ((*RECORDING, "parts"), [{}], "field_invalid", "/streams"),
        ((*TOUCH, "x"), [1, True], "column_invalid", "/streams/touch/x/1"),
        ((*TOUCH, "x"), [None, False], "column_invalid", "/streams/touch/x/1"),
        ((*TOUCH, "t"), [False, True], "column_invalid", "/streams/touch/t/0"),
        ((*RECORDING, "streams", "gyroscope", "y"), [1, 2, 3], "stream_length_mismatch", "/streams/gyroscope/y"),
        ((*RECORDING, "streams", "gyroscope", "rate_hz"), 1e-320, "field_invalid", "/streams/gyroscope/rate_hz"),
        ((*RECORDING, "streams", "gyroscope", "rate_hz"), True, "field_invalid", "/streams/gyroscope/rate_hz"),
        ((*RECORDING, "streams"), {str(i): {} for i in range(101)}, "field_invalid", "/streams"),
        ((*RECORDING, "events", 1, "shown_at"), True, "column_invalid", "/events/1/shown_at"),
        ((*RECORDING, "events", 2, "zone"), "z" * 1001, "column_invalid", "/events/2/zone"),
        ((*RECORDING, "events", 2), {"type": "tap", "t": 0} | dict.fromkeys(map(str, range(62)), 0), *FLOODED),
        ((*TOUCH, "unit"), "mile", "unit_invalid", "/streams/touch/unit"),
        ((*TOUCH, "unit"), "m/s2", "unit_invalid", "/streams/touch/unit"),
        ((*TOUCH, "unit"), LEFT_OUT, "unit_missing", "/streams/touch/unit"),
        ((*TOUCH, "x"), [1], "stream_length_mismatch", "/streams/touch/x"),
        ((*TOUCH, "x"), ["a", 2], "column_invalid", "/streams/touch/x/0"),
        ((*TOUCH, "x"), [1, [2]], "column_invalid", "/streams/touch/x/1"),
        ((*TOUCH, "x"), 7, "column_invalid", "/streams/touch/x"),
        ((*TOUCH, "y"), LEFT_OUT, "column_missing", "/streams/touch/y"),
        ((*TOUCH, "phase"), ["down", "hover"], "column_invalid", "/streams/touch/phase/1"),
        ((*TOUCH, "t"), [0, None], "time_not_finite", "/streams/touch/t/1"),
        ((*TOUCH, "t"), LEFT_OUT, "time_missing", "/streams/touch/t"),
        ((*RECORDING, "streams", "gyroscope", "rate_hz"), 0, "field_invalid", "/streams/gyroscope/rate_hz"),
        ((*RECORDING, "streams", "touch"), [], "column_invalid", "/streams/touch"),
        ((*RECORDING, "events", 1, "t"), None, "time_not_finite", "/events/1/t"),
        ((*RECORDING, "events", 2, "zone"), 3, "column_invalid", "/events/2/zone"),
        ((*RECORDING, "events", 1), "tap", "field_invalid", "/events/1/type"),
    ],
)
def test_a_fault_in_a_recording_rejects_it_and_says_where(
    path: tuple[Any, ...], value: Any, code: str, at: str
) -> None:
    (rejected,) = formats.read(changed(path, value)).recordings
    assert isinstance(rejected, Rejected), rejected
    assert (rejected.error["code"], rejected.error["at"]) == (code, f"/recordings/0{at}")


def test_one_bad_recording_leaves_the_others() -> None:
    document = copy.deepcopy(SESSION)
    document["recordings"].insert(0, {"assessment": "tap", "streams": {"touch": {"unit": "mile"}}})
    bad, good = formats.read(orjson.dumps(document)).recordings
    assert isinstance(bad, Rejected)
    assert isinstance(good, Recording)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress, bytes])
def test_packed_bodies_read_as_plain_ones(pack: Any) -> None:
    packed = pack(orjson.dumps(SESSION))
    np.testing.assert_array_equal(only_recording(packed).parts[0].events["tap"].t_s, [0.1, 0.2])


def test_limits_are_named() -> None:
    body = orjson.dumps(SESSION)
    (rejected,) = formats.read(body, limits=formats.Limits(max_values=10)).recordings
    assert isinstance(rejected, Rejected)
    assert rejected.error["code"] == "too_many_samples"
    document = copy.deepcopy(SESSION)
    document["recordings"] *= 3
    with pytest.raises(KonectomError, match="at most 2 recordings"):
        formats.read(orjson.dumps(document), limits=formats.Limits(max_recordings=2))


def test_a_recording_has_no_parts_or_some() -> None:
    whole = {"assessment": "tap", "parts": []}
    (rejected,) = formats.read(changed(("recordings",), [whole])).recordings
    assert isinstance(rejected, Rejected)
    assert (rejected.error["code"], rejected.error["at"]) == ("field_invalid", "/recordings/0/parts")


def events_only(events: list[dict[str, Any]]) -> bytes:
    return changed(("recordings",), [{"assessment": "tap", "parts": [{"events": events}]}])


def test_what_events_leave_out_counts_as_values() -> None:
    events = [{"type": "tap", "t": row, f"a{row % 60}": 1} for row in range(600)]
    limit = 600 * 62
    assert only_recording(read_within(events, limit))
    (rejected,) = formats.read(events_only(events), limits=formats.Limits(max_values=limit - 1)).recordings
    assert isinstance(rejected, Rejected)
    assert (rejected.error["code"], rejected.error["at"]) == ("too_many_samples", "/recordings/0/parts/0")


def read_within(events: list[dict[str, Any]], limit: int) -> bytes:
    body = events_only(events)
    assert isinstance(formats.read(body, limits=formats.Limits(max_values=limit)).recordings[0], Recording)
    return body


def test_one_long_text_does_not_widen_a_column_without_bound() -> None:
    events = [{"type": "tap", "t": 0, "zone": "z" * 1000}, *({"type": "tap", "t": 1} for _ in range(99))]
    read_within(events, 1000 * 100 // 4)
    (rejected,) = formats.read(events_only(events), limits=formats.Limits(max_values=1000 * 100 // 4 - 1)).recordings
    assert isinstance(rejected, Rejected)
    assert rejected.error["code"] == "too_many_samples"
    assert rejected.error["at"] == "/recordings/0/parts/0/events/0/zone"
