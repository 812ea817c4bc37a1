"""Questionnaires and passive monitoring in the shared recordings of both apps."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from konectom import formats
from konectom.assessments import get_assessment
from konectom.recording import Recording
from tests.assessments.answering import by_key, codes
from tests.shared import KONECTOM, inflated, needs_shared, recordings

pytestmark = needs_shared


def read(document: Any) -> Recording:
    (recording,) = formats.read(orjson.dumps(document)).recordings
    assert isinstance(recording, Recording), recording
    return recording


def shared(name: str) -> Any:
    (path,) = (path for path in recordings(name.rsplit("/", 1)[0]) if path.name.startswith(name.rsplit("/", 1)[1]))
    return orjson.loads(inflated(path))


def level(item: str, *answers: tuple[str, int, int], sensors: bool = True, told: bool = True) -> dict[str, Any]:
    """A level of Konectom 1's mood scale: answers with the times of display and answer."""
    tables = [
        {
            "name": "userInput",
            "measurements": [
                {
                    "values": [
                        {"name": "answer", "value": value, "unit": "n/a"},
                        {"name": "tsAnswer", "value": str(answered), "unit": "ms"},
                        {"name": "tsDisplay", "value": str(shown), "unit": "ms"},
                    ]
                }
            ],
        }
        for value, shown, answered in answers
    ]
    contexts = [{"name": "idMoodscale", "value": item, "unit": "n/a"}] if told else []
    return {
        "sensors": tables if sensors else [],
        "contexts": contexts,
        "beginTimestamp": str(min((shown for _, shown, _ in answers), default=1_600_000_000_000)),
        "endTimestamp": "1600000060000",
    }


def sitting(*levels: dict[str, Any]) -> Recording:
    test = {"code": "mood", "finished": True, "beginTimestamp": 1_600_000_000_000, "levels": list(levels)}
    return read({"uuid": "40567c07-91b6-4a0f-8575-a02291568a4d", "mobileEvaluationTest": test})


T = 1_600_000_000_000


def test_konectom_1_counts_a_level_as_one_answer_and_skips_levels_without() -> None:
    recording = sitting(
        level("mood", ("2", T, T + 1000), ("4", T, T + 3000)),
        level("physicalState", sensors=False, told=False),
        level("physicalState", ("1", T + 5000, T + 6000)),
        level("mood", ("5", T + 7000, T + 9000)),
    )
    told = by_key(get_assessment("mood").run(recording))
    assert told["answer[mood]"] == 5
    assert told["answer_count[mood]"] == 2
    assert told["response_time[mood].max"] == pytest.approx(3.0)
    assert told["answer_change[mood].mean"] == 1.0
    assert told["answer[physical]"] == 1


def test_an_answer_whose_level_does_not_name_its_item_is_told() -> None:
    result = get_assessment("mood").run(
        sitting(level("mood", ("2", T, T + 1000)), level("", ("3", T, T + 900), told=False))
    )
    assert {"unknown_item", "incomplete"} <= codes(result)
    assert by_key(result)["psychological_state"] == 75.0


def test_a_table_that_cannot_be_read_costs_its_answer_alone() -> None:
    broken = level("physicalState", ("1", T, T + 1000))
    broken["sensors"][0]["measurements"] = "gone"
    result = get_assessment("mood").run(sitting(level("mood", ("2", T, T + 1000)), broken))
    assert {"input_unreadable", "incomplete"} <= codes(result)
    assert by_key(result)["psychological_state"] == 75.0


def test_the_recording_on_which_the_library_fails_is_read() -> None:
    recording = read(shared("ads/MOOD/new-format"))
    result = get_assessment("mood").run(recording)
    told = by_key(result)
    assert result.quality.verdict == "valid"
    assert told["answer_count[mood]"] == 3
    assert [told["answer[mood]"], told["answer[physical]"]] == [1, 1]
    assert told["answer_change[mood].max"] == 1


def test_konectom_2_answers_go_by_the_number_of_the_question() -> None:
    document = shared("bdh/MSIS29/example")
    sequence = document["body"]["levels"][0]["raw_data"]["activity_sequence"]
    sequence["response_id"] = [1 + number % 4 for number in sequence["displayed_question_id"]]
    told = by_key(get_assessment("msis29").run(read(document)))
    assert [told[f"answer[item_{n}]"] for n in range(1, 30)] == [1 + n % 4 for n in range(1, 30)]
    assert told["answer_count[item_6]"] == 1, "two taps while it was shown once"
    assert told["response_time[item_6].mean"] == pytest.approx(0.292)


def test_konectom_2_mood_counts_what_was_confirmed() -> None:
    document = shared("bdh/MOOD/example")
    raw = document["body"]["levels"][0]["raw_data"]
    for table in raw.values():
        for column in table.values():
            column.append(column[-1])
    # Tapped 5 first, then 3 and went on; after that 1 was tapped, but not confirmed.
    raw["answers"]["response_id"][1:] = [5, 3]
    raw["answers"]["response_timestamp"][1] -= 300
    raw["validated_answers"]["response_id"][1:] = [3, 3]
    for table in raw.values():
        for column in table.values():
            column.append(column[-1])
    raw["answers"]["response_id"][-1] = 1
    raw["answers"]["response_timestamp"][-1] += 700
    told = by_key(get_assessment("mood").run(read(document)))
    assert told["answer[physical]"] == 3
    assert told["changed_items"] == 1
    assert told["response_time[physical].mean"] == pytest.approx(0.762)


def test_konectom_2_tells_theta_under_its_own_name() -> None:
    document = shared("bdh/NEUROQOL/neuroqol")
    recording = read(document)
    assert len(recording.parts) == 10
    for part, data in zip(recording.parts, document["body"]["levels"], strict=True):
        assert part.condition == {"subtest": data["name"]}
        assert part.events["estimate"]["theta"][0] == data["mobile_computed_measures"]["t_score"]
        assert len(part.events["answer"]) == len(data["raw_data"]["activity_sequence"]["form_item_id"])


def test_the_pedometer_keeps_its_declared_units() -> None:
    document = shared("ads/PASSIVE/example")
    (part,) = read(document).parts
    minutes = part.events["pedometer"]
    assert len(minutes) == 547
    np.testing.assert_allclose(minutes["end_at_s"] - minutes.t_s, 60.0)
    assert minutes.t_s[0] == pytest.approx(part.start_s)
    rows = document["mobileEvaluationTest"]["levels"][0]["sensors"][1]["measurements"]
    for row in rows:
        row["values"][1]["unit"] = "feet"
    (changed,) = read(document).parts
    assert [defect.code for defect in changed.defects] == ["unit_invalid"]


def test_no_wording_of_an_item_is_kept() -> None:
    for path in recordings("bdh/MSIS29", "bdh/PDQ39", "bdh/ALSFRS"):
        document = orjson.loads(inflated(path))
        (part,) = read(document).parts
        wording = document["body"]["levels"][0]["raw_data"]["activity_sequence"]["displayed_question_text"]
        for column in part.events["answer"].columns.values():
            assert not set(map(str, column.tolist())) & set(wording)
    assert KONECTOM.is_dir()
