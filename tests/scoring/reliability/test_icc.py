"""Intraclass correlation against published examples, R and pingouin, and against a simulated truth.

R values: R 4.5 (webr 0.6.0) with ``psych::ICC(x, lmer=FALSE)`` of psych 2.5.3, ``irr::icc`` of irr 0.84.1 and
``ICC::ICCest`` of ICC 2.4.0. pingouin 0.7.0: ``pingouin.intraclass_corr``.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from konectom.errors import FieldInvalid
from konectom.scoring.reliability.icc import FORMS, icc
from tests.scoring.reliability.simulated import assert_finite, coverage, repeats

SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)

TWELVE = np.array(
    [
        [16.5, 20.1, 19.0],
        [14.1, 16.6, 15.9],
        [18.6, 19.4, 19.7],
        [21.9, 21.9, 21.8],
        [23.9, 25.0, 22.8],
        [20.0, 20.0, 21.3],
        [16.9, 19.1, 19.5],
        [17.3, 17.2, 18.4],
        [21.0, 21.5, 23.7],
        [23.7, 26.9, 26.9],
        [18.6, 21.8, 20.8],
        [16.3, 17.0, 15.3],
    ]
)


def test_the_worked_example_of_shrout_and_fleiss():
    """Six targets, four judges: table 4 of the paper, to its two decimals; F of table 3."""
    found = icc(SHROUT_FLEISS)
    assert [round(form.value, 2) for form in found.forms] == [0.17, 0.29, 0.71, 0.44, 0.62, 0.91]
    assert found.two_way is not None
    mean_squares = (
        found.two_way.ms_patients,
        found.one_way.ms_within,
        found.two_way.ms_repeats,
        found.two_way.ms_error,
    )
    assert [round(each, 2) for each in mean_squares] == [11.24, 6.26, 32.49, 1.02]
    assert [round(found[name].f, 2) for name in ("ICC(1,1)", "ICC(3,1)")] == [1.79, 11.03]


PSYCH = {
    ("six", 0.95): {
        "ICC(1,1)": (0.165741768405, -0.132932324875, 0.722560062328),
        "ICC(2,1)": (0.289763779528, 0.0187865133747, 0.761084369649),
        "ICC(3,1)": (0.714840714841, 0.342464765034, 0.945858259955),
        "ICC(1,k)": (0.442797133679, -0.884442155238, 0.912415420341),
        "ICC(2,k)": (0.620050547599, 0.0711368153025, 0.927232040168),
        "ICC(3,k)": (0.909315542377, 0.675674713816, 0.985891678169),
    },
    ("twelve", 0.95): {
        "ICC(1,1)": (0.851068321382, 0.667210184729, 0.949631032265),
        "ICC(2,1)": (0.853868559199, 0.583977355313, 0.955090085307),
        "ICC(3,1)": (0.904911438495, 0.772106257900, 0.968902648730),
        "ICC(1,k)": (0.944883735241, 0.857442207229, 0.982626969686),
        "ICC(2,k)": (0.946031895117, 0.808103627512, 0.984567995086),
        "ICC(3,k)": (0.966158521135, 0.910426609143, 0.989414767787),
    },
    ("twelve", 0.90): {
        "ICC(1,1)": (0.851068321382, 0.705488048769, 0.939192254925),
        "ICC(2,1)": (0.853868559199, 0.643888088039, 0.944920393234),
        "ICC(3,k)": (0.966158521135, 0.923568398769, 0.987113540491),
    },
}
TESTS = {
    ("six", "1"): (1.794678492239, 5, 18, 0.164768808345),
    ("six", "2"): (11.0272479564, 5, 15, 1.34566516484e-04),
    ("six", "3"): (11.0272479564, 5, 15, 1.34566516484e-04),
    ("twelve", "1"): (18.1434646264, 11, 24, 5.00220183828e-09),
    ("twelve", "2"): (29.5495360590, 11, 22, 1.26082580736e-10),
    ("twelve", "3"): (29.5495360590, 11, 22, 1.26082580736e-10),
}
"""F, its degrees of freedom and p, by the kind of ICC."""


@pytest.mark.parametrize(
    ("name", "confidence", "form"), [(*which, form) for which, forms in PSYCH.items() for form in forms]
)
def test_all_forms_as_psych_gives_them(name, confidence, form):
    """irr gives the same limits of ICC(1), ICC(A,1), ICC(C,1) and ICC(C,k); pingouin the same values, F and p.

    irr's limits of ICC(A,4) are others, 0.039 and 0.929: they are not those of ICC(A,1) stepped up.
    """
    found = icc({"six": SHROUT_FLEISS, "twelve": TWELVE}[name], confidence=confidence)[form]
    assert (found.value, found.low, found.high) == pytest.approx(PSYCH[name, confidence][form], rel=1e-10)
    assert (found.f, found.df1, found.df2, found.p) == pytest.approx(TESTS[name, form[4]], rel=1e-10)


def test_limits_of_the_example_of_statpsych():
    """statpsych's ci.icc(.05, MSr=48.2, MSe=11.3, r=5, n=30): 0.3951 (0.2311, 0.5853) and 0.7656 (0.6005, 0.8759)."""
    rng = np.random.default_rng(3)
    patients, rest = rng.normal(size=30), rng.normal(size=(30, 5))
    patients -= patients.mean()
    rest -= rest.mean(axis=0)
    rest -= rest.mean(axis=1, keepdims=True)
    patients *= np.sqrt(48.2 * 29 / 5 / (patients @ patients))
    rest *= np.sqrt(11.3 * 29 * 4 / (rest**2).sum())
    found = icc(50 + patients[:, np.newaxis] + np.arange(5) + rest)
    for form, figures in (("ICC(3,1)", (0.3951, 0.2311, 0.5853)), ("ICC(3,k)", (0.7656, 0.6005, 0.8759))):
        assert (found[form].value, found[form].low, found[form].high) == pytest.approx(figures, abs=5e-5)


