"""Correlations against R (cor.test, rmcorr), statpsych's example, pingouin and scipy, and a simulated truth."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from konectom.errors import FieldInvalid
from konectom.scoring.reliability.correlation import pearson, repeated, spearman
from tests.scoring.reliability.simulated import assert_finite, coverage

X = [0.83, 0.91, 0.44, 0.72, 0.11, 0.35, 0.67, 0.98, 0.23, 0.51]
Y = [2, 5, 1, 4, 1.5, 2.2, 2, 6, 3, 1]

SUBJECT = np.repeat(np.arange(1, 9), [4, 4, 9, 5, 8, 6, 3, 8])
PH = [
    6.68, 6.53, 6.43, 6.33, 6.85, 7.06, 7.13, 7.17, 7.4, 7.42, 7.41, 7.37, 7.34, 7.35, 7.28, 7.3, 7.34, 7.36, 7.33,
    7.29, 7.3, 7.35, 7.35, 7.3, 7.3, 7.37, 7.27, 7.28, 7.32, 7.32, 7.38, 7.3, 7.29, 7.33, 7.31, 7.33, 6.86, 6.94,
    6.92, 7.19, 7.29, 7.21, 7.25, 7.2, 7.19, 6.77, 6.82,
]  # fmt: skip
PACO2 = [
    3.97, 4.12, 4.09, 3.97, 5.27, 5.37, 5.41, 5.44, 5.67, 3.64, 4.32, 4.73, 4.96, 5.04, 5.22, 4.82, 5.07, 5.67, 5.1,
    5.53, 4.75, 5.51, 4.28, 4.44, 4.32, 3.23, 4.46, 4.72, 4.75, 4.99, 4.78, 4.73, 5.12, 4.93, 5.03, 4.93, 6.85,
    6.44, 6.52, 5.28, 4.56, 4.34, 4.32, 4.41, 3.69, 6.09, 5.58,
]  # fmt: skip
"""pH and PaCO2 of eight people (Bland & Altman, BMJ 310 (1995) 446), as rmcorr and pingouin carry them."""


def of(estimate):
    return estimate.value, estimate.low, estimate.high


def test_pearson_as_r_has_it():
    """R 4.5, ``cor.test``."""
    found = pearson(X, Y)
    assert of(found.r) == pytest.approx((0.6523699847388, 0.0385976365400, 0.9087343053436), rel=1e-10)
    assert (found.p, found.df, found.pairs) == (pytest.approx(0.0409079734824, rel=1e-10), 8, 10)


def test_spearman_as_statpsych_and_r_have_it():
    """statpsych's ci.spear: 0.8699639 (0.5840951, 0.9638297); p of R's ``cor.test(method = "spearman", exact =
    FALSE)``.
    """
    y = [21, 4, 9, 12, 35, 18, 10, 22, 24, 1, 6, 8, 13, 16, 19]
    x = [67, 28, 30, 28, 52, 40, 25, 37, 44, 10, 14, 20, 28, 40, 51]
    found = spearman(x, y)
    assert of(found.r) == pytest.approx((0.8699639, 0.5840951, 0.9638297), abs=5e-8)
    assert found.p == pytest.approx(2.49200608036178e-05, rel=1e-9)


def test_repeated_measures_as_rmcorr_and_pingouin_have_it():
    """rmcorr 0.7.0, ``rmcorr(Subject, pH, PaCO2, bland1995)``; pingouin 0.7.0 gives the same r, df and p."""
    found = repeated(SUBJECT, PH, PACO2)
    assert of(found.r) == pytest.approx((-0.506769742233062, -0.706714636385944, -0.231863119756676), rel=1e-10)
    assert found.p == pytest.approx(0.000847108109129, rel=1e-9)
    assert (found.df, found.pairs, found.patients) == (38, 47, 8)


@pytest.mark.parametrize(("own", "of_scipy"), [(pearson, scipy.stats.pearsonr), (spearman, scipy.stats.spearmanr)])
def test_values_and_p_as_scipy_has_them(own, of_scipy):
    rng = np.random.default_rng(2)
    x = np.round(rng.normal(0, 1, 60), 1)
    y = np.round(x + rng.normal(0, 2, 60), 1)
    found, expected = own(x, y), of_scipy(x, y)
    assert (found.r.value, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)


@pytest.mark.parametrize("own", [pearson, spearman])
def test_intervals_hold_the_truth_as_often_as_they_say(own):
    rng = np.random.default_rng(3)
    truth = 0.6 if own is pearson else 6 / np.pi * np.arcsin(0.3)
    found = []
    for _ in range(1500):
        x = rng.normal(0, 1, 40)
        found.append(own(x, 0.6 * x + 0.8 * rng.normal(0, 1, 40)))
    assert coverage([of(each.r)[1:] for each in found], truth) == pytest.approx(0.95, abs=0.0225)


def test_intervals_within_patients_hold_the_truth():
    """Eight patients with five pairs each, r 0.5 within them, whatever their own levels."""
    rng = np.random.default_rng(4)
    patient = np.repeat(np.arange(8), 5)
    found = []
    for _ in range(1500):
        x = rng.normal(0, 1, 40)
        y = 0.5 * x + 0.75**0.5 * rng.normal(0, 1, 40)
        found.append(repeated(patient, x + rng.normal(0, 9, 8)[patient], y + rng.normal(0, 9, 8)[patient]))
    assert coverage([of(each.r)[1:] for each in found], 0.5) == pytest.approx(0.95, abs=0.0225)


def test_patients_with_one_pair_say_nothing_of_what_is_within():
    more = repeated([*SUBJECT, 20, 21], [*PH, 7.0, 7.1], [*PACO2, 9.0, np.nan])
    assert more == repeated(SUBJECT, PH, PACO2)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (pearson([1.0, 2.0], [1.0, 2.0]), "too few"),
        (pearson([1.0, 2.0, np.nan], [1.0, 2.0, 3.0]), "too few"),
        (pearson([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]), "does not vary"),
        (spearman([1.0, 2.0, 3.0], [0.3, 0.3, 0.3]), "does not vary"),
        (pearson([1.0, 2.0, 4.0, 5.0], [2.0, 4.0, 8.0, 10.0]), "no limits"),
        (pearson([1.0, 2.0, 4.0], [2.0, 5.0, 8.0]), "too few pairs for limits"),
        (repeated([1, 2, 3], [1.0, 2.0, 3.0], [1.0, 2.0, 4.0]), "several pairs"),
        (repeated([1, 1, 2, 2], [1.0, 1.0, 3.0, 3.0], [1.0, 2.0, 4.0, 4.5]), "within any patient"),
    ],
)
def test_what_cannot_be_computed_says_why(found, reason):
    assert (found.r.low, found.r.high) == (None, None)
    assert reason in found.r.reason


def test_columns_of_different_length_are_refused():
    with pytest.raises(FieldInvalid):
        pearson([1.0, 2.0], [1.0])
    with pytest.raises(FieldInvalid):
        repeated([1], [1.0, 2.0], [1.0, 2.0])


NUMBERS = st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, 2.0]))


@given(st.lists(st.tuples(st.integers(0, 3), NUMBERS, NUMBERS), max_size=15))
def test_nothing_is_ever_nan(rows):
    patient, x, y = (np.array([row[place] for row in rows], dtype=float) for place in range(3))
    for found in (pearson(x, y), spearman(x, y), repeated(patient, x, y)):
        assert_finite(found.as_dict())
        assert found.r.low is not None or found.r.reason


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1000), st.floats(-1000, 1000))
def test_neither_unit_nor_zero_point_matter(seed, scale, shift):
    rng = np.random.default_rng(seed)
    x, y, patient = rng.normal(0, 1, 12), rng.normal(0, 1, 12), np.repeat(np.arange(4), 3)
    for one, other in (
        (pearson(x, y), pearson(x * scale + shift, y)),
        (spearman(x, y), spearman(x, y * scale + shift)),
        (repeated(patient, x, y), repeated(patient, x * scale + shift, y)),
    ):
        assert of(other.r) == pytest.approx(of(one.r), rel=1e-5, abs=1e-6)
