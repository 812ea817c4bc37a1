"""Several sessions in one request: a multipart body that is taken apart as it comes.

Each part is one session, whole and in memory only from its first byte until it is kept; nothing else of the batch is
held. What its part holds is exactly what ``PUT`` would have taken, so that both have the same digest.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any
from uuid import UUID

from flask import request
from werkzeug.http import parse_options_header

from konectom.api.access import principal
from konectom.api.body import received_pieces
from konectom.api.errors import MediaTypeUnsupported, document_of, failure_of
from konectom.api.limits import count
from konectom.api.multipart import Part, parts
from konectom.errors import BatchInvalid, BatchTooLong, BodyTooLarge, FieldInvalid, KonectomError
from konectom.settings import Settings
from konectom.workflows.sessions.ingest import Ingested

MOST_PARTS = 50
TYPES = ("multipart/form-data", "multipart/mixed")

Keep = Callable[[Part, UUID], Ingested]


def receive_batch(settings: Settings, keep: Keep) -> list[dict[str, Any]]:
    """Hand each part to ``keep`` as soon as it is whole; return what came of each.

    Where the body as a whole cannot be taken apart, or ends early, the error's ``stored`` says how many were kept.
    """
    outcomes: list[dict[str, Any]] = []
    try:
        boundary = _boundary()
        pieces = received_pieces(settings.max_batch_bytes, settings.upload_time_limit)
        with closing(pieces):  # type: ignore[type-var]  # it is a generator
            for part in parts(pieces, boundary, settings.max_body_bytes):
                if part.index == MOST_PARTS:
                    raise BatchTooLong(f"at most {MOST_PARTS} sessions may come at once", at=f"/sessions/{MOST_PARTS}")
                outcomes.append(_outcome(part, keep, settings))
    except KonectomError as error:
        error.context["stored"] = sum("receipt" in each for each in outcomes)
        raise
    return outcomes


def _boundary() -> bytes:
    kind, options = parse_options_header(request.content_type or "")
    if kind.lower() not in TYPES:
        raise MediaTypeUnsupported(f"This address reads {' and '.join(TYPES)}.")
    try:
        boundary = options.get("boundary", "").encode("ascii")
    except UnicodeEncodeError:
        boundary = b""
    if not 1 <= len(boundary) <= 200:
        raise BatchInvalid("the Content-Type tells no boundary")
    return boundary


def _outcome(part: Part, keep: Keep, settings: Settings) -> dict[str, Any]:
    session_id = _session_id(part.name)
    told: dict[str, Any] = {"id": None if session_id is None else str(session_id)}
    try:
        if part.index:  # the first was counted with the request
            count(principal().kind, principal().id)
        if session_id is None:
            raise FieldInvalid("the part's name must be the session's id, a UUID", at="")
        if part.body is None:
            most = settings.max_body_bytes
            raise BodyTooLarge(f"the session has more than {most} bytes", at="", limit_bytes=most)
        kept = keep(part, session_id)
    except KonectomError as error:
        return told | _refused(part, error)
    except Exception as raised:  # what fails for one session, through a fault of ours, must not cost the others
        return told | _refused(part, failure_of(raised))
    return told | {"status": 201 if kept.created else 200, "receipt": kept.receipt}


def _refused(part: Part, error: KonectomError) -> dict[str, Any]:
    error.at = f"/sessions/{part.index}{error.at or ''}"
    return {"status": error.status, "error": document_of(error, request.path)}


def _session_id(name: str | None) -> UUID | None:
    try:
        return UUID(name or "")
    except ValueError:
        return None
