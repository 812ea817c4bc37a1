"""The rows of a session: of one that is new, in one transaction, and of what is computed from it, then or later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from sqlalchemy import insert, inspect, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as DbSession

from konectom.assessments.base import Catalogue, Result
from konectom.errors import FieldInvalid
from konectom.recording import Recording, Rejected, Session
from konectom.storage.models import Blob, RecordingRow, ResultRow, ScoreRow, SessionRow
from konectom.workflows.collecting import Agreed
from konectom.workflows.entries import catalogue_id, measure_ids
from konectom.workflows.people import find_patient
from konectom.workflows.plain_results import Values, values_of
from konectom.workflows.process import Extracted, Failed, status_of
from konectom.workflows.raw import SealedUpload
from konectom.workflows.services import Services

if TYPE_CHECKING:
    from konectom.workflows.ingest import Upload

Outcome = Extracted | Rejected | Failed
Outcomes = Sequence[Outcome]
MOST_TEXT = 200


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
    services: Services, upload: Upload, sealed: SealedUpload, session: Session, outcomes: Outcomes | None
) -> None:
    """Write all rows of a session that is new; without ``outcomes`` it waits to be computed.

    Raises IntegrityError where another wrote the same meanwhile, :class:`~konectom.errors.NotFound` where the patient
    was erased meanwhile, :class:`~konectom.errors.ConsentWithdrawn`, :class:`~konectom.errors.ConsentMissing` or
    :class:`~konectom.errors.PatientRestricted` where that was decided meanwhile; then nothing was written.
    """
    now = services.clock()
    times_of(session)
    with services.db.write() as db:
        # Whoever erases or restricts the patient, or withdraws consent, has done so, or waits until this is kept.
        find_patient(db, upload.patient_id, lock=True)
        Agreed.of(db, upload.patient_id).require(session)
        if db.get(Blob, sealed.name) is None:
            db.add(Blob(object=sealed.name, size_bytes=len(upload.body), stored_at=now))
            db.flush()
            # From here on nobody takes the object for one that nothing refers to (see :func:`remove_orphan`); whoever
            # did so a moment ago has removed it.
            services.objects.put(sealed.name, sealed.data)
        row = _session_row(upload, sealed, session, now)
        db.add(row)
        db.flush()
        if outcomes is None:
            db.add_all(_waiting_row(row.id, index, each) for index, each in enumerate(session.recordings))
        else:
            keep_outcomes(db, row, session, outcomes, now)


def keep_outcomes(db: DbSession, row: SessionRow, session: Session, outcomes: Outcomes, now: datetime) -> None:
    """Write what came of each recording of a session, whether they wait for it or are new, and of the whole."""
    row.status, row.fault = status_of([_status(each) for each in outcomes]), None
    known = {} if inspect(row).pending else _recordings_of(db, row)
    recordings = []
    for index, each in enumerate(outcomes):
        recording = known.get(index) or RecordingRow(id=recording_id(row.id, index), session_id=row.id, index=index)
        _tell(recording, each)
        recordings.append(recording)
    db.add_all(recordings)
    db.flush()
    results = Results(db, now)
    for recording, each, at in zip(recordings, outcomes, times_of(session), strict=True):
        if isinstance(each, Extracted):
            results.add(row, recording, at, each.result.catalogue, values_of(each.result))
    results.write()


def recording_id(session_id: UUID, index: int) -> UUID:
    """Return the id of a session's recording: derived, so that it has the same one wherever it is read again."""
    return uuid5(session_id, str(index))


