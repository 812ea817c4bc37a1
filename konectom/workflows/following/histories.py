"""The scores of a patient as they are stored: one range of a table, read into arrays.

Of a recording that several versions of its assessment have computed only the newest result counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple, TypeVarTuple
from uuid import UUID

import numpy as np
import numpy.typing as npt
from sqlalchemy import BigInteger, Connection, Select, String, select, type_coerce
from sqlalchemy.orm import Session

from konectom.recording import FloatArray
from konectom.storage.models import (
    CatalogueRow,
    MeasureRow,
    Observation,
    ObservedRow,
    RecordingRow,
    ResultRow,
    ScoreRow,
)
from konectom.storage.queries import known_at, score_known_at
from konectom.storage.types import US_PER_DAY
from konectom.workflows.consent.withheld import NOTHING, Withheld

IntArray = npt.NDArray[np.int64]
OBSERVED = "obs."
"""How the keys begin of what follows from observations."""

AT_ONCE = 500
"""Ids in one question: every database takes so many."""


@dataclass(frozen=True, slots=True, eq=False)
class Origins:
    """Where n values come from: recordings ``index`` of sessions, or observations from ``source``.

    ``number`` is the id of the session or observation as the database holds it, ``flags`` are codes apart by a space.
    """

    number: Sequence[Any]
    index: Sequence[int] | None
    source: Sequence[str] | None
    utc_offset_s: Sequence[int]
    flags: Sequence[str]


class Stored(NamedTuple):
    """What a stored catalogue is of."""

    number: int
    assessment: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The values of one score of a patient, oldest first. All arrays and sequences have the same length n.

    ``at_us`` are microseconds since 1970 in UTC, ``run`` tells the how-manieth performance of the assessment each
    belongs to, ``verdict`` is that of the result (an observation's is ``valid``). ``catalogue`` is that of the newest
    version among them, None for observations.
    """

    measure_id: int
    key: str
    at_us: IntArray
    value: FloatArray
    verdict: Sequence[str]
    version: IntArray
    run: IntArray
    origins: Origins
    catalogue: Stored | None

    @property
    def at_day(self) -> FloatArray:
        """Return the times as days since 1970 in UTC."""
        return self.at_us / US_PER_DAY


_COLUMNS = (
    ScoreRow.measure_id,
    type_coerce(ScoreRow.at, BigInteger),
    ScoreRow.value,
    ScoreRow.verdict,
    ScoreRow.catalogue_id,
    type_coerce(ScoreRow.session_id, String),
    ScoreRow.index,
    ScoreRow.utc_offset_s,
    ScoreRow.flags,
)
"""Times and ids as the database holds them: a thousand are read at a time, and few are told."""

_CATALOGUE, _SESSION, _INDEX = 4, 5, 6
_ORDER = (ScoreRow.measure_id, ScoreRow.at, ScoreRow.session_id, ScoreRow.index)

_OBSERVED = (
    ObservedRow.measure_id,
    type_coerce(ObservedRow.at, BigInteger),
    ObservedRow.value,
    ObservedRow.version,
    type_coerce(ObservedRow.observation_id, String),
    ObservedRow.source,
    ObservedRow.utc_offset_s,
    ObservedRow.flags,
)

Row = Sequence[Any]
Columns = TypeVarTuple("Columns")


def read_histories(
    db: Session,
    patient_id: UUID,
    *,
    keys: Collection[str] | None = None,
    until: datetime | None = None,
    observed: bool = True,
    withheld: Withheld = NOTHING,
    as_of: datetime | None = None,
) -> list[History]:
    """Return the patient's scores of these keys (None: all) up to ``until``, by key; those without a value are missing.

    Without ``observed``, what follows from observations is left out, and so is what is ``withheld``. With ``as_of``, so
    is what was not there at that instant.
    A run is a performance that gave at least one score; all scores of an assessment share the count.
    """
    connection = db.connection()
    known: dict[int, str] = {row.id: row.key for row in connection.execute(select(MeasureRow.id, MeasureRow.key)).all()}
    wanted = known if keys is None else {number: key for number, key in known.items() if key in keys}
    if withheld.types:
        wanted = {number: key for number, key in wanted.items() if not withheld.hides(key)}
    range_ = _Range(patient_id, until, as_of)
    found = _computed(connection, range_, known, wanted)
    if observed and any(key.startswith(OBSERVED) for key in wanted.values()):
        found += _observed(connection, range_, wanted)
    return sorted(found, key=lambda each: each.key)


@dataclass(frozen=True, slots=True)
class _Range:
    """Whose values, up to when they were taken, and as they were known when (None: without end, and now)."""

    patient_id: UUID
    until: datetime | None
    as_of: datetime | None


