"""MSIS-29: published ranges and the rule of half."""

from __future__ import annotations

import pytest

from tests.assessments.answering import by_key, codes, of_answers, values
from tests.assessments.examples import run

ALL = [str(n) for n in range(1, 30)]


def test_raw_sums_have_the_published_ranges() -> None:
    # Physical 20 to 80, psychological 9 to 36, four answers to each item: PMC10277026, table 1.
    least, most = (values(of_answers("msis29", dict.fromkeys(ALL, code))) for code in (1, 4))
    assert (least["physical_sum"], most["physical_sum"]) == (20, 80)
    assert (least["psychological_sum"], most["psychological_sum"]) == (9, 36)
    assert (least["sum"], most["sum"]) == (29, 116)
    assert (least["physical_impact"], most["physical_impact"]) == (0, 100)


def test_the_score_is_the_sum_stretched() -> None:
    told = values(of_answers("msis29", {number: 1 + int(number) % 4 for number in ALL}))
    assert told["physical_impact"] == pytest.approx(100 * (told["physical_sum"] - 20) / 60)
    assert told["psychological_impact"] == pytest.approx(100 * (told["psychological_sum"] - 9) / 27)


def test_half_of_the_items_suffice_for_a_score_and_not_for_a_sum() -> None:
    physical = {str(n): 3 for n in range(1, 11)}  # 10 of 20
    psychological = {str(n): 2 for n in range(21, 25)}  # 4 of 9
    result = run(of_answers("msis29", physical | psychological))
    assert by_key(result)["physical_impact"] == pytest.approx(100 * 2 / 3)
    assert result.absent["msis29.psychological_impact"] == "not_answered"
    assert result.absent["msis29.physical_sum"] == "not_answered"
    assert {"items_imputed", "incomplete"} <= codes(result)
    (flag,) = (flag for flag in result.quality.flags if flag.code == "msis29.items_imputed")
    assert (flag.evidence["scale"], flag.evidence["items"]) == ("physical_impact", 10)
    assert result.quality.verdict == "limited"


def test_a_missing_answer_counts_as_the_mean_of_the_others_of_its_scale() -> None:
    answers = dict.fromkeys(ALL, 2) | {"1": 4, "21": 1}
    del answers["20"]
    told = values(of_answers("msis29", answers))
    assert told["physical_impact"] == pytest.approx(100 * ((4 + 18 * 2) / 19 - 1) / 3)
    assert told["psychological_impact"] == pytest.approx(100 * (17 - 9) / 27)
