"""The tries to compute a session: who may begin one, how one ended that gave no results, and when there were enough.

A try is written down before it begins, so that one which ends the process (out of memory, a fault in a library) counts.
While one is under way the session's ``tried_at`` is set and its ``fault`` is not; a fault is how the last one ended. A
session whose last try ended the process, or for which there was no memory, is *suspect*: from then on its recordings
are computed one after the other, each marked before, so that the one at fault is known, and given up alone after
``processing_tries``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session as DbSession

from konectom.errors import NotFound, PatientRestricted, ProcessingParked, StoreUnavailable
from konectom.settings import Settings
from konectom.storage import jobs
from konectom.storage.models import RecordingRow, SessionRow
from konectom.workflows.consent.collecting import Agreed
from konectom.workflows.patients.people import find_patient
from konectom.workflows.services import Services
from konectom.workflows.sessions.process import status_of

log = structlog.get_logger()

WAITING, PARKED = "received", "parked"
Fault = Mapping[str, Any]

PROCESS_ENDED: Fault = {"code": "process_ended", "detail": "the process that computed it ended"}
OUT_OF_TIME: Fault = {"code": "out_of_time", "detail": "it took too long to compute"}
FAILED = "processing_failed"
NO_MEMORY: Fault = {"code": FAILED, "detail": MemoryError.__name__}
SUSPECT = (PROCESS_ENDED, OUT_OF_TIME, NO_MEMORY)

GRACE = timedelta(minutes=1)
"""How much longer than a try may take it is waited for, where nobody told how it ended."""

AGAIN_AFTER = timedelta(seconds=2)
"""How long after the first try the second may begin; each later one waits twice as long, up to some minutes."""

STORE_AFTER = timedelta(seconds=10)
"""How long after a store could not be reached it is asked again."""

MOST_DOUBLINGS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Try:
    """A try that has begun: the session's row, which recordings wait, by index, and whether each is tried alone."""

    row: SessionRow
    waiting: Mapping[int, int]
    """How often each was tried alone, by index."""

    suspect: bool
    restricted: frozenset[str]


def begin(services: Services, session_id: UUID) -> tuple[str | None, Try | None]:
    """Return the session's status, None where there is none, and the try that now is the caller's.

    None is given where the session does not wait, another computes it, the last try was too short ago, or the use of
    all that is kept of the patient is restricted.
    """
    now, settings = services.clock(), services.settings
    with services.db.write() as db:
        row = locked(db, session_id)
        if row is None or row.status != WAITING or not is_due(row, settings, now):
            return None if row is None else row.status, None
        agreed = Agreed.of(db, row.patient_id)
        if agreed.all_restricted:
            return row.status, None
        if row.tried_at is not None and row.fault is None:
            row.fault = dict(PROCESS_ENDED)
        suspect, recordings = row.tries > 0 and row.fault in SUSPECT, recordings_of(db, row)
        _give_up(row, recordings, settings)
        if row.status != WAITING:
            return row.status, None
        waiting = {each.index: each.tries for each in recordings if each.status == WAITING}
        row.tries, row.tried_at, row.fault = row.tries + 1, now, None
        db.flush()
        db.expunge(row)  # it is read when this transaction is over
        return WAITING, Try(row, waiting, suspect or any(waiting.values()), agreed.restricted)


def begin_recording(services: Services, session_id: UUID, index: int) -> bool:
    """Mark that a recording is tried alone; tell whether it still waits for it."""
    with services.db.write() as db:
        row = locked(db, session_id)
        if row is None or row.status != WAITING:
            return False
        (recording,) = [each for each in recordings_of(db, row) if each.index == index]
        if recording.status != WAITING:
            return False
        recording.tries, row.tried_at = recording.tries + 1, services.clock()
        return True


def end(services: Services, session_id: UUID, fault: Fault) -> str | None:
    """Write down how a try ended, in the process that made it or in another; return the session's status then.

    It waits for the next try, or was given up.
    """
    with services.db.write() as db:
        row = locked(db, session_id)
        if row is None or row.status != WAITING:
            return None if row is None else row.status
        if row.tried_at is None or row.fault is not None:  # somebody told before
            return row.status
        row.fault = dict(fault)
        settle(services, db, row, recordings_of(db, row))
        return row.status


