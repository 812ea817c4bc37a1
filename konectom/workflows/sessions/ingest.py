"""An upload, from bytes to receipt. What came of its recordings is computed at once, or later by workers.

A body that is refused makes no session, even where another, at the same instant, took its id; where consent lets them
be kept, its bytes wait in quarantine (:mod:`konectom.workflows.sessions.holding`). One that is accepted is on the disk,
whole and as it came but for being sealed under its patient's key, before the database says that it is there. Where the
rows then cannot be written, for whatever reason, the object is taken back; where that fails as well, or the process
dies in between, an object is left that no row speaks of, which :mod:`konectom.workflows.sessions.sweeping` removes
after a day. Sending again puts all right. The same session sent again, at once or years later, is the same session.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Select, bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as DbSession

from konectom import formats
from konectom.errors import (
    BodyTooLarge,
    DigestConflict,
    KonectomError,
    NotFound,
    NothingUsable,
    SessionIdTaken,
    StoreUnavailable,
    error_class,
)
from konectom.metrics import UPLOAD_BYTES, UPLOADS
from konectom.recording import Recording, Rejected, Session
from konectom.security.sealing import Digested
from konectom.storage.models import Device, SessionRow
from konectom.storage.postgres import gave_way
from konectom.workflows.consent.collecting import Agreed
from konectom.workflows.patients.patient_keys import patient_key
from konectom.workflows.services import Services
from konectom.workflows.sessions.holding import HOLDABLE, hold
from konectom.workflows.sessions.keep import ATTEMPTS, Outcomes, keep_session, log_outcomes, take_back, times_of
from konectom.workflows.sessions.process import Extracted, Failed, extract_session
from konectom.workflows.sessions.raw import SealedFile, SealedUpload, sealed_upload
from konectom.workflows.sessions.receipts import session_receipt

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ingested:
    """The receipt, and whether the session is new."""

    created: bool
    receipt: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What was sent, under which id, for whom, by which phone (None: by staff).

    ``release``, for what was held, lets go of it with the session's rows, or raises where another has done so.
    """

    session_id: UUID
    patient_id: UUID
    device_id: UUID | None
    size_bytes: int
    encoding: str | None
    media_type: str | None
    digest: str
    held_since: datetime | None = None
    release: Callable[[DbSession], None] | None = None


def ingest_session(
    services: Services,
    *,
    session_id: UUID,
    patient_id: UUID,
    device_id: UUID | None = None,
    body: bytes,
    encoding: str | None = None,
    media_type: str | None = None,
) -> Ingested:
    """Keep a session and return its receipt; see the module.

    ``body`` is as it was received, still compressed; its sha256 is the session's digest. Raises
    :class:`~konectom.errors.BodyError` and :class:`~konectom.errors.DataError` for what cannot be used,
    :class:`DigestConflict` and :class:`SessionIdTaken` where the id stands for something else, :class:`NotFound`
    for a patient or device that does not exist; :class:`~konectom.errors.ConsentMissing`,
    :class:`~konectom.errors.ConsentWithdrawn` and :class:`~konectom.errors.PatientRestricted` where data of a type may
    not be collected. What is stored already is answered by its receipt, whatever was decided since. The ``context`` of
    an error that :data:`HOLDABLE` names tells as ``kept`` under which id the bytes are in quarantine, None if they are
    not.
    """
    most = services.settings.max_body_bytes
    if len(body) > most:
        raise BodyTooLarge(f"the body has {len(body)} bytes; at most {most} are accepted")
    whole = Digested(body)
    upload = Upload(
        session_id=session_id,
        patient_id=patient_id,
        device_id=device_id,
        size_bytes=len(body),
        encoding=encoding,
        media_type=media_type,
        digest=whole.digest.hex(),
    )
    try:
        kept = receive(services, upload, whole)
    except KonectomError as error:
        UPLOADS.add(outcome=error.code)
        if isinstance(error, HOLDABLE):
            error.context["kept"] = hold(services, upload, whole, error)
        raise
    if not kept.created:
        UPLOADS.add(outcome="repeated")
    return kept


def receive(services: Services, upload: Upload, body: Digested) -> Ingested:
    """Keep a session, or raise as :func:`ingest_session` does, and hold nothing."""
    with services.db.read() as db:
        agreed, receipt = _stored(db, upload)
        if receipt is not None:
            return Ingested(False, receipt)
        key = patient_key(services, db, upload.patient_id)
    later = services.settings.processing == "workers"
    understand = formats.outline if later else formats.read
    how = {"encoding": upload.encoding, "media_type": upload.media_type}
    session = understand(body.data, **how, limits=services.settings.limits)
    require_fit(upload, agreed, session)
    outcomes = None if later else _computed(session)
    if outcomes is not None:
        _refuse_if_nothing_usable(outcomes)
    return store(services, upload, sealed_upload(key, body), session, outcomes)


