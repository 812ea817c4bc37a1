"""Bodies that are wrong in every way that comes to mind, each by its number: real ones cut short, and damaged.

A document is damaged where it says something (a value of another kind, out of range, missing, repeated, much too deep
or too long), and its bytes are damaged after it was written: bits turned, stretches cut out, doubled or taken from
another, lengths and counts overwritten, compression cut or stacked.
"""

from __future__ import annotations

import copy
import gzip
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import zstandard

from konectom import formats
from konectom.simulate.carriers import as_archive, as_arrow, as_parquet
from konectom.simulate.cohort import QUANTITIES
from konectom.simulate.sessions import PHONE, SCHEMA, record

ROWS = 40
CHARACTERS = 3000
LARGEST = 400_000
"""Recordings above this size are not looked at: they would be cut to the same."""

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 0.5, -0.0, 1e-320, 1e300, -1e300, 2**31, 2**53 + 1, 2**63, -(2**63), 10**18),
    *("", " ", "0", "NaN", "walk", "\u0000", "\ud7ff\ufffd\U0001f9e0", "a" * 5000, "../../etc/passwd", "0000-00-00"),
    *("9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "Europe/Paris\u0000", "konectom.session/2"),
    *([], {}, [[]], [None], [1, "2"], {"": None}, [[[[[[[[]]]]]]]], list(range(300))),
)
RAW: tuple[bytes, ...] = (
    b"NaN",
    b"-Infinity",
    b"1e400",
    b"1" * 400,
    b"[" * 2000,
    b'{"a":' * 2000,
    b'"\\ud800"',
    b"\xff",
    b"1,",
)
"""What no JSON writer writes: put in place of a value after the document was written."""

MARK = "\u2603 here \u2603"
COUNTS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
COMPRESSIONS: dict[str | None, Callable[[bytes], bytes]] = {
    None: lambda body: body,
    "gzip": lambda body: gzip.compress(body, 1, mtime=0),
    "zstd": zstandard.ZstdCompressor().compress,
}


@dataclass(frozen=True)
class Base:
    """A body that is right: a document that is written as JSON, or bytes of a binary format."""

    name: str
    media_type: str
    document: Any = None
    write: Callable[[Any], bytes] = orjson.dumps


@dataclass(frozen=True)
class Body:
    """What is sent."""

    base: str
    media_type: str | None
    encoding: str | None
    data: bytes


def bases(shared: Path | None) -> list[Base]:
    """Return what is damaged: sessions of ours in each format, and Konectom's recordings, cut short."""
    found = [Base(f"session/1 {name}", "application/json", document) for name, document in ours().items()]
    for name, document in ours().items():
        for kind, write in (("arrow.stream", as_arrow), ("parquet", as_parquet), ("zip", as_archive)):
            media_type = "application/zip" if kind == "zip" else f"application/vnd.apache.{kind}"
            found.append(Base(f"{kind} {name}", media_type, document, write))
    if shared is not None:
        for path in sorted(shared.rglob("*.json*")):
            if path.stat().st_size <= LARGEST and (document := foreign(path)) is not None:
                found.append(Base(f"foreign {path.parent.name}/{path.name}", "application/json", document))
    return found


def ours() -> dict[str, Any]:
    """Return a small session for each kind of test that can be simulated."""
    made = {}
    for assessment in sorted({each.assessment for each in QUANTITIES}):
        recording = plain(record(assessment, {}, np.random.default_rng(1)))
        made[assessment] = {
            "schema": SCHEMA,
            "started_at": "2026-01-05T09:00:00+01:00",
            "time_zone": "Europe/Paris",
            "setting": "remote",
            "supervised": False,
            "device": PHONE,
            "recordings": [cut(recording), cut(recording)],
        }
    return made


def plain(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY))


def foreign(path: Path) -> Any:
    """Return a foreign document cut short, None for what is no session that we read."""
    data = path.read_bytes()
    try:
        document = cut(orjson.loads(gzip.decompress(data) if path.suffix == ".gz" else data))
        formats.read(orjson.dumps(document))
    except (ValueError, OSError, formats.FormatUnknown):
        return None
    except Exception:  # its samples are too few now, which is all the same here
        return document
    return document


def cut(value: Any) -> Any:
    """Return a document with long lists and texts cut."""
    if isinstance(value, dict):
        return {key: cut(each) for key, each in value.items()}
    if isinstance(value, list):
        return [cut(each) for each in value[:ROWS]]
    return value[:CHARACTERS] if isinstance(value, str) else value


