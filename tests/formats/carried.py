"""One session in every form that carries it, sessions drawn at random, and damage done to bytes."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from hypothesis import strategies as st

from konectom import formats
from konectom.errors import KonectomError
from konectom.recording import Recording, Rejected, Session
from konectom.simulate.carriers import as_archive, as_arrow, as_parquet
from konectom.workflows.consent.data_types import data_types_of

ARROW: dict[str, Callable[[Any], bytes]] = {
    "stream": partial(as_arrow, compression=None),
    "stream lz4": partial(as_arrow, compression="lz4"),
    "stream zstd": partial(as_arrow, compression="zstd"),
    "file": partial(as_arrow, compression=None, file=True),
}
PARQUET: dict[str, Callable[[Any], bytes]] = {
    f"parquet {name}": partial(as_parquet, compression=name) for name in ("none", "snappy", "gzip", "zstd", "lz4")
}
ARCHIVE: dict[str, Callable[[Any], bytes]] = {
    "archive": as_archive,
    "archive arrow": partial(as_archive, member="arrow", deflate=True),
}
FORMS = ARROW | PARQUET | ARCHIVE

SENSORS = {"accelerometer": ("m/s2", "g"), "gyroscope": ("rad/s", "deg/s"), "magnetometer": ("T", "uT"), "gps": ("m",)}


def json_of(session: Any) -> bytes:
    return orjson.dumps(session)


def told(session: Session) -> tuple[Any, ...]:
    """Return what a session tells of itself, without its recordings."""
    return session.format, session.started_at, session.time_zone, session.setting, session.supervised, session.device


def same_arrays(first: Any, second: Any) -> None:
    assert first.dtype == second.dtype
    assert first.tobytes() == second.tobytes()


def same_recording(first: Recording | Rejected, second: Recording | Rejected) -> None:
    """Check that two recordings are the same, to the last bit."""
    if isinstance(first, Rejected) or isinstance(second, Rejected):
        assert first == second
        return
    for name in ("assessment", "condition", "offset_s", "duration_s", "finished", "interruption", "device", "beside"):
        assert getattr(first, name) == getattr(second, name)
    assert len(first.parts) == len(second.parts)
    for one, other in zip(first.parts, second.parts, strict=True):
        for name in ("condition", "start_s", "duration_s", "answers", "defects"):
            assert getattr(one, name) == getattr(other, name)
        for ours, theirs in ((one.streams, other.streams), (one.events, other.events)):
            assert list(ours) == list(theirs)
            for name, stream in ours.items():
                assert stream.units == theirs[name].units
                assert list(stream.columns) == list(theirs[name].columns)
                same_arrays(stream.t_s, theirs[name].t_s)
                for column, values in stream.columns.items():
                    same_arrays(values, theirs[name][column])


def same_session(first: Session, second: Session) -> None:
    assert told(first) == told(second)
    for one, other in zip(first.recordings, second.recordings, strict=True):
        same_recording(one, other)


def outline_covers(body: Any, limits: formats.Limits | None = None) -> Session | None:
    """Check what an outline owes to whoever reads on; return the session that was read, if it could be."""
    try:
        read = formats.read(body, limits=limits)
    except KonectomError:
        read = None
    try:
        outlined = formats.outline(body, limits=limits)
    except KonectomError:
        assert read is None, "an outline refuses what can be read"
        return None
    if read is None:
        return None
    assert told(outlined) == told(read)
    for ours, theirs in zip(outlined.recordings, read.recordings, strict=True):
        assert data_types_of(ours) >= data_types_of(theirs)
        if isinstance(ours, Rejected):
            assert isinstance(theirs, Rejected)
        elif isinstance(theirs, Recording):
            for name in ("assessment", "condition", "offset_s", "duration_s", "finished", "device"):
                assert getattr(ours, name) == getattr(theirs, name)
            carried = {name for part in theirs.parts for name in part.streams}
            assert carried <= ours.beside | {name for part in ours.parts for name in part.streams}
    return read


numbers = st.one_of(
    st.none(),
    st.floats(-1e6, 1e6),
    st.integers(-(2**53), 2**53),
    st.sampled_from([0, 1, -0.0, 1e99, 5e-324, 2**62, 1e101]),
)


@st.composite
def streams(draw: Any) -> dict[str, Any]:
    """Streams of which some are wrong somewhere."""
    found: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from([*SENSORS, "touch", "barometer"]), unique=True, max_size=3)):
        rows = draw(st.integers(0, 6))
        units = SENSORS.get(name, ("pt", "mm"))
        stream: dict[str, Any] = {"unit": draw(st.sampled_from([*units, *units, "mile"]))}
        if draw(st.booleans()):
            stream["t"] = sorted(draw(st.lists(st.floats(0, 1e3), min_size=rows, max_size=rows)))
        else:
            stream |= {"rate_hz": draw(st.sampled_from([50, 99.5])), "t0": draw(st.sampled_from([0, 0.25]))}
        for column in ("x", "y", "z") if name in ("accelerometer", "gyroscope", "magnetometer") else ("x", "y"):
            stream[column] = draw(st.lists(numbers, min_size=rows, max_size=rows))
        if name == "touch":
            words = st.sampled_from(["down", "move", "up", None, "down", "up"])
            stream["phase"] = draw(st.lists(words, min_size=rows, max_size=rows))
            stream["finger"] = draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows))
        harm = draw(st.sampled_from(["", "", "", "leave out", "shorten", "texts", "truth"]))
        column = draw(st.sampled_from(sorted(stream)))
        if harm == "leave out":
            del stream[column]
        elif harm == "shorten" and isinstance(stream[column], list):
            stream[column] = stream[column][:-1]
        elif harm in ("texts", "truth"):
            stream["x"] = ["up" if harm == "texts" else True] * rows
        found[name] = stream
    return found


@st.composite
def sessions(draw: Any) -> dict[str, Any]:
    """Sessions of konectom.session/1, some recordings of which are rejected."""
    recordings = []
    for _ in range(draw(st.integers(1, 3))):
        recording: dict[str, Any] = {"assessment": draw(st.sampled_from(["walk", "tap", "no_such_test"]))}
        recording |= {"condition": {"hand": "left"}, "offset_s": draw(st.sampled_from([0, 12.5])), "duration_s": 30}
        recording["events"] = [{"type": "tap", "t": 0.1, "zone": "left"}] * draw(st.integers(0, 2))
        if draw(st.booleans()):
            recording["streams"] = draw(streams())
        else:
            del recording["events"]
            counts = range(draw(st.integers(1, 2)))
            recording["parts"] = [{"start_s": part, "streams": draw(streams())} for part in counts]
        if draw(st.sampled_from([False, False, False, True])):
            recording["completion"] = "maybe"
        recordings.append(recording)
    return {
        "schema": "konectom.session/1",
        "started_at": "2026-11-21T09:12:03.250+01:00",
        "time_zone": "Europe/Paris",
        "device": {"platform": "ios"},
        "recordings": recordings,
    }


WHOLE = [
    *(struct.pack("<i", number) for number in (0, 1, -1, -(2**31), 2**31 - 1, 2**30, 255)),
    *(struct.pack("<q", number) for number in (0, 1, -1, -(2**63), 2**63 - 1, 2**40, 2**31)),
    *(b"\xff\xff\xff\xff\x0f", b"\xfe\xff\xff\xff\x0f", b"\x00", b"\x80", b"\xff", b"\x7f"),
]


def damaged(body: bytes, dice: random.Random) -> bytes:
    """Return the bytes with a few of them changed, left out, doubled or moved."""
    out = bytearray(body)
    for _ in range(dice.choice((1, 1, 1, 2, 3, 8))):
        if not out:
            break
        # Half of the damage is done near an end, where formats keep what leads to everything else.
        near = dice.choice((len(out), min(len(out), 600)))
        at = dice.randrange(near) if dice.random() < 0.5 else len(out) - 1 - dice.randrange(near)
        how = dice.random()
        if how < 0.35:
            out[at] ^= 1 << dice.randrange(8)
        elif how < 0.5:
            out[at] = dice.randrange(256)
        elif how < 0.8:
            new = dice.choice(WHOLE)
            out[at : at + len(new)] = new
        elif how < 0.87:
            del out[at : at + dice.choice((1, 4, 8, 64))]
        elif how < 0.94:
            other = dice.randrange(len(out))
            out[at:at] = out[other : other + dice.choice((1, 4, 8, 64))]
        else:
            del out[at:]
    return bytes(out)


@contextmanager
def arrow_memory() -> Iterator[pa.MemoryPool]:
    """Count what Arrow allocates meanwhile."""
    before = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(before)
    pa.set_memory_pool(pool)
    try:
        yield pool
    finally:
        pa.set_memory_pool(before)


def plain(session: Any) -> np.ndarray:
    """Return the first column of the first recording of a session."""
    (first, *_) = session.recordings
    assert isinstance(first, Recording), first
    return first.parts[0].streams["accelerometer"]["x"]
