"""What all tables share: how constraints are named, and how types are kept."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import JSON, Date, LargeBinary, MetaData, Uuid
from sqlalchemy.orm import DeclarativeBase

from konectom.recording import FloatArray
from konectom.storage.types import Instant, Vector

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""How constraints are named, so that a migration can name them on every database."""

Json = dict[str, Any]
SECRET = {"secret": True}
"""Marks a column whose content nobody is shown: not in an answer; a row's digest holds a digest of it."""


class Base(DeclarativeBase):
    """What all tables share."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012
        datetime: Instant,
        date: Date,
        UUID: Uuid,
        bytes: LargeBinary,
        Json: JSON(none_as_null=True),
        list[Json]: JSON(none_as_null=True),
        list[str]: JSON(none_as_null=True),
        FloatArray: Vector,
    }

    AUDITED: ClassVar[bool] = True
    """Whether the audit tells of each row that is made, changed or removed. Where not, the class says why."""

    UNAUDITED_COLUMNS: ClassVar[frozenset[str]] = frozenset()
    """Columns whose change alone the audit does not tell, and whose content is in no digest. The class says why."""
