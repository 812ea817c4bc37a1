"""Tables: cells as printed, their limits, and the columns that must not be copies of each other."""

from itertools import pairwise

import pytest
from scipy.stats import norm as normal

from konectom.scoring.norms import Person, compare, every_norm
from konectom.scoring.norms._grip_by_height import MEN_KG, MEN_SD_KG, WOMEN_KG, WOMEN_SD_KG
from konectom.scoring.norms.grip import BY_AGE

SPEED = "walk.gait_speed[free,all_bouts].mean"

# Supplement S3 of Steiber 2016, from github.com/matej-marjanovic/Grip-Strength-SOEP-Survey-Data (dcea777):
# ages, women's mean, SD, median, count, and men's
S3 = [
    ((17, 19), (31.5, 6.2, 31.4, 526), (48.3, 9.6, 48.5, 538)),
    ((20, 24), (32.5, 5.4, 32, 799), (50.7, 8.2, 50.5, 782)),
    ((25, 29), (33.6, 5.6, 33.5, 809), (52.4, 8.3, 52, 710)),
    ((30, 34), (33.3, 5.8, 33, 942), (53.6, 8.2, 53, 730)),
    ((35, 39), (34.2, 6.2, 34, 1144), (53.4, 9.8, 52.5, 924)),
    ((40, 44), (34.5, 6.3, 34.5, 1357), (53.8, 9.3, 54, 1172)),
    ((45, 49), (33.4, 6.1, 33, 1372), (52.9, 8.4, 53, 1294)),
    ((50, 54), (32.2, 5.9, 32, 1291), (50.4, 8.4, 50.5, 1189)),
    ((55, 59), (30, 5.5, 30, 1092), (49.1, 8.5, 49, 1010)),
    ((60, 64), (29, 5.3, 29, 1004), (46.3, 8.4, 46.5, 950)),
    ((65, 69), (27.6, 5.2, 28, 947), (44.1, 7.3, 44, 1019)),
    ((70, 74), (26, 4.9, 26, 895), (41.7, 7.6, 42, 915)),
    ((75, 79), (24.2, 4.5, 24, 522), (37.8, 7.9, 38, 582)),
    ((80, 90), (21.4, 4.1, 21, 420), (33.2, 7.5, 33, 350)),
]


def one(key, value, person):
    (found,) = compare(key, value, person)
    return found


def grip(value, person, by_height=False):
    name = "grip_by_height_steiber_2016/1" if by_height else "grip_steiber_2016/1"
    (found,) = (each for each in compare("obs.grip.right", value, person) if each.norm == name)
    return found


@pytest.mark.parametrize(
    ("age", "men", "women"),
    [
        (20, 1.36, 1.34),
        (39, 1.43, 1.34),
        (40, 1.43, 1.39),
        (59, 1.43, 1.31),
        (60, 1.34, 1.24),
        (79, 1.26, 1.13),
        (80, 0.97, 0.94),
        (99, 0.97, 0.94),
    ],
)
def test_gait_speed_by_decade(age, men, women):
    assert one(SPEED, 1.0, Person(age, "male")).predicted == men
    assert one(SPEED, 1.0, Person(age, "female")).predicted == women


def test_mens_gait_speed_is_no_copy_of_womens():
    for age in range(20, 100):
        assert one(SPEED, 1.0, Person(age, "male")).predicted > one(SPEED, 1.0, Person(age, "female")).predicted


def test_the_extremes_of_gait_speed_are_those_of_the_abstract():
    means = {
        (sex, age): one(SPEED, 1.0, Person(age, sex)).predicted for sex in ("female", "male") for age in range(20, 100)
    }
    assert means["male", 45] == max(means.values()) == pytest.approx(1.434, abs=0.005)
    assert means["female", 85] == min(means.values()) == pytest.approx(0.943, abs=0.005)


def test_a_mean_alone_gives_no_z():
    found = one(SPEED, 1.0, Person(45, "male"))
    assert (found.z, found.percentile, found.limit) == (None, None, None)
    assert any("rise of the trunk" in note for note in found.notes)


def test_of_walks_at_another_pace_there_is_no_norm():
    assert compare("walk.gait_speed[6mwt,all_bouts].mean", 1.4, Person(45, "male")) == ()


@pytest.mark.parametrize(
    ("age", "mean", "limit"), [(60, 8.1, 9.0), (69, 8.1, 9.0), (70, 9.2, 10.2), (80, 11.3, 12.7), (99, 11.3, 12.7)]
)
def test_timed_up_and_go(age, mean, limit):
    found = one("obs.tug.time", limit, Person(age))
    assert (found.predicted, found.limit.value, found.limit.beyond) == (mean, limit, "above")
    assert found.passed is False
    assert one("obs.tug.time", limit + 0.1, Person(age)).passed is True
    assert (found.z, found.percentile) == (None, None)


