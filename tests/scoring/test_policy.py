from typing import Any

import pytest

from konectom.errors import DataError
from konectom.scoring.policy import Policy
from konectom.scoring.series import Score

CPS = Score("cps.substitution_time", "substitution", "s", "lower", "assessment", "cps")
EDSS = Score("obs.edss.step", "EDSS", "1", "lower", "observation", "edss")


def test_defaults_are_those_of_the_field() -> None:
    policy = Policy.of({})
    assert (policy.window_days, policy.tests_min, policy.statistic) == (14, 3, "median")
    assert policy.verdicts == ("valid", "limited")
    assert policy == Policy()


def test_reads_back_what_it_wrote() -> None:
    policy = Policy.of(
        {
            "version": 1,
            "window_days": 28,
            "tests_min": 2,
            "statistic": "mean",
            "verdicts": ["valid"],
            "run_in": {"cps": 2},
            "taken": {"mood": "each"},
            "definitions": {"obs.edss.step": "edss-cdw-24w/1"},
            "noise": ["published"],
        }
    )
    assert Policy.of(policy.as_dict()) == policy
    assert policy.accepts() == (True, False, False)
    assert (policy.run_in_of(CPS).runs, policy.run_in_of(CPS).taken) == (2, "window")
    assert policy.run_in_of(CPS).source == "set by the study"
    assert policy.definition_of(EDSS) == "edss-cdw-24w/1"
    assert policy.definition_of(CPS) == "digital-rising-24w/1"
    assert Policy().definition_of(EDSS) is None


def test_longer_windows_take_the_widest_along() -> None:
    assert Policy.of({"window_days": 90}).widest_days == 90


def test_observations_stand_alone() -> None:
    assert (Policy().run_in_of(EDSS).runs, Policy().run_in_of(EDSS).taken) == (0, "each")


@pytest.mark.parametrize(
    ("document", "at"),
    [
        ([], "/policy"),
        ({"windows": 3}, "/policy/windows"),
        ({"version": 2}, "/policy/version"),
        ({"window_days": 0}, "/policy/window_days"),
        ({"window_days": "14"}, "/policy/window_days"),
        ({"window_days": float("nan")}, "/policy/window_days"),
        ({"tests_min": 2.5}, "/policy/tests_min"),
        ({"tests_min": True}, "/policy/tests_min"),
        ({"statistic": "mode"}, "/policy/statistic"),
        ({"verdicts": []}, "/policy/verdicts"),
        ({"verdicts": ["valid", "invalid"]}, "/policy/verdicts/1"),
        ({"verdicts": ["valid", "valid"]}, "/policy/verdicts"),
        ({"run_in": {"a/b": -1}}, "/policy/run_in/a~1b"),
        ({"run_in": 3}, "/policy/run_in"),
        ({"taken": {"mood": "twice"}}, "/policy/taken/mood"),
        ({"definitions": {"cps": ""}}, "/policy/definitions/cps"),
        ({"window_days": 28, "widest_days": 14}, "/policy/widest_days"),
    ],
)
def test_says_which_member_is_wrong(document: Any, at: str) -> None:
    with pytest.raises(DataError) as refused:
        Policy.of(document, at="/policy")
    assert refused.value.at == at
