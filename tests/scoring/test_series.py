import numpy as np
import pytest

from konectom.assessments import every_assessment
from konectom.errors import DataError
from konectom.scoring.runs import RUN_INS, run_index
from konectom.scoring.series import Score, Series

SCORE = Score("cps.correct[symbol_to_digit]", "symbols right", "1", "higher", "assessment", "cps", ratio=True)


def test_sorts_by_time_and_keeps_each_value_with_its_own() -> None:
    series = Series.of(
        SCORE,
        [3.0, 1.0, 2.0],
        [30, 10, None],
        verdict=["limited", "valid", "invalid"],
        run=[3, 1, 2],
        version=[2, 1, 1],
    )
    assert series.at_day.tolist() == [1, 2, 3]
    assert series.value[[0, 2]].tolist() == [10, 30]
    assert np.isnan(series.value[1])
    assert series.verdict.tolist() == [0, 2, 1]
    assert series.run.tolist() == [1, 2, 3]
    assert series.version.tolist() == [1, 1, 2]


def test_runs_count_from_one_where_none_are_given() -> None:
    assert Series.of(SCORE, [5.0, 4.0], [1, 2]).run.tolist() == [1, 2]
    assert len(Series.of(SCORE, [], [])) == 0


@pytest.mark.parametrize(
    ("at_day", "value", "more", "at"),
    [
        ([1.0, np.nan], [1, 2], {}, "/at_day/1"),
        ([1.0, np.inf], [1, 2], {}, "/at_day/1"),
        ([1.0, 2.0], [1, np.inf], {}, "/value/1"),
        ([1.0, 2.0], [1], {}, "/value"),
        ([[1.0], [2.0]], [1, 2], {}, "/at_day"),
        ([1.0, 2.0], [1, 2], {"run": [2, 1]}, "/run/1"),
        ([1.0, 2.0], [1, 2], {"run": [0, 1]}, "/run/0"),
        ([1.0, 2.0], [1, 2], {"verdict": ["valid", "superb"]}, "/verdict/1"),
        ([1.0, 2.0], [1, 2], {"version": [1, 2, 3]}, "/version"),
    ],
)
def test_says_what_does_not_fit(at_day: list[float], value: list[float], more: dict[str, object], at: str) -> None:
    with pytest.raises(DataError) as refused:
        Series.of(SCORE, at_day, value, **more)  # type: ignore[arg-type]
    assert refused.value.at == at


def test_times_out_of_order_are_refused() -> None:
    ones = np.ones(2, dtype=np.int64)
    with pytest.raises(DataError) as refused:
        Series(SCORE, np.array([2.0, 1.0]), np.ones(2), ones, ones, ones)
    assert refused.value.at == "/at_day/1"


def test_per_cent_is_for_what_has_a_zero() -> None:
    def ratio(key: str) -> bool:
        assessment = every_assessment()[key.split(".")[0]]
        (entry,) = (each for each in assessment.catalogue.scores if each.key == key)
        return Score.of_entry(entry, title=assessment.title, domain=assessment.domain).ratio

    assert ratio("cps.correct[symbol_to_digit]")
    assert ratio("walk.distance[6mwt]")
    # A difference, a percentage, a sum of answers, a T score.
    assert not ratio("cps.substitution_time")
    assert not ratio("cps.accuracy[symbol_to_digit]")
    assert not ratio("alsfrs_r.total")
    assert not ratio("neuroqol.t_score[fatigue]")


def test_every_assessment_has_a_run_in_with_a_source() -> None:
    assert set(RUN_INS) == set(every_assessment())
    for name, run_in in RUN_INS.items():
        assert run_in.runs >= 0, name
        assert run_in.source.endswith("."), name


def test_a_run_is_a_performed_test_whether_or_not_it_gave_the_score() -> None:
    performed = np.array([1.0, 1.4, 2.0, 5.0])
    assert run_index(np.array([1.4, 5.0]), performed).tolist() == [2, 4]
