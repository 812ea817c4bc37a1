"""Sums, transforms, cut-offs and missing items against published examples, closed forms and the library's values."""

from datetime import date

import numpy as np
import pytest

from konectom import formats
from konectom.assessments._answers import read_answers
from konectom.errors import FieldInvalid, FieldMissing
from konectom.scoring.scales import Scored, find_scale
from konectom.scoring.scales.alsfrs_r import DAYS_A_MONTH
from tests.shared import expected, inflated, needs_shared, recordings


def items(count: int, value: int) -> dict[str, object]:
    return {f"item_{n}": value for n in range(1, count + 1)}


def codes(scored: Scored) -> list[str]:
    return [flag.code for flag in scored.flags]


# MSWS-12


def test_the_published_example_of_the_walking_scale() -> None:
    """rehabknowledge.com, MS quiz, case 8: 34 points of version 2 are 52.38 %; version 1 divides by 48."""
    assert find_scale("msws12").score({"version": "v2", "sum": 34}).values["impact"] == pytest.approx(52.38, abs=0.005)
    assert find_scale("msws12").score({"version": "v1", "sum": 34}).values["impact"] == pytest.approx(100 * 22 / 48)


def test_the_walking_scale_from_its_items() -> None:
    given = items(12, 3) | {"version": "v1"}
    assert find_scale("msws12").score(given).values == {"impact": 50.0, "sum": 36.0}
    del given["item_7"]
    scored = find_scale("msws12").score(given)
    assert scored.values == {}
    assert set(scored.absent.values()) == {"items_missing"}


def test_the_version_has_to_be_said_and_to_fit() -> None:
    with pytest.raises(FieldMissing) as unsaid:
        find_scale("msws12").score({"sum": 34})
    assert unsaid.value.at == "/values/version"
    with pytest.raises(FieldInvalid):
        find_scale("msws12").score({"version": "v2", "sum": 55})
    assert find_scale("msws12").score({"version": "v1", "sum": 60}).values["impact"] == 100.0


# MSIS-29


@pytest.mark.parametrize(("version", "answers"), [("v1", 5), ("v2", 4)])
def test_the_impact_scale_runs_from_0_to_100_in_both_versions(version: str, answers: int) -> None:
    for answer in range(1, answers + 1):
        scored = find_scale("msis29").score({**items(29, answer), "version": version})
        share = 100 * (answer - 1) / (answers - 1)
        assert scored.values["physical_impact"] == pytest.approx(share)
        assert scored.values["psychological_impact"] == pytest.approx(share)
        assert scored.values["physical_sum"] == 20 * answer


def test_a_fifth_answer_is_of_version_1_alone() -> None:
    with pytest.raises(FieldInvalid) as refused:
        find_scale("msis29").score({**items(29, 4), "item_12": 5, "version": "v2"})
    assert refused.value.at == "/values/item_12"


def test_half_of_the_items_are_enough_for_the_impact_but_not_for_the_sum() -> None:
    given = {f"item_{n}": 3 for n in range(1, 11)} | {"version": "v2"}
    scored = find_scale("msis29").score(given)
    assert scored.values == {"physical_impact": pytest.approx(200 / 3)}
    assert scored.absent["physical_sum"] == scored.absent["psychological_impact"] == "items_missing"
    assert scored.flags[0].evidence == {"of": "physical_impact", "items": 10}
    del given["item_1"]
    assert find_scale("msis29").score(given).values == {}


@needs_shared
def test_sums_of_a_real_questionnaire_are_those_of_the_published_library() -> None:
    compared = 0
    for path in recordings("bdh/MSIS29"):
        session = formats.read(inflated(path))
        published = {row["measure_id"]: float(row["value"]) for row in expected(path)}
        for recording in session.recordings:
            answers = read_answers(recording)
            final = {name.lstrip("0"): answers.value[answers.item == name][-1] for name in np.unique(answers.item)}
            if "msis29-ans_phys" in published:
                given = {f"item_{number}": value for number, value in final.items()} | {"version": "v2"}
                scored = find_scale("msis29").score(given)
                assert scored.values["physical_sum"] == published["msis29-ans_phys"]
                assert scored.values["psychological_sum"] == published["msis29-ans_psy"]
                compared += 1
    assert compared


