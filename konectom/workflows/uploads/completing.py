"""An upload that is whole becomes a session: the same as if it had come in one request.

Whoever brings the last byte makes it. Where that was cut off, whoever asks next does, or the sweep; two who do it at
once keep one session, for its bytes and its id are the same. The pieces go when the session is there.

What is as small as a request may be is ingested as such; what is larger is never in memory
(:mod:`konectom.workflows.sessions.ingest_large`).
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from functools import partial
from typing import Any, BinaryIO, cast
from uuid import UUID

from konectom.errors import (
    AccessError,
    BodyError,
    ChecksumMismatch,
    ConflictError,
    DataError,
    KonectomError,
)
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import Upload
from konectom.workflows.services import Services
from konectom.workflows.sessions import ingest
from konectom.workflows.sessions.ingest_large import ingest_large
from konectom.workflows.uploads.opening import (
    OPEN,
    STORED,
    close_upload,
    find_upload,
    get_upload,
    refuse_upload,
    show_upload,
)
from konectom.workflows.uploads.pieces import Whole, contents, key_of, pieces_of

CLAIMED_FOR = timedelta(minutes=10)
"""After what time somebody else makes a session of it: who began is taken to have been cut off."""

FINAL = (BodyError, DataError, AccessError, ConflictError, ChecksumMismatch)
"""Errors of which no repetition makes anything else. What an operator has to mend is tried again."""


def complete_upload(services: Services, upload_id: UUID) -> dict[str, Any]:
    """Make a session of an upload that is whole, unless that was done, or is being done; return how it stands then.

    Raises what :func:`~konectom.workflows.sessions.ingest.ingest_session` does, and :class:`ChecksumMismatch` where the
    whole has not the digest that was told; then the upload is refused.
    """
    row = _claim(services, upload_id)
    if row is not None:
        try:
            _keep(services, row)
        except FINAL as error:
            refuse_upload(services, upload_id, error)
            raise
        except BaseException:
            _release(services, row)
            raise
        close_upload(services, upload_id, STORED)
    with services.db.read() as db:
        return show_upload(find_upload(db, upload_id))


def look_at_upload(services: Services, upload_id: UUID, *, scope: Scope = EVERYTHING) -> dict[str, Any]:
    """Return how far an upload has come, as :func:`get_upload`; one that is whole becomes a session first."""
    upload = get_upload(services, upload_id, scope=scope)
    if upload["status"] == OPEN and upload["offset"] == upload["length"]:
        return complete_upload(services, upload_id)
    return upload


def _claim(services: Services, upload_id: UUID) -> Upload | None:
    """Return the upload's row if it is to be made a session here."""
    now = services.clock()
    with services.db.write() as db:
        row = find_upload(db, upload_id, lock=True)
        busy = row.claimed_until is not None and row.claimed_until > now
        if row.status != OPEN or row.offset < row.length or busy:
            return None
        row.claimed_until, row.writer = now + CLAIMED_FOR, None
        db.flush()
        db.expunge_all()
    return row


def _release(services: Services, row: Upload) -> None:
    """Let the next one who asks try at once."""
    try:
        with services.db.write() as db:
            held = find_upload(db, row.id, lock=True)
            if held.claimed_until == row.claimed_until:
                held.claimed_until = None
    except KonectomError:  # the database is what failed: the claim ends by itself
        return


def _keep(services: Services, row: Upload) -> None:
    key = key_of(services, row.patient_id)
    pieces = pieces_of(services, row.id)
    if row.length <= services.settings.max_body_bytes:
        body = b"".join(contents(services, key, pieces))
        _require_digest(row, hashlib.sha256(body).hexdigest())
        ingest.ingest_session(
            services,
            session_id=row.session_id,
            patient_id=row.patient_id,
            device_id=row.device_id,
            body=body,
            encoding=row.encoding,
            media_type=row.media_type,
        )
        return
    digest = hashlib.sha256()
    for piece in contents(services, key, pieces):
        digest.update(piece)
    _require_digest(row, digest.hexdigest())
    upload = ingest.Upload(
        session_id=row.session_id,
        patient_id=row.patient_id,
        device_id=row.device_id,
        size_bytes=row.length,
        encoding=row.encoding,
        media_type=row.media_type,
        digest=digest.hexdigest(),
    )
    file = cast("BinaryIO", Whole(services, key, pieces))
    ingest_large(services, upload, file, partial(contents, services, key, pieces))


def _require_digest(row: Upload, digest: str) -> None:
    if row.digest not in (None, digest):
        raise ChecksumMismatch(
            "the whole does not have the digest that was told when it was begun",
            told=f"sha256:{row.digest}",
            received=f"sha256:{digest}",
        )
