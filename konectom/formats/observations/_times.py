"""When a clinical value was taken, from ISO 8601.

* With an offset or Z: that instant. Its calendar day is that of the stated zone, or else of the offset itself.
* Local, without an offset: needs the stated zone. A time that the zone's clocks skipped, and one that they showed
  twice, are refused: the sender has to say the offset.
* A day alone: needs the stated zone, and counts as noon there, so that neighbouring zones and a change of the clocks
  leave it on its day.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, tzinfo

from konectom.errors import FieldInvalid, FieldMissing
from konectom.formats._shared import named

EARLIEST_YEAR = 1900
_FORM = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)


def read_time(told: object, zone: tzinfo | None, at: str) -> tuple[datetime, date]:
    """Return the instant and the calendar day; raise with ``at`` where they cannot be known."""
    if told is None or told == "":
        raise FieldMissing("the time of the observation is missing", at=at)
    form = _FORM.fullmatch(told.strip()) if isinstance(told, str) else None
    if form is None:
        raise FieldInvalid(f"{named(told)} is no time like 2026-03-29T14:30:00+02:00 and no day like 2026-03-29", at=at)
    day, clock, fraction, offset = form.groups()
    try:
        stamp = datetime.fromisoformat(f"{day}T{clock or '12:00'}{(fraction or '')[:7]}{offset or ''}")
    except ValueError as error:
        raise FieldInvalid(f"{named(told)} is no time: {error}", at=at) from None
    if stamp.year < EARLIEST_YEAR:
        raise FieldInvalid(f"{named(told)} is before {EARLIEST_YEAR}", at=at)
    if offset:
        return stamp, _day_in(stamp, zone)
    if zone is None:
        raise FieldInvalid(f"{named(told)} has no offset, and no time zone was stated for the import", at=at)
    return (_noon(stamp.date(), zone), stamp.date()) if clock is None else (_local(stamp, zone, at), stamp.date())


def _day_in(stamp: datetime, zone: tzinfo | None) -> date:
    try:
        return (stamp if zone is None else stamp.astimezone(zone)).date()
    except OverflowError:
        return stamp.date()


def _noon(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(12), tzinfo=zone)


def _local(stamp: datetime, zone: tzinfo, at: str) -> datetime:
    first, second = (stamp.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        shown = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == stamp
        why = "twice, when the clocks went back" if shown else "never, when the clocks went forward"
        raise FieldInvalid(f"{stamp.isoformat()} was shown {why} in {zone}; say its offset from UTC", at=at)
    return first
