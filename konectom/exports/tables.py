"""A table of facts and numbers as CSV or Parquet, written batch by batch: memory holds one batch, never the table.

The facts are the leading columns (who, when, under which version), the numbers a matrix beside them with NaN where
there is no value. CSV leaves those empty and writes every other number so that it reads back to the same float64.
Parquet leaves them null, and carries each column's unit and meaning in the metadata of its field.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from konectom.recording import FloatArray

Form = Literal["csv", "parquet"]
Kind = Literal["text", "whole", "instant", "number"]

PARQUET_CELLS = 1_000_000
"""About as many cells make one row group: wide tables keep few rows in memory, narrow ones make no tiny groups."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, what it holds, its unit, and whatever else a reader may want to know."""

    name: str
    kind: Kind
    unit: str = ""
    means: str = ""
    about: Mapping[str, str] | None = None

    @property
    def metadata(self) -> dict[str, str]:
        """Return what the column says about itself, without what is empty."""
        told = {"unit": self.unit, "means": self.means, **(self.about or {})}
        return {name: text for name, text in told.items() if text}


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """n rows: n tuples of facts, and n x k numbers."""

    facts: Sequence[tuple[Any, ...]]
    numbers: FloatArray


def write_csv(facts: Sequence[Column], numbers: Sequence[Column], batches: Iterable[Batch]) -> Iterator[bytes]:
    """Yield the table as CSV (RFC 4180, UTF-8): the header first, then each batch."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow([column.name for column in (*facts, *numbers)])
    yield _drained(buffer)
    for batch in batches:
        for known, values in zip(batch.facts, batch.numbers, strict=True):
            cells = [""] * len(numbers)
            for index in np.flatnonzero(np.isfinite(values)):
                cells[index] = repr(float(values[index]))
            writer.writerow([*map(_cell, known), *cells])
        if batch.facts:
            yield _drained(buffer)


def write_parquet(
    facts: Sequence[Column],
    numbers: Sequence[Column],
    batches: Iterable[Batch],
    about: Mapping[str, str] | None = None,
) -> Iterator[bytes]:
    """Yield the table as Parquet; ``about`` stands in the metadata of the whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([_field(column) for column in (*facts, *numbers)], metadata=dict(about or {}))
    sink = _Sink()
    with pq.ParquetWriter(sink, schema, compression="zstd", write_statistics=False) as writer:
        for batch in _regrouped(batches, max(1, PARQUET_CELLS // len(schema))):
            writer.write_table(_arrow_table(schema, facts, batch))
            yield sink.drained()
    yield sink.drained()


def table(
    form: Form,
    facts: Sequence[Column],
    numbers: Sequence[Column],
    batches: Iterable[Batch],
    about: Mapping[str, str] | None = None,
) -> Iterator[bytes]:
    """Yield the table in the form asked for."""
    if form == "csv":
        return write_csv(facts, numbers, batches)
    return write_parquet(facts, numbers, batches, about)


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value


def _drained(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


class _Sink(io.RawIOBase):
    """A file that is handed on while it is being written."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        return len(piece)

    def drained(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _field(column: Column) -> Any:
    import pyarrow as pa

    types = {
        "text": pa.string(),
        "whole": pa.int64(),
        "instant": pa.timestamp("us", tz="UTC"),
        "number": pa.float64(),
    }
    return pa.field(column.name, types[column.kind], metadata=column.metadata)


def _arrow_table(schema: Any, facts: Sequence[Column], batch: Batch) -> Any:
    import pyarrow as pa

    columns = list(zip(*batch.facts, strict=True))
    arrays = [pa.array(values, schema.field(i).type) for i, values in enumerate(columns)]
    by_column = np.ascontiguousarray(batch.numbers.T)
    arrays += [pa.array(values, pa.float64(), mask=~np.isfinite(values)) for values in by_column]
    return pa.Table.from_arrays(arrays, schema=schema)


def _regrouped(batches: Iterable[Batch], rows: int) -> Iterator[Batch]:
    """Gather batches until there are ``rows`` rows: many small row groups make a large file."""
    kept: list[Batch] = []
    for batch in batches:
        kept.append(batch)
        if sum(len(each.facts) for each in kept) >= rows:
            yield _joined(kept)
            kept = []
    if any(each.facts for each in kept):
        yield _joined(kept)


def _joined(batches: Sequence[Batch]) -> Batch:
    facts = [known for batch in batches for known in batch.facts]
    return Batch(facts, np.concatenate([batch.numbers for batch in batches]))