def require_fit(upload: Upload, agreed: Agreed, session: Session) -> None:
    """Raise where what was read does not go under this id, or may not be collected, or is of no time that there is."""
    if session.id not in (None, upload.session_id):
        raise SessionIdTaken(
            f"the body carries the session id {session.id}; send it under that id", at=_id_at(session.format)
        )
    agreed.require(session)
    times_of(session)  # refuses what no calendar holds, while nothing is kept yet


def store(
    services: Services,
    upload: Upload,
    sealed: SealedUpload | SealedFile,
    session: Session,
    outcomes: Outcomes | None,
) -> Ingested:
    """Keep a session that may be kept; without ``outcomes`` it waits to be computed, and what is known is outlined."""
    if outcomes is None:
        _refuse_if_nothing_usable(session.recordings)
    try:
        sealed.keep(services.objects)
        return _keep(services, upload, sealed, session, outcomes)
    except BaseException:
        take_back(services, sealed)
        raise


def _computed(session: Session) -> Outcomes | None:
    """Return what comes of a session; None where there is too little memory for it just now, so that it has to wait."""
    try:
        return extract_session(session)
    except MemoryError:
        log.error("session.postponed", reason="MemoryError")
        return None


def _id_at(form: str) -> str | None:
    """Return where a document of this format carries the session's id, where that is one place."""
    return {"konectom2": "/header/id", "ads": "/uuid"}.get(form.partition("/")[0])


def stored_receipt(services: Services, upload: Upload) -> tuple[Agreed, dict[str, Any] | None]:
    """Return what the patient agreed to, and the session's receipt if it is stored; raises where its id is taken."""
    with services.db.read() as db:
        return _stored(db, upload)


def _stored(db: DbSession, upload: Upload) -> tuple[Agreed, dict[str, Any] | None]:
    agreed = Agreed.of(db, upload.patient_id)
    withheld = agreed.withheld
    asked = {"device": upload.device_id, "session": upload.session_id}
    whose, stored = db.connection().execute(_KNOWN, asked).one()
    if upload.device_id is not None and whose != upload.patient_id:
        raise NotFound("the patient has no such device")
    if stored is None:
        return agreed, None
    row = db.get_one(SessionRow, upload.session_id)
    if row.patient_id != upload.patient_id:
        raise SessionIdTaken("this session id is not available; use another")
    if row.digest != upload.digest:
        raise DigestConflict(
            "this session is stored already, with other bytes; what is stored is never changed",
            stored=f"sha256:{row.digest}",
            received=f"sha256:{upload.digest}",
        )
    return agreed, session_receipt(db, row, withheld)


_KNOWN: Select[UUID | None, UUID | None] = select(
    select(Device.patient_id).where(Device.id == bindparam("device")).scalar_subquery(),
    select(SessionRow.id).where(SessionRow.id == bindparam("session")).scalar_subquery(),
)
"""Whose the phone is, and whether the session is stored; made once, since an upload waits for it."""


def _keep(
    services: Services,
    upload: Upload,
    sealed: SealedUpload | SealedFile,
    session: Session,
    outcomes: Outcomes | None,
) -> Ingested:
    for attempt in range(ATTEMPTS):
        try:
            receipt = keep_session(services, upload, sealed, session, outcomes)
            break
        except (IntegrityError, StoreUnavailable) as error:
            if not isinstance(error, IntegrityError) and not gave_way(error):
                raise
            # Another request kept the same session first, or a row that both needed (a blob, a measure).
            _, stored = stored_receipt(services, upload)
            if stored is not None:
                return Ingested(False, stored)
            if attempt == ATTEMPTS - 1:
                raise
    _tell(upload, session, outcomes)
    return Ingested(True, receipt)


def _refuse_if_nothing_usable(outcomes: Sequence[Recording | Extracted | Rejected | Failed]) -> None:
    """Raise where every recording is rejected: with the reason itself, if it is one for all."""
    rejected = [each.error for each in outcomes if isinstance(each, Rejected)]
    if len(rejected) < len(outcomes):
        return
    if len({error["code"] for error in rejected}) == 1:
        first = dict(rejected[0])
        raise error_class(first.pop("code"))(first.pop("detail"), at=first.pop("at", None), **first)
    listed = [{"index": index} | dict(error) for index, error in enumerate(rejected)]
    raise NothingUsable("not one recording of the session can be used", at="/recordings", recordings=listed)


def _tell(upload: Upload, session: Session, outcomes: Outcomes | None) -> None:
    # Without the session's id: the log outlives an erasure. The request's leads to it, by the audit.
    UPLOADS.add(outcome="created")
    UPLOAD_BYTES.add(upload.size_bytes)
    log.info("session.stored", format=session.format, recordings=len(session.recordings), size_bytes=upload.size_bytes)
    if outcomes is not None:
        log_outcomes(outcomes)
