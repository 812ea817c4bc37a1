"""The session body in the OpenAPI document, built from what the readers themselves validate with."""

from __future__ import annotations

from typing import Any

from apispec import APISpec

from konectom.formats import FORMATS
from konectom.formats import _session1_schemas as session1
from konectom.formats._streams import KINDS, Kind
from konectom.formats._units import UNITS

EXAMPLE: dict[str, Any] = {
    "schema": session1.NAME,
    "started_at": "2026-11-21T09:12:03.250+01:00",
    "time_zone": "Europe/Paris",
    "setting": "remote",
    "supervised": False,
    "device": {
        "platform": "ios",
        "model": "iPhone15,2",
        "os": "19.1",
        "app": "1.4.2",
        "screen": {"width_pt": 390, "height_pt": 844, "pt_per_mm": 6.06},
    },
    "recordings": [
        {
            "assessment": "balance",
            "condition": {"placement": "belt"},
            "offset_s": 12.0,
            "duration_s": 30.0,
            "streams": {
                "accelerometer": {
                    "unit": "m/s2",
                    "t": [0.0, 0.01],
                    "x": [0.1, 0.2],
                    "y": [9.7, 9.8],
                    "z": [0.3, 0.2],
                },
                "gyroscope": {
                    "unit": "rad/s",
                    "rate_hz": 100,
                    "x": [0.01, 0.02],
                    "y": [0.0, None],
                    "z": [0.01, 0.01],
                },
            },
            "events": [],
            "answers": {},
        }
    ],
}
"""One sitting with one recording, cut down to two samples a stream."""

_PARTS_OF_BODY = {
    "UploadedScreen": session1.ScreenSchema,
    "UploadedDevice": session1.DeviceSchema,
    "UploadedPart": session1.PartSchema,
    "UploadedRecording": session1.RecordingSchema,
    "UploadedSession": session1.SessionSchema,
}

_NUMBERS = {"type": "array", "items": {"type": ["number", "null"]}}
_SECONDS = {"type": "array", "items": {"type": "number"}}


def request_body() -> dict[str, Any]:
    """Return the OpenAPI request body of an upload: every format under its media types."""
    content: dict[str, Any] = {}
    for known in FORMATS:
        about: dict[str, Any] = {"schema": {"type": "object"}}
        if known.magic:
            about = {"schema": {"type": "string", "format": "binary", "description": known.title}}
        elif known.name == session1.NAME:
            about = {"schema": _ref("UploadedSession"), "example": EXAMPLE}
        content |= dict.fromkeys(known.media_types, about)
    names = "; ".join(f"`{known.name}` ({known.title})" for known in FORMATS)
    told = f"One of: {names}. Under `application/json` the document itself tells which it is."
    content["application/json"] = {"schema": _ref("UploadedSession"), "example": EXAMPLE}
    return {"required": True, "description": told, "content": content}


BATCH_EXAMPLE = """\
--x
Content-Disposition: form-data; name="5b0e7c1c-5c2b-4d0e-9d8e-3c2f6f0a7d11"
Content-Type: application/json
Content-Encoding: gzip

(the bytes of the session, exactly as PUT would have sent them)
--x
Content-Disposition: form-data; name="8a2f1f2e-0c55-4bd4-a6c0-1f0a5a3b9c77"
Content-Type: application/json

{"schema": "konectom.session/1", "started_at": "2026-11-21T09:12:03.250+01:00", "recordings": []}
--x--
"""
"""A batch of two sessions, as it goes over the wire under the boundary ``x``."""


def batch_body() -> dict[str, Any]:
    """Return the OpenAPI request body of a batch: a multipart body, each part one session under its id."""
    told = (
        "At most 50 sessions. The name of each part is the session's id; its `Content-Type` and `Content-Encoding` are "
        "those that `PUT` would have had, and its content the very same bytes."
    )
    schema = {"type": "object", "additionalProperties": {"type": "string", "format": "binary"}, "maxProperties": 50}
    about = {"schema": schema, "example": BATCH_EXAMPLE}
    return {"required": True, "description": told, "content": {"multipart/form-data": about, "multipart/mixed": about}}


def add_schemas(spec: APISpec) -> None:
    """Add the session body, each stream with its columns and units, and events to the document's components."""
    for name, schema in _PARTS_OF_BODY.items():
        spec.components.schema(name, schema=schema)
        spec.components.schemas[name]["description"] = (schema.__doc__ or "").strip()
    spec.components.schema("UploadedEvent", _EVENT)
    spec.components.schema("UploadedStreams", _streams())
    held = spec.components.schemas
    for name in ("UploadedPart", "UploadedRecording"):
        held[name]["properties"]["streams"] = _ref("UploadedStreams")
        held[name]["properties"]["events"]["items"] = _ref("UploadedEvent")
    held["UploadedRecording"]["properties"]["assessment"] = _ref("AssessmentName")
    held["UploadedRecording"]["properties"]["parts"]["items"] = _ref("UploadedPart")
    held["UploadedSession"]["properties"]["recordings"]["items"] = _ref("UploadedRecording")


_EVENT = {
    "type": "object",
    "description": "Something that happened at one time. Attributes ending in `_at` are times in seconds as well.",
    "required": ["type", "t"],
    "properties": {
        "type": {"type": "string", "example": "tap"},
        "t": {"type": "number", "description": "Seconds from the recording's start."},
    },
    "additionalProperties": {"type": ["number", "string", "boolean", "null"]},
}


def _streams() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "The sensor and touch streams by name. A name that is not known is left aside and noted.",
        "properties": {name: _stream(kind) for name, kind in KINDS.items()},
    }


def _stream(kind: Kind) -> dict[str, Any]:
    units = [name for name, unit in UNITS.items() if unit.dimension == kind.dimension]
    words = {
        name: {"type": "array", "items": {"type": ["string", "null"], "enum": [*values, None]}}
        for name, values in kind.words
    }
    columns: dict[str, Any] = dict.fromkeys((*kind.columns, *kind.plain), _NUMBERS) | words
    return {
        "type": "object",
        "description": f"{kind.means} Columns of equal length; a missing value is null.",
        "properties": {
            "unit": {"type": "string", "enum": units},
            "t": _SECONDS | {"description": "Seconds from the recording's start, on the phone's monotonic clock."},
            "rate_hz": {"type": "number", "exclusiveMinimum": 0, "description": "In place of `t`."},
            "t0": {"type": "number", "default": 0, "description": "With `rate_hz`: the first sample's time."},
            **columns,
        },
        "required": ["unit", *(name for name in columns if name not in kind.optional)],
        "anyOf": [{"required": ["t"]}, {"required": ["rate_hz"]}],
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
