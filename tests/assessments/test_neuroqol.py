"""Neuro-QoL: T-scores of the estimates that the app made."""

from __future__ import annotations

from typing import Any

import pytest

from tests.assessments.answering import by_key, codes, values
from tests.assessments.examples import Wire, run


def subtest(name: str, *estimates: dict[str, Any], answers: int = 5, answer_s: float = 3.0) -> Wire:
    shown = [
        {"type": "answer", "item": f"i{n}", "shown_at": 10.0 * n, "t": 10.0 * n + answer_s} for n in range(answers)
    ]
    told = [{"type": "estimate", "t": 100.0 + n} | each for n, each in enumerate(estimates)]
    return {"condition": {"subtest": name}, "events": shown + told}


def sitting(*parts: Wire) -> Wire:
    return {"assessment": "neuroqol", "duration_s": 300.0, "parts": list(parts)}


@pytest.mark.parametrize(("theta", "t_score"), [(0.0, 50.0), (-2.0, 30.0), (1.5, 65.0)])
def test_the_mean_is_50_and_a_standard_deviation_10(theta: float, t_score: float) -> None:
    told = values(sitting(subtest("fatigue", {"theta": theta, "standard_error": 0.3})))
    assert told["t_score[fatigue]"] == pytest.approx(t_score)
    assert told["t_score_error[fatigue]"] == pytest.approx(3.0)
    assert told["items[fatigue]"] == 5
    assert told["response_time[fatigue].median"] == pytest.approx(3.0)


def test_the_last_estimate_counts() -> None:
    first, last = {"theta": 2.0, "standard_error": 0.4}, {"theta": 1.0, "standard_error": 0.3}
    assert values(sitting(subtest("sleep", first, last)))["theta[sleep]"] == 1.0
    assert values(sitting(subtest("sleep", first, {"theta": None, "standard_error": None})))["theta[sleep]"] == 2.0


def test_a_subtest_without_estimate_costs_no_other() -> None:
    result = run(sitting(subtest("sleep"), subtest("anxiety", {"theta": 0.0, "standard_error": 0.2})))
    assert by_key(result)["t_score[anxiety]"] == 50.0
    assert result.quality.verdict == "limited"
    nothing = run(sitting(subtest("sleep", {"theta": None, "standard_error": None})))
    assert {"not_scored", "subtest_without_estimate"} <= codes(nothing)
    assert nothing.quality.verdict == "invalid"


def test_an_unsure_estimate_and_hasty_answers_are_flagged() -> None:
    unsure = {"theta": 0.0, "standard_error": 0.8}
    assert "imprecise" in codes(run(sitting(subtest("stigma", unsure))))
    hasty = subtest("stigma", {"theta": 0.0, "standard_error": 0.2}, answer_s=0.2)
    assert codes(run(sitting(hasty))) == {"too_fast"}


def test_higher_is_better_in_functions_and_worse_in_symptoms() -> None:
    part = subtest("sleep", {"theta": 0.0, "standard_error": 0.2})
    better = {entry.condition["subtest"]: entry.better for entry in run(sitting(part)).catalogue.scores}
    assert len(better) == 10
    assert {name for name, way in better.items() if way == "lower"} == {
        *("sleep", "fatigue", "anxiety", "depression", "stigma")
    }
