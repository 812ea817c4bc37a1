"""Uploads: sessions handed over in pieces by the protocol tus, resumed at any byte. See :mod:`konectom.api.tus`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID

from flask import request, url_for

from konectom.api import tus
from konectom.api.access import permits, public, scope, services, uploader
from konectom.api.body import arriving_body
from konectom.api.contract import Resource
from konectom.api.errors import BodyIncomplete, BodyStalled, MediaTypeUnsupported, RequestInvalid, TusVersionUnsupported
from konectom.api.noting import noted
from konectom.api.schemas.uploads import UploadState
from konectom.errors import (
    BodyTooLarge,
    ChecksumMismatch,
    ChecksumUnsupported,
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
    NotFound,
    NothingUsable,
    NotJson,
    PatientRestricted,
    SessionIdTaken,
    StoreFull,
    UploadGone,
    UploadOffsetWrong,
    UploadsTooMany,
)
from konectom.workflows.sessions.room import require_room
from konectom.workflows.uploads.completing import look_at_upload
from konectom.workflows.uploads.opening import Wanted, end_upload, get_upload, open_upload
from konectom.workflows.uploads.receiving import receive

uploads = Resource("uploads", __name__, description="Sessions handed over in pieces (tus 1.0.0); see docs/uploads.md.")


def _header(name: str, told: str, *, required: bool = False) -> dict[str, Any]:
    return {"in": "header", "name": name, "required": required, "description": told, "schema": {"type": "string"}}


_VERSION = _header("Tus-Resumable", "`1.0.0`: the version that is spoken.", required=True)
_CHECKSUM = _header("Upload-Checksum", "`sha256` or `sha1`, a space, and the digest of this body in base64.")
_OFFSET = _header("Upload-Offset", "Where the bytes begin: where the upload ends.", required=True)
_BYTES = {"content": {tus.BYTES: {"schema": {"type": "string", "format": "binary"}}}}
_CREATES = [
    _VERSION,
    _header("Upload-Length", "How many bytes the whole has.", required=True),
    _header(
        "Upload-Metadata",
        "Pairs of a name and a value in base64: `session` (the id that the app chose), and if wanted `content_type`, "
        "`content_encoding`, `digest` (sha256 of the whole, hexadecimal); from staff `patient`.",
        required=True,
    ),
    _CHECKSUM,
]

_TEXT = {"schema": {"type": "string"}}
PROGRESS = {
    "Tus-Resumable": _TEXT,
    "Upload-Offset": {"schema": {"type": "integer"}, "description": "How many bytes are kept."},
    "Upload-Expires": _TEXT | {"description": "Until when the rest must have come."},
    "Konectom-Status": _TEXT | {"description": "`open`, or `stored`: it is a session now."},
    "Konectom-Session": _TEXT | {"description": "The session's address, once it is stored: its receipt is there."},
}
PLACE = PROGRESS | {"Location": _TEXT | {"description": "The upload's address."}}


@uploads.route("/uploads", methods=["OPTIONS"])
@public
@uploads.answers(204, headers={"Tus-Version": _TEXT, "Tus-Extension": _TEXT, "Tus-Max-Size": _TEXT})
def options_uploads() -> Any:
    """Tell what this server speaks."""
    return "", 204, tus.abilities(services().settings.max_upload_bytes)


@uploads.route("/uploads", methods=["POST"])
@permits("session.upload")
@uploads.answers(201, UploadState, headers=PLACE, description="The upload has begun, with the bytes that were sent.")
@uploads.refuses(RequestInvalid, ChecksumUnsupported, NotJson, CompressionCorrupt, BodyIncomplete)
@uploads.refuses(ConsentMissing, ConsentWithdrawn, PatientRestricted, NotFound, BodyStalled)
@uploads.refuses(DigestConflict, SessionIdTaken, UploadOffsetWrong, TusVersionUnsupported)
@uploads.refuses(BodyTooLarge, InflatedTooLarge, InflationRatioExceeded)
@uploads.refuses(MediaTypeUnsupported, EncodingUnsupported, FormatUnknown)
@uploads.refuses(FieldMissing, FieldInvalid, NothingUsable, ChecksumMismatch, UploadsTooMany, StoreFull)
@uploads.doc(parameters=_CREATES, requestBody=_BYTES)
def post_upload() -> Any:
    """Begin to hand over a session in pieces; the first may come with it."""
    tus.require_version()
    length, metadata = tus.whole_number("Upload-Length"), tus.metadata()
    patient_id, device_id = uploader(metadata.patient)
    checksum = tus.checksum()
    carries = request.mimetype == tus.BYTES or bool(request.content_length)
    if carries:
        tus.require_bytes()
    upload = open_upload(
        services(),
        Wanted(
            session_id=metadata.session,
            patient_id=patient_id,
            device_id=device_id,
            length=length,
            told=metadata.told,
            media_type=metadata.content_type,
            encoding=metadata.content_encoding,
            digest=metadata.digest,
        ),
    )
    if carries:
        upload = receive(services(), UUID(upload["id"]), _body(), offset=0, checksum=checksum, scope=scope())
    return upload, 201, {"Location": url_for(".get_upload_by_id", upload_id=upload["id"])} | _told(upload)


@uploads.route("/uploads/<uuid:upload_id>")
@permits("session.upload")
@uploads.answers(200, UploadState, headers=PROGRESS | {"Upload-Length": _TEXT, "Upload-Metadata": _TEXT})
@uploads.refuses(ConsentMissing, ConsentWithdrawn, PatientRestricted, NotFound, UploadGone, TusVersionUnsupported)
@uploads.refuses(ChecksumMismatch, DigestConflict, SessionIdTaken, NothingUsable, NotJson, FormatUnknown, BodyTooLarge)
@uploads.doc(parameters=[_VERSION])
def get_upload_by_id(upload_id: UUID) -> Any:
    """Tell how far an upload has come: HEAD, before it is gone on with."""
    upload = look_at_upload(services(), upload_id, scope=scope())
    tus.require_version()
    return upload, _told(upload) | {"Upload-Length": str(upload["length"]), "Upload-Metadata": upload["metadata"]}


@uploads.route("/uploads/<uuid:upload_id>", methods=["PATCH"])
@permits("session.upload")
@uploads.answers(204, headers=PROGRESS)
@uploads.refuses(RequestInvalid, ChecksumUnsupported, NotJson, CompressionCorrupt, BodyIncomplete)
@uploads.refuses(ConsentMissing, ConsentWithdrawn, PatientRestricted, NotFound, BodyStalled)
@uploads.refuses(DigestConflict, SessionIdTaken, UploadOffsetWrong, UploadGone, TusVersionUnsupported)
@uploads.refuses(BodyTooLarge, InflatedTooLarge, InflationRatioExceeded)
@uploads.refuses(MediaTypeUnsupported, EncodingUnsupported, FormatUnknown, FieldInvalid, NothingUsable)
@uploads.refuses(ChecksumMismatch, StoreFull)
@uploads.doc(parameters=[_VERSION, _OFFSET, _CHECKSUM], requestBody=_BYTES)
def patch_upload(upload_id: UUID) -> Any:
    """Go on with an upload; what comes is kept, however the connection ends."""
    get_upload(services(), upload_id, scope=scope())
    tus.require_version()
    tus.require_bytes()
    offset, checksum = tus.whole_number("Upload-Offset"), tus.checksum()
    require_room(services())  # before a byte of the body is taken
    upload = receive(services(), upload_id, _body(), offset=offset, checksum=checksum, scope=scope())
    noted()  # its begin and its end are in the audit: an entry for each piece would tell nothing more
    return "", 204, _told(upload)


@uploads.route("/uploads/<uuid:upload_id>", methods=["DELETE"])
@permits("session.upload")
@uploads.answers(204)
@uploads.refuses(NotFound, UploadGone, TusVersionUnsupported)
@uploads.doc(parameters=[_VERSION])
def delete_upload(upload_id: UUID) -> Any:
    """Give an upload up: what has come of it is removed. A session that was made of it stays."""
    get_upload(services(), upload_id, scope=scope())
    tus.require_version()
    end_upload(services(), upload_id, scope=scope())
    return "", 204


def _body() -> partial[Iterator[bytes]]:
    return partial(arriving_body, within=services().settings.upload_time_limit)


def _told(upload: dict[str, Any]) -> dict[str, str]:
    told = tus.progress(upload) | {"Konectom-Status": upload["status"]}
    if upload["status"] == "stored":
        told["Konectom-Session"] = url_for("sessions.get_session_by_id", session_id=upload["session"])
    return told
