"""Six-minute walk: values that others computed, or that the published equation gives by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from konectom.scoring.norms import Compared, Person, compare, every_norm
from konectom.scoring.norms.sixmwt import NORMS

MAN = Person(60, "male", 175, 80)
WOMAN = Person(60, "female", 162, 65)


def with_norm(name: str, value: float, person: Person, key: str = "obs.sixmwt.distance") -> Compared:
    (found,) = (each for each in compare(key, value, person) if each.norm == name)
    return found


@pytest.mark.parametrize(
    ("name", "man", "woman"),
    [
        ("sixmwt_enright_1998/1", 573.75, 513.17),
        ("sixmwt_gibbons_2001/1", 689.4, 614.7),
        # 218 + 5.14*175 - 5.32*60 - 1.80*80 + 51.31; 218 + 5.14*162 - 5.32*60 - 1.80*65
        ("sixmwt_troosters_1999/1", 705.61, 614.48),
        # 622.461 - 1.846*60 + 61.503; 622.461 - 1.846*60
        ("sixmwt_iwama_2009/1", 573.204, 511.701),
        # 299.296 - 2.728*60 - 2.160*80 + 361.731*1.75 + 56.386; with 65 kg, 1.62 m, without the last
        ("sixmwt_dourado_2011/1", 652.23125, 581.22022),
        # 867 - 5.71*60 + 1.03*175; 525 - 2.86*60 + 2.71*162 - 6.22*65/1.62**2
        ("sixmwt_jenkins_2009/1", 704.65, 638.365739979),
    ],
)
def test_predicts_what_the_published_equation_gives(name, man, woman):
    assert with_norm(name, 500, MAN).predicted == pytest.approx(man, abs=1e-6)
    assert with_norm(name, 500, WOMAN).predicted == pytest.approx(woman, abs=1e-6)
    assert with_norm(name, 500, MAN).share_of_predicted == pytest.approx(500 / man)


def test_the_equations_for_the_old_differ_by_17_m_between_the_sexes():
    man, woman = (with_norm("sixmwt_enright_2003/1", 400, Person(75, sex, 165, 70)) for sex in ("male", "female"))
    assert man.predicted == pytest.approx(510 + 2.2 * 165 - 0.93 * 70 - 5.3 * 75)
    assert man.predicted - woman.predicted == pytest.approx(17)


def test_the_example_of_another_package():
    # PhysioClinical (R), documentation of score6MWT(450, age = 60, sex = "male", height_cm = 175, weight_kg = 75):
    # predicted 582.55, lln 429.55, percent_predicted 77.24659, below_lln FALSE
    found = with_norm("sixmwt_enright_1998/1", 450, Person(60, "male", 175, 75))
    assert found.predicted == pytest.approx(582.55)
    assert found.limit.value == pytest.approx(429.55)
    assert 100 * found.share_of_predicted == pytest.approx(77.24659, abs=5e-6)
    assert found.passed is False
    assert with_norm("sixmwt_enright_1998/1", 429.5, Person(60, "male", 175, 75)).passed is True


@pytest.mark.parametrize(("person", "down"), [(MAN, 153), (WOMAN, 139)])
def test_the_lower_limit_is_the_fifth_centile(person, down):
    predicted = with_norm("sixmwt_enright_1998/1", 500, person).predicted
    at_limit = with_norm("sixmwt_enright_1998/1", predicted - down, person)
    assert at_limit.z == pytest.approx(-1.645)
    assert at_limit.percentile == pytest.approx(5, abs=0.01)
    assert at_limit.limit.value == pytest.approx(predicted - down)


def test_only_an_equation_with_a_published_spread_gives_z():
    with_z = [
        each.norm for each in compare("obs.sixmwt.distance", 450, Person(70, "male", 175, 80)) if each.z is not None
    ]
    assert with_z == ["sixmwt_enright_1998/1"]


def test_the_mean_of_the_papers_own_sample_tells_which_sex_is_1():
    # Gibbons: 41 men and 38 women aged 20 to 80 walked 698 m on average; were women 2 and men 1, their mean age would
    # have to be 20.
    at_50 = [with_norm("sixmwt_gibbons_2001/1", 500, Person(50, sex)).predicted for sex in ("male", "female")]
    mean = (41 * at_50[0] + 38 * at_50[1]) / 79
    assert abs(mean - 698) < 25
    # Troosters: 631 m on average, men 84 m farther (of which height and mass make the larger part)
    at_65 = [
        with_norm("sixmwt_troosters_1999/1", 500, Person(65, *body)).predicted
        for body in (("male", 173, 78), ("female", 162, 66))
    ]
    assert abs(sum(at_65) / 2 - 631) < 20
    assert abs(at_65[0] - at_65[1] - 84) < 15


@given(
    age=st.integers(13, 90),
    sex=st.sampled_from(("female", "male")),
    height=st.floats(140, 205),
    mass=st.floats(40, 150),
)
def test_the_older_are_never_expected_to_walk_farther(age, sex, height, mass):
    for norm in NORMS:
        here, older = (with_norm(norm.id, 400, Person(each, sex, height, mass)) for each in (age, age + 1))
        if here.outside is None and older.outside is None:
            assert older.predicted < here.predicted


def test_a_distance_by_satellite_says_so():
    clinic = with_norm("sixmwt_iwama_2009/1", 500, MAN)
    phone = with_norm("sixmwt_iwama_2009/1", 500, MAN, key="walk.distance[6mwt]")
    assert phone.predicted == clinic.predicted
    assert any("satellite" in note for note in phone.notes)
    assert not any("satellite" in note for note in clinic.notes)


def test_who_is_too_heavy_for_the_equation_gets_no_share():
    found = with_norm("sixmwt_enright_1998/1", 100, Person(80, "male", 130, 200))
    assert (found.outside, found.predicted, found.share_of_predicted) == ("prediction_impossible", None, None)


def test_a_man_needs_no_mass_where_only_womens_equation_has_it():
    assert with_norm("sixmwt_jenkins_2009/1", 500, Person(60, "male", 175)).predicted == pytest.approx(704.65)
    assert with_norm("sixmwt_jenkins_2009/1", 500, Person(60, "female", 175)).outside == "mass_missing"


def test_all_of_them_are_in_the_catalogue():
    assert {norm.id for norm in NORMS} <= set(every_norm())
