"""Sessions that are kept and not computed: whatever was to compute them, they are found here.

Jobs are lost with a database that was put back, and their workers die; a server is told to compute by itself what
waited for workers; there was no memory for a moment. The session's row tells that it waits, and that is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session as DbSession

from konectom.errors import KonectomError, PatientRestricted
from konectom.storage import jobs
from konectom.storage.models import Patient, RecordingRow, SessionRow
from konectom.workflows.pages import told
from konectom.workflows.services import Services
from konectom.workflows.sessions.compute import compute_session
from konectom.workflows.sessions.earlier import remember, remember_waiting
from konectom.workflows.sessions.tries import (
    PARKED,
    PROCESS_ENDED,
    WAITING,
    end,
    is_due,
    is_parked,
    locked,
    recordings_of,
    settle,
)

log = structlog.get_logger()

MOST = 100
"""Sessions that a server computes in one go."""

MOST_JOBS = 1000
"""Sessions for which jobs are written in one go."""


def waiting_sessions(services: Services, *, most: int, without_job: bool = False) -> list[UUID]:
    """Return sessions that may be computed now: those that were never tried first, in the order in which they came.

    Sessions of patients the use of whose data is restricted are not among them. ``without_job`` asks for those that
    nobody has been told of.
    """
    now, settings = services.clock(), services.settings
    statement = (
        select(SessionRow)
        .join(Patient, Patient.id == SessionRow.patient_id)
        .where(SessionRow.status == WAITING, Patient.restricted_at.is_(None))
        .order_by(SessionRow.received_at, SessionRow.id)
    )
    with services.db.read() as db:
        if without_job and jobs.has_jobs(db):
            statement = statement.where(jobs.NO_JOB)
        new = [row.id for row in db.scalars(statement.where(SessionRow.tried_at.is_(None)).limit(most))]
        if len(new) == most:
            return new
        again = statement.where(SessionRow.tried_at.is_not(None)).order_by(None).order_by(SessionRow.tried_at)
        tried = db.scalars(again.limit(MOST_JOBS)).all()
        due = sorted((row for row in tried if is_due(row, settings, now)), key=lambda row: (row.tries, row.tried_at))
        return [*new, *(row.id for row in due)][:most]


def any_waits(services: Services) -> bool:
    """Tell whether any session waits to be computed, but for those whose data may not be used at present."""
    last = func.coalesce(SessionRow.fault["code"].as_string(), "")
    waiting = (
        select(SessionRow.id)
        .join(Patient, Patient.id == SessionRow.patient_id)
        .where(SessionRow.status == WAITING, Patient.restricted_at.is_(None), last != PatientRestricted.code)
    )
    with services.db.read() as db:
        return db.scalar(waiting.limit(1)) is not None


def sweep_sessions(services: Services, *, most: int = MOST) -> int:
    """See to sessions that were left behind; return how many.

    Where workers compute, those of them that are told by jobs are told again; else they are computed here and now, one
    by one, ``most`` at a time.
    """
    if services.settings.processing == "workers":
        return _tell_workers(services)
    done = 0
    for session_id in waiting_sessions(services, most=most):
        done += compute_or_log(services, session_id)
    return done


def compute_or_log(services: Services, session_id: UUID) -> bool:
    """Compute a session; what prevents it is told to the log. Tell whether it is computed."""
    try:
        return compute_session(services, session_id) != WAITING
    except KonectomError as error:
        log.warning("session.not_computed", code=error.code)
    except Exception:  # the session's fault tells it as well
        log.exception("session.not_computed")
    return False


def list_parked(services: Services) -> list[dict[str, Any]]:
    """Return each recording that was given up, and how its last try ended, by when its session was received."""
    found = (
        select(SessionRow, RecordingRow)
        .join(RecordingRow, RecordingRow.session_id == SessionRow.id)
        .where(is_parked(), RecordingRow.status == PARKED)
        .order_by(SessionRow.received_at, SessionRow.id, RecordingRow.index)
    )
    with services.db.read() as db:
        return [
            {
                "session": str(session.id),
                "index": recording.index,
                "assessment": recording.assessment,
                "tries": session.tries,
                "last": (recording.error or {}).get("last", {}).get("code"),
                "received_at": told(session.received_at),
            }
            for session, recording in db.execute(found)
        ]


def retry_parked(
    services: Services, *, patient_id: UUID | None = None, sessions: Sequence[UUID] | None = None
) -> list[UUID]:
    """Let what was given up wait for new tries: all of it, of a patient, or these sessions. Return their ids.

    Recordings that were computed stay as they are. That it was given up is told as of any time before.
    """
    parked = select(SessionRow.id).where(is_parked()).order_by(SessionRow.received_at, SessionRow.id)
    if patient_id is not None:
        parked = parked.where(SessionRow.patient_id == patient_id)
    with services.db.read() as db:
        found = list(db.scalars(parked))
    again = [each for each in found if sessions is None or each in sessions]
    return [each for each in again if _wait_again(services, each)]


def wake_sessions(services: Services, db: DbSession, patient_id: UUID) -> None:
    """Have a patient's sessions computed that waited because the use of the data was restricted."""
    waiting = select(SessionRow).where(SessionRow.patient_id == patient_id, SessionRow.status == WAITING)
    for row in db.scalars(waiting.with_for_update()).all():
        if row.fault is not None:
            row.fault, row.tried_at = None, None
        settle(services, db, row, recordings_of(db, row))


def _wait_again(services: Services, session_id: UUID) -> bool:
    with services.db.write() as db:
        row = locked(db, session_id)
        if row is None:
            return False
        recordings = recordings_of(db, row)
        if row.status == WAITING or all(each.status != PARKED for each in recordings):
            return False
        for each in recordings:
            if each.status == PARKED:
                remember(db, row, each, services.clock())
                each.status, each.error, each.tries = WAITING, None, 0
            else:
                remember_waiting(db, row, each)
        row.status, row.fault, row.tries, row.tried_at = WAITING, None, 0, None
        settle(services, db, row, recordings)
        return True


def _tell_workers(services: Services) -> int:
    with services.db.write() as db:
        if not jobs.has_jobs(db) or not jobs.alone(db):
            return 0
        stalled = jobs.take_stalled(db)
    for session_id in stalled:
        end(services, session_id, PROCESS_ENDED)
    untold = _tell_of_untold(services)
    if stalled or untold:
        log.warning("sessions.left_behind", stalled=len(stalled), untold=untold)
    return len(stalled) + untold


def _tell_of_untold(services: Services) -> int:
    """Write jobs for sessions without one: all of them, as after a move to another database."""
    seen: set[UUID] = set()
    while True:
        lost = waiting_sessions(services, most=MOST_JOBS, without_job=True)
        for session_id in lost:
            with services.db.write() as db:
                row = locked(db, session_id)
                if row is not None and row.status == WAITING:
                    jobs.defer(db, session_id)
        if len(lost) < MOST_JOBS or seen.issuperset(lost):
            return len(seen.union(lost))
        seen.update(lost)