def test_unequal_numbers_of_repeats_as_the_package_icc_has_them():
    """ICC::ICCest with CI.type "THD", whose limits take k0 as well."""
    table = np.full((6, 5), np.nan)
    for index, row in enumerate([[9, 2, 5, 8], [6, 1, 3], [8, 4, 6, 8, 7], [7, 1], [10, 5, 6, 9], [6, 2]]):
        table[index, : len(row)] = row
    found = icc(table)
    form = found["ICC(1,1)"]
    expected = (0.0895150005382, -0.2440574502841, 0.6977202801396)
    assert (form.value, form.low, form.high) == pytest.approx(expected, rel=1e-10)
    assert found.one_way.repeats == pytest.approx(3.26)
    assert found.one_way.ms_within == pytest.approx(6.9190476190476)


def test_whoever_lacks_a_repeat_is_left_out_and_counted():
    table = np.vstack([SHROUT_FLEISS, [[5, np.nan, 4, 6], [3, np.nan, np.nan, np.nan], [np.nan] * 4]])
    found = icc(table)
    assert found["ICC(2,1)"] == icc(SHROUT_FLEISS)["ICC(2,1)"]
    assert (found.two_way.patients, found.two_way.left_out) == (6, 2)
    assert (found.one_way.patients, found.one_way.left_out, found.one_way.values) == (7, 1, 27)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([[1.0, 2.0]], "fewer than 2 patients"),
        (np.empty((0, 2)), "fewer than 2 patients"),
        ([[1.0], [2.0], [3.0]], "fewer than 2 repeats"),
        ([[1.0, np.nan], [np.nan, 2.0]], "fewer than 2 patients"),
        ([[7.0, 7.0], [7.0, 7.0]], "all values are equal"),
        ([[0.1 + 0.2, 0.3], [0.3, 0.1 + 0.2]], "all values are equal"),
    ],
)
def test_what_cannot_be_computed_says_why(table, reason):
    for form in icc(table).forms:
        assert form.value is None
        assert reason in form.reason


def test_repeats_without_error_have_no_limits():
    found = icc([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]])
    for form in found.forms:
        assert (form.value, form.low, form.high, form.f, form.p) == (1.0, None, None, None, None)
        assert "no error" in form.reason


def test_a_shift_alone_is_no_error_of_consistency_only():
    found = icc([[1.0, 2.0], [2.0, 3.0], [4.0, 5.0]])
    assert found["ICC(3,1)"].value == 1
    assert found["ICC(2,1)"].value == pytest.approx(
        (7 / 3) / (7 / 3 + 0.5)
    )  # variances: 7/3 of patients, 1/2 of the shift
    assert found["ICC(2,1)"].low is not None


