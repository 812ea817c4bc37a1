"""Uploads are begun, shown, refused and ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from konectom.errors import (
    BodyTooLarge,
    DigestConflict,
    FieldInvalid,
    KonectomError,
    NotFound,
    SessionIdTaken,
    UploadGone,
    UploadsTooMany,
    error_class,
)
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import Device, PatientKey, SessionRow, Upload
from konectom.workflows.consent.collecting import Agreed
from konectom.workflows.pages import told
from konectom.workflows.patients.people import find_patient, require_patient
from konectom.workflows.services import Services
from konectom.workflows.uploads.pieces import remove_pieces

OPEN, STORED, REFUSED, ENDED, EXPIRED = "open", "stored", "refused", "ended", "expired"
ABSENT = "there is no such upload"
FULL_RETRY_AFTER_S = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be handed over: ``told`` are the metadata as they were sent, ``digest`` the sha256 if it was told."""

    session_id: UUID
    patient_id: UUID
    device_id: UUID | None
    length: int
    told: str
    media_type: str | None = None
    encoding: str | None = None
    digest: str | None = None


def open_upload(services: Services, wanted: Wanted) -> dict[str, Any]:
    """Begin an upload; one of the same session by the same phone, that is not whole, ends.

    A phone that did not hear of the first one's begin has no use for it. Raises :class:`BodyTooLarge`,
    :class:`UploadsTooMany`, :class:`SessionIdTaken` and :class:`DigestConflict` where that is known already,
    :class:`NotFound` for a patient or device that is not there, and what :meth:`Agreed.require_any` raises.
    """
    most = services.settings.max_upload_bytes
    if wanted.length > most:
        raise BodyTooLarge(f"the upload has {wanted.length} bytes; at most {most} are accepted", limit_bytes=most)
    if wanted.length == 0:
        raise FieldInvalid("no session is empty", at="/headers/Upload-Length")
    with services.db.write() as db:
        # Locked for all: two that begin at the same instant are counted one after the other.
        db.get(PatientKey, wanted.patient_id, with_for_update=True)
        find_patient(db, wanted.patient_id, lock=True)
        Agreed.of(db, wanted.patient_id).require_any()
        _require_own_device(db, wanted)
        _require_free(db, wanted)
        replaced = _replaced(db, wanted)
        _require_room(services, db, wanted)
        row = _row(services, wanted)
        db.add(row)
        answer = show_upload(row)
    for upload_id in replaced:
        remove_pieces(services, upload_id)
    return answer


def get_upload(services: Services, upload_id: UUID, *, scope: Scope = EVERYTHING) -> dict[str, Any]:
    """Return how far an upload has come; raises as :func:`require_open`, but for one that is stored."""
    with services.db.read() as db:
        row = find_upload(db, upload_id)
        answer = show_upload(row)
    require_reach(services, row, scope)
    require_going_on(services, row)
    return answer


def end_upload(services: Services, upload_id: UUID, *, scope: Scope = EVERYTHING) -> None:
    """Give an upload up, and remove what has come of it; a session that was made of it stays."""
    with services.db.read() as db:
        row = find_upload(db, upload_id)
    require_reach(services, row, scope)
    require_going_on(services, row, agreed=False)
    close_upload(services, upload_id, ENDED)


def find_upload(db: Session, upload_id: UUID, *, lock: bool = False) -> Upload:
    """Return an upload's row; raises :class:`NotFound`."""
    row = db.get(Upload, upload_id, with_for_update=lock, populate_existing=lock)
    if row is None:
        raise NotFound(ABSENT)
    return row


def require_reach(services: Services, row: Upload, scope: Scope) -> None:
    """Raise :class:`NotFound` unless the upload is of a patient within ``scope``."""
    try:
        require_patient(services, row.patient_id, scope=scope)
    except NotFound:
        raise NotFound(ABSENT) from None


def require_going_on(services: Services, row: Upload, *, agreed: bool = True) -> None:
    """Raise unless the upload goes on, or has become a session: the error for which it was refused, or else.

    :class:`UploadGone` where it was ended, or its time was over before it was whole. Where the patient's data may not
    be collected any more, it is refused, and what has come of it removed.
    """
    if row.status == REFUSED:
        raise fault_of(row)
    late = row.status == OPEN and row.offset < row.length and row.expires_at <= services.clock()
    if row.status in (ENDED, EXPIRED) or late:
        raise UploadGone("this upload was given up" if row.status == ENDED else "the time of this upload is over")
    if row.status == OPEN and agreed:
        try:
            with services.db.read() as db:
                Agreed.of(db, row.patient_id).require_any()
        except KonectomError as error:
            refuse_upload(services, row.id, error)
            raise


