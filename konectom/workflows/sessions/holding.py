"""Quarantine: the bytes of an upload that was refused, held so that nothing is lost that a person did.

What this version cannot read, the next one may; what was sent under a wrong id can be taken under another. The bytes
are sealed under their patient's key, and are the same object as a session of the same bytes. Only what came whole is
held, and only where the patient's consent covers whatever may be in it
(:meth:`~konectom.workflows.consent.collecting.Agreed.lets_hold`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import uuid4

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as DbSession

from konectom import formats
from konectom.errors import (
    BodyError,
    DataError,
    DigestConflict,
    ExtraMissing,
    KonectomError,
    SessionIdTaken,
    StoreUnavailable,
)
from konectom.recording import Session
from konectom.security.sealing import Digested
from konectom.storage.models import PatientKey, QuarantineRow
from konectom.storage.postgres import gave_way
from konectom.workflows.consent.collecting import Agreed
from konectom.workflows.patients.patient_keys import patient_key
from konectom.workflows.patients.people import find_patient
from konectom.workflows.services import Services
from konectom.workflows.sessions.arrivals import next_arrival
from konectom.workflows.sessions.keep import ATTEMPTS, keep_blob, plain_text, take_back
from konectom.workflows.sessions.large import outline_large
from konectom.workflows.sessions.raw import SealedFile, SealedUpload, sealed_file, sealed_upload

if TYPE_CHECKING:
    from konectom.workflows.sessions.ingest import Upload

log = structlog.get_logger()

HOLDABLE = (BodyError, DataError, DigestConflict, SessionIdTaken, ExtraMissing)
"""Why an upload that came whole may be held: its bytes, or the id under which they came, cannot be used as they are."""

Sealed = SealedUpload | SealedFile

HELD, RELEASED, DISCARDED = STATES = ("held", "released", "discarded")


def hold(services: Services, upload: Upload, body: Digested, error: KonectomError) -> dict[str, Any] | None:
    """Hold what was refused and return how the sender is told, None where it is not held.

    The same bytes under the same id are held once. Raises :class:`~konectom.errors.StoreUnavailable` where they cannot
    be written, so that the sender comes again, and :class:`~konectom.errors.NotFound` where the patient is gone.
    """
    if not body.data:
        return None
    how = {"encoding": upload.encoding, "media_type": upload.media_type}
    sitting = _told(lambda: formats.outline(body.data, limits=services.settings.limits, **how))
    return _hold(services, upload, error, sitting, lambda key: nullcontext(sealed_upload(key, body)))


def hold_large(
    services: Services, upload: Upload, file: BinaryIO, pieces: Callable[[], Iterator[bytes]], error: KonectomError
) -> dict[str, Any] | None:
    """Hold what was refused as :func:`hold` does, in bounded memory: it is in ``file``, and what ``pieces`` yields."""
    file.seek(0)
    sitting = _told(lambda: outline_large(services, file, upload.media_type))
    digest = bytes.fromhex(upload.digest)
    return _hold(services, upload, error, sitting, lambda key: sealed_file(services, key, digest, pieces()))


def _hold(
    services: Services,
    upload: Upload,
    error: KonectomError,
    sitting: Session | None,
    seal: Callable[[bytes], AbstractContextManager[Sealed]],
) -> dict[str, Any] | None:
    with services.db.read() as db:
        known = _known(db, upload)
        if known is not None:
            return told_as_kept(known)
        if not _lets_hold(services, db, upload, sitting):
            return None
        key = patient_key(services, db, upload.patient_id)
    with seal(key) as sealed:
        try:
            sealed.keep(services.objects)
            kept = _written(services, upload, error, sealed, sitting)
        except BaseException:
            take_back(services, sealed)
            raise
        if kept is None:
            take_back(services, sealed)
        return kept


def told_as_kept(row: QuarantineRow) -> dict[str, Any] | None:
    """Return what the sender is told of an upload in quarantine; None of one that was discarded."""
    if row.state == DISCARDED:
        return None
    released = {} if row.released_as is None else {"session": str(row.released_as)}
    return {"id": str(row.id), "digest": f"sha256:{row.digest}"} | released


def _written(
    services: Services, upload: Upload, error: KonectomError, sealed: Sealed, sitting: Session | None
) -> dict[str, Any] | None:
    """Write, once more where another wrote the same row (of the same bytes) at the same instant, or let go of it."""
    for _ in range(ATTEMPTS - 1):
        try:
            return _write(services, upload, error, sealed, sitting)
        except (IntegrityError, StoreUnavailable) as fault:
            if not isinstance(fault, IntegrityError) and not gave_way(fault):
                raise
    return _write(services, upload, error, sealed, sitting)


def _write(
    services: Services, upload: Upload, error: KonectomError, sealed: Sealed, sitting: Session | None
) -> dict[str, Any] | None:
    now = services.clock()
    with services.db.write() as db:
        # Locked for all: of two that are held at the same instant the second counts the first.
        db.get(PatientKey, upload.patient_id, with_for_update=True)
        # Whoever erases or restricts the patient, or withdraws consent, has done so, or waits until this is held.
        find_patient(db, upload.patient_id, lock=True)
        known = _known(db, upload)
        if known is not None:
            return told_as_kept(known)
        if not _lets_hold(services, db, upload, sitting):
            return None
        keep_blob(services, db, sealed, upload.size_bytes, now)
        row = QuarantineRow(
            id=uuid4(),
            patient_id=upload.patient_id,
            device_id=upload.device_id,
            session_id=upload.session_id,
            digest=upload.digest,
            object=sealed.name,
            size_bytes=upload.size_bytes,
            media_type=plain_text(upload.media_type),
            encoding=plain_text(upload.encoding),
            received_at=now,
            code=error.code,
            at=plain_text(error.at),
            detail=plain_text(error.detail),
            state=HELD,
        )
        db.add(row)
        row.arrival = next_arrival(db)
        kept = told_as_kept(row)
    log.info("upload.held", code=error.code, size_bytes=upload.size_bytes)
    return kept


def _known(db: DbSession, upload: Upload) -> QuarantineRow | None:
    of = QuarantineRow.patient_id == upload.patient_id, QuarantineRow.session_id == upload.session_id
    return db.scalars(select(QuarantineRow).where(*of, QuarantineRow.digest == upload.digest)).one_or_none()


def _lets_hold(services: Services, db: DbSession, upload: Upload, sitting: Session | None) -> bool:
    return Agreed.of(db, upload.patient_id).lets_hold(sitting) and _has_room(services, db, upload)


def _has_room(services: Services, db: DbSession, upload: Upload) -> bool:
    settings = services.settings
    held = select(func.count(), func.coalesce(func.sum(QuarantineRow.size_bytes), 0)).where(
        QuarantineRow.patient_id == upload.patient_id, QuarantineRow.state == HELD
    )
    count, size_bytes = db.execute(held).one()
    size_bytes += upload.size_bytes
    if count < settings.quarantine_max_count and size_bytes <= settings.quarantine_max_bytes:
        return True
    log.warning("quarantine.full", held=count, size_bytes=size_bytes)
    return False


def _told(outline: Callable[[], Session]) -> Session | None:
    """Return what can be told of the session without its samples; None where nothing can."""
    try:
        return outline()
    except HOLDABLE:
        return None
