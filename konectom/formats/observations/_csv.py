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
line of an observation is wrong, the whole of it is left out: half of a test would be another test.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from typing import Any

from konectom.errors import BodyTooLarge, DataError, FieldInvalid, FieldMissing, FormatUnknown
from konectom.formats._shared import LONGEST_WORD, named
from konectom.formats.observations._rows import ObservationLimits, Observations, Row
from konectom.formats.observations._times import read_time

REQUIRED = ("patient", "code", "at", "component", "value")
OPTIONAL = ("unit", "id", "source", "note")
SEPARATORS = (",", ";", "\t")
LONGEST_NOTE = 2000

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

Key = tuple[str, str, datetime, str]


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
    held: dict[Key, _Open] = {}
    problems: list[DataError] = []
    for place, cells in _lines(text, limits, problems):
        try:
            _take(cells, place, zone, limits, held)
        except DataError as error:
            problems.append(error)
    rows = tuple(_row(key, each) for key, each in held.items() if not each.wrong)
    return Observations(rows, tuple(problems))


def _lines(text: str, limits: ObservationLimits, problems: list[DataError]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each line's pointer and its cells by column."""
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
            elif len(cells) != len(columns) and cells:
                problems.append(FieldInvalid(f"{len(cells)} cells, but {len(columns)} columns", at=place))
            elif any(cell.strip() for cell in cells):
                yield place, {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
    except csv.Error as error:
        problems.append(FieldInvalid(f"the table cannot be read from here on: {error}", at=f"/lines/{line}"))
    if columns is None:
        raise FieldMissing(f"the table has no header; its columns are {', '.join(REQUIRED)}", at="/lines/1")


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


def _take(
    cells: dict[str, str], place: str, zone: tzinfo | None, limits: ObservationLimits, held: dict[Key, _Open]
) -> None:
    """Put a line to the observation that it belongs to."""
    for name in ("patient", "code"):
        if not cells[name]:
            raise FieldMissing(f"{name} is missing", at=f"{place}/{name}")
    for name, cell in cells.items():
        longest = LONGEST_NOTE if name == "note" else LONGEST_WORD
        if len(cell) > longest:
            raise FieldInvalid(f"{name} has {len(cell)} characters, more than {longest}", at=f"{place}/{name}")
    at, day = read_time(cells["at"], zone, f"{place}/at")
    key = (cells["patient"], cells["code"], at, cells.get("id", ""))
    mine = held.setdefault(key, _Open(day, place, cells.get("source", ""), cells.get("note", "")))
    try:
        _add(mine, cells, place, limits)
    except DataError as error:
        mine.wrong = True
        error.detail += f"; the observation of {mine.place} is left out"
        raise


def _add(mine: _Open, cells: dict[str, str], place: str, limits: ObservationLimits) -> None:
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
