"""Rows of any table as they are stored, read from one kind of database so that another keeps the very same.

What the models would make of a value is passed over where that could lose something or takes long: a JSON text is
carried as the text that it is, a vector as its bytes, an id as its digits. Nothing here names a table: all follows from
the models' metadata.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from math import isfinite
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    BindParameter,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Float,
    Insert,
    LargeBinary,
    Select,
    Table,
    Text,
    TypeDecorator,
    Uuid,
    bindparam,
    cast,
    column,
    func,
    insert,
    select,
    table,
    tuple_,
)
from sqlalchemy.schema import sort_tables_and_constraints
from sqlalchemy.types import TypeEngine

from konectom.storage.models import Base

FETCHED = 100
"""Rows that are fetched at once: some (of the catalogue) are hundreds of kilobytes."""

BATCH_ROWS = 1000
BATCH_BYTES = 4 * 1024 * 1024
"""A batch ends at the first of these, so that memory does not grow with the table."""

Row = tuple[Any, ...]


def every_table() -> list[Table]:
    """Return all tables of the models, each after those to which it refers, as far as there is such an order."""
    ordered = sort_tables_and_constraints(Base.metadata.tables.values())  # type: ignore[no-untyped-call]
    return [each for each, _ in ordered if each is not None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How the rows of one table are read and written on one kind of database, and written down for their digest."""

    name: str
    dialect: str
    columns: tuple[str, ...]
    reading: Select[Any]
    writing: Insert
    key: tuple[int, ...]
    key_columns: tuple[ColumnElement[Any], ...]
    key_types: tuple[TypeEngine[Any], ...]
    fractions: tuple[int, ...]
    blobs: tuple[int, ...]

    def read(self, connection: Connection, after: Sequence[Any] | None = None) -> Iterator[Row]:
        """Yield the rows in the order of their keys, as they come; only those ``after`` a key where one is given."""
        statement = self.reading
        if after is not None:
            marks = [BindParameter[Any](f"after_{at}", value) for at, value in enumerate(after)]
            bound = (_bound(mark, type_, self.dialect) for mark, type_ in zip(marks, self.key_types, strict=True))
            statement = statement.where(tuple_(*self.key_columns) > tuple_(*bound))
        ordered = statement.order_by(*self.key_columns).execution_options(yield_per=FETCHED)
        with connection.execute(ordered) as found:  # whoever breaks off leaves no cursor open at the server
            for some in found.partitions(FETCHED):
                yield from map(tuple, some)

    def written_down(self, row: Row) -> bytes:
        """Return what a row says as bytes that are the same wherever it is stored."""
        told = list(row)
        for at in self.fractions:
            if told[at] is not None:
                # SQLite keeps no sign of a zero; JSON has no word for what is no number.
                told[at] = plain if isfinite(plain := float(told[at]) + 0.0) else repr(plain)
        for at in self.blobs:
            if told[at] is not None:
                told[at] = bytes(told[at]).hex()
        return orjson.dumps(told)

    def key_of(self, row: Row) -> list[Any]:
        """Return a row's key as JSON can hold it."""
        return [_plain(row[at]) for at in self.key]

    def key_from(self, told: Sequence[Any]) -> list[Any]:
        """Return the key that :meth:`key_of` wrote down."""
        return [_value(each, type_) for each, type_ in zip(told, self.key_types, strict=True)]


@cache
def plan_for(of: Table, dialect: str) -> Plan:
    """Return how the rows of a table are carried from or to a database of this kind."""
    types = {str(each.name): _stored(each.type) for each in of.columns}
    light = table(of.name, *(column(name, _carried(type_)) for name, type_ in types.items()))
    names = tuple(types)
    key = tuple(names.index(each.name) for each in of.primary_key.columns)
    if not key:
        raise TypeError(f"the table {of.name} has no primary key: its rows cannot be told apart")
    kinds = [types[name] for name in names]
    return Plan(
        name=str(of.name),
        dialect=dialect,
        columns=names,
        reading=select(
            *(_to_read(light.c[each.name], types[each.name], dialect).label(each.name) for each in of.columns)
        ),
        writing=insert(light).values(
            {each.name: _bound(bindparam(each.name), types[each.name], dialect) for each in of.columns}
        ),
        key=key,
        key_columns=tuple(light.c[names[at]] for at in key),
        key_types=tuple(kinds[at] for at in key),
        fractions=tuple(at for at, kind in enumerate(kinds) if isinstance(kind, Float)),
        blobs=tuple(at for at, kind in enumerate(kinds) if isinstance(kind, LargeBinary)),
    )


def batches(rows: Iterator[Row], plan: Plan) -> Iterator[tuple[list[Row], list[bytes]]]:
    """Yield rows in bounded batches, and beside each what it says."""
    some: list[Row] = []
    said: list[bytes] = []
    size = 0
    for row in rows:
        some.append(row)
        said.append(plan.written_down(row))
        size += len(said[-1])
        if len(some) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield some, said
            some, said, size = [], [], 0
    if some:
        yield some, said


def _stored(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type that a database keeps; of times, only our own type knows that SQLite's are UTC."""
    wrapped = isinstance(type_, TypeDecorator) and not isinstance(type_.impl_instance, DateTime)
    return type_.impl_instance if wrapped else type_  # type: ignore[attr-defined]


def _carried(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type as which values travel."""
    return Text() if isinstance(type_, JSON | Uuid) else type_


def _to_read(light: ColumnElement[Any], type_: TypeEngine[Any], dialect: str) -> ColumnElement[Any]:
    if dialect == "sqlite" or not isinstance(type_, JSON | Uuid):
        return light
    said = cast(light, Text)  # PostgreSQL keeps a JSON text as it was written, and would hand it over taken apart
    return func.replace(said, "-", "") if isinstance(type_, Uuid) else said


def _bound(mark: BindParameter[Any], type_: TypeEngine[Any], dialect: str) -> ColumnElement[Any]:
    """Return how a value that travels is handed to a database that keeps it as ``type_``."""
    given = bindparam(mark.key, mark.value, _carried(type_), required=mark.required)
    return cast(given, type_) if isinstance(type_, JSON | Uuid) and dialect != "sqlite" else given


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _value(told: Any, type_: TypeEngine[Any]) -> Any:
    if isinstance(type_, LargeBinary):
        return bytes.fromhex(told)
    if isinstance(type_, Date):
        return date.fromisoformat(told)
    is_time = isinstance(type_, DateTime) or (
        isinstance(type_, TypeDecorator) and isinstance(type_.impl_instance, DateTime)
    )
    return datetime.fromisoformat(told) if is_time else told
