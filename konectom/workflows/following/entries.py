"""The entries of a stored catalogue: from the declaration where it is still the same, else as they were stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from konectom.assessments import every_assessment
from konectom.assessments.base import Catalogue, Entry
from konectom.errors import CatalogueChanged
from konectom.storage.models import CatalogueRow, MeasureRow

_known: dict[str, tuple[Entry, ...]] = {}
"""Entries of versions that are no longer declared, by digest: they never change, and are costly to read."""

_CATALOGUE = select(CatalogueRow.id, CatalogueRow.digest).where(
    CatalogueRow.assessment == bindparam("name"), CatalogueRow.version == bindparam("number")
)
_MEASURES = select(MeasureRow.id, MeasureRow.key).where(MeasureRow.key.in_(bindparam("keys", expanding=True)))
"""Made once: an upload waits for them."""


def entries_of(db: Session, row: CatalogueRow) -> tuple[Entry, ...]:
    """Return the entries in the order of the feature vectors."""
    declared = every_assessment().get(row.assessment)
    if declared is not None and declared.version == row.version:
        return _same(declared.catalogue, row).entries
    if row.digest not in _known:
        stored = db.scalars(select(CatalogueRow.entries).where(CatalogueRow.id == row.id)).one()
        _known[row.digest] = tuple(_entry(row.assessment, index, told) for index, told in enumerate(stored))
    return _known[row.digest]


def catalogue_id(db: Session, catalogue: Catalogue) -> int:
    """Return the id of the catalogue's row; on first use the row is made.

    Raises :class:`CatalogueChanged` where the stored one is another.
    """
    key = {"name": catalogue.assessment, "number": catalogue.version}
    found = db.connection().execute(_CATALOGUE, key).one_or_none()
    if found is not None:
        require_same(catalogue, found.digest)
        return int(found.id)
    row = CatalogueRow(
        assessment=catalogue.assessment,
        version=catalogue.version,
        digest=catalogue.digest,
        entries=[entry.as_dict() for entry in catalogue],
    )
    db.add(row)
    db.flush()
    return row.id


def require_same_catalogues(db: Session) -> None:
    """Raise :class:`CatalogueChanged` where results are stored under other measures than their version declares."""
    declared = every_assessment()
    columns = (CatalogueRow.assessment, CatalogueRow.version, CatalogueRow.digest)
    for assessment, version, digest in db.execute(select(*columns).order_by(*columns)):
        known = declared.get(assessment)
        if known is not None and known.version == version:
            require_same(known.catalogue, digest)


def measure_ids(db: Session, keys: Iterable[str]) -> dict[str, int]:
    """Return the number of each score's key; keys that are new get one."""
    wanted = sorted(set(keys))
    numbers = {key: number for number, key in db.connection().execute(_MEASURES, {"keys": wanted})} if wanted else {}
    added = [MeasureRow(key=key) for key in wanted if key not in numbers]
    if added:
        db.add_all(added)
        db.flush()
    return numbers | {row.key: row.id for row in added}


def _same(catalogue: Catalogue, row: CatalogueRow) -> Catalogue:
    require_same(catalogue, row.digest)
    return catalogue


def require_same(catalogue: Catalogue, digest: str) -> None:
    """Raise :class:`CatalogueChanged` unless results were stored under what the declaration says now."""
    if catalogue.digest != digest:
        name = f"{catalogue.assessment} version {catalogue.version}"
        raise CatalogueChanged(
            f"results of {name} are stored under other measures than it declares now; give the changed"
            " declaration a new version, or install the release that stored them",
            assessment=catalogue.assessment,
            version=catalogue.version,
        )


def _entry(assessment: str, index: int, told: dict[str, Any]) -> Entry:
    return Entry(
        index=index,
        assessment=assessment,
        quantity=told["measure"].removeprefix(f"{assessment}."),
        condition=told["condition"],
        statistic=told["statistic"] or "",
        unit=told["unit"],
        better=told["better"],
        plausible=tuple(told["plausible"]) if told["plausible"] else None,
        means=told["means"],
        aliases=told["aliases"],
        evidence=told["evidence"],
        score=told["score"],
    )
