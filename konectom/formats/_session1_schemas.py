"""What ``konectom.session/1`` tells beside its samples, as marshmallow validates it and the documentation shows it."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from konectom.errors import FieldInvalid, FieldMissing, pointer_token

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


def load(schema: ma.Schema, data: Any, at: str) -> dict[str, Any]:
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