def damaged(choose: random.Random, among: list[Base]) -> Body:
    """Return a body that is wrong in one to four ways (or, now and then, in none)."""
    base = choose.choice(among)
    document = copy.deepcopy(base.document)
    raw = None
    for _ in range(choose.choice((0, 1, 1, 1, 2, 3))):
        damage_document(choose, document)
    if base.write is orjson.dumps and choose.random() < 0.08:
        raw = choose.choice(RAW)
        replace_somewhere(choose, document, MARK)
    try:
        data = base.write(document)
    except Exception:  # what cannot be written is damaged as bytes only
        data = base.write(base.document)
    if raw is not None:
        data = data.replace(orjson.dumps(MARK), raw)
    if choose.random() < (0.35 if base.write is orjson.dumps else 0.8):
        data = damage_bytes(choose, data)
    encoding = choose.choice((None, "gzip", "zstd"))
    data = COMPRESSIONS[encoding](data)
    if choose.random() < 0.1:
        data = damage_bytes(choose, data)
    if choose.random() < 0.02:
        data = choose.choice(list(bombs().values()))
    media_type = base.media_type if choose.random() < 0.9 else choose.choice(among).media_type
    told = encoding if choose.random() < 0.9 else choose.choice((None, "gzip", "zstd", "br", "identity"))
    return Body(base.name, media_type, told, data)


def damage_document(choose: random.Random, document: Any) -> None:
    """Change one place of a document."""
    holder, key = somewhere(choose, document)
    if holder is None:
        return
    kind = choose.randrange(6)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    elif kind == 2 and isinstance(holder, dict):
        holder[choose.choice((key.upper(), f"{key}_", "", "t", "x", "streams", "recordings"))] = holder[key]
    elif kind == 3 and isinstance(holder[key], list) and holder[key]:
        choose.choice((holder[key].clear, holder[key].pop, holder[key].reverse))()
    elif kind == 4 and isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
        holder[key] = choose.choice((-1, 1e3, 1e-9, 1e12)) * holder[key]
    else:
        holder[key] = copy.deepcopy(choose.choice(ODD))


def replace_somewhere(choose: random.Random, document: Any, value: Any) -> None:
    holder, key = somewhere(choose, document)
    if holder is not None:
        holder[key] = value


def somewhere(choose: random.Random, document: Any) -> tuple[Any, Any]:
    """Return a container in the document and a key of it; places near the root come as often as deep ones."""
    holder, key, inner = None, None, document
    for _ in range(choose.randint(1, 8)):
        if not isinstance(inner, dict | list) or not inner:
            break
        holder = inner
        key = choose.choice(list(inner)) if isinstance(inner, dict) else choose.randrange(len(inner))
        inner = holder[key]
    return holder, key


def damage_bytes(choose: random.Random, data: bytes) -> bytes:
    """Change some bytes, near the ends more often than in the middle: there are the headers."""
    out = bytearray(data)
    for _ in range(choose.choice((1, 1, 1, 2, 4, 16))):
        if not out:
            break
        near = choose.choice((len(out), min(len(out), 600)))
        at = choose.randrange(near)
        at = at if choose.random() < 0.6 else len(out) - 1 - at
        kind = choose.randrange(7)
        if kind == 0:
            out[at] ^= 1 << choose.randrange(8)
        elif kind == 1:
            out[at] = choose.randrange(256)
        elif kind == 2:
            del out[at:]
        elif kind == 3:
            del out[at : at + choose.randint(1, 64)]
        elif kind == 4:
            out[at:at] = out[at : at + choose.randint(1, 64)]
        else:
            put = struct.pack("<Q", choose.choice(COUNTS))[: choose.choice((1, 2, 4, 8))]
            out[at : at + len(put)] = put if kind == 5 else put[::-1]
    return bytes(out)


_bombs: dict[str, bytes] = {}


def bombs() -> dict[str, bytes]:
    """Return small bodies that become large; made once."""
    if not _bombs:
        zeros = bytes(64 * 1024 * 1024)
        inner = gzip.compress(zeros, 9, mtime=0)
        wide = b'{"schema":"konectom.session/1","x":[' + b"0," * 20_000_000
        _bombs.update(
            {
                "gzip of zeros": inner,
                "gzip twice": gzip.compress(inner * 20, 9, mtime=0),
                "zstd that tells its size": zstandard.ZstdCompressor().compress(zeros),
                "zstd that does not": zstandard.ZstdCompressor(write_content_size=False).compress(zeros),
                "gzip of brackets": gzip.compress(b"[" * 30_000_000, 9, mtime=0),
                "gzip of a wide array": gzip.compress(wide, 9, mtime=0),
                "deflate without a head": zlib.compress(zeros, 9),
            }
        )
    return _bombs
