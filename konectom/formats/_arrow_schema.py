"""The schema of Arrow data, as far as it is read here: flat columns and lists of numbers and texts.

Source: Arrow columnar format 1.5, Schema.fbs; what is not named here (dictionaries, extensions, structures, views,
decimals, times) is refused before anything of it is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from konectom.errors import BodyDamaged, ColumnInvalid
from konectom.formats._flatbuffers import BYTE as UNION
from konectom.formats._flatbuffers import INT, SHORT, Table

MOST_COLUMNS = 128
NOTHING = ""
"""Stands for the type of a column in which nothing is: as whoever writes it does not know what would be."""

MOST_ENTRIES = 100
EXTENSION = b"ARROW:extension:name"
_NULL, _INT, _FLOAT, _UTF8, _LIST, _LARGE_UTF8, _LARGE_LIST = 1, 2, 3, 5, 12, 20, 21
_TYPES = {1: "null", 4: "binary", 6: "bool", 13: "struct", 22: "run-end encoded", 24: "text view"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the NumPy type of its values (None: texts), of the offsets of texts and lists, and where it lies.

    ``lists`` is None where each row holds one value. ``node`` and ``buffer`` count from the batch's first.
    """

    name: str
    values: str | None
    offsets: str | None
    lists: str | None
    node: int
    buffer: int

    @property
    def value_node(self) -> int:
        """Where the values are counted."""
        return self.node + (self.lists is not None)

    @property
    def value_buffer(self) -> int:
        """Where the values' buffers begin: validity, offsets of texts, data."""
        return self.buffer + (2 if self.lists is not None else 0)

    @property
    def end(self) -> tuple[int, int]:
        """The node and the buffer after the last of this column."""
        buffers = {None: 3, NOTHING: 0}.get(self.values, 2)
        return self.value_node + 1, self.value_buffer + buffers


def columns_of(schema: Table) -> dict[str, Column]:
    """Return the columns in order; raises :class:`ColumnInvalid` for a type that is not read."""
    found: dict[str, Column] = {}
    node = buffer = 0
    for field in schema.tables(1, MOST_COLUMNS):
        name = field.text(0)
        if name in found:
            raise BodyDamaged(f"the column {name[:40]!r} is there twice")
        found[name] = _column(name, field, node, buffer)
        node, buffer = found[name].end
    return found


def metadata_of(schema: Table) -> dict[bytes, memoryview]:
    """Return the schema's own entries of metadata."""
    return {bytes(each.vector(0, 1)): each.vector(1, 1) for each in schema.tables(2, MOST_ENTRIES)}


def is_big_endian(schema: Table) -> bool:
    """Tell whether the numbers stand in the order of machines that are rare."""
    return schema.number(0, SHORT) != 0


def _column(name: str, field: Table, node: int, buffer: int) -> Column:
    kind = _kind(name, field)
    if kind in (_LIST, _LARGE_LIST):
        inner = list(field.tables(5, 1))
        if not inner:
            raise BodyDamaged(f"the lists of {name[:40]!r} hold nothing")
        values, offsets = _values(name, inner[0])
        return Column(name, values, offsets, "<i4" if kind == _LIST else "<i8", node, buffer)
    if kind == _NULL:
        return Column(name, NOTHING, None, None, node, buffer)
    values, offsets = _values(name, field)
    return Column(name, values, offsets, None, node, buffer)


def _kind(name: str, field: Table) -> int:
    if field.has(4) or any(each.vector(0, 1) == EXTENSION for each in field.tables(6, MOST_ENTRIES)):
        raise refused(name, "dictionary or extension")
    return field.number(2, UNION)


def _values(name: str, field: Table) -> tuple[str | None, str | None]:
    kind, about = _kind(name, field), field.table(3)
    if about is None:
        raise BodyDamaged(f"the type of {name[:40]!r} is not told")
    if kind in (_UTF8, _LARGE_UTF8):
        return None, "<i4" if kind == _UTF8 else "<i8"
    if kind == _INT:
        bits, signed = about.number(0, INT), about.number(1, UNION)
        if bits in (8, 16, 32, 64):
            return f"<{'i' if signed else 'u'}{bits // 8}", None
    if kind == _FLOAT and (precision := about.number(0, SHORT)) in (1, 2):
        return f"<f{4 * precision}", None
    raise refused(name, _TYPES.get(kind, "other"))


def refused(name: str, kind: str) -> ColumnInvalid:
    """Return the refusal of a column's type."""
    return ColumnInvalid(
        f"the column {name[:40]!r} is of a type that is not read here ({kind}); send float64, float32, integers or "
        "text, or lists of them"
    )
