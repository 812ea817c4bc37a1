import csv
import io
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from konectom.exports import tables
from konectom.exports.tables import Batch, Column, write_csv, write_parquet

FACTS = (Column("who", "text", means="Who."), Column("count", "whole", "1"), Column("at", "instant"))
NUMBERS = (Column("a", "number", "s", "Time.", {"better": "lower"}), Column('b,"c"', "number"))
AT = datetime(2026, 11, 21, 10, 0, 0, 250_000, timezone(timedelta(hours=1)))
ROWS = Batch([("Ann", 1, AT), (None, None, None)], np.array([[0.1, np.nan], [np.inf, -0.0]]))


def read_parquet(pieces):
    return pq.read_table(io.BytesIO(b"".join(pieces)))


def test_csv_as_it_stands():
    text = b"".join(write_csv(FACTS, NUMBERS, [ROWS])).decode()
    assert text == ('who,count,at,a,"b,""c"""\r\nAnn,1,2026-11-21T09:00:00.250000+00:00,0.1,\r\n,,,,-0.0\r\n')


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_every_number_in_a_csv_reads_back_as_it_was(values):
    column = np.array(values)[:, np.newaxis]
    text = b"".join(write_csv((), NUMBERS[:1], [Batch([()] * len(values), column)])).decode()
    read = [float(row["a"]) for row in csv.DictReader(io.StringIO(text))]
    assert np.array(read).tobytes() == column.tobytes()


def test_parquet_keeps_types_values_and_what_columns_mean():
    table = read_parquet(write_parquet(FACTS, NUMBERS, [ROWS], {"study": "S1"}))
    assert table.column_names == ["who", "count", "at", "a", 'b,"c"']
    assert [str(kind) for kind in table.schema.types] == [
        "string",
        "int64",
        "timestamp[us, tz=UTC]",
        "double",
        "double",
    ]
    assert table.schema.field("a").metadata == {b"unit": b"s", b"means": b"Time.", b"better": b"lower"}
    assert table.schema.metadata[b"study"] == b"S1"
    assert table["a"].to_pylist() == [0.1, None]
    assert table["at"].to_pylist() == [AT.astimezone(UTC), None]
    assert table["count"].to_pylist() == [1, None]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_every_number_in_parquet_is_as_it_was(values):
    column = np.array(values)[:, np.newaxis]
    table = read_parquet(write_parquet((), NUMBERS[:1], [Batch([()] * len(values), column)]))
    assert table["a"].to_numpy().tobytes() == column.tobytes()


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_a_table_without_rows_is_a_table(write):
    body = b"".join(write(FACTS, NUMBERS, []))
    frame = pd.read_csv(io.BytesIO(body)) if write is write_csv else pd.read_parquet(io.BytesIO(body))
    assert list(frame.columns) == ["who", "count", "at", "a", 'b,"c"']
    assert len(frame) == 0


def many(count, wrote):
    for number in range(count):
        wrote.append(number)
        yield Batch([("x", number, AT)] * 10, np.full((10, 2), float(number)))


def test_csv_goes_out_while_it_is_being_read():
    taken = []
    pieces = write_csv(FACTS, NUMBERS, many(100, taken))
    next(pieces), next(pieces)
    assert taken == [0]


def test_parquet_goes_out_a_row_group_at_a_time(monkeypatch):
    monkeypatch.setattr(tables, "PARQUET_CELLS", 5 * 30)  # 5 columns: 30 rows
    taken = []
    pieces = write_parquet(FACTS, NUMBERS, many(10, taken))
    first = next(pieces)
    assert taken == [0, 1, 2]
    assert first.startswith(b"PAR1")
    file = pq.ParquetFile(io.BytesIO(first + b"".join(pieces)))
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [30, 30, 30, 10]
    assert file.read()["count"].to_pylist() == [number for number in range(10) for _ in range(10)]


def test_a_table_that_is_given_up_half_way_lets_go():
    for write in (write_csv, write_parquet):
        pieces = write(FACTS, NUMBERS, many(3, []))
        next(pieces)
        pieces.close()