@pytest.mark.parametrize(
    ("age", "limit"),
    [(5, 7), (17, 7), (18, 10), (50, 10), (51, 15), (60, 15), (61, 20), (70, 20), (71, 35), (90, 35)],
)
def test_neurofilament_light_has_a_limit_and_no_z(age, limit):
    found = one("obs.nfl.plasma", float(limit), Person(age))
    assert (found.limit.value, found.passed) == (limit, False)
    assert (found.z, found.percentile, found.predicted, found.share_of_predicted) == (None,) * 4
    assert one("obs.nfl.plasma", limit + 0.01, Person(age)).passed is True


def test_serum_has_no_norm():
    assert compare("obs.nfl.serum", 12, Person(40)) == ()


@pytest.mark.parametrize(("ages", "women", "men"), S3)
def test_grip_is_supplement_s3(ages, women, men):
    for sex, (mean, sd, median, _) in (("female", women), ("male", men)):
        for age in ages:
            assert grip(mean, Person(age, sex)).z == 0
            low = grip(mean - 1.3 * sd, Person(age, sex))
            assert low.z == pytest.approx(-1.3)
            assert low.percentile == pytest.approx(100 * normal.cdf(-1.3))
            assert any("normally" in note for note in low.notes)
        assert abs(mean - median) <= 0.9 + 1e-9


def test_the_counts_of_supplement_s3_are_those_of_the_abstract():
    assert sum(women[3] + men[3] for _, women, men in S3) == 25285
    assert list(BY_AGE) == [ages for ages, _, _ in S3]


@pytest.mark.parametrize(
    ("person", "mean", "sd"),
    [
        # table 1 (men) and 2 (women), printed mean and mean less the printed threshold
        (Person(18, "male", 160), 44.6, 9.7),
        (Person(42, "male", 179), 53.4, 9.3),
        (Person(42, "male", 180), 54.5, 9.3),
        (Person(90, "male", 199), 40.9, 7.6),
        (Person(33, "female", 167), 33.7, 5.8),
        (Person(80, "female", 154), 19.9, 4),
        (Person(77, "female", 184), 28.9, 4.5),
    ],
)
def test_grip_by_height(person, mean, sd):
    found = grip(mean, person, by_height=True)
    assert (found.predicted, found.z) == (mean, 0)
    assert found.limit.value == pytest.approx(mean - sd)
    assert grip(mean - sd - 0.1, person, by_height=True).passed is True


@pytest.mark.parametrize(
    ("sex", "height_cm", "reason"),
    [
        ("female", 149.4, "height_below"),
        ("female", 149.5, None),
        ("female", 184.4, None),
        ("female", 184.5, "height_above"),
        ("male", 159, "height_below"),
        ("male", 215, None),
        ("male", None, "height_missing"),
    ],
)
def test_grip_by_height_has_an_end_of_heights(sex, height_cm, reason):
    assert grip(30, Person(50, sex, height_cm), by_height=True).outside == reason


def test_a_cell_that_was_not_printed_gives_nothing():
    assert grip(20, Person(85, "female", 182), by_height=True).outside == "no_reference_cell"
    assert grip(20, Person(85, "female", 182)).outside is None


def test_the_tables_by_height_agree_with_those_without():
    """The mean over all heights lies between the shortest and the tallest; the SD is the same but for weighting."""
    for at, (_, women, men) in enumerate(S3):
        for (mean, sd, _, _), means, sds in ((women, WOMEN_KG, WOMEN_SD_KG), (men, MEN_KG, MEN_SD_KG)):
            printed = [each for each in means[at] if each is not None]
            assert printed[0] < mean < printed[-1]
            assert abs(sds[at] - sd) < 0.15
    assert sum(each is not None for row in (*WOMEN_KG, *MEN_KG) for each in row) == 195


def test_the_taller_grip_harder_but_for_one_cell():
    falls = [
        (shorter, taller)
        for row in (*WOMEN_KG, *MEN_KG)
        for shorter, taller in pairwise(row)
        if shorter is not None and taller is not None and taller <= shorter
    ]
    assert falls == [(23.8, 23)]


@pytest.mark.parametrize(("t", "z", "percentile"), [(50, 0, 50), (60, 1, 84.1345), (35, -1.5, 6.6807)])
def test_neuroqol(t, z, percentile):
    for key in ("neuroqol.t_score[fatigue]", "obs.neuroqol.fatigue"):
        found = one(key, t, Person(40))
        assert (found.z, found.share_of_predicted) == (z, None)
        assert found.percentile == pytest.approx(percentile, abs=1e-4)


def test_a_table_covers_each_year_of_its_range_once():
    for norm in every_norm().values():
        rows = getattr(norm.form, "rows", None) or getattr(norm.form, "ages", None)
        if rows is None:
            continue
        groups = list(rows)
        assert all(before[1] + 1 == after[0] for before, after in pairwise(groups)), norm.id
        assert (groups[0][0], groups[-1][1]) == norm.ages, norm.id
