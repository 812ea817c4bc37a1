"""Uploads that come in pieces: how far one has come."""

from __future__ import annotations

from marshmallow import fields, validate

from konectom.api.schemas import Described

UPLOAD_STATUSES = ("open", "stored")


class UploadState(Described):
    """How far an upload has come."""

    id = fields.UUID(required=True)
    session = fields.UUID(required=True, metadata={"description": "The session that is handed over."})
    patient = fields.UUID(required=True)
    offset = fields.Integer(required=True, metadata={"description": "Bytes that are kept: go on from there."})
    length = fields.Integer(required=True, metadata={"description": "Bytes that the whole has."})
    status = fields.String(
        required=True,
        validate=validate.OneOf(UPLOAD_STATUSES),
        metadata={"description": "`open`: it is not a session yet. `stored`: it is; ask for the session's receipt."},
    )
    metadata = fields.String(required=True, metadata={"description": "As they were sent when the upload was begun."})
    expires_at = fields.AwareDateTime(required=True)
