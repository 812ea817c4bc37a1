"""How reliable the scores of a study are: what its values say, or those of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from konectom.assessments import every_assessment
from konectom.errors import FieldInvalid, NotFound
from konectom.scoring.reliability.design import Design
from konectom.scoring.reliability.study import ScoreReliability, study_reliability
from konectom.scoring.reliability.table import StudyTable
from konectom.storage.models import (
    CatalogueRow,
    MeasureRow,
    Patient,
    RecordingRow,
    ResultRow,
    ScoreRow,
    SessionRow,
    Study,
)
from konectom.storage.queries import IS_CURRENT
from konectom.workflows.services import Services

SCORES_MAX = 50
"""Most scores of one question."""

ROWS = 10_000
"""Rows that come from the database at one time."""

LEAST_VERDICTS = {"valid": ("valid",), "limited": ("valid", "limited")}
"""Which recordings count, by the least verdict that does."""

SUPERVISED, UNSUPERVISED = "supervised", "unsupervised"
"""The labels of values whose session says how it was done."""

ATTRIBUTES = ("sex", "handedness")
"""What groups of patients can go by."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StudyReliability:
    """The reliability of some scores of a study, and the versions of their assessments among the values."""

    study_id: UUID
    design: Design
    verdict: str
    scores: tuple[ScoreReliability, ...]
    versions: Mapping[str, tuple[int, ...]]

    def as_dict(self) -> dict[str, Any]:
        """Return it as it goes over the wire."""
        declared = {entry.key: entry for each in every_assessment().values() for entry in each.catalogue.scores}
        told = []
        for score in self.scores:
            entry = declared.get(score.key)
            told.append(
                {
                    **score.as_dict(),
                    "title": None if entry is None else entry.means,
                    "unit": None if entry is None else entry.unit,
                    "better": None if entry is None else entry.better,
                    "versions": list(self.versions.get(score.key, ())),
                }
            )
        return {"study": str(self.study_id), "design": self.design.as_dict(), "verdict": self.verdict, "scores": told}


def reliability_of_study(
    services: Services, study_id: UUID, measures: Sequence[str], design: Design, *, verdict: str = "limited"
) -> StudyReliability:
    """Return the reliability of a study's scores.

    ``measures`` are keys of scores, or quantities for all of their scores; ``verdict`` is the least that counts. Values
    are those of each recording's newest result; ``versions`` tells where assessments of several versions computed them.
    Raises :class:`NotFound`, and :class:`FieldInvalid` for what is no score or no design.
    """
    if verdict not in LEAST_VERDICTS:
        raise FieldInvalid(f"the least verdict is valid or limited, not {verdict!r}", at="/query/verdict")
    with services.db.read() as db:
        if db.get(Study, study_id) is None:
            raise NotFound("there is no such study")
        wanted = _keys(db, measures, "/query/measure")
        references = _keys(db, design.every_reference, "/query/references")
        for key in design.every_reference:
            if key not in references:
                raise FieldInvalid(f"a reference is one score; {key!r} has several", at="/query/references")
        scores: list[ScoreReliability] = []
        versions: dict[str, tuple[int, ...]] = {}
        attributes, verdicts = _attributes(db, study_id), LEAST_VERDICTS[verdict]
        observed = stored_values(db, study_id, design.every_reference, verdicts)
        for key in wanted:  # one at a time: memory holds the values of one score and the references
            rows = [] if key in references else stored_values(db, study_id, (key,), verdicts)
            own = rows or [row for row in observed if row.key == key]
            versions[key] = tuple(sorted({row.version for row in own}))
            scores += study_reliability(_table([*rows, *observed], attributes), design, (key,))
    return StudyReliability(study_id, design, verdict, tuple(scores), versions)


@dataclass(frozen=True, slots=True)
class StoredValue:
    """One value of a patient (by code), as the study takes it."""

    patient: str
    key: str
    at: datetime
    value: float
    version: int
    supervised: bool | None


def stored_values(db: Session, study_id: UUID, keys: Sequence[str], verdicts: Sequence[str]) -> list[StoredValue]:
    """Return a study's current values of some scores whose recordings have one of these verdicts."""
    statement = (
        select(
            Patient.code,
            MeasureRow.key,
            ScoreRow.at,
            ScoreRow.value,
            CatalogueRow.version,
            SessionRow.supervised,
        )
        .join(ScoreRow, ScoreRow.patient_id == Patient.id)
        .join(MeasureRow, MeasureRow.id == ScoreRow.measure_id)
        .join(CatalogueRow, CatalogueRow.id == ScoreRow.catalogue_id)
        .join(SessionRow, SessionRow.id == ScoreRow.session_id)
        .join(RecordingRow, (RecordingRow.session_id == ScoreRow.session_id) & (RecordingRow.index == ScoreRow.index))
        .join(
            ResultRow, (ResultRow.recording_id == RecordingRow.id) & (ResultRow.catalogue_id == ScoreRow.catalogue_id)
        )
        .where(Patient.study_id == study_id, MeasureRow.key.in_(keys), ResultRow.verdict.in_(verdicts), IS_CURRENT)
        .execution_options(yield_per=ROWS)
    )
    return [StoredValue(*row) for row in db.execute(statement)]


def _keys(db: Session, measures: Sequence[str], at: str) -> list[str]:
    """Return the keys that are asked for, each once, in the order in which they are declared."""
    declared = [entry.key for each in every_assessment().values() for entry in each.catalogue.scores]
    known = list(dict.fromkeys([*declared, *sorted(db.scalars(select(MeasureRow.key)))]))
    found: dict[str, None] = {}
    for measure in measures:
        meant = [key for key in known if measure in (key, _quantity(key))]
        if not meant:
            raise FieldInvalid(f"there is no score {measure!r}; /measures?score=true lists them", at=at)
        found |= dict.fromkeys(meant)
    if len(found) > SCORES_MAX:
        raise FieldInvalid(f"these are {len(found)} scores; ask for {SCORES_MAX} at most", at=at)
    return list(found)


def _quantity(key: str) -> str:
    """Return ``assessment.quantity`` of a key."""
    return ".".join(key.split("[", 1)[0].split(".")[:2])


def _attributes(db: Session, study_id: UUID) -> dict[str, dict[str, str]]:
    columns = [getattr(Patient, name) for name in ATTRIBUTES]
    found: dict[str, dict[str, str]] = {name: {} for name in ATTRIBUTES}
    for code, *levels in db.execute(select(Patient.code, *columns).where(Patient.study_id == study_id)):
        for name, level in zip(ATTRIBUTES, levels, strict=True):
            if level is not None:
                found[name][code] = level
    return found


def _table(rows: Sequence[StoredValue], attributes: Mapping[str, Mapping[str, str]]) -> StudyTable:
    labels = {True: SUPERVISED, False: UNSUPERVISED, None: ""}
    return StudyTable(
        patient=np.array([row.patient for row in rows], dtype=np.str_),
        key=np.array([row.key for row in rows], dtype=np.str_),
        at_day=np.array([(row.at - EPOCH).total_seconds() / 86400 for row in rows], dtype=np.float64),
        value=np.array([row.value for row in rows], dtype=np.float64),
        label=np.array([labels[row.supervised] for row in rows], dtype=np.str_),
        attributes=attributes,
    )
