"""The statistics of a series, against pandas and scipy."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from konectom.signals.statistics import LEAST_VALUES, describe, mean_of_known

PANDAS = {
    "mean": pd.Series.mean,
    "sd": pd.Series.std,
    "median": pd.Series.median,
    "min": pd.Series.min,
    "max": pd.Series.max,
    "p05": lambda series: series.quantile(0.05),
    "p90": lambda series: series.quantile(0.90),
    "p95": lambda series: series.quantile(0.95),
    "iqr": lambda series: series.quantile(0.75) - series.quantile(0.25),
    "skew": pd.Series.skew,
    "kurtosis": pd.Series.kurt,
    "cv": lambda series: series.std() / series.mean(),
    "npcv": lambda series: (series - series.mean()).abs().mean() / series.abs().mean(),
}
LEVEL = ("mean", "sd", "median", "min", "max", "p05", "p90", "p95", "iqr")
values = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 6))


def one(series: object, statistic: str) -> float:
    return float(describe(series, (statistic,))[0])  # type: ignore[arg-type]


def test_every_statistic_has_a_reference_here() -> None:
    assert set(PANDAS) == set(LEAST_VALUES)


@given(st.lists(values, min_size=1, max_size=60))
def test_location_and_spread_are_those_of_pandas(series: list[float]) -> None:
    scale = max(1.0, max(map(abs, series)))
    for name in LEVEL:
        theirs = PANDAS[name](pd.Series(series))
        ours = one(series, name)
        if len(series) < LEAST_VALUES[name]:
            assert math.isnan(ours)
        else:
            assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9 * scale), name


@given(st.lists(st.integers(-1000, 1000), min_size=4, max_size=60).filter(lambda series: len(set(series)) > 1))
def test_shape_is_that_of_pandas_and_scipy(series: list[int]) -> None:
    for name in ("skew", "kurtosis"):
        assert one(series, name) == pytest.approx(PANDAS[name](pd.Series(series)), rel=1e-6, abs=1e-6)
    assert one(series, "skew") == pytest.approx(scipy.stats.skew(series, bias=False), rel=1e-6, abs=1e-6)
    assert one(series, "kurtosis") == pytest.approx(scipy.stats.kurtosis(series, bias=False), rel=1e-6, abs=1e-6)


@given(st.lists(st.floats(0.01, 1e3), min_size=2, max_size=60))
def test_cv_is_that_of_scipy(series: list[float]) -> None:
    assert one(series, "cv") == pytest.approx(scipy.stats.variation(series, ddof=1), rel=1e-7, abs=1e-9)


@given(st.lists(values, min_size=1, max_size=60).filter(lambda series: sum(map(abs, series)) > 1))
def test_npcv_is_that_of_pandas(series: list[float]) -> None:
    assert one(series, "npcv") == pytest.approx(PANDAS["npcv"](pd.Series(series)), rel=1e-7, abs=1e-9)


@given(st.lists(st.one_of(values, st.just(math.nan)), max_size=40))
def test_missing_values_are_left_out(series: list[float]) -> None:
    names = tuple(LEAST_VALUES)
    known = [value for value in series if not math.isnan(value)]
    np.testing.assert_array_equal(describe(series, names), describe(known, names))


@given(st.lists(values, min_size=1, max_size=40), st.randoms())
def test_the_order_of_the_wanted_statistics_is_the_order_of_the_answer(series: list[float], random: object) -> None:
    names = list(LEAST_VALUES)
    random.shuffle(names)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(describe(series, names), [one(series, name) for name in names])


@pytest.mark.parametrize("name", LEAST_VALUES)
def test_each_statistic_begins_at_its_fewest_values(name: str) -> None:
    series = [1.0, 2.0, 4.0, 8.0, 16.0]
    fewest = LEAST_VALUES[name]
    assert math.isnan(one(series[: fewest - 1], name))
    assert math.isfinite(one(series[:fewest], name))


def test_a_constant_series_has_no_spread_and_no_shape() -> None:
    # pandas says skew 0 and kurtosis 0 (its test for a variance of 0); a shape without spread is undefined.
    series = [0.1] * 7
    assert describe(series, ("sd", "cv", "iqr")).tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(describe(series, ("skew", "kurtosis"))).all()


def test_a_ratio_to_zero_is_undefined() -> None:
    assert math.isnan(one([-1.0, 1.0], "cv"))


def test_an_infinite_value_counts_as_missing() -> None:
    assert one([1.0, math.inf, 3.0], "mean") == 2.0


def test_the_mean_of_known_statistics_leaves_out_what_is_missing() -> None:
    first, second = np.array([1.0, math.nan, math.nan]), np.array([3.0, 5.0, math.nan])
    np.testing.assert_array_equal(mean_of_known(first, second), [2.0, 5.0, math.nan])
    np.testing.assert_array_equal(mean_of_known(first), first)


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e-162, 1e125, 1e200, 1e300])
def test_squares_that_leave_the_range_of_numbers_cost_only_what_needs_them(size: float) -> None:
    series = size * np.array([1.0, 2.0, 4.0, 8.0])
    mean, median, skew, kurtosis = describe(series, ("mean", "median", "skew", "kurtosis"))
    assert mean == pytest.approx(3.75 * size)
    assert median == pytest.approx(3.0 * size)
    assert np.isnan([skew, kurtosis]).all()
