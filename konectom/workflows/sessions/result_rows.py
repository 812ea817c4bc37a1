"""Results and their scores, as rows: written together, so that the database is asked once for what all of them need."""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import insert
from sqlalchemy.orm import Session as DbSession

from konectom.assessments.base import Catalogue, Result
from konectom.storage.database import as_kept
from konectom.storage.models import RecordingRow, ResultRow, ScoreRow, SessionRow
from konectom.workflows.following.entries import catalogue_id, measure_ids
from konectom.workflows.sessions.plain_results import Values, values_of


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
    ) -> ResultRow:
        """Add a recording's result, and return it as it would be read; ``at`` is when it began."""
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
        return ResultRow(**row | {"flags": as_kept(values.flags)})

    def write(self) -> None:
        """Write what was added."""
        self._db.flush()  # the recordings, to which results refer
        if self._rows:
            self._db.connection().execute(_RESULT, self._rows)
        ids = measure_ids(self._db, (key for _, scores in self._scores for key, _ in scores))
        told = [
            same | {"measure_id": ids[key], "value": value} for same, scores in self._scores for key, value in scores
        ]
        if told:
            self._db.connection().execute(_SCORE, told)


_RESULT, _SCORE = insert(ResultRow), insert(ScoreRow)
"""Made once: an upload waits for them."""


def result_id(recording: UUID, catalogue: Catalogue) -> UUID:
    """Return the id of a recording's result: derived, so that it has the same one wherever it is computed again."""
    return uuid5(recording, f"{catalogue.assessment}/{catalogue.version}")
