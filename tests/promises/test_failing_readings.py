"""The kinds of reading on which the published library fails outright: each gives what can be computed and a flag, or a
clear error that says where.

Of some kinds the library's authors left the files; where those lie beside the checkout they are read as well.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from konectom import formats
from konectom.errors import KonectomError
from konectom.recording import Rejected
from konectom.workflows.sessions.process import Extracted, extract_session
from tests.formats import test_ads, test_fuzz, test_konectom2
from tests.shared import KONECTOM, expected, inflated, needs_shared, recordings

BEGIN_MS = 1_600_000_000_000
ANSWERS = [1, 2, 3, 4, 5, 6]


def extracted(document: Any) -> list[Extracted | Rejected]:
    """Return what came of each recording; fail where our computation broke."""
    found = extract_session(formats.read(orjson.dumps(document)))
    assert all(isinstance(each, Extracted | Rejected) for each in found), found
    return found  # type: ignore[return-value]


def only(document: Any) -> Extracted:
    (found,) = extracted(document)
    assert isinstance(found, Extracted), found
    return found


def values(found: Extracted) -> dict[str, float]:
    return {entry.key: value for entry, value in found.result.measures()}


def codes(found: Extracted) -> set[str]:
    return {flag.code.partition(".")[2] for flag in found.result.quality.flags}


def symbols() -> Any:
    """Return a symbol-digit test with its two levels."""
    document = copy.deepcopy(test_fuzz.SYMBOLS)
    (level,) = document["body"]["levels"]
    digits = copy.deepcopy(level)
    for each, mode in ((level, "symbol-to-digit"), (digits, "digit-to-digit")):
        shown_ms = [BEGIN_MS + 1000 * (place + 1) for place in range(len(ANSWERS))]
        each["configuration"]["mode"] = mode
        each["raw_data"]["activity_sequence"] = {
            "presented_symbol_timestamp": shown_ms,
            "presented_symbol": ANSWERS,
            "response": ANSWERS,
            "response_timestamp": [ms + 700 for ms in shown_ms],
            "reference_table": [[1, 2, 3, 4, 5, 6, 7, 8, 9]] * len(ANSWERS),
        }
    document["body"]["levels"] = [level, digits]
    return document


def taps() -> Any:
    """Return a tapping test with one hand: eight taps in turn, each touch seen coming and going."""
    document = copy.deepcopy(test_konectom2.FILE)
    (level,) = document["body"]["levels"]
    at_ms = [BEGIN_MS + 600 + 100 * place for place in range(8)]
    level["raw_data"] = {
        "tap_events": {"location": ["left", "right"] * 4, "timestamp": at_ms},
        "touch_events": {
            "x": [100, 100] * 8,
            "y": [300, 300] * 8,
            "timestamp": [ms + rest for ms in at_ms for rest in (0, 40)],
            "action": ["start", "end"] * 8,
            "touch_path_id": [place for place in range(8) for _ in range(2)],
        },
    }
    return document


def test_an_empty_level_costs_only_itself() -> None:
    whole, document = only(symbols()), symbols()
    sequence = document["body"]["levels"][1]["raw_data"]["activity_sequence"]
    document["body"]["levels"][1]["raw_data"]["activity_sequence"] = {name: [] for name in sequence}
    found = only(document)
    assert {"part_without_data", "level_missing"} <= codes(found)
    of_symbols = {key: value for key, value in values(whole).items() if "symbol_to_digit" in key}
    assert {key: value for key, value in values(found).items() if key in of_symbols} == of_symbols
    assert of_symbols["cps.correct[symbol_to_digit]"] == len(ANSWERS)
    assert found.result.absent["cps.substitution_time"] == "condition_not_recorded"


def test_a_level_without_any_table_costs_only_itself() -> None:
    document = symbols()
    document["body"]["levels"][1]["raw_data"] = {}
    found = only(document)
    assert "part_without_data" in codes(found)
    assert values(found)["cps.correct[symbol_to_digit]"] == len(ANSWERS)


def test_a_touch_of_one_event_is_a_tap() -> None:
    whole, document = only(taps()), taps()
    touches = document["body"]["levels"][0]["raw_data"]["touch_events"]
    for name in touches:
        del touches[name][5]  # the third finger was never seen to leave
    found = only(document)
    assert values(found)["tap.taps[left]"] == values(whole)["tap.taps[left]"] == 8
    assert values(found)["tap.valid_tap_interval[left].median"] == pytest.approx(0.1)
    assert values(found)["tap.contact_time[left].min"] == 0.0


def test_columns_that_the_header_does_not_match_are_noted_or_not_needed() -> None:
    document = taps()
    columns = document["header"]["raw_data"]["touch_events"]["columns"]
    columns["radius"] = {"unit": "px"}  # declared, and never sent
    document["body"]["levels"][0]["raw_data"]["touch_events"]["force"] = [0.5] * 16  # sent, and never declared
    assert values(only(document)) == values(only(taps()))
    del columns["x"]
    found = only(document)
    (flag,) = (flag for flag in found.result.quality.flags if flag.code == "tap.input_unreadable")
    assert flag.evidence["stream"] == "touch"
    assert "contact_time" in flag.evidence["not_computed"]
    assert values(found)["tap.valid_taps[left]"] == 8


def test_a_column_of_another_length_is_noted_and_the_rest_stands() -> None:
    document = taps()
    document["body"]["levels"][0]["raw_data"]["touch_events"]["x"].pop()
    found = only(document)
    assert "input_unreadable" in codes(found)
    assert values(found)["tap.valid_taps[left]"] == 8


def test_an_end_at_time_zero_is_no_end() -> None:
    document = taps()
    document["body"]["levels"][0]["effective_time_frame"]["end_timestamp"] = 0
    found = only(document)
    assert found.recording.parts[0].duration_s is None
    assert "wrong_duration" not in codes(found)
    assert values(found) == values(only(taps()))


@pytest.mark.parametrize("completion", ["cancelled", "interrupted", None])
def test_an_unfinished_test_is_measured_and_flagged(completion: str | None) -> None:
    document = taps()
    document["header"]["completion"] = completion
    found = only(document)
    assert "unfinished" in codes(found)
    assert found.result.quality.verdict != "valid"
    assert values(found) == values(only(taps()))


def test_without_context_what_needs_none_is_measured() -> None:
    document = symbols()
    for level in document["body"]["levels"]:
        del level["configuration"]["reference_table_type"]
    found = only(document)
    assert "condition_unknown" in codes(found)
    assert values(found)["cps.correct[symbol_to_digit]"] == len(ANSWERS)
    document = copy.deepcopy(test_ads.FILE)
    document["mobileEvaluationTest"]["levels"][0]["contexts"] = []
    (refused,) = extracted(document)
    assert isinstance(refused, Rejected)
    assert refused.error["code"] == "field_invalid"
    assert refused.error["at"] == "/mobileEvaluationTest/levels/0/contexts"


@pytest.mark.parametrize("days", [-400, 400])
def test_an_evaluation_outside_its_session_is_read(days: int) -> None:
    document = copy.deepcopy(test_ads.FILE)
    evaluation = document["mobileEvaluationTest"]
    evaluation["beginTimestamp"] = BEGIN_MS + days * 86_400_000
    found = only(document)
    assert np.isfinite(found.recording.parts[0].events["answer"].t_s).all()
    assert values(found) == values(only(test_ads.FILE))


def test_sound_that_cannot_be_decoded_is_refused_with_its_place() -> None:
    document = taps()
    document["header"]["schema_id"]["name"] = "voice-activity"
    document["body"]["levels"][0]["raw_data"] = {"audio": {"base64": ["!!! no base64"]}}
    try:
        found = extracted(document)
    except KonectomError as error:
        assert error.at  # noqa: PT017
    else:
        assert all(isinstance(each, Rejected) and each.error["at"] for each in found)


LEFT_BY_ITS_AUTHORS: dict[str, Callable[[Path], bool]] = {
    "bdh/*/bug-*": lambda path: True,
    "bdh/TYPING/*cancelled*": lambda path: True,
    "ads/MOOD/new-format*": lambda path: True,
    "ads/SBT-UTT/*": lambda path: not expected(path),
}


def left() -> list[Path]:
    """Return the shared files of which the library gave nothing."""
    found = {path for pattern in LEFT_BY_ITS_AUTHORS for path in recordings(pattern.rpartition("/")[0])}
    wanted = [
        path
        for path in sorted(found)
        for pattern, kept in LEFT_BY_ITS_AUTHORS.items()
        if path.match(pattern) and kept(path)
    ]
    return [*wanted, *KONECTOM.glob("bdh/SBT-UTT/bug-*.json*")]


@needs_shared
@pytest.mark.parametrize("path", left(), ids=lambda path: path.name[:24])
def test_the_files_on_which_the_library_fails_give_values_or_say_why(path: Path) -> None:
    found = extract_session(formats.read(inflated(path)))
    assert found
    for each in found:
        assert isinstance(each, Extracted), each
        if not values(each):
            assert each.result.quality.verdict == "invalid"
            assert each.result.quality.flags
        assert "unfinished" not in codes(each) or each.result.quality.verdict != "valid"
