"""The answer to an upload: the same when the session arrives and whenever it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from konectom.assessments.base import Catalogue, Entry
from konectom.recording import FloatArray
from konectom.storage.models import CatalogueRow, RecordingRow, ResultRow, SessionRow
from konectom.storage.queries import IS_CURRENT
from konectom.workflows.entries import entries_of
from konectom.workflows.pages import told
from konectom.workflows.values import value_told
from konectom.workflows.withheld import Withheld

Runs = dict[str, list[list[int]]]

_places: dict[str, dict[str, int]] = {}
"""Where each entry stands, by the digest of its catalogue: there are thousands, and their keys are made on demand."""


def session_receipt(db: Session, row: SessionRow, withheld: Withheld, *, measures: bool = False) -> dict[str, Any]:
    """Return what came of a session; with ``measures`` all measures of each recording, and why some are absent.

    Of what is withheld only the types are told.
    """
    statement = (
        select(RecordingRow, ResultRow, CatalogueRow)
        .outerjoin(ResultRow, ResultRow.recording_id == RecordingRow.id)
        .outerjoin(CatalogueRow, CatalogueRow.id == ResultRow.catalogue_id)
        .where(RecordingRow.session_id == row.id, IS_CURRENT)
        .order_by(RecordingRow.index)
        .options(undefer(ResultRow.features))
    )
    if measures:
        statement = statement.options(undefer(ResultRow.absent))
    recordings = []
    for recording, result, catalogue in db.execute(statement):
        recordings.append(_recording(db, recording, result, catalogue, withheld, measures))
    fault = {} if row.fault is None else {"error": row.fault}
    return session_line(row) | fault | {"recordings": recordings}


def session_line(row: SessionRow) -> dict[str, Any]:
    """Return a session as it stands in a list."""
    held = {} if row.held_since is None else {"held_since": told(row.held_since)}
    return {
        "id": str(row.id),
        "digest": f"sha256:{row.digest}",
        "status": row.status,
        "patient": str(row.patient_id),
        "started_at": told(row.started_at, row.utc_offset_s),
        "time_zone": row.time_zone,
        "received_at": told(row.received_at),
        "format": row.format,
    } | held


def _recording(
    db: Session,
    row: RecordingRow,
    result: ResultRow | None,
    catalogue: CatalogueRow | None,
    withheld: Withheld,
    measures: bool,
) -> dict[str, Any]:
    answer: dict[str, Any] = {"index": row.index, "assessment": row.assessment, "status": row.status}
    if withheld.hides(row.assessment or ""):
        return answer | {"withheld": withheld.told}
    if result is None or catalogue is None:
        return answer | ({} if row.error is None else {"error": row.error})
    entries = entries_of(db, catalogue)
    values = [each for each in finite(entries, result.features) if not withheld.hides(each[0].key)]
    answer |= {
        "version": catalogue.version,
        "condition": row.condition,
        "quality": {"verdict": result.verdict, "flags": result.flags},
        "scores": [value_told(entry, value) for entry, value in values if entry.score],
    }
    if measures:
        answer["measures"] = [value_told(entry, value, aliases=True) for entry, value in values]
        absent = absent_by_key(entries, result.absent)
        answer["absent"] = {key: reason for key, reason in absent.items() if not withheld.hides(key)}
    return answer | {"withheld": withheld.told} if withheld.types else answer


def finite(entries: tuple[Entry, ...], features: FloatArray) -> Iterator[tuple[Entry, float]]:
    """Yield each entry that has a value, in catalogue order."""
    for index in np.flatnonzero(np.isfinite(features)):
        yield entries[index], float(features[index])


def absent_in_runs(catalogue: Catalogue, absent: Mapping[str, str]) -> Runs:
    """Return, for each reason, the runs ``[start, stop]`` of entries that have no value because of it."""
    if catalogue.digest not in _places:
        _places[catalogue.digest] = {entry.key: entry.index for entry in catalogue}
    place = _places[catalogue.digest]
    runs: Runs = {}
    for index, reason in sorted((place[key], reason) for key, reason in absent.items()):
        kept = runs.setdefault(reason, [])
        if kept and kept[-1][1] == index:
            kept[-1][1] += 1
        else:
            kept.append([index, index + 1])
    return runs


def absent_by_key(entries: tuple[Entry, ...], runs: Runs) -> dict[str, str]:
    """Return the reason for each entry's key, in catalogue order."""
    reasons = {index: reason for reason, kept in runs.items() for start, stop in kept for index in range(start, stop)}
    return {entries[index].key: reasons[index] for index in sorted(reasons)}
