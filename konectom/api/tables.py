"""Tables as downloads: the form that the caller wants, streamed, under a file name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from flask import Response, current_app, request

FormT = TypeVar("FormT", bound=str)

MEDIA_TYPES = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "json": "application/json",
    "zip": "application/zip",
    "ndjson": "application/x-ndjson",
}

BYTES = {"type": "string", "format": "binary"}
ROWS = {"type": "object", "properties": {"items": {"type": "array", "items": {"type": "object"}}}}
"""Tables in the OpenAPI document."""


def form_wanted(told: str | None, offered: Sequence[FormT]) -> FormT:
    """Return the form that the query told, else the one that Accept likes best, else the first offered."""
    by_type = {MEDIA_TYPES[form]: form for form in offered}
    liked = request.accept_mimetypes.best_match(list(by_type)) or MEDIA_TYPES[offered[0]]
    return next((form for form in offered if form == told), by_type[liked])


def download(content: bytes | Iterable[bytes], form: str, name: str) -> Response:
    """Return the content as a file ``name.form``; an iterable is sent piece by piece, as it is made."""
    response = current_app.response_class(content, mimetype=MEDIA_TYPES[form])
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    response.headers["Vary"] = "Accept"
    return response
