"""The linear mixed model on published data; statsmodels is an extra."""

import builtins
import csv
from importlib.util import find_spec

import numpy as np
import pytest

from konectom.errors import ExtraMissing, FieldInvalid
from konectom.scoring.reliability.mixed import mixed_model
from tests.scoring.reliability.simulated import assert_finite
from tests.shared import SHARED

SLEEPSTUDY = SHARED / "data" / "longitudinal" / "lme4_sleepstudy.csv"

needs_statsmodels = pytest.mark.skipif(
    find_spec("statsmodels") is None,
    reason="statsmodels (the extra stats) is not installed",
)
needs_sleepstudy = pytest.mark.skipif(not SLEEPSTUDY.is_file(), reason="the sleep study is not beside this checkout")


def sleepstudy():
    with SLEEPSTUDY.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return tuple([convert(row[name]) for row in rows] for name, convert in
                 (("Subject", str), ("Days", float), ("Reaction", float)))  # fmt: skip


@needs_statsmodels
@needs_sleepstudy
def test_the_sleep_study_as_lme4_has_it():
    """lme4's own example, ``lmer(Reaction ~ Days + (Days | Subject), sleepstudy)``, as its documentation prints it."""
    found = mixed_model(*sleepstudy())
    assert found.intercept.value == pytest.approx(251.40510, abs=5e-6)
    assert found.slope.value == pytest.approx(10.46729, abs=5e-6)
    errors = [(each.high - each.low) / 2 / 1.959963985 for each in (found.intercept, found.slope)]
    assert errors == pytest.approx([6.825, 1.546], abs=1e-3)
    assert (found.sd_intercept, found.sd_slope, found.sd_residual) == pytest.approx((24.741, 5.922, 25.592), abs=2e-3)
    assert found.correlation == pytest.approx(0.066, abs=1e-3)
    assert (found.patients, found.values, found.reason) == (18, 180, None)


@needs_statsmodels
@needs_sleepstudy
def test_one_slope_for_all_as_lme4_has_it():
    """``lmer(Reaction ~ Days + (1 | Subject), sleepstudy)``: SD 37.12 and 30.99, standard error of the slope 0.8042."""
    found = mixed_model(*sleepstudy(), own_slopes=False)
    assert (found.sd_intercept, found.sd_residual) == pytest.approx((37.12, 30.99), abs=5e-3)
    assert (found.slope.high - found.slope.low) / 2 / 1.959963985 == pytest.approx(0.8042, abs=5e-5)
    assert (found.sd_slope, found.correlation) == (None, None)


@needs_statsmodels
def test_units_scale_the_fit():
    rng = np.random.default_rng(1)
    patient, years = np.repeat(np.arange(20), 6), np.tile(np.arange(6) / 2, 20)
    value = 50 + rng.normal(0, 8, 20)[patient] + (rng.normal(0, 1, 20)[patient] - 1) * years + rng.normal(0, 3, 120)
    one, other = mixed_model(patient, years, value), mixed_model(patient, years * 365.25, value * 1000)
    assert other.slope.low == pytest.approx(one.slope.low * 1000 / 365.25, rel=1e-4)
    assert other.intercept.high == pytest.approx(one.intercept.high * 1000, rel=1e-5)
    assert other.sd_residual == pytest.approx(one.sd_residual * 1000, rel=1e-4)


@needs_statsmodels
def test_patients_without_slopes_of_their_own_lie_on_the_edge():
    """They differ by nothing but chance: in some samples the best fit has a variance of 0."""
    patient, years = np.repeat(np.arange(12), 5), np.tile(np.arange(5.0), 12)
    on_the_edge = 0
    for seed in range(12):
        value = np.random.default_rng(seed).normal(0, 1, 60) + years
        found = mixed_model(patient, years, value)
        assert found.slope.value == pytest.approx(np.polyfit(years, value, 1)[0], abs=1e-3)
        if found.reason:
            on_the_edge += 1
            assert "edge" in found.reason
            assert found.correlation is None
    assert on_the_edge > 0


@needs_statsmodels
def test_whatever_the_data_nothing_is_nan():
    for seed in range(12):
        rng = np.random.default_rng(seed)
        value = rng.normal(0, 1, 40) * 10.0 ** rng.integers(-6, 7) + rng.integers(-100, 100)
        found = mixed_model(np.repeat(np.arange(8), 5), np.tile(np.arange(5.0), 8), value)
        assert_finite(found.as_dict())
        assert found.slope.low is not None or found.slope.reason


@pytest.mark.parametrize(
    ("patient", "time", "value", "reason"),
    [
        ([], [], [], "fewer than 3 patients"),
        ([1, 1, 2, 2], [0.0, 1, 0, 1], [1.0, 2, 3, 5], "fewer than 3 patients"),
        ([1, 1, 2, 2, 3, 3], [0.0, 0, 0, 0, 0, 0], [1.0, 2, 3, 5, 6, 7], "fewer than 3 patients"),
        ([1, 1, 2, 2, 3, 3], [0.0, 1, 0, 1, 0, 1], [1.0, 2, 3, 5, 6, 7], "own lines"),
    ],
)
def test_what_cannot_be_fitted_says_why(patient, time, value, reason):
    found = mixed_model(patient, time, value)
    assert found.slope.value is None
    assert reason in found.reason
    assert reason in found.slope.reason


def test_columns_of_different_length_are_refused():
    with pytest.raises(FieldInvalid):
        mixed_model([1, 2], [1.0, 2.0], [1.0])


def test_without_the_package_the_extra_is_named(monkeypatch):
    imported = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("statsmodels"):
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    rng = np.random.default_rng(1)
    with pytest.raises(ExtraMissing, match=r"konectom\[stats\]"):
        mixed_model(np.repeat(np.arange(4), 5), np.tile(np.arange(5.0), 4), rng.normal(0, 1, 20))
