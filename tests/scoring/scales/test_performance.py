"""Timed tests, strength, breathing and the MSFC against closed forms, constants of others, and published figures."""

import pytest
from scipy import constants

from konectom.errors import DataError, FieldInvalid, FieldMissing, UnitInvalid, UnitMissing
from konectom.scoring.scales import find_scale
from konectom.scoring.scales.msfc import z_arm, z_cognition, z_leg


def seconds(value: float) -> dict[str, object]:
    return {"value": value, "unit": "s"}


def codes(scored: object) -> list[str]:
    return [flag.code for flag in scored.flags]  # type: ignore[attr-defined]


def test_the_walk_is_the_mean_of_two_trials() -> None:
    scored = find_scale("t25fw").score({"trial_1": seconds(5.4), "trial_2": {"value": 4600, "unit": "ms"}})
    assert scored.values["time"] == pytest.approx(5.0)
    assert scored.values["speed"] == pytest.approx(25 * constants.foot / 5.0)
    assert scored.flags == ()
    assert scored.absent == {}


def test_one_trial_counts_alone_and_is_told() -> None:
    scored = find_scale("t25fw").score({"trial_2": seconds(6.1)})
    assert scored.values["time"] == 6.1
    assert codes(scored) == ["one_trial"]


def test_who_cannot_walk_has_no_time_but_a_reason() -> None:
    scored = find_scale("t25fw").score({"unable": True, "aid": "Walker"})
    assert scored.values == {}
    assert scored.absent == {"time": "unable", "speed": "unable"}
    assert scored.facts == {"unable": "yes", "aid": "walker"}


@pytest.mark.parametrize(
    ("code", "component", "longest"), [("t25fw", "trial_1", 180.0), ("nhpt", "left_trial_1", 300.0)]
)
def test_a_trial_ends_at_its_cap(code: str, component: str, longest: float) -> None:
    assert find_scale(code).score({component: seconds(longest)}).flags[0].code == "unlikely_value" or code == "nhpt"
    with pytest.raises(FieldInvalid) as refused:
        find_scale(code).score({component: seconds(longest + 0.1)})
    assert refused.value.at == f"/values/{component}"
    assert f"{longest:g} s" in refused.value.detail


def test_the_pegs_are_averaged_by_hand_and_over_hands() -> None:
    scored = find_scale("nhpt").score(
        {
            "left_trial_1": seconds(24),
            "left_trial_2": seconds(26),
            "right_trial_1": seconds(19),
            "right_trial_2": seconds(21),
            "dominant_hand": "right",
        }
    )
    expected = {"left": 25, "right": 20, "dominant": 20, "non_dominant": 25, "mean": 22.5}
    assert scored.values == pytest.approx({**expected, "mean_reciprocal": (1 / 25 + 1 / 20) / 2})
    assert scored.flags == ()


def test_a_hand_that_cannot_do_it_leaves_a_reciprocal_but_no_mean_time() -> None:
    scored = find_scale("nhpt").score(
        {"left_unable": "yes", "right_trial_1": seconds(20), "right_trial_2": seconds(20)}
    )
    assert scored.absent["left"] == scored.absent["mean"] == "unable"
    assert scored.values["mean_reciprocal"] == pytest.approx((1 / 777 + 1 / 20) / 2)
    nothing_of_left = find_scale("nhpt").score({"right_trial_1": seconds(20)})
    assert nothing_of_left.absent["mean_reciprocal"] == "not_given"


def test_the_reference_population_stands_at_zero_and_one_deviation_at_one() -> None:
    assert z_arm(0.0439) == z_leg(9.5353) == z_cognition(45.0311) == 0.0
    assert z_arm(0.0439 + 0.0101) == pytest.approx(1.0)
    assert z_leg(9.5353 - 11.4058) == pytest.approx(1.0)
    assert z_cognition(45.0311 - 12.0771) == pytest.approx(-1.0)


def test_the_published_fill_in_of_the_walk_is_the_worst_z() -> None:
    """The script of the EPIC cohort fills 165.7948 s in for those who cannot walk, at z = -13.7 of the Task Force."""
    assert z_leg(165.7948) == pytest.approx(-13.7, abs=1e-5)
    assert z_leg(180.0) == -13.7
    assert find_scale("msfc").score({"t25fw_unable": True}).values == {"z_leg": -13.7}


def test_the_composite_is_the_mean_of_three() -> None:
    """Recomputed by hand with the manual's formula: hands 25 s and 20 s, walk 5 s, 50 sums."""
    given = {"nhpt_left": seconds(25), "nhpt_right": seconds(20), "t25fw": seconds(5), "pasat3": 50}
    scored = find_scale("msfc").score(given)
    arm, leg, cognition = 0.0011 / 0.0101, 4.5353 / 11.4058, 4.9689 / 12.0771
    assert scored.values == pytest.approx(
        {"z_arm": arm, "z_leg": leg, "z_cognition": cognition, "z": (arm + leg + cognition) / 3}
    )
    assert scored.values["z"] == pytest.approx(0.305991, abs=1e-6)


def test_two_of_three_are_no_composite() -> None:
    scored = find_scale("msfc").score({"t25fw": seconds(5), "pasat3": 50})
    assert set(scored.values) == {"z_leg", "z_cognition"}
    assert scored.absent == {"z": "not_given", "z_arm": "not_given"}