def _computed(db: Connection, range_: _Range, known: dict[int, str], wanted: dict[int, str]) -> list[History]:
    assessments = {_assessment(key) for key in wanted.values() if not key.startswith(OBSERVED)}
    if not assessments:
        return []
    columns = (CatalogueRow.id, CatalogueRow.assessment, CatalogueRow.version, CatalogueRow.digest)
    stored = {row[0]: Stored(*row) for row in db.execute(select(*columns)).all()}
    numbers = None if len(wanted) == len(known) else list(wanted)
    rows = db.execute(_asked(select(*_COLUMNS), range_, numbers).order_by(*_ORDER)).all()
    by_measure = dict(_by_measure(_newest(db, rows, stored, range_.as_of)))
    times: dict[str, list[IntArray]] = {}
    for number, columns_ in by_measure.items():
        times.setdefault(_assessment(known[number]), []).append(np.array(columns_[1], dtype=np.int64))
    if numbers is not None:
        # All scores of an assessment together tell the runs: of those that were not asked for, the times.
        others = [number for number, key in known.items() if number not in wanted and _assessment(key) in assessments]
        seen = _asked(select(ScoreRow.measure_id, type_coerce(ScoreRow.at, BigInteger)), range_, others)
        for number, (_, at_us) in _by_measure(db.execute(seen.order_by(ScoreRow.measure_id, ScoreRow.at)).all()):
            times.setdefault(_assessment(known[number]), []).append(np.array(at_us, dtype=np.int64))
    runs = {name: np.unique(np.concatenate(each)) for name, each in times.items()}
    return [
        _history(number, known[number], columns_, stored, runs[_assessment(known[number])])
        for number, columns_ in by_measure.items()
    ]


def _by_measure(rows: Sequence[Row]) -> Iterator[tuple[int, list[Sequence[Any]]]]:
    """Yield number and columns of each measure among rows that are in order of it."""
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    measure = np.array(columns[0])
    bounds = [0, *(np.flatnonzero(np.diff(measure)) + 1).tolist(), len(rows)]
    for start, stop in pairwise(bounds):
        yield columns[0][start], [column[start:stop] for column in columns]


def _asked(statement: Select[*Columns], range_: _Range, numbers: list[int] | None) -> Select[*Columns]:
    statement = statement.where(ScoreRow.patient_id == range_.patient_id)
    if numbers is not None:
        statement = statement.where(ScoreRow.measure_id.in_(numbers))
    if range_.as_of is not None:
        statement = statement.where(score_known_at(range_.as_of))
    return statement if range_.until is None else statement.where(ScoreRow.at <= range_.until)


def _history(
    number: int, key: str, columns: Sequence[Sequence[Any]], stored: dict[int, Stored], runs: IntArray
) -> History:
    _, at_us, value, verdict, catalogue, session, index, utc_offset_s, flags = columns
    times = np.array(at_us, dtype=np.int64)
    return History(
        measure_id=number,
        key=key,
        at_us=times,
        value=np.array(value, dtype=np.float64),
        verdict=verdict,
        version=np.array([stored[each].version for each in catalogue], dtype=np.int64),
        run=np.searchsorted(runs, times) + 1,
        origins=Origins(session, index, None, utc_offset_s, flags),
        catalogue=max((stored[each] for each in set(catalogue)), key=lambda each: each.version),
    )


def _newest(db: Connection, rows: Sequence[Row], stored: dict[int, Stored], as_of: datetime | None) -> Sequence[Row]:
    """Return the rows that belong to the newest result of their recording, of those that were there at an instant.

    Only where a row is of a version that is not the newest stored can another result stand above it; then, and only
    then, the results are asked.
    """
    latest: dict[str, int] = {}
    for each in stored.values():
        latest[each.assessment] = max(each.version, latest.get(each.assessment, 0))
    outdated = {number for number, each in stored.items() if each.version < latest[each.assessment]}
    sessions = sorted({uuid_of(row[_SESSION]) for row in rows if row[_CATALOGUE] in outdated}) if outdated else []
    newest: dict[tuple[UUID, int], int] = {}
    for start in range(0, len(sessions), AT_ONCE):
        results = (
            select(RecordingRow.session_id, RecordingRow.index, ResultRow.catalogue_id)
            .join(ResultRow, ResultRow.recording_id == RecordingRow.id)
            .where(RecordingRow.session_id.in_(sessions[start : start + AT_ONCE]), known_at(as_of))
        )
        for session, index, catalogue in db.execute(results).all():
            before = newest.get((session, index))
            if before is None or stored[catalogue].version > stored[before].version:
                newest[session, index] = catalogue
    if not newest:
        return rows
    return [
        row for row in rows if newest.get((uuid_of(row[_SESSION]), row[_INDEX]), row[_CATALOGUE]) == row[_CATALOGUE]
    ]


def _observed(db: Connection, range_: _Range, wanted: dict[int, str]) -> list[History]:
    statement = (
        select(*_OBSERVED)
        .where(ObservedRow.patient_id == range_.patient_id)
        .order_by(ObservedRow.measure_id, ObservedRow.at, ObservedRow.observation_id)
    )
    if range_.until is not None:
        statement = statement.where(ObservedRow.at <= range_.until)
    if range_.as_of is not None:
        statement = statement.join(Observation, Observation.id == ObservedRow.observation_id).where(
            Observation.entered_at <= range_.as_of
        )
    found = []
    for number, columns in _by_measure(db.execute(statement).all()):
        if number in wanted:
            _, at_us, value, version, observation, source, utc_offset_s, flags = columns
            found.append(
                History(
                    measure_id=number,
                    key=wanted[number],
                    at_us=np.array(at_us, dtype=np.int64),
                    value=np.array(value, dtype=np.float64),
                    verdict=("valid",) * len(at_us),
                    version=np.array(version, dtype=np.int64),
                    run=np.arange(1, len(at_us) + 1),
                    origins=Origins(observation, None, source, utc_offset_s, flags),
                    catalogue=None,
                )
            )
    return found


def _assessment(key: str) -> str:
    return key.split(".", 1)[0]


def uuid_of(number: Any) -> UUID:
    """Return the id that a database gave: some know UUIDs, others give their digits."""
    return number if isinstance(number, UUID) else UUID(number)
