"""Questions that several workflows ask, as SQL expressions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, and_, select, true
from sqlalchemy.orm import aliased

from konectom.storage.models import CatalogueRow, RecordingRow, ResultRow, ScoreRow

_newer, _newer_catalogue = aliased(ResultRow), aliased(CatalogueRow)


def known_at(as_of: datetime | None) -> ColumnElement[bool]:
    """Return the condition on :class:`ResultRow` that it was there at that instant (None: now)."""
    return true() if as_of is None else ResultRow.created_at <= as_of


def none_newer(as_of: datetime | None = None) -> ColumnElement[bool]:
    """Return the condition that no other result of its recording had a higher version at that instant (None: now).

    For statements that select from :class:`ResultRow` joined with :class:`CatalogueRow`; where a recording has no
    result and the join is an outer one, it holds.
    """
    then = true() if as_of is None else _newer.created_at <= as_of
    newer = (
        select(_newer.id)
        .join(_newer_catalogue, _newer_catalogue.id == _newer.catalogue_id)
        .where(_newer.recording_id == ResultRow.recording_id, _newer_catalogue.version > CatalogueRow.version, then)
    )
    return ~newer.correlate(ResultRow, CatalogueRow).exists()


def is_current(as_of: datetime | None = None) -> ColumnElement[bool]:
    """Return the condition that a result is its recording's newest, of those that were there at that instant.

    For statements that select from :class:`ResultRow` joined with :class:`CatalogueRow`.
    """
    return none_newer() if as_of is None else and_(known_at(as_of), none_newer(as_of))


IS_CURRENT: ColumnElement[bool] = is_current()
"""That a result is its recording's newest: no other has a higher version."""


def score_known_at(as_of: datetime) -> ColumnElement[bool]:
    """Return the condition on :class:`ScoreRow` that the result to which it belongs was there at that instant."""
    result = (
        select(ResultRow.id)
        .join(RecordingRow, RecordingRow.id == ResultRow.recording_id)
        .where(
            RecordingRow.session_id == ScoreRow.session_id,
            RecordingRow.index == ScoreRow.index,
            ResultRow.catalogue_id == ScoreRow.catalogue_id,
            ResultRow.created_at <= as_of,
        )
    )
    return result.correlate(ScoreRow).exists()
