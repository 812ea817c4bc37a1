"""Sessions in Arrow IPC: the same as from JSON, whoever wrote them, and nothing believed that they say."""

from __future__ import annotations

import gzip
import io
import struct
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings

from konectom import formats
from konectom.errors import KonectomError
from konectom.recording import Recording, Rejected
from konectom.simulate.carriers import as_arrow
from tests.formats.carried import ARROW, json_of, plain, same_session, sessions
from tests.formats.test_session1 import SESSION

DOCUMENT: dict[str, Any] = {
    "schema": "konectom.session/1",
    "started_at": "2026-11-21T09:12:03.250+01:00",
    "recordings": [
        {"assessment": "walk", "duration_s": 1, "streams": {"accelerometer": {"unit": "g"}, "gps": {"unit": "m"}}},
        {"assessment": "walk", "parts": [{}, {"streams": {"accelerometer": {"unit": "m/s2", "rate_hz": 2}}}]},
    ],
}
COLUMNS: dict[str, list[Any]] = {
    "recording": [0, 0, 1],
    "part": [None, None, 1],
    "stream": ["accelerometer", "gps", "accelerometer"],
    "t": [[0.0, 0.5], [0.0], None],
    "x": [[1.0, 2.0], [10.0], [3.0, None]],
    "y": [[0.0, 0.0], [20.0], [4.0, 5.0]],
    "z": [[0.0, 0.0], None, [6.0, 7.0]],
    "accuracy_m": [None, [3.0], None],
}


def table_of(columns: dict[str, Any] = COLUMNS, document: Any = DOCUMENT, **types: Any) -> pa.Table:
    arrays = {name: pa.array(values, types.get(name)) for name, values in columns.items()}
    return pa.table(arrays).replace_schema_metadata({"konectom.session": json_of(document)})


def stream_of(table: pa.Table, *, compression: str | None = None, rows: int | None = None) -> bytes:
    out = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(out, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=rows)
    return out.getvalue()


def refusal(body: bytes, **how: Any) -> tuple[str, str | None]:
    with pytest.raises(KonectomError) as refused:
        formats.read(body, **how)
    return refused.value.code, refused.value.at


@pytest.mark.parametrize("form", ARROW)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(session=sessions())
def test_a_session_is_the_same_as_from_json(form: str, session: dict[str, Any]) -> None:
    same_session(formats.read(json_of(session)), formats.read(ARROW[form](session)))


@pytest.mark.parametrize("form", ARROW)
def test_events_answers_and_unknown_streams_come_along(form: str) -> None:
    same_session(formats.read(json_of(SESSION)), formats.read(ARROW[form](SESSION)))


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_table_that_pyarrow_wrote_is_read(rows: int) -> None:
    first, second = formats.read(stream_of(table_of(), rows=rows)).recordings
    assert isinstance(first, Recording)
    assert isinstance(second, Recording)
    np.testing.assert_allclose(first.parts[0].streams["accelerometer"]["x"], [9.80665, 19.6133])
    np.testing.assert_array_equal(first.parts[0].streams["gps"]["accuracy_m"], [3.0])
    np.testing.assert_array_equal(second.parts[1].streams["accelerometer"]["x"], [3.0, np.nan])
    np.testing.assert_array_equal(second.parts[1].streams["accelerometer"].t_s, [0.0, 0.5])


def test_a_table_that_pandas_wrote_is_read() -> None:
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in COLUMNS.items()})
    frame = frame.astype({"recording": "int64", "part": "Int64"})
    table = pa.Table.from_pandas(frame)
    table = table.replace_schema_metadata((table.schema.metadata or {}) | table_of().schema.metadata)
    same_session(formats.read(stream_of(table)), formats.read(stream_of(table_of())))


