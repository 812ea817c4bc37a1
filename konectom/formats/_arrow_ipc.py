"""Arrow's stream and file, message by message: schema first, then batches, of which only the places are noted.

The file is the stream between a mark and a footer; it is read as the stream, so that nothing hides beside it. What is
read is bounded by the bytes that are there; dictionaries and anything after the end are refused.

Source: Arrow columnar format 1.5, Message.fbs, "Encapsulated message format" and "IPC file format".
"""

from __future__ import annotations

import struct

from konectom.errors import BodyDamaged
from konectom.formats._arrow_batch import Batch
from konectom.formats._arrow_schema import columns_of, is_big_endian, metadata_of
from konectom.formats._flatbuffers import BYTE, LONG, SHORT, Table
from konectom.formats._source import Source, Unpacking

FILE_MAGIC = b"ARROW1"
STREAM_MAGIC = b"\xff\xff\xff\xff"
MOST_BATCHES = 10_000
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3
_OLDEST_VERSION, _VERSION = 3, 4
_FOOTER_END = 4 + len(FILE_MAGIC)


class Arrow:
    """The columns and batches of Arrow data, and the metadata of their schema."""

    def __init__(self, source: Source, unpacking: Unpacking) -> None:
        self._source, self._unpacking = source, unpacking
        start, end = _stream_in(source)
        schema, start = self._message(start, end, _SCHEMA)
        if schema is None or is_big_endian(schema[0]):
            raise BodyDamaged("the Arrow data have no schema, or numbers in the order of rare machines")
        self.columns = columns_of(schema[0])
        self.metadata = metadata_of(schema[0])
        self.batches: list[Batch] = []
        while True:
            found, start = self._message(start, end, _BATCH)
            if found is None:
                break
            if len(self.batches) == MOST_BATCHES:
                raise BodyDamaged(f"the Arrow data have more than {MOST_BATCHES} batches")
            unpacking.block()
            self.batches.append(Batch(*found, self.columns, unpacking))
        if start != end:
            raise BodyDamaged("the Arrow data go on after their end mark")

    def _message(self, start: int, end: int, due: int) -> tuple[tuple[Table, Source] | None, int]:
        """Return the message that begins there and its body, None at the end mark; and where the next one begins."""
        mark, length = struct.unpack("<4si", self._piece(start, 8, end))
        if mark != STREAM_MAGIC or length < 0:
            raise BodyDamaged("an Arrow message does not begin with its mark")
        if not length:
            return None, start + 8
        message = Table.root(self._piece(start + 8, length, end))
        body = start + 8 + length
        body_bytes = message.number(3, LONG)
        if not 0 <= body_bytes <= end - body:
            raise BodyDamaged("an Arrow message is longer than the body")
        kind = message.number(1, BYTE)
        if kind == _DICTIONARY:
            raise BodyDamaged("dictionaries are not read")
        told = message.table(2)
        if kind != due or told is None or not _OLDEST_VERSION <= message.number(0, SHORT) <= _VERSION:
            raise BodyDamaged("an Arrow message is not of the kind or version that is due")
        return (told, self._source.section(body, body_bytes)), body + body_bytes

    def _piece(self, start: int, length: int, end: int) -> memoryview:
        if length > end - start:
            raise BodyDamaged("the Arrow data end before their end mark")
        if not self._source.in_memory:
            self._unpacking.take(length)
        return self._source.take(start, length)


def _stream_in(source: Source) -> tuple[int, int]:
    """Return where the stream begins and ends: in a file, between its mark and its footer."""
    if bytes(source.take(0, min(len(FILE_MAGIC), source.size))) != FILE_MAGIC:
        return 0, source.size
    if source.size < 8 + _FOOTER_END:
        raise BodyDamaged("the Arrow file is cut short")
    footer, mark = struct.unpack(f"<i{len(FILE_MAGIC)}s", source.take(source.size - _FOOTER_END, _FOOTER_END))
    if mark != FILE_MAGIC or not 0 <= footer <= source.size - 8 - _FOOTER_END:
        raise BodyDamaged("the Arrow file is cut short")
    return 8, source.size - _FOOTER_END - footer
