"""From a session that is kept to what came of its recordings: once, however often and by how many it is tried.

A session that waits is the truth; whatever told somebody to compute it was only a nudge. How often it is tried, and
what becomes of one that ends the process, is told in :mod:`konectom.workflows.sessions.tries`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.exc import IntegrityError

from konectom.errors import (
    BodyError,
    DataError,
    KeyDestroyed,
    KonectomError,
    NotFound,
    PatientRestricted,
    SealBroken,
    StoreUnavailable,
)
from konectom.recording import Session
from konectom.workflows.consent.collecting import Agreed
from konectom.workflows.consent.data_types import data_types_of
from konectom.workflows.following.due import void_reviews
from konectom.workflows.services import Services
from konectom.workflows.sessions.keep import ATTEMPTS, Outcome, keep_outcome, log_outcomes
from konectom.workflows.sessions.reading import Readable, read_session
from konectom.workflows.sessions.tries import (
    FAILED,
    WAITING,
    Try,
    begin,
    begin_recording,
    end,
    give_back,
    locked,
    recordings_of,
    settle,
)

log = structlog.get_logger()

Begun = Callable[[int | None], None]
"""Told when a piece of work begins that has the whole time limit: a session, or a recording that is tried alone."""

RESTRICTED = {"code": PatientRestricted.code, "detail": "the use of the patient's data is restricted"}


def compute_session(services: Services, session_id: UUID, *, begun: Begun = lambda index: None) -> str | None:
    """Compute a session that waits and return its status then; of one that does not wait, the status it has.

    None where there is no such session (any more). It goes on waiting while another computes it, where the last try was
    too short ago, and where the use of its data is restricted. Raises :class:`~konectom.errors.StoreUnavailable` where
    its bytes or the database cannot be reached, which is no try; any other error is one, and is kept as the session's
    fault.
    """
    status, mine = begin(services, session_id)
    if mine is None:
        return status
    begun(None)
    try:
        with read_session(services, session_id) as readable:
            return _compute(services, mine, readable, begun)
    except (BodyError, DataError) as error:
        return _reject(services, session_id, error)
    except KeyDestroyed:  # erased meanwhile
        return None
    except (SealBroken, NotFound) as error:  # no other time will its bytes be better: only a backup helps
        end(services, session_id, error.as_dict())
        raise
    except StoreUnavailable as error:
        give_back(services, session_id, fault={"code": error.code, "detail": error.title})
        raise
    except Exception as fault:
        end(services, session_id, _failed(fault))
        raise


def _compute(services: Services, mine: Try, readable: Readable, begun: Begun) -> str | None:
    compute = _compute_each_alone if mine.suspect else _compute_all
    return compute(services, mine, readable, begun)


def _compute_all(services: Services, mine: Try, readable: Readable, begun: Begun) -> str | None:
    session = readable.session
    outcomes = {index: readable.outcome(index) for index in mine.waiting if not _restricted(session, index, mine)}
    try:
        return _keep(services, mine.row.id, session, outcomes)
    finally:
        log_outcomes(list(outcomes.values()))


def _compute_each_alone(services: Services, mine: Try, readable: Readable, begun: Begun) -> str | None:
    """Compute and keep one recording after the other, the one that was tried least often first."""
    session = readable.session
    fault: dict[str, Any] | None = None
    for index in sorted(mine.waiting, key=lambda index: (mine.waiting[index], index)):
        if _restricted(session, index, mine) or not begin_recording(services, mine.row.id, index):
            continue
        begun(index)
        try:
            outcome = readable.outcome(index)
        except MemoryError as error:
            fault = _failed(error)
            continue
        _keep(services, mine.row.id, session, {index: outcome}, alone=True)
        log_outcomes([outcome])
    begun(None)
    if fault is not None:
        return end(services, mine.row.id, fault)
    return _keep(services, mine.row.id, session, {})


def _restricted(session: Session, index: int, mine: Try) -> bool:
    return bool(mine.restricted & data_types_of(session.recordings[index]))


def _keep(
    services: Services, session_id: UUID, session: Session, outcomes: Mapping[int, Outcome], *, alone: bool = False
) -> str | None:
    """Keep what came of these recordings, but for what was restricted meanwhile; ``alone`` others are still to come."""
    for _ in range(ATTEMPTS - 1):
        with suppress(IntegrityError):  # another wrote a row first that both need: a measure, a catalogue
            return _keep_once(services, session_id, session, outcomes, alone)
    return _keep_once(services, session_id, session, outcomes, alone)


def _keep_once(
    services: Services, session_id: UUID, session: Session, outcomes: Mapping[int, Outcome], alone: bool
) -> str | None:
    with services.db.write() as db:
        row = locked(db, session_id)
        if row is None or row.status != WAITING:  # erased meanwhile, or computed by another
            return None if row is None else row.status
        restricted, recordings = Agreed.of(db, row.patient_id).restricted, recordings_of(db, row)
        for recording in recordings:
            outcome = outcomes.get(recording.index)
            if outcome is None or recording.status != WAITING:
                continue
            if restricted & data_types_of(session.recordings[recording.index]):
                continue
            keep_outcome(db, row, recording, session, outcome, services.clock())
            recording.tries = max(0, recording.tries - alone)
        if outcomes:
            # What a review rests on has changed, though nothing was received since.
            void_reviews(db, patient_id=row.patient_id)
        if alone:
            return row.status
        if any(each.status == WAITING for each in recordings):
            row.tries, row.fault = row.tries - 1, dict(RESTRICTED)
        settle(services, db, row, recordings)
        return row.status


def _reject(services: Services, session_id: UUID, error: KonectomError) -> str | None:
    """Write down that the data of all recordings are wrong, as their bytes were read now."""
    with services.db.write() as db:
        row = locked(db, session_id)
        if row is None or row.status != WAITING:
            return None if row is None else row.status
        recordings = recordings_of(db, row)
        for each in recordings:
            if each.status == WAITING:
                each.status, each.error = "rejected", error.as_dict()
        settle(services, db, row, recordings)
        if row.status == "rejected":
            row.fault = error.as_dict()
        return row.status


def _failed(fault: Exception) -> dict[str, Any]:
    return {"code": FAILED, "detail": type(fault).__name__}