def remove_orphan(services: Services, name: str) -> None:
    """Remove the object of an upload that was refused, unless a session refers to it or is about to.

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


def keep_result(
    db: DbSession, session: SessionRow, recording: RecordingRow, at: datetime, result: Result, now: datetime
) -> None:
    """Add a result and its scores; ``at`` is when the recording began."""
    results = Results(db, now)
    results.add(session, recording, at, result.catalogue, values_of(result))
    results.write()


class Results:
    """Results that are added together with their scores: the database is asked once for what all of them need."""

    def __init__(self, db: DbSession, now: datetime) -> None:
        self._db, self._now = db, now
        self._catalogues: dict[str, int] = {}
        self._rows: list[dict[str, Any]] = []
        self._scores: list[tuple[dict[str, Any], list[tuple[str, float]]]] = []

    def add(
        self, session: SessionRow, recording: RecordingRow, at: datetime, catalogue: Catalogue, values: Values
    ) -> None:
        """Add a recording's result; ``at`` is when it began."""
        if catalogue.digest not in self._catalogues:
            self._catalogues[catalogue.digest] = catalogue_id(self._db, catalogue)
        number = self._catalogues[catalogue.digest]
        row = {
            "id": result_id(recording.id, catalogue),
            "recording_id": recording.id,
            "catalogue_id": number,
            "created_at": self._now,
            "verdict": values.verdict,
            "flags": values.flags,
            "absent": values.absent,
            "features": values.features,
        }
        self._rows.append(row)
        score = {
            "patient_id": session.patient_id,
            "at": at,
            "session_id": session.id,
            "index": recording.index,
            "catalogue_id": number,
            "utc_offset_s": session.utc_offset_s,
            "verdict": values.verdict,
            "flags": " ".join(flag["code"] for flag in values.flags),
        }
        found = ((entry.key, float(values.features[entry.index])) for entry in catalogue.scores)
        self._scores.append((score, [(key, value) for key, value in found if isfinite(value)]))

    def write(self) -> None:
        """Write what was added."""
        self._db.flush()  # the recordings, to which results refer
        if self._rows:
            self._db.execute(insert(ResultRow), self._rows)
        ids = measure_ids(self._db, (key for _, scores in self._scores for key, _ in scores))
        told = [
            same | {"measure_id": ids[key], "value": value} for same, scores in self._scores for key, value in scores
        ]
        if told:
            self._db.execute(insert(ScoreRow), told)


def result_id(recording: UUID, catalogue: Catalogue) -> UUID:
    """Return the id of a recording's result: derived, so that it has the same one wherever it is computed again."""
    return uuid5(recording, f"{catalogue.assessment}/{catalogue.version}")


def _session_row(upload: Upload, sealed: SealedUpload, session: Session, now: datetime) -> SessionRow:
    offset = session.started_at.utcoffset()
    return SessionRow(
        id=upload.session_id,
        patient_id=upload.patient_id,
        device_id=upload.device_id,
        digest=upload.digest,
        object=sealed.name,
        media_type=_plain_text(upload.media_type),
        encoding=_plain_text(upload.encoding),
        format=session.format,
        started_at=session.started_at,
        utc_offset_s=round((offset or timedelta()).total_seconds()),
        time_zone=session.time_zone,
        setting=_plain_text(session.setting),
        supervised=session.supervised,
        phone=asdict(session.device),
        received_at=now,
        status="received",
    )


def _waiting_row(session_id: UUID, index: int, outlined: Recording | Rejected) -> RecordingRow:
    row = RecordingRow(id=recording_id(session_id, index), session_id=session_id, index=index)
    _describe(row, outlined)
    row.status = "received"
    return row


def _recordings_of(db: DbSession, row: SessionRow) -> dict[int, RecordingRow]:
    found = db.scalars(select(RecordingRow).where(RecordingRow.session_id == row.id))
    return {each.index: each for each in found}


def _tell(row: RecordingRow, outcome: Outcome) -> None:
    """Write down what came of a recording."""
    _describe(row, outcome if isinstance(outcome, Rejected) else outcome.recording)
    row.status = _status(outcome)
    row.error = None if isinstance(outcome, Extracted) else dict(outcome.error)


def _describe(row: RecordingRow, recording: Recording | Rejected) -> None:
    row.assessment = _plain_text(recording.assessment)
    if isinstance(recording, Rejected):
        row.condition, row.offset_s, row.duration_s = {}, 0.0, None
        return
    row.condition = dict(recording.condition)
    row.offset_s, row.duration_s = recording.offset_s, recording.duration_s


def _status(outcome: Outcome) -> str:
    if isinstance(outcome, Rejected):
        return "rejected"
    return "processed" if isinstance(outcome, Extracted) else "failed"


def _plain_text(text: str | None) -> str | None:
    """Return what the sender wrote, as far as a database column holds it."""
    return None if text is None else text.replace("\0", "")[:MOST_TEXT]
