"""Outlines: what consent and a session's row need, without a sample being looked at."""

from __future__ import annotations

import copy
import gzip
import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from konectom import formats
from konectom.errors import KonectomError
from konectom.formats._columns import numbers
from konectom.recording import Recording, Rejected
from konectom.workflows.consent.data_types import data_types_of
from tests.formats import test_fuzz
from tests.formats.carried import FORMS, arrow_memory, json_of, outline_covers, same_session, sessions, told
from tests.formats.test_session1 import SESSION

quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MEBIBYTE = 1024 * 1024
ALL_FORMS: dict[str, Callable[[Any], bytes]] = {"json": json_of, **FORMS}


@pytest.mark.parametrize("form", ALL_FORMS)
@quick
@given(session=sessions())
def test_an_outline_tells_at_least_the_types_of_data_that_are_there(form: str, session: dict[str, Any]) -> None:
    assert outline_covers(ALL_FORMS[form](session)) is not None


@pytest.mark.parametrize("key", ["streams", "parts", "events", "answers", "condition"])
@pytest.mark.parametrize("count", [2, 2000])
def test_numbers_where_none_are_due_hide_no_type_of_data(key: str, count: int) -> None:
    recording = {"assessment": "tap", key: [0.25] * count}
    body = orjson.dumps(SESSION | {"recordings": [recording]})
    outlined, read = (formats.outline(body), formats.read(body))
    assert [data_types_of(each) for each in outlined.recordings] == [data_types_of(each) for each in read.recordings]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_so_it_does_of_any_document_that_is_damaged(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(test_fuzz.documents())), label="task")
    document = orjson.loads(test_fuzz.documents()[name])
    hurts = st.tuples(
        st.sampled_from(test_fuzz.places_of(name)),
        st.sampled_from(["leave out", "shorten", "double", "insert", "replace", "replace"]),
        test_fuzz.WRONG,
    )
    for place, how, value in data.draw(st.lists(hurts, min_size=1, max_size=3), label="damage"):
        test_fuzz.damage(document, place, how, copy.deepcopy(value))
    outline_covers(orjson.dumps(document).replace(orjson.dumps(test_fuzz.DEEP), b"[" * 900 + b"]" * 900))


@pytest.mark.parametrize("form", ALL_FORMS)
def test_an_outline_names_streams_and_holds_none(form: str) -> None:
    session = formats.outline(ALL_FORMS[form](SESSION))
    assert told(session) == told(formats.read(json_of(SESSION)))
    (recording,) = session.recordings
    assert isinstance(recording, Recording)
    assert (recording.assessment, recording.offset_s, recording.duration_s) == ("tap", 12.0, 20.0)
    assert recording.beside == {"touch", "gyroscope", "accelerometer"}
    (part,) = recording.parts
    assert (dict(part.streams), dict(part.events), part.condition) == ({}, {}, {"hand": "left"})
    assert [each.stream for each in part.defects] == ["barometer"]


@pytest.mark.parametrize(
    "pack", [gzip.compress, zstandard.ZstdCompressor().compress, bytes], ids=["gzip", "zstd", "no"]
)
@pytest.mark.parametrize("form", ALL_FORMS)
@pytest.mark.parametrize("of", [bytes, bytearray, memoryview, io.BytesIO], ids=["bytes", "array", "view", "file"])
def test_bytes_and_files_are_read_alike(pack: Any, form: str, of: Any) -> None:
    body = ALL_FORMS[form](SESSION)
    packed = pack(body)
    same_session(formats.read(of(packed)), formats.read(body))
    same_session(formats.outline(of(packed)), formats.outline(body))
    assert len(list(formats.recordings(of(packed)))) == 1


def test_no_column_is_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("a column was converted")

    monkeypatch.setattr("konectom.formats._columns.packed", never)
    monkeypatch.setattr("konectom.formats._columns.measurable", never)
    with pytest.raises(AssertionError):
        numbers([1.0], "")
    for write in ALL_FORMS.values():
        formats.outline(write(SESSION))


def test_a_member_is_not_looked_into() -> None:
    body = FORMS["archive"](SESSION)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        members = {each.filename: each for each in archive.infolist()}
    out = bytearray(body)
    for name, each in members.items():
        if name != "session.json":
            start = each.header_offset + 30
            out[start : start + each.compress_size] = bytes(each.compress_size)
    assert told(formats.outline(bytes(out))) == told(formats.outline(body))
    (rejected,) = formats.read(bytes(out)).recordings
    assert isinstance(rejected, Rejected)
    assert rejected.error["code"] == "member_invalid"


@pytest.mark.parametrize(
    ("recording", "code"),
    [
        (3, "field_invalid"),
        ({}, "field_missing"),
        ({"assessment": "walk", "condition": {"hand": 3}}, "field_invalid"),
        ({"assessment": "walk", "streams": []}, None),
        ({"assessment": "walk", "streams": [1]}, "field_invalid"),
        ({"assessment": "walk", "parts": [1]}, "field_invalid"),
        ({"assessment": "walk", "duration_s": -1}, "field_invalid"),
        ({"assessment": "walk", "streams": {"gps": 3}}, None),
    ],
)
def test_metadata_are_checked(recording: Any, code: str | None) -> None:
    (found,) = formats.outline(json_of({**SESSION, "recordings": [recording]})).recordings
    assert (found.error["code"] if isinstance(found, Rejected) else None) == code


