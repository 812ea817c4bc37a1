"""Arrow IPC: a session as a table, whose samples are taken as they lie there.

See :mod:`konectom.formats._rows` for the table. Buffers may be compressed (LZ4, Zstandard).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from konectom.errors import ColumnInvalid
from konectom.formats._arrow_batch import Lists, Values
from konectom.formats._arrow_ipc import FILE_MAGIC, STREAM_MAGIC, Arrow
from konectom.formats._arrow_schema import NOTHING
from konectom.formats._held import Piece, Texts
from konectom.formats._limits import Limits
from konectom.formats._registry import Format
from konectom.formats._rows import PLACE, STREAM, Rows, document_of, require_places
from konectom.formats._source import Source, Unpacking
from konectom.formats.session1 import Sitting
from konectom.recording import FloatArray, Session


class ArrowTable:
    """The batches of Arrow data as groups of rows (:class:`~konectom.formats._rows.Table`)."""

    def __init__(self, arrow: Arrow, unpacking: Unpacking) -> None:
        self._arrow, self._unpacking = arrow, unpacking
        self._there = {name: column for name, column in arrow.columns.items() if column.values != NOTHING}
        self.names = require_places(self._there)
        self.groups = len(arrow.batches)
        for name, column in self._there.items():
            flat = name in PLACE
            if flat is not (column.lists is None) or (flat and (name == STREAM) is not (column.values is None)):
                raise ColumnInvalid(f"{name[:40]} is a column of {_due(name)}", at=f"/{name}")
        self._columns: dict[tuple[int, str], Values | Lists] = {}

    def rows(self, group: int) -> int:
        """Return how many rows are in a batch."""
        return self._arrow.batches[group].rows

    def _column(self, group: int, name: str) -> Any:
        if (group, name) not in self._columns:
            self._columns[group, name] = self._arrow.batches[group].column(name)
        return self._columns[group, name]

    def numbers(self, group: int, column: str) -> FloatArray:
        """Return a column of places as numbers."""
        if column not in self._there:
            return np.full(self.rows(group), np.nan)
        return self._column(group, column).numbers(0, self.rows(group))  # type: ignore[no-any-return]

    def texts(self, group: int, column: str) -> Texts:
        """Return a column of places as texts."""
        return self._column(group, column).texts(0, self.rows(group))  # type: ignore[no-any-return]

    def piece(self, group: int, column: str, row: int) -> Piece | None:
        """Return the list in a row."""
        return self._column(group, column).row(row)  # type: ignore[no-any-return]

    def forget(self) -> None:
        """Let go of what was unpacked."""
        self._columns.clear()
        for batch in self._arrow.batches:
            batch.forget()
        self._unpacking.anew()


def _due(name: str) -> str:
    return "lists" if name not in PLACE else "text" if name == STREAM else "integers"


def open_arrow(source: Source, limits: Limits) -> Sitting:
    """Return the session in Arrow data."""
    unpacking = Unpacking(limits, source.size)
    arrow = Arrow(source, unpacking)
    document = document_of(arrow.metadata)
    return Sitting(document, limits, Rows(ArrowTable(arrow, unpacking)))


def _recognises(body: Any) -> bool:
    return isinstance(body, bytes) and body.startswith((FILE_MAGIC, STREAM_MAGIC))


def read(body: bytes, limits: Limits) -> Session:
    """Return the session in Arrow data."""
    return open_arrow(Source(body), limits).read()


FORMAT = Format(
    name="arrow",
    title="Arrow IPC stream or file: konectom session, version 1, with its samples in a table",
    media_types=("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file"),
    recognises=_recognises,
    read=read,
    magic=(FILE_MAGIC, STREAM_MAGIC),
    open=open_arrow,
)
