"""Whether a patient tests as was agreed: what was due, done, late and missed, by the patient's own calendar.

A schedule counts local days, not hours: with "3 days a week" a week has seven dates of the patient's time zone, however
long they are when clocks change. A day counts once, however many tests were done on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from konectom.errors import FieldInvalid, FieldMissing
from konectom.recording import FloatArray
from konectom.scoring.series import IntArray

_EPOCH = date(1970, 1, 1).toordinal()
_SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Schedule:
    """``times`` days with a test in every ``per_days`` calendar days, from ``start`` on (``until`` is the last day).

    "Every 2 days" is once per 2 days, "3 times a week" is 3 per 7, "5 per window" is 5 per 14. What was not done in a
    period may be made up for within ``tolerance_days`` after it: it then counts as late.
    """

    start: date
    times: int = 1
    per_days: int = 7
    tolerance_days: int = 0
    until: date | None = None
    time_zone: str = "UTC"

    @classmethod
    def of(cls, document: Any, *, at: str = "") -> Schedule:
        """Read a schedule from JSON: members as the fields are called, dates as ``2026-11-22``.

        Raises :class:`~konectom.errors.FieldInvalid` or :class:`~konectom.errors.FieldMissing` at the member.
        """
        if not isinstance(document, Mapping):
            raise FieldInvalid("a schedule is an object", at=at or "/")
        unknown = set(document) - {"start", "times", "per_days", "tolerance_days", "until", "time_zone"}
        if unknown:
            name = min(map(str, unknown))
            raise FieldInvalid(f"a schedule has no {name!r}", at=f"{at}/{name}")
        if document.get("start") is None:
            raise FieldMissing("a schedule needs the day from which it holds", at=f"{at}/start")
        start = _date(document["start"], f"{at}/start")
        per_days = _count(document.get("per_days", 7), 1, 366, f"{at}/per_days")
        until = None if document.get("until") is None else _date(document["until"], f"{at}/until")
        if until is not None and until < start:
            raise FieldInvalid("the schedule ends before it begins", at=f"{at}/until")
        return cls(
            start=start,
            times=_count(document.get("times", 1), 1, per_days, f"{at}/times"),
            per_days=per_days,
            tolerance_days=_count(document.get("tolerance_days", 0), 0, per_days, f"{at}/tolerance_days"),
            until=until,
            time_zone=_zone(document.get("time_zone", "UTC"), f"{at}/time_zone"),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the schedule as JSON; :meth:`of` reads it back."""
        return {
            "start": self.start.isoformat(),
            "times": self.times,
            "per_days": self.per_days,
            "tolerance_days": self.tolerance_days,
            "until": None if self.until is None else self.until.isoformat(),
            "time_zone": self.time_zone,
        }


@dataclass(frozen=True, slots=True)
class Period:
    """One period of a schedule: from ``start``, ``days`` dates long; ``due`` days with a test were asked for.

    ``done`` were in it, ``late`` within the tolerance after it, ``missed`` are the rest. While the period, or its
    tolerance, runs (``open``), nothing is missed.
    """

    start: date
    days: int
    due: int
    done: int
    late: int
    missed: int
    open: bool


@dataclass(frozen=True, slots=True)
class Adherence:
    """What was due and done up to today. The sums are over the periods that are closed.

    ``share`` is (done + late) / due, None while nothing was due. More than was asked for does not make up for less at
    another time. ``extra`` counts the days with a test beyond what was due, over all periods. ``lapsed_since`` is the
    last day with a test (the schedule's start if there was none), where the closed periods of the last 14 days, at
    least two, went by without any.
    """

    due: int
    done: int
    late: int
    missed: int
    extra: int
    share: float | None
    periods: tuple[Period, ...]
    lapsed_since: date | None


LAPSED_PERIODS, LAPSED_DAYS = 2, 14
"""A patient has lapsed who did nothing in at least so many closed periods that are at least so many days."""


def adherence(schedule: Schedule, at_day: FloatArray | Sequence[float], today_day: float) -> Adherence:
    """Hold the tests (instants, in any order) against a schedule, up to the instant ``today_day``.

    The last period is cut at ``until``; what is due in it shrinks in proportion, rounded down, to at least one.
    """
    zone = ZoneInfo(schedule.time_zone)
    today = int(local_days([today_day], zone)[0])
    start = schedule.start.toordinal() - _EPOCH
    end = today + 1 if schedule.until is None else min(today + 1, schedule.until.toordinal() - _EPOCH + 1)
    days = np.unique(local_days(at_day, zone))
    days = days[days <= today]
    periods, extra = _periods(schedule, days.tolist(), start, end, today)
    closed = [each for each in periods if not each.open]
    due = sum(each.due for each in closed)
    done, late = sum(each.done for each in closed), sum(each.late for each in closed)
    needed = max(LAPSED_PERIODS, -(-LAPSED_DAYS // schedule.per_days))
    silent = closed[-needed:]
    lapsed = len(silent) == needed and not any(each.done or each.late for each in silent)
    last = int(days[-1]) if days.size and days[-1] >= start else start
    open_done = any(each.done for each in periods if each.open)
    return Adherence(
        due=due,
        done=done,
        late=late,
        missed=due - done - late,
        extra=extra,
        share=(done + late) / due if due else None,
        periods=tuple(periods),
        lapsed_since=date.fromordinal(last + _EPOCH) if lapsed and not open_done else None,
    )


def local_days(at_day: FloatArray | Sequence[float], zone: ZoneInfo) -> IntArray:
    """Return the local date of each instant, in days since 1970-01-01."""
    seconds = (np.asarray(at_day, dtype=np.float64) * _SECONDS_PER_DAY).tolist()
    return np.array([datetime.fromtimestamp(each, zone).toordinal() - _EPOCH for each in seconds], dtype=np.int64)


def _periods(schedule: Schedule, days: list[int], start: int, end: int, today: int) -> tuple[list[Period], int]:
    """Give each day with a test to the period it lies in, or to the one before where that still lacks one."""
    length, tolerance = schedule.per_days, schedule.tolerance_days
    last_day = None if schedule.until is None else schedule.until.toordinal() - _EPOCH
    found: list[list[int]] = []
    for first in range(start, end, length):
        size = length if last_day is None else min(length, last_day + 1 - first)
        found.append([first, size, max(1, schedule.times * size // length), 0, 0])
    extra = 0
    for day in days:
        if day < start or not found:
            continue
        index = min((day - start) // length, len(found) - 1)
        first, size, due, done, _ = found[index]
        inside = day < first + size
        owed = index - 1 if inside else index
        if owed >= 0 and sum(found[owed][3:]) < found[owed][2] and day < sum(found[owed][:2]) + tolerance:
            found[owed][4] += 1
        elif inside and done < due:
            found[index][3] += 1
        else:
            extra += 1
    periods = []
    for first, size, due, done, late in found:
        still = today < first + size + tolerance
        begun = date.fromordinal(first + _EPOCH)
        periods.append(Period(begun, size, due, done, late, 0 if still else due - done - late, still))
    return periods, extra


def _count(value: Any, least: int, most: int, at: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise FieldInvalid(f"must be a whole number from {least} to {most}", at=at)
    return value


def _date(value: Any, at: str) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise FieldInvalid("must be a date such as 2026-11-22", at=at) from None


def _zone(value: Any, at: str) -> str:
    try:
        ZoneInfo(value)
    except (TypeError, ValueError, OSError, ZoneInfoNotFoundError):
        raise FieldInvalid("must be a time zone such as Europe/Paris", at=at) from None
    return str(value)
