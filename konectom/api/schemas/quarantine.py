"""What was refused and is held in quarantine."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from konectom.api.schemas import Described
from konectom.api.schemas.pages import PageQuery, Place
from konectom.workflows.sessions.holding import STATES


class QuarantineQuery(PageQuery):
    """Which uploads to list."""

    study = fields.UUID(metadata={"description": "Only of this study's patients."})
    patient = fields.UUID(metadata={"description": "Only of this patient."})
    code = fields.String(
        validate=validate.Regexp("[a-z_]{1,50}$"), metadata={"description": "Only those that this error refused."}
    )
    state = fields.String(validate=validate.OneOf(STATES))


class HeldUpload(Described):
    """An upload that was refused. A phone is told what it needs to know its own again: no more than `released_as`."""

    id = fields.UUID(required=True)
    session = fields.UUID(required=True, metadata={"description": "Under which id it was sent."})
    digest = fields.String(required=True, metadata={"description": "sha256 of the bytes as they were received."})
    state = fields.String(
        required=True,
        validate=validate.OneOf(STATES),
        metadata={
            "description": "`held`; `released`: a session now; `discarded`: let go of, by staff or after its time."
        },
    )
    code = fields.String(required=True, metadata={"description": "Why it was refused.", "example": "not_json"})
    received_at = fields.AwareDateTime(required=True)
    released_as = fields.UUID(required=True, allow_none=True, metadata={"description": "The session that it became."})
    patient = fields.UUID()
    device = fields.UUID(allow_none=True, metadata={"description": "`null`: staff sent it."})
    size_bytes = fields.Integer()
    content_type = fields.String(allow_none=True, metadata={"description": "As it was declared."})
    content_encoding = fields.String(allow_none=True, metadata={"description": "As it was declared."})
    at = fields.String(allow_none=True, metadata={"description": "Where in the body the fault was found."})
    detail = fields.String(metadata={"description": "What was wrong, for people."})
    ended_at = fields.AwareDateTime(allow_none=True)


class QuarantinePage(Place):
    """A page of the quarantine."""

    items = fields.List(fields.Nested(HeldUpload), required=True)


class Discarding(Schema):
    """That an upload is to be let go of."""

    reason = fields.String(
        load_default="",  # that it is missing is told only of what is within the caller's reach
        validate=validate.Length(max=200),
        metadata={"description": "Why; it must be told, and stands in the audit.", "example": "sent by a test phone"},
    )
