"""ALSFRS-R: sums, and the two variants of the item on cutting food."""

from __future__ import annotations

from typing import Any

import pytest

from konectom import formats
from konectom.assessments import get_assessment
from konectom.recording import Recording
from tests.assessments.answering import by_key, codes, of_answers, values
from tests.assessments.examples import run
from tests.shared import KONECTOM, inflated, needs_shared

OTHERS = {str(n): 4 for n in range(1, 13) if n != 5}
DISPEL = {"1": 1, "2": 0, "3": 1, "4": 3, "5": 4, "6": 4, "7": 3, "8": 1, "9": 3, "10": 2, "11": 1, "12": 2}
"""Points that DISPEL 0.0.3 reads from one form; it adds them up to 25."""


def test_sums() -> None:
    told = values(of_answers("alsfrs_r", DISPEL))
    assert told["total"] == 25
    assert [told[name] for name in ("bulbar", "fine_motor", "gross_motor", "respiratory")] == [2, 11, 7, 5]


def test_full_function_is_48() -> None:
    told = values(of_answers("alsfrs_r", OTHERS | {"5": 4}))
    assert told["total"] == 48
    assert told["bulbar"] == told["fine_motor"] == told["gross_motor"] == told["respiratory"] == 12


@pytest.mark.parametrize(("variant", "with_gastrostomy"), [("5a", 0), ("5b", 1)])
def test_either_variant_counts_as_item_5(variant: str, with_gastrostomy: int) -> None:
    told = values(of_answers("alsfrs_r", OTHERS | {variant: 1}))
    assert told["answer[cutting_food]"] == 1
    assert told["total"] == 45
    assert told["cut_with_gastrostomy"] == with_gastrostomy


@pytest.mark.parametrize(("gastrostomy", "points"), [("yes", 1), ("no", 3)])
def test_of_both_variants_the_condition_says_which_counts(gastrostomy: str, points: int) -> None:
    wire = of_answers("alsfrs_r", OTHERS | {"5a": 3, "5b": 1}, condition={"gastrostomy": gastrostomy})
    assert values(wire)["answer[cutting_food]"] == points
    assert values(wire)["cut_with_gastrostomy"] == (gastrostomy == "yes")


def test_two_variants_that_disagree_count_for_neither() -> None:
    result = run(of_answers("alsfrs_r", OTHERS | {"5a": 3, "5b": 1}))
    assert "variant_unclear" in codes(result)
    assert not {"total", "fine_motor", "answer[cutting_food]"} & set(by_key(result))
    assert by_key(result)["gross_motor"] == 12


def test_two_variants_that_agree_count_once() -> None:
    result = run(of_answers("alsfrs_r", OTHERS | {"5a": 3, "5b": 3}))
    assert by_key(result)["total"] == 47
    assert result.absent["alsfrs_r.cut_with_gastrostomy"] == "input_missing"
    assert result.quality.verdict == "valid"


@needs_shared
@pytest.mark.parametrize(("route", "with_gastrostomy"), [(1, 0.0), (2, 1.0)])
def test_the_form_asks_how_one_eats_before_it_asks_for_item_5(route: int, with_gastrostomy: float) -> None:
    told = by_key(get_assessment("alsfrs_r").run(form({5: route, 6: 3, 7: 2})))
    assert told["cut_with_gastrostomy"] == with_gastrostomy
    assert told["answer[cutting_food]"] == 2  # the third of five answers
    assert told["answer[dressing_and_hygiene]"] == 3
    assert told["total"] == 48 - 2 - 1


@needs_shared
def test_the_route_alone_is_no_answer_to_item_5() -> None:
    result = get_assessment("alsfrs_r").run(form({5: 2, 6: None}))
    assert result.absent["alsfrs_r.total"] == "not_answered"
    assert by_key(result)["bulbar"] == 12


def form(responses: dict[int, Any]) -> Recording:
    """The shared form of the app with other responses to some of its questions."""
    import orjson

    document = orjson.loads(inflated(KONECTOM / "bdh/ALSFRS/alsfrs-example.json"))
    sequence = document["body"]["levels"][0]["raw_data"]["activity_sequence"]
    for question, response in responses.items():
        sequence["response_id"][sequence["displayed_question_id"].index(question)] = response
    (recording,) = formats.read(orjson.dumps(document)).recordings
    assert isinstance(recording, Recording)
    return recording
