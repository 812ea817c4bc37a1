"""Forced vital capacity beside pyspiro, whose tables are its own copy of the published ones."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import boxcox

from konectom.scoring.norms import Person, compare
from konectom.scoring.norms.spread import Lms

# pyspiro 1.0.0, BOWERMAN_2022().zscore / .percent / .lln (sex, age, height, FVC, value):
# sex, age, height in cm, value in L, z, % predicted, lower limit of normal in L
PYSPIRO = [
    ("female", 3, 95, 1.2, 4.006, 160.92, 0.5663),
    ("female", 8, 128, 1.2, -2.2012, 71.37, 1.3201),
    ("female", 17, 168, 3.4, -0.6581, 91.02, 2.9034),
    ("female", 18, 165, 3.4, -0.3862, 94.7, 2.788),
    ("female", 25, 178, 3.4, -1.7757, 75.66, 3.4794),
    ("female", 40, 162.5, 3.4, -0.0702, 98.97, 2.6192),
    ("female", 52, 171, 1.2, -4.4114, 33.04, 2.6955),
    ("female", 60, 175, 3.4, -0.36, 93.95, 2.6307),
    ("female", 67, 150, 1.2, -2.7603, 52.57, 1.6289),
    ("female", 80, 181, 3.4, 0.0212, 100.41, 2.3372),
    ("female", 95, 160, 1.2, -2.2826, 53.98, 1.4792),
    ("male", 3, 95, 1.2, 3.8844, 154.96, 0.5983),
    ("male", 8, 128, 1.2, -2.5117, 67.4, 1.3986),
    ("male", 17, 168, 3.4, -1.3766, 82.13, 3.2569),
    ("male", 18, 165, 3.4, -1.16, 84.9, 3.1492),
    ("male", 25, 178, 3.4, -2.5783, 66.09, 4.0261),
    ("male", 40, 162.5, 3.4, -0.8138, 88.57, 2.9556),
    ("male", 52, 171, 1.2, -4.9633, 29.03, 3.1378),
    ("male", 60, 175, 3.4, -1.2204, 81.57, 3.1353),
    ("male", 67, 150, 1.2, -3.5461, 46.07, 1.9445),
    ("male", 80, 181, 3.4, -0.92, 85.23, 2.9401),
    ("male", 95, 160, 1.2, -3.3074, 45.86, 1.9033),
]

ADULT_AGES = st.floats(18, 95)
HEIGHTS_CM = st.floats(140, 205)
SEXES = st.sampled_from(("female", "male"))


def fvc(value, person):
    (found,) = compare("obs.fvc.volume", value, person)
    return found


@pytest.mark.parametrize(("sex", "age", "height_cm", "value", "z", "per_cent", "limit"), PYSPIRO)
def test_as_pyspiro_has_it(sex, age, height_cm, value, z, per_cent, limit):
    found = fvc(value, Person(age, sex, height_cm))
    assert found.z == pytest.approx(z, abs=1e-4)
    assert 100 * found.share_of_predicted == pytest.approx(per_cent, abs=0.006)
    assert found.limit.value == pytest.approx(limit, abs=6e-5)
    assert found.passed is (value < limit)


# the same, between whole years, where pyspiro interpolates between quarters of a year: value 2.0 L
BETWEEN_YEARS = [
    ("female", 4.5, 105, 203.18, 7.0941),
    ("female", 14.3, 160, 62.45, -2.8342),
    ("female", 18.6, 170, 51.31, -3.6443),
    ("female", 30.4, 172, 48.71, -3.7755),
    ("female", 71.9, 166, 69.81, -1.6822),
    ("male", 4.5, 105, 193.25, 6.7145),
    ("male", 14.3, 160, 58.08, -3.2724),
    ("male", 18.6, 170, 45.66, -4.2431),
    ("male", 30.4, 172, 43.09, -4.2926),
    ("male", 71.9, 166, 60.24, -2.5584),
]


@pytest.mark.parametrize(("sex", "age", "height_cm", "per_cent", "z"), BETWEEN_YEARS)
def test_between_whole_years_within_a_thousandth(sex, age, height_cm, per_cent, z):
    found = fvc(2.0, Person(age, sex, height_cm, birth_year_only=False))
    assert 100 * found.share_of_predicted == pytest.approx(per_cent, rel=1e-3)
    assert found.z == pytest.approx(z, abs=0.03)


@given(age=ADULT_AGES, height_cm=HEIGHTS_CM, sex=SEXES)
def test_the_median_is_the_50th_centile_and_the_limit_the_5th(age, height_cm, sex):
    person = Person(age, sex, height_cm)
    median, limit = fvc(3.0, person).predicted, fvc(3.0, person).limit.value
    assert fvc(median, person).percentile == pytest.approx(50)
    assert fvc(limit, person).percentile == pytest.approx(4.9985, abs=1e-3)


@given(age=ADULT_AGES, height_cm=HEIGHTS_CM, sex=SEXES)
def test_the_taller_have_more_and_nothing_leaps_with_age(age, height_cm, sex):
    here = fvc(3.0, Person(age, sex, height_cm)).predicted
    assert fvc(3.0, Person(age, sex, height_cm + 1)).predicted > here
    if age <= 94.9:
        assert fvc(3.0, Person(age + 0.1, sex, height_cm)).predicted == pytest.approx(here, rel=4e-3)


def test_from_25_years_on_it_falls():
    of_age = [fvc(3.0, Person(age, "male", 178)).predicted for age in range(25, 96)]
    assert all(later < earlier for earlier, later in pairwise(of_age))


def test_a_slow_vital_capacity_has_no_norm():
    assert compare("obs.svc.volume", 3.4, Person(60, "male", 175)) == ()


@given(ratio=st.floats(0.05, 20), power=st.floats(-2, 3), s=st.floats(0.02, 0.5))
def test_z_by_lms_is_a_box_cox_transform(ratio, power, s):
    assert Lms(power, s).z(ratio * 3.1, 3.1) == pytest.approx(boxcox(ratio, power) / s, rel=1e-6, abs=1e-6)


@given(z=st.floats(-3, 3), power=st.floats(-1, 2), s=st.floats(0.02, 0.25))
def test_the_value_at_a_z_has_that_z(z, power, s):
    spread = Lms(power, s)
    if 1 + power * s * z > 0:
        assert spread.z(spread.at(z, 4.2), 4.2) == pytest.approx(z, abs=1e-6)
    else:
        with pytest.raises(ValueError, match="no value has the z"):
            spread.at(z, 4.2)


def test_without_air_there_is_no_z():
    found = fvc(0.0, Person(60, "male", 175))
    assert (found.z, found.percentile, found.passed, found.share_of_predicted) == (None, None, True, 0.0)
