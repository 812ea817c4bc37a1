"""The reader of Konectom 1's row-wise files."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import orjson
import pytest

from konectom import formats
from konectom.errors import KonectomError
from konectom.recording import Recording, Rejected
from tests.shared import inflated, needs_shared, recordings


def row(**values: tuple[str, str]) -> dict[str, Any]:
    return {"values": [{"name": name, "value": value, "unit": unit} for name, (value, unit) in values.items()]}


def answer(shown_ms: int, answered_ms: int, symbol: str, digit: str) -> dict[str, Any]:
    return row(
        tsDisplay=(str(shown_ms), "ms"),
        tsAnswer=(str(answered_ms), "ms"),
        displayedSymbol=("Symbol3", "n/a"),
        displayedValue=("7", "n/a"),
        userSymbol=(symbol, "n/a"),
        userValue=(digit, "n/a"),
    )


BEGIN_MS = 1_600_000_000_000
FILE: dict[str, Any] = {
    "uuid": "e3cbc313-62ba-482b-833e-edb796d1ea58",
    "mobileDevice": {"platform": "iOS", "modelCode": "iPhone11,2", "screen": {"widthPixels": 375}},
    "mobileEvaluationTest": {
        "code": "cps",
        "finished": True,
        "startDate": "2020-09-13T14:26:40+02:00",
        "beginTimestamp": BEGIN_MS,
        "levels": [
            {
                "beginTimestamp": BEGIN_MS + 500,
                "endTimestamp": BEGIN_MS + 2500,
                "contexts": [
                    {"name": "levelType", "value": "digitToSymbol"},
                    {"name": "predefinedKey2", "value": "true"},
                    {"name": "predefinedKey1", "value": "false"},
                    {"name": "randomSequence", "value": "true"},
                ],
                "sensors": [
                    {
                        "name": "userInput",
                        "measurements": [
                            answer(BEGIN_MS + 500, BEGIN_MS + 1500, "Symbol3", "7"),
                            answer(BEGIN_MS + 1500, BEGIN_MS + 2500, "Symbol8", "1"),
                        ],
                    },
                    {
                        "name": "accelerometer",
                        "measurements": [
                            row(
                                userAccelerationX=("0.5", "G"),
                                userAccelerationY=("0", "G"),
                                userAccelerationZ=("0", "G"),
                                gravityX=("-1", "G"),
                                gravityY=("0", "G"),
                                gravityZ=("0", "G"),
                                ts=(str(BEGIN_MS + 600), "ms"),
                            )
                        ],
                    },
                ],
            }
        ],
    },
}
LEVEL = ("mobileEvaluationTest", "levels", 0)
ROWS = (*LEVEL, "sensors", 0, "measurements")


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


def test_rows_become_columns_on_one_clock() -> None:
    session = formats.read(orjson.dumps(FILE))
    assert str(session.id) == FILE["uuid"]
    assert session.started_at.isoformat() == "2020-09-13T14:26:40+02:00"
    (part,) = first(orjson.dumps(FILE)).parts
    assert dict(part.condition) == {"mode": "symbol_to_digit", "sequence": "random", "key": "fixed_2"}
    assert (part.start_s, part.duration_s) == (0.5, 2.0)
    answers = part.events["answer"]
    np.testing.assert_allclose(answers.t_s - answers["shown_at_s"], [1, 1])
    assert answers["answered_as"].tolist() == [3, 8]
    assert answers["expected"].tolist() == [7, 7]
    np.testing.assert_allclose(part.streams["user_acceleration"]["x"], [0.5 * 9.80665])
    np.testing.assert_allclose(part.streams["gravity"]["x"], [-9.80665])


def test_rows_in_another_order_are_read_by_name() -> None:
    document = copy.deepcopy(FILE)
    rows = document["mobileEvaluationTest"]["levels"][0]["sensors"][0]["measurements"]
    rows[1]["values"].reverse()
    np.testing.assert_array_equal(
        first(orjson.dumps(document)).parts[0].events["answer"]["answered"],
        first(orjson.dumps(FILE)).parts[0].events["answer"]["answered"],
    )


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ((*ROWS, 0, "values", 0, "unit"), "s", "unit_invalid"),
        ((*ROWS, 0, "values", 0, "value"), "soon", "column_invalid"),
        ((*ROWS, 0, "values", 0, "value"), None, "time_not_finite"),
        ((*ROWS, 0, "values", 2, "value"), "Circle", "column_invalid"),
        ((*ROWS, 0, "values", 2, "value"), "Symbol\N{SUPERSCRIPT TWO}", "column_invalid"),
        ((*ROWS, 0, "values", 2, "value"), ["Symbol3"], "column_invalid"),
        ((*ROWS, 0, "values", 3, "value"), "true", "column_invalid"),
        ((*ROWS, 0, "values", 3, "value"), True, "column_invalid"),
        ((*ROWS, 0, "values", 0, "unit"), ["ms"], "unit_invalid"),
        (ROWS, {}, "column_invalid"),
        (ROWS, [7], "column_invalid"),
        ((*ROWS, 0), {"values": [{"value": 1}]}, "column_invalid"),
    ],
)
def test_a_table_that_cannot_be_read_is_noted_and_the_rest_stands(path: tuple[Any, ...], value: Any, code: str) -> None:
    (part,) = first(changed(path, value)).parts
    (defect,) = part.defects
    assert (defect.stream, defect.code) == ("answer", code)
    assert defect.at.startswith("/mobileEvaluationTest/levels/0/sensors/0")
    assert "gravity" in part.streams


@pytest.mark.parametrize(
    ("path", "value", "code", "at"),
    [
        (("mobileEvaluationTest", "code"), "juggling", "assessment_unknown", "/mobileEvaluationTest/code"),
        (("mobileEvaluationTest", "code"), ["cps"], "assessment_unknown", "/mobileEvaluationTest/code"),
        ((*LEVEL, "contexts"), [], "field_invalid", "/mobileEvaluationTest/levels/0/contexts"),
        ((*LEVEL, "contexts", 0, "value"), ["x"], "field_invalid", "/mobileEvaluationTest/levels/0/contexts"),
    ],
)
def test_a_task_that_is_not_known_is_rejected(path: tuple[Any, ...], value: Any, code: str, at: str) -> None:
    (rejected,) = formats.read(changed(path, value)).recordings
    assert isinstance(rejected, Rejected)
    assert (rejected.error["code"], rejected.error["at"]) == (code, at)


@pytest.mark.parametrize(
    ("path", "value", "at"),
    [
        (("mobileEvaluationTest", "levels"), [], "/mobileEvaluationTest/levels"),
        (("mobileEvaluationTest", "levels"), [7], "/mobileEvaluationTest/levels/0"),
        (("mobileEvaluationTest",), {"levels": [{}]}, "/mobileEvaluationTest/beginTimestamp"),
    ],
)
def test_a_file_without_levels_or_begin_is_refused(path: tuple[Any, ...], value: Any, at: str) -> None:
    with pytest.raises(KonectomError) as refused:
        formats.read(changed(path, value))
    assert refused.value.at == at


def test_a_recording_begins_so_long_after_its_session() -> None:
    session = formats.read(changed(("mobileEvaluationTest", "beginTimestamp"), BEGIN_MS + 219))
    (recording,) = session.recordings
    assert isinstance(recording, Recording)
    assert session.started_at.microsecond == 219_000
    assert recording.offset_s == pytest.approx(0.5 - 0.219)


def test_a_level_that_is_neither_costs_no_other() -> None:
    document = copy.deepcopy(FILE)
    evaluation = document["mobileEvaluationTest"]
    evaluation["code"] = "sbtUtt"
    evaluation["levels"] *= 2
    evaluation["levels"][1] = copy.deepcopy(evaluation["levels"][1])
    evaluation["levels"][1]["contexts"][0]["value"] = "utt"
    good, bad = formats.read(orjson.dumps(document)).recordings
    assert isinstance(good, Recording)
    assert isinstance(bad, Rejected)
    assert (good.assessment, bad.assessment) == ("u_turn", None)
    assert (bad.error["code"], bad.error["at"]) == ("field_invalid", "/mobileEvaluationTest/levels/0/contexts")


@needs_shared
@pytest.mark.parametrize("path", recordings("ads/SBT-UTT"), ids=lambda path: path.name[:20])
def test_gravity_in_real_files_is_one_g(path: Any) -> None:
    for recording in formats.read(inflated(path)).recordings:
        assert isinstance(recording, Recording), recording
        for part in recording.parts:
            assert not part.defects
            size_mps2 = np.linalg.norm(part.streams["gravity"].matrix(), axis=1)
            assert np.median(size_mps2) == pytest.approx(9.80665, rel=1e-3)