# PHQ-9 and GAD-7


@pytest.mark.parametrize(
    ("total", "band"),
    [
        (0, "minimal"),
        (4, "minimal"),
        (5, "mild"),
        (9, "mild"),
        (10, "moderate"),
        (14, "moderate"),
        (15, "moderately severe"),
        (19, "moderately severe"),
        (20, "severe"),
        (27, "severe"),
    ],
)
def test_depression_has_its_published_cut_offs(total: int, band: str) -> None:
    scored = find_scale("phq9").score({"total": total})
    assert (scored.values, scored.bands) == ({"total": total}, {"total": band})
    assert codes(scored) == ["item_9_unanswered"]


@pytest.mark.parametrize(("total", "band"), [(4, "minimal"), (5, "mild"), (10, "moderate"), (15, "severe")])
def test_anxiety_has_its_published_cut_offs(total: int, band: str) -> None:
    assert find_scale("gad7").score({"total": total}).bands == {"total": band}


def test_any_thought_of_self_harm_raises_an_alarm() -> None:
    quiet = find_scale("phq9").score(items(9, 0))
    assert (quiet.values, quiet.alarms, quiet.flags) == ({"total": 0.0}, (), ())
    for answer in (1, 2, 3):
        scored = find_scale("phq9").score(items(9, 0) | {"item_9": answer})
        assert [(alarm.code, alarm.severity, alarm.evidence["value"]) for alarm in scored.alarms] == [
            ("self_harm_thoughts", "error", answer)
        ]
        assert scored.values["total"] == answer
    alone = find_scale("phq9").score({"item_9": 1})
    assert [alarm.code for alarm in alone.alarms] == ["self_harm_thoughts"]
    assert alone.absent == {"total": "items_missing"}


def test_two_missing_items_of_nine_count_as_the_mean_and_three_are_too_many() -> None:
    given = items(9, 2)
    given |= {"item_1": 1, "item_9": 0}
    del given["item_3"], given["item_4"]
    scored = find_scale("phq9").score(given)
    assert scored.values["total"] == pytest.approx(11 / 7 * 9)
    assert codes(scored) == ["items_imputed"]
    del given["item_5"]
    assert find_scale("phq9").score(given).absent == {"total": "items_missing"}


def test_anxiety_needs_all_items() -> None:
    given = items(7, 1)
    assert find_scale("gad7").score(given).values == {"total": 7.0}
    del given["item_7"]
    assert find_scale("gad7").score(given).absent == {"total": "items_missing"}


def test_a_total_that_is_not_the_sum_is_told_and_the_sum_counts() -> None:
    scored = find_scale("gad7").score(items(7, 1) | {"total": 9})
    assert scored.values["total"] == 7.0
    assert [(flag.code, flag.evidence) for flag in scored.flags] == [
        ("total_disagrees", {"given": 9.0, "computed": 7.0})
    ]


# ALSFRS-R

FUNCTIONS = (
    "speech",
    "salivation",
    "swallowing",
    "handwriting",
    "cutting_food",
    "dressing_and_hygiene",
    "turning_in_bed",
    "walking",
    "climbing_stairs",
    "dyspnoea",
    "orthopnoea",
    "respiratory_insufficiency",
)


def test_domains_are_sums_of_three_and_the_total_of_twelve() -> None:
    points = (4, 3, 2, 1, 0, 1, 2, 3, 4, 4, 4, 3)
    scored = find_scale("alsfrs_r").score(dict(zip(FUNCTIONS, points, strict=True)))
    assert scored.values == {"total": 31, "bulbar": 9, "fine_motor": 2, "gross_motor": 9, "respiratory": 11}
    assert scored.absent == {"slope": "onset_unknown"}


