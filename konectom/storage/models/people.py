"""Studies, their sites, patients and phones; who a patient is stands apart, sealed under the patient's own key."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from konectom.storage.models.base import SECRET, Base, Json


class Study(Base):
    """The scope of people and data. ``consent`` says where consent is kept: ``here``, or ``elsewhere``."""

    __tablename__ = "study"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    policy: Mapped[Json | None]
    consent: Mapped[str]
    retain_until: Mapped[date | None]
    created_at: Mapped[datetime]


class Site(Base):
    """A clinic that takes part in a study."""

    __tablename__ = "site"
    __table_args__ = (Index(None, "study_id", "code", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("study.id"))
    code: Mapped[str]
    name: Mapped[str]
    created_at: Mapped[datetime]


class Patient(Base):
    """A pseudonymous person in a study; what norms need is optional, identity stands apart.

    From ``restricted_at`` on, what is kept is neither shown nor used.
    """

    __tablename__ = "patient"
    __table_args__ = (Index(None, "study_id", "code", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("study.id"))
    site_id: Mapped[UUID | None] = mapped_column(ForeignKey("site.id"), index=True)
    code: Mapped[str]
    birth_year: Mapped[int | None]
    sex: Mapped[str | None]
    education_years: Mapped[float | None]
    height_m: Mapped[float | None]
    mass_kg: Mapped[float | None]
    handedness: Mapped[str | None]
    created_at: Mapped[datetime]
    restricted_at: Mapped[datetime | None]


class PatientKey(Base):
    """The key under which a patient's raw uploads and identity are sealed, itself sealed under the key ``key``.

    Without this row nobody reads them any more: erasing a patient begins with it.
    """

    __tablename__ = "patient_key"

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True)
    key: Mapped[str] = mapped_column(index=True)
    sealed: Mapped[bytes] = mapped_column(info=SECRET)
    created_at: Mapped[datetime]


class Identity(Base):
    """Who a patient is: a JSON object, sealed under the patient's key."""

    __tablename__ = "identity"

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True)
    sealed: Mapped[bytes]
    changed_at: Mapped[datetime]


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


class ConsentForm(Base):
    """What patients of a study are asked to agree to: one version of its text, for these types of data."""

    __tablename__ = "consent_form"
    __table_args__ = (Index(None, "study_id", "version", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("study.id"))
    version: Mapped[str]
    title: Mapped[str]
    text: Mapped[str]
    data_types: Mapped[list[str]]
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


class Consent(Base):
    """A patient's decision on one type of data, ``given``, ``refused`` or ``withdrawn``; or that it is ``restricted``.

    Rows are added, never changed, but for ``ended_at``: of a type, one decision without it holds, and a restriction
    beside it as long as it has none. ``entered_at`` tells their order: no two of a patient have the same.
    """

    __tablename__ = "consent"
    __table_args__ = (
        Index(None, "patient_id", "data_type", "ended_at"),
        Index(None, "state", "ended_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    form_id: Mapped[UUID | None] = mapped_column(ForeignKey("consent_form.id"), index=True)
    data_type: Mapped[str]
    state: Mapped[str]
    decided_at: Mapped[datetime]
    entered_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Erasure(Base):
    """The certificate of an erasure: all that is left of a patient but the audit. It refers to no row that is gone."""

    __tablename__ = "erasure"
    __table_args__ = (Index(None, "study_id", "erased_at", "id"),)
    AUDITED = False  # the entry of the erasure holds its digest

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("study.id"))
    patient_id: Mapped[UUID] = mapped_column(unique=True)
    erased_at: Mapped[datetime]
    certificate: Mapped[Json]


class Residue(Base):
    """What an erasure still has to remove when its rows are gone: an object, by name.

    Without a name: what freed room in the database may still hold.
    """

    __tablename__ = "residue"
    AUDITED = False  # the entry of the erasure counts what was to be removed

    erasure_id: Mapped[UUID] = mapped_column(ForeignKey("erasure.id"), primary_key=True)
    object: Mapped[str] = mapped_column(primary_key=True)
