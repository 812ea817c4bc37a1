"""Whoever is outside a norm's population gets the reason and no number; everybody else finite numbers."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm as normal

from konectom.assessments import every_assessment
from konectom.errors import FieldInvalid, FieldMissing
from konectom.scoring.norms import OUTSIDE, Person, compare, every_norm, person_on
from konectom.scoring.norms.spread import percentile_of

KEYS = sorted({key for norm in every_norm().values() for key in norm.keys})
MAN = Person(65, "male", 175, 80)


def of(norm_id, value, person):
    norm = every_norm()[norm_id]
    (found,) = (each for each in compare(norm.keys[0], value, person) if each.norm == norm_id)
    return found


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        (Person(None, "male", 175, 80), "age_missing"),
        (Person(39, "male", 175, 80), "age_below"),
        (Person(40, "male", 175, 80), None),
        (Person(80, "male", 175, 80), None),
        (Person(80.9, "male", 175, 80, birth_year_only=False), None),
        (Person(81, "male", 175, 80), "age_above"),
        (Person(65, None, 175, 80), "sex_missing"),
        (Person(65, "other", 175, 80), "sex_not_in_norm"),
        (Person(65, "male", None, 80), "height_missing"),
        (Person(65, "male", 175, None), "mass_missing"),
    ],
)
def test_the_reason_for_giving_nothing(person, reason):
    found = of("sixmwt_enright_1998/1", 450, person)
    assert found.outside == reason
    if reason is None:
        assert found.predicted is not None
        return
    assert (found.z, found.percentile, found.predicted, found.share_of_predicted, found.limit, found.passed) == (
        None,
    ) * 6
    assert found.notes[0].startswith(OUTSIDE[reason])


def test_the_reason_says_which_ages_are_covered():
    assert "from 40 to 80 years" in of("sixmwt_enright_1998/1", 450, Person(30, "male", 175, 80)).notes[0]
    assert "from 68 years on" in of("sixmwt_enright_2003/1", 450, Person(30, "male", 175, 80)).notes[0]


def test_a_value_below_the_least_possible_gives_nothing():
    assert of("tug_bohannon_2006/1", -1, MAN).outside == "value_impossible"
    assert of("neuroqol_t_score/1", -3, MAN).z == pytest.approx(-5.3)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_refused(value):
    with pytest.raises(FieldInvalid) as refused:
        compare("obs.tug.time", value, MAN)
    assert refused.value.at == "/value"


def test_a_score_without_norm_has_none():
    assert compare("obs.edss.step", 3.5, MAN) == ()


@pytest.mark.parametrize(
    ("facts", "pointer"),
    [
        ({"height_cm": 1.75}, "/person/height_cm"),
        ({"age_years": -1}, "/person/age_years"),
        ({"age_years": math.nan}, "/person/age_years"),
        ({"mass_kg": 80000}, "/person/mass_kg"),
        ({"education_years": 90}, "/person/education_years"),
    ],
)
def test_a_person_who_cannot_be_is_refused(facts, pointer):
    with pytest.raises(FieldInvalid) as refused:
        Person(**facts)
    assert refused.value.at == pointer


def test_what_is_not_known_is_not_guessed():
    with pytest.raises(FieldMissing):
        Person(age_years=40).given("height_cm")


# 2026-01-01T00:00Z is day 20454 (20089 = 2025-01-01, and 2025 has 365 days)
@pytest.mark.parametrize(("at_day", "age"), [(20453.99, 45.0), (20454.0, 46.0), (20454.7, 46.0), (-0.5, -11.0)])
def test_the_age_is_the_difference_of_years(at_day, age):
    if age < 0:
        with pytest.raises(FieldInvalid):
            person_on(at_day, birth_year=1980)
        return
    person = person_on(at_day, birth_year=1980, sex="female", height_m=1.62, mass_kg=65, education_years=12)
    assert person.age_years == age
    assert (person.sex, person.height_cm, person.mass_kg, person.education_years) == ("female", 162, 65, 12)


def test_a_record_without_facts_makes_an_unknown_person():
    assert person_on(20000, birth_year=None) == Person()


def test_at_the_edge_of_an_age_group_the_other_group_is_named():
    found = of("gait_speed_bohannon_2011/1", 1.2, Person(50, "male"))
    assert found.predicted == 1.43
    assert any("49 years" in note and "40–49 years" in note for note in found.notes)
    assert not any("40–49" in note for note in of("gait_speed_bohannon_2011/1", 1.2, Person(51, "male")).notes)
    exactly = Person(50, "male", birth_year_only=False)
    assert not any("40–49" in note for note in of("gait_speed_bohannon_2011/1", 1.2, exactly).notes)


def test_at_the_end_of_the_ages_the_other_answer_is_named():
    just_in = of("sixmwt_enright_1998/1", 450, Person(40, "male", 175, 80))
    just_out = of("sixmwt_enright_1998/1", 450, Person(81, "male", 175, 80))
    assert just_in.predicted is not None
    assert any("39 years old, which is outside" in note for note in just_in.notes)
    assert just_out.outside == "age_above"
    assert any("80 years old, which is within" in note for note in just_out.notes)


@given(z=st.floats(-37, 37))
def test_percentiles_are_those_of_the_normal_distribution(z):
    assert percentile_of(z) == pytest.approx(100 * normal.cdf(z), rel=1e-9, abs=1e-300)


persons = st.builds(
    Person,
    age_years=st.none() | st.integers(0, 120),
    sex=st.sampled_from(("female", "male", "other", None)),
    height_cm=st.none() | st.floats(30, 260),
    mass_kg=st.none() | st.floats(2, 500),
    birth_year_only=st.booleans(),
)


@given(key=st.sampled_from(KEYS), value=st.floats(-10, 2000), person=persons)
def test_either_a_reason_or_finite_numbers(key, value, person):
    for found in compare(key, value, person):
        norm = every_norm()[found.norm]
        numbers = {
            "predicted": found.predicted,
            "share_of_predicted": found.share_of_predicted,
            "z": found.z,
            "percentile": found.percentile,
            "limit": found.limit and found.limit.value,
        }
        given_here = {name for name, number in numbers.items() if number is not None}
        assert given_here <= set(norm.form.gives)
        assert all(math.isfinite(numbers[name]) for name in given_here)
        if found.outside is None:
            without_air = {"z", "percentile"} if value == 0 else set()
            assert given_here >= set(norm.form.gives) - without_air
        else:
            assert found.outside in OUTSIDE
            assert not given_here
        if found.percentile is not None:
            assert 0 <= found.percentile <= 100
        json.dumps(found.as_dict(), allow_nan=False)


@given(key=st.sampled_from(KEYS), values=st.tuples(st.floats(0.01, 900), st.floats(0.01, 900)), person=persons)
def test_z_percentile_and_share_grow_with_the_value(key, values, person):
    less, more = (compare(key, value, person) for value in sorted(values))
    for low, high in zip(less, more, strict=True):
        for name in ("z", "percentile", "share_of_predicted"):
            if getattr(low, name) is not None:
                assert getattr(low, name) <= getattr(high, name)


def test_keys_of_assessments_are_scores_in_the_same_unit():
    scores = {entry.key: entry.unit for each in every_assessment().values() for entry in each.catalogue.scores}
    for norm in every_norm().values():
        for key in norm.keys:
            if not key.startswith("obs."):
                assert scores[key] == norm.unit


def test_keys_of_observations_are_quantities_in_the_same_unit():
    scales = pytest.importorskip("konectom.scoring.scales").every_scale()
    by_code = scales if isinstance(scales, dict) else {scale.code: scale for scale in scales}
    units = {
        f"obs.{code}.{quantity.name}": quantity.unit for code, scale in by_code.items() for quantity in scale.quantities
    }
    for norm in every_norm().values():
        for key in norm.keys:
            if key.startswith("obs."):
                assert units[key] == norm.unit


def test_each_norm_tells_where_it_comes_from():
    for name, norm in every_norm().items():
        assert name == norm.id == f"{norm.name}/{norm.version}"
        assert all((norm.source, norm.population, norm.sample, norm.confirmed, norm.form.formula, norm.form.gives))
        assert set(norm.caveats) <= set(norm.keys)
        json.dumps(norm.as_dict(), allow_nan=False)
