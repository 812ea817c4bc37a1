"""FlatBuffers read with care: whatever stands in them, nothing outside of the bytes is looked at.

As much as the metadata of Arrow needs: tables, vectors, texts and numbers. Places only lead forwards, except from a
table to its layout, so that nothing is gone round in; how deep and how many is bounded by whoever reads.

Source: FlatBuffers internals (https://flatbuffers.dev/internals/).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from konectom.errors import BodyDamaged

_U8, _I8, _U16, _I16, _I32, _U32, _I64 = (struct.Struct(f"<{code}") for code in "BbHhiIq")
BYTE, SIGNED_BYTE, SHORT, INT, LONG = _U8, _I8, _I16, _I32, _I64


def _number(data: memoryview, place: int, form: struct.Struct) -> int:
    if not 0 <= place <= len(data) - form.size:
        raise BodyDamaged("the metadata lead beyond their end")
    value: int = form.unpack_from(data, place)[0]
    return value


class Table:
    """A table: its fields are found by their number; one that is not there has its default."""

    __slots__ = ("_data", "_layout", "_place", "_slots")

    def __init__(self, data: memoryview, place: int) -> None:
        self._data = data
        self._place = place
        self._layout = place - _number(data, place, _I32)
        self._slots = (_number(data, self._layout, _U16) - 4) // 2

    @classmethod
    def root(cls, data: memoryview) -> Table:
        """Return the table that the bytes begin with."""
        return cls(data, _number(data, 0, _U32))

    def _find(self, field: int) -> int:
        if field >= self._slots:
            return 0
        offset = _number(self._data, self._layout + 4 + 2 * field, _U16)
        return self._place + offset if offset else 0

    def number(self, field: int, form: struct.Struct, default: int = 0) -> int:
        """Return a number."""
        place = self._find(field)
        return _number(self._data, place, form) if place else default

    def table(self, field: int) -> Table | None:
        """Return a table within this one."""
        place = self._find(field)
        return Table(self._data, place + _number(self._data, place, _U32)) if place else None

    def has(self, field: int) -> bool:
        """Tell whether a field is there."""
        return bool(self._find(field))

    def vector(self, field: int, item_bytes: int) -> memoryview:
        """Return the items of a vector as they lie there, empty where there is none."""
        place = self._find(field)
        if not place:
            return self._data[:0]
        place += _number(self._data, place, _U32)
        length = _number(self._data, place, _U32) * item_bytes
        if length > len(self._data) - place - 4:
            raise BodyDamaged("the metadata lead beyond their end")
        return self._data[place + 4 : place + 4 + length]

    def tables(self, field: int, most: int) -> Iterator[Table]:
        """Yield the tables of a vector, of which there may be ``most``."""
        places = self.vector(field, 4)
        if len(places) > 4 * most:
            raise BodyDamaged(f"the metadata list {len(places) // 4} things where {most} are accepted")
        start = self._find(field)
        start += _number(self._data, start, _U32) + 4 if start else 0
        for index in range(len(places) // 4):
            yield Table(self._data, start + 4 * index + _number(self._data, start + 4 * index, _U32))

    def text(self, field: int) -> str:
        """Return a text, "" where there is none."""
        try:
            return str(self.vector(field, 1), "utf-8")
        except UnicodeDecodeError:
            raise BodyDamaged("a text in the metadata is not UTF-8") from None