@pytest.mark.parametrize(
    "kind",
    [pa.float32(), pa.float64(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint32()],
    ids=str,
)
@pytest.mark.parametrize("large", [False, True])
def test_numbers_of_any_width_are_read(kind: pa.DataType, large: bool) -> None:
    lists = pa.large_list(kind) if large else pa.list_(kind)
    body = stream_of(table_of(x=lists, stream=pa.large_string() if large else pa.string()))
    np.testing.assert_allclose(plain(formats.read(body)), [9.80665, 19.6133])


def test_float64_is_not_copied() -> None:
    document = {**DOCUMENT, "recordings": [{"assessment": "walk", "streams": {"accelerometer": {"unit": "m/s2"}}}]}
    columns = {name: values[:1] for name, values in COLUMNS.items()}
    body = stream_of(table_of(columns, document))
    values = plain(formats.read(body))
    assert not values.flags.owndata
    base: Any = values
    while isinstance(base, np.ndarray):
        base = base.base
    assert base.obj is body


def test_rows_of_the_same_stream_continue_it() -> None:
    columns = {name: [*values, *values[:1]] for name, values in COLUMNS.items()} | {
        "t": [[0.0, 0.5], [0.0], None, [1.0, 1.5]]
    }
    (first, _) = formats.read(stream_of(table_of(columns), rows=1)).recordings
    assert isinstance(first, Recording), first
    np.testing.assert_array_equal(first.parts[0].streams["accelerometer"].t_s, [0, 0.5, 1, 1.5])
    assert len(first.parts[0].streams["gps"]) == 1


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"])
def test_packed_bodies_read_as_plain_ones(pack: Any) -> None:
    body = stream_of(table_of(), compression="zstd")
    same_session(formats.read(pack(body)), formats.read(body))


@pytest.mark.parametrize(
    ("columns", "code", "at"),
    [
        ({"x": [[1.0], [10.0], [3.0, 4.0]]}, "stream_length_mismatch", "/recordings/0/streams/accelerometer/x"),
        ({"t": [[0.0, None], [0.0], None]}, "time_not_finite", "/recordings/0/streams/accelerometer/t/1"),
        ({"t": [None, [0.0], None]}, "time_missing", "/recordings/0/streams/accelerometer/t"),
        ({"z": [None, None, None]}, "column_missing", "/recordings/0/streams/accelerometer/z"),
        ({"z": [None, None, [6.0, 7.0]]}, "column_missing", "/recordings/0/streams/accelerometer/z"),
        ({"x": [[1.0, 1e200], [10.0], [3.0, 4.0]]}, "column_invalid", "/recordings/0/streams/accelerometer/x/1"),
        ({"x": [[None, "a"], [None], [None]]}, "column_invalid", "/recordings/0/streams/accelerometer/x/1"),
        ({"stream": ["sonar", "gps", "gyroscope"]}, "column_missing", "/recordings/0/streams/accelerometer/x"),
    ],
)
def test_a_fault_rejects_the_recording_with_the_pointer_of_json(columns: Any, code: str, at: str) -> None:
    (rejected, _) = formats.read(stream_of(table_of(COLUMNS | columns))).recordings
    assert isinstance(rejected, Rejected), rejected
    assert (rejected.error["code"], rejected.error["at"]) == (code, at)
    assert rejected.streams is not None
    assert rejected.streams >= {"accelerometer", "gps"}


@pytest.mark.parametrize(
    ("columns", "code", "at"),
    [
        ({"recording": [0, 0, 7]}, "field_invalid", "/recordings/7"),
        ({"recording": [0, 0, -1]}, "body_damaged", None),
        ({"recording": [0, None, 1]}, "body_damaged", None),
        ({"part": [None, None, 2]}, "field_invalid", "/recordings/1"),
        ({"part": [None, 0, 1]}, "field_invalid", "/recordings/0"),
        ({"stream": ["accelerometer", None, "gps"]}, "body_damaged", None),
        ({"rate_hz": [[1.0], [1.0], [1.0]]}, "column_invalid", None),
        ({"x": [[True, False], [True], [True]]}, "column_invalid", None),
        ({"x": [[[1.0]], [[1.0]], [[1.0]]]}, "column_invalid", None),
        ({"x": [{"a": 1}, {"a": 1}, {"a": 1}]}, "column_invalid", None),
        ({"x": [1.0, 2.0, 3.0]}, "column_invalid", "/x"),
        ({"stream": [1, 2, 3]}, "column_invalid", "/stream"),
        ({"recording": ["0", "0", "1"]}, "column_invalid", "/recording"),
    ],
)
def test_a_table_that_does_not_fit_its_document_is_refused(columns: Any, code: str, at: str | None) -> None:
    body = stream_of(table_of(COLUMNS | columns))
    assert refusal(body) == (code, at)
    with pytest.raises(KonectomError):
        formats.outline(body)


@pytest.mark.parametrize(
    "kind",
    [
        pa.dictionary(pa.int32(), pa.string()),
        pa.string_view(),
        pa.binary(),
        pa.timestamp("us"),
        pa.decimal128(9, 2),
        pa.float16(),
        pa.list_view(pa.float64()),
        pa.list_(pa.float64(), 1),
        pa.list_(pa.dictionary(pa.int32(), pa.float64())),
        pa.list_(pa.list_(pa.float64())),
        pa.struct([("a", pa.float64())]),
        pa.map_(pa.string(), pa.float64()),
        pa.run_end_encoded(pa.int32(), pa.float64()),
        pa.uuid(),
        pa.list_(pa.uuid()),
        pa.list_(pa.null()),
    ],
    ids=str,
)
def test_other_types_are_refused_unread(kind: pa.DataType) -> None:
    table = table_of()
    table = table.append_column("odd", pa.nulls(3, kind))
    assert refusal(stream_of(table))[0] in ("column_invalid", "body_damaged")


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (None, "field_missing"),
        (b"{", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"[]", "field_invalid"),
        (b'{"schema": "konectom.session/2"}', "field_invalid"),
        (b'{"schema": "konectom.session/1", "recordings": []}', "field_missing"),
    ],
)
def test_the_document_is_checked(document: bytes | None, code: str) -> None:
    metadata = {} if document is None else {"konectom.session": document}
    assert refusal(stream_of(table_of().replace_schema_metadata(metadata)))[0] == code


