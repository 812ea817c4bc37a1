"""The pages of a Parquet column, looked through before they are decoded.

A page of a few bytes can declare two gigabytes, or a text that stands for a million others. What a page declares is
counted first, and so is what its encoding could make of it; what the footer says has to agree.

Source: parquet.thrift of Apache Parquet 2.11, "Encodings" of its format's description.
"""

from __future__ import annotations

from collections.abc import Iterable

from konectom.errors import BodyDamaged
from konectom.formats._parquet_footer import BYTE_ARRAY, WIDTHS, Chunk
from konectom.formats._source import Source, Unpacking
from konectom.formats._thrift import I32, Reader, Struct, inner, whole

HEADER_BYTES = (4096, 128 * 1024)
"""How much is looked at for the header of a page: little, or else what the longest takes."""

MOST_THINGS = 1000
_DATA, _INDEX, _DICTIONARY, _DATA_2 = range(4)
_PLAIN, _PLAIN_DICTIONARY, _RLE, _BIT_PACKED, _DELTA, _RLE_DICTIONARY, _SPLIT = 0, 2, 3, 4, 5, 8, 9
_OF_LEVELS = (_RLE, _BIT_PACKED)
_OF_TEXTS = (_PLAIN, _PLAIN_DICTIONARY, _RLE_DICTIONARY)
_OF_WHOLES = (*_OF_TEXTS, _RLE, _DELTA, _SPLIT)
_LEVEL_BYTES = 4


def look_through(source: Source, chunks: Iterable[Chunk], unpacking: Unpacking) -> None:
    """Count what the pages of these columns take; raises where that is too much, or they do not hold together."""
    for chunk in chunks:
        unpacking.block()
        values, unpacked, largest = _pages(source, chunk, unpacking)
        # Pages of numbers come and go; of texts, what they hold may stay as it is.
        held = unpacked if chunk.kind == BYTE_ARRAY else largest
        # Each value takes its width, and its levels: in which list it is, and whether it is there.
        unpacking.take(held + values * (WIDTHS[chunk.kind] + _LEVEL_BYTES), passing=unpacked - held)


def _pages(source: Source, chunk: Chunk, unpacking: Unpacking) -> tuple[int, int, int]:
    """Return how many values the pages of a column hold, the bytes that they unpack to, and those of the largest."""
    place, end = chunk.start, chunk.start + chunk.size
    values = unpacked = largest = 0
    boundary = False
    while place < end:
        unpacking.block()
        boundary = boundary or place == chunk.first_page
        told, header_bytes = _header(source, place, end)
        packed, size = whole(told, 3, I32), whole(told, 2, I32)
        place += header_bytes + packed
        if packed < 0 or size < 0 or place > end:
            raise BodyDamaged("a page of the Parquet file does not end where its column does")
        values += _values_in(told, size, chunk, first=values == 0 and unpacked == 0)
        unpacked += size
        largest = max(largest, size)
    if place != end or values != chunk.values or not boundary:
        raise BodyDamaged("the pages of a Parquet column do not hold what the footer says")
    return values, unpacked, largest


def _header(source: Source, place: int, end: int) -> tuple[Struct, int]:
    for most in HEADER_BYTES:
        reader = Reader(source.take(place, min(most, end - place)), MOST_THINGS)
        try:
            return reader.struct(), reader.place
        except BodyDamaged:
            if most >= min(HEADER_BYTES[-1], end - place):
                raise
    raise BodyDamaged("a page of the Parquet file has no header")


def _values_in(told: Struct, size: int, chunk: Chunk, *, first: bool) -> int:
    """Return how many values a page holds; those of a dictionary do not count."""
    kind = whole(told, 1, I32)
    if kind == _DICTIONARY:
        held = inner(told, 7)
        count = whole(held, 1, I32)
        if not first or whole(held, 2, I32) not in (_PLAIN, _PLAIN_DICTIONARY):
            raise BodyDamaged("a dictionary of the Parquet file is not where and as it should be")
        if not 0 <= count * WIDTHS[chunk.kind] <= size:
            raise BodyDamaged("a dictionary of the Parquet file is longer than its page")
        return 0
    if kind not in (_DATA, _DATA_2):
        raise BodyDamaged("a page of the Parquet file is of a kind that is not known")
    held = inner(told, 5 if kind == _DATA else 8)
    count, encoding = whole(held, 1, I32), whole(held, 2 if kind == _DATA else 4, I32)
    if kind == _DATA and not {whole(held, 3, I32), whole(held, 4, I32)} <= set(_OF_LEVELS):
        raise BodyDamaged("the levels of a page of the Parquet file are encoded in a way that is not read here")
    if count < 0 or encoding not in (_OF_TEXTS if chunk.kind == BYTE_ARRAY else _OF_WHOLES):
        raise BodyDamaged(f"the pages of {'.'.join(chunk.path)[:40]!r} are encoded in a way that is not read here")
    return count
