"""Parquet: a session as a table (see :mod:`konectom.formats._rows`).

A recording in a row group of its own is read alone; where several share one, they are decoded together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from konectom.errors import ColumnInvalid
from konectom.formats._held import Piece, Texts
from konectom.formats._limits import Limits
from konectom.formats._parquet_footer import MAGIC
from konectom.formats._parquet_table import Parquet
from konectom.formats._registry import Format
from konectom.formats._rows import PLACE, STREAM, Rows, document_of, require_places
from konectom.formats._source import Source, Unpacking
from konectom.formats.session1 import Sitting
from konectom.recording import FloatArray, Session


class ParquetTable:
    """The row groups of a Parquet file as groups of rows (:class:`~konectom.formats._rows.Table`)."""

    def __init__(self, parquet: Parquet) -> None:
        self._parquet = parquet
        self.names = require_places(parquet.types)
        self.groups = len(parquet.footer.groups)
        for name, (lists, worded) in parquet.types.items():
            flat = name in PLACE
            if flat is lists or (flat and (name == STREAM) is not worded):
                due = "lists" if not flat else "text" if name == STREAM else "integers"
                raise ColumnInvalid(f"{name[:40]} is a column of {due}", at=f"/{name}")

    def rows(self, group: int) -> int:
        """Return how many rows are in a row group."""
        return self._parquet.footer.groups[group].rows

    def numbers(self, group: int, column: str) -> FloatArray:
        """Return a column of places as numbers."""
        if column not in self._parquet.types:
            return np.full(self.rows(group), np.nan)
        return self._parquet.column(group, column).numbers()

    def texts(self, group: int, column: str) -> Texts:
        """Return a column of places as texts."""
        return self._parquet.column(group, column).texts()

    def piece(self, group: int, column: str, row: int) -> Piece | None:
        """Return the list in a row."""
        return self._parquet.column(group, column).row(row)

    def forget(self) -> None:
        """Let go of what was decoded."""
        self._parquet.forget()


def open_parquet(source: Source, limits: Limits) -> Sitting:
    """Return the session in a Parquet file."""
    parquet = Parquet(source, Unpacking(limits, source.size), PLACE)
    document = document_of(parquet.footer.metadata)
    return Sitting(document, limits, Rows(ParquetTable(parquet)))


def _recognises(body: Any) -> bool:
    return isinstance(body, bytes) and body.startswith(MAGIC)


def read(body: bytes, limits: Limits) -> Session:
    """Return the session in a Parquet file."""
    return open_parquet(Source(body), limits).read()


FORMAT = Format(
    name="parquet",
    title="Parquet: konectom session, version 1, with its samples in a table",
    media_types=("application/vnd.apache.parquet",),
    recognises=_recognises,
    read=read,
    magic=(MAGIC,),
    open=open_parquet,
)