def test_patients_who_do_not_differ():
    found = icc([[1.0, 3.0], [3.0, 1.0], [0.0, 4.0]])
    assert found["ICC(1,1)"].value == -1
    assert found["ICC(1,k)"].value is None
    assert {found["ICC(1,1)"].reason, found["ICC(1,k)"].reason} == {"patients do not differ on average"}


@pytest.mark.parametrize(
    ("given", "at"),
    [({"values": [1.0, 2.0]}, "/values"), ({"values": [[1.0, np.inf]]}, "/values/0/1"),
     ({"values": [[1.0, 2.0]], "confidence": 95}, "/confidence")],
)  # fmt: skip
def test_bad_input_says_where(given, at):
    with pytest.raises(FieldInvalid) as refusal:
        icc(**given)
    assert refusal.value.at == at


TABLES = hnp.arrays(
    float,
    st.tuples(st.integers(0, 7), st.integers(1, 5)),
    elements=st.one_of(st.just(np.nan), st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, 2.0])),
)


@given(TABLES)
def test_nothing_is_ever_nan_and_what_is_missing_has_a_reason(table):
    for form in icc(table).forms:
        assert_finite(form.as_dict())
        if form.value is None or form.low is None:
            assert form.reason
        else:
            assert form.low - 1e-6 <= form.value <= form.high + 1e-6


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1000), st.floats(-1000, 1000))
def test_neither_unit_nor_zero_point_matter(seed, scale, shift):
    table = repeats(np.random.default_rng(seed), 8, 3, shift=0.3)
    for one, other in zip(icc(table).forms, icc(table * scale + shift).forms, strict=True):
        assert (other.value, other.low, other.high) == pytest.approx((one.value, one.low, one.high), rel=1e-5, abs=1e-6)


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_patients_and_repeats_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    table = repeats(rng, 8, 3, shift=0.3)
    shuffled = table[rng.permutation(8)][:, rng.permutation(3)]
    for one, other in zip(icc(table).forms, icc(shuffled).forms, strict=True):
        assert other.value == pytest.approx(one.value)
    within = rng.permuted(table, axis=1)  # each patient's repeats in an order of their own
    assert icc(within)["ICC(1,1)"].value == pytest.approx(icc(table)["ICC(1,1)"].value)


RUNS = 1500


@pytest.mark.parametrize(
    ("form", "shift", "truth"),
    [
        ("ICC(1,1)", 0.0, 1 / 1.36),
        ("ICC(3,1)", 0.5, 1 / 1.36),
        ("ICC(1,k)", 0.0, 1 / (1 + 0.36 / 3)),
        ("ICC(3,k)", 0.5, 1 / (1 + 0.36 / 3)),
        ("ICC(2,1)", 0.3, 1 / (1 + 0.36 + 0.09)),
        ("ICC(2,k)", 0.3, 1 / (1 + (0.36 + 0.09) / 3)),
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(form, shift, truth):
    """95 % of them; those of ICC(2,.) are approximate. The bounds are 4 standard errors of 1,500 simulations wide."""
    rng = np.random.default_rng(11)
    found = [icc(repeats(rng, 25, 3, shift=shift))[form] for _ in range(RUNS)]
    tolerance = 0.0225 if "(2" not in form else 0.03
    assert coverage([(each.low, each.high) for each in found], truth) == pytest.approx(0.95, abs=tolerance)


def test_intervals_of_unequal_numbers_of_repeats_hold_the_truth():
    rng = np.random.default_rng(12)
    found = []
    for _ in range(RUNS):
        table = repeats(rng, 25, 5)
        table[rng.random((25, 5)) < 0.3] = np.nan
        found.append(icc(table)["ICC(1,1)"])
    assert coverage([(each.low, each.high) for each in found], 1 / 1.36) == pytest.approx(0.95, abs=0.03)


def test_every_form_is_there_by_name():
    found = icc(SHROUT_FLEISS)
    assert tuple(form.form for form in found.forms) == FORMS
    with pytest.raises(FieldInvalid):
        found["ICC(4,1)"]
