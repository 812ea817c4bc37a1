"""What every object store does: raw bytes, kept as they were received under their sha256, written once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

PIECE = 5 * 2**20
"""Bytes of a large object that are held in memory at once; the least that S3 takes as a part of an upload."""


class ObjectStore(Protocol):
    """Bytes by their sha256, in hexadecimal."""

    def put(self, digest: str, data: bytes) -> bool:
        """Keep ``data`` durably; tell whether it was new. An object of the wrong size is written again."""

    def put_file(self, digest: str, path: Path) -> bool:
        """Keep the bytes of a file durably, in bounded memory; tell whether they were new.

        Raises :class:`StoreUnavailable` where the file cannot be read, or does not hold what ``digest`` says; then
        nothing is kept.
        """

    def get(self, digest: str) -> bytes:
        """Return the bytes; raises :class:`NotFound`, or :class:`StoreUnavailable` where they are damaged."""

    def open(self, digest: str) -> BinaryIO:
        """Return a stream of the bytes, read once from the beginning in bounded memory; whoever asks closes it.

        Raises :class:`NotFound` at once; the read that would hand out the last bytes raises :class:`StoreUnavailable`
        where the object is damaged.
        """

    def exists(self, digest: str) -> bool:
        """Tell whether the object is kept here."""

    def delete(self, digest: str) -> None:
        """Remove the object, if it is here, durably. Only for one that nothing refers to, nor can come to refer to."""

    def written_before(self, instant: datetime, *, most: int | None = None) -> Iterator[str]:
        """Yield the digests of objects that were written before ``instant``; looks at about ``most`` objects.

        Each call begins somewhere else, so that many calls see all.
        """

    def ping(self) -> None:
        """Raise :class:`StoreUnavailable` unless objects can be written."""

    def room(self) -> int | None:
        """Return how many bytes are free, None where that is not to be known."""


def key_of(digest: str) -> str:
    """Return the name of an object below the root of a store; the same in every store."""
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise ValueError("a digest is 64 hexadecimal digits")
    return f"sha256/{digest[:2]}/{digest[2:4]}/{digest}"
