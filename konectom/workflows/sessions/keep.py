"""The rows of a session: of one that is new, in one transaction, and of what is computed from it, then or later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

import structlog
from sqlalchemy import Insert, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session as DbSession

from konectom.errors import FieldInvalid, KonectomError
from konectom.recording import Recording, Rejected, Session
from konectom.storage import jobs
from konectom.storage.audit import add_at_once
from konectom.storage.database import as_kept
from konectom.storage.models import Blob, CatalogueRow, RecordingRow, SessionRow
from konectom.workflows.consent.collecting import Agreed
from konectom.workflows.patients.people import hold_patient
from konectom.workflows.services import Services
from konectom.workflows.sessions.arrivals import next_arrival
from konectom.workflows.sessions.plain_results import values_of
from konectom.workflows.sessions.process import Extracted, Failed, status_of
from konectom.workflows.sessions.raw import SealedFile, SealedUpload
from konectom.workflows.sessions.receipts import Found, receipt_of
from konectom.workflows.sessions.result_rows import Results, keep_result

if TYPE_CHECKING:
    from konectom.workflows.sessions.ingest import Upload

log = structlog.get_logger()

Outcome = Extracted | Rejected | Failed
Outcomes = Sequence[Outcome]
MOST_TEXT = 200
ATTEMPTS = 8
"""How often a write is tried that others, at the same instant, made impossible by writing the same first."""


def times_of(session: Session) -> list[datetime]:
    """Return when each recording began, in UTC; raises :class:`FieldInvalid` beyond the years 1 to 9999."""
    times = []
    for index, each in enumerate(session.recordings):
        offset_s = each.offset_s if isinstance(each, Recording) else 0.0
        try:
            times.append(session.started_at.astimezone(UTC) + timedelta(seconds=offset_s))
        except OverflowError:
            at = f"/recordings/{index}/offset_s" if offset_s else "/started_at"
            raise FieldInvalid("this time lies outside the years 1 to 9999", at=at) from None
    return times


def keep_session(
    services: Services, upload: Upload, sealed: SealedUpload | SealedFile, session: Session, outcomes: Outcomes | None
) -> dict[str, Any]:
    """Write all rows of a session that is new, and return its receipt.

    Without ``outcomes`` it waits to be computed, and workers are told.

    Raises IntegrityError where another wrote the same meanwhile, :class:`~konectom.errors.NotFound` where the patient
    was erased meanwhile, :class:`~konectom.errors.ConsentWithdrawn`, :class:`~konectom.errors.ConsentMissing` or
    :class:`~konectom.errors.PatientRestricted` where that was decided meanwhile, and what ``upload.release``
    does; then nothing was written.
    """
    now = services.clock()
    times_of(session)
    # What can be made beforehand is: on SQLite nobody else writes between the first statement and the commit.
    row = _session_row(upload, sealed, session, now)
    if outcomes is not None:
        row.status = status_of([_status(each) for each in outcomes])
    recordings = _recording_rows(row.id, session, outcomes)
    with services.db.write() as db:
        # Whoever erases or restricts the patient, or withdraws consent, has done so, or waits until this is kept.
        hold_patient(db, upload.patient_id)
        agreed = Agreed.of(db, upload.patient_id)
        agreed.require(session)
        if upload.release is not None:
            upload.release(db)
        keep_blob(services, db, sealed, upload.size_bytes, now)
        add_at_once(db, [row])
        add_at_once(db, recordings)
        if outcomes is None:
            found: list[Found] = [(each, None, None) for each in recordings]
            if services.settings.processing == "workers":
                jobs.defer(db, row.id)
        else:
            found = _keep_results(db, row, recordings, session, outcomes, now)
        receipt = receipt_of(db, row, found, agreed.withheld)
        db.connection().execute(_ARRIVED, {"session": row.id, "number": next_arrival(db)})
        return receipt


_ARRIVED = update(SessionRow).where(SessionRow.id == bindparam("session")).values(arrival=bindparam("number"))


def _recording_rows(session_id: UUID, session: Session, outcomes: Outcomes | None) -> list[RecordingRow]:
    """Return the rows of the recordings of a session that is new; without outcomes they wait to be computed."""
    if outcomes is None:
        return [_waiting_row(session_id, index, each) for index, each in enumerate(session.recordings)]
    rows = [
        RecordingRow(id=recording_id(session_id, index), session_id=session_id, index=index)
        for index in range(len(outcomes))
    ]
    for row, each in zip(rows, outcomes, strict=True):
        _tell(row, each)
    return rows


def _keep_results(
    db: DbSession,
    row: SessionRow,
    recordings: Sequence[RecordingRow],
    session: Session,
    outcomes: Outcomes,
    now: datetime,
) -> list[Found]:
    """Write what came of each recording of a session that is new; return the rows, as they would be read."""
    results, found = Results(db, now), list[Found]()
    for recording, each, at in zip(recordings, outcomes, times_of(session), strict=True):
        recording.condition, recording.error = as_kept(recording.condition), as_kept(recording.error)
        if isinstance(each, Extracted):
            catalogue = each.result.catalogue
            result = results.add(row, recording, at, catalogue, values_of(each.result))
            named = CatalogueRow(assessment=catalogue.assessment, version=catalogue.version, digest=catalogue.digest)
            found.append((recording, result, named))
        else:
            found.append((recording, None, None))
    results.write()
    return found


def keep_outcome(
    db: DbSession, row: SessionRow, recording: RecordingRow, session: Session, outcome: Outcome, now: datetime
) -> None:
    """Write what came of one recording that was waiting for it."""
    _tell(recording, outcome)
    if isinstance(outcome, Extracted):
        keep_result(db, row, recording, times_of(session)[recording.index], outcome.result, now)


def recording_id(session_id: UUID, index: int) -> UUID:
    """Return the id of a session's recording: derived, so that it has the same one wherever it is read again."""
    return uuid5(session_id, str(index))