def test_a_column_is_not_told_twice() -> None:
    document = {
        **DOCUMENT,
        "recordings": [{"assessment": "walk", "streams": {"accelerometer": {"unit": "g", "x": [1]}}}],
    }
    columns = {name: values[:1] for name, values in COLUMNS.items()}
    (rejected,) = formats.read(stream_of(table_of(columns, document))).recordings
    assert isinstance(rejected, Rejected)
    assert rejected.error["at"] == "/recordings/0/streams"


@pytest.mark.parametrize("file", [False, True])
def test_a_body_cut_anywhere_is_refused(file: bool) -> None:
    body = as_arrow(SESSION, compression=None, file=file)
    for length in range(len(body)):
        with pytest.raises(KonectomError):
            formats.read(body[:length])


@pytest.mark.parametrize("file", [False, True])
def test_nothing_may_stand_behind_the_end(file: bool) -> None:
    assert refusal(as_arrow(SESSION, file=file) + bytes(8))[0] == "body_damaged"


def test_a_buffer_that_declares_more_than_is_accepted_is_refused_before_it_is_unpacked() -> None:
    body = as_arrow(SESSION, compression="zstd")
    frame = body.index(b"\x28\xb5\x2f\xfd")
    for declared in (2**62, 2**40, 200 * 1024 * 1024):
        lying = body[: frame - 8] + struct.pack("<q", declared) + body[frame:]
        assert refusal(lying)[0] in ("inflated_too_large", "inflation_ratio_exceeded")
    for declared in (-2, -(2**63), 8):
        lying = body[: frame - 8] + struct.pack("<q", declared) + body[frame:]
        with pytest.raises(KonectomError):
            formats.outline(lying)


def bomb(compression: str) -> bytes:
    values = np.zeros(4_000_000)
    columns = {name: kept[:1] for name, kept in COLUMNS.items() if name in ("recording", "part", "stream")}
    document = {**DOCUMENT, "recordings": DOCUMENT["recordings"][:1]}
    return stream_of(table_of(columns | {name: [values] for name in "txyz"}, document), compression=compression)


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_zeros_packed_to_nothing_are_refused(compression: str) -> None:
    body = bomb(compression)
    assert len(body) < 1024 * 1024
    assert refusal(body)[0] == "inflation_ratio_exceeded"
    generous = formats.Limits(max_inflation_ratio=10**6, max_inflated_bytes=64 * 1024 * 1024)
    assert refusal(body, limits=generous)[0] == "inflated_too_large"


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_a_buffer_shorter_than_it_declares_shows_nothing_of_the_memory(compression: str) -> None:
    """What a decoder did not fill would be what lay in memory before: of another patient, say."""
    body = bytearray(as_arrow(SESSION, compression=compression))
    mark = b"\x28\xb5\x2f\xfd" if compression == "zstd" else b"\x04\x22\x4d\x18"
    changed = 0
    start = body.find(mark)
    while start > 0:
        (declared,) = struct.unpack_from("<q", body, start - 8)
        lying = bytearray(body)
        struct.pack_into("<q", lying, start - 8, declared + 64)
        try:
            recordings = formats.read(bytes(lying)).recordings
        except KonectomError:
            changed += 1
        else:
            changed += any(isinstance(each, Rejected) for each in recordings)
        start = body.find(mark, start + 1)
    assert changed


def test_values_are_counted_before_they_are_read() -> None:
    limits = formats.Limits(max_values=8)
    (rejected, _) = formats.read(stream_of(table_of()), limits=limits).recordings
    assert isinstance(rejected, Rejected)
    assert rejected.error["code"] == "too_many_samples"


def test_a_media_type_is_held_against_the_bytes() -> None:
    assert refusal(json_of(SESSION), media_type="application/vnd.apache.arrow.stream")[0] == "format_unknown"
    body = as_arrow(SESSION)
    same_session(formats.read(body), formats.read(body, media_type="application/vnd.apache.arrow.stream"))
