"""What is held in quarantine: looked at, tried again with the readers of now, discarded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from konectom.errors import FieldMissing, KonectomError, NotFound, QuarantineEnded, StoreUnavailable
from konectom.security.acting import because
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.guard import removing
from konectom.storage.models import Blob, Patient, QuarantineRow
from konectom.storage.scopes import patients_in
from konectom.workflows.blobs import is_unused
from konectom.workflows.holding import DISCARDED, HELD, RELEASED
from konectom.workflows.ingest import Upload, receive
from konectom.workflows.keep import remove_orphan
from konectom.workflows.pages import Asked, by_arrival, id_if_any, page, told, told_if_any
from konectom.workflows.people import checked_text, find_patient
from konectom.workflows.raw import raw_bytes
from konectom.workflows.services import Services
from konectom.workflows.withheld import Withheld, patient_is_shown, refusal, shown_patient

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Raw:
    """The bytes of an upload as they came, and how they were declared."""

    body: bytes
    media_type: str | None
    encoding: str | None
    digest: str
    patient_id: UUID


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of trying again: as which session it was released, or why it is still held."""

    id: UUID
    session: UUID | None
    error: dict[str, Any] | None


def list_held(
    services: Services,
    *,
    scope: Scope = EVERYTHING,
    study_id: UUID | None = None,
    patient_id: UUID | None = None,
    code: str | None = None,
    state: str | None = None,
    cursor: str | None = None,
    limit: int | None = None,
    brief: bool = False,
) -> dict[str, Any]:
    """Return a page of the quarantine within ``scope``, in the order in which it filled; ``brief`` as a phone is told.

    Patients who are restricted are left out; where only such a one is asked about,
    :class:`~konectom.errors.PatientRestricted` is raised.
    """
    statement = select(QuarantineRow).where(patient_is_shown(QuarantineRow.patient_id), *_chosen(code, state))
    whose = patient_id or scope.patient_id
    if patient_id is not None:
        statement = statement.where(QuarantineRow.patient_id == patient_id)
    if study_id is not None:
        of_study = select(Patient.id).where(Patient.study_id == study_id)
        statement = statement.where(QuarantineRow.patient_id.in_(of_study))
    if not scope.everything:
        inside = select(Patient.id).where(patients_in(scope, services.clock()))
        statement = statement.where(QuarantineRow.patient_id.in_(inside))
    with services.db.read() as db:
        if whose is not None:
            shown_patient(db, whose)
        asked = Asked.of(services.settings, cursor, limit)
        return page(db, statement, *by_arrival(QuarantineRow), show_brief if brief else show, asked, position=True)


def get_held(
    services: Services, quarantine_id: UUID, *, scope: Scope = EVERYTHING, brief: bool = False
) -> dict[str, Any]:
    """Return what is known of an upload in quarantine; raises :class:`NotFound` and as :func:`list_held` does."""
    with services.db.read() as db:
        row, patient = _find(db, quarantine_id, scope, services.clock())
        Withheld.of(db, patient)
        return show_brief(row) if brief else show(row)


def held_bytes(services: Services, quarantine_id: UUID, *, scope: Scope = EVERYTHING) -> Raw:
    """Return the bytes of an upload in quarantine.

    Nobody knows what is in them: where anything of the patient is restricted,
    :class:`~konectom.errors.PatientRestricted` is raised, and :class:`NotFound` where they are not held (any more).
    """
    with services.db.read() as db:
        row, patient = _find(db, quarantine_id, scope, services.clock())
        withheld = Withheld.of(db, patient)
        if withheld.types:
            raise refusal(withheld.types)
    return Raw(raw_bytes(services, row), row.media_type, row.encoding, row.digest, row.patient_id)


def discard(
    services: Services, quarantine_id: UUID, *, reason: str, scope: Scope = EVERYTHING
) -> dict[str, Any]:
    """Let the bytes of an upload go, for good, and return what is left of it; a second time changes nothing.

    ``reason`` stands in the audit. Raises :class:`NotFound`, :class:`FieldMissing` at ``/reason``, and
    :class:`QuarantineEnded` for one that was released.
    """
    if not reason.strip():
        raise FieldMissing("say why it is discarded", at="/reason")
    with services.db.read() as db:
        patient_id = _find(db, quarantine_id, scope, services.clock())[0].patient_id
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


def retry(services: Services, quarantine_id: UUID, *, session_id: UUID | None = None) -> Retried:
    """Read an upload again with the readers of now, and keep it as a session where it can be used.

    It is under the id that it claimed, unless ``session_id`` gives it another. Consent is asked for as of any upload.
    What is released already is told so. Raises :class:`NotFound`, :class:`QuarantineEnded` for one that was discarded,
    and :class:`~konectom.errors.StoreUnavailable` where the bytes or the database cannot be reached.
    """
    with services.db.read() as db:
        row, patient = _find(db, quarantine_id, EVERYTHING, services.clock())
        restricted = patient.restricted_at is not None
    if row.state == RELEASED:
        return Retried(row.id, row.released_as, None)
    if row.state == DISCARDED:
        raise QuarantineEnded("the upload was discarded; its bytes are gone")
    if restricted:
        return Retried(row.id, None, refusal().as_dict())
    try:
        upload = _upload(services, row, session_id or row.session_id)
        receive(services, upload)
    except StoreUnavailable:
        raise
    except KonectomError as error:
        return Retried(row.id, None, error.as_dict())
    _release(services, row, upload.session_id)
    return Retried(row.id, upload.session_id, None)


