"""What is read in pieces: a body in memory, of which no copy is made, or a file that can be gone about in."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

from konectom.errors import BodyDamaged, InflatedTooLarge, InflationRatioExceeded
from konectom.formats._limits import MEBIBYTE, Limits
from konectom.seekable import Seekable, read_whole

Body = bytes | bytearray | memoryview
RATIO_FREE_BYTES = MEBIBYTE
"""Below this size a high ratio does no harm: short bodies of repeated text reach it honestly."""


class Source:
    """A stretch of bytes, in memory or in a file, whose places are counted from its begin."""

    def __init__(self, held: Body | BinaryIO, start: int = 0, size: int | None = None) -> None:
        self._memory = memoryview(held) if isinstance(held, Body) else None
        self._held = held
        self._start = start
        self.size = self._whole() if size is None else size

    @property
    def in_memory(self) -> bool:
        """Tell whether taking a piece costs no memory."""
        return self._memory is not None

    def _whole(self) -> int:
        return self._held.seek(0, io.SEEK_END) if self._memory is None else len(self._memory)  # type: ignore[union-attr]

    def take(self, start: int, length: int) -> memoryview:
        """Return a piece; raises :class:`BodyDamaged` where it is not inside."""
        if not 0 <= start <= start + length <= self.size:
            raise BodyDamaged(f"{length} bytes are due at {start}, beyond the end at {self.size}")
        if self._memory is not None:
            return self._memory[self._start + start : self._start + start + length]
        file: Any = self._held
        file.seek(self._start + start)
        piece = read_whole(file, length)
        if len(piece) < length:
            raise BodyDamaged("the file has become shorter while it was read")
        return memoryview(piece)

    def whole(self) -> bytes:
        """Return all of it, without a copy where it is bytes already."""
        if isinstance(self._held, bytes) and len(self._held) == self.size:
            return self._held
        return bytes(self.take(0, self.size))

    def section(self, start: int, length: int) -> Source:
        """Return a stretch of this one."""
        if not 0 <= start <= start + length <= self.size:
            raise BodyDamaged(f"{length} bytes are due at {start}, beyond the end at {self.size}")
        return Source(self._held, self._start + start, length)

    def file(self) -> io.RawIOBase:
        """Return the stretch as a file of its own."""
        return _Window(self)


class _Window(Seekable):
    def __init__(self, source: Source) -> None:
        super().__init__(source.size)
        self._source = source

    def piece(self, place: int, most: int) -> memoryview:
        return self._source.take(place, most)


BYTES_A_THING = 64
"""What a thing in metadata counts in memory, however short it is in the body."""

MOST_BLOCKS, BYTES_A_BLOCK = 20_000, 2048
"""How many batches, pages and columns of one are read: so many of any body, and one more for so many bytes of it.

Each takes some 40 microseconds, however little it holds: without a limit, a small body of blocks that hold nothing
would take longer than the largest that is full.
"""

THINGS_A_BLOCK = 16
"""So many things in metadata take as long as a block."""


class Unpacking:
    """How many bytes may still be unpacked: at once, and in all for a body of this size.

    The first bounds memory and the second work, so that only the first starts anew with :meth:`anew`. How many
    :meth:`blocks <block>` are read is bounded in all, too.
    """

    def __init__(self, limits: Limits, packed_bytes: int) -> None:
        self._most = limits.max_inflated_bytes
        self._ratio = limits.max_inflation_ratio
        self._most_ever = max(RATIO_FREE_BYTES, packed_bytes * limits.max_inflation_ratio)
        self._now = self._ever = 0
        self._blocks = MOST_BLOCKS + packed_bytes // BYTES_A_BLOCK

    def block(self, count: int = 1) -> None:
        """Count a batch, a page, or a column of one; raises :class:`BodyDamaged` where there are too many."""
        self._blocks -= count
        if self._blocks < 0:
            raise BodyDamaged("the tables are cut into too many batches or pages; write more rows into each")

    def take(self, size: int, passing: int = 0) -> None:
        """Count bytes that are about to be unpacked; raises where there may not be so many.

        Those that are ``passing`` are in memory for a moment only, and cost no more than their time.
        """
        self._now += size
        self._ever += size + passing
        if self._now > self._most:
            raise InflatedTooLarge(f"what is unpacked takes more than {self._most} bytes")
        if self._ever > self._most_ever:
            raise InflationRatioExceeded(f"what is unpacked takes more than {self._ratio} times the body's bytes")

    def anew(self) -> None:
        """Forget what was unpacked: it is in memory no more."""
        self._now = 0
