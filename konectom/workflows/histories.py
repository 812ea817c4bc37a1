"""The scores of a patient as they are stored: one range of a table, read into arrays.

Of a recording that several versions of its assessment have computed only the newest result counts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from sqlalchemy import BigInteger, select, type_coerce
from sqlalchemy.orm import Session

from konectom.recording import FloatArray
from konectom.storage.models import CatalogueRow, MeasureRow, ObservedRow, ResultRow, ScoreRow

IntArray = npt.NDArray[np.int64]
OBSERVED = "obs."
"""How the keys begin of what follows from observations."""

US_PER_DAY = 86_400_000_000
AT_ONCE = 500
"""Ids in one question: every database takes so many."""

_AT = type_coerce(ScoreRow.at, BigInteger)
_OBSERVED_AT = type_coerce(ObservedRow.at, BigInteger)


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The values of one score of a patient, oldest first. All arrays and lists have the same length n.

    ``at_us`` are microseconds since 1970 in UTC, ``run`` tells the how-manieth performance of the assessment each
    belongs to, ``origin`` is the recording or the observation, ``verdict`` that of the result (an observation's is
    ``valid``). ``catalogue_id`` is that of the newest version among them, None for observations.
    """

    measure_id: int
    key: str
    at_us: IntArray
    value: FloatArray
    verdict: Sequence[str]
    version: IntArray
    run: IntArray
    origin: Sequence[UUID]
    catalogue_id: int | None

    @property
    def at_day(self) -> FloatArray:
        """Return the times as days since 1970 in UTC."""
        return self.at_us / US_PER_DAY


@dataclass(frozen=True, slots=True)
class _Version:
    assessment: str
    version: int


def read_histories(
    db: Session, patient_id: UUID, *, keys: Collection[str] | None = None, until: datetime | None = None
) -> list[History]:
    """Return the patient's scores of these keys (None: all) up to ``until``, by key; those without a value are missing.

    A run is a performance that gave at least one score; all scores of an assessment share the count.
    """
    known = {row.id: row.key for row in db.execute(select(MeasureRow.id, MeasureRow.key))}
    versions = {
        row.id: _Version(row.assessment, row.version)
        for row in db.execute(select(CatalogueRow.id, CatalogueRow.assessment, CatalogueRow.version))
    }
    wanted = known if keys is None else {number: key for number, key in known.items() if key in keys}
    found = _computed(db, patient_id, known, wanted, versions, until)
    if keys is None or any(key.startswith(OBSERVED) for key in wanted.values()):
        found += _observed(db, patient_id, wanted, until)
    return sorted(found, key=lambda each: each.key)


def _computed(
    db: Session,
    patient_id: UUID,
    known: dict[int, str],
    wanted: dict[int, str],
    versions: dict[int, _Version],
    until: datetime | None,
) -> list[History]:
    assessments = {_assessment(key) for key in wanted.values() if not key.startswith(OBSERVED)}
    if not assessments:
        return []
    # All scores of these assessments, also where one is asked for: together they tell the runs.
    numbers = [number for number, key in known.items() if _assessment(key) in assessments]
    statement = (
        select(ScoreRow.measure_id, _AT, ScoreRow.value, ScoreRow.verdict, ScoreRow.catalogue_id, ScoreRow.recording_id)
        .where(ScoreRow.patient_id == patient_id)
        .order_by(ScoreRow.measure_id, ScoreRow.at, ScoreRow.recording_id)
    )
    if len(numbers) < len(known):
        statement = statement.where(ScoreRow.measure_id.in_(numbers))
    if until is not None:
        statement = statement.where(ScoreRow.at <= until)
    rows = [tuple(row) for row in db.execute(statement)]
    rows = _newest(db, rows, versions)
    by_measure = {number: list(group) for number, group in groupby(rows, key=itemgetter(0))}
    times: dict[str, set[int]] = {}
    for number, group in by_measure.items():
        times.setdefault(_assessment(known[number]), set()).update(row[1] for row in group)
    runs = {name: np.array(sorted(each), dtype=np.int64) for name, each in times.items()}
    return [
        _history(number, known[number], group, versions, runs[_assessment(known[number])])
        for number, group in by_measure.items()
        if number in wanted
    ]


def _history(
    number: int, key: str, rows: list[tuple[Any, ...]], versions: dict[int, _Version], runs: IntArray
) -> History:
    _, at_us, value, verdict, catalogue, origin = zip(*rows, strict=True)
    times = np.array(at_us, dtype=np.int64)
    version = np.array([versions[each].version for each in catalogue], dtype=np.int64)
    return History(
        measure_id=number,
        key=key,
        at_us=times,
        value=np.array(value, dtype=np.float64),
        verdict=verdict,
        version=version,
        run=np.searchsorted(runs, times) + 1,
        origin=origin,
        catalogue_id=catalogue[int(np.argmax(version))],
    )


def _newest(db: Session, rows: list[tuple[Any, ...]], versions: dict[int, _Version]) -> list[tuple[Any, ...]]:
    """Return the rows that belong to the newest result of their recording.

    Only where a row is of a version that is not the newest stored can another result stand above it; then, and only
    then, the results are asked.
    """
    latest: dict[str, int] = {}
    for each in versions.values():
        latest[each.assessment] = max(each.version, latest.get(each.assessment, 0))
    used = {row[4] for row in rows}
    if all(versions[each].version == latest[versions[each].assessment] for each in used):
        return rows
    older = sorted({row[5] for row in rows if versions[row[4]].version < latest[versions[row[4]].assessment]})
    newest: dict[UUID, int] = {}
    for start in range(0, len(older), AT_ONCE):
        chosen = ResultRow.recording_id.in_(older[start : start + AT_ONCE])
        for recording, catalogue in db.execute(select(ResultRow.recording_id, ResultRow.catalogue_id).where(chosen)):
            before = newest.get(recording)
            if before is None or versions[catalogue].version > versions[before].version:
                newest[recording] = catalogue
    return [row for row in rows if newest.get(row[5], row[4]) == row[4]]


def _observed(db: Session, patient_id: UUID, wanted: dict[int, str], until: datetime | None) -> list[History]:
    statement = (
        select(ObservedRow.measure_id, _OBSERVED_AT, ObservedRow.value, ObservedRow.version, ObservedRow.observation_id)
        .where(ObservedRow.patient_id == patient_id)
        .order_by(ObservedRow.measure_id, ObservedRow.at, ObservedRow.observation_id)
    )
    if until is not None:
        statement = statement.where(ObservedRow.at <= until)
    rows = (tuple(row) for row in db.execute(statement) if row.measure_id in wanted)
    found = []
    for number, group in groupby(rows, key=itemgetter(0)):
        _, at_us, value, version, origin = zip(*group, strict=True)
        found.append(
            History(
                measure_id=number,
                key=wanted[number],
                at_us=np.array(at_us, dtype=np.int64),
                value=np.array(value, dtype=np.float64),
                verdict=("valid",) * len(at_us),
                version=np.array(version, dtype=np.int64),
                run=np.arange(1, len(at_us) + 1),
                origin=origin,
                catalogue_id=None,
            )
        )
    return found


def _assessment(key: str) -> str:
    return key.split(".", 1)[0]