def log_outcomes(outcomes: Outcomes) -> None:
    """Tell the log of recordings that have no result; by no id, since the log outlives an erasure."""
    for index, each in enumerate(outcomes):
        if isinstance(each, Rejected):
            log.warning("recording.rejected", index=index, code=each.error["code"])
        elif isinstance(each, Failed):
            name = each.recording.assessment
            log.error("recording.failed", index=index, assessment=name, exc_info=each.fault)


def remove_orphan(services: Services, name: str) -> None:
    """Remove the object of an upload that was refused, unless a row refers to it or is about to.

    The row of the blob is claimed meanwhile and given up again: whoever else brings the same bytes of the same patient
    has either claimed it before, and the object stays, or waits until it is gone and puts it back before it commits.
    """
    try:
        with services.db.write() as db:
            db.add(Blob(object=name, size_bytes=0, stored_at=services.clock()))
            db.flush()
            services.objects.delete(name)
            db.rollback()
    except IntegrityError:
        return


def take_back(services: Services, sealed: SealedUpload | SealedFile) -> None:
    """Remove the object of an upload that failed, unless a row refers to it: another's, or this one's after all."""
    try:
        remove_orphan(services, sealed.name)
    except (KonectomError, SQLAlchemyError) as error:  # what failed before stands; the object is left for the sweep
        log.warning("object.orphaned", reason=type(error).__name__)


@cache
def _blob_unless_there(dialect: str) -> Insert:
    made = sqlite.insert(Blob) if dialect == "sqlite" else postgresql.insert(Blob)
    return made.on_conflict_do_nothing()


def keep_blob(
    services: Services, db: DbSession, sealed: SealedUpload | SealedFile, size_bytes: int, now: datetime
) -> None:
    """Write the row of an object that was put, unless it has one."""
    row = {"object": sealed.name, "size_bytes": size_bytes, "stored_at": now}
    if db.connection().execute(_blob_unless_there(db.get_bind().dialect.name), row).rowcount:
        # From here on nobody takes the object for one that nothing refers to (see :func:`remove_orphan`); whoever
        # did so a moment ago has removed it.
        sealed.keep(services.objects)


def _session_row(upload: Upload, sealed: SealedUpload | SealedFile, session: Session, now: datetime) -> SessionRow:
    offset = session.started_at.utcoffset()
    return SessionRow(
        id=upload.session_id,
        patient_id=upload.patient_id,
        device_id=upload.device_id,
        digest=upload.digest,
        object=sealed.name,
        media_type=plain_text(upload.media_type),
        encoding=plain_text(upload.encoding),
        format=session.format,
        started_at=session.started_at,
        utc_offset_s=round((offset or timedelta()).total_seconds()),
        time_zone=session.time_zone,
        setting=plain_text(session.setting),
        supervised=session.supervised,
        phone=asdict(session.device),
        received_at=now,
        held_since=upload.held_since,
        status="received",
    )


def _waiting_row(session_id: UUID, index: int, outlined: Recording | Rejected) -> RecordingRow:
    row = RecordingRow(id=recording_id(session_id, index), session_id=session_id, index=index)
    _describe(row, outlined)
    row.status = "received"
    return row


def _tell(row: RecordingRow, outcome: Outcome) -> None:
    """Write down what came of a recording."""
    _describe(row, outcome if isinstance(outcome, Rejected) else outcome.recording)
    row.status = _status(outcome)
    row.error = None if isinstance(outcome, Extracted) else dict(outcome.error)


def _describe(row: RecordingRow, recording: Recording | Rejected) -> None:
    row.assessment = plain_text(recording.assessment)
    if isinstance(recording, Rejected):
        row.condition, row.offset_s, row.duration_s = {}, 0.0, None
        return
    row.condition = dict(recording.condition)
    row.offset_s, row.duration_s = recording.offset_s, recording.duration_s


def _status(outcome: Outcome) -> str:
    if isinstance(outcome, Rejected):
        return "rejected"
    return "processed" if isinstance(outcome, Extracted) else "failed"


def plain_text(text: str | None) -> str | None:
    """Return what the sender wrote, as far as a database column holds it."""
    return None if text is None else text.replace("\0", "")[:MOST_TEXT]
