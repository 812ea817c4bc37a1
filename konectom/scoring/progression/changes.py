"""Confirmed worsening and improvement of one score of one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from konectom.errors import FieldInvalid
from konectom.scoring.progression._scan import Course, Found, changes
from konectom.scoring.progression.definition import Definition
from konectom.scoring.progression.relapses import Kind, classify
from konectom.scoring.thresholds import Direction, Floats, Given, Threshold


@dataclass(frozen=True, slots=True)
class Event:
    """One confirmed change.

    Attributes:
        direction: which way.
        onset_day: the first visit that showed it.
        confirmed_day: the visit that confirmed it.
        reference_day: the visit that it is a change from.
        reference_value: the value there.
        value: the value at the onset.
        sustained: whether it was never lost again up to the last value.
        kind: how a worsening relates to relapses; ``None`` where relapses do not bear on it.
        definition: the definition's name and version.
        threshold: the smallest change from this reference that would have counted, in the score's unit.
        confirmed_value: the value at the confirming visit.
        event_day: when it happened, by the definition: at its onset or at its confirmation.
        pira_confirmed_day: the confirming visit that was free of relapses as PIRA asks; else ``None``.
    """

    direction: Direction
    onset_day: float
    confirmed_day: float
    reference_day: float
    reference_value: float
    value: float
    sustained: bool
    kind: Kind | None
    definition: str
    threshold: float
    confirmed_value: float
    event_day: float
    pira_confirmed_day: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the event as JSON."""
        return asdict(self)


def confirmed_changes(
    at_day: Sequence[float] | Floats,
    value: Sequence[float] | Floats,
    *,
    better: Literal["higher", "lower"] | None,
    definition: Definition,
    relapse_day: Sequence[float] | Floats = (),
    noise: float | None = None,
    important: Threshold | None = None,
    relapses_since_day: float | None = None,
) -> tuple[Event, ...]:
    """Return the confirmed changes of one score, in order of their onset.

    No value, or one, gives none. A change without a confirming visit in time (the course ends, or the next visit comes
    later than the definition allows) is none either.

    Args:
        at_day: instants in days since 1970-01-01T00:00Z, increasing, shape (n,).
        value: the score at each, finite, shape (n,); one value for each visit, or for each window.
        better: which way the score improves.
        definition: what counts as a confirmed change.
        relapse_day: onsets of relapses, in the same days, in any order. Left unused by definitions without relapses.
        noise: smallest detectable change (MDC95) of these values, for definitions that ask for it.
        important: the score's important change, for definitions that ask for it.
        relapses_since_day: the day since when relapses are on record; before that PIRA is not claimed.

    Raises:
        FieldInvalid: lengths differ, a value is not finite, a day does not come after the one before it, the score
            has no better direction.
        FieldMissing: the definition asks for the noise, and it is not given.
    """
    if better not in ("higher", "lower"):
        raise FieldInvalid(
            "A score that is better neither higher nor lower can neither worsen nor improve.", at="/better"
        )
    days, values = _checked_course(at_day, value)
    relapses = _finite(relapse_day, "/relapse_day")
    if noise is not None and not (np.isfinite(noise) and noise >= 0):
        raise FieldInvalid("The smallest detectable change must be a number, 0 or more.", at="/noise")
    given = Given(noise, important)
    if definition.needs_noise:
        definition.threshold.amount(0.0, "worsening", given)
    course = Course(days, values, 1.0 if better == "lower" else -1.0, definition, relapses, given)
    told: list[Event] = []
    missing = set(definition.directions)
    for found in changes(course):
        if found.direction in missing:
            told.append(_event(course, found, relapses, relapses_since_day))
            if not definition.repeats:
                missing.discard(found.direction)
        if not missing:
            break
    return tuple(told)


def _event(course: Course, found: Found, relapse_day: Floats, since_day: float | None) -> Event:
    definition = course.definition
    kind: Kind | None = None
    free_day: float | None = None
    rules = definition.relapses
    if rules is not None and rules.classify and found.direction == "worsening":
        kind, free_day = classify(course, found, rules, relapse_day, since_day)
    onset, confirmed = float(course.at_day[found.onset]), float(course.at_day[found.confirmed])
    reference = float(course.value[found.reference])
    return Event(
        direction=found.direction,
        onset_day=onset,
        confirmed_day=confirmed,
        reference_day=float(course.at_day[found.reference]),
        reference_value=reference,
        value=float(course.value[found.onset]),
        sustained=found.broken >= course.size,
        kind=kind,
        definition=definition.key,
        threshold=definition.threshold.amount(reference, found.direction, course.given),
        confirmed_value=float(course.value[found.confirmed]),
        event_day=onset if definition.dated == "onset" else confirmed,
        pira_confirmed_day=free_day,
    )


def _finite(numbers: Sequence[float] | Floats, at: str) -> Floats:
    array = np.asarray(numbers, dtype=np.float64)
    if array.ndim != 1:
        raise FieldInvalid("This must be a list of numbers.", at=at)
    finite = np.isfinite(array)
    if not finite.all():
        raise FieldInvalid("This is not a finite number.", at=f"{at}/{int(np.argmin(finite))}")
    return array


def _checked_course(at_day: Sequence[float] | Floats, value: Sequence[float] | Floats) -> tuple[Floats, Floats]:
    days, values = _finite(at_day, "/at_day"), _finite(value, "/value")
    if len(days) != len(values):
        raise FieldInvalid(f"There are {len(days)} days for {len(values)} values.", at="/value")
    later = np.diff(days) > 0
    if not later.all():
        index = int(np.argmin(later)) + 1
        same = "repeats" if days[index] == days[index - 1] else "comes before"
        raise FieldInvalid(f"Day {days[index]:g} {same} the one before it; days must increase.", at=f"/at_day/{index}")
    return days, values
