"""A session whose samples stand in a table beside its document: one row for each stream, or for a stretch of it.

The columns ``recording``, ``part`` and ``stream`` tell to what a row belongs; every other one has the name of a
stream's column and holds a list in each row, or none where the stream has no such column. Rows of the same stream
continue it. Everything else is said by the document, in the form of ``konectom.session/1``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import orjson

from konectom.errors import BodyDamaged, ColumnInvalid, ColumnMissing, FieldInvalid, FieldMissing, NotJson
from konectom.formats._held import Held, Piece, Texts
from konectom.formats.session1 import Carrier
from konectom.recording import FloatArray

KEY = b"konectom.session"
"""The entry of the schema's metadata that holds the document."""

RECORDING, PART, STREAM = "recording", "part", "stream"
PLACE = (RECORDING, PART, STREAM)
NOT_COLUMNS = ("unit", "rate_hz", "t0", "member")
"""What a stream tells in the document: no column has such a name."""

MOST_ROWS = 200_000
MOST_LISTS = 1_000_000


class Table(Protocol):
    """A table in groups of rows."""

    names: tuple[str, ...]
    """The columns with samples."""

    groups: int

    def rows(self, group: int) -> int:
        """Return how many rows are in a group."""

    def numbers(self, group: int, column: str) -> FloatArray:
        """Return a column of places as numbers, NaN where one is missing, as all are without it."""

    def texts(self, group: int, column: str) -> Texts:
        """Return a column of places as texts."""

    def piece(self, group: int, column: str, row: int) -> Piece | None:
        """Return the list in a row, None where there is none."""

    def forget(self) -> None:
        """Let go of what was unpacked."""


Place = tuple[int | None, str]


class Rows(Carrier):
    """The rows of a table, by recording, part and stream."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._by_recording: dict[int, dict[Place, list[tuple[int, int]]]] = {}
        wrong = [name for name in NOT_COLUMNS if name in table.names]
        if wrong:
            raise ColumnInvalid(f"{wrong[0]} is told in the document, not in a column")
        rows = sum(table.rows(group) for group in range(table.groups))
        if rows > MOST_ROWS or rows * len(table.names) > MOST_LISTS:
            raise BodyDamaged(f"the table has {rows} rows, too many: a row holds a stream, or a stretch of one")
        for group in range(table.groups):
            self._note(group)

    def _note(self, group: int) -> None:
        recordings, parts = (_whole(self._table.numbers(group, name), name) for name in (RECORDING, PART))
        streams = self._table.texts(group, STREAM)
        for row, (recording, part, stream) in enumerate(zip(recordings, parts, streams, strict=True)):
            if recording is None or stream is None:
                raise BodyDamaged(f"row {row} does not tell its {STREAM if stream is None else RECORDING}")
            self._by_recording.setdefault(recording, {}).setdefault((part, stream), []).append((group, row))

    def attach(self, recordings: list[Any]) -> None:
        """Refuse rows of a recording or part that the document does not have."""
        for recording, places in self._by_recording.items():
            for part, stream in places:
                if not 0 <= recording < len(recordings) or not _has(recordings[recording], part):
                    where = f"part {part} of recording {recording}" if part is not None else f"recording {recording}"
                    raise FieldInvalid(
                        f"there are samples of {stream[:40]!r} in {where}, which is not in the document",
                        at=f"/recordings/{recording}",
                    )

    def named(self, index: int, recording: Any) -> Any:
        """Return a recording with the name of each stream that has rows."""
        return _with(recording, {place: {} for place in self._by_recording.get(index, ())}, "")

    def filled(self, index: int, recording: Any, at: str) -> Any:
        """Return a recording with the columns of its rows."""
        columns = {place: self._columns(rows) for place, rows in self._by_recording.get(index, {}).items()}
        return _with(recording, columns, at)

    def _columns(self, rows: list[tuple[int, int]]) -> dict[str, Held]:
        found = {name: [self._table.piece(group, name, row) for group, row in rows] for name in self._table.names}
        there = {name: [each for each in pieces if each is not None] for name, pieces in found.items()}
        return {name: Held(pieces) for name, pieces in there.items() if pieces}

    def forget(self) -> None:
        """Let go of what was unpacked."""
        self._table.forget()


def document_of(metadata: Mapping[bytes, memoryview | bytes]) -> Any:
    """Return the document in a schema's metadata."""
    if KEY not in metadata:
        raise FieldMissing(f"the schema's metadata have no entry {KEY.decode()}, which holds the session")
    try:
        return orjson.loads(metadata[KEY])
    except orjson.JSONDecodeError as error:
        raise NotJson(f"the entry {KEY.decode()} of the schema's metadata is not a JSON document: {error}") from None


def require_places(names: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that hold samples; raises :class:`ColumnMissing` where one of the places is missing."""
    there = tuple(names)
    for name in (RECORDING, STREAM):
        if name not in there:
            raise ColumnMissing(f"the table has no column {name}", at=f"/{name}")
    return tuple(name for name in there if name not in PLACE)


def _whole(values: FloatArray, name: str) -> list[int | None]:
    there = ~np.isnan(values)
    told = values[there]
    if ((told < 0) | (told > 1e6) | (told != np.floor(told))).any():
        raise BodyDamaged(f"the column {name} counts from 0")
    return [int(value) if known else None for value, known in zip(values, there, strict=True)]


def _has(recording: Any, part: int | None) -> bool:
    """Tell whether a recording has a part, and can take streams there."""
    if part is not None:
        parts = recording.get("parts") if isinstance(recording, dict) else None
        recording = parts[part] if isinstance(parts, list) and part < len(parts) else None
    return isinstance(recording, dict) and isinstance(recording.get("streams", {}), dict)


def _with(recording: Any, columns: Mapping[Place, Mapping[str, Any]], at: str) -> Any:
    """Return a recording with columns added to its streams. The document itself is left as it is."""
    if not columns:
        return recording
    filled = dict(recording)
    if any(part is not None for part, _ in columns):
        filled["parts"] = list(filled["parts"])
    for (part, stream), added in columns.items():
        holder, where = filled, f"{at}/streams"
        if part is not None:
            holder = filled["parts"][part] = dict(filled["parts"][part])
            where = f"{at}/parts/{part}/streams"
        told = holder.get("streams", {}).get(stream, {})
        if isinstance(told, dict):
            twice = [name for name in added if name in told]
            if twice:
                raise FieldInvalid(f"{stream[:40]} has {twice[0]} in the document and in the table", at=where)
            told = {**told, **added}
        holder["streams"] = {**holder.get("streams", {}), stream: told}
    return filled
