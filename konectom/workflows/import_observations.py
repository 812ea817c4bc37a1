"""Observations of a study's patients, many at once: from a table or from FHIR."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from itertools import islice
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select

from konectom.errors import DataError, FieldInvalid, FormatUnknown, KonectomError, NotFound
from konectom.formats.observations import Observations, Row, read_csv, read_fhir
from konectom.scoring.scales import loinc_codes
from konectom.storage.models import Patient
from konectom.workflows.observations import Finding, check_finding, keep_finding
from konectom.workflows.people import get_study
from konectom.workflows.services import Services

AT_ONCE = 200
"""Observations kept in one transaction: others who write wait no longer than these take."""

FHIR_TYPES = ("application/fhir+json", "application/json")


def import_observations(
    services: Services,
    study_id: UUID,
    body: bytes,
    *,
    media_type: str,
    time_zone: str | None = None,
) -> dict[str, Any]:
    """Keep what a table (``text/csv``) or a FHIR document tells of the patients of a study, who are named by code.

    An observation that cannot be used never costs the others: it is told among ``problems``. What is there already is
    left as it is, so that an import may be repeated. ``time_zone`` is that of times without an offset. Raises
    :class:`~konectom.errors.BodyError` and :class:`DataError` where nothing can be read, :class:`NotFound` for the
    study.
    """
    get_study(services, study_id)
    read = _read(body, media_type, _zone(time_zone))
    problems: list[KonectomError] = list(read.problems)
    entered = there = 0
    rows = iter(read.rows)
    while chunk := list(islice(rows, AT_ONCE)):
        for created in _keep(services, study_id, chunk, problems):
            entered += created
            there += not created
    told = [{"at": each.at or "", "code": each.code, "detail": each.detail} for each in problems]
    return {"entered": entered, "already_there": there, "problems": told, "skipped": dict(read.skipped)}


def _read(body: bytes, media_type: str, zone: tzinfo | None) -> Observations:
    if media_type == "text/csv":
        return read_csv(body, zone=zone)
    if media_type in FHIR_TYPES:
        return read_fhir(body, zone=zone, loinc=loinc_codes())
    raise FormatUnknown(f"observations come as text/csv or {FHIR_TYPES[0]}, not as {media_type[:80]!r}")


def _keep(services: Services, study_id: UUID, rows: Sequence[Row], problems: list[KonectomError]) -> Iterator[bool]:
    """Yield for each row that can be used whether it is new."""
    now = services.clock()
    found: list[tuple[Row, Finding]] = []
    for row in rows:
        try:
            finding = check_finding(
                now,
                code=row.code,
                at=row.at,
                values=row.values,
                source=row.source,
                reference=row.external_id,
                note=row.note,
            )
        except DataError as error:
            error.at = row.where(error)
            problems.append(error)
        else:
            found.append((row, finding))
    kept: list[bool] = []
    with services.db.write() as db:
        patients = {
            patient.code: patient
            for patient in db.scalars(
                select(Patient)
                .where(Patient.study_id == study_id, Patient.code.in_({row.patient for row in rows}))
                .order_by(Patient.id)
                .with_for_update()
            )
        }
        for row, finding in found:
            patient = patients.get(row.patient)
            if patient is None:
                problems.append(NotFound(f"the study has no patient {row.patient[:80]!r}", at=row.place))
                continue
            try:
                kept.append(keep_finding(db, patient, finding, now).created)
            except KonectomError as error:
                error.at = row.place
                problems.append(error)
    yield from kept


def _zone(name: str | None) -> tzinfo | None:
    try:
        return None if name is None else ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise FieldInvalid("there is no such time zone; write it as in Europe/Paris", at="/query/time_zone") from None
