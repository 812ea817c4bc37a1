"""What happens to a patient: relapses and treatments, by their dates.

Days are counted from 1970-01-01, the day as the calendar has it. A relapse without an end, and a treatment without a
stop, goes on or its end is not known.
"""

from __future__ import annotations

from datetime import date

from konectom.errors import FieldInvalid, FieldMissing
from konectom.scoring.scales.base import Component, Given, Outcome, Quantity, scale

EPOCH = date(1970, 1, 1)
DAYS = (-25_567.0, 73_050.0)


def day_of(day: date | None) -> float | None:
    """Return the days from 1970-01-01 to a date, None where there is none."""
    return None if day is None else float((day - EPOCH).days)


def _day(name: str, means: str) -> Quantity:
    return Quantity(name, "d", means, plausible=DAYS, score=False)


@scale(
    "relapse",
    title="Relapse",
    domain="event",
    components=(
        Component("onset", "The first day of the relapse.", "date", required=True),
        Component("end", "The last day of the relapse.", "date"),
        Component("steroid_treated", "Whether steroids were given for it.", "yes_no"),
        Component("confirmed", "Whether an examination confirmed it.", "yes_no"),
        Component("systems", "The functional systems that it touched.", "text"),
    ),
    quantities=(
        _day("onset_day", "First day, from 1970-01-01."),
        _day("end_day", "Last day, from 1970-01-01."),
        Quantity("duration", "d", "Days from the first to the last.", plausible=(0.0, 365.0), score=False),
        Quantity(
            "steroid_treated", "1", "1 where steroids were given, 0 where not.", plausible=(-0.5, 1.5), score=False
        ),
    ),
    source="Entered event; no scoring rule",
)
def relapse(given: Given, out: Outcome) -> None:
    """New or worse symptoms of multiple sclerosis for a day or more."""
    onset, end = given.dates["onset"], given.dates.get("end")
    _in_order(onset, end, "end")
    if given.on is not None and onset > given.on:
        raise FieldInvalid(f"the onset, {onset}, is after the observation, {given.on}", at="/values/onset")
    out("onset_day", day_of(onset))
    out("end_day", day_of(end))
    out("duration", None if end is None else (end - onset).days)
    steroids = given.yes("steroid_treated")
    out("steroid_treated", None if steroids is None else float(steroids))


@scale(
    "treatment",
    title="Treatment",
    domain="event",
    components=(
        Component("name", "The substance.", "text", required=True),
        Component("start", "The first day.", "date"),
        Component("stop", "The last day.", "date"),
        Component("dose", "Dose and interval.", "text"),
        Component("reason", "Why it was started or stopped.", "text"),
    ),
    quantities=(
        _day("start_day", "First day, from 1970-01-01."),
        _day("stop_day", "Last day, from 1970-01-01."),
        Quantity("duration", "d", "Days from the first to the last.", plausible=(0.0, 36_525.0), score=False),
    ),
    source="Entered event; no scoring rule",
)
def treatment(given: Given, out: Outcome) -> None:
    """A treatment that was started, stopped, or both."""
    start, stop = given.dates.get("start"), given.dates.get("stop")
    if start is None and stop is None:
        raise FieldMissing("a treatment has a start, a stop, or both", at="/values/start")
    if start is not None:
        _in_order(start, stop, "stop")
    out("start_day", day_of(start))
    out("stop_day", day_of(stop))
    out("duration", None if start is None or stop is None else (stop - start).days)


def _in_order(first: date, last: date | None, name: str) -> None:
    if last is not None and last < first:
        raise FieldInvalid(f"{name}, {last}, is before {first}", at=f"/values/{name}")
