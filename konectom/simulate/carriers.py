"""A session as an app could send it other than as JSON: with its samples in Arrow, Parquet, or an archive.

What is written is read to the same numbers as the JSON document. Columns that are no plain numbers or texts stay where
they are in the document.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

PLACE = ("recording", "part", "stream")
NOT_COLUMNS = ("unit", "rate_hz", "t0", "member")
KEY = "konectom.session"
DOCUMENT = "session.json"
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The only time that an archive tells, so that the same session gives the same bytes."""


@dataclass(frozen=True, slots=True)
class Row:
    """A stream of which the columns were taken out of the document."""

    recording: int
    part: int | None
    stream: str
    columns: Mapping[str, list[Any]]


def taken_apart(session: Mapping[str, Any]) -> tuple[dict[str, Any], list[Row]]:
    """Return the document without the columns of its streams, and these by stream."""
    document = orjson.loads(orjson.dumps(session, option=orjson.OPT_SERIALIZE_NUMPY))
    kinds: dict[str, bool] = {}
    rows: list[Row] = []
    for index, recording in enumerate(document["recordings"]):
        for part, holder in ((None, recording), *enumerate(recording.get("parts", ()))):
            for name, stream in holder.get("streams", {}).items():
                columns = {key: stream[key] for key in list(stream) if _is_column(key, stream[key], kinds)}
                for key in columns:
                    del stream[key]
                rows.append(Row(index, part, name, columns))
    return document, rows


def _is_column(name: str, values: Any, kinds: dict[str, bool]) -> bool:
    """Tell whether values can stand in a column, of which all rows hold numbers, or all texts."""
    if name in (*PLACE, *NOT_COLUMNS) or not isinstance(values, list):
        return False
    found = {type(value) for value in values} - {type(None)}
    worded = found == {str}
    return (worded or found <= {int, float}) and kinds.setdefault(name, worded) is worded


def as_table(document: Mapping[str, Any], rows: list[Row]) -> Any:
    """Return the table of a session, a row for each stream, with the document in its schema's metadata."""
    import pyarrow as pa

    names = list(dict.fromkeys(name for row in rows for name in row.columns))
    columns = {
        "recording": pa.array([row.recording for row in rows], pa.int64()),
        "part": pa.array([row.part for row in rows], pa.int64()),
        "stream": pa.array([row.stream for row in rows], pa.string()),
    } | {name: _lists([row.columns.get(name) for row in rows]) for name in names}
    return pa.table(columns).replace_schema_metadata({KEY: orjson.dumps(document)})


def _lists(lists: list[list[Any] | None]) -> Any:
    import pyarrow as pa

    values = _values([value for each in lists for value in each or ()])
    ends = np.cumsum([0, *(len(each or ()) for each in lists)])
    missing = pa.array([each is None for each in lists], pa.bool_())
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), values, mask=missing)


def _values(values: list[Any]) -> Any:
    import pyarrow as pa

    if any(isinstance(value, str) for value in values):
        return pa.array(values, pa.string())
    missing = np.array([value is None for value in values], dtype=bool)
    return pa.array(np.array([0.0 if value is None else float(value) for value in values]), pa.float64(), mask=missing)


def as_arrow(session: Mapping[str, Any], *, compression: str | None = "zstd", file: bool = False) -> bytes:
    """Return a session as Arrow IPC, stream or ``file``: a batch for each recording."""
    import pyarrow as pa

    document, rows = taken_apart(session)
    table = as_table(document, rows)
    out = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with (pa.ipc.new_file if file else pa.ipc.new_stream)(out, table.schema, options=options) as writer:
        for start, count in _by_recording(rows):
            for batch in table.slice(start, count).combine_chunks().to_batches():
                writer.write_batch(batch)
    return out.getvalue()


def as_parquet(session: Mapping[str, Any], *, compression: str = "zstd") -> bytes:
    """Return a session as Parquet: a row group for each recording."""
    import pyarrow.parquet as pq

    document, rows = taken_apart(session)
    table = as_table(document, rows)
    out = io.BytesIO()
    with pq.ParquetWriter(out, table.schema, compression=compression) as writer:
        for start, count in _by_recording(rows):
            writer.write_table(table.slice(start, count))
    return out.getvalue()


def _by_recording(rows: list[Row]) -> list[tuple[int, int]]:
    """Return where the rows of each recording begin, and how many they are."""
    recordings = [row.recording for row in rows]
    return [(recordings.index(each), recordings.count(each)) for each in dict.fromkeys(recordings)]


def as_archive(session: Mapping[str, Any], *, member: str = "parquet", deflate: bool = False) -> bytes:
    """Return a session as an archive: its document, and a ``parquet`` or ``arrow`` file for each stream."""
    document, rows = taken_apart(session)
    files: dict[str, bytes] = {}
    for number, row in enumerate(rows):
        if row.columns:
            name = f"recordings/{row.recording}/{number}.{member}"
            holder = document["recordings"][row.recording]
            holder = holder if row.part is None else holder["parts"][row.part]
            stream, kept = holder["streams"][row.stream], _fitting(row.columns)
            stream |= {"member": name} | {key: values for key, values in row.columns.items() if key not in kept}
            files[name] = _file(kept, member)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in {DOCUMENT: orjson.dumps(document), **files}.items():
            about = zipfile.ZipInfo(name, EARLIEST)
            packed = deflate or name == DOCUMENT
            archive.writestr(about, content, zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED)
    return out.getvalue()


def _fitting(columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Return the columns that are as long as the first: a file has no others."""
    rows = len(next(iter(columns.values())))
    return {name: values for name, values in columns.items() if len(values) == rows}


def _file(columns: Mapping[str, list[Any]], kind: str) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: _values(values) for name, values in columns.items()})
    out = io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, out, compression="zstd")
        return out.getvalue()
    with pa.ipc.new_file(out, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return out.getvalue()
