"""Which recordings a campaign computes again, and in which order it comes to them.

Patient after patient, as they were made, and the sessions of each as they were received: so that at any time the values
of most patients are of one version, those of a single patient only while it is his or her turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, func, or_, select, tuple_
from sqlalchemy.orm import Session

from konectom.assessments import every_assessment, get_assessment
from konectom.errors import FieldInvalid
from konectom.storage.models import Blob, Campaign, CatalogueRow, Patient, RecordingRow, ResultRow, SessionRow
from konectom.workflows.campaigns.sources import SOURCES
from konectom.workflows.services import Services

PROCESSED = "processed"
WITHOUT_RESULT = ("failed", "rejected", "parked")
USUAL = (PROCESSED, "failed")

PAGE = 200
"""Sessions, and patients, that are asked for at one time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which recordings: every part that is not None narrows.

    Of ``processed`` ones those are chosen that have no result of the present version; with ``version`` those of them
    whose newest result is of it. Others are chosen by their status, to be tried again. ``start`` and ``until`` bound
    when the session began.
    """

    study_id: UUID | None = None
    patient_id: UUID | None = None
    assessment: str | None = None
    version: int | None = None
    statuses: tuple[str, ...] = USUAL
    start: datetime | None = None
    until: datetime | None = None

    @classmethod
    def of(cls, row: Campaign) -> Choice:
        """Return the choice that a campaign keeps."""
        told = row.choice
        instants = {
            name: None if told[name] is None else datetime.fromisoformat(told[name]) for name in ("start", "until")
        }
        return cls(
            study_id=row.study_id,
            patient_id=row.patient_id,
            assessment=told["assessment"],
            version=told["version"],
            statuses=tuple(told["statuses"]),
            **instants,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return what is kept beside study and patient."""
        return {
            "assessment": self.assessment,
            "version": self.version,
            "statuses": list(self.statuses),
            "start": None if self.start is None else self.start.isoformat(),
            "until": None if self.until is None else self.until.isoformat(),
        }

    def check(self) -> None:
        """Raise :class:`FieldInvalid`, or what is its kin, at the field that nobody can choose by."""
        for index, status in enumerate(self.statuses):
            if status not in every_status():
                raise FieldInvalid(f"a status is one of {', '.join(every_status())}", at=f"/statuses/{index}")
        if not self.statuses:
            raise FieldInvalid("choose at least one status", at="/statuses")
        if self.assessment is not None:
            get_assessment(self.assessment)
        narrowed = any(each is not None for each in (self.assessment, self.start, self.until))
        if narrowed and not SOURCES.keys().isdisjoint(self.statuses):
            raise FieldInvalid(
                "of what is held nobody knows the test nor the day: do not narrow by them", at="/statuses"
            )
        if self.version is None:
            return
        if self.assessment is None:
            raise FieldInvalid("a version is one of an assessment; name it", at="/version")
        if self.statuses != (PROCESSED,):
            raise FieldInvalid("only recordings with a result have a version: choose processed ones", at="/statuses")
        if self.version >= get_assessment(self.assessment).version:
            raise FieldInvalid("this version is not older than the present one", at="/version")

    def versions(self) -> dict[str, int]:
        """Return the present version of each assessment that is chosen."""
        return {name: each.version for name, each in every_assessment().items() if self.assessment in (None, name)}


def every_status() -> tuple[str, ...]:
    """Return every word by which something can be chosen."""
    return (PROCESSED, *WITHOUT_RESULT, *SOURCES)


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """How far a campaign has come; see :class:`~konectom.storage.models.Campaign`."""

    patients_until: datetime
    sessions_until: datetime


@dataclass(frozen=True, slots=True)
class Unit:
    """A session with recordings that are due, and how far the campaign has come when it is done."""

    session_id: UUID
    size_bytes: int
    mark: Mark


def due(db: Session, choice: Choice, versions: Mapping[str, int]) -> ColumnElement[bool]:
    """Return the condition on :class:`RecordingRow` that it is chosen and was not computed by the present version."""
    parts: list[ColumnElement[bool]] = []
    if PROCESSED in choice.statuses:
        stored = db.execute(select(CatalogueRow.id, CatalogueRow.assessment, CatalogueRow.version)).all()
        known = [
            (number, version, choice.version or versions[name] - 1)
            for number, name, version in stored
            if name in versions
        ]
        outdated = ~_has_result([number for number, version, old in known if version > old])
        if choice.version is not None:
            outdated &= _has_result([number for number, version, old in known if version == old])
        parts.append(and_(RecordingRow.status == PROCESSED, RecordingRow.assessment.in_(sorted(versions)), outdated))
    again = [status for status in WITHOUT_RESULT if status in choice.statuses]
    if again:
        named = [] if choice.assessment is None else [RecordingRow.assessment == choice.assessment]
        parts.append(and_(RecordingRow.status.in_(again), *named))
    return or_(false(), *parts)  # none, where only what is no recording yet is chosen


