from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konectom.scoring.windows import aggregate, each_alone, window_length


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.floats(0, 400), st.integers(-50, 50)), min_size=1, max_size=60),
    st.sampled_from([1.0, 14.0, 28.0]),
    st.integers(1, 4),
    st.sampled_from(["median", "mean"]),
)
def test_each_window_is_what_a_loop_makes_of_it(
    tests: list[tuple[float, int]], days: float, least: int, statistic: str
) -> None:
    tests.sort()
    at = np.array([day for day, _ in tests])
    value = np.array([float(v) for _, v in tests])
    made = aggregate(at, value, window_days=days, tests_min=least, statistic=statistic)
    number = np.floor((at - (at[0] - 0.5)) / days)
    for index, window in enumerate(np.unique(number)):
        inside = number == window
        assert made.n[index] == inside.sum()
        assert made.at_day[index] == pytest.approx(at[inside].mean())
        assert made.start_day[index] <= at[inside].min()
        assert at[inside].max() < made.end_day[index] + 1e-9
        if inside.sum() >= least:
            assert made.value[index] == pytest.approx(getattr(np, statistic)(value[inside]))
        else:
            assert np.isnan(made.value[index])
        if inside.sum() > 1:
            # scipy.stats.median_abs_deviation(scale="normal") by its definition.
            spread = np.median(np.abs(value[inside] - np.median(value[inside]))) / 0.6744897501960817
            assert made.spread[index] == pytest.approx(spread)
        assert (made.of[inside] == index).all()
    assert made.empty == number[-1] + 1 - len(np.unique(number))


def test_a_weekly_test_at_ten_o_clock_stays_in_its_window_when_clocks_change() -> None:
    zone = ZoneInfo("Europe/Paris")
    # Both changes of the year lie between; an early and a late test beside the usual hour.
    local = [datetime(2026, month, day, 10, tzinfo=zone) for month, day in ((3, 2), (3, 16), (3, 30), (4, 13))]
    at = np.array([each.timestamp() / 86_400 for each in local])
    made = aggregate(at, np.arange(4.0), window_days=14, tests_min=1)
    assert made.n.tolist() == [1, 1, 1, 1]


def test_a_year_without_tests_is_counted_and_not_listed() -> None:
    at = np.array([0.0, 1, 2, 365, 366, 367])
    made = aggregate(at, np.ones(6), window_days=14, tests_min=3)
    assert len(made) == 2
    assert made.empty == 25


@pytest.mark.parametrize(
    ("gap", "length"), [(7 / 3, 14), (3.5, 14), (7, 28), (7.05, 28), (14, 56), (30, 56)], ids=lambda v: f"{v:.3g}"
)
def test_windows_are_widened_for_those_who_test_rarely(gap: float, length: float) -> None:
    at = np.arange(40) * gap
    assert window_length(at, 14, 3, 56) == length
    # What comes later does not move windows that were made before.
    assert window_length(np.r_[at[:9], at[8] + np.arange(1, 100) * 0.1], 14, 3, 56) == length
    assert window_length(at, 14, 3, 14) == 14


def test_values_that_stand_alone() -> None:
    made = each_alone(np.array([1.0, 5, 5, 9]), np.array([2.0, 3, 5, 7]))
    assert made.value.tolist() == [2, 4, 7]
    assert made.n.tolist() == [1, 2, 1]
    assert made.of.tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize("make", [each_alone, lambda at, v: aggregate(at, v, window_days=14, tests_min=3)])
def test_nothing_gives_nothing(make: object) -> None:
    made = make(np.empty(0), np.empty(0))  # type: ignore[operator]
    assert len(made) == 0
    assert made.known.size == 0
