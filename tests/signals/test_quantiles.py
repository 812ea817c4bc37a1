import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from konectom.signals.quantiles import ACCURACY, BINS, Medians

POSITIVE = st.floats(1e-17, 1e17)


@given(st.lists(st.tuples(st.integers(0, 3), POSITIVE), min_size=1, max_size=200))
def test_each_median_lies_within_its_accuracy(numbers):
    found = Medians()
    for start in range(0, len(numbers), 7):
        some = numbers[start : start + 7]
        found.add(np.array([series for series, _ in some]), np.array([value for _, value in some]))
    medians = found.all()
    assert set(medians) == {series for series, _ in numbers}
    for series, median in medians.items():
        values = sorted(value for of, value in numbers if of == series)
        assert median == pytest.approx(values[(len(values) - 1) // 2], rel=ACCURACY * 1.0001)


def test_what_lies_beyond_the_range_is_counted_at_its_end():
    found = Medians()
    found.add(np.zeros(3, dtype=np.int64), np.array([1e-300, 1e300, np.inf]))
    assert sorted(found.counts) == [0, BINS - 1]
    assert found.all()[0] > 1e17


def test_nothing_has_no_median():
    found = Medians()
    found.add(np.zeros(0, dtype=np.int64), np.zeros(0))
    assert found.all() == {}
