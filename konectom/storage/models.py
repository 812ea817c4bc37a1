"""The tables.

``study > patient > device`` are people and phones, ``credential`` their tokens. ``blob`` is an upload as it
was received, ``session > recording`` what it said, ``catalogue > result > score`` what was computed from it,
``observation > observed`` what others found. ``schedule``, ``noise``, ``alert`` and ``review`` serve the following of
scores over years.
Rows of :data:`IMMUTABLE` tables are written once (:mod:`konectom.storage.guard`); a newer version adds rows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, MetaData, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from konectom.recording import FloatArray
from konectom.storage.types import Instant, Microseconds, Vector

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""How constraints are named, so that a migration can name them on every database."""

Json = dict[str, Any]


class Base(DeclarativeBase):
    """What all tables share."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012
        datetime: Instant,
        UUID: Uuid,
        Json: JSON(none_as_null=True),
        list[Json]: JSON(none_as_null=True),
        FloatArray: Vector,
    }


class Study(Base):
    """The scope of people and data."""

    __tablename__ = "study"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    policy: Mapped[Json | None]
    created_at: Mapped[datetime]


class Patient(Base):
    """A pseudonymous person in a study; what norms need is optional, identity is not kept."""

    __tablename__ = "patient"
    __table_args__ = (Index(None, "study_id", "code", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("study.id"))
    code: Mapped[str]
    birth_year: Mapped[int | None]
    sex: Mapped[str | None]
    education_years: Mapped[float | None]
    height_m: Mapped[float | None]
    mass_kg: Mapped[float | None]
    handedness: Mapped[str | None]
    created_at: Mapped[datetime]


class Device(Base):
    """A patient's phone, as it was when enrolled."""

    __tablename__ = "device"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    platform: Mapped[str | None]
    model: Mapped[str | None]
    os: Mapped[str | None]
    app: Mapped[str | None]
    enrolled_at: Mapped[datetime]


class Credential(Base):
    """What a bearer token opens. Of the token only its sha256 is kept."""

    __tablename__ = "credential"
    __table_args__ = (CheckConstraint("(kind = 'device') = (device_id IS NOT NULL)", "device_has_device"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    device_id: Mapped[UUID | None] = mapped_column(ForeignKey("device.id"), index=True)
    study_id: Mapped[UUID | None] = mapped_column(ForeignKey("study.id"))
    name: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Blob(Base):
    """Raw bytes in the object store, by their sha256 (hexadecimal)."""

    __tablename__ = "blob"

    digest: Mapped[str] = mapped_column(primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    stored_at: Mapped[datetime]


class SessionRow(Base):
    """One sitting, under the id that the app chose.

    ``encoding`` and ``media_type`` are as the sender declared them, ``phone`` as the body describes it.
    """

    __tablename__ = "session"
    __table_args__ = (
        Index(None, "patient_id", "received_at", "id"),
        Index(None, "received_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    device_id: Mapped[UUID | None] = mapped_column(ForeignKey("device.id"))
    digest: Mapped[str] = mapped_column(ForeignKey("blob.digest"), index=True)
    media_type: Mapped[str | None]
    encoding: Mapped[str | None]
    format: Mapped[str]
    started_at: Mapped[datetime]
    utc_offset_s: Mapped[int]
    time_zone: Mapped[str | None]
    setting: Mapped[str | None]
    supervised: Mapped[bool | None]
    phone: Mapped[Json]
    received_at: Mapped[datetime]
    status: Mapped[str]


class RecordingRow(Base):
    """One performed test: ``processed``, ``rejected`` (its data are wrong) or ``failed`` (our computation is)."""

    __tablename__ = "recording"
    __table_args__ = (Index(None, "session_id", "index", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("session.id"))
    index: Mapped[int]
    assessment: Mapped[str | None]
    condition: Mapped[Json]
    offset_s: Mapped[float]
    duration_s: Mapped[float | None]
    status: Mapped[str]
    error: Mapped[Json | None]


class CatalogueRow(Base):
    """The entries of one assessment version, in the order of its feature vectors."""

    __tablename__ = "catalogue"
    __table_args__ = (Index(None, "assessment", "version", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment: Mapped[str]
    version: Mapped[int]
    digest: Mapped[str]
    # Thousands of entries: read only where they are wanted.
    entries: Mapped[list[Json]] = mapped_column(deferred=True)


class ResultRow(Base):
    """Quality and features of one recording under one assessment version.

    ``absent`` holds, for each reason, the runs ``[start, stop]`` of entries that have no value because of it.
    """

    __tablename__ = "result"
    __table_args__ = (Index(None, "recording_id", "catalogue_id", unique=True), Index(None, "catalogue_id"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    recording_id: Mapped[UUID] = mapped_column(ForeignKey("recording.id"))
    catalogue_id: Mapped[int] = mapped_column(ForeignKey("catalogue.id"))
    created_at: Mapped[datetime]
    verdict: Mapped[str]
    flags: Mapped[list[Json]]
    absent: Mapped[Json] = mapped_column(deferred=True)
    features: Mapped[FloatArray] = mapped_column(deferred=True)


class MeasureRow(Base):
    """The key of a score as a small number, for the narrow rows."""

    __tablename__ = "measure"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)


class ScoreRow(Base):
    """One value that clinicians follow, with all that a trend tells of it: no other table is read for one.

    A trend is one range of the primary key, and the table is kept in that order where the database can (SQLite).
    ``index`` is the recording's in its session, ``flags`` the codes of its quality flags, apart by a space.
    """

    __tablename__ = "score"
    __table_args__ = ({"sqlite_with_rowid": False},)

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True)
    measure_id: Mapped[int] = mapped_column(ForeignKey("measure.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(Microseconds, primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("session.id"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    catalogue_id: Mapped[int] = mapped_column(ForeignKey("catalogue.id"), primary_key=True)
    utc_offset_s: Mapped[int]
    verdict: Mapped[str]
    flags: Mapped[str]
    value: Mapped[float]


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

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True)
    reviewed_at: Mapped[datetime]
    seen_until: Mapped[datetime]


IMMUTABLE = (Blob, CatalogueRow, ResultRow, MeasureRow, ScoreRow, NoiseRow)
"""Rows of these are written once and never changed."""
