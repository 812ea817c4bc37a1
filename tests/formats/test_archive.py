"""Sessions as archives: the directory is believed as far as the members agree with it, and nothing comes beside."""

from __future__ import annotations

import io
import struct
import wave
import zipfile
import zlib
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from konectom import formats
from konectom.errors import KonectomError
from konectom.formats import _source
from konectom.recording import Recording, Rejected
from konectom.simulate.carriers import as_archive
from tests.formats.carried import ARCHIVE, json_of, same_session, sessions
from tests.formats.test_arrow import refusal
from tests.formats.test_session1 import SESSION

STREAM = "/recordings/0/streams/accelerometer"
DOCUMENT: dict[str, Any] = {
    "schema": "konectom.session/1",
    "started_at": "2026-11-21T09:12:03.250+01:00",
    "recordings": [
        {"assessment": "walk", "streams": {"accelerometer": {"unit": "g", "member": "a.parquet"}}},
        {"assessment": "tap", "events": [{"type": "tap", "t": 0.1, "zone": "left"}]},
    ],
}
FRAME = pd.DataFrame({"t": [0.0, 0.5], "x": [1.0, 2.0], "y": [0.0, None], "z": [1, 2]})


def parquet_of(frame: pd.DataFrame = FRAME) -> bytes:
    out = io.BytesIO()
    frame.to_parquet(out, index=False)
    return out.getvalue()


def sound_of(count: int = 800, rate_hz: int = 8000) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((np.sin(np.arange(count)) * 20000).astype("<i2").tobytes())
    return out.getvalue()


