"""What is held in quarantine: looked at, and tried again with the readers of now."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from konectom.errors import KonectomError, NotFound, QuarantineEnded, StoreUnavailable
from konectom.security.principal import EVERYTHING, Scope
from konectom.security.sealing import Digested
from konectom.storage.models import Patient, QuarantineRow
from konectom.storage.scopes import patients_in
from konectom.workflows.consent.withheld import Withheld, patient_is_shown, refusal, shown_patient
from konectom.workflows.pages import Asked, by_arrival, page
from konectom.workflows.patients.people import require_patient
from konectom.workflows.services import Services
from konectom.workflows.sessions.discarding import find_row, locked_row, show, show_brief
from konectom.workflows.sessions.holding import DISCARDED, HELD, RELEASED
from konectom.workflows.sessions.ingest import Ingested, Upload, receive
from konectom.workflows.sessions.ingest_large import receive_large
from konectom.workflows.sessions.raw import Raw, opened_upload, pieces_in, raw_bytes

log = structlog.get_logger()


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
        require_patient(services, patient_id, scope=scope)
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
        row, patient = find_row(db, quarantine_id, scope, services.clock())
        Withheld.of(db, patient)
        return show_brief(row) if brief else show(row)


def held_bytes(services: Services, quarantine_id: UUID, *, scope: Scope = EVERYTHING) -> Raw:
    """Return the bytes of an upload in quarantine.

    Nobody knows what is in them: where anything of the patient is restricted,
    :class:`~konectom.errors.PatientRestricted` is raised, and :class:`NotFound` where they are not held (any more).
    """
    with services.db.read() as db:
        row, patient = find_row(db, quarantine_id, scope, services.clock())
        withheld = Withheld.of(db, patient)
        if withheld.types:
            raise refusal(withheld.types)
    return Raw.of(services, row, row.size_bytes)


def retry(services: Services, quarantine_id: UUID, *, session_id: UUID | None = None) -> Retried:
    """Read an upload again with the readers of now, and keep it as a session where it can be used.

    It is under the id that it claimed, unless ``session_id`` gives it another. Consent is asked for as of any upload.
    What is released already is told so: of several who try at the same time one keeps it. Raises :class:`NotFound`,
    :class:`QuarantineEnded` for one that was discarded, or released under another id than ``session_id``, and
    :class:`~konectom.errors.StoreUnavailable` where the bytes or the database cannot be reached.
    """
    with services.db.read() as db:
        row, patient = find_row(db, quarantine_id, EVERYTHING, services.clock())
        restricted = patient.restricted_at is not None
    if row.state != HELD:
        return _ended(row, session_id)
    if restricted:
        return Retried(row.id, None, refusal().as_dict())
    try:
        upload = _upload(services, row, session_id or row.session_id)
        if not _receive(services, row, upload).created:
            with services.db.write() as db:  # the session was there: it was not released with it
                _release(services, db, row, upload.session_id)
    except StoreUnavailable:
        raise
    except KonectomError as error:
        with services.db.read() as db:
            row = find_row(db, quarantine_id, EVERYTHING, services.clock())[0]
        return _ended(row, session_id) if row.state != HELD else Retried(row.id, None, error.as_dict())
    log.info("quarantine.released", code=row.code)
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


def _chosen(code: str | None, state: str | None) -> Iterator[ColumnElement[bool]]:
    if code is not None:
        yield QuarantineRow.code == code
    if state is not None:
        yield QuarantineRow.state == state


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


def _ended(row: QuarantineRow, session_id: UUID | None) -> Retried:
    """Tell of an upload that is not held any more, to somebody who wanted it under an id, or as it is."""
    if row.state == DISCARDED:
        raise QuarantineEnded("the upload was discarded; its bytes are gone")
    if session_id not in (None, row.released_as):
        told = str(row.released_as)
        raise QuarantineEnded(f"the upload was released already, as the session {told}", session=told)
    return Retried(row.id, row.released_as, None)


def _upload(services: Services, row: QuarantineRow, session_id: UUID) -> Upload:
    return Upload(
        session_id=session_id,
        patient_id=row.patient_id,
        device_id=row.device_id,
        size_bytes=row.size_bytes,
        encoding=row.encoding,
        media_type=row.media_type,
        digest=row.digest,
        held_since=row.received_at,
        release=lambda db: _release(services, db, row, session_id),
    )


def _receive(services: Services, row: QuarantineRow, upload: Upload) -> Ingested:
    if row.size_bytes <= services.settings.max_body_bytes:
        return receive(services, upload, Digested(raw_bytes(services, row)))
    with opened_upload(services, row) as file:
        return receive_large(services, upload, file, partial(pieces_in, file))


def _release(services: Services, db: Session, row: QuarantineRow, session_id: UUID) -> None:
    """Write down that what was held is a session from here on, which refers to the object.

    Raises :class:`QuarantineEnded` where it was discarded, or has become another session.
    """
    held = locked_row(db, row.id, row.patient_id)
    if held.state != HELD:
        _ended(held, session_id)
        return
    held.state, held.ended_at, held.object = RELEASED, services.clock(), None
    held.released_as = session_id
