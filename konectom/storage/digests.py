"""What a row says, as bytes and as a keyed digest of them: by it the audit tells one content from another.

A row of a patient is digested under a key that follows from the patient's own: once that is destroyed, nobody can test
a guess at what the row said. A row of no patient is digested under a key of the installation. Of a secret (the hash of
a password or of a token, a sealed key) only a digest goes in, so that it is not there to be read even then. A digest is
written ``KEY:HEX``; ``KEY`` is :data:`PATIENT`, or the id of the installation's key.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import orjson
from sqlalchemy import JSON, Boolean, Column, Date, Float, Integer, LargeBinary, Uuid
from sqlalchemy import inspect as inspected
from sqlalchemy.orm import Mapper
from sqlalchemy.types import TypeEngine

from konectom.security.chain import canonical_json
from konectom.storage.models import SECRET, Base
from konectom.storage.types import Instant, Microseconds, Vector, microseconds, pack

ROW_FORM = b"konectom.audit.row/1\n"
DIGESTS_ROWS = b"audit-row"
PATIENT = "patient"
"""Stands for the patient's key in a digest."""


class Macs(Protocol):
    """What digests need of the installation's keys."""

    def mac(self, purpose: bytes, data: bytes, key_id: str | None = None) -> tuple[str, str]:
        """Return the id of the key, and the keyed digest (hexadecimal) of ``data``."""
        ...


class Told(NamedTuple):
    """A column whose content counts: the attribute, the column's name, and how its values are written."""

    attribute: str
    name: str
    write: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """How rows of a class are told: what identifies them, what counts, and by which column they belong to whom."""

    entity: str
    keys: tuple[str, ...]
    told: tuple[Told, ...]
    attributes: tuple[str, ...]
    counted: frozenset[str]
    """Attributes whose change is told: all but the bookkeeping that the class names."""

    def content(self, values: Mapping[str, Any]) -> bytes:
        """Return what a row with these values (by attribute) says, as bytes."""
        said = {name: None if (value := values.get(at)) is None else write(value) for at, name, write in self.told}
        return ROW_FORM + orjson.dumps([self.entity, said], option=orjson.OPT_SORT_KEYS)

    def entity_id(self, values: Mapping[str, Any]) -> str:
        """Return the row's primary key as text; several columns apart by a slash."""
        return "/".join(str(values[key]) for key in self.keys)


def plan_of(model: type[Base]) -> Plan:
    """Return how rows of ``model`` are told."""
    return _plan(model)


@cache
def _plan(model: type[Base]) -> Plan:
    mapper: Mapper[Any] = inspected(model)
    columns: list[tuple[str, Column[Any]]] = [(each.key, mapper.columns[each.key]) for each in mapper.column_attrs]
    return Plan(
        entity=model.__tablename__,
        keys=tuple(mapper.get_property_by_column(column).key for column in mapper.primary_key),
        told=tuple(
            Told(key, column.name, _secret if column.info.get("secret") == SECRET["secret"] else _writer(column.type))
            for key, column in columns
            if key not in model.UNAUDITED_COLUMNS
        ),
        attributes=tuple(key for key, _ in columns),
        counted=frozenset(key for key, _ in columns) - model.UNAUDITED_COLUMNS,
    )


def audited_models() -> Iterable[type[Base]]:
    """Return the classes whose rows the audit tells of, by name of the table."""
    models = (each.class_ for each in Base.registry.mappers)
    return sorted((each for each in models if each.AUDITED), key=lambda each: str(each.__tablename__))


@cache
def model_of(table: str) -> type[Base] | None:
    """Return the class of a table's rows, None for a table that has none."""
    return next((each.class_ for each in Base.registry.mappers if each.class_.__tablename__ == table), None)


def patients_digest_key(patient_key: bytes) -> bytes:
    """Return the key of a patient's digests, from the patient's own."""
    return hmac.digest(patient_key, b"konectom.audit.digest/1", "sha256")


def patients_digest(digest_key: bytes, content: bytes) -> str:
    """Return the digest of a row of a patient."""
    return f"{PATIENT}:{hmac.digest(digest_key, content, 'sha256').hex()}"


def installations_digest(keys: Macs, content: bytes, key_id: str | None = None) -> str:
    """Return the digest of a row of no patient."""
    key, digest = keys.mac(DIGESTS_ROWS, content, key_id)
    return f"{key}:{digest}"


def _writer(kind: TypeEngine[Any]) -> Callable[[Any], Any]:
    """Return what writes values of a column's type the same way before they are kept and when they are read again."""
    for known, write in _WRITERS:
        if isinstance(kind, known):
            return write
    return str


def _secret(value: str | bytes) -> str:
    """Return what stands for a secret: that it was changed shows, and what goes into the row's digest is not it."""
    return hashlib.sha256(value.encode() if isinstance(value, str) else value).hexdigest()


def _number(value: Any) -> str:
    return repr(float(value))  # every bit of it, and NaN too


def _instant(value: datetime) -> int:
    return microseconds(value)


def _day(value: date) -> str:
    return value.isoformat()


def _id(value: UUID) -> str:
    return value.hex


def _json(value: Any) -> str:
    return canonical_json(value).decode()


def _bytes(value: bytes) -> str:
    return bytes(value).hex()


_WRITERS: tuple[tuple[type[TypeEngine[Any]], Callable[[Any], Any]], ...] = (
    (Instant, _instant),
    (Microseconds, _instant),
    (Vector, lambda value: pack(value).hex()),
    (JSON, _json),
    (Uuid, _id),
    (LargeBinary, _bytes),
    (Date, _day),
    (Boolean, bool),
    (Float, _number),
    (Integer, int),
)
