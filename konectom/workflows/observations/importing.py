"""Observations of a study's patients, many at once: from a table or from FHIR."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from konectom.errors import DataError, FieldInvalid, KonectomError, NotFound, ObservationConflict
from konectom.formats.observations import Row, read
from konectom.scoring.scales import loinc_codes
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import Patient
from konectom.storage.scopes import patients_in
from konectom.workflows.consent.collecting import refused_of
from konectom.workflows.consent.data_types import CLINICAL
from konectom.workflows.observations.entering import CONTRADICTS
from konectom.workflows.observations.keeping import Finding, Kept, check_finding, keep_findings, written
from konectom.workflows.patients.people import CODE, get_study
from konectom.workflows.services import Services

AT_ONCE = 200
"""Observations kept in one transaction: others who write wait no longer than these take."""

PROBLEMS_TOLD = 1000
"""Most problems in one answer; all of them are counted."""

Progress = Callable[[int, int], None]
"""Is told how many observations are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something could not be used, and where in what was sent it stands."""

    at: str
    code: str
    detail: str

    @classmethod
    def of(cls, error: KonectomError, at: str | None = None) -> Problem:
        """Return what an error tells."""
        return cls((error.at or "") if at is None else at, error.code, error.detail)

    @property
    def place(self) -> list[tuple[bool, int, str]]:
        """Return what brings problems into the order of the document: numbers count as numbers."""
        parts = re.split(r"(\d+)", self.at)
        return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import: how many observations were entered, were there already, were there and are retracted.

    ``skipped`` counts what was no observation, by kind. ``problems`` are in the order of the document.
    """

    entered: int
    already_there: int
    retracted: int
    problems: tuple[Problem, ...]
    skipped: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return this as it stands on the wire: of very many problems the first."""
        told = self.problems[:PROBLEMS_TOLD]
        return {
            "entered": self.entered,
            "already_there": self.already_there,
            "retracted": self.retracted,
            "problem_count": len(self.problems),
            "problems": [{"at": each.at, "code": each.code, "detail": each.detail} for each in told],
            "skipped": dict(self.skipped),
        }


def import_observations(
    services: Services,
    study_id: UUID,
    body: bytes,
    *,
    scope: Scope = EVERYTHING,
    media_type: str | None = None,
    encoding: str | None = None,
    time_zone: str | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Keep what a table (``text/csv``) or a FHIR document tells of the patients of a study, who are named by code.

    Of them only those within ``scope`` are found.

    Where media type or encoding are None, the body itself tells. ``time_zone`` is that of times without an offset.

    An observation that cannot be used never costs the others: it is told among ``problems``. What is there already is
    left as it is, and so is what was retracted since, so that an import may be repeated, and goes on where it was
    interrupted. Raises :class:`~konectom.errors.BodyError` and :class:`DataError` where nothing can be read,
    :class:`NotFound` for the study.
    """
    get_study(services, study_id)
    found = read(
        body,
        encoding=encoding,
        media_type=media_type,
        zone=_zone(time_zone),
        loinc=loinc_codes(),
        limits=services.settings.import_limits,
    )
    problems = [Problem.of(error) for error in found.problems]
    became: Counter[str] = Counter()
    for start in range(0, len(found.rows), AT_ONCE):
        rows = found.rows[start : start + AT_ONCE]
        kept, wrong = _keep(services, study_id, scope, rows)
        became.update(each.what for each in kept)
        problems += wrong
        if progress is not None:
            progress(start + len(rows), len(found.rows))
    problems.sort(key=lambda each: each.place)
    return Imported(became["entered"], became["there"], became["retracted"], tuple(problems), found.skipped)


def _keep(services: Services, study_id: UUID, scope: Scope, rows: Sequence[Row]) -> tuple[list[Kept], list[Problem]]:
    """Keep those of the rows that can be used, in one transaction."""
    now = services.clock()
    found, problems = _checked(rows, now)

    def write() -> tuple[list[Kept], list[Problem]]:
        with services.db.write() as db:
            within = patients_in(scope, now)
            patients = _locked_patients(db, study_id, within, {row.patient for row, _ in found})
            refused = refused_of(db, patients.values(), CLINICAL)
            known = [(row, finding) for row, finding in found if row.patient in patients]
            known = [pair for pair in known if patients[pair[0].patient] not in refused]
            kept = keep_findings(db, [(patients[row.patient], finding) for row, finding in known], now, again=False)
        contradicted = [row for (row, _), each in zip(known, kept, strict=True) if each.what == "contradicted"]
        return kept, [
            *(_nobody(row) for row, _ in found if row.patient not in patients),
            *(
                Problem.of(refused[patients[row.patient]], row.place)
                for row, _ in found
                if row.patient in patients and patients[row.patient] in refused
            ),
            *(Problem(row.place, ObservationConflict.code, CONTRADICTS) for row in contradicted),
        ]

    if not found:
        return [], problems
    kept, more = written(write)
    return kept, problems + more


def _checked(rows: Sequence[Row], now: datetime) -> tuple[list[tuple[Row, Finding]], list[Problem]]:
    found: list[tuple[Row, Finding]] = []
    problems: list[Problem] = []
    for row in rows:
        told = {"source": row.source, "reference": row.external_id, "note": row.note}
        try:
            finding = check_finding(now, code=row.code, at=row.at, day=row.day, values=row.values, **told)
        except DataError as error:
            problems.append(Problem.of(error, row.where(error)))
        else:
            found.append((row, finding))
    return found, problems


def _locked_patients(db: Session, study_id: UUID, within: ColumnElement[bool], codes: set[str]) -> dict[str, UUID]:
    """Return the patients of these codes; nobody else enters observations of theirs until the transaction ends."""
    wanted = [code for code in codes if CODE.fullmatch(code)]  # anything else may be no text that a database takes
    rows = db.execute(
        select(Patient.code, Patient.id)
        .where(Patient.study_id == study_id, within, Patient.code.in_(wanted))
        .order_by(Patient.id)
        .with_for_update(key_share=True)
    )
    return {code: number for code, number in rows}  # noqa: C416  # rows are no pairs to the type checker


def _nobody(row: Row) -> Problem:
    return Problem(row.place, NotFound.code, f"the study has no patient {row.patient[:80]!r}")


def _zone(name: str | None) -> tzinfo | None:
    try:
        return None if name is None else ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise FieldInvalid("there is no such time zone; write it as in Europe/Paris", at="/query/time_zone") from None
