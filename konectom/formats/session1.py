"""``konectom.session/1``: our own JSON format, columns under their declared units.

Metadata are validated by marshmallow, samples by numpy. A recording that breaks a rule is rejected with a pointer to
the place; the others are read. A stream whose name is not known here is left aside and noted, so that an app may send
more than this version understands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import marshmallow as ma
from marshmallow import fields, validate

from konectom.errors import DataError, FieldInvalid, FieldMissing, TooManyRecordings, pointer_token
from konectom.formats._columns import Room
from konectom.formats._limits import Limits
from konectom.formats._registry import Format
from konectom.formats._session1_streams import read_events, read_streams, refuse_flood, stream_names
from konectom.recording import Device, Part, Recording, Rejected, Screen, Session

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
        where = at + "".join(f"/{pointer_token(token)}" for token in path)
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
    room = Room(limits.max_values)
    recordings = tuple(
        _recording_or_rejected(each, f"/recordings/{index}", device, limits, room)
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


def _recording_or_rejected(data: Any, at: str, device: Device, limits: Limits, room: Room) -> Recording | Rejected:
    try:
        return _recording(data, at, device, limits, room)
    except DataError as error:
        name = data.get("assessment") if isinstance(data, dict) else None
        return Rejected(name if isinstance(name, str) else None, error.as_dict(), stream_names(data))


def _recording(data: Any, at: str, device: Device, limits: Limits, room: Room) -> Recording:
    told = _load(_RECORDING, data, at)
    condition = told.get("condition", {})
    refuse_flood(data, at, limits.max_values)
    parts = _parts(told, condition, at, limits, room) if "parts" in told else (_part(told, condition, at, room),)
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


def _parts(
    told: Mapping[str, Any], condition: Mapping[str, str], at: str, limits: Limits, room: Room
) -> tuple[Part, ...]:
    both = [name for name in ("streams", "events", "answers") if told.get(name)]
    if both:
        raise FieldInvalid(f"{both[0]} belong into the parts of a recording that has parts", at=f"{at}/{both[0]}")
    if not told["parts"]:
        raise FieldInvalid("a recording that has parts has at least one", at=f"{at}/parts")
    if len(told["parts"]) > limits.max_parts:
        raise TooManyRecordings(f"a recording has at most {limits.max_parts} parts", at=f"{at}/parts")
    parts = []
    for index, each in enumerate(told["parts"]):
        where = f"{at}/parts/{index}"
        inner = _load(_PART, each, where)
        parts.append(_part(inner, {**condition, **inner.get("condition", {})}, where, room))
    return tuple(parts)


def _part(told: Mapping[str, Any], condition: Mapping[str, str], at: str, room: Room) -> Part:
    streams, defects = read_streams(told.get("streams", {}), f"{at}/streams")
    return Part(
        condition=condition,
        start_s=told.get("start_s", 0.0),
        duration_s=told.get("duration_s"),
        streams=streams,
        events=read_events(told.get("events", []), f"{at}/events", room),
        answers=told.get("answers", {}),
        defects=defects,
    )


FORMAT = Format(
    name=NAME,
    title="konectom session, version 1",
    media_types=("application/vnd.konectom.session.v1+json",),
    recognises=recognises,
    read=read,
)