def count_due(db: Session, choice: Choice, versions: Mapping[str, int]) -> dict[str, int]:
    """Return how many recordings are due, and of how many sessions."""
    statement = (
        select(func.count(SessionRow.id.distinct()), func.count())
        .select_from(RecordingRow)
        .join(SessionRow, SessionRow.id == RecordingRow.session_id)
        .join(Patient, Patient.id == SessionRow.patient_id)
        .where(*_of_patients(choice), *_of_sessions(choice), due(db, choice, versions))
    )
    sessions, recordings = db.execute(statement).one()
    return {"sessions": sessions, "recordings": recordings}


def units(services: Services, choice: Choice, versions: Mapping[str, int], after: Mark | None) -> Iterator[Unit]:
    """Yield the sessions that are due, in the campaign's order, from behind ``after``."""
    for made_at, group in groupby(_patients(services, choice, after), key=lambda each: each[0]):
        since = after.sessions_until if after is not None and after.patients_until == made_at else None
        yield from _units_of(services, choice, versions, made_at, [patient for _, patient in group], since)


def _patients(services: Services, choice: Choice, after: Mark | None) -> Iterator[tuple[datetime, UUID]]:
    """Yield when each patient was made, and who it is, in that order."""
    cursor: tuple[datetime, UUID] | None = None
    while True:
        statement = select(Patient.created_at, Patient.id).where(*_of_patients(choice))
        if cursor is not None:
            statement = statement.where(tuple_(Patient.created_at, Patient.id) > tuple_(*cursor))
        elif after is not None:
            statement = statement.where(Patient.created_at >= after.patients_until)
        with services.db.read() as db:
            page = [
                (row[0], row[1]) for row in db.execute(statement.order_by(Patient.created_at, Patient.id).limit(PAGE))
            ]
        yield from page
        if len(page) < PAGE:
            return
        cursor = page[-1]


def _units_of(
    services: Services,
    choice: Choice,
    versions: Mapping[str, int],
    made_at: datetime,
    patients: Sequence[UUID],
    since: datetime | None,
) -> Iterator[Unit]:
    """Yield the sessions of patients who were made at the same instant (nearly always one), as they were received."""
    order = (SessionRow.received_at, SessionRow.id)
    cursor: tuple[datetime, UUID] | None = None
    while True:
        with services.db.read() as db:
            recordings = select(RecordingRow.id).where(
                RecordingRow.session_id == SessionRow.id, due(db, choice, versions)
            )
            statement = (
                select(*order, Blob.size_bytes)
                .join(Blob, Blob.object == SessionRow.object)
                .where(SessionRow.patient_id.in_(patients), *_of_sessions(choice), recordings.exists())
            )
            if cursor is not None:
                statement = statement.where(tuple_(*order) > tuple_(*cursor))
            elif since is not None:
                statement = statement.where(SessionRow.received_at > since)
            page = db.execute(statement.order_by(*order).limit(PAGE)).all()
        for received_at, session_id, size_bytes in page:
            yield Unit(session_id, size_bytes, Mark(made_at, received_at))
        if len(page) < PAGE:
            return
        cursor = (page[-1][0], page[-1][1])


def _has_result(catalogues: Sequence[int]) -> ColumnElement[bool]:
    found = select(ResultRow.id).where(
        ResultRow.recording_id == RecordingRow.id, ResultRow.catalogue_id.in_(catalogues)
    )
    return found.correlate(RecordingRow).exists()


def _of_patients(choice: Choice) -> Iterator[ColumnElement[bool]]:
    yield Patient.restricted_at.is_(None)
    if choice.study_id is not None:
        yield Patient.study_id == choice.study_id
    if choice.patient_id is not None:
        yield Patient.id == choice.patient_id


def _of_sessions(choice: Choice) -> Iterator[ColumnElement[bool]]:
    if choice.start is not None:
        yield SessionRow.started_at >= choice.start
    if choice.until is not None:
        yield SessionRow.started_at < choice.until
