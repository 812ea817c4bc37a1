"""Agreement against Bland & Altman's own data, R, SimplyAgree's published output, and a simulated truth."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from konectom.errors import FieldInvalid
from konectom.scoring.reliability.bland_altman import bland_altman, repeated_pairs, repeated_values
from tests.scoring.reliability.simulated import assert_finite, coverage
from tests.scoring.reliability.test_sem import WRIGHT

MINI = np.array(
    [
        [512, 525], [430, 415], [520, 508], [428, 444], [500, 500], [600, 625], [364, 460], [380, 390], [658, 642],
        [445, 432], [432, 420], [626, 605], [260, 227], [477, 467], [259, 268], [350, 370], [451, 443],
    ],
    float,
)  # fmt: skip
"""The same people's readings by the other meter, of the same paper."""

ZOU_PATIENT = np.repeat([1, 2, 3, 4], [5, 4, 6, 5])
ZOU_X = np.array([7.83, 7.42, 7.89, 7.12, 7.88, 6.16, 7.26, 6.71, 6.54, 4.75, 5.24, 4.86, 4.78, 6.05, 5.42, 4.21, 3.61,
                  3.72, 3.87, 3.92])  # fmt: skip
ZOU_Y = np.array([6.57, 5.62, 6.90, 6.57, np.nan, 4.06, 4.29, 4.26, np.nan, 4.71, 5.50, 5.08, 5.02, 6.01, 5.67, 4.14,
                  4.20, 4.61, 4.68, 5.04])  # fmt: skip
"""The data set ``reps`` of SimplyAgree 0.3.0, of which its vignette prints the results."""


def of(estimate):
    return estimate.value, estimate.low, estimate.high


def test_the_peak_flow_meters():
    """The paper: mean difference -2.1 l/min with 95 % limits -22.1 and 17.8, SD 38.8.

    Limits of agreement: R 4.5, ``mean(d) + qt(c(.025, .975), 16, qnorm(.975) * sqrt(17)) / sqrt(17) * sd(d)``; slope by
    ``lm(d ~ I((w + m) / 2))``.
    """
    found = bland_altman(MINI[:, 0], WRIGHT[:, 0])
    assert of(found.bias) == pytest.approx((-2.11764705882, -22.0488376966, 17.8135435790), rel=1e-9)
    assert found.sd == pytest.approx(38.7651298736)
    assert of(found.upper) == pytest.approx((73.8606113495, 48.8596372991, 119.9255041772), rel=1e-9)
    assert of(found.lower) == pytest.approx((-78.0959054671, -124.1607982948, -53.0949314167), rel=1e-9)
    assert of(found.slope) == pytest.approx((0.0286874451525, -0.1593200636840, 0.2166949539891), rel=1e-9)
    assert found.slope_p == pytest.approx(0.7494985336493, rel=1e-9)
    assert (found.pairs, found.patients) == (17, 17)


def test_limits_of_two_standard_deviations_as_the_paper_has_them():
    """It takes 2 SD: limits of agreement -79.7 and 75.5 (with its rounded mean and SD)."""
    found = bland_altman(MINI[:, 0], WRIGHT[:, 0], agreement=2 * scipy.stats.norm.cdf(2) - 1)
    assert (found.lower.value, found.upper.value) == pytest.approx((-79.7, 75.5), abs=0.15)


def test_replicates_whose_true_value_stays_as_simplyagree_prints_them():
    """``agree_reps(x, y, id, reps, agree.level = .8)``; its limits have 90 % confidence."""
    patient, kind = np.tile(ZOU_PATIENT, 2), np.repeat([True, False], 20)
    found = repeated_values(patient, kind, np.concatenate([ZOU_X, ZOU_Y]), agreement=0.8, confidence=0.9)
    assert found.bias.value == pytest.approx(0.7152, abs=5e-5)
    assert of(found.lower) == pytest.approx((-1.2117, -4.7970, 0.1054), abs=5e-5)
    assert of(found.upper) == pytest.approx((2.6421, 1.3250, 6.2274), abs=5e-5)


def test_pairs_whose_true_value_moves_as_simplyagree_prints_them():
    """``agree_nest(x, y, id, reps, agree.level = .8)``."""
    found = repeated_pairs(ZOU_PATIENT, ZOU_Y, ZOU_X, agreement=0.8, confidence=0.9)
    assert found.bias.value == pytest.approx(0.7101, abs=5e-5)
    assert of(found.lower) == pytest.approx((-1.1626, -4.8172, 0.1811), abs=5e-5)
    assert of(found.upper) == pytest.approx((2.5828, 1.2390, 6.2374), abs=5e-5)
    assert (found.patients, found.pairs) == (4, 18)


def test_replicates_put_back_what_averaging_took_away():
    """Variance of the mean differences plus a quarter of the variance of each meter's differences, by hand."""
    patient, kind = np.repeat(np.arange(17), 4), np.tile([False, False, True, True], 17)
    found = repeated_values(patient, kind, np.hstack([WRIGHT, MINI]).ravel())
    means = MINI.mean(axis=1) - WRIGHT.mean(axis=1)
    quarters = sum(np.mean(np.diff(each, axis=1) ** 2) / 4 for each in (WRIGHT, MINI))
    assert found.sd == pytest.approx((means.var(ddof=1) + quarters) ** 0.5)
    assert found.bias.value == pytest.approx(means.mean())


