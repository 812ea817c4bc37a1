"""What a researcher takes home: a study's feature table and its dictionary."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from konectom.assessments import every_assessment
from konectom.assessments.base import Entry
from konectom.errors import AssessmentUnknown, FieldInvalid
from konectom.exports.features import FACTS, VALUE, VALUE_FACTS, Wide, dictionary_csv, dictionary_rows, value_facts
from konectom.exports.tables import Batch, Form, table
from konectom.recording import FloatArray
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import CatalogueRow, Patient, RecordingRow, ResultRow, SessionRow, Study
from konectom.storage.queries import IS_CURRENT, is_current, known_at
from konectom.storage.scopes import patients_in
from konectom.workflows.consent.withheld import NOTHING, Withheld, withheld_in_study
from konectom.workflows.following.as_of import checked_instant
from konectom.workflows.following.entries import entries_of
from konectom.workflows.patients.people import find_study
from konectom.workflows.services import Services

__all__ = [
    "dictionary_csv",
    "dictionary_of_patient",
    "feature_dictionary",
    "feature_table",
    "values_of_patient",
]

ROWS = 200
"""Results that are in memory at one time."""

Entries = tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class _Which:
    """Which results: of an assessment (None: of all), of a version (None: the newest), as they were at an instant."""

    assessment: str | None
    version: int | None
    as_of: datetime | None

    @property
    def chosen(self) -> ColumnElement[bool]:
        """Return the condition on results."""
        if self.version is None:
            return is_current(self.as_of)
        return and_(CatalogueRow.version == self.version, known_at(self.as_of))


def feature_table(
    services: Services,
    study_id: UUID,
    assessment: str | None = None,
    version: int | None = None,
    form: Form = "csv",
    scope: Scope = EVERYTHING,
    as_of: datetime | None = None,
) -> Generator[bytes, None, None]:
    """Return a study's features, of its patients within ``scope``, as CSV or Parquet, a piece at a time.

    With ``assessment``: one row for each recording's current result, one column for each catalogue entry; with
    ``version`` the results of that version instead, current or not. Without ``assessment``: one row for each value.
    With ``as_of`` the results that were there at that instant, of which then some others may have been current.
    Rows are in order of patient, then time; what may not be shown at present is left out. All is read from one state
    of the database, and what can be wrong is raised here, before the first byte: :class:`NotFound`,
    :class:`AssessmentUnknown`, :class:`FieldInvalid`.
    """
    whose = and_(Patient.study_id == study_id, Patient.restricted_at.is_(None), patients_in(scope, services.clock()))
    which = _Which(assessment, version, checked_instant(as_of, services.clock()))
    pieces = _pieces(services, study_id, whose, which, form)
    return _resumed(next(pieces), pieces)


def feature_dictionary(services: Services, study_id: UUID, as_of: datetime | None = None) -> list[dict[str, Any]]:
    """Return a row for each column that the study's tables have, or had: key, unit, direction, meaning, aliases ..."""
    checked_instant(as_of, services.clock())
    with services.db.read(within=services.settings.export_time_limit) as db:
        find_study(db, study_id)
        stored = _catalogues(db, study_id, known_at(as_of))
        current: dict[str, dict[int, Entries]] = {}
        for row in _catalogues(db, study_id, is_current(as_of)):
            current.setdefault(row.assessment, {})[row.version] = entries_of(db, row)
        wide = {name: Wide.of(versions) for name, versions in current.items()}
        return dictionary_rows([(row.version, entries_of(db, row)) for row in stored], wide)


def values_of_patient(db: Session, study: Study, patient_id: UUID) -> Iterator[bytes]:
    """Return every current value of one patient as CSV, a piece at a time, also what is shown to nobody else."""
    whose = Patient.id == patient_id
    known = {row.id: entries_of(db, row) for row in _catalogues(db, study.id, IS_CURRENT, whose)}
    batches = _value_batches(db, study, whose, known, IS_CURRENT, withholding=False)
    return table("csv", (*FACTS, *VALUE_FACTS), (VALUE,), batches, {})


def dictionary_of_patient(db: Session, study: Study, patient_id: UUID) -> list[dict[str, Any]]:
    """Return a row for each column and measure that :func:`values_of_patient` has."""
    stored = _catalogues(db, study.id, IS_CURRENT, Patient.id == patient_id)
    return dictionary_rows([(row.version, entries_of(db, row)) for row in stored])


def _pieces(
    services: Services,
    study_id: UUID,
    whose: ColumnElement[bool],
    which: _Which,
    form: Form,
) -> Generator[bytes, None, None]:
    assessment, version = which.assessment, which.version
    if form not in ("csv", "parquet"):
        raise FieldInvalid("form must be csv or parquet", at="/query/format")
    if version is not None and assessment is None:
        raise FieldInvalid("a version is one of an assessment; name it", at="/query/version")
    with services.db.read(within=services.settings.export_time_limit) as db:
        study = find_study(db, study_id)
        about = {"konectom.study": study.code}
        if assessment is None:
            known = {row.id: entries_of(db, row) for row in _catalogues(db, study_id, which.chosen)}
            batches = _value_batches(db, study, whose, known, which.chosen)
            yield from table(form, (*FACTS, *VALUE_FACTS), (VALUE,), batches, about)
        else:
            versions = _versions(db, study_id, assessment, which)
            wide = Wide.of(versions)
            about |= {"konectom.assessment": assessment, "konectom.versions": " ".join(map(str, sorted(versions)))}
            batches = _wide_batches(db, study, whose, which, wide)
            yield from table(form, FACTS, wide.columns, batches, about)


