"""From a session as it was read to what came of each recording. No database: ``konectom extract`` works alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from konectom.assessments import every_assessment, get_assessment
from konectom.assessments.base import Result
from konectom.errors import DataError
from konectom.metrics import EXTRACTION_SECONDS, RECORDINGS
from konectom.recording import Recording, Rejected, Session

EXTRACTION_FAILED = "extraction_failed"


@dataclass(frozen=True, slots=True, eq=False)
class Extracted:
    """A recording and its result."""

    recording: Recording
    result: Result


@dataclass(frozen=True, slots=True, eq=False)
class Failed:
    """A recording that a fault in our computation has cost its result: what the caller is told, and the fault."""

    recording: Recording
    error: Mapping[str, Any]
    fault: Exception


Outcome = TypeVar("Outcome", bound=Extracted | Rejected | Failed)


def extract_session(session: Session) -> list[Extracted | Rejected | Failed]:
    """Return what came of each recording, in their order. One that cannot be used never costs the others."""
    return [
        _counted(each) if isinstance(each, Rejected) else extract_recording(each, index)
        for index, each in enumerate(session.recordings)
    ]


def extract_recording(recording: Recording, index: int) -> Extracted | Rejected | Failed:
    """Return the result of the session's recording number ``index``, or why there is none.

    Raises MemoryError, which tells more of the machine at that time than of the recording.
    """
    return _counted(_extracted(recording, index))


def _extracted(recording: Recording, index: int) -> Extracted | Rejected | Failed:
    try:
        assessment = get_assessment(recording.assessment)
        with EXTRACTION_SECONDS.timed(assessment=assessment.name):
            return Extracted(recording, assessment.run(recording))
    except MemoryError:
        raise
    except DataError as error:
        _complete_pointer(error, recording, index)
        return Rejected(recording.assessment, error.as_dict())
    except Exception as fault:
        error_told = {
            "code": EXTRACTION_FAILED,
            "detail": "The measures could not be computed. The recording is kept.",
            "at": f"/recordings/{index}",
        }
        return Failed(recording, error_told, fault)


def status_of(statuses: Collection[str]) -> str:
    """Return what is told of a session whose recordings have these."""
    for status in ("processed", "parked", "failed"):
        if status in statuses:
            return status
    return "rejected"


def _counted(outcome: Outcome) -> Outcome:
    """Tell the metrics what came of a recording; of a test that there is not, no name that somebody chose."""
    told = outcome.assessment if isinstance(outcome, Rejected) else outcome.recording.assessment
    RECORDINGS.add(assessment=told if told in every_assessment() else "none", outcome=type(outcome).__name__.lower())
    return outcome


def _complete_pointer(error: DataError, recording: Recording, index: int) -> None:
    """Complete a pointer into the recording to one into the session; the reader's own are complete already."""
    by_reader = {defect.at for part in recording.parts for defect in part.defects}
    if error.at not in by_reader:
        error.at = f"/recordings/{index}{error.at or ''}"