def refuse_upload(services: Services, upload_id: UUID, error: KonectomError) -> None:
    """Let an upload go on no more, for a reason that is told to whoever asks, and remove what has come of it."""
    close_upload(services, upload_id, REFUSED, error)


def close_upload(services: Services, upload_id: UUID, status: str, error: KonectomError | None = None) -> None:
    """Let nothing be added to an upload any more; an open one gets this status, and what has come of it is removed.

    One that is whole does not expire, even if its last byte came just now.
    """
    with services.db.write() as db:
        row = db.get(Upload, upload_id, with_for_update=True)
        if status == EXPIRED and row is not None and row.status == OPEN and row.offset == row.length:
            return
        if row is not None and (row.status == OPEN or status == ENDED):
            row.status, row.writer, row.claimed_until = status, None, None
            row.fault = None if error is None else error.as_dict()
    remove_pieces(services, upload_id)


def fault_of(row: Upload) -> KonectomError:
    """Return the error for which an upload was refused."""
    fault = dict(row.fault or {"code": "upload_gone", "detail": "this upload was refused"})
    return error_class(fault.pop("code"))(fault.pop("detail"), at=fault.pop("at", None), **fault)


def show_upload(row: Upload) -> dict[str, Any]:
    """Return an upload as it stands on the wire."""
    return {
        "id": str(row.id),
        "session": str(row.session_id),
        "patient": str(row.patient_id),
        "offset": row.offset,
        "length": row.length,
        "status": row.status,
        "metadata": row.told,
        "expires_at": told(row.expires_at),
    }


def _row(services: Services, wanted: Wanted) -> Upload:
    now = services.clock()
    return Upload(
        id=uuid4(),
        patient_id=wanted.patient_id,
        device_id=wanted.device_id,
        session_id=wanted.session_id,
        told=wanted.told,
        media_type=wanted.media_type,
        encoding=wanted.encoding,
        digest=wanted.digest,
        length=wanted.length,
        offset=0,
        created_at=now,
        expires_at=now + services.settings.upload_lifetime,
        status=OPEN,
    )


def _require_own_device(db: Session, wanted: Wanted) -> None:
    if wanted.device_id is None:
        return
    device = db.get(Device, wanted.device_id)
    if device is None or device.patient_id != wanted.patient_id:
        raise NotFound("the patient has no such device")


def _require_free(db: Session, wanted: Wanted) -> None:
    row = db.get(SessionRow, wanted.session_id)
    if row is None:
        return
    if row.patient_id != wanted.patient_id:
        raise SessionIdTaken("this session id is not available; use another")
    if wanted.digest is not None and row.digest != wanted.digest:
        raise DigestConflict(
            "this session is stored already, with other bytes; what is stored is never changed",
            stored=f"sha256:{row.digest}",
            received=f"sha256:{wanted.digest}",
        )


def _replaced(db: Session, wanted: Wanted) -> list[UUID]:
    """End the uploads of the same session by the same sender that are not whole, and return their ids."""
    going_on = (Upload.status == OPEN) & (Upload.offset < Upload.length)
    same = (Upload.patient_id == wanted.patient_id, Upload.session_id == wanted.session_id, going_on)
    rows = db.scalars(select(Upload).where(*same, Upload.device_id.is_not_distinct_from(wanted.device_id))).all()
    for row in rows:
        row.status, row.writer, row.claimed_until = ENDED, None, None
    db.flush()
    return [row.id for row in rows]


def _require_room(services: Services, db: Session, wanted: Wanted) -> None:
    settings = services.settings
    unfinished = (Upload.patient_id == wanted.patient_id, Upload.status == OPEN, Upload.expires_at > services.clock())
    count, size = db.execute(select(func.count(), func.coalesce(func.sum(Upload.length), 0)).where(*unfinished)).one()
    if count >= settings.max_open_uploads:
        raise UploadsTooMany(
            f"{count} uploads of this patient are not whole yet; finish or end one", retry_after_s=FULL_RETRY_AFTER_S
        )
    if size + wanted.length > settings.max_unfinished_bytes:
        raise UploadsTooMany(
            f"at most {settings.max_unfinished_bytes} bytes of a patient may be in uploads that are not whole yet",
            retry_after_s=FULL_RETRY_AFTER_S,
        )