def give_back(services: Services, session_id: UUID, *, index: int | None = None, fault: Fault | None = None) -> None:
    """Take a try back, and that of the recording which was tried alone: nothing was wrong with the session.

    A ``fault`` tells what was, and for how long it is waited.
    """
    try:
        with services.db.write() as db:
            row = locked(db, session_id)
            if row is None or row.status != WAITING:
                return
            recordings = recordings_of(db, row)
            if row.tried_at is not None and row.fault is None:
                row.tries = max(0, row.tries - 1)
                row.tried_at, row.fault = (None, None) if fault is None else (services.clock(), dict(fault))
                for each in recordings:
                    if each.index == index:
                        each.tries = max(0, each.tries - 1)
            settle(services, db, row, recordings)
    except StoreUnavailable as error:  # then it counts; what failed before is what is told
        log.warning("session.try_counted", reason=error.detail)


def tell_again(services: Services, session_id: UUID) -> None:
    """Have workers told of a session again that one of them was told of and did not begin."""
    with services.db.write() as db:
        row = locked(db, session_id)
        if row is not None:
            settle(services, db, row, recordings_of(db, row))


def settle(services: Services, db: DbSession, row: SessionRow, recordings: Sequence[RecordingRow]) -> None:
    """Give up what was tried often enough, and give the session its status, or have it tried again when it is due."""
    _give_up(row, recordings, services.settings)
    if row.status == WAITING:
        if services.settings.processing == "workers":
            jobs.defer(db, row.id, at=None if row.tried_at is None else due_at(row, services.settings))
    else:
        jobs.remove(db, [row.id])


def _give_up(row: SessionRow, recordings: Sequence[RecordingRow], settings: Settings) -> None:
    """Park each recording that was tried alone often enough, and all where the session was and none is to blame."""
    most, last = settings.processing_tries, row.fault or PROCESS_ENDED
    unblamed = row.tries - sum(each.tries for each in recordings)
    for each in recordings:
        if each.status == WAITING and (each.tries >= most or unblamed >= most):
            each.status, each.error = PARKED, _parked(max(each.tries, min(row.tries, most)), last)
            log.error("recording.parked", index=each.index, assessment=each.assessment, last=last["code"])
    statuses = {each.status for each in recordings}
    if WAITING in statuses:
        return
    row.status = status_of(statuses)
    row.fault = _parked(row.tries, last) if row.status == PARKED else None


def due_at(row: SessionRow, settings: Settings) -> datetime:
    """Return from when on a session that waits may be tried (again)."""
    if row.tried_at is None:
        return row.received_at
    if row.fault is None:
        return row.tried_at + settings.processing_time_limit + GRACE
    if row.fault["code"] == PatientRestricted.code:
        return row.tried_at + settings.processing_time_limit
    if row.fault["code"] == StoreUnavailable.code:
        return row.tried_at + STORE_AFTER
    doublings = min(row.tries - 1, MOST_DOUBLINGS)
    return row.tried_at + AGAIN_AFTER * (2.0**doublings)


def is_due(row: SessionRow, settings: Settings, now: datetime) -> bool:
    """Tell whether a session that waits may be tried now, by the clock of whoever asks.

    It may where nobody tried it, whatever the clock of the server said that received it; and where a try seems to lie
    ahead, since then a clock was set back.
    """
    return row.tried_at is None or row.tried_at > now + GRACE or due_at(row, settings) <= now


def locked(db: DbSession, session_id: UUID) -> SessionRow | None:
    """Return a session's row that nobody else changes now; its patient is not erased meanwhile, nor restricted."""
    patient_id = db.scalar(select(SessionRow.patient_id).where(SessionRow.id == session_id))
    if patient_id is None:
        return None
    try:
        find_patient(db, patient_id, lock=True)
    except NotFound:
        return None
    return db.get(SessionRow, session_id, with_for_update=True, populate_existing=True)


def is_parked() -> ColumnElement[bool]:
    """Return the condition that a session was given up, as a whole or one of its recordings."""
    some = select(RecordingRow.session_id).where(RecordingRow.status == PARKED)
    return or_(SessionRow.status == PARKED, SessionRow.id.in_(some))


def recordings_of(db: DbSession, row: SessionRow) -> Sequence[RecordingRow]:
    """Return a session's recordings, in their order."""
    return db.scalars(select(RecordingRow).where(RecordingRow.session_id == row.id).order_by(RecordingRow.index)).all()


def _parked(tries: int, last: Fault) -> dict[str, Any]:
    return ProcessingParked(f"given up after {tries} tries", last=dict(last)).as_dict()
