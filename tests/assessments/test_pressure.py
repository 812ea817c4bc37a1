"""A phone that senses no pressure sends none, or 0 throughout: one rule for all tests that look at it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from konectom.assessments import get_assessment
from konectom.assessments.base import Result
from tests.assessments.examples import Wire, example, holders, run

NAMES = ("cps", "draw", "pinch")
each_assessment = pytest.mark.parametrize("name", NAMES)


def touches(wire: Wire) -> list[Any]:
    return [holder["streams"]["touch"] for holder in holders(wire)]


def unsensed(name: str) -> Wire:
    """Return the example of a phone that sends 0 throughout."""
    wire = copy.deepcopy(example(name))
    for touch in touches(wire):
        touch["pressure"] = [0.0] * len(touch["pressure"])
    return wire


def without(name: str) -> Wire:
    """Return the example of a phone that sends no pressure."""
    wire = copy.deepcopy(example(name))
    for touch in touches(wire):
        del touch["pressure"]
    return wire


def pressures(result: Result) -> dict[str, float]:
    return {entry.key: value for entry, value in result.measures() if "pressure" in entry.quantity}


@each_assessment
def test_what_was_not_sensed_is_absent_and_noted_once(name: str) -> None:
    sensed, result = run(example(name)), run(unsensed(name))
    assert pressures(sensed)
    assert not pressures(result)
    assert {result.absent[key] for key in pressures(sensed)} == {"input_missing"}
    (flag,) = (flag for flag in result.quality.flags if flag.code == f"{name}.no_pressure")
    assert (flag.severity, flag.to) == ("info", "clinician")
    assert "further" not in flag.evidence
    assert result.quality.verdict == sensed.quality.verdict
    others = [entry.index for entry in sensed.catalogue if "pressure" not in entry.quantity]
    assert result.features[others].tobytes() == sensed.features[others].tobytes()


@each_assessment
def test_0_throughout_is_the_same_as_no_pressure(name: str) -> None:
    zero, none = run(unsensed(name)), run(without(name))
    assert zero.features.tobytes() == none.features.tobytes()
    assert zero.absent == none.absent
    assert zero.quality == none.quality


@each_assessment
def test_0_is_a_light_touch_where_the_phone_senses_pressure(name: str) -> None:
    wire = unsensed(name)
    touches(wire)[0]["pressure"] = touches(example(name))[0]["pressure"]
    result = run(wire)
    assert f"{name}.no_pressure" not in {flag.code for flag in result.quality.flags}
    assert {value > 0 for value in pressures(result).values()} == {True, False}


def test_each_test_that_measures_pressure_beside_something_else_is_listed_here() -> None:
    declared = {
        name for name in ("cps", "draw", "pinch", "tap", "typing") if "no_pressure" in get_assessment(name).rules
    }
    assert declared == set(NAMES)
