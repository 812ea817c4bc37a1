"""Clinical values from a table (CSV): one line for each component.

::

    patient,code,at,component,value,unit,id,source,note
    P-001,t25fw,2026-03-02T10:15:00+01:00,trial_1,5.1,s,V7-1,clinic,
    P-001,t25fw,2026-03-02T10:15:00+01:00,trial_2,4.9,s,V7-1,clinic,
    P-001,edss,2026-03-02,step,3.5,,V7-2,clinic,stable

Lines of one patient, code, time and id are one observation. ``id``, ``source`` and ``note`` may be left out, and so may
``unit`` where nothing has one. The columns may come in any order, separated by commas, semicolons or tabs throughout:
the header tells which. Text is UTF-8. A number has a decimal point.

A problem points to a line as editors count them (the header is line 1) and to the column: ``/lines/3/value``. Where one
line of an observation is wrong, the whole of it is left out: half of a test would be another test. Where a wrong line
does not tell which observation it is of, that may be one of the neighbouring lines: those that it can be of are left
out.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from itertools import takewhile
from typing import Any

from konectom.errors import BodyTooLarge, DataError, FieldInvalid, FieldMissing, FormatUnknown
from konectom.formats._shared import LONGEST_WORD, named
from konectom.formats.observations._rows import ObservationLimits, Observations, Row
from konectom.formats.observations._times import read_time

REQUIRED = ("patient", "code", "at", "component", "value")
OPTIONAL = ("unit", "id", "source", "note")
PLAIN = ("patient", "code", "at", "component")
"""Columns whose cells never hold a separator."""

SEPARATORS = (",", ";", "\t")
LONGEST_NOTE = 2000

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

Key = tuple[str, str, datetime, str]
Cells = dict[str, str]


@dataclass(slots=True)
class _Open:
    """An observation whose lines are being gathered."""

    day: date
    place: str
    source: str
    note: str
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    wrong: bool = False


@dataclass(slots=True)
class _Lost:
    """A wrong line that does not tell which observation it is of: what it does tell, None where it cannot be read."""

    error: DataError
    patient: str | None = None
    code: str | None = None
    at: datetime | None = None
    id: str | None = None
    component: str | None = None

    def may_be_of(self, key: Key, held: _Open) -> bool:
        mine = (self.patient, self.code, self.at, self.id)
        return self.component not in held.values and all(
            told in (None, known) for told, known in zip(mine, key, strict=True)
        )


@dataclass(slots=True)
class _Reading:
    """What was read so far."""

    zone: tzinfo | None
    limits: ObservationLimits
    held: dict[Key, _Open] = field(default_factory=dict)
    problems: list[DataError] = field(default_factory=list)
    before: Key | _Lost | None = None
    """What the line before was of."""

    def take(self, place: str, cells: Cells) -> None:
        """Put a line to the observation that it belongs to."""
        try:
            key = self._key(cells, place)
        except DataError as error:
            self.lose(error, cells)
            return
        try:
            _add(self.held[key], cells, place, self.limits)
        except DataError as error:
            self._leave_out(key, error)
            self.tell(error)
        if isinstance(self.before, _Lost) and self.before.may_be_of(key, self.held[key]):
            self._leave_out(key, self.before.error)
        self.before = key

    def lose(self, error: DataError, cells: Cells) -> None:
        """Tell of a line that does not say which observation it is of; ``cells`` are those that can be read."""
        told = {name: cell for name, cell in cells.items() if cell}
        at = None
        with suppress(DataError):
            at, _ = read_time(told.get("at"), self.zone, "")
        lost = _Lost(error, told.get("patient"), told.get("code"), at, told.get("id"), told.get("component"))
        if isinstance(self.before, tuple) and lost.may_be_of(self.before, self.held[self.before]):
            self._leave_out(self.before, error)
        self.before = lost
        self.tell(error)

    def tell(self, error: DataError) -> None:
        """Remember a problem without what led to it: there may be very many."""
        error.__context__ = error.__traceback__ = None
        self.problems.append(error)

    def _key(self, cells: Cells, place: str) -> Key:
        for name in ("patient", "code"):
            if not cells[name]:
                raise FieldMissing(f"{name} is missing", at=f"{place}/{name}")
        for name, cell in cells.items():
            longest = LONGEST_NOTE if name == "note" else LONGEST_WORD
            if len(cell) > longest:
                raise FieldInvalid(f"{name} has {len(cell)} characters, more than {longest}", at=f"{place}/{name}")
        at, day = read_time(cells["at"], self.zone, f"{place}/at")
        key = (cells["patient"], cells["code"], at, cells.get("id", ""))
        self.held.setdefault(key, _Open(day, place, cells.get("source", ""), cells.get("note", "")))
        return key

    def _leave_out(self, key: Key, error: DataError) -> None:
        self.held[key].wrong = True
        told = f"; the observation of {self.held[key].place} is left out"
        if told not in error.detail:
            error.detail += told


def read_csv(body: bytes, *, zone: tzinfo | None = None, limits: ObservationLimits | None = None) -> Observations:
    """Return the observations of a table; ``zone`` is that of times without an offset.

    Raises :class:`~konectom.errors.BodyError` where the body is too large or no UTF-8 text, and
    :class:`~konectom.errors.DataError` where the header cannot be used.
    """
    limits = limits or ObservationLimits()
    limits.check_size(body)
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatUnknown(f"the table is not UTF-8 text: byte {error.start}") from None
    reading = _Reading(zone, limits)
    for place, cells, wrong in _lines(text, limits):
        if wrong is None:
            reading.take(place, cells)
        else:
            reading.lose(wrong, cells)
    rows = tuple(_row(key, each) for key, each in reading.held.items() if not each.wrong)
    return Observations(rows, tuple(reading.problems))


def _lines(text: str, limits: ObservationLimits) -> Iterator[tuple[str, Cells, DataError | None]]:
    """Yield each line's pointer and its cells by column; where the line is wrong, what may be read of it, and why."""
    header = text.split("\n", 1)[0]
    separator = max(SEPARATORS, key=header.count)
    table = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    columns: list[str] | None = None
    line = 1
    try:
        for cells in table:
            place, line = f"/lines/{line}", table.line_num + 1
            if columns is None:
                columns = _columns(cells)
            elif line - 2 > limits.max_rows:
                raise BodyTooLarge(f"the table has more than {limits.max_rows} lines", limit_rows=limits.max_rows)
            elif not any(cell.strip() for cell in cells):
                continue
            elif len(cells) != len(columns):
                wrong = FieldInvalid(f"{len(cells)} cells, but {len(columns)} columns", at=place)
                yield place, _before_the_fault(columns, cells), wrong
            else:
                yield place, {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}, None
    except csv.Error as error:
        place = f"/lines/{line}"
        yield place, {}, FieldInvalid(f"the table cannot be read from here on: {error}", at=place)
    if columns is None:
        raise FieldMissing(f"the table has no header; its columns are {', '.join(REQUIRED)}", at="/lines/1")


