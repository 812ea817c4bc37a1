"""Sessions: uploaded once under an id that the app chose, and looked at ever after."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import request, url_for

from konectom.api import upload
from konectom.api.access import permits, scope, services, uploader
from konectom.api.body import received_body
from konectom.api.contract import Resource
from konectom.api.errors import BodyIncomplete, BodyStalled
from konectom.api.schemas.sessions import Receipt, SessionPage, SessionQuery, SessionsQuery, UploadHeaders, UploadQuery
from konectom.errors import (
    BodyTooLarge,
    CompressionCorrupt,
    ConsentMissing,
    ConsentWithdrawn,
    DigestConflict,
    EncodingUnsupported,
    FieldInvalid,
    FormatUnknown,
    InflatedTooLarge,
    InflationRatioExceeded,
    LengthMismatch,
    NotFound,
    NothingUsable,
    NotJson,
    PatientRestricted,
    SessionIdTaken,
)
from konectom.workflows.ingest import ingest_session
from konectom.workflows.sessions import get_session, list_sessions

sessions = Resource("sessions", __name__, description="Sittings uploaded by phones.")

DIGEST = {"ETag": {"schema": {"type": "string"}, "description": "The digest of the stored bytes, in quotes."}}
PLACE = DIGEST | {"Location": {"schema": {"type": "string"}, "description": "The session's address."}}


@sessions.route("/sessions/<uuid:session_id>", methods=["PUT"])
@permits("session.upload")
@sessions.query(UploadQuery)
@sessions.headers(UploadHeaders)
@sessions.answers(201, Receipt, headers=PLACE, description="Stored durably, and computed.")
@sessions.also_answers(200, Receipt, headers=PLACE, description="The very same bytes were already there.")
@sessions.refuses(NotJson, CompressionCorrupt, BodyIncomplete)
@sessions.refuses(NotFound, BodyStalled, DigestConflict, SessionIdTaken)
@sessions.refuses(BodyTooLarge, InflatedTooLarge, InflationRatioExceeded)
@sessions.refuses(EncodingUnsupported, FormatUnknown)
@sessions.refuses(ConsentMissing, ConsentWithdrawn, PatientRestricted)
@sessions.refuses(FieldInvalid, LengthMismatch, NothingUsable)
@sessions.doc(requestBody=upload.request_body())
def put_session(session_id: UUID, patient: UUID | None = None, encoding: str | None = None) -> Any:
    """Hand over a session; safe to repeat until it is answered."""
    patient_id, device_id = uploader(patient)
    settings = services().settings
    kept = ingest_session(
        services(),
        session_id=session_id,
        patient_id=patient_id,
        device_id=device_id,
        body=received_body(settings.max_body_bytes, settings.upload_time_limit),
        encoding=encoding,
        media_type=request.mimetype or None,
    )
    address = url_for(".get_session_by_id", session_id=session_id)
    headers = {"Location": address, "ETag": f'"{kept.receipt["digest"]}"'}
    return kept.receipt, 201 if kept.created else 200, headers


@sessions.route("/sessions/<uuid:session_id>")
@permits("session.read")
@sessions.query(SessionQuery)
@sessions.answers(200, Receipt, headers=DIGEST)
@sessions.refuses(PatientRestricted, NotFound, FieldInvalid)
def get_session_by_id(session_id: UUID, measures: str, as_of: datetime | None = None) -> Any:
    """Tell what arrived and what came of it."""
    receipt = get_session(services(), session_id, scope=scope(), measures=measures == "all", as_of=as_of)
    return receipt, {"ETag": f'"{receipt["digest"]}"'}


@sessions.route("/sessions")
@permits("session.read")
@sessions.query(SessionsQuery)
@sessions.answers(200, SessionPage)
@sessions.refuses(PatientRestricted, FieldInvalid)
def get_sessions(**query: Any) -> Any:
    """List the sessions that are here, in the order in which they came: what does the server have of mine?"""
    return list_sessions(services(), scope=scope(), **query)
