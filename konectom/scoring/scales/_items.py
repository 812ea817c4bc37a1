"""Questionnaires entered by hand: the items of an assessment's questionnaire as components, its scales as quantities.

Points, sums and the rule for missing items are those of the questionnaire, computed by the same engine.
"""

from __future__ import annotations

import numpy as np

from konectom.assessments._questionnaire import Questionnaire
from konectom.recording import FloatArray
from konectom.scoring.scales.base import Component, Given, Outcome


def items_of(questionnaire: Questionnaire, *, loinc: tuple[str, ...] = ()) -> tuple[Component, ...]:
    """Return a component for each item, its answer as coded; ``loinc`` has a code for each."""
    codes = loinc or ("",) * len(questionnaire.items)
    return tuple(
        Component(
            item.name,
            f"Answer to item {item.number}, {item.first} to {item.first + len(item.points) - 1}.",
            "whole",
            possible=(float(item.first), float(item.first + len(item.points) - 1)),
            loinc=code,
        )
        for item, code in zip(questionnaire.items, codes, strict=True)
    )


def points_of(questionnaire: Questionnaire, answers: dict[str, float]) -> FloatArray:
    """Return each item's points, shape (items,), NaN where ``answers`` has none."""
    return np.array(
        [
            item.points[int(answers[item.name]) - item.first] if item.name in answers else np.nan
            for item in questionnaire.items
        ]
    )


def write_scales(questionnaire: Questionnaire, answers: dict[str, float], out: Outcome) -> dict[str, float]:
    """Write each scale that the answers allow, and say what was imputed; return what was written."""
    answered = any(item.name in answers for item in questionnaire.items)
    written: dict[str, float] = {}
    for quantity, (value, imputed) in questionnaire.score(points_of(questionnaire, answers)).items():
        known = bool(np.isfinite(value))
        out(quantity, value if known else None, "items_missing" if answered else "not_given")
        out.flag("items_imputed", when=known and imputed > 0, of=quantity, items=imputed)
        if known:
            written[quantity] = value
    return written


def write_total(
    given: Given, computed: float | None, out: Outcome, *, reason: str, name: str = "total"
) -> float | None:
    """Write the total: the sum of the items, or else what was given under its name; tell where they differ."""
    told = given.number(name)
    out(name, told if computed is None else computed, reason)
    differ = computed is not None and told is not None and abs(computed - told) > 1e-9
    out.flag("total_disagrees", when=differ, given=told, computed=computed)
    return told if computed is None else computed
