"""Reading a large object piece by piece: what it held is compared with its digest before its end is handed out."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

import structlog

from konectom.errors import SealBroken

log = structlog.get_logger()


def require_digest(digest: str, found: str, size: int) -> None:
    """Raise :class:`SealBroken` unless the stored bytes, ``size`` of them, have the digest that names them."""
    if found != digest:
        log.error("object.damaged", digest=digest, size_bytes=size)
        raise SealBroken(f"the stored object {digest} is damaged; restore it from a backup")


def stream_of(digest: str, pieces: Iterator[bytes], close: Callable[[], None] = lambda: None) -> BinaryIO:
    """Return the pieces as one stream that is compared with ``digest``; ``close`` is called when it is closed."""
    return cast("BinaryIO", io.BufferedReader(_Pieces(_compared(digest, pieces), close)))


def _compared(digest: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the pieces, each when the next is there: the last only once all of them are known to be right."""
    told, size, held = hashlib.sha256(), 0, b""
    for piece in pieces:
        if held:
            yield held
        told.update(piece)
        held, size = piece, size + len(piece)
    require_digest(digest, told.hexdigest(), size)
    if held:
        yield held


class _Pieces(io.RawIOBase):
    """Pieces of bytes as a file that is read once."""

    def __init__(self, pieces: Iterator[bytes], close: Callable[[], None]) -> None:
        self._pieces, self._close, self._rest = pieces, close, memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill ``buffer`` as far as the present piece goes; 0 is the end."""
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """Give free what the pieces come from."""
        if not self.closed:
            self._close()
        super().close()
