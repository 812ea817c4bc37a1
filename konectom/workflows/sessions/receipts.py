"""The answer to an upload: the same when the session arrives and whenever it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import and_, select
from sqlalchemy.orm import Session, undefer

from konectom.assessments.base import Catalogue, Entry
from konectom.recording import FloatArray
from konectom.storage.models import CatalogueRow, RecordingRow, ResultRow, SessionRow
from konectom.storage.queries import known_at, none_newer
from konectom.workflows.consent.withheld import Withheld
from konectom.workflows.following.as_of import Said, said_then, session_said
from konectom.workflows.following.entries import entries_of
from konectom.workflows.pages import told
from konectom.workflows.values import value_told

Runs = dict[str, list[list[int]]]
Found = tuple[RecordingRow, ResultRow | None, CatalogueRow | None]
"""A recording, and the result that is told of it."""

_places: dict[str, dict[str, int]] = {}
"""Where each entry stands, by the digest of its catalogue: there are thousands, and their keys are made on demand."""


def session_receipt(
    db: Session, row: SessionRow, withheld: Withheld, *, measures: bool = False, as_of: datetime | None = None
) -> dict[str, Any]:
    """Return what came of a session; with ``measures`` all measures of each recording, and why some are absent.

    Of what is withheld only the types are told. With ``as_of``: what was known at that instant.
    """
    statement = (
        select(RecordingRow, ResultRow, CatalogueRow)
        .outerjoin(ResultRow, and_(ResultRow.recording_id == RecordingRow.id, known_at(as_of)))
        .outerjoin(CatalogueRow, CatalogueRow.id == ResultRow.catalogue_id)
        .where(RecordingRow.session_id == row.id, none_newer(as_of))
        .order_by(RecordingRow.index)
        .options(undefer(ResultRow.features))
    )
    if measures:
        statement = statement.options(undefer(ResultRow.absent))
    found: list[Found] = [(recording, result, catalogue) for recording, result, catalogue in db.execute(statement)]
    return receipt_of(db, row, found, withheld, measures=measures, as_of=as_of)


def receipt_of(
    db: Session,
    row: SessionRow,
    found: list[Found],
    withheld: Withheld,
    *,
    measures: bool = False,
    as_of: datetime | None = None,
) -> dict[str, Any]:
    """Return the receipt of a session of which these rows tell."""
    said, whole = _said(db, row, found, as_of)
    recordings = [_recording(db, each, said[each[0].id], withheld, measures) for each in found]
    fault = {} if whole.error is None else {"error": whole.error}
    return session_line(row) | {"status": whole.status} | fault | {"recordings": recordings}


def _said(db: Session, row: SessionRow, found: list[Found], as_of: datetime | None) -> tuple[dict[UUID, Said], Said]:
    """Return what is said of each recording by its id, and of the session, now or then."""
    recordings = [each[0] for each in found]
    if as_of is None:
        return {each.id: Said(each.status, each.error) for each in recordings}, Said(row.status, row.fault)
    computed = {recording.id for recording, result, _ in found if result is not None}
    said = said_then(db, row, recordings, computed, as_of)
    return said, session_said(row, list(said.values()))


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


def _recording(db: Session, found: Found, said: Said, withheld: Withheld, measures: bool) -> dict[str, Any]:
    row, result, catalogue = found
    answer: dict[str, Any] = {"index": row.index, "assessment": row.assessment, "status": said.status}
    if withheld.hides(row.assessment or ""):
        return answer | {"withheld": withheld.told}
    if result is None or catalogue is None:
        return answer | ({} if said.error is None else {"error": said.error})
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
