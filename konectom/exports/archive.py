"""A ZIP archive that is handed on while it is being made, with the digest of each file in the last of them.

Nothing is written to a disk, and no more than one file's piece is in memory at a time. Sizes and checksums stand behind
each file (data descriptors, APPNOTE 4.3.9), since they are not known before.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import orjson

MANIFEST = "manifest.json"
OWNER_ONLY = 0o600 << 16
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first instant that an archive can tell."""


class Sink(io.RawIOBase):
    """A file that cannot be gone back in, and is handed on while it is being written."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        """Tell that it can be written."""
        return True

    def write(self, data: Any) -> int:
        """Keep a piece until it is handed on."""
        piece = bytes(data)
        self._pieces.append(piece)
        return len(piece)

    def drained(self) -> bytes:
        """Return what was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


class Archive:
    """A ZIP archive in the making. Each method yields the bytes that are ready."""

    def __init__(self, at: datetime) -> None:
        self._sink = Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED)  # it need not seek
        self._at = at.timetuple()[:6] if at.year >= EARLIEST[0] else EARLIEST
        self._files: list[dict[str, Any]] = []

    def add(self, name: str, content: bytes | Iterable[bytes], *, compress: bool = True) -> Iterator[bytes]:
        """Add a file; its content may come piece by piece."""
        about = zipfile.ZipInfo(name, self._at)
        about.external_attr = OWNER_ONLY
        about.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
        digest, size = hashlib.sha256(), 0
        with self._zip.open(about, "w", force_zip64=True) as file:
            for piece in [content] if isinstance(content, bytes) else content:
                digest.update(piece)
                size += len(piece)
                file.write(piece)
                yield self._sink.drained()
        self._files.append({"name": name, "size_bytes": size, "sha256": digest.hexdigest()})
        yield self._sink.drained()

    def add_json(self, name: str, value: Any) -> Iterator[bytes]:
        """Add a file of indented JSON."""
        yield from self.add(name, as_json(value))

    def end(self, about: dict[str, Any]) -> Iterator[bytes]:
        """Add the manifest, which tells ``about`` and the digest of each file before it, and end the archive."""
        yield from self.add_json(MANIFEST, about | {"files": self._files})
        self._zip.close()
        yield self._sink.drained()


def as_json(value: Any) -> bytes:
    """Return indented JSON, with a line end."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
