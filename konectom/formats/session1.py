"""``konectom.session/1``: our own JSON format, columns under their declared units.

Metadata are validated by marshmallow, samples by numpy. A recording that breaks a rule is rejected with a pointer to
the place; the others are read. A stream whose name is not known here is left aside and noted, so that an app may send
more than this version understands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import marshmallow as ma
import numpy as np
from marshmallow import fields, validate

from konectom.errors import (
    ColumnInvalid,
    ColumnMissing,
    DataError,
    FieldInvalid,
    FieldMissing,
    StreamError,
    StreamUnknown,
    TimeMissing,
    TooManyRecordings,
    TooManySamples,
)
from konectom.formats._columns import escape, instants, numbers, same_length, texts
from konectom.formats._limits import Limits
from konectom.formats._registry import Format
from konectom.formats._streams import KINDS, Kind
from konectom.formats._units import unit_of
from konectom.recording import Defect, Device, FloatArray, Part, Recording, Rejected, Screen, Session, Stream

NAME = "konectom.session/1"
_TEXT = validate.Length(min=1, max=200)
_FINITE_SECONDS = validate.Range(min=-1e9, max=1e9)


class _Lenient(ma.Schema):
    """Unknown fields are left aside: the raw bytes keep them."""

    class Meta:
        unknown = ma.EXCLUDE


class ScreenSchema(_Lenient):
    """The phone's screen."""

    width_px = fields.Float(allow_none=True)
    height_px = fields.Float(allow_none=True)
    width_pt = fields.Float(allow_none=True)
    height_pt = fields.Float(allow_none=True)
    pt_per_mm = fields.Float(allow_none=True, validate=validate.Range(min=0, min_inclusive=False))


class DeviceSchema(_Lenient):
    """The phone and the app that recorded."""

    platform = fields.String(allow_none=True, validate=_TEXT, metadata={"example": "ios"})
    model = fields.String(allow_none=True, validate=_TEXT, metadata={"example": "iPhone15,2"})
    os = fields.String(allow_none=True, validate=_TEXT, metadata={"example": "19.1"})
    app = fields.String(allow_none=True, validate=_TEXT, metadata={"example": "1.4.2"})
    screen = fields.Nested(ScreenSchema, allow_none=True)


class PartSchema(_Lenient):
    """A stretch of a recording under one condition. Streams are columns, events are objects with ``type`` and ``t``."""

    condition = fields.Dict(keys=fields.String(validate=_TEXT), values=fields.String(validate=_TEXT))
    start_s = fields.Float(validate=_FINITE_SECONDS)
    duration_s = fields.Float(allow_none=True, validate=validate.Range(min=0, max=1e9))
    streams = fields.Dict(keys=fields.String(), values=fields.Raw())
    events = fields.List(fields.Raw())
    answers = fields.Dict(keys=fields.String(), values=fields.Raw(allow_none=True))


class RecordingSchema(PartSchema):
    """One performed test: its streams and events, or the ``parts`` that hold them."""

    assessment = fields.String(required=True, validate=_TEXT, metadata={"example": "tap"})
    offset_s = fields.Float(validate=_FINITE_SECONDS)
    completion = fields.String(validate=validate.OneOf(("completed", "cancelled")))
    interruption = fields.String(allow_none=True, validate=_TEXT)
    parts = fields.List(fields.Raw())

    class Meta(_Lenient.Meta):
        """Set what a recording does not take over from a part."""

        exclude = ("start_s",)


class SessionSchema(_Lenient):
    """One sitting."""

    schema = fields.String(required=True, validate=validate.Equal(NAME))
    started_at = fields.AwareDateTime(
        required=True, format="iso", metadata={"example": "2026-11-21T09:12:03.250+01:00"}
    )
    time_zone = fields.String(allow_none=True, metadata={"example": "Europe/Paris"})
    setting = fields.String(allow_none=True, validate=_TEXT, metadata={"example": "remote"})
    supervised = fields.Boolean(allow_none=True, truthy={True}, falsy={False})
    device = fields.Nested(DeviceSchema, allow_none=True)
    recordings = fields.List(fields.Raw(), required=True, validate=validate.Length(min=1))


_SESSION, _RECORDING, _PART = SessionSchema(), RecordingSchema(), PartSchema()


def _load(schema: ma.Schema, data: Any, at: str) -> dict[str, Any]:
    """Validate metadata; raise the first fault with its pointer."""
    if not isinstance(data, dict):
        raise FieldInvalid("an object is due here", at=at)
    try:
        loaded: dict[str, Any] = schema.load(data)
    except ma.ValidationError as error:
        path, message = _first(error.messages)
        where = at + "".join(f"/{escape(str(token))}" for token in path)
        kind = FieldMissing if message.startswith("Missing data") else FieldInvalid
        raise kind(message, at=where) from None
    return loaded


def _first(messages: Any) -> tuple[list[Any], str]:
    path: list[Any] = []
    while isinstance(messages, dict):
        token, messages = next(iter(messages.items()))
        if token not in ("key", "value", "_schema"):
            path.append(token)
    return path, str(messages[0] if isinstance(messages, list) else messages)


def recognises(document: Any) -> bool:
    """Tell whether the document says that it is of this format."""
    return isinstance(document, dict) and document.get("schema") == NAME


def read(document: Any, limits: Limits) -> Session:
    """Return the session; raises :class:`DataError` where the metadata of the whole are wrong."""
    told = _load(_SESSION, document, "")
    if len(told["recordings"]) > limits.max_recordings:
        raise TooManyRecordings(f"at most {limits.max_recordings} recordings are accepted", at="/recordings")
    zone = told.get("time_zone")
    if zone is not None:
        _check_zone(zone)
    device = _device(told.get("device"))
    recordings = tuple(
        _recording_or_rejected(each, f"/recordings/{index}", device, limits)
        for index, each in enumerate(told["recordings"])
    )
    return Session(NAME, told["started_at"], zone, told.get("setting"), told.get("supervised"), device, recordings)


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise FieldInvalid(f"{zone[:60]!r} is no IANA time zone", at="/time_zone") from None


