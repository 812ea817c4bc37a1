"""How the long table becomes a table of repeats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from konectom.errors import FieldInvalid
from konectom.scoring.reliability.design import Design, Labels, Period, Periods, Values, Windows
from konectom.scoring.reliability.table import StudyTable, gathered, repeat_of, table_of

NAN = float("nan")


def table(*rows, key="cps.correct"):
    """Rows of (patient, day, value, label)."""
    columns = list(zip(*[(*row, "")[:4] for row in rows], strict=True)) or [(), (), (), ()]
    return StudyTable(
        patient=np.array(columns[0], dtype=np.str_),
        key=np.array([key] * len(rows), dtype=np.str_),
        at_day=np.array(columns[1], dtype=float),
        value=np.array(columns[2], dtype=float),
        label=np.array(columns[3], dtype=np.str_),
    )


def repeats(rows, repeats, run_in=0, statistic="median"):
    return table_of(table(*rows).series("cps.correct", run_in), repeats, statistic).tolist()


def test_windows_follow_each_other_from_each_patients_first_value():
    rows = [("P2", 105, 5), ("P2", 118, 7), ("P2", 119, 9), ("P1", 20, 3), ("P1", 10, 1), ("P1", 12, 2), ("P1", 40, 99)]
    assert repeats(rows, Windows(2, 10, 1)) == [[1.5, 3], [5, 8]]


def test_a_window_with_too_few_values_is_missing_and_the_next_does_not_take_its_place():
    rows = [("P1", day, day) for day in (0, 1, 2, 15, 28, 29, 30)]
    assert repeats(rows, Windows(3, 14, 3)) == [[1, pytest.approx(NAN, nan_ok=True), 29]]


def test_windows_begin_half_a_day_before_the_first_value():
    """So a test at about the same hour of the 15th day is of the second window, clocks having changed or not."""
    series = table(("P1", 100.5, 1), ("P1", 114.46, 2), ("P1", 113.9, 3)).series("cps.correct")
    assert repeat_of(series, Windows(2, 14, 1)).tolist() == [0, 0, 1]


def test_the_run_in_counts_tests_whether_they_gave_a_value_or_not():
    rows = [("P1", 0, 1), ("P1", 1, NAN), ("P1", 2, 3), ("P1", 3, 4), ("P2", 0, 7)]
    assert repeats(rows, Values(2), run_in=2) == [[3, 4]]
    assert repeats(rows, Values(2)) == [[1, 3], [7, pytest.approx(NAN, nan_ok=True)]]


def test_periods_are_the_same_for_all_and_their_end_is_not_part_of_them():
    rows = [("P1", 5, 1), ("P1", 10, 2), ("P1", 12, 4), ("P1", 20, 9), ("P2", 9.99, 8)]
    design = Periods((Period("first", 0, 10), Period("second", 10, 20)))
    assert repeats(rows, design) == [[1, 3], [8, pytest.approx(NAN, nan_ok=True)]]


def test_labels_are_the_repeats_that_values_carry():
    rows = [("P1", 1, 1, "remote"), ("P1", 2, 2, "supervised"), ("P1", 3, 5, "remote"), ("P1", 4, 9, "")]
    assert repeats(rows, Labels(("supervised", "remote")), statistic="mean") == [[2, 3]]


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-1e9, 1e9)), max_size=40))
def test_cells_hold_numpys_median_and_mean(rows):
    cell, value = np.array([row[0] for row in rows], dtype=np.intp), np.array([row[1] for row in rows])
    for statistic, of_numpy in (("median", np.median), ("mean", np.mean)):
        found = gathered(cell, value, 6, statistic, least=2)
        for number in range(6):
            own = value[cell == number]
            expected = float(of_numpy(own)) if own.size >= 2 else NAN
            assert found[number] == pytest.approx(expected, rel=1e-9, abs=1e-6, nan_ok=True)


def test_other_scores_and_patients_without_values_are_not_there():
    mixed = table(("P1", 0, 1), ("P2", 0, NAN))
    assert mixed.series("cps.correct").codes.tolist() == ["P1"]
    assert mixed.series("tap.valid_taps").codes.size == 0
    assert mixed.keys == ("cps.correct",)


@pytest.mark.parametrize(
    ("make", "at"),
    [
        (lambda: Windows(count=1), "/count"),
        (lambda: Windows(count=51), "/count"),
        (lambda: Values(count=0), "/count"),
        (lambda: Windows(window_days=0), "/window_days"),
        (lambda: Windows(window_days=NAN), "/window_days"),
        (lambda: Windows(tests_min=0), "/tests_min"),
        (lambda: Periods((Period("a", 0, 1),)), "/periods"),
        (lambda: Periods((Period("a", 0, 2), Period("b", 1, 3))), "/periods"),
        (lambda: Periods((Period("a", 0, 1), Period("a", 1, 3))), "/periods"),
        (lambda: Period("a", 1, 1), "/periods"),
        (lambda: Labels(("a", "a")), "/labels"),
        (lambda: Design(confidence=1.0), "/confidence"),
        (lambda: Design(statistic="mode"), "/statistic"),
        (lambda: Design(match_days=-1), "/match_days"),
        (lambda: Design(match_days=NAN), "/match_days"),
        (lambda: Design(run_in=-1), "/run_in"),
        (lambda: Design(run_in={"tap.valid_taps": -1}), "/run_in"),
        (lambda: table(("P1", NAN, 1)), "/at_day"),
        (lambda: table(("P1", 0, float("inf"))), "/value/0"),
    ],
)
def test_what_is_no_design_or_table_says_where(make, at):
    with pytest.raises(FieldInvalid) as refusal:
        make()
    assert refusal.value.at == at


def test_columns_of_different_length_are_refused():
    with pytest.raises(FieldInvalid) as refusal:
        StudyTable(np.array(["P1"]), np.array(["a", "b"]), np.zeros(1), np.zeros(1), np.array([""]))
    assert refusal.value.at == "/key"


def test_a_design_can_be_written_down():
    told = Design(repeats=Periods((Period("a", 0, 1), Period("b", 1, 2))), references=("obs.sdmt.correct",)).as_dict()
    assert told["repeats"]["kind"] == "periods"
    assert told["repeats"]["periods"][1] == {"name": "b", "start_day": 1, "end_day": 2}
    assert told["references"] == ("obs.sdmt.correct",)
