"""The streams and events of ``konectom.session/1``: counted before they are converted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from konectom.errors import (
    ColumnInvalid,
    ColumnMissing,
    DataError,
    FieldInvalid,
    StreamUnknown,
    TimeMissing,
    TimeNotFinite,
    TooManySamples,
    pointer_token,
)
from konectom.formats._columns import Room, instants, numbers, same_length, texts
from konectom.formats._held import Held
from konectom.formats._streams import KINDS, Kind
from konectom.formats._units import unit_of
from konectom.recording import Defect, FloatArray, Stream

MOST_STREAMS = 100
MOST_EVENT_TYPES = 100
MOST_ATTRIBUTES = 64
SLOWEST_HZ, FASTEST_HZ = 1e-3, 1e6

Rows = list[tuple[int, dict[str, Any]]]


def read_streams(data: Mapping[str, Any], at: str) -> tuple[dict[str, Stream], tuple[Defect, ...]]:
    """Return the streams that are known here, and a note of each other."""
    if len(data) > MOST_STREAMS:
        raise FieldInvalid(f"at most {MOST_STREAMS} streams are accepted", at=at)
    streams: dict[str, Stream] = {}
    defects: list[Defect] = []
    for name, columns in data.items():
        if name in KINDS:
            streams[name] = _stream(name, KINDS[name], columns, f"{at}/{pointer_token(name)}")
        else:
            defects += unknown_streams([name], at)
    return streams, tuple(defects)


def unknown_streams(names: Iterable[str], at: str) -> tuple[Defect, ...]:
    """Return a note of each name that no stream has here."""
    told = f"no stream of that name is known; known are: {', '.join(KINDS)}"
    unknown = (name for name in names if name not in KINDS)
    return tuple(Defect(name, StreamUnknown.code, told, f"{at}/{pointer_token(name)}") for name in unknown)


def _stream(name: str, kind: Kind, data: Any, at: str) -> Stream:
    if not isinstance(data, dict):
        raise ColumnInvalid("a stream is an object of columns", at=at)
    unit = unit_of(data.get("unit"), kind.dimension, f"{at}/unit")
    words = dict(kind.words)
    wanted = (*kind.columns, *words, *kind.plain)
    missing = [column for column in wanted if column not in data and column not in kind.optional]
    if missing:
        raise ColumnMissing(f"{name} has no column {missing[0]}", at=f"{at}/{missing[0]}")
    columns: dict[str, Any] = {}
    for column in wanted:
        if column not in data:
            continue
        where = f"{at}/{column}"
        if column in words:
            columns[column] = texts(data[column], where, words[column])
        else:
            values = numbers(data[column], where)
            columns[column] = values * unit.factor if unit.factor != 1 and column in kind.columns else values
    t_s = _times(data, len(columns[wanted[0]]), at)
    for column, values in columns.items():
        same_length(column, len(values), len(t_s), f"{at}/{column}")
    return Stream(name, t_s, columns, dict.fromkeys(kind.columns, unit.kept_as))


def _times(data: Mapping[str, Any], rows: int, at: str) -> FloatArray:
    """Return the stream's seconds: as given by ``t``, or counted up from ``t0`` at ``rate_hz``."""
    if data.get("t") is not None:
        return instants(data["t"], f"{at}/t")
    rate_hz = data.get("rate_hz")
    if rate_hz is None:
        raise TimeMissing("a stream needs t, a time stamp for each row in seconds, or rate_hz", at=f"{at}/t")
    if not is_number(rate_hz) or not SLOWEST_HZ <= rate_hz <= FASTEST_HZ:
        raise FieldInvalid(f"rate_hz is a number from {SLOWEST_HZ:g} to {FASTEST_HZ:g}", at=f"{at}/rate_hz")
    first_s = data.get("t0", 0.0)
    if not is_number(first_s):
        raise FieldInvalid("t0 is a number of seconds", at=f"{at}/t0")
    t_s: FloatArray = first_s + np.arange(rows) / rate_hz
    if not np.isfinite(t_s).all():
        raise TimeNotFinite("the time stamps that t0 and rate_hz make are not finite", at=f"{at}/t0")
    return t_s