def test_units_are_never_guessed() -> None:
    with pytest.raises(UnitMissing) as missing:
        find_scale("t25fw").score({"trial_1": 5.1})
    with pytest.raises(UnitInvalid) as unknown:
        find_scale("t25fw").score({"trial_1": {"value": 5.1, "unit": "furlong"}})
    with pytest.raises(UnitInvalid):
        find_scale("edss").score({"step": {"value": 3.5, "unit": "s"}})
    assert missing.value.at == unknown.value.at == "/values/trial_1"
    assert find_scale("edss").score({"step": {"value": 3.5, "unit": "{score}"}}).values["step"] == 3.5


@pytest.mark.parametrize(
    ("code", "component", "value", "unit", "quantity", "expected"),
    [
        ("grip", "left_trial_1", 300.0, "N", "left", 300.0 / constants.g),
        ("grip", "left_trial_1", 70.0, "lb", "left", 70.0 * constants.pound),
        ("grip", "left_trial_1", 70.0, "[lbf_av]", "left", 70.0 * constants.pound_force / constants.g),
        ("grip", "left_trial_1", 32.0, "kg", "left", 32.0),
        ("hhd", "knee_extension_left", 25.0, "kg", "knee_extension_left", 25.0 * constants.kilogram_force),
        ("hhd", "knee_extension_left", 250.0, "N", "knee_extension_left", 250.0),
        ("hhd", "knee_extension_left", 55.0, "lb", "knee_extension_left", 55.0 * constants.pound_force),
        ("sixmwt", "distance", 1500.0, "[ft_i]", "distance", 1500.0 * constants.foot),
        ("sixmwt", "distance", 0.45, "km", "distance", 450.0),
        ("tug", "trial_1", 0.2, "min", "time", 12.0),
        ("svc", "volume", 3200.0, "mL", "volume", 3.2),
        ("nfl", "plasma", 0.012, "ng/mL", "plasma", 12.0),
        ("nfl", "plasma", 12.0, "ng/L", "plasma", 12.0),
        ("mri", "t2_lesion_volume", 5300.0, "mm3", "t2_lesion_volume", 5.3),
        ("mri", "brain_volume", 1.5, "L", "brain_volume", 1500.0),
    ],
)
def test_units_become_the_kept_one(
    code: str, component: str, value: float, unit: str, quantity: str, expected: float
) -> None:
    scored = find_scale(code).score({component: {"value": value, "unit": unit}})
    assert scored.values[quantity] == pytest.approx(expected, rel=1e-12)


def test_grip_takes_the_best_of_each_hand() -> None:
    def kg(value: float) -> dict[str, object]:
        return {"value": value, "unit": "kg"}

    scored = find_scale("grip").score({"left_trial_1": kg(28), "left_trial_3": kg(31), "right_trial_2": kg(35)})
    assert scored.values == {"left": 31.0, "right": 35.0, "best": 35.0}
    assert find_scale("grip").score({"left_trial_1": kg(28)}).absent == {"right": "not_given", "best": "not_given"}


def test_a_percentage_needs_its_equations() -> None:
    percent = {"value": 78, "unit": "%"}
    with pytest.raises(FieldMissing) as refused:
        find_scale("fvc").score({"percent_predicted": percent})
    assert refused.value.at == "/values/equation_set"
    scored = find_scale("fvc").score({"percent_predicted": percent, "equation_set": "GLI-2012"})
    assert scored.values == {"percent_predicted": 78.0}
    assert scored.facts == {"equation_set": "GLI-2012"}


def test_possible_but_unlikely_is_flagged_once_with_its_numbers() -> None:
    scored = find_scale("t25fw").score({"trial_1": seconds(120), "trial_2": seconds(6)})
    assert codes(scored) == ["unlikely_value"]
    assert scored.flags[0].evidence == {"of": "trial_1", "value": 120.0, "plausible": [2.5, 60.0]}


def test_more_correct_answers_than_answers_are_refused() -> None:
    assert find_scale("sdmt").score({"correct": 52, "attempted": 54}).values == {"correct": 52.0, "errors": 2.0}
    with pytest.raises(DataError) as refused:
        find_scale("sdmt").score({"correct": 55, "attempted": 54})
    assert refused.value.at == "/values/correct"


def test_lesions_new_and_enlarging_are_summed() -> None:
    scored = find_scale("mri").score(
        {
            "new_t2_lesions": 2,
            "enlarging_t2_lesions": 1,
            "new_or_enlarging_t2_lesions": 4,
            "compared_with": "2025-03-01",
        }
    )
    assert scored.values["new_or_enlarging_t2_lesions"] == 3.0
    assert codes(scored) == ["lesions_disagree"]
    assert codes(find_scale("mri").score({"new_t2_lesions": 1})) == ["earlier_scan_unknown"]
    assert codes(find_scale("mri").score({"t2_lesions": 12})) == []


def test_a_concentration_without_its_assay_is_told() -> None:
    value = {"value": 9.1, "unit": "pg/mL"}
    assert codes(find_scale("nfl").score({"plasma": value})) == ["assay_unknown"]
    assert codes(find_scale("nfl").score({"plasma": value, "assay": "Simoa HD-X"})) == []
