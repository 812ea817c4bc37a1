"""Definitions tell all that decides, refuse what makes no sense, and never change under their name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import Any

import pytest

from konectom.errors import FieldInvalid
from konectom.scoring.progression import (
    DEFINITIONS,
    FIXED,
    Confirmation,
    Definition,
    Distance,
    Reference,
    Span,
    definitions_for,
    get_definition,
)
from konectom.scoring.thresholds import Absolute, edss_steps

DIGESTS = Path(__file__).parents[1] / "data" / "definitions.json"
PIRA = DEFINITIONS["edss-pira-mueller-2023-24w/1"]


def test_every_definition_is_found_by_its_name_and_version() -> None:
    assert all(key == one.key == f"{one.name}/{one.version}" for key, one in DEFINITIONS.items())
    assert get_definition("edss-cdw-12w/1") is DEFINITIONS["edss-cdw-12w/1"]
    with pytest.raises(FieldInvalid) as refused:
        get_definition("edss-cdw-13w/1")
    assert refused.value.at == "/definition"


def test_released_definitions_have_not_changed() -> None:
    """A change needs a new version; then its digest is added, and the old ones stay."""
    now = {
        key: sha256(json.dumps(one.as_dict(), sort_keys=True).encode()).hexdigest() for key, one in DEFINITIONS.items()
    }
    assert now == json.loads(DIGESTS.read_text())


def test_definitions_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        PIRA.version = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        DEFINITIONS["mine/1"] = PIRA  # type: ignore[index]


OTHER: dict[str, Any] = {
    "name": "other",
    "version": 2,
    "title": "other",
    "source": "other",
    "threshold": Absolute(3.0),
    "confirmation": Confirmation(85.0),
    "scores": ("other",),
    "directions": ("worsening",),
    "reference": Reference("onset", "onset"),
    "repeats": False,
    "apart_days": 1.0,
    "sustained_days": inf,
    "dated": "confirmation",
    "relapses": None,
}


@pytest.mark.parametrize("field", [field.name for field in fields(Definition)])
def test_each_field_is_told(field: str) -> None:
    assert replace(PIRA, **{field: OTHER[field]}).as_dict() != PIRA.as_dict()


def _confirmation(**more: Any) -> Definition:
    return replace(PIRA, confirmation=replace(PIRA.confirmation, **more))


def _reference(**more: Any) -> Definition:
    return replace(PIRA, reference=replace(PIRA.reference, **more))


def _relapses(**more: Any) -> Definition:
    assert PIRA.relapses is not None
    return replace(PIRA, relapses=replace(PIRA.relapses, **more))


@pytest.mark.parametrize(
    ("change", "parameter", "other"),
    [
        (_confirmation, "days", 85.0),
        (_confirmation, "earlier_days", 3.0),
        (_confirmation, "later_days", None),
        (_confirmation, "every_visit", False),
        (_reference, "after_worsening", "onset"),
        (_reference, "after_improvement", "onset"),
        (_reference, "after_any_improvement", "onset"),
        (_reference, "confirmation", Confirmation(30.0)),
        (_reference, "held", "onset_value"),
        (_relapses, "reference", Distance(30.0, 30.0)),
        (_relapses, "onset", Distance(1.0)),
        (_relapses, "confirmation", Distance(31.0)),
        (_relapses, "raw", (Span("onset", 91.0, "onset", 0.0),)),
        (_relapses, "pira", (Span("previous", 0.0, "onset", 0.0),)),
        (_relapses, "pira_confirmed", "first"),
    ],
)
def test_each_parameter_is_told(change: Callable[..., Definition], parameter: str, other: Any) -> None:
    told = json.dumps(change(**{parameter: other}).as_dict(), sort_keys=True)
    assert told != json.dumps(PIRA.as_dict(), sort_keys=True)
    assert f'"{parameter}"' in told


def test_the_question_of_5_5_is_told() -> None:
    assert DEFINITIONS["edss-cdw-12w/1"].as_dict()["threshold"] == edss_steps(5.0).as_dict()
    assert DEFINITIONS["edss-5.5-cdw-12w/1"].as_dict()["threshold"] == edss_steps(5.5).as_dict()


def test_without_end_is_written_as_json() -> None:
    assert json.dumps(replace(PIRA, sustained_days=inf).as_dict(), allow_nan=False).count('"always"') == 1


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        ({"reference": FIXED}, "/repeats"),
        ({"reference": Reference("confirmation")}, "/repeats"),
        ({"apart_days": -1.0}, "/apart_days"),
        ({"sustained_days": float("nan")}, "/sustained_days"),
        ({"directions": ()}, "/directions"),
        ({"directions": ("sideways",)}, "/directions"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], at: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        replace(PIRA, **wrong)
    assert refused.value.at == at


@pytest.mark.parametrize("days", [-1.0, inf, float("nan")])
def test_days_are_numbers_of_days(days: float) -> None:
    with pytest.raises(FieldInvalid):
        Confirmation(days)
    with pytest.raises(FieldInvalid):
        Distance(before_days=days)


@pytest.mark.parametrize(
    ("score", "first"),
    [
        ("obs.edss.step", "edss-roving-cdw-12w/1"),
        ("obs.sdmt.correct", "sdmt-8-roving-12w/1"),
        ("obs.nhpt.mean", "nhpt-20-roving-12w/1"),
        ("obs.t25fw.time", "t25fw-20-roving-12w/1"),
        ("obs.sixmwt.distance", "sixmwt-20-roving-12w/1"),
        ("tap.rate", "digital-12w/1"),
    ],
)
def test_the_usual_definition_of_a_score_comes_first(score: str, first: str) -> None:
    assert definitions_for(score)[0].key == first


def test_only_digital_definitions_need_the_noise() -> None:
    assert {one.name.split("-")[0] for one in DEFINITIONS.values() if one.needs_noise} == {"digital"}