def _device(told: Mapping[str, Any] | None) -> Device:
    told = dict(told or {})
    screen = Screen(**(told.pop("screen", None) or {}))
    return Device(**told, screen=screen)


def _recording_or_rejected(data: Any, at: str, device: Device, limits: Limits) -> Recording | Rejected:
    try:
        return _recording(data, at, device, limits)
    except DataError as error:
        name = data.get("assessment") if isinstance(data, dict) else None
        return Rejected(name if isinstance(name, str) else None, error.as_dict())


def _recording(data: Any, at: str, device: Device, limits: Limits) -> Recording:
    told = _load(_RECORDING, data, at)
    condition = told.get("condition", {})
    _refuse_flood(data, at, limits)
    parts = _parts(told, condition, at, limits) if "parts" in told else (_part(told, condition, at),)
    return Recording(
        assessment=told["assessment"],
        parts=parts,
        condition=condition,
        offset_s=told.get("offset_s", 0.0),
        duration_s=told.get("duration_s"),
        finished=told.get("completion", "completed") == "completed",
        interruption=told.get("interruption"),
        device=device,
    )


def _parts(told: Mapping[str, Any], condition: Mapping[str, str], at: str, limits: Limits) -> tuple[Part, ...]:
    both = [name for name in ("streams", "events", "answers") if told.get(name)]
    if both:
        raise FieldInvalid(f"{both[0]} belong into the parts of a recording that has parts", at=f"{at}/{both[0]}")
    if not 1 <= len(told["parts"]) <= limits.max_parts:
        raise TooManyRecordings(f"a recording has 1 to {limits.max_parts} parts", at=f"{at}/parts")
    parts = []
    for index, each in enumerate(told["parts"]):
        where = f"{at}/parts/{index}"
        inner = _load(_PART, each, where)
        parts.append(_part(inner, {**condition, **inner.get("condition", {})}, where))
    return tuple(parts)


def _part(told: Mapping[str, Any], condition: Mapping[str, str], at: str) -> Part:
    streams: dict[str, Stream] = {}
    defects: list[Defect] = []
    for name, data in told.get("streams", {}).items():
        where = f"{at}/streams/{escape(name)}"
        if name in KINDS:
            streams[name] = _stream(name, KINDS[name], data, where)
        else:
            known = ", ".join(KINDS)
            defects.append(
                Defect(name, StreamUnknown.code, f"no stream of that name is known; known are: {known}", where)
            )
    return Part(
        condition=condition,
        start_s=told.get("start_s", 0.0),
        duration_s=told.get("duration_s"),
        streams=streams,
        events=_events(told.get("events", []), f"{at}/events"),
        answers=told.get("answers", {}),
        defects=tuple(defects),
    )


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
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, int | float) or not 0 < rate_hz <= 1e6:
        raise FieldInvalid("rate_hz is a number above 0", at=f"{at}/rate_hz")
    first_s = data.get("t0", 0.0)
    if isinstance(first_s, bool) or not isinstance(first_s, int | float):
        raise FieldInvalid("t0 is a number of seconds", at=f"{at}/t0")
    return first_s + np.arange(rows) / rate_hz


def _events(data: list[Any], at: str) -> dict[str, Stream]:
    """Return the events by type, each type a stream. An attribute whose name ends in ``_at`` is a time in seconds."""
    rows: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for index, each in enumerate(data):
        if not isinstance(each, dict) or not isinstance(each.get("type"), str):
            raise FieldInvalid("an event is an object with a type and a time t", at=f"{at}/{index}/type")
        rows.setdefault(each["type"], []).append((index, each))
    return {name: _events_of(name, found, at) for name, found in rows.items()}


def _events_of(name: str, rows: list[tuple[int, dict[str, Any]]], at: str) -> Stream:
    def column(key: str, read_column: Callable[[list[Any], str], Any]) -> Any:
        try:
            return read_column([each.get(key) for _, each in rows], "")
        except StreamError as error:
            row = int((error.at or "/0").removeprefix("/"))
            raise type(error)(error.detail, at=f"{at}/{rows[row][0]}/{escape(key)}") from None

    t_s = column("t", instants)
    columns: dict[str, Any] = {}
    for key in dict.fromkeys(key for _, each in rows for key in each if key not in ("type", "t")):
        worded = any(isinstance(each.get(key), str) for _, each in rows)
        columns[f"{key}_s" if key.endswith("_at") else key] = column(key, texts if worded else numbers)
    return Stream(name, t_s, columns)


def _refuse_flood(data: Mapping[str, Any], at: str, limits: Limits) -> None:
    """Count the values before any is converted."""
    count = 0
    for holder in (data, *(part for part in data.get("parts", ()) if isinstance(part, dict))):
        streams = holder.get("streams")
        for stream in streams.values() if isinstance(streams, dict) else ():
            if isinstance(stream, dict):
                count += sum(len(values) for values in stream.values() if isinstance(values, list))
        events = holder.get("events")
        count += len(events) if isinstance(events, list) else 0
    if count > limits.max_values:
        raise TooManySamples(f"the recording holds {count} values; at most {limits.max_values} are accepted", at=at)


FORMAT = Format(
    name=NAME,
    title="konectom session, version 1",
    media_types=("application/vnd.konectom.session.v1+json",),
    recognises=recognises,
    read=read,
)
