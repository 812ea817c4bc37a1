"""Computing sessions again in another process: what goes there, what comes back, and the function between.

What goes there are the bytes as they were uploaded; what comes back is plain. So whoever computes needs no settings, no
database and no keys: the process that runs a campaign opens what is sealed and writes what is found, and no key leaves
it. What a worker computed with other declarations than the campaign's is recognised by their digest.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from konectom import formats
from konectom.errors import KeyDestroyed, KonectomError, NotFound, SealBroken, StoreUnavailable
from konectom.formats import Limits
from konectom.recording import Recording, Rejected, Session
from konectom.storage.models import SessionRow
from konectom.workflows.consent.data_types import data_types_of
from konectom.workflows.services import Services
from konectom.workflows.sessions.keep import times_of
from konectom.workflows.sessions.plain_results import Values, values_of
from konectom.workflows.sessions.process import EXTRACTION_FAILED, Extracted, Failed, extract_recording
from konectom.workflows.sessions.reading import read_session


@dataclass(frozen=True, slots=True)
class Task:
    """A session: its bytes, how they were declared, and the indices of the recordings that are wanted."""

    session_id: UUID
    body: bytes
    encoding: str | None
    media_type: str | None
    wanted: tuple[int, ...]
    limits: Limits


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of a recording: ``values``, or the ``error`` that says why there are none.

    ``types`` are the types of data that it carries, ``at`` is when it began. ``fault`` is the trace of a fault of ours.
    """

    status: str
    assessment: str | None
    types: frozenset[str]
    condition: Mapping[str, str]
    offset_s: float
    duration_s: float | None
    at: datetime | None
    values: Values | None = None
    error: Mapping[str, Any] | None = None
    fault: str = ""


Outcomes = dict[int, Outcome]
"""By the recording's index."""


def compute(tasks: Sequence[Task]) -> list[Outcomes]:
    """Return what comes of each session's wanted recordings. It raises nothing: what fails is an outcome."""
    return [_compute(task) for task in tasks]


def compute_large(services: Services, row: SessionRow, wanted: Sequence[int]) -> Outcomes:
    """Return what comes of a session that is not held in memory: here, one recording after the other."""
    try:
        with read_session(services, row.id) as readable:
            session = readable.session
            times, types = times_of(session), [data_types_of(each) for each in session.recordings]
            return {index: _told(readable.outcome(index), times[index], types[index]) for index in wanted}
    except (StoreUnavailable, KeyDestroyed, NotFound, SealBroken):
        raise
    except KonectomError as error:
        return {index: _without_result("rejected", None, error.as_dict()) for index in wanted}
    except Exception as fault:
        error_told = _error("The recording could not be read. It is kept.")
        return {index: _without_result("failed", None, error_told, _trace(fault)) for index in wanted}


def lost(task: Task) -> Outcomes:
    """Return the outcomes of a session that ended the process which computed it."""
    error = _error("The process that computed the measures ended. The recording is kept.")
    return {index: _without_result("failed", None, error) for index in task.wanted}


def _compute(task: Task) -> Outcomes:
    try:
        session = formats.read(task.body, encoding=task.encoding, media_type=task.media_type, limits=task.limits)
        times = times_of(session)
        return {index: _outcome(session, index, times[index]) for index in task.wanted}
    except KonectomError as error:
        return {index: _without_result("rejected", None, error.as_dict()) for index in task.wanted}
    except Exception as fault:
        error_told = _error("The recording could not be read. It is kept.")
        return {index: _without_result("failed", None, error_told, _trace(fault)) for index in task.wanted}


def _outcome(session: Session, index: int, at: datetime) -> Outcome:
    recording = session.recordings[index]
    found = recording if isinstance(recording, Rejected) else extract_recording(recording, index)
    return _told(found, at, data_types_of(recording))


def _told(found: Extracted | Rejected | Failed, at: datetime, types: frozenset[str]) -> Outcome:
    if isinstance(found, Rejected):
        return _without_result("rejected", found, found.error, types=types)
    recording = found.recording
    if not isinstance(found, Extracted):
        return _without_result("failed", recording, found.error, _trace(found.fault))
    return Outcome(
        "processed",
        recording.assessment,
        types,
        dict(recording.condition),
        recording.offset_s,
        recording.duration_s,
        at,
        values=values_of(found.result),
    )


def _without_result(
    status: str,
    recording: Recording | Rejected | None,
    error: Mapping[str, Any],
    fault: str = "",
    types: frozenset[str] | None = None,
) -> Outcome:
    if types is None:
        types = frozenset() if recording is None else data_types_of(recording)
    if not isinstance(recording, Recording):
        name = None if recording is None else recording.assessment
        return Outcome(status, name, types, {}, 0.0, None, None, error=dict(error), fault=fault)
    return Outcome(
        status,
        recording.assessment,
        types,
        dict(recording.condition),
        recording.offset_s,
        recording.duration_s,
        None,
        error=dict(error),
        fault=fault,
    )


def _error(detail: str) -> dict[str, Any]:
    return {"code": EXTRACTION_FAILED, "detail": detail}


def _trace(fault: Exception) -> str:
    return "".join(traceback.format_exception(fault))
