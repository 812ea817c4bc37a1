"""Thrift's compact protocol read with care: as much as Parquet writes, and no more things than are accepted.

A few bytes can stand for a large structure in whoever reads them at ease, so that they are counted here first.

Source: Apache Thrift, thrift-compact-protocol.md.
"""

from __future__ import annotations

import struct
from typing import Any

from konectom.errors import BodyDamaged

DEEPEST = 12
MOST_FIELD = 2**15 - 1
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)

I32, I64 = _I32, _I64


class Struct(dict[int, Any]):
    """The fields of a structure by their number, and of which kind each is."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: dict[int, int] = {}


class Reader:
    """Reads structures one after the other: fields by their number, texts as bytes."""

    def __init__(self, data: memoryview, most_things: int) -> None:
        self._data = data
        self._most = most_things
        self.things = 0
        self.place = 0

    def struct(self, depth: int = 0) -> Struct:
        """Return the structure that begins here; raises :class:`BodyDamaged`."""
        if depth > DEEPEST:
            raise BodyDamaged("the metadata are nested too deeply")
        found = Struct()
        number = 0
        while head := self._byte():
            self._count()
            number = number + (head >> 4) if head >> 4 else self._signed()
            if number in found or not 0 < number <= MOST_FIELD:
                raise BodyDamaged("the metadata tell a field twice, or one that cannot be")
            found.kinds[number] = head & 15
            found[number] = self._value(head & 15, depth, within_list=False)
        return found

    def _value(self, kind: int, depth: int, *, within_list: bool) -> Any:
        if kind in (_TRUE, _FALSE):
            return self._byte() == _TRUE if within_list else kind == _TRUE
        if kind in (_I16, _I32, _I64):
            return self._signed()
        if kind == _BINARY:
            return self._take(self._unsigned())
        if kind == _LIST:
            return self._list(depth)
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind == _BYTE:
            return self._byte()
        if kind == _DOUBLE:
            return struct.unpack("<d", self._take(8))[0]
        raise BodyDamaged("the metadata hold something of a kind that Parquet does not have")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        length = head >> 4 if head >> 4 < 15 else self._unsigned()
        self._count(length)
        return [self._value(head & 15, depth, within_list=True) for _ in range(length)]

    def _count(self, things: int = 1) -> None:
        self.things += things
        if self.things > self._most:
            raise BodyDamaged("the metadata hold more things than are accepted")

    def _byte(self) -> int:
        if self.place >= len(self._data):
            raise BodyDamaged("the metadata end too early")
        self.place += 1
        return self._data[self.place - 1]

    def _take(self, length: int) -> bytes:
        if length > len(self._data) - self.place:
            raise BodyDamaged("the metadata end too early")
        self.place += length
        return bytes(self._data[self.place - length : self.place])

    def _unsigned(self) -> int:
        value = shift = 0
        while shift < 64:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128 and value < 2**64:
                return value
            shift += 7
        raise BodyDamaged("a number in the metadata is too long")

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)


def whole(told: Struct, field: int, kind: int, default: int | None = None) -> int:
    """Return a field that is a whole number of this kind.

    Other readers skip a field of another kind, and cut a number that is too long: those are refused here, so that
    nobody reads something else than was checked.
    """
    value = told.get(field, default)
    if value is None or (field in told and told.kinds[field] != kind):
        raise BodyDamaged("a number is missing in the metadata, or of another kind")
    if kind == I32 and not -(2**31) <= value < 2**31:
        raise BodyDamaged("a number in the metadata is too large")
    return int(value)


def inner(told: Struct, field: int) -> Struct:
    """Return a field that is a structure."""
    value = told.get(field)
    if not isinstance(value, Struct):
        raise BodyDamaged("a structure is missing in the metadata")
    return value


def listed(told: Struct, field: int, kind: type) -> list[Any]:
    """Return a field that is a list of things of one kind, empty where it is not there."""
    value = told.get(field, [])
    if not isinstance(value, list) or not all(isinstance(each, kind) for each in value):
        raise BodyDamaged("a list is missing in the metadata")
    return value
