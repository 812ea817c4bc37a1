"""Measurement error against closed forms, scipy's chi-square, published values and a simulated truth."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from konectom.errors import FieldInvalid
from konectom.scoring.reliability.anova import two_way
from konectom.scoring.reliability.sem import cv_within, sem_from_icc, sem_from_repeats
from tests.scoring.reliability.simulated import assert_finite, coverage, repeats
from tests.scoring.reliability.test_icc import SHROUT_FLEISS, TABLES

WRIGHT = np.array(
    [
        [494, 490], [395, 397], [516, 512], [434, 401], [476, 470], [557, 611], [413, 415], [442, 431], [650, 638],
        [433, 429], [417, 420], [656, 633], [267, 275], [478, 492], [178, 165], [423, 372], [427, 421],
    ],
    float,
)  # fmt: skip
"""Two readings of peak expiratory flow of 17 people, l/min (Bland & Altman, Lancet 327 (1986) 307-310)."""


def test_from_a_published_sd_and_icc():
    found = sem_from_icc(10, 0.87, mean=50)
    assert found.sem.value == pytest.approx(3.6056, abs=5e-5)
    assert found.mdc95.value * 1.96 / 1.959963985 == pytest.approx(9.9941, abs=5e-5)  # tables round the quantile
    assert found.mdc90.value == pytest.approx(1.6448536 * 2**0.5 * 3.6055513)
    assert found.mdc95_share.value == pytest.approx(9.9941 / 50, abs=5e-5)
    assert (found.sem.low, found.sem.high) == (None, None)
    assert "no limits" in found.sem.reason


@pytest.mark.parametrize(("sd", "icc", "at"), [(-1, 0.5, "/sd"), (float("nan"), 0.5, "/sd"), (1, 1.1, "/icc"),
                                               (1, float("nan"), "/icc")])  # fmt: skip
def test_what_is_no_sd_or_icc_is_refused(sd, icc, at):
    with pytest.raises(FieldInvalid) as refusal:
        sem_from_icc(sd, icc)
    assert refusal.value.at == at


def test_duplicates_have_the_sd_of_their_differences_over_root_two():
    """The usual formula for pairs: root of the mean of d^2 / 2; limits by scipy's chi-square with 17 degrees of
    freedom.
    """
    found = sem_from_repeats(WRIGHT)
    variance = float(np.mean((WRIGHT[:, 1] - WRIGHT[:, 0]) ** 2) / 2)
    assert found.sem.value == pytest.approx(variance**0.5)
    low, high = (17 * variance / scipy.stats.chi2(17).ppf(q) for q in (0.975, 0.025))
    assert (found.sem.low, found.sem.high) == pytest.approx((low**0.5, high**0.5))
    assert found.mdc95.high == pytest.approx(1.959963985 * 2**0.5 * high**0.5)
    assert found.mdc95_share.value == pytest.approx(found.mdc95.value / WRIGHT.mean())


def test_agreement_is_the_variance_of_the_shifts_and_of_the_rest():
    crossed = two_way(SHROUT_FLEISS)
    shifts = (crossed.ms_repeats - crossed.ms_error) / crossed.patients
    assert sem_from_repeats(SHROUT_FLEISS).sem.value == pytest.approx((shifts + crossed.ms_error) ** 0.5)
    consistency = sem_from_repeats(SHROUT_FLEISS, kind="consistency")
    assert consistency.sem.value == pytest.approx(crossed.ms_error**0.5)


@pytest.mark.parametrize("kind", ["agreement", "consistency"])
def test_intervals_hold_the_truth_as_often_as_they_say(kind):
    rng = np.random.default_rng(5)
    found = [sem_from_repeats(repeats(rng, 20, 3), kind=kind).mdc95 for _ in range(1500)]
    truth = 1.959963985 * 2**0.5 * 0.6
    assert coverage([(each.low, each.high) for each in found], truth) == pytest.approx(0.95, abs=0.0225)


def test_cv_of_values_a_fixed_share_from_their_mean():
    """Pairs m (1 - c), m (1 + c): each patient's CV is c times the root of 2; the logarithms differ by 2 atanh(c)."""
    c, means = 0.05, np.array([10.0, 40.0, 100.0])
    table = np.column_stack([means * (1 - c), means * (1 + c)])
    squares = cv_within(table, method="rms")
    assert (squares.value, squares.low, squares.high) == pytest.approx((c * 2**0.5,) * 3)
    assert cv_within(table, method="log").value == pytest.approx(np.expm1(2**0.5 * np.arctanh(c)))


def test_cv_by_the_steps_of_blands_note():
    """Mean of the squared CV plus or minus 1.96 standard errors, then the root; and antilog minus 1 (Bland 2006)."""
    means, sds = WRIGHT.mean(axis=1), WRIGHT.std(axis=1, ddof=1)
    squares = (sds / means) ** 2
    error = squares.std(ddof=1) / 17**0.5
    expected = [max(0, squares.mean() + z * error) ** 0.5 for z in (0, -1.959963985, 1.959963985)]
    found = cv_within(WRIGHT, method="rms")
    assert (found.value, found.low, found.high) == pytest.approx(expected)
    log_variance = np.mean(np.diff(np.log(WRIGHT), axis=1) ** 2) / 2
    assert cv_within(WRIGHT, method="log").value == pytest.approx(np.exp(log_variance**0.5) - 1)


@pytest.mark.parametrize("method", ["rms", "log"])
def test_cv_intervals_hold_the_truth(method):
    """Errors proportional to the mean, 5 %; the interval of the root mean square is one for large samples."""
    rng = np.random.default_rng(6)
    found = []
    for _ in range(1000):
        true = rng.uniform(20, 80, (100, 1))
        found.append(cv_within(true * np.exp(rng.normal(0, 0.05, (100, 2))), method=method))
    truth = np.expm1(0.05) if method == "log" else 0.05
    assert coverage([(each.low, each.high) for each in found], truth) == pytest.approx(0.95, abs=0.03)


def test_a_cv_wants_a_ratio_scale():
    assert "above 0" in cv_within([[1.0, 2.0], [0.0, 1.0]]).reason
    assert "above 0" in cv_within([[1.0, 2.0], [-3.0, 1.0]], method="log").reason
    assert "fewer than 2 patients" in cv_within([[1.0, 2.0], [np.nan, 1.0]]).reason


def test_unknown_words_are_refused():
    with pytest.raises(FieldInvalid):
        sem_from_repeats(WRIGHT, kind="both")
    with pytest.raises(FieldInvalid):
        cv_within(WRIGHT, method="mean")


@given(TABLES)
def test_nothing_is_ever_nan(table):
    for kind in ("agreement", "consistency"):
        found = sem_from_repeats(table, kind=kind)
        assert_finite(found.as_dict())
        assert found.sem.value is not None or found.sem.reason
    for method in ("rms", "log"):
        found = cv_within(table, method=method)
        assert_finite(found.as_dict())
        assert found.value is not None or found.reason


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1000))
def test_the_error_has_the_unit_of_the_values_and_the_cv_none(seed, scale):
    table = repeats(np.random.default_rng(seed), 8, 3)
    assert sem_from_repeats(table * scale).sem.high == pytest.approx(scale * sem_from_repeats(table).sem.high)
    for method in ("rms", "log"):
        assert cv_within(table * scale, method=method).value == pytest.approx(cv_within(table, method=method).value)
