"""Reading the audit as it is stored, byte for byte: what a reader would take for the same is told apart here.

An id in capitals is the same id, and ``1.0`` the same number as ``1.00``, but neither is what was written. So each
column is read as it stands and must be, to the byte, what an entry of its content is written as.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Connection, LargeBinary, Select, Text, cast, column, literal_column, select, table

from konectom.security.chain import Entry, canonical_json
from konectom.storage.models import AuditRow

AT_ONCE = 1000
"""Entries read in one question."""

NUMBERS = ("seq", "at")
IDS = ("actor_id", "study_id", "patient_id")
OPTIONAL = (*IDS, "before", "after", "why")
BYTES = ("why",)
NAMES = tuple(each.name for each in AuditRow.__table__.columns)

_AS_STORED = table(AuditRow.__tablename__, *(column(name) for name in NAMES))


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry as it is stored, with its key and seal; without an entry where it cannot be one."""

    seq: int | None
    entry: Entry | None
    key: str = ""
    seal: str = ""


def stored_entries(connection: Connection, *, after: int | None = None) -> Iterator[Stored]:
    """Yield the entries in the order of their numbers; the first that has no number is the last that is told."""
    while True:
        statement = _statement(connection.dialect.name)
        if after is not None:
            statement = statement.where(_AS_STORED.c.seq > after)
        rows = connection.execute(statement.order_by(_AS_STORED.c.seq).limit(AT_ONCE)).all()
        for row in rows:
            found = _stored(row._asdict())
            yield found
            if found.seq is None:
                return
            after = found.seq
        if len(rows) < AT_ONCE:
            return


def stored_seal(connection: Connection, seq: int) -> str | None:
    """Return the seal of one entry, None where there is no such entry."""
    statement = _statement(connection.dialect.name).where(_AS_STORED.c.seq == seq)
    row = connection.execute(statement).one_or_none()
    return None if row is None else _stored(row._asdict()).seal


def _statement(dialect: str) -> Select[Any]:
    return select(*(_as_stored(name, dialect).label(name) for name in NAMES))


def _as_stored(name: str, dialect: str) -> ColumnElement[Any]:
    """Return what gives a column's own bytes: SQLite keeps whatever is put in, PostgreSQL only what fits the type."""
    if name in (*NUMBERS, *BYTES):
        return _AS_STORED.c[name]
    return as_text(name, dialect)


def as_text(name: str, dialect: str, kind: str = "text") -> ColumnElement[Any]:
    """Return what gives a column's own bytes, and what is no text where SQLite keeps another kind of value.

    The same bytes as a blob are shown as the same text and found by no search.
    """
    if dialect != "sqlite":
        return cast(column(name), Text)
    stored = f"CASE typeof(\"{name}\") WHEN '{kind}' THEN CAST(\"{name}\" AS BLOB) WHEN 'null' THEN NULL ELSE x'ff' END"
    return literal_column(stored, LargeBinary())


def _stored(row: dict[str, Any]) -> Stored:
    seq = row["seq"]
    if type(seq) is not int:
        return Stored(None, None)
    try:
        told = {name: _value(name, row[name]) for name in NAMES}
    except (ValueError, TypeError):
        return Stored(seq, None)
    key, seal = told.pop("key"), told.pop("seal")
    return Stored(seq, Entry(**told), key, seal)


def _value(name: str, stored: Any) -> Any:
    """Return what a column says; raises ValueError or TypeError where it is not as it would have been written."""
    if name in NUMBERS:
        if type(stored) is not int:
            raise TypeError(f"{name} is no number")
        return stored
    if stored is None:
        if name not in OPTIONAL:
            raise TypeError(f"{name} is missing")
        return None
    if name in BYTES:
        if isinstance(stored, str):
            raise TypeError(f"{name} is text")
        return bytes(stored)
    if not isinstance(stored, str | bytes):
        raise TypeError(f"{name} is no text")
    text = stored if isinstance(stored, str) else stored.decode()
    if name in IDS:
        return _id(text)
    return _detail(text) if name == "detail" else text


def _id(text: str) -> UUID:
    told = UUID(text)
    if text not in (told.hex, str(told)):
        raise ValueError("not as ids are written")
    return told


def _detail(text: str) -> dict[str, Any]:
    told = orjson.loads(text)
    if not isinstance(told, dict) or canonical_json(told) != text.encode():
        raise ValueError("not as details are written")
    return told
