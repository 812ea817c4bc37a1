"""A multipart body (RFC 2046, section 5.1) taken apart as it comes, exact to the byte.

The digest of a session is that of its bytes, so that one byte too many makes it another. werkzeug's decoder gives the
part before a last boundary of which the end comes with the next piece a carriage return too much.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from werkzeug.http import parse_options_header

from konectom.errors import BatchInvalid

END_OF_LINE, END_OF_HEAD, END = b"\r\n", b"\r\n\r\n", b"--"
HEAD_BYTES = 8 * 1024
"""Longest head of a part: its headers are three."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a body, in its place: its name, how it was declared, and its bytes; None: they are too many."""

    index: int
    name: str | None
    media_type: str | None
    encoding: str | None
    body: bytes | None


def parts(pieces: Iterator[bytes], boundary: bytes, max_part_bytes: int) -> Iterator[Part]:
    """Yield the parts of a body, each as soon as the boundary behind it has come.

    Of the body no more is held than one part, and of one that is too large only its length. Raises
    :class:`BatchInvalid` where the parts cannot be told apart, or the last boundary is missing.
    """
    reader = _Reader(pieces, END_OF_LINE + END + boundary)
    for _ in reader.before_boundary():
        pass  # a preamble is for people
    index = 0
    while not reader.at_end():
        head = _headers(reader.head())
        body, length = bytearray(), 0
        for some in reader.before_boundary():
            length += len(some)
            if length <= max_part_bytes:
                body += some
            else:
                body.clear()
        media_type, _ = parse_options_header(head.get("content-type"))
        _, disposition = parse_options_header(head.get("content-disposition"))
        whole = bytes(body) if length <= max_part_bytes else None
        yield Part(
            index, disposition.get("name"), media_type.lower() or None, head.get("content-encoding") or None, whole
        )
        index += 1
    for _ in reader.rest():
        pass  # an epilogue too; but it must have come


class _Reader:
    """What has come of the body and was not taken yet."""

    def __init__(self, pieces: Iterator[bytes], delimiter: bytes) -> None:
        self.pieces, self.delimiter = pieces, delimiter
        self.held = bytearray(END_OF_LINE)  # the first boundary may stand at the very beginning

    def before_boundary(self) -> Iterator[bytes]:
        """Yield what stands before the next boundary, and step behind that."""
        while (found := self.held.find(self.delimiter)) < 0:
            sure = max(0, len(self.held) - len(self.delimiter) + 1)
            yield self._take(sure)
            self._more()
        yield self._take(found)
        self._take(len(self.delimiter))

    def at_end(self) -> bool:
        """Tell whether the boundary was the last; step behind its line where it was not."""
        while len(self.held) < len(END):
            self._more()
        if self.held.startswith(END):
            return True
        if self._until(END_OF_LINE).strip(b" \t"):
            raise BatchInvalid("a boundary stands within a line")
        return False

    def head(self) -> bytes:
        """Return the head of a part, and step behind the empty line that ends it."""
        if self._starts_with(END_OF_LINE):
            self._take(len(END_OF_LINE))
            return b""
        return self._until(END_OF_HEAD)

    def rest(self) -> Iterator[bytes]:
        """Yield all that is still to come."""
        self.held.clear()
        yield from self.pieces

    def _until(self, mark: bytes) -> bytes:
        while (found := self.held.find(mark)) < 0:
            if len(self.held) > HEAD_BYTES:
                raise BatchInvalid(f"the head of a part has more than {HEAD_BYTES} bytes")
            self._more()
        taken = self._take(found)
        self._take(len(mark))
        return taken

    def _starts_with(self, mark: bytes) -> bool:
        while len(self.held) < len(mark):
            self._more()
        return self.held.startswith(mark)

    def _take(self, length: int) -> bytes:
        taken = bytes(self.held[:length])
        del self.held[:length]
        return taken

    def _more(self) -> None:
        piece = next(self.pieces, None)
        if piece is None:
            raise BatchInvalid("the body ends before its last boundary")
        self.held += piece


def _headers(head: bytes) -> dict[str, str]:
    told: dict[str, str] = {}
    for line in head.split(END_OF_LINE) if head else ():
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not name or name != name.strip():
            raise BatchInvalid("a header of a part is none")
        told[name.lower()] = value.strip()
    return told
