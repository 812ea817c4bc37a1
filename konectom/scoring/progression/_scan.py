"""The search: from a reference to the first confirmed change, and on.

All that depends on the days alone is computed once; all that depends on the reference once for each reference, for all
visits together, so that a course of 80 values takes tens of microseconds for each reference it has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import inf

import numpy as np
from numpy.typing import NDArray

from konectom.scoring.progression.definition import Confirmation, Definition, Distance, Place
from konectom.scoring.thresholds import TOLERANCE, Booleans, Direction, Floats, Given

Indices = NDArray[np.intp]

HALF_DAY = 0.5
"""Days are counted to the nearest whole one."""


@dataclass(frozen=True, slots=True)
class Found:
    """One confirmed change, by the indices of its visits; ``broken`` is the first visit that lost it, n if none."""

    direction: Direction
    reference: int
    onset: int
    confirmed: int
    broken: int


def first_at_or_after(wanted: Booleans) -> Indices:
    """Return for each index the first one from there on where ``wanted`` is true, n where there is none. Shape (n,)."""
    size = len(wanted)
    own = np.where(wanted, np.arange(size), size)
    found: Indices = np.minimum.accumulate(own[::-1])[::-1]
    return found


def first_greater(value: Floats) -> Indices:
    """Return for each value the index of the first later one that is greater, n where there is none. Shape (n,)."""
    found = np.full(len(value), len(value), dtype=np.intp)
    waiting: list[int] = []
    for index, one in enumerate(value.tolist()):
        while waiting and value[waiting[-1]] < one:
            found[waiting.pop()] = index
        waiting.append(index)
    return found


def far_enough(at_day: Floats, relapse_day: Floats, distance: Distance) -> Booleans:
    """Return which visits are at least that far from the relapses; a distance of 0 forbids nothing. Shape (n,)."""
    if not len(relapse_day) or (distance.after_days <= 0 and distance.before_days <= 0):
        return np.ones(len(at_day), dtype=bool)
    since = np.floor(at_day[:, None] - relapse_day[None, :] + HALF_DAY)
    after = (since >= 0) & (since < distance.after_days)
    before = (since <= 0) & (-since < distance.before_days)
    result: Booleans = np.logical_not(np.logical_or(after, before).any(axis=1))
    return result


class Course:
    """One course of values, prepared for one definition.

    Args:
        at_day: days of the visits, increasing, shape (n,).
        value: their values, shape (n,).
        sign: 1 where more is worse, -1 where less is.
        definition: what counts.
        relapse_day: onsets of relapses, in days.
        given: noise and important change of the score.
    """

    def __init__(
        self, at_day: Floats, value: Floats, sign: float, definition: Definition, relapse_day: Floats, given: Given
    ) -> None:
        self.at_day = at_day
        self.value = value
        self.badness = sign * value
        self.definition = definition
        self.given = given
        self.size = len(value)
        rules = definition.relapses
        nowhere = Distance()
        self.reference_ok = far_enough(at_day, relapse_day, rules.reference if rules else nowhere)
        self.onset_ok = far_enough(at_day, relapse_day, rules.onset if rules else nowhere)
        self.confirmation_ok = far_enough(at_day, relapse_day, rules.confirmation if rules else nowhere)
        self.next_reference = first_at_or_after(self.reference_ok)

    def confirming(self, rule: Confirmation) -> tuple[Indices, Booleans]:
        """Return for each visit the one that would confirm a change there, and whether it comes in time."""
        due = self.at_day + (rule.days - rule.earlier_days - HALF_DAY)
        earliest = np.maximum(np.searchsorted(self.at_day, due), np.arange(1, self.size + 1))
        found = np.append(first_at_or_after(self.confirmation_ok), self.size)[earliest]
        # Beyond the last visit stands one that never comes.
        day = np.append(self.at_day, inf)[found]
        latest = inf if rule.later_days is None else rule.days + rule.later_days
        return found, (found < self.size) & (np.floor(day - self.at_day + HALF_DAY) <= latest)

    @cached_property
    def event_confirmation(self) -> tuple[Indices, Booleans]:
        """The confirming visits of events."""
        return self.confirming(self.definition.confirmation)

    @cached_property
    def reference_confirmation(self) -> tuple[Indices, Booleans]:
        """The confirming visits of improvements that only move the reference."""
        rule = self.definition.reference.confirmation
        return self.event_confirmation if rule is None else self.confirming(rule)

    @cached_property
    def first_worse(self) -> Indices:
        """For each visit, the first later one that is worse than it."""
        return first_greater(self.badness)

    def held(self, changed: Booleans, rule: Confirmation, confirmed: Indices) -> tuple[Booleans, Indices]:
        """Return which changes are there up to their confirmation, and the first visit after it that lost them."""
        lost = np.append(first_at_or_after(~changed), self.size)
        broken = lost[np.minimum(confirmed, self.size)]
        if rule.every_visit:
            return lost[: self.size] > confirmed, broken
        return changed & np.append(changed, False)[confirmed], broken

    def long_enough(self, broken: Indices) -> Booleans:
        """Return which changes last as long as the definition asks."""
        asked = self.definition.sustained_days
        to_the_end = broken >= self.size
        if asked is None:
            return np.ones(self.size, dtype=bool)
        lost_day = np.append(self.at_day, inf)[broken]
        return to_the_end | (np.floor(lost_day - self.at_day + HALF_DAY) >= asked)


class Seen:
    """A course as it looks from one reference: which visits are onsets of confirmed changes."""

    def __init__(self, course: Course, reference: int) -> None:
        self.course = course
        self.reference = reference
        definition = course.definition
        self.confirmed, in_time = course.event_confirmation
        self.broken: dict[Direction, Indices] = {}
        self.onset: dict[Direction, Booleans] = {}
        change = course.badness - course.badness[reference]
        wanted: dict[Direction, bool] = {
            "worsening": "worsening" in definition.directions or definition.reference.after_worsening is not None,
            "improvement": "improvement" in definition.directions or definition.reference.after_improvement is not None,
        }
        for direction, looked_for in wanted.items():
            if not looked_for:
                continue
            towards = change if direction == "worsening" else -change
            value = float(course.value[reference])
            changed = definition.threshold.reached(towards, value, direction, course.given)
            held, broken = course.held(changed, definition.confirmation, self.confirmed)
            self.onset[direction] = held & in_time & course.onset_ok & course.long_enough(broken)
            self.broken[direction] = broken
        self.better = self._better(change) if definition.reference.after_any_improvement else None
        parts = [*self.onset.values(), *([] if self.better is None else [self.better])]
        self.next = first_at_or_after(np.logical_or.reduce(parts))

    def _better(self, change: Floats) -> Booleans:
        """Return where improvements of any size begin that may move the reference."""
        course = self.course
        rule = course.definition.reference
        confirmed, in_time = course.reference_confirmation
        lower = -change > TOLERANCE * max(1.0, abs(float(course.badness[self.reference])))
        if rule.held == "onset_value":
            held = lower & (course.first_worse > confirmed)
        else:
            held, _ = course.held(lower, rule.confirmation or course.definition.confirmation, confirmed)
        return held & in_time & course.onset_ok

    def event_at(self, index: int) -> Found | None:
        """Return the event that begins at this visit, if one does."""
        for direction, onset in self.onset.items():
            if onset[index]:
                broken = int(self.broken[direction][index])
                return Found(direction, self.reference, index, int(self.confirmed[index]), broken)
        return None


def changes(course: Course) -> Iterator[Found]:
    """Yield the confirmed changes in order of their onset, moving the reference as the definition says."""
    reference = int(course.next_reference[0]) if course.size else course.size
    search = reference + 1
    seen: Seen | None = None
    while search < course.size:
        if seen is None or seen.reference != reference:
            seen = Seen(course, reference)
        onset = int(seen.next[search])
        if onset >= course.size:
            return
        event = seen.event_at(onset)
        if event is not None:
            yield event
        place, confirmed = _move(seen, onset, event)
        moved = onset if place == "onset" else confirmed
        search = moved + 1
        if place is not None:
            reference = int(course.next_reference[moved])
            search = max(search, reference + 1)
        if event is not None and course.definition.apart_days:
            after = course.at_day[event.confirmed] + course.definition.apart_days - HALF_DAY
            search = max(search, int(np.searchsorted(course.at_day, after)))


def _move(seen: Seen, onset: int, event: Found | None) -> tuple[Place | None, int]:
    """Return where the reference moves after what begins at this visit, and the visit that confirmed it."""
    rule = seen.course.definition.reference
    if event is not None:
        place = rule.after_worsening if event.direction == "worsening" else rule.after_improvement
        if place is not None or seen.better is None or not seen.better[onset]:
            return place, event.confirmed
    return rule.after_any_improvement, int(seen.course.reference_confirmation[0][onset])