def _before_the_fault(columns: list[str], cells: list[str]) -> Cells:
    """Return those first cells of a line with too many or too few that hold no separator that should be quoted."""
    told = zip(columns, map(str.strip, cells), strict=False)
    return dict(takewhile(lambda each: each[0] in PLAIN, told))


def _columns(cells: list[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    if missing := [name for name in REQUIRED if name not in names]:
        raise FieldMissing(f"the header lacks {', '.join(missing)}", at="/lines/1")
    if unknown := [name for name in names if name not in (*REQUIRED, *OPTIONAL)]:
        known = ", ".join((*REQUIRED, *OPTIONAL))
        raise FieldInvalid(f"the header names {named(unknown[0])}; there are: {known}", at="/lines/1")
    if len(set(names)) != len(names):
        raise FieldInvalid("the header names a column twice", at="/lines/1")
    return names


def _add(mine: _Open, cells: Cells, place: str, limits: ObservationLimits) -> None:
    name, value = cells["component"], cells["value"]
    for column, cell in (("component", name), ("value", value)):
        if not cell:
            raise FieldMissing(f"{column} is missing", at=f"{place}/{column}")
    if name in mine.values:
        raise FieldInvalid(f"{named(name)} came before, at {mine.places[name]}", at=f"{place}/component")
    if len(mine.values) >= limits.max_components:
        raise FieldInvalid(f"an observation has more than {limits.max_components} values", at=place)
    for column in ("source", "note"):
        told = cells.get(column, "")
        if told and getattr(mine, column) not in ("", told):
            raise FieldInvalid(f"{column} is another than at {mine.place}", at=f"{place}/{column}")
        setattr(mine, column, getattr(mine, column) or told)
    number = float(value) if _NUMBER.fullmatch(value) else value
    unit = cells.get("unit", "")
    mine.values[name] = {"value": number, "unit": unit} if unit else number
    mine.places[name] = f"{place}/value"


def _row(key: Key, each: _Open) -> Row:
    patient, code, at, name = key
    return Row(patient, code, at, each.day, each.values, each.place, each.places, name, each.source, each.note)
