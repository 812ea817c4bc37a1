"""Sessions: uploaded once under an id that the app chose, and looked at ever after."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response, after_this_request, request, url_for

from konectom.api import upload
from konectom.api.access import permits, scope, services, uploader
from konectom.api.batches import receive_batch
from konectom.api.body import received_body, streams_body
from konectom.api.contract import Resource
from konectom.api.errors import BodyIncomplete, BodyStalled, MediaTypeUnsupported
from konectom.api.multipart import Part
from konectom.api.raw import BYTES, HEADERS, MEDIA_TYPE, raw_download
from konectom.api.schemas.sessions import (
    Batch,
    HeldSessions,
    KnownSessions,
    Receipt,
    SessionPage,
    SessionQuery,
    SessionsQuery,
    UploadHeaders,
    UploadQuery,
)
from konectom.errors import (
    BatchInvalid,
    BatchTooLong,
    BodyDamaged,
    BodyTooLarge,
    CompressionCorrupt,
    ConsentMissing,
    ConsentWithdrawn,
    DigestConflict,
    EncodingUnsupported,
    FieldInvalid,
    FieldMissing,
    FormatUnknown,
    InflatedTooLarge,
    InflationRatioExceeded,
    LengthMismatch,
    NotFound,
    NothingUsable,
    NotJson,
    PatientRestricted,
    SessionIdTaken,
    StoreFull,
    StoreUnavailable,
)
from konectom.workflows.sessions.ingest import Ingested, ingest_session
from konectom.workflows.sessions.known import Asked, known_sessions
from konectom.workflows.sessions.listing import find_session, get_session, list_sessions, session_bytes

sessions = Resource("sessions", __name__, description="Sittings uploaded by phones.")

DIGEST = {"ETag": {"schema": {"type": "string"}, "description": "The digest of the stored bytes, in quotes."}}
PLACE = DIGEST | {
    "Location": {"schema": {"type": "string"}, "description": "The session's address."},
    "Retry-After": {
        "schema": {"type": "integer"},
        "description": "Where it is `received`: after how many seconds its address may tell what came of it.",
    },
}
ASK_AGAIN_AFTER_S = 5


@sessions.route("/sessions/<uuid:session_id>", methods=["PUT"])
@permits("session.upload")
@streams_body
@sessions.query(UploadQuery)
@sessions.headers(UploadHeaders)
@sessions.answers(201, Receipt, headers=PLACE, description="Stored durably, and computed unless it is `received`.")
@sessions.also_answers(200, Receipt, headers=PLACE, description="The very same bytes were already there.")
@sessions.refuses(NotJson, BodyDamaged, CompressionCorrupt, BodyIncomplete)
@sessions.refuses(NotFound, BodyStalled, DigestConflict, SessionIdTaken)
@sessions.refuses(BodyTooLarge, InflatedTooLarge, InflationRatioExceeded)
@sessions.refuses(EncodingUnsupported, FormatUnknown)
@sessions.refuses(ConsentMissing, ConsentWithdrawn, PatientRestricted)
@sessions.refuses(FieldInvalid, LengthMismatch, NothingUsable)
@sessions.refuses(StoreUnavailable, StoreFull)
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
    if kept.receipt["status"] == "received":
        headers["Retry-After"] = str(ASK_AGAIN_AFTER_S)
    return kept.receipt, 201 if kept.created else 200, headers


@sessions.route("/sessions/<uuid:session_id>")
@permits("session.read")
@sessions.query(SessionQuery)
@sessions.answers(200, Receipt, headers=DIGEST)
@sessions.refuses(PatientRestricted, NotFound, FieldInvalid)
def get_session_by_id(session_id: UUID, measures: str, as_of: datetime | None = None) -> Any:
    """Tell what arrived and what came of it; `HEAD` costs little and tells the digest."""
    if request.method == "HEAD":
        line = find_session(services(), session_id, scope=scope())
        after_this_request(_without_length)  # a GET would be longer
        return line, {"ETag": f'"{line["digest"]}"'}
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


@sessions.route("/sessions/<uuid:session_id>/content")
@permits("raw.read")
@sessions.answers(200, BYTES, content_type=MEDIA_TYPE, headers=HEADERS, description="The bytes as they came.")
@sessions.refuses(PatientRestricted, NotFound)
def get_session_content(session_id: UUID) -> Response:
    """Fetch the bytes of a session as they were uploaded."""
    return raw_download(session_bytes(services(), session_id, scope=scope()), f"session-{session_id}")


@sessions.route("/sessions:batch", methods=["POST"])
@permits("session.upload")
@streams_body
@sessions.query(UploadQuery)
@sessions.answers(200, Batch, description="What came of each session.")
@sessions.refuses(BatchInvalid, BodyIncomplete)
@sessions.refuses(NotFound, BodyStalled, BodyTooLarge, BatchTooLong, MediaTypeUnsupported)
@sessions.refuses(PatientRestricted, StoreFull)
@sessions.doc(requestBody=upload.batch_body())
def post_sessions_batch(patient: UUID | None = None) -> Any:
    """Hand over several sessions at once; each is kept as soon as its part is whole, whatever becomes of the others."""
    patient_id, device_id = uploader(patient)

    def keep(part: Part, session_id: UUID) -> Ingested:
        return ingest_session(
            services(),
            session_id=session_id,
            patient_id=patient_id,
            device_id=device_id,
            body=part.body or b"",
            encoding=part.encoding,
            media_type=part.media_type,
        )

    return {"patient": str(patient_id), "sessions": receive_batch(services().settings, keep)}


@sessions.route("/sessions:known", methods=["POST"])
@permits("session.read")
@sessions.body(HeldSessions)
@sessions.answers(200, KnownSessions)
@sessions.refuses(PatientRestricted, FieldMissing, FieldInvalid)
def post_sessions_known(sessions: list[dict[str, Any]]) -> Any:
    """Tell which of the sessions that the caller holds are here, differ or are missing."""
    asked = [Asked(each["id"], each["digest"].removeprefix("sha256:")) for each in sessions]
    return {"sessions": known_sessions(services(), asked, scope=scope())}


def _without_length(response: Response) -> Response:
    response.automatically_set_content_length = False
    del response.headers["Content-Length"]
    return response