def is_number(value: object) -> bool:
    """Tell whether a value is a number of JSON."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_events(data: list[Any], at: str, room: Room) -> dict[str, Stream]:
    """Return the events by type, each type a stream. An attribute whose name ends in ``_at`` is a time in seconds."""
    rows: dict[str, Rows] = {}
    for index, each in enumerate(data):
        if not isinstance(each, dict) or not isinstance(each.get("type"), str):
            raise FieldInvalid("an event is an object with a type and a time t", at=f"{at}/{index}/type")
        rows.setdefault(each["type"], []).append((index, each))
        if len(rows) > MOST_EVENT_TYPES:
            raise FieldInvalid(f"at most {MOST_EVENT_TYPES} types of events are accepted", at=f"{at}/{index}/type")
    return {name: _events_of(name, found, at, room) for name, found in rows.items()}


def _events_of(name: str, rows: Rows, at: str, room: Room) -> Stream:
    def column(key: str, read_column: Callable[[list[Any], str], Any]) -> Any:
        try:
            return read_column([each.get(key) for _, each in rows], "")
        except DataError as error:
            row = int((error.at or "/0").removeprefix("/"))
            raise type(error)(error.detail, at=f"{at}/{rows[row][0]}/{pointer_token(key)}") from None

    t_s = column("t", instants)
    columns: dict[str, Any] = {}
    for key in dict.fromkeys(key for _, each in rows for key in each if key not in ("type", "t")):
        worded = any(isinstance(each.get(key), str) for _, each in rows)
        as_sent = partial(texts, room=room) if worded else partial(numbers, truths=not key.endswith("_at"))
        columns[f"{key}_s" if key.endswith("_at") else key] = column(key, as_sent)
    return Stream(name, t_s, columns)


def stream_names(data: object) -> frozenset[str] | None:
    """Return the names of all streams in a recording that may be damaged, its parts' too; None if they hide."""
    if not isinstance(data, dict) or not isinstance(parts := data.get("parts") or [], list):
        return None
    found: set[str] = set()
    for holder in (data, *parts):
        streams = (holder.get("streams") or {}) if isinstance(holder, dict) else None
        if not isinstance(streams, dict):
            return None
        found.update(streams)
    return frozenset(found)


def refuse_flood(data: Mapping[str, Any], at: str, max_values: int) -> None:
    """Count the values of a recording before any is converted."""
    count = 0
    parts = ((f"{at}/parts/{index}", part) for index, part in enumerate(data.get("parts", ())))
    for where, holder in ((at, data), *parts):
        if isinstance(holder, dict):
            count += _count_streams(holder.get("streams")) + _count_events(holder.get("events"), f"{where}/events")
        if count > max_values:
            raise TooManySamples(f"the recording holds more than the {max_values} values accepted", at=where)


def _count_streams(streams: object) -> int:
    columns = (
        values
        for stream in (streams.values() if isinstance(streams, dict) else ())
        if isinstance(stream, dict)
        for values in stream.values()
    )
    return sum(len(values) for values in columns if isinstance(values, list | Held))


def _count_events(events: object, at: str) -> int:
    """Return how many values the events have as columns: an attribute of one stands in every row of its type."""
    rows: dict[str, int] = {}
    keys: dict[str, set[str]] = {}
    for index, each in enumerate(events if isinstance(events, list) else ()):
        name = each.get("type") if isinstance(each, dict) else None
        if not isinstance(name, str):
            continue  # refused when it is read
        rows[name] = rows.get(name, 0) + 1
        held = keys.setdefault(name, set())
        held.update(each)
        if len(held) > MOST_ATTRIBUTES:
            raise ColumnInvalid(f"events of one type have at most {MOST_ATTRIBUTES} attributes", at=f"{at}/{index}")
    return sum(rows[name] * len(held) for name, held in keys.items())