def test_many_names_that_nobody_knows_are_not_all_kept() -> None:
    streams = {f"s{number}": {} for number in range(10_000)}
    recording = {"assessment": "walk", "streams": streams}
    (found,) = formats.outline(json_of({**SESSION, "recordings": [recording]})).recordings
    assert isinstance(found, Recording)
    assert len(found.parts[0].defects) == 100


@pytest.mark.parametrize("brackets", [b"[", b'{"a":', b'{"recordings":['], ids=["lists", "objects", "recordings"])
def test_what_is_nested_without_end_is_refused(brackets: bytes) -> None:
    for read in (formats.read, formats.outline):
        with pytest.raises(KonectomError) as refused:
            read(brackets * 100_000)
        assert refused.value.code == "not_json"


def test_a_frame_that_declares_too_much_is_refused_unread() -> None:
    frame = bytearray(zstandard.ZstdCompressor().compress(bytes(100_000)))
    assert frame[4] >> 6 == 2  # the size takes four bytes, after those of the head
    struct.pack_into("<I", frame, 5 if frame[4] & 0x20 else 6, 2**31)
    for read in (formats.read, formats.outline):
        with pytest.raises(KonectomError) as refused:
            read(bytes(frame))
        assert refused.value.code == "inflated_too_large"


@pytest.mark.parametrize("form", ALL_FORMS)
def test_a_packed_body_may_be_larger_once_it_is_unpacked(form: str) -> None:
    body = gzip.compress(ALL_FORMS[form](SESSION))
    limits = formats.Limits(max_body_bytes=len(body))
    assert len(formats.read(body, limits=limits).recordings) == 1
    assert len(list(formats.recordings(body, limits=limits))) == 1
    assert len(formats.outline(body, limits=limits).recordings) == 1


HALF_A_GIBIBYTE = 512 * MEBIBYTE
LARGE = formats.Limits(max_body_bytes=2 * HALF_A_GIBIBYTE)


def large(form: str, folder: Path) -> Path:
    """A file of half a gibibyte: recordings of 16 MiB each."""
    rows = 16 * MEBIBYTE // 8 // 4
    noise = np.random.default_rng(1).normal(size=rows)
    column = [pa.array(noise)]
    count = HALF_A_GIBIBYTE // (16 * MEBIBYTE)
    stream: dict[str, Any] = {"unit": "m/s2"}
    path = folder / form
    if form == "archive":
        document = {
            **SESSION,
            "recordings": [
                {"assessment": "walk", "streams": {"accelerometer": stream | {"member": f"{index}.parquet"}}}
                for index in range(count)
            ],
        }
        inner = io.BytesIO()
        table = pa.table(dict.fromkeys("txyz", column[0]))
        pq.write_table(table, inner, compression="none", use_dictionary=False)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("session.json", json_of(document))
            for index in range(count):
                archive.writestr(f"{index}.parquet", inner.getvalue())
        return path
    document = {**SESSION, "recordings": [{"assessment": "walk", "streams": {"accelerometer": stream}}] * count}
    lists = pa.ListArray.from_arrays([0, rows], column[0])
    schema = pa.table({"recording": [0], "stream": [""]} | dict.fromkeys("txyz", lists)).schema
    schema = schema.with_metadata({"konectom.session": json_of(document)})
    batches = (
        pa.record_batch([pa.array([index]), pa.array(["accelerometer"]), lists, lists, lists, lists], schema=schema)
        for index in range(count)
    )
    if form == "parquet":
        with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return path
    with (pa.ipc.new_file if form == "file" else pa.ipc.new_stream)(path, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return path


@pytest.mark.long
@pytest.mark.parametrize("form", ["stream", "file", "parquet", "archive"])
def test_half_a_gibibyte_takes_little_memory(form: str, tmp_path: Path) -> None:
    path = large(form, tmp_path)
    assert path.stat().st_size > 0.99 * HALF_A_GIBIBYTE
    with path.open("rb") as file, arrow_memory() as pool:
        tracemalloc.start()
        try:
            session = formats.outline(file, limits=LARGE)
            outlined = tracemalloc.get_traced_memory()[1] + pool.max_memory()
            tracemalloc.reset_peak()
            read = sum(isinstance(each, Recording) for each in formats.recordings(file, limits=LARGE))
            whole = tracemalloc.get_traced_memory()[1] + pool.max_memory()
        finally:
            tracemalloc.stop()
    assert len(session.recordings) == read == 32
    assert outlined < 2 * MEBIBYTE
    assert whole < 110 * MEBIBYTE


@pytest.mark.parametrize("form", FORMS)
def test_a_file_is_read_as_the_bytes_are(form: str) -> None:
    session = {**SESSION, "recordings": SESSION["recordings"] * 2}
    body = FORMS[form](session)
    one_by_one = tuple(formats.recordings(io.BytesIO(body)))
    same_session(formats.read(body), replace(formats.outline(body), recordings=one_by_one))
