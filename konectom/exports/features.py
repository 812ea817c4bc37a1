"""The feature table: who and when, then one column for each catalogue entry; or one row for each value; its dictionary.

An entry is known by its key and unit. Where versions of an assessment give a key different units, the older one's
column is named ``key@version``: numbers of different units never share a column.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konectom.assessments._catalogue import Entry
from konectom.exports.tables import Column
from konectom.recording import FloatArray

FACTS = (
    Column("study", "text", means="Code of the study."),
    Column("patient", "text", means="Code of the patient in the study."),
    Column("session", "text", means="Id of the session, as the app chose it."),
    Column("recording", "whole", means="Place of the recording in the session, from 0."),
    Column("started_at", "instant", means="When the recording began, in UTC."),
    Column("utc_offset_s", "whole", "s", "How far the clock at the place was ahead of UTC."),
    Column("time_zone", "text", means="IANA time zone of the place, where the app told it."),
    Column("assessment", "text", means="Name of the test."),
    Column("version", "whole", means="Version of the assessment that computed the row."),
    Column("verdict", "text", means="Whether the recording counts: valid, limited or invalid."),
    Column("flags", "text", means="Codes of the quality rules that were met, separated by spaces."),
)
"""The leading columns of every table."""

VALUE_FACTS = (
    Column("key", "text", means="The measure with its condition and statistic."),
    Column("measure", "text", means="The measure without condition and statistic."),
    Column("condition", "text", means="The condition, as name=level, separated by spaces."),
    Column("statistic", "text", means="The statistic, empty where the measure is a single value."),
    Column("unit", "text", means="Unit of the value (UCUM)."),
)
"""Further leading columns of the table that has one row for each value."""

VALUE = Column("value", "number", means="The value, in the unit beside it.")


@dataclass(frozen=True, slots=True)
class Wide:
    """The columns of a table that holds several versions, and where each version's vector goes in its rows."""

    columns: tuple[Column, ...]
    places: Mapping[int, NDArray[np.intp]]

    @classmethod
    def of(cls, versions: Mapping[int, Sequence[Entry]]) -> Wide:
        """Lay out the versions' entries: the newest first, then what only older ones have."""
        place: dict[tuple[str, str], int] = {}
        columns: list[Column] = []
        names: set[str] = set()
        for version in sorted(versions, reverse=True):
            for entry in versions[version]:
                if (entry.key, entry.unit) in place:
                    continue
                name = entry.key if entry.key not in names else f"{entry.key}@{version}"
                place[entry.key, entry.unit] = len(columns)
                names.add(name)
                columns.append(_column(name, entry))
        places = {
            version: np.array([place[entry.key, entry.unit] for entry in entries], dtype=np.intp)
            for version, entries in versions.items()
        }
        return cls(tuple(columns), places)

    def rows(self, vectors: Iterable[tuple[int, FloatArray]]) -> FloatArray:
        """Return the vectors (version, features) as rows of the table, NaN where a version lacks an entry."""
        given = list(vectors)
        out = np.full((len(given), len(self.columns)), np.nan)
        for row, (version, features) in zip(out, given, strict=True):
            row[self.places[version]] = features
        return out


def value_facts(entry: Entry) -> tuple[str, str, str, str, str]:
    """Return an entry as :data:`VALUE_FACTS`."""
    condition = " ".join(f"{name}={level}" for name, level in entry.condition.items())
    return (entry.key, entry.measure, condition, entry.statistic, entry.unit)


def _column(name: str, entry: Entry) -> Column:
    about = {"key": entry.key, "better": entry.better or "", **_aliases(entry)}
    return Column(name, "number", entry.unit, entry.means, about)


def _aliases(entry: Entry) -> dict[str, str]:
    return {f"aliases.{library}": alias for library, alias in entry.aliases.items()}


DICTIONARY = (
    "key", "assessment", "version", "measure", "condition", "statistic", "unit", "better",
    "plausible_min", "plausible_max", "score", "means", "evidence",
)  # fmt: skip
"""What the dictionary says of each column, before the aliases."""


def dictionary_rows(catalogues: Iterable[tuple[int, Sequence[Entry]]]) -> list[dict[str, Any]]:
    """Return a row for each column that a table may have: the leading ones, then each (version, entries)."""
    rows = [_fact_row(column) for column in FACTS]
    for version, entries in catalogues:
        rows += [_entry_row(version, entry) for entry in entries]
    return rows


def dictionary_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the dictionary as CSV (UTF-8), one column for each library that gives aliases."""
    libraries = dict.fromkeys(name for row in rows for name in row if name.startswith("aliases."))
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, [*DICTIONARY, *libraries], restval="")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()


def _fact_row(column: Column) -> dict[str, Any]:
    return dict.fromkeys(DICTIONARY) | {
        "key": column.name,
        "unit": column.unit or None,
        "score": False,
        "means": column.means,
    }


def _entry_row(version: int, entry: Entry) -> dict[str, Any]:
    least, most = entry.plausible or (None, None)
    _, measure, condition, statistic, unit = value_facts(entry)
    told = (
        entry.key, entry.assessment, version, measure, condition, statistic, unit, entry.better,
        least, most, entry.score, entry.means, entry.evidence,
    )  # fmt: skip
    return dict(zip(DICTIONARY, told, strict=True)) | _aliases(entry)
