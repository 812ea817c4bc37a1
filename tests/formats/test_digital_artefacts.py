"""The reader of Digital Artefacts' finger tapping: real files of both versions' shape, and what is wrong in them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import orjson
import pytest

from konectom import formats
from konectom.assessments import get_assessment
from konectom.errors import FieldMissing, FormatUnknown, KonectomError, NotJson, TooManySamples
from konectom.recording import Part, Recording, Rejected
from tests.shared import KONECTOM, needs_shared

EXAMPLE = KONECTOM / "digital_artefacts" / "ft" / "example-v2.json"


def hand(first: int, **columns: Any) -> dict[str, Any]:
    """Return a hand's table of four taps, the last two of which overlap."""
    told = {
        "block": 17,
        "tap type": ["left", "right", "miss", "right"],
        "tap annotation": [None, None, None, "repeat"],
        "tap start (ms)": [100, 300, 500, 650],
        "tap duration (ms)": [80, 80, 200, 80],
        "x (pts)": [300, 500, 400, 501],
        "y (pts)": [240, 241, 242, 243],
    } | columns
    rows = [str(first + index) for index in range(4)]
    return {name: dict(zip(rows, values, strict=True)) for name, values in told.items() if isinstance(values, list)} | {
        name: value for name, value in told.items() if not isinstance(value, list)
    }


FILE: dict[str, Any] = {
    "domhand": hand(2092),
    "nondomhand": hand(2128),
    "app": {"app_version_number": "1.0", "app_build_number": 14},
    "device": {
        "screen_scale": 2,
        "screen_width_pt": 896,
        "screen_height_pt": 414,
        "platform": "iPhone11,8",
        "os": "iOS",
    },
    "session": {
        "session_id": 1084896,
        "test_id": "finger-tapping",
        "start_utc": "2021-03-17T12:17:46.810864",
        "duration": 69999,
    },
}


def changed(path: tuple[str, ...], value: Any) -> bytes:
    document = copy.deepcopy(FILE)
    holder: Any = document
    for token in path[:-1]:
        holder = holder[token]
    holder[path[-1]] = value
    return orjson.dumps(document)


def parts(body: bytes) -> tuple[Part, ...]:
    (recording,) = formats.read(body).recordings
    assert isinstance(recording, Recording), recording
    return recording.parts


def test_each_hand_is_a_part_with_its_taps_and_fingers() -> None:
    session = formats.read(orjson.dumps(FILE))
    assert session.started_at.isoformat() == "2021-03-17T12:17:46.810864+00:00"
    assert (session.device.platform, session.device.model) == ("ios", "iPhone11,8")
    assert (session.device.screen.width_pt, session.device.screen.width_px) == (896, 1792)
    dominant, other = parts(orjson.dumps(FILE))
    assert (dominant.condition, other.condition) == ({"hand": "dominant"}, {"hand": "non_dominant"})
    np.testing.assert_allclose(dominant.events["tap"].t_s, [0.1, 0.3, 0.5, 0.65])
    assert dominant.events["tap"]["zone"].tolist() == ["left", "right", "none", "right"]
    touch = dominant.streams["touch"]
    assert touch.units == {"x": "pt", "y": "pt"}
    np.testing.assert_allclose(touch.t_s[touch["phase"] == "up"], [0.18, 0.38, 0.7, 0.73])


def test_the_other_version_writes_underscores_and_one_value_for_all_rows() -> None:
    document = copy.deepcopy(FILE)
    for table in (document["domhand"], document["nondomhand"]):
        for name in list(table):
            table[name.replace("tap ", "tap_", 1) if "(" not in name else name] = table.pop(name)
        table["start time (utc)"] = "2021-03-17T12:17:46"
    del document["session"]["start_utc"]
    body = orjson.dumps(document)
    assert formats.read(body).started_at.isoformat() == "2021-03-17T12:17:46+00:00"
    assert len(parts(body)[0].events["tap"]) == 4


