"""What others found, and what serves the following of scores over years."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from konectom.storage.models.base import Base, Json
from konectom.storage.types import Microseconds


class Observation(Base):
    """What a clinician or a laboratory found: the values as they were given, in their units.

    ``reference`` is the source's own name for it. ``scores``, ``absent`` and ``flags`` are what ``version`` of the
    scale's rules made of them. ``digest`` is over all that tells it from others, so that the same import twice is one
    row. A wrong one is retracted, never changed.
    """

    __tablename__ = "observation"
    __table_args__ = (
        Index(None, "patient_id", "code", "at"),
        Index(None, "patient_id", "digest"),
        Index(None, "patient_id", "entered_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    code: Mapped[str]
    at: Mapped[datetime]
    utc_offset_s: Mapped[int]
    values: Mapped[Json]
    version: Mapped[int]
    scores: Mapped[Json]
    absent: Mapped[Json]
    flags: Mapped[list[Json]]
    source: Mapped[str]
    reference: Mapped[str]
    note: Mapped[str]
    digest: Mapped[str]
    entered_at: Mapped[datetime]
    retracted_at: Mapped[datetime | None]
    retracted_for: Mapped[str | None]


class ObservedRow(Base):
    """One value that follows from an observation; in the order of :class:`ScoreRow`. Retracted ones have none."""

    __tablename__ = "observed"
    __table_args__ = ({"sqlite_with_rowid": False},)
    AUDITED = False  # the observation is

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True)
    measure_id: Mapped[int] = mapped_column(ForeignKey("measure.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(Microseconds, primary_key=True)
    observation_id: Mapped[UUID] = mapped_column(ForeignKey("observation.id"), primary_key=True, index=True)
    version: Mapped[int]
    utc_offset_s: Mapped[int]
    source: Mapped[str]
    flags: Mapped[str]
    value: Mapped[float]


class Schedule(Base):
    """What is due, and how often: for all patients of a study, or for one of them (whose own then counts)."""

    __tablename__ = "schedule"
    __table_args__ = (Index(None, "study_id", "patient_id", "assessment"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("study.id"))
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patient.id"))
    assessment: Mapped[str]
    rule: Mapped[Json]
    created_at: Mapped[datetime]


class NoiseRow(Base):
    """How far a score of a study scatters without a change of the patient, as its own repeats showed; newest counts."""

    __tablename__ = "noise"
    __table_args__ = (Index(None, "study_id", "measure_id", "computed_at", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("study.id"))
    measure_id: Mapped[int] = mapped_column(ForeignKey("measure.id"))
    computed_at: Mapped[datetime]
    told: Mapped[Json]


class Alert(Base):
    """Something that a clinician should look at; the same finding is one row, however often it is found."""

    __tablename__ = "alert"
    __table_args__ = (Index(None, "study_id", "found_at", "id"), Index(None, "patient_id", "kind"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("study.id"))
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    kind: Mapped[str]
    key: Mapped[str]
    at: Mapped[datetime]
    told: Mapped[Json]
    found_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    note: Mapped[str | None]


class Review(Base):
    """When a patient's scores were last looked through for alerts.

    What came before ``seen_until`` was surely among them; what came after it may still have been on its way.
    """

    __tablename__ = "review"
    AUDITED = False  # it only says when the server looked

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True)
    reviewed_at: Mapped[datetime]
    seen_until: Mapped[datetime]