def test_limits_of_agreement_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(8)
    found = [bland_altman(np.zeros(12), rng.normal(1, 2, 12)) for _ in range(1500)]
    for limits, truth in (("upper", 1 + 1.959963985 * 2), ("lower", 1 - 1.959963985 * 2), ("bias", 1)):
        intervals = [of(getattr(each, limits))[1:] for each in found]
        assert coverage(intervals, truth) == pytest.approx(0.95, abs=0.0225), limits


@pytest.mark.parametrize("linked", [True, False])
def test_limits_of_agreement_with_repeats_hold_the_truth(linked):
    """Zou's limits are approximate: 92 to 98 %. Patients differ by SD 1 in their bias, single values by SD 1 each."""
    rng = np.random.default_rng(9)
    patient = np.repeat(np.arange(30), 3)
    truth = 0.5 + 1.959963985 * 3**0.5
    intervals = []
    for _ in range(1000):
        true = rng.normal(0, 5, 90 if linked else 30)
        first = (true if linked else true[patient]) + rng.normal(0, 1, 90)
        second = (true if linked else true[patient]) + 0.5 + rng.normal(0, 1, 30)[patient] + rng.normal(0, 1, 90)
        if linked:
            found = repeated_pairs(patient, first, second)
        else:
            kinds = np.repeat([False, True], 90)
            found = repeated_values(np.tile(patient, 2), kinds, np.concatenate([first, second]))
        intervals.append(of(found.upper)[1:])
    assert coverage(intervals, truth) == pytest.approx(0.95, abs=0.03)


def test_a_bias_that_grows_with_the_size_has_a_slope():
    true = np.linspace(10, 100, 40)
    noise = np.random.default_rng(2).normal(0, 1, 40)
    found = bland_altman(true, true * 1.1 + noise)
    assert found.slope.low < 0.1 / 1.05 < found.slope.high
    assert found.slope_p < 1e-6


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [([1.0], [2.0], "fewer than 2 pairs"), ([], [], "fewer than 2 pairs"), ([1.0, np.nan], [2.0, 3.0], "fewer than 2"),
     ([1.0, 2.0, 3.0], [2.0, 3.0, 4.0], "do not vary"), ([0.1, 0.2], [0.1, 0.2], "do not vary")],
)  # fmt: skip
def test_what_cannot_be_computed_says_why(first, second, reason):
    found = bland_altman(first, second)
    for each in (found.bias, found.lower, found.upper, found.slope):
        assert each.low is None
        assert reason in each.reason


def test_repeats_need_repeats():
    assert "several measurements" in repeated_pairs([1, 2, 3], [1.0, 2, 3], [2.0, 2, 5]).bias.reason
    assert "both measurements" in repeated_values([1, 1, 2, 2], [0, 0, 1, 1], [1.0, 2, 3, 4]).bias.reason
    assert "both measurements" in repeated_pairs([1, 1], [1.0, 2], [2.0, 2]).bias.reason
    assert "several measurements" in repeated_values([1, 1, 2, 2], [0, 1, 0, 1], [1.0, 2, 3, 4]).bias.reason


def test_columns_of_different_length_are_refused():
    with pytest.raises(FieldInvalid):
        bland_altman([1.0, 2.0], [1.0])
    with pytest.raises(FieldInvalid):
        repeated_pairs([1], [1.0, 2.0], [1.0, 2.0])
    with pytest.raises(FieldInvalid):
        repeated_values([1, 2], [True], [1.0, 2.0])


NUMBERS = st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, 2.0]))


@given(st.lists(st.tuples(st.integers(0, 3), NUMBERS, NUMBERS), max_size=15))
def test_nothing_is_ever_nan(rows):
    patient, x, y = (np.array([row[place] for row in rows]) for place in range(3))
    x, y = x.astype(float), y.astype(float)
    kinds = np.repeat([False, True], len(rows))
    for found in (
        bland_altman(x, y),
        repeated_pairs(patient, x, y),
        repeated_values(np.tile(patient, 2), kinds, np.concatenate([x, y])),
    ):
        assert_finite(found.as_dict())
        for each in (found.bias, found.lower, found.upper, found.slope):
            assert each.low is not None or each.reason


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1000), st.floats(-1000, 1000))
def test_a_common_shift_does_not_matter_and_a_unit_scales(seed, scale, shift):
    rng = np.random.default_rng(seed)
    x = rng.normal(50, 10, 9)
    y = x + rng.normal(1, 3, 9)
    one, other = bland_altman(x, y), bland_altman(x * scale + shift, y * scale + shift)
    for name in ("bias", "lower", "upper"):
        expected = [each * scale for each in of(getattr(one, name))]
        assert of(getattr(other, name)) == pytest.approx(expected, rel=1e-5, abs=1e-6 * scale)
    assert other.slope.value == pytest.approx(one.slope.value, rel=1e-5, abs=1e-6)
