"""One batch of Arrow data, decoded as far as it is asked for: no length or offset is believed unchecked.

The length that a compressed buffer declares is counted before any memory is spent on it, and has to be what comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from konectom.errors import BodyDamaged, CompressionCorrupt
from konectom.formats._arrow_schema import Column
from konectom.formats._flatbuffers import LONG, SIGNED_BYTE, Table
from konectom.formats._held import Texts
from konectom.formats._source import Source, Unpacking
from konectom.recording import FloatArray

MOST_ROWS = 2**40
LZ4_FRAME, ZSTD = 0, 1
_NOT_PACKED = -1


class Batch:
    """A record batch: where its buffers lie, and those that were unpacked."""

    def __init__(self, told: Table, body: Source, columns: dict[str, Column], unpacking: Unpacking) -> None:
        self.rows = told.number(0, LONG)
        self._nodes = np.frombuffer(told.vector(1, 16), "<i8").reshape(-1, 2)
        self._buffers = np.frombuffer(told.vector(2, 16), "<i8").reshape(-1, 2)
        self._body, self._columns, self._unpacking = body, columns, unpacking
        self._codec = _codec(told.table(3))
        self._unpacked: dict[int, memoryview] = {}
        due = list(columns.values())[-1].end if columns else (0, 0)
        if (len(self._nodes), len(self._buffers)) != due or told.has(4):
            raise BodyDamaged("a batch has other buffers than its columns need")
        counts = self._nodes[:, 0]
        if not 0 <= self.rows <= MOST_ROWS or (counts < 0).any() or (counts > MOST_ROWS).any():
            raise BodyDamaged("a batch tells an impossible number of rows")

    def column(self, name: str) -> Values | Lists:
        """Return a column: its values, or the lists of them."""
        column = self._columns[name]
        self._unpacking.block()
        if self._nodes[column.node, 0] != self.rows:
            raise BodyDamaged(f"the column {name[:40]!r} has other rows than its batch")
        values = Values(self, column)
        return values if column.lists is None else Lists(self, column, values)

    def forget(self) -> None:
        """Let go of what was unpacked."""
        self._unpacked.clear()

    def count(self, node: int) -> int:
        """Return how many values there are."""
        return int(self._nodes[node, 0])

    def numbers(self, buffer: int, form: str, start: int, stop: int) -> NDArray[Any]:
        """Return numbers of a buffer, without a copy where they lie in memory."""
        width = int(form[2:])
        values = np.frombuffer(self._bytes(buffer, start * width, (stop - start) * width), form)
        return values if values.flags.aligned else values.copy()

    def there(self, node: int, buffer: int, start: int, stop: int) -> NDArray[np.bool_] | None:
        """Return which values are there, None where all are."""
        if not self._nodes[node, 1] or stop <= start:
            return None
        first = start // 8
        bits = np.frombuffer(self._bytes(buffer, first, (stop + 7) // 8 - first), np.uint8)
        there = np.unpackbits(bits, bitorder="little")[start - 8 * first : stop - 8 * first].view(np.bool_)
        return None if there.all() else there

    def texts(self, buffer: int, start: int, length: int) -> memoryview:
        """Return bytes of a buffer."""
        return self._bytes(buffer, start, length)

    def _bytes(self, buffer: int, start: int, length: int) -> memoryview:
        place, size = (int(number) for number in self._buffers[buffer])
        if self._codec is None or not size:
            if start + length > size:
                raise BodyDamaged("a column is longer than its buffer")
            if not self._body.in_memory:
                self._unpacking.take(length)
            return self._body.take(place + start, length)
        if buffer not in self._unpacked:
            self._unpacked[buffer] = self._unpack(self._body.take(place, size))
        whole = self._unpacked[buffer]
        if start + length > len(whole):
            raise BodyDamaged("a column is longer than its buffer")
        return whole[start : start + length]

    def _unpack(self, packed: memoryview) -> memoryview:
        if len(packed) < 8:
            raise BodyDamaged("a compressed buffer does not tell its length")
        length, packed = int.from_bytes(packed[:8], "little", signed=True), packed[8:]
        if length == _NOT_PACKED:
            return packed
        if length < 0:
            raise BodyDamaged("a compressed buffer tells an impossible length")
        self._unpacking.take(length)
        whole = _unzstd(packed, length) if self._codec == ZSTD else _unlz4(packed, length)
        if len(whole) != length:
            raise CompressionCorrupt(f"a compressed buffer gives {len(whole)} bytes, not the {length} that it tells")
        return whole


def _codec(told: Table | None) -> int | None:
    if told is None:
        return None
    codec = told.number(0, SIGNED_BYTE)
    if codec not in (LZ4_FRAME, ZSTD) or told.number(1, SIGNED_BYTE):
        raise BodyDamaged("a batch is compressed in a way that is not known")
    return codec


def _unzstd(packed: memoryview, length: int) -> memoryview:
    try:
        # Where a frame declares its length, that much is set aside for it whatever the limit is.
        if zstandard.get_frame_parameters(packed).content_size not in (length, zstandard.CONTENTSIZE_UNKNOWN):
            raise CompressionCorrupt(f"a compressed buffer is not of the {length} bytes that it tells")
        return memoryview(zstandard.ZstdDecompressor().decompress(packed, max_output_size=length))
    except zstandard.ZstdError as error:
        raise CompressionCorrupt(f"a compressed buffer is damaged: {error}") from None


def _unlz4(packed: memoryview, length: int) -> memoryview:
    import pyarrow as pa

    try:
        # As a stream, since the decoder of whole buffers leaves what it did not fill as it was in memory before.
        with pa.CompressedInputStream(pa.BufferReader(pa.py_buffer(packed)), "lz4") as stream:
            return memoryview(stream.read(length + 1))
    except (OSError, pa.ArrowException) as error:
        raise CompressionCorrupt(f"a compressed buffer is damaged: {str(error)[:200]}") from None


@dataclass(frozen=True)
class Values:
    """The values of a column in a batch: of its rows, or of the lists in them."""

    batch: Batch
    column: Column

    @property
    def worded(self) -> bool:
        """Tell whether they are texts."""
        return self.column.values is None

    def __len__(self) -> int:
        return self.batch.count(self.column.value_node)

    def there(self, start: int, stop: int) -> NDArray[np.bool_] | None:
        """Return which values are there, None where all are."""
        return self.batch.there(self.column.value_node, self.column.value_buffer, start, stop)

    def raw(self, start: int, stop: int) -> NDArray[Any]:
        """Return numbers as they came, and anything where one is missing."""
        return self.batch.numbers(self.column.value_buffer + 1, self.column.values or "", start, stop)

    def numbers(self, start: int, stop: int) -> FloatArray:
        """Return numbers, NaN where one is missing."""
        values = self.raw(start, stop).astype(np.float64, copy=False)
        there = self.there(start, stop)
        return values if there is None else np.where(there, values, np.nan)

    def texts(self, start: int, stop: int) -> Texts:
        """Return texts, None where one is missing."""
        if stop <= start:
            return []
        buffer = self.column.value_buffer
        ends = self.batch.numbers(buffer + 1, self.column.offsets or "", start, stop + 1)
        _check_offsets(ends)
        first = int(ends[0])
        held = bytes(self.batch.texts(buffer + 2, first, int(ends[-1]) - first))
        places = (ends - first).tolist()
        try:
            if held.isascii():
                whole = held.decode("ascii")
                found: Texts = [whole[a:b] for a, b in pairwise(places)]
            else:
                found = [held[a:b].decode() for a, b in pairwise(places)]
        except UnicodeDecodeError:
            raise BodyDamaged(f"a text of {self.column.name[:40]!r} is not UTF-8") from None
        there = self.there(start, stop)
        return found if there is None else [text if kept else None for text, kept in zip(found, there, strict=True)]

    def piece(self, start: int, stop: int) -> Stretch:
        """Return values that follow each other."""
        return Stretch(self, start, stop)


@dataclass(frozen=True)
class Lists:
    """Lists of values, one in each row of a batch."""

    batch: Batch
    column: Column
    values: Values

    @cached_property
    def _ends(self) -> NDArray[Any]:
        if not self.batch.rows:
            return np.zeros(1, np.int64)
        ends = self.batch.numbers(self.column.buffer + 1, self.column.lists or "", 0, self.batch.rows + 1)
        _check_offsets(ends)
        if ends[-1] > len(self.values):
            raise BodyDamaged(f"the lists of {self.column.name[:40]!r} lead beyond their values")
        return ends

    @cached_property
    def _there(self) -> NDArray[np.bool_] | None:
        return self.batch.there(self.column.node, self.column.buffer, 0, self.batch.rows)

    def row(self, row: int) -> Stretch | None:
        """Return the values in a row, None where there is no list."""
        if self._there is not None and not self._there[row]:
            return None
        return Stretch(self.values, int(self._ends[row]), int(self._ends[row + 1]))


def _check_offsets(ends: NDArray[Any]) -> None:
    if ends[0] < 0 or (ends[1:] < ends[:-1]).any():
        raise BodyDamaged("the lists or texts of a column end before they begin")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Values of a column that follow each other (:class:`~konectom.formats._held.Piece`)."""

    values: Values
    start: int
    stop: int

    @property
    def worded(self) -> bool:
        """Tell whether they are texts."""
        return self.values.worded

    def __len__(self) -> int:
        return self.stop - self.start

    def numbers(self) -> FloatArray:
        """Return the numbers."""
        return self.values.numbers(self.start, self.stop)

    def texts(self) -> Texts:
        """Return the texts."""
        return self.values.texts(self.start, self.stop)
