"""The reliability of a study, on simulated patients whose truth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from konectom.scoring.reliability.bland_altman import bland_altman
from konectom.scoring.reliability.correlation import pearson, repeated
from konectom.scoring.reliability.design import (
    ByAttribute,
    ByThreshold,
    Design,
    Labels,
    Period,
    Periods,
    Values,
    Windows,
)
from konectom.scoring.reliability.groups import known_groups
from konectom.scoring.reliability.icc import icc
from konectom.scoring.reliability.study import study_reliability
from konectom.scoring.reliability.table import StudyTable
from tests.scoring.reliability.simulated import assert_finite

SCORE, OTHER, REFERENCE = "cps.correct", "tap.valid_taps[left]", "obs.sdmt.correct"
PATIENTS, TESTS = 60, 18


@pytest.fixture(scope="module")
def study():
    """60 patients, SD 8 between them, 5 between tests, 18 tests in 36 days; the first three are practice.

    The reference is 0.9 times the truth with an error of SD 3, at days 5 and 25; women score 6 more.
    """
    rng = np.random.default_rng(1)
    women = np.arange(PATIENTS) % 2 == 0
    truth = 50 + rng.normal(0, 8, PATIENTS) + 6 * women
    patient = np.repeat(np.arange(PATIENTS), TESTS)
    day = np.tile(np.arange(TESTS) * 2.0, PATIENTS)
    value = truth[patient] + rng.normal(0, 5, patient.size) - 20 * (day < 6)
    label = np.where(rng.random(patient.size) < 0.4, "supervised", "remote")
    seen = np.repeat(np.arange(PATIENTS), 2)
    reference = 0.9 * truth[seen] + rng.normal(0, 3, seen.size)
    codes = np.array([f"P{number:03d}" for number in range(PATIENTS)])
    order = rng.permutation(patient.size + seen.size)
    columns = {
        "patient": np.concatenate([codes[patient], codes[seen]]),
        "key": np.repeat([SCORE, REFERENCE], [patient.size, seen.size]),
        "at_day": np.concatenate([day, np.tile([5.0, 25.0], PATIENTS)]) + 20000,
        "value": np.concatenate([value, reference]),
        "label": np.concatenate([label, np.repeat("", seen.size)]),
    }
    sex = {str(code): "female" if woman else "male" for code, woman in zip(codes, women, strict=True)}
    return StudyTable(**{name: column[order] for name, column in columns.items()}, attributes={"sex": sex})


def of_one(study, **design):
    (found,) = study_reliability(study, Design(**design), [SCORE])
    return found


def test_single_values_find_the_truth(study):
    found = of_one(study, repeats=Values(4), run_in=3)
    assert (found.key, found.patients, found.values) == (SCORE, PATIENTS, PATIENTS * 15)
    assert [each.patients for each in found.repeats] == [PATIENTS] * 4
    truth = (64 + 9) / (64 + 9 + 25)  # a difference of 6 between halves is a variance of 9
    assert found.icc["ICC(2,1)"].low < truth < found.icc["ICC(2,1)"].high
    assert found.agreement.sem.low < 5 < found.agreement.sem.high
    assert found.agreement.mdc95.low < 13.86 < found.agreement.mdc95.high
    assert found.bland_altman.bias.low < 0 < found.bland_altman.bias.high
    assert found.bland_altman.upper.low < 1.96 * 50**0.5 < found.bland_altman.upper.high
    assert found.single_values is None


def test_windows_of_several_tests_are_more_reliable_than_one_test(study):
    one, several = of_one(study, repeats=Values(2), run_in=3), of_one(study, repeats=Windows(2, 14, 3), run_in=3)
    assert several.agreement.sem.value < 0.6 * one.agreement.sem.value
    assert several.icc["ICC(2,1)"].value > one.icc["ICC(2,1)"].value


def test_practice_is_a_shift_between_the_repeats_unless_the_run_in_covers_it(study):
    without = of_one(study, repeats=Windows(2, 6, 3))
    assert without.bland_altman.bias.low > 15
    assert without.agreement.sem.value > 2 * without.consistency.sem.value
    assert of_one(study, repeats=Windows(2, 6, 3), run_in={SCORE: 3}).bland_altman.bias.value < 3


def test_every_figure_is_that_of_its_own_function(study):
    design = Design(repeats=Labels(("supervised", "remote")), run_in=3, groups=(ByAttribute("sex", "female", "male"),))
    (found,) = study_reliability(study, design, [SCORE])
    repeats = {}
    for code, key, at, value, label in zip(
        study.patient, study.key, study.at_day, study.value, study.label, strict=True
    ):
        if key == SCORE and at >= 20006:
            repeats.setdefault(code, {"supervised": [], "remote": []})[label].append(value)
    cells = [[own[name] for name in design.repeats.names] for _, own in sorted(repeats.items())]
    table = np.array([[np.median(cell) if cell else np.nan for cell in row] for row in cells])
    assert found.icc["ICC(3,k)"].value == pytest.approx(icc(table)["ICC(3,k)"].value)
    assert found.bland_altman.upper.high == pytest.approx(bland_altman(table[:, 0], table[:, 1]).upper.high)
    means = np.nanmean(table, axis=1)
    women = np.array([study.attributes["sex"][code] == "female" for code in sorted(repeats)])
    (groups,) = found.groups
    assert groups.compared.hedges_g.value == pytest.approx(known_groups(means[women], means[~women]).hedges_g.value)
    assert found.single_values.sd > found.bland_altman.sd  # single values scatter more than their medians
    assert (found.mean, found.sd) == pytest.approx((means.mean(), means.std(ddof=1)))


def test_references_are_matched_in_time(study):
    found = of_one(study, run_in=3, references=(REFERENCE,), match_days=4, groups=(ByThreshold(REFERENCE, 47.0),))
    pairs = []
    for code in np.unique(study.patient):
        own = study.patient == code
        for at in (20005.0, 20025.0):
            reference = study.value[own & (study.key == REFERENCE) & (study.at_day == at)]
            near = own & (study.key == SCORE) & (abs(study.at_day - at) <= 4) & (study.at_day >= 20006)
            pairs.append((code, np.median(study.value[near]), float(reference[0])))
    codes, scores, references = (np.array(column) for column in zip(*pairs, strict=True))
    (correlation,) = found.correlations
    assert correlation.within == repeated(codes, scores, references)
    between = pearson(scores.reshape(-1, 2).mean(axis=1), references.reshape(-1, 2).mean(axis=1))
    assert correlation.pearson.r.value == pytest.approx(between.r.value)
    assert correlation.pearson.r.low > 0.8
    (groups,) = found.groups
    high = np.median(references.reshape(-1, 2), axis=1) >= 47
    assert (groups.compared.first.n, groups.compared.second.n) == (high.sum(), (~high).sum())
    assert groups.compared.auc.value > 0.85


def test_the_scores_asked_for_come_in_their_order_and_an_unknown_one_with_its_reasons(study):
    found = study_reliability(study, Design(references=(REFERENCE,)), [OTHER, SCORE])
    assert [each.key for each in found] == [OTHER, SCORE]
    assert (found[0].patients, found[0].mean) == (0, None)
    assert found[0].icc["ICC(2,1)"].reason == "fewer than 2 patients have every repeat"
    assert found[0].correlations[0].pearson.r.reason == "0 pairs are too few"
    assert [each.key for each in study_reliability(study, Design())] == [SCORE, REFERENCE]


ROWS = st.tuples(
    st.sampled_from(["P1", "P2", "P3"]),
    st.sampled_from([SCORE, REFERENCE]),
    st.floats(0, 60),
    st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, 2.0])),
    st.sampled_from(["", "a", "b"]),
)
DESIGNS = st.sampled_from(
    [
        Windows(2, 14, 1),
        Windows(3, 7, 2),
        Values(3),
        Labels(("a", "b")),
        Periods((Period("a", 0, 20), Period("b", 20, 60))),
    ]
)


@given(st.lists(ROWS, max_size=30), DESIGNS, st.integers(0, 3))
def test_whatever_the_table_nothing_is_nan(rows, repeats, run_in):
    patient, key, at, value, label = (np.array([row[place] for row in rows]) for place in range(5))
    table = StudyTable(
        patient.astype(np.str_), key.astype(np.str_), at.astype(float), value.astype(float), label.astype(np.str_),
        {"sex": {"P1": "f", "P2": "m"}},
    )  # fmt: skip
    design = Design(
        repeats=repeats,
        run_in=run_in,
        groups=(ByAttribute("sex", "f", "m"), ByAttribute("arm", "x", "y"), ByThreshold(REFERENCE, 1.0)),
        references=(REFERENCE,),
    )
    for found in study_reliability(table, design, [SCORE, REFERENCE]):
        assert_finite(found.as_dict())