def retry_held(
    services: Services,
    *,
    study_id: UUID | None = None,
    patient_id: UUID | None = None,
    codes: Collection[str] | None = None,
) -> Iterator[Retried]:
    """Try everything again that is held, in the order in which it came, and yield what came of each."""
    last = 0
    while batch := _next(services, last, study_id, patient_id, codes):
        for quarantine_id, arrival in batch:
            last = arrival
            try:
                yield retry(services, quarantine_id)
            except (NotFound, QuarantineEnded):  # erased or discarded meanwhile
                continue


def totals(services: Services) -> dict[str, int]:
    """Return how much is held: uploads, bytes, patients."""
    counted = select(
        func.count(),
        func.coalesce(func.sum(QuarantineRow.size_bytes), 0),
        func.count(QuarantineRow.patient_id.distinct()),
    ).where(QuarantineRow.state == HELD)
    with services.db.read() as db:
        uploads, size_bytes, patients = db.execute(counted).one()
    return {"uploads": uploads, "size_bytes": int(size_bytes), "patients": patients}


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


def _chosen(code: str | None, state: str | None) -> Iterator[ColumnElement[bool]]:
    if code is not None:
        yield QuarantineRow.code == code
    if state is not None:
        yield QuarantineRow.state == state


def _find(db: Session, quarantine_id: UUID, scope: Scope, now: datetime) -> tuple[QuarantineRow, Patient]:
    within = (
        select(QuarantineRow, Patient)
        .join(Patient, Patient.id == QuarantineRow.patient_id)
        .where(QuarantineRow.id == quarantine_id, patients_in(scope, now))
    )
    found = db.execute(within).one_or_none()
    if found is None:
        raise NotFound("there is no such upload in quarantine")
    return found[0], found[1]


def _next(
    services: Services, after: int, study_id: UUID | None, patient_id: UUID | None, codes: Collection[str] | None
) -> Sequence[Any]:
    chosen = select(QuarantineRow.id, QuarantineRow.arrival).where(
        QuarantineRow.state == HELD, QuarantineRow.arrival > after
    )
    if patient_id is not None:
        chosen = chosen.where(QuarantineRow.patient_id == patient_id)
    if study_id is not None:
        chosen = chosen.where(QuarantineRow.patient_id.in_(select(Patient.id).where(Patient.study_id == study_id)))
    if codes is not None:
        chosen = chosen.where(QuarantineRow.code.in_(codes))
    with services.db.read() as db:
        return db.execute(chosen.order_by(QuarantineRow.arrival).limit(100)).all()


def _upload(services: Services, row: QuarantineRow, session_id: UUID) -> Upload:
    return Upload(
        session_id=session_id,
        patient_id=row.patient_id,
        device_id=row.device_id,
        body=raw_bytes(services, row),
        encoding=row.encoding,
        media_type=row.media_type,
        digest=row.digest,
        held_since=row.received_at,
    )


def _release(services: Services, row: QuarantineRow, session_id: UUID) -> None:
    """Write down that what was held is a session now, which refers to the object from here on."""
    with services.db.write() as db:
        held = _locked(db, row.id, row.patient_id)
        if held.state != HELD:
            return
        held.state, held.ended_at, held.object = RELEASED, services.clock(), None
        held.released_as = session_id
    log.info("quarantine.released", code=row.code)


def _discard(services: Services, quarantine_id: UUID, patient_id: UUID) -> dict[str, Any]:
    unused: list[str] = []
    with services.db.write() as db:
        row = _locked(db, quarantine_id, patient_id)
        if row.state == RELEASED:
            raise QuarantineEnded("the upload was released", session=str(row.released_as))
        if row.state == HELD and row.object is not None:
            unused.append(row.object)
            row.state, row.ended_at, row.object = DISCARDED, services.clock(), None
            db.flush()
            with removing(db):
                gone = delete(Blob).where(Blob.object.in_(unused), is_unused()).returning(Blob.object)
                unused = list(db.scalars(gone, execution_options={"synchronize_session": False}))
        shown = show(row)
    for name in unused:
        remove_orphan(services, name)  # where that fails, the object is left for the sweep, and nobody reads it
    return shown


def _locked(db: Session, quarantine_id: UUID, patient_id: UUID) -> QuarantineRow:
    """Return a row that nobody else changes now; in the same order as uploads do: the patient first."""
    find_patient(db, patient_id, lock=True)
    row = db.get(QuarantineRow, quarantine_id, populate_existing=True)
    if row is None:
        raise NotFound("there is no such upload in quarantine")
    return row
