"""Known groups against R (t.test; MBESS; auRoc), pingouin and scipy, and a simulated truth.

R values: R 4.5 (webr 0.6.0), ``t.test``, ``ci.smd`` of MBESS 4.9.42, ``auc.nonpara.mw(method = "newcombe")`` of auRoc
0.2-1.
"""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from konectom.scoring.reliability.groups import known_groups, noncentral_limits
from tests.scoring.reliability.simulated import assert_finite, coverage

A = [3.1, 4.0, 2.2, 5.5, 4.0, 6.1, 3.7, 4.9]
B = [2.0, 3.1, 1.5, 4.0, 2.9, 3.3, 1.1, 2.2, 2.7, 3.1]


def of(estimate):
    return estimate.value, estimate.low, estimate.high


def test_welch_as_r_has_it():
    found = known_groups(A, B)
    assert of(found.difference) == pytest.approx((1.5975, 0.4443023054732, 2.7506976945268), rel=1e-10)
    assert (found.t, found.df, found.p) == pytest.approx(
        (3.0168419167187, 12.0511675992033, 0.0106800844797), rel=1e-10
    )
    assert (found.first.n, found.second.n, found.first.mean) == (8, 10, pytest.approx(4.1875))


def test_cohen_and_hedges():
    """Cohen's d of pingouin 0.7.0 (``compute_effsize``); its g approximates the factor, 1.42037 for our 1.42018.

    The exact factor of g for 16 degrees of freedom is 0.95225 (Hedges, J Educ Stat 6 (1981) 107-128, by its formula).
    """
    found = known_groups(A, B)
    assert found.cohen_d.value == pytest.approx(1.4913896764611136, rel=1e-12)
    factor = scipy.special.gamma(8) / (scipy.special.gamma(7.5) * 8**0.5)
    assert found.hedges_g.value == pytest.approx(factor * found.cohen_d.value)
    assert found.hedges_g.value == pytest.approx(1.4203711204391558, abs=3e-4)
    assert found.hedges_g.high == pytest.approx(factor * found.cohen_d.high)


@pytest.mark.parametrize(
    ("d", "n1", "n2", "alpha", "limits"),
    [
        (0.8, 12, 15, 0.05, (0.002145681593, 1.583142373300)),
        (-1.47, 30, 50, 0.10, (-1.892056782, -1.039644943)),
    ],
)
def test_limits_of_a_standardised_difference_as_mbess_has_them(d, n1, n2, alpha, limits):
    assert noncentral_limits(d, n1, n2, alpha) == pytest.approx(limits, abs=5e-7)


@pytest.mark.parametrize("d", [-3.0, -0.2, 0.0, 0.01, 0.5, 4.0])
@pytest.mark.parametrize(("n1", "n2"), [(2, 2), (5, 30), (400, 500)])
def test_the_limits_are_those_noncentralities_under_which_t_is_just_likely(d, n1, n2):
    low, high = noncentral_limits(d, n1, n2, 0.05)
    scale = (n1 * n2 / (n1 + n2)) ** 0.5
    tails = [scipy.stats.nct.cdf(d * scale, n1 + n2 - 2, limit * scale) for limit in (low, high)]
    assert tails == pytest.approx([0.975, 0.025], abs=2e-4)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (A, B, (0.856250000000, 0.585302371469, 0.957468931489)),
        ([3, 3, 4, 5, 2, 3], [1, 2, 3, 3, 2, 1, 2], (0.845238095238, 0.518850170841, 0.960955017616)),
        ([each + 10 for each in A], B, (1.0, 0.777637785425, 1.0)),
    ],
)
def test_the_area_under_the_curve_as_auroc_has_it(first, second, expected):
    assert of(known_groups(first, second).auc) == pytest.approx(expected, abs=1e-9)


def test_the_area_is_mann_whitneys_u():
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 9, 23), rng.integers(2, 12, 17)
    u = scipy.stats.mannwhitneyu(a, b).statistic
    assert known_groups(a, b).auc.value == pytest.approx(u / (23 * 17))


def test_intervals_hold_the_truth_as_often_as_they_say():
    """The groups' means lie 0.8 SD apart: d 0.8, area Phi(0.8 / root 2). Newcombe's interval is approximate."""
    rng = np.random.default_rng(4)
    found = [known_groups(rng.normal(0.8, 1, 20), rng.normal(0, 1, 30)) for _ in range(1500)]
    area = scipy.stats.norm.cdf(0.8 / 2**0.5)
    for name, truth, tolerance in (("difference", 0.8, 0.0225), ("cohen_d", 0.8, 0.0225), ("auc", area, 0.03)):
        intervals = [of(getattr(each, name))[1:] for each in found]
        assert coverage(intervals, truth) == pytest.approx(0.95, abs=tolerance), name
    assert np.mean([each.hedges_g.value for each in found]) == pytest.approx(0.8, abs=0.035)


def test_the_groups_the_other_way_round_mirror_everything():
    one, other = known_groups(A, B), known_groups(B, A)
    for name in ("difference", "cohen_d", "hedges_g"):
        value, low, high = of(getattr(one, name))
        assert of(getattr(other, name)) == pytest.approx((-value, -high, -low), rel=1e-6)
    value, low, high = of(one.auc)
    assert of(other.auc) == pytest.approx((1 - value, 1 - high, 1 - low))
    assert one.p == pytest.approx(other.p)


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [([], [1.0, 2.0], "at least 2"), ([1.0], [1.0, 2.0], "at least 2"), ([1.0, np.nan], [1.0, 2.0], "at least 2"),
     ([0.3, 0.1 + 0.2], [0.5, 0.5], "no group varies")],
)  # fmt: skip
def test_what_cannot_be_computed_says_why(first, second, reason):
    found = known_groups(first, second)
    for each in (found.difference, found.cohen_d, found.hedges_g):
        assert each.low is None
        assert reason in each.reason
    assert found.p is None


NUMBERS = st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, 2.0]))


@given(st.lists(NUMBERS, max_size=9), st.lists(NUMBERS, max_size=9))
def test_nothing_is_ever_nan(first, second):
    found = known_groups(first, second)
    assert_finite(found.as_dict())
    for each in (found.difference, found.cohen_d, found.hedges_g, found.auc):
        assert each.low is not None or each.reason


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1000), st.floats(-1000, 1000))
def test_neither_unit_nor_zero_point_matter(seed, scale, shift):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0, 1, 7), rng.normal(1, 2, 9)
    one, other = known_groups(a, b), known_groups(a * scale + shift, b * scale + shift)
    for name in ("cohen_d", "hedges_g"):
        assert of(getattr(other, name)) == pytest.approx(of(getattr(one, name)), rel=1e-4, abs=1e-6)
    assert of(other.auc) == of(one.auc)
    assert other.p == pytest.approx(one.p, rel=1e-4)
