"""Which part of a recording stands for which condition."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from konectom.assessments._outcome import Outcome
from konectom.recording import Part, Recording

if TYPE_CHECKING:
    from konectom.assessments.base import Condition


def parts_by_condition(
    recording: Recording,
    out: Outcome,
    conditions: Callable[[Part], tuple[Condition, ...]],
    size: Callable[[Part], int],
) -> list[tuple[dict[str, str], Part]]:
    """Return each part with its condition, in the order of the recording.

    A level that is not told, or none of those declared, is left out of the condition and flagged. Of several parts
    under one condition that of the largest ``size`` counts (the first of equals), since the others were broken off.
    """
    chosen: dict[tuple[tuple[str, str], ...], Part] = {}
    for part in recording.parts:
        where: dict[str, str] = {}
        for condition in conditions(part):
            told = part.condition.get(condition.name)
            if told in condition.levels:
                where[condition.name] = told
            else:
                out.flag("condition_unknown", condition=condition.name, told=told)
        key = tuple(where.items())
        out.flag("part_repeated", when=key in chosen, **where)
        if key not in chosen or size(part) > size(chosen[key]):
            chosen[key] = part
    return [(dict(key), part) for key, part in chosen.items()]


def fullest_part(recording: Recording, out: Outcome, size: Callable[[Part], int]) -> Part:
    """Return the part that counts of a test which is done once: that of the largest ``size``, the first of equals."""
    ((_, part),) = parts_by_condition(recording, out, lambda _: (), size)
    return part
