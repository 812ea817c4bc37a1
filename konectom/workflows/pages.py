"""Pages of a list, and how values stand on the wire.

A page ends where the next begins: the cursor is the last row's sort key, opaque to the caller. Rows that are added
meanwhile neither shift nor repeat the others, and the last page costs no more than the first.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeVar
from uuid import UUID

import orjson
from sqlalchemy import Select, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from konectom.errors import FieldInvalid
from konectom.settings import Settings
from konectom.storage.models import QuarantineRow, SessionRow
from konectom.storage.types import US_PER_DAY, microseconds

RowT = TypeVar("RowT")
Readers = tuple[Callable[[str], Any], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which page is asked for: how many rows, after which cursor."""

    size: int
    cursor: str | None

    @classmethod
    def of(cls, settings: Settings, cursor: str | None, limit: int | None) -> Asked:
        """Return what is asked; raises :class:`FieldInvalid` at ``/query/limit``."""
        size = settings.page_size if limit is None else limit
        if not 1 <= size <= settings.page_size_max:
            raise FieldInvalid(f"limit must be from 1 to {settings.page_size_max}", at="/query/limit")
        return cls(size, cursor)


def page(
    db: Session,
    statement: Select[RowT],
    order: Sequence[InstrumentedAttribute[Any]],
    readers: Readers,
    show: Callable[[RowT], dict[str, Any]],
    asked: Asked,
    *,
    position: bool = False,
) -> dict[str, Any]:
    """Return ``{"items": [...], "next": cursor or None}``, ascending by ``order``.

    With ``position`` also the cursor behind the last item, on every page: what is added later stands behind it.

    ``order`` are columns of the row that together are unique; ``readers`` turn each one's text back into its value.
    Raises :class:`FieldInvalid` at ``/query/cursor``.
    """
    if asked.cursor is not None:
        statement = statement.where(tuple_(*order) > tuple_(*_key(asked.cursor, order, readers)))
    rows = db.scalars(statement.order_by(*order).limit(asked.size + 1)).all()
    shown = rows[: asked.size]
    more = len(rows) > asked.size
    behind = _cursor([getattr(shown[-1], column.key) for column in order]) if shown else asked.cursor
    told_of = {"items": [show(row) for row in shown], "next": behind if more else None}
    return told_of | ({"position": behind} if position else {})


def _cursor(key: Sequence[Any]) -> str:
    texts = [value.isoformat() if isinstance(value, datetime) else str(value) for value in key]
    return base64.urlsafe_b64encode(orjson.dumps(texts)).rstrip(b"=").decode()


def _key(cursor: str, order: Sequence[InstrumentedAttribute[Any]], readers: Readers) -> list[Any]:
    try:
        texts = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not all(isinstance(text, str) and "\0" not in text for text in texts):
            raise ValueError("a cursor holds texts")
        values = [read(text) for read, text in zip(readers, texts, strict=True)]
        return [literal(value, column.type) for value, column in zip(values, order, strict=True)]
    except (ValueError, TypeError, OverflowError, binascii.Error):
        raise FieldInvalid("this is no cursor that a page has given", at="/query/cursor") from None


def instant_of(text: str) -> datetime:
    """Return the instant that ``text`` (ISO 8601 with an offset) tells."""
    at = datetime.fromisoformat(text)
    if at.utcoffset() is None:
        raise ValueError("the offset from UTC is missing")
    return at.astimezone(UTC)


def instant_of_day(day: float) -> datetime:
    """Return the instant that lies so many days after the beginning of 1970 in UTC."""
    return datetime.fromtimestamp(round(day * US_PER_DAY) / 1e6, UTC)


def day_of(at: datetime) -> float:
    """Return an instant as days since 1970 in UTC."""
    return microseconds(at) / US_PER_DAY


def told(at: datetime, utc_offset_s: int = 0) -> str:
    """Return an instant as ISO 8601 text, in the clock time of the place where it was."""
    if utc_offset_s == 0:
        return at.astimezone(UTC).isoformat()
    try:
        return at.astimezone(timezone(timedelta(seconds=utc_offset_s))).isoformat()
    except OverflowError:
        return at.astimezone(UTC).isoformat()


def told_if_any(at: datetime | None) -> str | None:
    """Return an instant as :func:`told` does, None where there is none."""
    return None if at is None else told(at)


def id_if_any(identifier: UUID | None) -> str | None:
    """Return an id as text, None where there is none."""
    return None if identifier is None else str(identifier)


def with_instants(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members with days turned into instants: ``onset_day`` becomes ``onset_at``, ``at_day`` ``at``."""
    shown: dict[str, Any] = {}
    for name, value in parts.items():
        if name == "at_day" or name.endswith("_day"):
            new = "at" if name == "at_day" else f"{name.removesuffix('_day')}_at"
            shown[new] = None if value is None else told(instant_of_day(value))
        else:
            shown[name] = value
    return shown


BY_TEXT_AND_ID: Readers = (str, UUID)
BY_TIME_AND_ID: Readers = (instant_of, UUID)


def _arrival(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**63:
        raise ValueError("no upload has this number")
    return number


def by_arrival(row: type[SessionRow] | type[QuarantineRow]) -> tuple[Sequence[InstrumentedAttribute[Any]], Readers]:
    """Return order and readers of what arrived, in the order in which it became visible."""
    return (row.arrival,), (_arrival,)
