"""Column types: instants that refuse naive times, and feature vectors."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, DateTime, Dialect, LargeBinary
from sqlalchemy.types import TypeDecorator

from konectom.recording import FloatArray

LITTLE_ENDIAN_FLOAT64 = np.dtype("<f8")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
US_PER_DAY = 86_400_000_000
FASTEST = 1
"""zlib level: vectors are mostly NaN, which every level shrinks alike."""


class Instant(TypeDecorator[datetime]):
    """An instant, kept in UTC. A naive time is refused: nobody knows when it was."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what the database keeps."""
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError(f"a time without its offset from UTC cannot be kept: {value.isoformat()}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what was kept."""
        if value is None:
            return None
        # SQLite has no time zones: what it gives back is the UTC that was put in.
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Microseconds(TypeDecorator[datetime]):
    """An instant as whole microseconds since 1970 in UTC: a third of the room, and no parsing of a thousand texts."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Return what the database keeps."""
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Return what was kept."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


def microseconds(at: datetime) -> int:
    """Return an instant as whole microseconds since 1970 in UTC; raises ValueError for a naive time."""
    if at.utcoffset() is None:
        raise ValueError(f"a time without its offset from UTC cannot be kept: {at.isoformat()}")
    return (at - EPOCH) // timedelta(microseconds=1)


class Vector(TypeDecorator[FloatArray]):
    """n float64, little-endian, compressed by zlib; every bit comes back as it was."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: FloatArray | None, dialect: Dialect) -> bytes | None:
        """Return what the database keeps."""
        return None if value is None else pack(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> FloatArray | None:
        """Return what was kept."""
        return None if value is None else unpack(value)

    def compare_values(self, x: Any, y: Any) -> bool:
        """Compare bit by bit: NaN equals NaN."""
        return x is y or (x is not None and y is not None and x.tobytes() == y.tobytes())


def pack(values: FloatArray) -> bytes:
    """Return a vector (n float64) as bytes."""
    return zlib.compress(np.ascontiguousarray(values, LITTLE_ENDIAN_FLOAT64).tobytes(), FASTEST)


def unpack(data: bytes) -> FloatArray:
    """Return the read-only vector (n float64) that :func:`pack` made into bytes."""
    return np.frombuffer(zlib.decompress(data), LITTLE_ENDIAN_FLOAT64).astype(np.float64, copy=False)
