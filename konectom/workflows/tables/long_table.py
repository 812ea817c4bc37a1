"""A long table of values as a file: CSV with one row for each value."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from math import isfinite

import numpy as np

from konectom.errors import FieldInvalid, FieldMissing
from konectom.scoring.reliability.table import StudyTable
from konectom.workflows.following.reliability_design import day_of

NEEDED = ("patient", "score", "at", "value")
"""Columns that a file must have: who, of which score, when (ISO 8601, or days as a number), the value or nothing."""

LABEL = "label"
"""A column that a file may have. Every further one tells what groups of patients go by."""


def read_long_table(body: bytes) -> StudyTable:
    """Return the table of a CSV file (UTF-8, with a header).

    ``at`` is an instant, a date, or a number of days. Raises :class:`~konectom.errors.DataError` with a pointer
    ``/ROW/COLUMN``, rows counted from 0 without the header.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FieldInvalid(f"the file is not UTF-8 at byte {error.start}") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    names = list(reader.fieldnames or ())
    for name in NEEDED:
        if name not in names:
            raise FieldMissing(f"the file has no column {name}; it needs {', '.join(NEEDED)}", at=f"/{name}")
    if len(set(names)) < len(names):
        raise FieldInvalid("two columns have the same name")
    further = [name for name in names if name not in (*NEEDED, LABEL)]
    columns: dict[str, list[str]] = {"patient": [], "score": [], LABEL: []}
    days, values = [], []
    attributes: dict[str, dict[str, str]] = {name: {} for name in further}
    for index, row in enumerate(_rows(reader)):
        for name, column in columns.items():
            column.append((row.get(name) or "").strip())
        if not columns["patient"][-1] or not columns["score"][-1]:
            raise FieldMissing("a row needs a patient and a score", at=f"/{index}")
        days.append(_day(row["at"], f"/{index}/at"))
        values.append(_value(row["value"], f"/{index}/value"))
        _tell(attributes, row, columns["patient"][-1], index)
    return StudyTable(
        patient=np.array(columns["patient"], dtype=np.str_),
        key=np.array(columns["score"], dtype=np.str_),
        at_day=np.array(days, dtype=np.float64),
        value=np.array(values, dtype=np.float64),
        label=np.array(columns[LABEL], dtype=np.str_),
        attributes=attributes,
    )


def _rows(reader: csv.DictReader[str]) -> Iterator[dict[str, str]]:
    index = 0
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise FieldInvalid(f"this is not CSV: {error}", at=f"/{index}") from None
        if row is None:
            return
        if None in row or None in row.values():
            raise FieldInvalid("the row has more or fewer cells than the header", at=f"/{index}")
        yield row
        index += 1


def _day(text: str, at: str) -> float:
    number = _number(text)
    return day_of(text, at) if number is None else number


def _value(text: str, at: str) -> float:
    if not text.strip():
        return float("nan")
    number = _number(text)
    if number is None:
        raise FieldInvalid(f"{text.strip()!r} is no number; leave the cell empty where a value is missing", at=at)
    return number


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _tell(attributes: dict[str, dict[str, str]], row: Mapping[str, str], patient: str, index: int) -> None:
    """Note what groups go by; one patient has one level of each."""
    for name, levels in attributes.items():
        level = row[name].strip()
        if level and levels.setdefault(patient, level) != level:
            raise FieldInvalid(f"patient {patient!r} was {levels[patient]!r} before", at=f"/{index}/{name}")
