"""Bytes that are somewhere else, as a file that can be gone about in: what libraries want that read files of parts."""

from __future__ import annotations

import io
from abc import abstractmethod
from typing import Any, BinaryIO


class Seekable(io.RawIOBase):
    """A file of ``size`` bytes that is only read, of which :meth:`piece` gives what is at a place."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self._place = 0

    @abstractmethod
    def piece(self, place: int, most: int) -> bytes | memoryview:
        """Return some of the bytes from ``place`` on: at least one, and at most ``most``. There are some."""

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, and return it."""
        self._place = max(0, {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.size}[whence] + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` as far as one piece goes; 0 is the end."""
        most = min(len(buffer), self.size - self._place)
        if most <= 0:
            return 0
        found = self.piece(self._place, most)
        buffer[: len(found)] = found
        self._place += len(found)
        return len(found)


def read_whole(file: BinaryIO, size: int) -> bytes:
    """Read ``size`` bytes, or all that is left: one call of ``read`` may give fewer, as those of sockets do."""
    found = file.read(size)
    while 0 < len(found) < size and (more := file.read(size - len(found))):
        found += more
    return found
