"""What is in quarantine, row by row: found, told, and let go of, by staff or when its time is over."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from konectom.errors import FieldMissing, NotFound, QuarantineEnded
from konectom.security.acting import because
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.guard import removing
from konectom.storage.models import Blob, Patient, QuarantineRow
from konectom.storage.scopes import patients_in
from konectom.workflows.pages import id_if_any, told, told_if_any
from konectom.workflows.patients.people import checked_text, find_patient
from konectom.workflows.services import Services
from konectom.workflows.sessions.blobs import is_unused
from konectom.workflows.sessions.holding import DISCARDED, HELD, RELEASED
from konectom.workflows.sessions.keep import remove_orphan

log = structlog.get_logger()


def discard(services: Services, quarantine_id: UUID, *, reason: str, scope: Scope = EVERYTHING) -> dict[str, Any]:
    """Let the bytes of an upload go, for good, and return what is left of it; a second time changes nothing.

    ``reason`` stands in the audit. Raises :class:`NotFound`, :class:`FieldMissing` at ``/reason``, and
    :class:`QuarantineEnded` for one that was released.
    """
    with services.db.read() as db:
        patient_id = find_row(db, quarantine_id, scope, services.clock())[0].patient_id
    if not reason.strip():
        raise FieldMissing("say why it is discarded", at="/reason")
    with because(checked_text(reason, "reason")):
        return _discard(services, quarantine_id, patient_id)


def sweep_quarantine(services: Services, *, most: int = 1000) -> int:
    """Discard what is held longer than the settings say, ``most`` at a time; return how many."""
    before = services.clock() - services.settings.quarantine_retention
    overdue = select(QuarantineRow.id, QuarantineRow.patient_id).where(
        QuarantineRow.state == HELD, QuarantineRow.received_at < before
    )
    with services.db.read() as db:
        found = db.execute(overdue.order_by(QuarantineRow.received_at).limit(most)).all()
    for quarantine_id, patient_id in found:
        try:
            _discard(services, quarantine_id, patient_id)
        except (NotFound, QuarantineEnded):  # erased or released meanwhile
            continue
    if found:
        log.warning("quarantine.swept", uploads=len(found))
    return len(found)


def show(row: QuarantineRow) -> dict[str, Any]:
    """Return an upload in quarantine as staff are told of it."""
    return show_brief(row) | {
        "patient": str(row.patient_id),
        "device": id_if_any(row.device_id),
        "size_bytes": row.size_bytes,
        "content_type": row.media_type,
        "content_encoding": row.encoding,
        "at": row.at,
        "detail": row.detail,
        "ended_at": told_if_any(row.ended_at),
    }


def show_brief(row: QuarantineRow) -> dict[str, Any]:
    """Return an upload in quarantine as a phone is told of it."""
    return {
        "id": str(row.id),
        "session": str(row.session_id),
        "digest": f"sha256:{row.digest}",
        "state": row.state,
        "code": row.code,
        "received_at": told(row.received_at),
        "released_as": id_if_any(row.released_as),
    }


def find_row(db: Session, quarantine_id: UUID, scope: Scope, now: datetime) -> tuple[QuarantineRow, Patient]:
    """Return an upload in quarantine and its patient; raises :class:`NotFound` for one outside of ``scope``."""
    within = (
        select(QuarantineRow, Patient)
        .join(Patient, Patient.id == QuarantineRow.patient_id)
        .where(QuarantineRow.id == quarantine_id, patients_in(scope, now))
    )
    found = db.execute(within).one_or_none()
    if found is None:
        raise NotFound("there is no such upload in quarantine")
    return found[0], found[1]


def _discard(services: Services, quarantine_id: UUID, patient_id: UUID) -> dict[str, Any]:
    unused: list[str] = []
    with services.db.write() as db:
        row = locked_row(db, quarantine_id, patient_id)
        if row.state == RELEASED:
            raise QuarantineEnded("the upload was released", session=str(row.released_as))
        if row.state == HELD and row.object is not None:
            unused.append(row.object)
            row.state, row.ended_at, row.object = DISCARDED, services.clock(), None
            db.flush()
            # Whoever keeps the same bytes just now holds the row: is waited for, and seen by the next statement.
            db.scalars(select(Blob.object).where(Blob.object.in_(unused)).with_for_update()).all()
            with removing(db):
                gone = delete(Blob).where(Blob.object.in_(unused), is_unused()).returning(Blob.object)
                unused = list(db.scalars(gone, execution_options={"synchronize_session": False}))
        shown = show(row)
    for name in unused:
        remove_orphan(services, name)  # where that fails, the object is left for the sweep, and nobody reads it
    return shown


def locked_row(db: Session, quarantine_id: UUID, patient_id: UUID) -> QuarantineRow:
    """Return a row that nobody else changes now; in the same order as uploads do: the patient first."""
    find_patient(db, patient_id, lock=True)
    row = db.get(QuarantineRow, quarantine_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("there is no such upload in quarantine")
    return row