def zipped(members: dict[str, bytes], *, document: Any = DOCUMENT, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        if document is not None:
            archive.writestr("session.json", document if isinstance(document, bytes) else orjson.dumps(document))
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def first(body: bytes, **how: Any) -> Recording | Rejected:
    return formats.read(body, **how).recordings[0]


def rejected(body: bytes, **how: Any) -> tuple[str, str]:
    recording = first(body, **how)
    assert isinstance(recording, Rejected), recording
    assert recording.streams == {"accelerometer"}
    return recording.error["code"], recording.error["at"]


@pytest.mark.parametrize("form", ARCHIVE)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(session=sessions())
def test_a_session_is_the_same_as_from_json(form: str, session: dict[str, Any]) -> None:
    same_session(formats.read(json_of(session)), formats.read(ARCHIVE[form](session)))


@pytest.mark.parametrize("form", ARCHIVE)
def test_events_answers_and_unknown_streams_come_along(form: str) -> None:
    same_session(formats.read(json_of(SESSION)), formats.read(ARCHIVE[form](SESSION)))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_file_that_pandas_wrote_is_a_stream(method: int) -> None:
    recording = first(zipped({"a.parquet": parquet_of()}, method=method))
    assert isinstance(recording, Recording), recording
    stream = recording.parts[0].streams["accelerometer"]
    np.testing.assert_allclose(stream.matrix(), [[9.80665, 0, 9.80665], [19.6133, np.nan, 19.6133]])


def test_an_arrow_file_of_pandas_is_a_stream() -> None:
    out = io.BytesIO()
    FRAME.to_feather(out)
    recording = first(zipped({"a.parquet": out.getvalue()}))
    assert isinstance(recording, Recording), recording
    assert recording.parts[0].streams["accelerometer"]["x"].tolist() == [9.80665, 19.6133]


def with_sound(told: dict[str, Any], name: str = "audio", content: bytes | None = None) -> bytes:
    streams = {name: {"unit": "1", "member": "a.wav"} | told}
    document = {**DOCUMENT, "recordings": [{"assessment": "voice", "streams": streams}]}
    return zipped({"a.wav": sound_of() if content is None else content}, document=document)


def test_a_wav_file_is_sound() -> None:
    recording = first(with_sound({"t0": 0.25}))
    assert isinstance(recording, Recording), recording
    audio = recording.parts[0].streams["audio"]
    np.testing.assert_allclose(audio["amplitude"], np.sin(np.arange(800)) * 20000 / 32768, atol=1e-4)
    np.testing.assert_allclose(audio.t_s[[0, -1]], [0.25, 0.25 + 799 / 8000])


@pytest.mark.parametrize(
    ("body", "code", "at"),
    [
        (with_sound({"rate_hz": 44100}), "field_invalid", "audio/rate_hz"),
        (with_sound({"amplitude": [0.0]}), "field_invalid", "audio/amplitude"),
        (with_sound({"unit": "dB"}), "unit_invalid", "audio/unit"),
        (with_sound({}, content=b"OggS"), "audio_undecodable", "audio/member"),
        (with_sound({}, content=b""), "audio_undecodable", "audio/member"),
        (with_sound({"unit": "g"}, name="accelerometer"), "member_invalid", "accelerometer/member"),
    ],
    ids=["rate", "twice", "unit", "ogg", "empty", "not sound"],
)
def test_sound_that_cannot_be_used_says_why(body: bytes, code: str, at: str) -> None:
    recording = first(body)
    assert isinstance(recording, Rejected)
    assert (recording.error["code"], recording.error["at"]) == (code, f"/recordings/0/streams/{at}")


@pytest.mark.parametrize(
    ("content", "code", "at"),
    [
        (b"", "member_invalid", "/member"),
        (b"t,x,y,z\n0,1,2,3\n", "member_invalid", "/member"),
        (zipped({}), "member_invalid", "/member"),
        (zlib.compress(b"", wbits=31), "member_invalid", "/member"),
        (parquet_of()[:-1], "member_invalid", "/member"),
        (parquet_of(FRAME.drop(columns="y")), "column_missing", "/y"),
        (parquet_of(FRAME.assign(t=[0.0, None])), "time_not_finite", "/t/1"),
        (parquet_of(FRAME.assign(x=["1", "2"])), "column_invalid", "/x/0"),
        (parquet_of(FRAME.assign(unit=[1, 2])), "member_invalid", "/member"),
        (parquet_of(FRAME.assign(x=[[1.0], [2.0]])), "member_invalid", "/member"),
    ],
)
def test_a_member_that_cannot_be_read_costs_its_recording(content: bytes, code: str, at: str) -> None:
    body = zipped({"a.parquet": content})
    assert rejected(body) == (code, STREAM + at)
    assert isinstance(formats.read(body).recordings[1], Recording)
    assert formats.outline(body).recordings[0].assessment == "walk"


@pytest.mark.parametrize(
    ("members", "document", "code"),
    [
        ({"a.parquet": parquet_of()}, None, "field_missing"),
        ({"a.parquet": parquet_of()}, b"[" * 100_000, "not_json"),
        ({"a.parquet": parquet_of()}, b"{}", "field_missing"),
        ({"a.parquet": parquet_of(), "b.parquet": parquet_of()}, DOCUMENT, "field_invalid"),
        ({"a.parquet": parquet_of(), "A.PARQUET": parquet_of()}, DOCUMENT, "body_damaged"),
        ({"../a.parquet": parquet_of()}, DOCUMENT, "body_damaged"),
        ({"/a.parquet": parquet_of()}, DOCUMENT, "body_damaged"),
        ({"b\\a.parquet": parquet_of()}, DOCUMENT, "body_damaged"),
        ({"b//a.parquet": parquet_of()}, DOCUMENT, "body_damaged"),
        ({"C:a.parquet": parquet_of()}, DOCUMENT, "body_damaged"),
        ({"b\na.parquet": parquet_of()}, DOCUMENT, "body_damaged"),
        ({"a" * 201: parquet_of()}, DOCUMENT, "body_damaged"),
    ],
)
def test_an_archive_with_more_or_less_than_its_session_is_refused(members: Any, document: Any, code: str) -> None:
    body = zipped(members, document=document)
    assert refusal(body)[0] == code
    with pytest.raises(KonectomError):
        formats.outline(body)


def test_two_streams_do_not_share_a_member() -> None:
    recording = DOCUMENT["recordings"][0]
    body = zipped({"a.parquet": parquet_of()}, document={**DOCUMENT, "recordings": [recording, recording]})
    assert refusal(body) == ("field_invalid", "/recordings/1/streams/accelerometer/member")


def test_folders_count_for_nothing() -> None:
    body = zipped({"b/": b"", "a.parquet": parquet_of()})
    assert isinstance(first(body), Recording)


def test_a_member_that_is_not_there_costs_its_recording() -> None:
    assert rejected(zipped({})) == ("member_invalid", f"{STREAM}/member")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(method: int) -> None:
    assert refusal(zipped({"a.parquet": parquet_of()}, method=method))[0] == "body_damaged"


def entry_of(body: bytes, name: bytes) -> int:
    """Return where the directory tells of a member."""
    return body.rindex(name) - 46


def told(body: bytes, offset: int, form: str, value: int) -> bytes:
    out = bytearray(body)
    struct.pack_into(form, out, entry_of(body, b"a.parquet") + offset, value)
    return bytes(out)


BODY = zipped({"a.parquet": parquet_of()})


@pytest.mark.parametrize(
    ("offset", "form", "value", "code"),
    [
        (8, "<H", 1, "body_damaged"),
        (8, "<H", 1 << 6, "body_damaged"),
        (34, "<H", 1, "body_damaged"),
        (38, "<I", 0o120777 << 16, "body_damaged"),
        (42, "<I", 0, "body_damaged"),
        (42, "<I", 2**32 - 1, "body_damaged"),
        (20, "<I", 2**31, "body_damaged"),
        (24, "<I", 2**31, "inflated_too_large"),
        (24, "<I", 50_000_000, "inflation_ratio_exceeded"),
        (28, "<H", 2**16 - 1, "body_damaged"),
    ],
    ids=["encrypted", "strong", "disk", "link", "overlap", "beyond", "packed", "huge", "ratio", "name"],
)
def test_a_directory_that_cannot_be_is_refused(offset: int, form: str, value: int, code: str) -> None:
    body = told(BODY, offset, form, value)
    if offset == 38:  # rights of Unix count where Unix made the archive
        body = told(body, 4, "<H", 3 << 8 | 20)
    assert refusal(body)[0] == code
    with pytest.raises(KonectomError):
        formats.outline(body)


@pytest.mark.parametrize("by", [-1, 1, 1000])
def test_a_size_that_lies_is_noticed_while_reading(by: int) -> None:
    size = len(parquet_of())
    assert rejected(told(BODY, 24, "<I", size + by))[0] == "member_invalid"


def test_a_checksum_has_to_agree() -> None:
    assert rejected(told(BODY, 16, "<I", 0))[0] == "member_invalid"
    stored = zipped({"a.parquet": parquet_of()}, method=zipfile.ZIP_STORED)
    place = stored.index(b"PAR1") + 40
    assert rejected(stored[:place] + bytes([stored[place] ^ 1]) + stored[place + 1 :])[0] == "member_invalid"


def test_two_readers_find_the_same_name() -> None:
    place = BODY.index(b"a.parquet", BODY.index(b"session.json") + 12)
    assert rejected(BODY[:place] + b"b.parquet" + BODY[place + 9 :])[0] == "member_invalid"


@pytest.mark.parametrize("body", [b"x" + BODY, BODY + b"x", BODY[:-1], BODY[:30], BODY[:-22]])
def test_nothing_stands_before_or_behind(body: bytes) -> None:
    with pytest.raises(KonectomError):
        formats.read(body)
    if body.startswith(b"PK"):
        assert refusal(body)[0] == "body_damaged"


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    body = zipped({"a.parquet": bytes(200_000_000)})
    assert refusal(body)[0] == "inflated_too_large"
    body = zipped({"a.parquet": bytes(20_000_000)})
    assert refusal(body)[0] == "inflation_ratio_exceeded"
    assert len(zipped({}, document=b" " * 20_000_000)) < 100_000
    assert refusal(zipped({}, document=b" " * 20_000_000))[0] == "inflation_ratio_exceeded"


def test_many_members_are_not_taken_in() -> None:
    body = zipped({f"m{number}": b"" for number in range(10_001)})
    assert refusal(body)[0] == "body_damaged"


def test_a_parquet_bomb_within_is_refused() -> None:
    out = io.BytesIO()
    columns = {name: np.zeros(3_000_000) for name in "txyz"}
    pq.write_table(pa.table(columns), out, compression="zstd")
    with pytest.raises(KonectomError) as refused:
        formats.read(zipped({"a.parquet": out.getvalue()}))
    assert refused.value.code == "inflation_ratio_exceeded"


def test_recordings_come_one_by_one() -> None:
    session = {**SESSION, "recordings": SESSION["recordings"] * 3}
    found = list(formats.recordings(io.BytesIO(as_archive(session))))
    assert [type(each) for each in found] == [Recording] * 3


def blocks_of(form: str, blocks: int) -> bytes:
    """A file of one stream that is cut into as many pieces as there are rows."""
    row = pa.table({name: [1.0] for name in ("t", "x", "y", "z")})
    out = io.BytesIO()
    with pq.ParquetWriter(out, row.schema) if form == "parquet" else pa.ipc.new_stream(out, row.schema) as file:
        for _ in range(blocks):
            file.write_table(row)
    return out.getvalue()


@pytest.mark.parametrize("form", ["arrow", "parquet"])
def test_blocks_that_hold_nothing_are_counted_over_the_whole_archive(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes its time however little is in it; an archive has room for a million."""
    monkeypatch.setattr(_source, "MOST_BLOCKS", 1000)
    monkeypatch.setattr(_source, "BYTES_A_BLOCK", 2**30)
    member = blocks_of(form, 15)
    recordings = [
        {"assessment": "walk", "streams": {"accelerometer": {"unit": "g", "member": f"{index}.bin"}}}
        for index in range(40)
    ]
    members = {f"{index}.bin": member for index in range(40)}
    read = formats.read(zipped(members, document=DOCUMENT | {"recordings": recordings})).recordings
    kinds = [type(each) for each in read]
    most = kinds.index(Rejected)
    assert 0 < most < 20
    assert kinds == [Recording] * most + [Rejected] * (40 - most)
    assert all("too many batches or pages" in each.error["detail"] for each in read if isinstance(each, Rejected))
