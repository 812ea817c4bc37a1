"""The one shape in which every failure is told (RFC 9457)."""

from __future__ import annotations

from marshmallow import INCLUDE, Schema, fields


class Fault(Schema):
    """One of several faults of a request."""

    code = fields.String(required=True, metadata={"description": "Stable code of the fault."})
    detail = fields.String(required=True, metadata={"description": "What is wrong, for people."})
    at = fields.String(metadata={"description": "JSON pointer to the place (RFC 6901)."})


class Problem(Schema):
    """Why a request failed."""

    class Meta:
        """Some errors add facts of their own, such as the limit that was exceeded."""

        unknown = INCLUDE

    type = fields.String(
        required=True,
        metadata={
            "description": "Address of the error's description.",
            "example": "/docs/errors#stream_length_mismatch",
        },
    )
    title = fields.String(required=True, metadata={"example": "Columns differ in length"})
    status = fields.Integer(required=True, metadata={"description": "The HTTP status.", "example": 422})
    code = fields.String(
        required=True,
        metadata={
            "description": "Stable: programs decide by this, never by the texts.",
            "example": "stream_length_mismatch",
        },
    )
    detail = fields.String(
        required=True,
        metadata={
            "description": "What is wrong, for people; may change.",
            "example": "x has 5 values for 6 time stamps",
        },
    )
    at = fields.String(
        metadata={
            "description": "JSON pointer (RFC 6901) into the body, or into the query (`/query/limit`).",
            "example": "/recordings/1/streams/touch/x",
        }
    )
    errors = fields.List(fields.Nested(Fault), metadata={"description": "All faults, where a request has several."})
    instance = fields.String(required=True, metadata={"description": "The path that was asked for."})
    request_id = fields.String(required=True, metadata={"description": "Leads to this request in the server's log."})
