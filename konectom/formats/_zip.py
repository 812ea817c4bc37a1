"""ZIP archives read with care: the directory at their end first, and members only as it says.

Two readers of one archive must find the same in it. So the directory is the only truth and has to agree with what
stands before each member; members do not overlap, nothing stands twice, and every byte that comes out is counted.
Encrypted, split and ZIP64 archives, links, and other compressions than deflate are refused.

Source: PKWARE APPNOTE 6.3.10.
"""

from __future__ import annotations

import struct
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from konectom.errors import BodyDamaged, InflatedTooLarge, InflationRatioExceeded, MemberInvalid
from konectom.formats._limits import Limits
from konectom.formats._source import RATIO_FREE_BYTES, Source, Unpacking

MAGIC = b"PK\x03\x04"
MOST_MEMBERS = 10_000
MOST_DIRECTORY_BYTES = 4 * 1024 * 1024
LONGEST_NAME = 200
STEP_BYTES = 256 * 1024
STORED, DEFLATED = 0, 8
_END, _ENTRY, _LOCAL = struct.Struct("<4s4H2IH"), struct.Struct("<4s6H3I5H2I"), struct.Struct("<4s5H3I2H")
_LONGEST_END = _END.size + 0xFFFF
_ENCRYPTED, _STRONG, _UTF8, _MASKED = 1 << 0, 1 << 6, 1 << 11, 1 << 13
_UNIX, _KIND, _FILE = 3, 0o170000, 0o100000


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the archive, as the directory tells it. ``end`` is where the next one begins."""

    name: str
    raw_name: bytes
    method: int
    crc: int
    packed: int
    size: int
    start: int
    end: int


def directory(source: Source, limits: Limits) -> dict[str, Member]:
    """Return the members by their name; raises :class:`BodyDamaged` and what says that a limit is exceeded."""
    start, size, count = _end_of(source)
    if count > MOST_MEMBERS or size > MOST_DIRECTORY_BYTES:
        raise BodyDamaged(f"the archive has more than {MOST_MEMBERS} members, or very long names")
    entries = _entries(source.take(start, size), count)
    entries.sort(key=lambda each: each.start)
    found: dict[str, Member] = {}
    seen: set[str] = set()
    for each, end in zip(entries, [*(each.start for each in entries[1:]), start], strict=True):
        if each.start + _LOCAL.size + len(each.raw_name) + each.packed > end:
            raise BodyDamaged("members of the archive overlap")
        same = unicodedata.normalize("NFC", each.name).casefold()
        if same in seen:
            raise BodyDamaged(f"the archive has {each.name!r} twice")
        seen.add(same)
        _check_size(each, limits)
        found[each.name] = replace(each, end=end)
    if entries and entries[0].start:
        raise BodyDamaged("something stands before the first member of the archive")
    return {name: each for name, each in found.items() if not name.endswith("/")}


def _end_of(source: Source) -> tuple[int, int, int]:
    """Return where the directory begins, its size, and how many members it tells."""
    last = min(source.size, _LONGEST_END)
    tail = bytes(source.take(source.size - last, last))
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < _END.size:
        raise BodyDamaged("the archive is cut short: it has no directory")
    _, disk, first_disk, here, count, size, start, comment = _END.unpack_from(tail, place)
    if disk or first_disk or here != count:
        raise BodyDamaged("archives of several parts are not read")
    if len(tail) - place - _END.size != comment:
        raise BodyDamaged("something stands behind the directory of the archive")
    if start + size != source.size - last + place:
        raise BodyDamaged("the directory of the archive is not where it says, or is that of a ZIP64 archive")
    return start, size, count


def _entries(data: memoryview, count: int) -> list[Member]:
    found: list[Member] = []
    place = 0
    while place < len(data):
        if len(data) - place < _ENTRY.size:
            raise BodyDamaged("the directory of the archive is damaged")
        told = _ENTRY.unpack_from(data, place)
        made_by, flags, method, crc, packed, size = told[1], told[3], told[4], *told[7:10]
        lengths, disk, rights, start = told[10:13], told[13], told[15], told[16]
        raw = bytes(data[place + _ENTRY.size : place + _ENTRY.size + lengths[0]])
        place += _ENTRY.size + sum(lengths)
        if told[0] != b"PK\x01\x02" or disk or place > len(data) or len(found) == count:
            raise BodyDamaged("the directory of the archive is damaged")
        name = _name(raw, flags)
        if flags & (_ENCRYPTED | _STRONG | _MASKED):
            raise BodyDamaged(f"{name!r} is encrypted")
        if made_by >> 8 == _UNIX and (rights >> 16) & _KIND not in (0, _FILE) and not name.endswith("/"):
            raise BodyDamaged(f"{name!r} is a link or device")
        if method not in (STORED, DEFLATED) or (method == STORED and size != packed):
            raise BodyDamaged(f"{name!r} is compressed in a way that is not read; store it, or use deflate")
        if name.endswith("/") and size:
            raise BodyDamaged(f"{name!r} is a folder with contents")
        found.append(Member(name, raw, method, crc, packed, size, start, 0))
    if len(found) != count:
        raise BodyDamaged("the directory of the archive has fewer members than it tells")
    return found


def _name(raw: bytes, flags: int) -> str:
    try:
        name = raw.decode("utf-8" if flags & _UTF8 else "ascii")
    except UnicodeDecodeError:
        raise BodyDamaged("a name in the archive is neither ASCII nor marked as UTF-8") from None
    steps = name.removesuffix("/").split("/")
    if (
        not 0 < len(name) <= LONGEST_NAME
        or any(step in ("", ".", "..") for step in steps)
        or any(each in '\\:*?"<>|' or not each.isprintable() for each in name)
    ):
        raise BodyDamaged(f"{name[:40]!r} is no name for a member of an archive")
    return name


def _check_size(member: Member, limits: Limits) -> None:
    if member.size > limits.max_inflated_bytes:
        raise InflatedTooLarge(f"{member.name!r} has {member.size} bytes; at most {limits.max_inflated_bytes} are read")
    if member.size > max(RATIO_FREE_BYTES, member.packed * limits.max_inflation_ratio):
        raise InflationRatioExceeded(
            f"{member.name!r} inflates more than {limits.max_inflation_ratio} times; no recording does"
        )


def open_member(source: Source, member: Member, unpacking: Unpacking) -> Source:
    """Return a member's bytes; raises :class:`MemberInvalid` where they are not what the directory says.

    One that is stored as it is stays where it lies.
    """
    head = source.take(member.start, _LOCAL.size)
    told = _LOCAL.unpack(head)
    start = member.start + _LOCAL.size + told[9] + told[10]
    name = bytes(source.take(member.start + _LOCAL.size, told[9])) if start <= member.end else b""
    if told[0] != MAGIC or name != member.raw_name or told[3] != member.method or start + member.packed > member.end:
        raise MemberInvalid(f"{member.name!r} is not where the archive's directory says")
    packed = source.section(start, member.packed)
    crc = 0
    if member.method == STORED:
        for step in _steps(packed):
            crc = zlib.crc32(step, crc)
        whole = packed
    else:
        unpacking.take(member.size)
        inflated = _inflated(packed, member)
        crc, whole = zlib.crc32(inflated), Source(inflated)
    if crc != member.crc:
        raise MemberInvalid(f"{member.name!r} is damaged: its checksum is another")
    return whole


def _steps(source: Source) -> Iterator[memoryview]:
    for start in range(0, source.size, STEP_BYTES):
        yield source.take(start, min(STEP_BYTES, source.size - start))


def _inflated(packed: Source, member: Member) -> bytes:
    """Return what a member inflates to; stops as soon as that is more than it declares."""
    out = bytearray()
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for step in _steps(packed):
            waiting: bytes | memoryview = step
            while waiting and not inflater.eof:
                out += inflater.decompress(waiting, member.size - len(out) + 1)
                waiting = inflater.unconsumed_tail
                if len(out) > member.size:
                    raise MemberInvalid(f"{member.name!r} is longer than it says")
    except zlib.error as error:
        raise MemberInvalid(f"{member.name!r} is damaged: {error}") from None
    if not inflater.eof or inflater.unused_data or len(out) != member.size:
        raise MemberInvalid(f"{member.name!r} is shorter than it says, or something stands behind it")
    return bytes(out)
