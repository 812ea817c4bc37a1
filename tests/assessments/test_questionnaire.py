"""What holds for every questionnaire: answers in, scores out, whatever is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konectom.assessments._questionnaire import Item, Questionnaire, Scale
from konectom.assessments.alsfrs_r import ALSFRS_R
from konectom.assessments.mood import MOOD
from konectom.assessments.msis29 import MSIS29
from konectom.assessments.pdq39 import PDQ39
from tests.assessments.answering import by_key, codes, of_answers, of_events, values
from tests.assessments.examples import run

QUESTIONNAIRES = {"mood": MOOD, "msis29": MSIS29, "pdq39": PDQ39, "alsfrs_r": ALSFRS_R}

each_questionnaire = pytest.mark.parametrize("name", QUESTIONNAIRES)


def answered(questionnaire: Questionnaire, pick: Any) -> dict[str, float]:
    """An answer to each item: the one that ``pick`` chooses of the codes offered."""
    return {item.number: pick(codes_of(item)) for item in questionnaire.items}


def codes_of(item: Item) -> list[float]:
    return [float(item.first + n) for n in range(len(item.points))]


def points(item: Item, code: float) -> float:
    return item.points[int(code) - item.first]


@each_questionnaire
def test_scales_stand_on_items_that_exist_and_each_item_counts(name: str) -> None:
    questionnaire = QUESTIONNAIRES[name]
    numbers = [item.number for item in questionnaire.items]
    assert len(set(numbers)) == len(numbers) == len({item.name for item in questionnaire.items})
    used = [number for scale in questionnaire.scales for number in scale.items]
    assert set(used) == set(numbers)
    for scale in questionnaire.scales:
        ranges = {(min(i.points), max(i.points)) for i in questionnaire.items if i.number in scale.items}
        assert len(ranges) == (0 if scale.mean_of else 1), scale.quantity


@each_questionnaire
def test_the_best_and_the_worst_answers_give_the_ends_of_each_scale(name: str) -> None:
    questionnaire = QUESTIONNAIRES[name]
    for pick in (min, max):
        told = values(of_answers(name, answered(questionnaire, pick)))
        for scale in questionnaire.scales:
            low, high = questionnaire._range(scale)
            assert told[scale.quantity] in (low, high), scale.quantity


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(QUESTIONNAIRES)), data=st.data())
def test_scores_with_missing_items_follow_the_rule_of_each_scale(name: str, data: st.DataObject) -> None:
    questionnaire = QUESTIONNAIRES[name]
    full = {item.number: data.draw(st.sampled_from(codes_of(item))) for item in questionnaire.items}
    gone = data.draw(st.sets(st.sampled_from(sorted(full)), max_size=len(full) - 1))
    kept = {number: code for number, code in full.items() if number not in gone}
    result = run(of_answers(name, kept))
    told = by_key(result)
    items = {item.number: item for item in questionnaire.items}
    for scale in questionnaire.scales:
        if not scale.items:
            continue
        held = [points(items[number], kept[number]) for number in scale.items if number in kept]
        low, high = min(items[scale.items[0]].points), max(items[scale.items[0]].points)
        if not held or len(held) < scale.least * len(scale.items):
            assert scale.quantity not in told
            assert result.absent[f"{name}.{scale.quantity}"] == "not_answered"
        elif scale.form == "sum":
            assert told[scale.quantity] == pytest.approx(sum(held) / len(held) * len(scale.items))
        else:
            assert told[scale.quantity] == pytest.approx(100 * (sum(held) / len(held) - low) / (high - low))
    assert ("incomplete" in codes(result) or "not_scored" in codes(result)) == bool(gone)
    assert (result.quality.verdict == "valid") <= (not gone)


@each_questionnaire
def test_items_go_by_number_or_name_and_come_in_any_order(name: str) -> None:
    questionnaire = QUESTIONNAIRES[name]
    rng = np.random.default_rng(1)
    final = answered(questionnaire, lambda offered: float(rng.choice(offered)))
    expected = values(of_answers(name, final))
    backwards = dict(reversed(final.items()))
    assert values(of_answers(name, backwards)) == expected
    named = {item.name: final[item.number] for item in questionnaire.items}
    assert values(of_answers(name, named)) == expected
    as_text = {number: str(int(code)) for number, code in final.items()}
    assert values(of_answers(name, as_text)) == expected


def test_final_answers_alone_are_scored_and_times_are_missing_with_the_reason() -> None:
    result = run(of_answers("mood", {"1": 2, "2": 4}))
    assert result.quality.verdict == "valid"
    assert by_key(result)["overall_state"] == 50.0
    assert result.absent["mood.response_time[mood].mean"] == "input_missing"
    assert result.absent["mood.completion_time"] == "input_missing"


def test_an_event_counts_before_a_final_answer_to_the_same_item() -> None:
    wire = of_events("mood", [("1", 1, 0.0, 2.0)]) | {"answers": {"1": 5, "2": 3}}
    assert values(wire)["answer[mood]"] == 1
    assert values(wire)["answer[physical]"] == 3


def test_the_measures_of_an_item_by_hand() -> None:
    taps = [("1", 2, 10.0, 12.0), ("2", 3, 13.0, 14.0), ("1", 4, 20.0, 23.0), ("1", 3, 30.0, 34.0)]
    told = values(of_events("mood", taps))
    assert told["answer[mood]"] == 3
    assert told["answer_count[mood]"] == 3
    assert told["response_time[mood].mean"] == pytest.approx(3.0)
    assert told["response_time[mood].sd"] == pytest.approx(1.0)
    assert (told["response_time[mood].min"], told["response_time[mood].max"]) == pytest.approx((2.0, 4.0))
    assert told["total_response_time[mood]"] == pytest.approx(9.0)
    assert told["time_to_final_answer[mood]"] == pytest.approx(24.0)
    assert told["answer_change[mood].mean"] == pytest.approx(0.5)  # +2, then -1
    assert told["answer_change[mood].sd"] == pytest.approx(np.std([2, -1], ddof=1))
    assert told["changed_items"] == 1
    assert told["completion_time"] == pytest.approx(24.0)


def test_answers_tapped_before_going_on_are_one_answer() -> None:
    told = values(of_events("mood", [("1", 2, 0.0, 1.0), ("1", 5, 0.0, 3.0), ("2", 1, 4.0, 5.0)]))
    assert told["answer[mood]"] == 5
    assert told["answer_count[mood]"] == 1
    assert told["response_time[mood].mean"] == pytest.approx(3.0)
    assert told["changed_items"] == 1


def test_a_question_left_without_an_answer_takes_nothing_back() -> None:
    told = values(of_events("mood", [("1", 2, 0.0, 1.0), ("2", 2, 2.0, 3.0), ("1", None, 4.0, 5.0)]))
    assert told["answer[mood]"] == 2
    assert told["answer_count[mood]"] == 1


@pytest.mark.parametrize("value", [0, 6, 2.5, -1, 1e300, "7"])
def test_an_answer_that_is_not_offered_does_not_count(value: Any) -> None:
    result = run(of_answers("mood", {"1": value, "2": 1}))
    assert {"answer_out_of_range", "incomplete"} <= codes(result)
    assert "psychological_state" not in by_key(result)
    assert by_key(result)["physical_state"] == 100.0


@pytest.mark.parametrize("value", [None, True, "often", [1], {"code": 1}])
def test_an_answer_that_is_no_number_is_none(value: Any) -> None:
    result = run(of_answers("mood", {"1": value, "2": 1}))
    assert "incomplete" in codes(result)
    assert result.absent["mood.psychological_state"] == "not_answered"


def test_an_unknown_item_is_told() -> None:
    result = run(of_answers("mood", {"1": 1, "2": 1, "40": 1}))
    (flag,) = result.quality.flags
    assert (flag.code, flag.severity, list(flag.evidence["items"])) == ("mood.unknown_item", "info", ["40"])
    assert result.quality.verdict == "valid"


def test_unknown_items_alone_are_no_data() -> None:
    result = run(of_answers("mood", {"40": 1}))
    assert result.quality.verdict == "invalid"
    assert set(result.absent.values()) == {"no_data"}


def test_nothing_scored_is_invalid() -> None:
    result = run(of_answers("pdq39", {"1": 1, "39": 2}))
    assert "not_scored" in codes(result)
    assert result.quality.verdict == "invalid"


def timed(name: str, code: float, answer_s: float) -> dict[str, Any]:
    items = QUESTIONNAIRES[name].items
    return of_events(name, [(item.number, code, 10.0 * n, 10.0 * n + answer_s) for n, item in enumerate(items)])


@pytest.mark.parametrize(
    ("code", "answer_s", "flags"),
    [(1, 4.0, set()), (1, 0.3, {"straight_lining", "too_fast"}), (3, 4.0, {"straight_lining"})],
    ids=["no complaints", "no complaints, unread", "a straight line"],
)
def test_a_straight_line_is_careless_unless_it_says_no_problem(code: float, answer_s: float, flags: set[str]) -> None:
    assert codes(run(timed("msis29", code, answer_s))) == flags


def test_an_answer_before_its_question_has_no_time() -> None:
    result = run(of_events("mood", [("1", 2, 5.0, 4.0), ("2", 1, 6.0, 8.0)]))
    assert "time_disorder" in codes(result)
    assert by_key(result)["answer[mood]"] == 2
    assert "response_time[mood].mean" not in by_key(result)


def test_a_scale_may_be_the_mean_of_scales() -> None:
    spread = Scale("both", "Mean.", mean_of=("a", "b"))
    assert Questionnaire((), (spread,), "lower", 0.0)._range(spread) == (0.0, 100.0)
