"""Questions that several workflows ask, as SQL expressions."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import aliased

from konectom.storage.models import CatalogueRow, ResultRow

_newer, _newer_catalogue = aliased(ResultRow), aliased(CatalogueRow)

IS_CURRENT: ColumnElement[bool] = ~(
    select(_newer.id)
    .join(_newer_catalogue, _newer_catalogue.id == _newer.catalogue_id)
    .where(_newer.recording_id == ResultRow.recording_id, _newer_catalogue.version > CatalogueRow.version)
    .correlate(ResultRow, CatalogueRow)
    .exists()
)
"""That a result is its recording's newest: no other has a higher version.

For statements that select from :class:`ResultRow` joined with :class:`CatalogueRow`.
"""
