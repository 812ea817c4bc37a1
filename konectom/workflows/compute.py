"""From a session that is kept to what came of its recordings: once, however often and by how many it is tried.

A session that waits is the truth; whatever told somebody to compute it was only a nudge. A try is counted before it
begins, so that one which ends the process (out of memory, a fault in a library) counts as well. After as many as
``processing_tries`` the session is parked, with the reason; ``konectom reprocess`` takes it up again.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session as DbSession

from konectom.errors import BodyError, DataError, KeyDestroyed, NotFound, ProcessingParked, SealBroken, StoreUnavailable
from konectom.recording import Session
from konectom.storage.models import RecordingRow, SessionRow
from konectom.workflows.collecting import Agreed
from konectom.workflows.data_types import data_types_of
from konectom.workflows.keep import Outcomes, keep_outcomes
from konectom.workflows.people import find_patient
from konectom.workflows.process import log_outcomes
from konectom.workflows.reading import read_session
from konectom.workflows.services import Services

log = structlog.get_logger()

WAITING = "received"


def compute_session(services: Services, session_id: UUID) -> str | None:
    """Compute a session that waits and return its status then; of one that does not wait, the status it has.

    None where there is no such session (any more). It goes on waiting while another computes it, and where the use of
    its data is restricted. Raises :class:`~konectom.errors.StoreUnavailable` where its bytes or the database cannot be
    reached, which is no try; any other error is one, and is kept as the session's fault.
    """
    row, mine = _claim(services, session_id)
    if row is None or not mine:
        return None if row is None else row.status
    try:
        with read_session(services, session_id) as readable:
            session = readable.session
            outcomes = [readable.outcome(index) for index in range(len(session.recordings))]
    except (BodyError, DataError) as error:
        return _end(services, session_id, "rejected", error.as_dict())
    except KeyDestroyed:  # erased meanwhile
        return None
    except (SealBroken, NotFound) as error:
        _end(services, session_id, WAITING, error.as_dict())
        raise
    except StoreUnavailable:
        _give_back(services, session_id)
        raise
    except Exception as fault:
        _end(services, session_id, WAITING, {"code": "processing_failed", "detail": type(fault).__name__})
        raise
    return _keep(services, session_id, session, outcomes)


def _claim(services: Services, session_id: UUID) -> tuple[SessionRow | None, bool]:
    """Return the session's row, and whether it is to be computed here; then a try is counted."""
    settings, now = services.settings, services.clock()
    with services.db.write() as db:
        row = _locked(db, session_id)
        if row is None or row.status != WAITING or Agreed.of(db, row.patient_id).all_restricted:
            return row, False
        computing = row.tried_at is not None and row.fault is None
        if computing and row.tried_at is not None and now - row.tried_at < settings.processing_time_limit:
            return row, False
        if row.tries >= settings.processing_tries:
            _park(db, row)
            return row, False
        row.tries, row.tried_at, row.fault = row.tries + 1, now, None
        return row, True


def _park(db: DbSession, row: SessionRow) -> None:
    reason = ProcessingParked(f"given up after {row.tries} tries", last=row.fault)
    if row.fault is None:
        reason.context["last"] = {"code": "process_ended", "detail": "the process that computed it ended"}
    _set(db, row, "parked", reason.as_dict())
    log.error("session.parked", tries=row.tries, last=reason.context["last"]["code"])


def _keep(services: Services, session_id: UUID, session: Session, outcomes: Outcomes) -> str | None:
    with services.db.write() as db:
        row = _locked(db, session_id)
        if row is None or row.status != WAITING:  # erased meanwhile, or computed by another
            return None if row is None else row.status
        types = frozenset[str]().union(*map(data_types_of, session.recordings))
        if Agreed.of(db, row.patient_id).restricted & types:
            row.tries, row.tried_at = row.tries - 1, None
            return row.status
        keep_outcomes(db, row, session, outcomes, services.clock())
        status = row.status
    log_outcomes(outcomes)
    return status


def _end(services: Services, session_id: UUID, status: str, fault: dict[str, Any]) -> str | None:
    """Write down how a try ended that gave no results."""
    with services.db.write() as db:
        row = _locked(db, session_id)
        if row is None or row.status != WAITING:
            return None if row is None else row.status
        _set(db, row, status, fault)
        if status == WAITING and row.tries >= services.settings.processing_tries:
            _park(db, row)
        return row.status


def _set(db: DbSession, row: SessionRow, status: str, fault: dict[str, Any]) -> None:
    row.status, row.fault = status, fault
    waiting = (RecordingRow.session_id == row.id, RecordingRow.status == WAITING)
    for recording in db.scalars(select(RecordingRow).where(*waiting)).all():
        recording.status = status
        recording.error = None if status == WAITING else fault


def _give_back(services: Services, session_id: UUID) -> None:
    """Take the try back: nothing was wrong with the session."""
    try:
        with services.db.write() as db:
            row = _locked(db, session_id)
            if row is not None and row.status == WAITING:
                row.tries, row.tried_at = row.tries - 1, None
    except StoreUnavailable as error:  # then it counts; what failed before is what is told
        log.warning("session.try_counted", reason=error.detail)


def _locked(db: DbSession, session_id: UUID) -> SessionRow | None:
    """Return a session's row that nobody else changes now; its patient is not erased meanwhile, nor restricted."""
    patient_id = db.scalar(select(SessionRow.patient_id).where(SessionRow.id == session_id))
    if patient_id is None:
        return None
    try:
        find_patient(db, patient_id, lock=True)
    except NotFound:
        return None
    return db.get(SessionRow, session_id, with_for_update=True, populate_existing=True)
