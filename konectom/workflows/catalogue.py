"""What there is to measure, straight from the declarations."""

from __future__ import annotations

from typing import Any

from konectom.assessments import every_assessment, get_assessment
from konectom.assessments.base import Assessment, Condition, Input, Rule
from konectom.errors import FieldInvalid
from konectom.scoring.norms import every_norm
from konectom.scoring.progression import DEFINITIONS
from konectom.scoring.scales import Component, Quantity, Scale, every_scale


def list_assessments() -> list[dict[str, Any]]:
    """Return every assessment in short, by name."""
    return [_short(each) for each in every_assessment().values()]


def describe_assessment(name: str) -> dict[str, Any]:
    """Return one assessment with all that it declares; raises :class:`~konectom.errors.AssessmentUnknown`."""
    found = get_assessment(name)
    return _short(found) | {
        "description": found.description,
        "source": found.source,
        "inputs": [_input(each) for each in found.inputs],
        "conditions": [_condition(each) for each in conditions_of(found)],
        "quality": [_rule(found, each) for each in found.rules.values()],
        "measures": [_measure(found, index) for index in range(len(found.catalogue))],
    }


def list_measures(assessment: str | None = None, score: bool | None = None) -> list[dict[str, Any]]:
    """Return the data dictionary: of one assessment or all, of scores, of what is none, or both.

    Raises :class:`~konectom.errors.FieldInvalid` for an assessment that does not exist.
    """
    known = every_assessment()
    if assessment is not None and assessment not in known:
        raise FieldInvalid(
            f"there is no assessment {assessment!r}; there are: {', '.join(known)}", at="/query/assessment"
        )
    return [
        _measure(each, entry.index)
        for each in known.values()
        if assessment in (None, each.name)
        for entry in each.catalogue
        if score in (None, entry.score)
    ]


def list_scales() -> list[dict[str, Any]]:
    """Return every clinical scale with what it takes and what it gives, by code."""
    return [
        {
            "code": scale.code,
            "title": scale.title,
            "version": scale.version,
            "domain": scale.domain,
            "description": scale.description,
            "source": scale.source,
            "licence": scale.licence,
            "components": [_component(each) for each in scale.components],
            "quantities": [_quantity(scale, each) for each in scale.quantities],
        }
        for scale in every_scale().values()
    ]


def list_definitions() -> list[dict[str, Any]]:
    """Return every definition of confirmed change, in full."""
    return [each.as_dict() for each in DEFINITIONS.values()]


def list_norms() -> list[dict[str, Any]]:
    """Return every norm, in full."""
    return [each.as_dict() for each in every_norm().values()]


def _component(found: Component) -> dict[str, Any]:
    return {
        "name": found.name,
        "title": found.means,
        "kind": found.kind,
        "units": [] if found.units is None else list(found.units),
        "possible": None if found.possible is None else list(found.possible),
        "choices": [*found.choices, *(f"{each:g}" for each in found.among)],
        "required": found.required,
    }


def _quantity(scale: Scale, found: Quantity) -> dict[str, Any]:
    return {
        "key": scale.key(found.name),
        "unit": found.unit,
        "better": found.better,
        "plausible": list(found.plausible),
        "score": found.score,
        "means": found.means,
        "evidence": found.evidence,
    }


def _short(found: Assessment) -> dict[str, Any]:
    return {
        "name": found.name,
        "title": found.title,
        "version": found.version,
        "domain": found.domain,
        "measure_count": len(found.catalogue),
        "scores": [entry.key for entry in found.catalogue.scores],
    }


def _measure(found: Assessment, index: int) -> dict[str, Any]:
    return {"assessment": found.name, "version": found.version, **found.catalogue.entries[index].as_dict()}


def _input(wanted: Input) -> dict[str, Any]:
    return {
        "name": wanted.name,
        "of": wanted.of,
        "columns": list(wanted.columns),
        "unit": wanted.unit or None,
        "optional": wanted.optional,
        "means": wanted.means,
    }


def conditions_of(found: Assessment) -> list[Condition]:
    """Return each condition once, with every level that some measure has of it, in the order of the declarations."""
    merged: dict[str, Condition] = {}
    for condition in (each for measure in found.measures for each in measure.by):
        known = merged.get(condition.name, condition)
        levels = tuple(dict.fromkeys((*known.levels, *condition.levels)))
        merged[condition.name] = Condition(condition.name, levels, means=known.means or condition.means)
    return list(merged.values())


def _condition(condition: Condition) -> dict[str, Any]:
    return {"name": condition.name, "levels": list(condition.levels), "means": condition.means}


def _rule(found: Assessment, rule: Rule) -> dict[str, Any]:
    return {
        "code": f"{found.name}.{rule.code}",
        "kind": rule.kind,
        "effect": rule.effect,
        "to": rule.to,
        "message": rule.message,
        "aliases": dict(rule.aliases),
    }