def _resumed(first: bytes, rest: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    with closing(rest):  # whoever stops reading early gives the database back
        yield first
        yield from rest


def _catalogues(db: Session, study_id: UUID, *chosen: ColumnElement[bool]) -> Sequence[CatalogueRow]:
    """Return the catalogues of which the study has such results, by assessment, newest version first."""
    has_results = (
        select(ResultRow.id)
        .join(RecordingRow, RecordingRow.id == ResultRow.recording_id)
        .join(SessionRow, SessionRow.id == RecordingRow.session_id)
        .join(Patient, Patient.id == SessionRow.patient_id)
        .where(ResultRow.catalogue_id == CatalogueRow.id, Patient.study_id == study_id, *chosen)
        .correlate(CatalogueRow)
        .exists()
    )
    statement = select(CatalogueRow).where(has_results)
    return db.scalars(statement.order_by(CatalogueRow.assessment, CatalogueRow.version.desc())).all()


def _versions(db: Session, study_id: UUID, assessment: str, which: _Which) -> dict[int, Entries]:
    """Return the entries of each version that the table holds; where there are no results, of the one declared."""
    version = which.version
    stored = _catalogues(db, study_id, CatalogueRow.assessment == assessment, which.chosen)
    versions = {row.version: entries_of(db, row) for row in stored}
    declared = every_assessment().get(assessment)
    if declared is not None and not versions:
        versions = {declared.version: declared.catalogue.entries}
    if not versions:
        known = ", ".join(every_assessment())
        raise AssessmentUnknown(f"there is no assessment {assessment!r}; there are: {known}", at="/query/assessment")
    if version is not None and version not in versions:
        raise FieldInvalid(f"the study has no results of {assessment} version {version}", at="/query/version")
    return versions


def _wide_batches(db: Session, study: Study, whose: ColumnElement[bool], which: _Which, wide: Wide) -> Iterator[Batch]:
    for rows in _results(db, study, whose, CatalogueRow.assessment == which.assessment, which.chosen):
        vectors = [(row.version, features) for row, features in rows]
        yield Batch([_facts(study, row) for row, _ in rows], wide.rows(vectors))


def _value_batches(
    db: Session,
    study: Study,
    whose: ColumnElement[bool],
    known: dict[int, Entries],
    chosen: ColumnElement[bool],
    *,
    withholding: bool = True,
) -> Iterator[Batch]:
    told = {number: [value_facts(entry) for entry in entries] for number, entries in known.items()}
    for rows in _results(db, study, whose, chosen, withholding=withholding):
        for row, features in rows:
            present = np.flatnonzero(np.isfinite(features))
            facts = _facts(study, row)
            yield Batch(
                [(*facts, *told[row.catalogue_id][index]) for index in present], features[present][:, np.newaxis]
            )


Shown = tuple[Any, FloatArray]
"""A result's row, and of its features those that may be shown."""


def _results(
    db: Session, study: Study, whose: ColumnElement[bool], *chosen: ColumnElement[bool], withholding: bool = True
) -> Iterator[Sequence[Shown]]:
    """Yield those patients' results, some at a time, one by one: so the database never sorts the vectors of all."""
    withheld = withheld_in_study(db, study.id) if withholding else {}
    statement = (
        select(
            SessionRow.id,
            SessionRow.started_at,
            SessionRow.utc_offset_s,
            SessionRow.time_zone,
            RecordingRow.index,
            RecordingRow.offset_s,
            CatalogueRow.assessment,
            CatalogueRow.version,
            ResultRow.catalogue_id,
            ResultRow.verdict,
            ResultRow.flags,
            ResultRow.features,
            Patient.code,
        )
        .join(RecordingRow, RecordingRow.session_id == SessionRow.id)
        .join(ResultRow, ResultRow.recording_id == RecordingRow.id)
        .join(CatalogueRow, CatalogueRow.id == ResultRow.catalogue_id)
        .join(Patient, Patient.id == SessionRow.patient_id)
        .where(*chosen)
        .order_by(SessionRow.started_at, SessionRow.id, RecordingRow.index)
        .execution_options(yield_per=ROWS)
    )
    patients = db.scalars(select(Patient.id).where(whose).order_by(Patient.code)).all()
    waiting: list[Shown] = []
    for patient in patients:
        hidden = withheld.get(patient, NOTHING)
        with db.execute(statement.where(SessionRow.patient_id == patient)) as found:  # also where the caller goes away
            for rows in found.partitions():
                waiting.extend(_shown(db, row, hidden) for row in rows if not hidden.hides(row.assessment))
                while len(waiting) >= ROWS:
                    yield waiting[:ROWS]
                    waiting = waiting[ROWS:]
    if waiting:
        yield waiting


def _shown(db: Session, row: Any, withheld: Withheld) -> Shown:
    """Return a result's row and its features, NaN where they follow from what is withheld."""
    if not withheld.types:
        return row, row.features
    entries = entries_of(db, db.get_one(CatalogueRow, row.catalogue_id))
    hidden = [entry.index for entry in entries if withheld.hides(entry.key)]
    features = row.features.copy()
    features[hidden] = np.nan
    return row, features


def _facts(study: Study, row: Any) -> tuple[Any, ...]:
    """Return the leading columns of a row, as :data:`FACTS` has them."""
    return (
        study.code,
        row.code,
        str(row.id),
        row.index,
        row.started_at + timedelta(seconds=row.offset_s),
        row.utc_offset_s,
        row.time_zone,
        row.assessment,
        row.version,
        row.verdict,
        " ".join(flag["code"] for flag in row.flags),
    )