@pytest.mark.parametrize(
    ("column", "value", "code", "at"),
    [
        ("tap start (ms)", {"2092": 1, "2093": None, "2094": 3, "2095": 4}, "time_not_finite", "tap start (ms)/2093"),
        ("tap type", {"2092": "left", "2093": "x", "2094": "miss", "2095": "left"}, "column_invalid", "tap type/2093"),
        ("tap type", {"2092": "left"}, "stream_length_mismatch", "tap type"),
        ("tap type", dict.fromkeys("abcd", "left"), "column_invalid", "tap type"),
        ("tap type", ["left"] * 4, "column_invalid", "tap type"),
        ("tap start (ms)", 7, "column_invalid", "tap start (ms)"),
        ("block", {"2092": 1, "2093": 1, "2094": 2, "2095": 2}, "column_invalid", "block"),
    ],
)
def test_a_hand_whose_taps_cannot_be_read_costs_the_other_nothing(column: str, value: Any, code: str, at: str) -> None:
    bad, good = parts(changed(("domhand", column), value))
    (defect,) = bad.defects
    assert (defect.stream, defect.code, defect.at) == ("tap", code, f"/domhand/{at}")
    assert len(good.events["tap"]) == 4


def test_taps_without_a_duration_have_no_fingers() -> None:
    document = copy.deepcopy(FILE)
    del document["domhand"]["tap duration (ms)"]
    document["nondomhand"]["tap duration (ms)"]["2130"] = None
    first, second = parts(orjson.dumps(document))
    assert "touch" not in first.streams
    assert not first.defects
    (defect,) = second.defects
    assert (defect.stream, defect.at) == ("touch", "/nondomhand/tap duration (ms)/2130")


def test_a_column_in_another_unit_is_another_column() -> None:
    document = copy.deepcopy(FILE)
    document["domhand"]["tap start (s)"] = document["domhand"].pop("tap start (ms)")
    (defect,) = parts(orjson.dumps(document))[0].defects
    assert (defect.code, defect.at) == ("column_missing", "/domhand/tap start (ms)")


def test_another_test_is_rejected_and_a_file_without_hands_or_time_refused() -> None:
    (rejected,) = formats.read(changed(("session", "test_id"), "trails")).recordings
    assert isinstance(rejected, Rejected)
    assert rejected.error["at"] == "/session/test_id"
    with pytest.raises(FieldMissing, match="began"):
        formats.read(changed(("session", "start_utc"), "yesterday"))
    with pytest.raises(FormatUnknown):
        formats.read(orjson.dumps({"app": {}, "session": FILE["session"]}))
    with pytest.raises(TooManySamples):
        formats.read(orjson.dumps(FILE), limits=formats.Limits(max_values=10))


NAN_IN_A_TEXT = b'"tap annotation":{"2092":"NaN, \\" NaN","2093":null'


def test_the_words_that_are_no_json_are_missing_values_here() -> None:
    body = orjson.dumps(FILE).replace(b'"tap annotation":{"2092":null,"2093":null', NAN_IN_A_TEXT + b"")
    assert NAN_IN_A_TEXT in body
    body = body.replace(b'"2094":null', b'"2094":NaN').replace(b'"x (pts)":{"2092":300', b'"x (pts)":{"2092":-Infinity')
    first, _ = parts(body)
    assert not first.defects
    assert np.isnan(first.streams["touch"]["x"][0])


@pytest.mark.parametrize(
    "body",
    [
        b'{"schema": "konectom.session/1", "x": NaN}',
        b'{"app": 1, "domhand": {"x": -NaN}}',
        b'{"app": 1, "domhand": {"x": NaN',
        b'{"app": "NaN", "domhand": {"x": nan}}',
        b'{"unknown": NaN}',
        b"[NaN" * 50,
    ],
)
def test_elsewhere_they_stay_no_json(body: bytes) -> None:
    with pytest.raises(NotJson):
        formats.read(body)


def test_a_flood_of_them_is_refused() -> None:
    with pytest.raises(NotJson):
        formats.read(b'{"app": 1, "domhand": [' + b"NaN," * 1_000_001 + b"1]}")


def test_the_taps_are_measured() -> None:
    (recording,) = formats.read(orjson.dumps(FILE)).recordings
    assert isinstance(recording, Recording)
    found = {entry.key: value for entry, value in get_assessment("tap").run(recording).measures()}
    assert found["tap.valid_taps[dominant]"] == 2
    assert found["tap.valid_taps"] == 4
    assert found["tap.taps[non_dominant]"] == 4


@needs_shared
def test_the_real_file_is_json_but_for_nan() -> None:
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(EXAMPLE.read_bytes())
    assert [len(part.events["tap"]) for part in parts(EXAMPLE.read_bytes())] == [36, 25]


def test_damage_is_refused_with_an_error_of_ours() -> None:
    body = orjson.dumps(FILE)
    for cut in range(0, len(body), 97):
        with pytest.raises(KonectomError):
            formats.read(body[:cut])