def test_the_variant_of_item_5_follows_the_gastrostomy() -> None:
    rest = dict.fromkeys((name for name in FUNCTIONS if name != "cutting_food"), 4)
    both = {"cutting_food_5a": 1, "cutting_food_5b": 3}
    score = find_scale("alsfrs_r").score
    assert score(rest | {"cutting_food_5b": 3}).values["total"] == 47
    assert score(rest | both | {"gastrostomy": "no"}).values["total"] == 45
    assert score(rest | both | {"gastrostomy": True}).values["total"] == 47
    unclear = score(rest | both)
    assert "total" not in unclear.values
    assert (unclear.absent["fine_motor"], codes(unclear)) == ("items_missing", ["variant_unclear"])
    assert score(rest | {"cutting_food_5a": 2, "cutting_food_5b": 2}).values["total"] == 46


def test_the_slope_is_points_lost_a_month_since_onset() -> None:
    score = find_scale("alsfrs_r").score
    after = score({"total": 36, "onset": "2024-01-15"}, on=date(2025, 1, 14))
    assert after.values["slope"] == pytest.approx(12 / (365 / DAYS_A_MONTH))
    assert after.values["slope"] == pytest.approx(1.0, abs=0.002)  # 12 points in 12 months
    assert score({"total": 48, "onset": "2024-01-15"}, on=date(2024, 2, 1)).absent["slope"] == "too_soon"
    assert score({"total": 48, "onset": "2024-01-15"}).absent["slope"] == "not_given"
    with pytest.raises(FieldInvalid) as refused:
        score({"total": 48, "onset": "2024-01-15"}, on=date(2023, 2, 1))
    assert refused.value.at == "/values/onset"


# the others


@pytest.mark.parametrize(
    ("points", "years", "total", "band"),
    [(25, 12, 26, "normal"), (25, 13, 25, "below normal"), (30, 8, 30, "normal"), (26, 16, 26, "normal")],
)
def test_the_point_for_education(points: int, years: int, total: int, band: str) -> None:
    scored = find_scale("moca").score({"points": points, "education_years": years})
    assert (scored.values["total"], scored.bands["total"]) == (total, band)


def test_points_without_education_are_no_total() -> None:
    assert find_scale("moca").score({"points": 25}).absent == {"total": "education_unknown"}
    scored = find_scale("moca").score({"points": 25, "education_years": 10, "total": 25})
    assert (scored.values["total"], codes(scored)) == (26.0, ["total_disagrees"])


def test_theta_becomes_a_t_score_and_a_raw_score_does_not() -> None:
    scored = find_scale("neuroqol").score({"fatigue_theta": -1.25, "sleep_raw": 20, "stigma": 55.3})
    assert scored.values == {"fatigue": 37.5, "sleep_raw": 20.0, "stigma": 55.3}
    assert (scored.absent["sleep"], scored.absent["anxiety"]) == ("no_conversion", "not_given")
    assert codes(find_scale("neuroqol").score({"fatigue": 40, "fatigue_theta": -1.25})) == ["t_score_disagrees"]


def test_directions_of_neuro_qol_follow_what_is_asked() -> None:
    better = {quantity.name: quantity.better for quantity in find_scale("neuroqol").quantities}
    assert better["lower_extremity"] == "higher"
    assert better["fatigue"] == better["emotional_behavioral_dyscontrol"] == "lower"


def test_motor_scales_of_sma() -> None:
    assert find_scale("hfmse").score(items(33, 2)).values == {"total": 66.0}
    assert find_scale("hfmse").score(items(32, 2)).absent == {"total": "items_missing"}
    assert find_scale("rulm").score({"total": 37}).values == {"total": 37.0}
    with pytest.raises(FieldInvalid):
        find_scale("rulm").score({"total": 38})


def test_disease_steps() -> None:
    assert find_scale("pdds").score({"step": 8}).values == {"step": 8.0}
    with pytest.raises(FieldInvalid):
        find_scale("pdds").score({"step": 9})
