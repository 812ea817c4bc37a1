"""Whether a worsening goes with a relapse (RAW), independently of any (PIRA), or cannot be told."""

from __future__ import annotations

from typing import Literal

import numpy as np

from konectom.scoring.progression._scan import HALF_DAY, Course, Found
from konectom.scoring.progression.definition import Anchor, Relapses, Span
from konectom.scoring.thresholds import Floats

Kind = Literal["RAW", "PIRA", "undefined"]


def _bounds(span: Span, day: dict[Anchor, float]) -> tuple[float, float]:
    return day[span.start] - span.before_days - HALF_DAY, day[span.end] + span.after_days + HALF_DAY


def _hit(spans: tuple[Span, ...], day: dict[Anchor, float], relapse_day: Floats) -> bool:
    bounds = [_bounds(span, day) for span in spans]
    return any(bool(((relapse_day >= low) & (relapse_day <= high)).any()) for low, high in bounds)


def _watched(spans: tuple[Span, ...], day: dict[Anchor, float], since_day: float | None) -> bool:
    """Return whether relapses were recorded throughout the spans."""
    return since_day is None or all(_bounds(span, day)[0] + 2 * HALF_DAY >= since_day for span in spans)


def classify(
    course: Course, found: Found, rules: Relapses, relapse_day: Floats, since_day: float | None
) -> tuple[Kind, float | None]:
    """Return the kind of a worsening, and for PIRA the day of the visit that confirmed it free of relapses.

    Args:
        course: the course that it was found in.
        found: the worsening.
        rules: which spans decide.
        relapse_day: onsets of relapses, in days, shape (k,).
        since_day: the day from which on relapses were recorded; ``None``: as long as the spans reach back. A stretch
            without records cannot show that it was free of relapses: what would be PIRA is then undefined.
    """
    at_day = course.at_day
    day: dict[Anchor, float] = {
        "reference": float(at_day[found.reference]),
        "previous": float(at_day[found.onset - 1]),
        "onset": float(at_day[found.onset]),
        "confirmation": float(at_day[found.confirmed]),
    }
    if _hit(rules.raw, day, relapse_day):
        return "RAW", None
    if not rules.pira:
        return "undefined", None
    for confirming in _confirming(course, found, rules):
        day["confirmation"] = float(at_day[confirming])
        if not _hit(rules.pira, day, relapse_day) and _watched(rules.raw + rules.pira, day, since_day):
            return "PIRA", day["confirmation"]
    return "undefined", None


def _confirming(course: Course, found: Found, rules: Relapses) -> list[int]:
    """Return the visits that confirm the worsening: the first, and where the rules say so those that follow in time."""
    if rules.pira_confirmed == "first":
        return [found.confirmed]
    confirmation = course.definition.confirmation
    index = np.arange(found.confirmed, found.broken)
    since = np.floor(course.at_day[index] - course.at_day[found.onset] + HALF_DAY)
    in_time = np.ones(len(index), dtype=bool)
    if confirmation.later_days is not None:
        in_time = since <= confirmation.days + confirmation.later_days
    return [int(one) for one in index[in_time & course.confirmation_ok[index]]]
