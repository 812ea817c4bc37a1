"""The footer of a Parquet file: what it holds, and how much, before anything of it is decoded.

Source: parquet.thrift of Apache Parquet 2.11.
"""

from __future__ import annotations

from dataclasses import dataclass

from konectom.errors import BodyDamaged, ColumnInvalid
from konectom.formats._source import BYTES_A_THING, THINGS_A_BLOCK, Source, Unpacking
from konectom.formats._thrift import I32, I64, Reader, Struct, inner, listed, whole

MAGIC = b"PAR1"
MOST_FOOTER_BYTES = 32 * 1024 * 1024
MOST_THINGS = 200_000
MOST_COLUMNS = 128
MOST_ELEMENTS = 4 * MOST_COLUMNS
MOST_GROUPS = 10_000
BYTE_ARRAY = 6
WIDTHS = {1: 4, 2: 8, 4: 4, 5: 8, BYTE_ARRAY: 4}
"""Bytes of a decoded value by physical type; of texts, of the number that stands for each."""

CODECS = (0, 1, 2, 6, 7)
"""None, Snappy, gzip, Zstandard, LZ4."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A column in a row group: where its pages lie, and how many values they hold (one for each list at least)."""

    path: tuple[str, ...]
    kind: int
    values: int
    start: int
    first_page: int
    size: int


@dataclass(frozen=True, slots=True)
class Group:
    """A row group."""

    rows: int
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Footer:
    """What a Parquet file holds."""

    groups: tuple[Group, ...]
    metadata: dict[bytes, bytes]
    words: tuple[str, ...]
    """The columns of text by their path, as pyarrow calls them."""


def read_footer(source: Source, unpacking: Unpacking) -> Footer:
    """Return what the file says of itself; raises :class:`BodyDamaged`."""
    if source.size < 12 or bytes(source.take(0, 4)) != MAGIC or bytes(source.take(source.size - 4, 4)) != MAGIC:
        raise BodyDamaged("the Parquet file is cut short, or encrypted")
    length = int.from_bytes(source.take(source.size - 8, 4), "little")
    if length > min(source.size - 12, MOST_FOOTER_BYTES):
        raise BodyDamaged("the footer of the Parquet file is larger than it can be")
    unpacking.block()  # before the work: where there were too many, each of the recordings that follow ends here
    reader = Reader(source.take(source.size - 8 - length, length), MOST_THINGS)
    told = reader.struct()
    unpacking.take(reader.things * BYTES_A_THING)
    unpacking.block(reader.things // THINGS_A_BLOCK)
    if 8 in told or 9 in told:
        raise BodyDamaged("encrypted Parquet files are not read")
    elements, groups = listed(told, 2, Struct), listed(told, 4, Struct)
    if len(elements) > MOST_ELEMENTS or len(groups) > MOST_GROUPS:
        raise BodyDamaged("the Parquet file has more columns or row groups than are accepted")
    pairs = listed(told, 5, Struct)
    metadata = {each.get(1): each.get(2) for each in pairs}
    if len(metadata) < len(pairs) or not all(isinstance(held, bytes) for pair in metadata.items() for held in pair):
        raise BodyDamaged("an entry of the Parquet file's metadata is there twice, or is no text")
    found = tuple(_group(each, source.size - 8 - length) for each in groups)
    if sum(group.rows for group in found) != whole(told, 3, I64):
        raise BodyDamaged("the row groups have other rows than the Parquet file")
    words = {".".join(each.path) for group in found for each in group.chunks if each.kind == BYTE_ARRAY}
    return Footer(found, metadata, tuple(sorted(words)))


def _group(told: Struct, end: int) -> Group:
    columns, rows = listed(told, 1, Struct), whole(told, 3, I64)
    if len(columns) > MOST_COLUMNS or rows < 0:
        raise BodyDamaged(f"a row group has more than {MOST_COLUMNS} columns, or less than no rows")
    if not rows:
        return Group(0, ())  # nothing of it is looked at
    chunks = tuple(_chunk(each, end) for each in columns)
    for each in chunks:
        if each.values < rows:
            raise BodyDamaged("a column of the Parquet file has fewer values than rows")
    return Group(rows, chunks)


def _chunk(told: Struct, end: int) -> Chunk:
    if 1 in told or 8 in told or 9 in told:
        raise BodyDamaged("columns that are encrypted or lie in another file are not read")
    about = inner(told, 3)
    path = tuple(str(each, "utf-8", "replace") for each in listed(about, 3, bytes))
    kind, codec = whole(about, 1, I32), whole(about, 4, I32)
    if any("." in step for step in path):
        raise ColumnInvalid(f"the column {'.'.join(path)[:40]!r} has a dot in its name")  # nested ones have it too
    if kind not in WIDTHS or codec not in CODECS or not path:
        raise ColumnInvalid(
            f"the column {'.'.join(path)[:40]!r} is of a type or compression that is not read here; send numbers and "
            "text, plain or with Snappy, gzip, Zstandard or LZ4"
        )
    first_page, size = whole(about, 9, I64), whole(about, 7, I64)
    dictionary = whole(about, 11, I64, 0)
    start = dictionary if 0 < dictionary < first_page else first_page
    if not len(MAGIC) <= start <= first_page <= start + size <= end:
        raise BodyDamaged("a column of the Parquet file lies outside of it")
    return Chunk(path, kind, whole(about, 5, I64), start, first_page, size)
