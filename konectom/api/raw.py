"""Raw uploads as downloads: the bytes as they came, still compressed, with what they were declared to be."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app

from konectom.api.noting import shown_of
from konectom.workflows.sessions.raw import Raw

BYTES = {"type": "string", "format": "binary"}
MEDIA_TYPE = "application/octet-stream"
"""Neither type nor encoding are those of the upload: whoever fetches it must get the bytes of the digest."""

DECLARED = ("Upload-Content-Type", "Upload-Content-Encoding")
HEADERS: dict[str, Any] = {
    "ETag": {"schema": {"type": "string"}, "description": "The digest of these bytes, in quotes."},
    DECLARED[0]: {"schema": {"type": "string"}, "description": "The Content-Type under which they came, if any."},
    DECLARED[1]: {"schema": {"type": "string"}, "description": "The Content-Encoding under which they came, if any."},
}


def raw_download(raw: Raw, name: str) -> Response:
    """Return an upload as a file, sent piece by piece, and tell the audit whose it is."""
    shown_of(raw.patient_id)
    response = current_app.response_class(raw.pieces, mimetype=MEDIA_TYPE)
    response.call_on_close(raw.close)
    response.content_length = raw.size_bytes
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["ETag"] = f'"sha256:{raw.digest}"'
    for header, declared in zip(DECLARED, (raw.media_type, raw.encoding), strict=True):
        if declared and declared.isascii() and declared.isprintable():
            response.headers[header] = declared
    return response
