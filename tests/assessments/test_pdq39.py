"""PDQ-39: the published library's values for given answers, and the answer of its own in item 28."""

from __future__ import annotations

import pytest

from tests.assessments.answering import by_key, of_answers, values
from tests.assessments.examples import run

ANSWERS = [2, 5, 5, 2, 3, 5, 4, 5, 1, 5, 1, 4, 3, 5, 2, 2, 4, 5, 5, 4, 4, 2, 2, 2, 5, 4, 1, 6, 1, 2, 5, 1, 3, 1, 3, 4]
ANSWERS += [5, 4, 4]
DISPEL = {
    "mobility": 67.5,
    "activities_of_daily_living": 45.83333333333333,
    "emotional_well_being": 75.0,
    "stigma": 56.25,
    "social_support": 33.33333333333333,
    "cognition": 43.75,
    "communication": 41.66666666666667,
    "bodily_discomfort": 83.33333333333334,
    "total": 55.833333333333336,
}
"""What DISPEL 0.0.3 computes from these answers."""


def numbered(answers: list[int]) -> dict[str, int]:
    return {str(number): answer for number, answer in enumerate(answers, start=1)}


def test_the_library_gives_the_same() -> None:
    told = values(of_answers("pdq39", numbered(ANSWERS)))
    assert {name: told[name] for name in DISPEL} == pytest.approx(DISPEL)


@pytest.mark.parametrize(("answer", "score"), [(1, 0.0), (2, 0.0), (3, 100 / 12), (6, 400 / 12)])
def test_no_partner_counts_like_never(answer: int, score: float) -> None:
    told = values(of_answers("pdq39", numbered([1] * 39) | {"28": answer}))
    assert told["social_support"] == pytest.approx(score)


def test_six_is_an_answer_to_item_28_only() -> None:
    result = run(of_answers("pdq39", numbered([1] * 39) | {"27": 6}))
    assert result.absent["pdq39.social_support"] == "not_answered"


def test_a_missing_item_costs_its_domain_and_the_total_alone() -> None:
    answers = numbered(ANSWERS)
    del answers["24"]
    result = run(of_answers("pdq39", answers))
    scores = {name for name in DISPEL if name in by_key(result)}
    assert scores == set(DISPEL) - {"stigma", "total"}
