"""A patient's scores over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from konectom.assessments import every_assessment
from konectom.assessments._catalogue import Entry
from konectom.errors import FieldInvalid
from konectom.storage.models import CatalogueRow, MeasureRow, RecordingRow, ResultRow, ScoreRow, SessionRow
from konectom.storage.queries import IS_CURRENT
from konectom.workflows.entries import entries_of
from konectom.workflows.pages import told
from konectom.workflows.people import find_patient
from konectom.workflows.services import Services


def patient_trends(
    services: Services,
    patient_id: UUID,
    *,
    measure: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    study_id: UUID | None = None,
) -> dict[str, Any]:
    """Return the trend of each score that the patient has, points oldest first.

    ``measure`` asks for one score by its key, or for all of one quantity (``tap.valid_taps``); ``start`` and ``end``
    bound when a recording began, both included. Each point tells the assessment version that computed it, and
    ``versions`` which there are: a change of version is not a change of the patient. Raises
    :class:`~konectom.errors.NotFound`, and :class:`FieldInvalid` at ``/query/measure`` for what is no score.
    """
    with services.db.read() as db:
        find_patient(db, patient_id, study_id=study_id)
        keys = _keys(db, patient_id, measure)
        trends = []
        for measure_id, key in keys:
            rows = db.execute(points(patient_id, measure_id, start, end)).all()
            if rows:
                trends.append(_trend(db, key, rows))
    return {"patient": str(patient_id), "trends": trends}


def points(patient_id: UUID, measure_id: int, start: datetime | None, end: datetime | None) -> Select[*tuple[Any, ...]]:
    """Return the statement of one trend: a single range of the scores' index."""
    statement: Select[*tuple[Any, ...]] = (
        select(
            ScoreRow.at,
            ScoreRow.value,
            ResultRow.verdict,
            ResultRow.flags,
            ResultRow.catalogue_id,
            CatalogueRow.version,
            RecordingRow.index,
            RecordingRow.session_id,
            SessionRow.utc_offset_s,
        )
        .join(ResultRow, ResultRow.id == ScoreRow.result_id)
        .join(CatalogueRow, CatalogueRow.id == ResultRow.catalogue_id)
        .join(RecordingRow, RecordingRow.id == ResultRow.recording_id)
        .join(SessionRow, SessionRow.id == RecordingRow.session_id)
        .where(ScoreRow.patient_id == patient_id, ScoreRow.measure_id == measure_id, IS_CURRENT)
        .order_by(ScoreRow.at, ScoreRow.result_id)
    )
    if start is not None:
        statement = statement.where(ScoreRow.at >= start)
    if end is not None:
        statement = statement.where(ScoreRow.at <= end)
    return statement


def _keys(db: Session, patient_id: UUID, measure: str | None) -> list[tuple[int, str]]:
    """Return number and key of the scores asked for, in the order in which they are declared."""
    declared = {entry.key: entry for entry in _declared_scores()}
    stored = [(row.id, row.key) for row in db.scalars(select(MeasureRow))]
    if measure is not None:
        wanted = {key for key, entry in declared.items() if measure in (key, entry.measure)}
        wanted |= {key for _, key in stored if measure in (key, _quantity(key))}
        if not wanted:
            raise FieldInvalid(f"there is no score {measure!r}; /measures?score=true lists them", at="/query/measure")
        stored = [(number, key) for number, key in stored if key in wanted]
    order = {key: place for place, key in enumerate(declared)}
    return sorted(stored, key=lambda pair: (order.get(pair[1], len(order)), pair[1]))


def _declared_scores() -> Iterable[Entry]:
    for assessment in every_assessment().values():
        yield from assessment.catalogue.scores


def _quantity(key: str) -> str:
    """Return ``assessment.quantity`` of a key."""
    return ".".join(key.split("[", 1)[0].split(".")[:2])


def _trend(db: Session, key: str, rows: Sequence[Any]) -> dict[str, Any]:
    """Return a trend under the declaration of its newest version; ``rows`` are those of :func:`points`."""
    newest = db.get_one(CatalogueRow, max(rows, key=lambda row: row.version).catalogue_id)
    entry = next(entry for entry in entries_of(db, newest) if entry.key == key)
    assessment = every_assessment().get(newest.assessment)
    return {
        "key": key,
        "measure": entry.measure,
        "condition": dict(entry.condition),
        "statistic": entry.statistic or None,
        "unit": entry.unit,
        "better": entry.better,
        "title": entry.means,
        "assessment": newest.assessment,
        "assessment_title": assessment.title if assessment is not None else newest.assessment,
        "versions": sorted({row.version for row in rows}),
        "points": [_point(row) for row in rows],
    }


def _point(row: Any) -> dict[str, Any]:
    return {
        "session": str(row.session_id),
        "recording": row.index,
        "at": told(row.at, row.utc_offset_s),
        "value": row.value,
        "verdict": row.verdict,
        "flags": [flag["code"] for flag in row.flags],
        "version": row.version,
    }
