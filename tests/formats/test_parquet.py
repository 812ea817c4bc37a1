"""Sessions in Parquet: the same as from JSON, whoever wrote them; what pages declare is counted beforehand."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from konectom import formats
from konectom.errors import KonectomError
from konectom.formats import _thrift
from konectom.formats._parquet_footer import read_footer
from konectom.formats._source import Source, Unpacking
from konectom.recording import Recording, Rejected
from konectom.simulate.carriers import as_parquet
from tests.formats.carried import PARQUET, arrow_memory, json_of, plain, same_session, sessions
from tests.formats.test_arrow import COLUMNS, DOCUMENT, refusal, stream_of, table_of
from tests.formats.test_session1 import SESSION


def file_of(table: pa.Table, **how: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **how)
    return out.getvalue()


@pytest.mark.parametrize("form", PARQUET)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(session=sessions())
def test_a_session_is_the_same_as_from_json(form: str, session: dict[str, Any]) -> None:
    same_session(formats.read(json_of(session)), formats.read(PARQUET[form](session)))


def test_events_answers_and_unknown_streams_come_along() -> None:
    same_session(formats.read(json_of(SESSION)), formats.read(as_parquet(SESSION)))


@pytest.mark.parametrize(
    "how",
    [
        {"row_group_size": 1},
        {"version": "1.0"},
        {"data_page_version": "2.0"},
        {"use_dictionary": False},
        {"use_dictionary": False, "use_byte_stream_split": ["x.list.element"]},
        {"use_dictionary": False, "column_encoding": {"recording": "DELTA_BINARY_PACKED"}},
        {"data_page_size": 1, "write_batch_size": 1},
        {"write_page_index": True, "write_page_checksum": True},
        {"write_statistics": False, "compression": "gzip"},
    ],
    ids=str,
)
def test_however_pyarrow_writes_it(how: dict[str, Any]) -> None:
    same_session(formats.read(file_of(table_of(), **how)), formats.read(stream_of(table_of())))


def test_a_file_that_pandas_wrote_is_read() -> None:
    """pandas keeps what a frame is to carry along in its ``attrs``, and pyarrow where it is told so."""
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in COLUMNS.items()})
    frame = frame.astype({"recording": "int64", "part": "Int64"})
    out = io.BytesIO()
    frame.to_parquet(out, index=False)
    table = pq.read_table(out).replace_schema_metadata(table_of().schema.metadata)
    same_session(formats.read(file_of(table)), formats.read(stream_of(table_of())))


@pytest.mark.parametrize("kind", [pa.float32(), pa.int16(), pa.int32(), pa.int64(), pa.uint32()], ids=str)
@pytest.mark.parametrize("large", [False, True])
def test_numbers_of_any_width_are_read(kind: pa.DataType, large: bool) -> None:
    lists = pa.large_list(kind) if large else pa.list_(kind)
    body = file_of(table_of(x=lists, stream=pa.large_string() if large else pa.string()))
    np.testing.assert_allclose(plain(formats.read(body)), [9.80665, 19.6133])


@pytest.mark.parametrize(
    ("columns", "code", "at"),
    [
        ({"x": [[1.0], [10.0], [3.0, 4.0]]}, "stream_length_mismatch", "/recordings/0/streams/accelerometer/x"),
        ({"t": [[0.0, None], [0.0], None]}, "time_not_finite", "/recordings/0/streams/accelerometer/t/1"),
        ({"z": [None, None, None]}, "column_missing", "/recordings/0/streams/accelerometer/z"),
        ({"x": [[None, "a"], [None], [None]]}, "column_invalid", "/recordings/0/streams/accelerometer/x/1"),
    ],
)
def test_a_fault_rejects_the_recording_with_the_pointer_of_json(columns: Any, code: str, at: str) -> None:
    (rejected, _) = formats.read(file_of(table_of(COLUMNS | columns))).recordings
    assert isinstance(rejected, Rejected), rejected
    assert (rejected.error["code"], rejected.error["at"]) == (code, at)


@pytest.mark.parametrize(
    "kind",
    [
        pa.bool_(),
        pa.binary(),
        pa.timestamp("us"),
        pa.decimal128(9, 2),
        pa.float16(),
        pa.list_(pa.bool_()),
        pa.list_(pa.list_(pa.float64())),
        pa.struct([("a", pa.float64())]),
        pa.map_(pa.string(), pa.float64()),
        pa.uuid(),
        pa.float64(),
    ],
    ids=str,
)
def test_other_types_are_refused_unread(kind: pa.DataType) -> None:
    table = table_of().append_column("odd", pa.nulls(3, kind))
    assert refusal(file_of(table))[0] in ("column_invalid", "body_damaged")


@pytest.mark.parametrize(
    "how",
    [
        {"compression": "brotli"},
        {"use_dictionary": False, "column_encoding": {"stream": "DELTA_BYTE_ARRAY"}},
        {"use_dictionary": False, "column_encoding": {"stream": "DELTA_LENGTH_BYTE_ARRAY"}},
    ],
    ids=str,
)
def test_what_could_stand_for_far_more_is_refused(how: dict[str, Any]) -> None:
    assert refusal(file_of(table_of(), **how))[0] in ("column_invalid", "body_damaged")


def test_a_name_with_a_dot_could_be_that_of_another_column() -> None:
    table = table_of().append_column("x.y", pa.array([[1.0], [1.0], [1.0]]))
    assert refusal(file_of(table))[0] == "column_invalid"


def test_a_body_cut_anywhere_is_refused() -> None:
    body = as_parquet(SESSION)
    for length in range(0, len(body), 7):
        with pytest.raises(KonectomError):
            formats.read(body[:length])


def bomb(values: Any, **how: Any) -> bytes:
    columns = {name: kept[:1] for name, kept in COLUMNS.items() if name in ("recording", "part", "stream")}
    document = {**DOCUMENT, "recordings": DOCUMENT["recordings"][:1]}
    types = {"part": pa.int64()}
    return file_of(
        table_of(columns | {name: [values] for name in "txyz"}, document, **types), compression="zstd", **how
    )


@pytest.mark.parametrize("dictionary", [True, False])
def test_zeros_packed_to_nothing_are_refused(dictionary: bool) -> None:
    body = bomb(np.zeros(4_000_000), use_dictionary=dictionary)
    assert len(body) < 512 * 1024
    assert refusal(body)[0] == "inflation_ratio_exceeded"
    generous = formats.Limits(max_inflation_ratio=10**6, max_inflated_bytes=64 * 1024 * 1024)
    assert refusal(body, limits=generous)[0] == "inflated_too_large"


def test_one_long_text_in_many_rows_takes_no_more_than_in_the_file() -> None:
    """In a dictionary it stands once: 20,000 times it would be 2 GB."""
    name = pa.DictionaryArray.from_arrays(np.zeros(20_000, np.int32), ["x" * 100_000])
    document = {**DOCUMENT, "recordings": DOCUMENT["recordings"][:1]}
    table = table_of({"recording": [0] * 20_000}, document).append_column("stream", name)
    body = file_of(table, compression="zstd")
    generous = formats.Limits(max_inflation_ratio=10**6)
    with arrow_memory() as pool:
        outlined = formats.outline(body, limits=generous)
    assert len(outlined.recordings[0].parts[0].defects) == 1
    assert pool.max_memory() < 64 * 1024 * 1024


def lying(body: bytes, old: bytes, new: bytes) -> bytes:
    assert old in body
    return body.replace(old, new)


def test_pages_have_to_hold_what_the_footer_says() -> None:
    body = file_of(table_of(), use_dictionary=False, compression="none", write_statistics=False)
    footer = read_footer(Source(body), Unpacking(formats.Limits(), len(body)))
    for chunk in footer.groups[0].chunks:
        told = _thrift.Reader(memoryview(body)[chunk.start : chunk.start + chunk.size], 1000)
        told.struct()
        for place in range(chunk.start, chunk.start + told.place):
            for value in (0, 1, 0x7F, 0x80, 0xFF):
                changed = body[:place] + bytes([value]) + body[place + 1 :]
                try:
                    formats.read(changed, limits=formats.Limits(max_inflated_bytes=1024 * 1024))
                except KonectomError:
                    continue


@given(st.binary(max_size=200))
def test_metadata_that_are_anything_are_refused_or_read(data: bytes) -> None:
    try:
        _thrift.Reader(memoryview(data), 100).struct()
    except KonectomError:
        return


def test_a_list_of_many_empty_structures_is_not_made() -> None:
    # A field with a list of 2**28 structures, each of which takes a byte.
    with pytest.raises(KonectomError, match="more things"):
        _thrift.Reader(memoryview(b"\x49\xfc\x80\x80\x80\x80\x01" + bytes(100)), 10_000).struct()
    with pytest.raises(KonectomError, match="too deeply"):
        _thrift.Reader(memoryview(b"\x1c" * 5000), 10_000).struct()


def test_an_encrypted_file_is_refused() -> None:
    body = as_parquet(SESSION)
    assert refusal(b"PAR1" + body[4:-4] + b"PARE")[0] == "body_damaged"


def test_a_recording_in_a_row_group_of_its_own_is_read_alone() -> None:
    session = {**SESSION, "recordings": SESSION["recordings"] * 3}
    body = as_parquet(session)
    assert pq.ParquetFile(io.BytesIO(body)).num_row_groups == 3
    found = list(formats.recordings(io.BytesIO(body)))
    assert all(isinstance(each, Recording) for each in found)
    assert len(found) == 3
