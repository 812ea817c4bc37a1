"""Uploads, what they said, and what was computed from them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from konectom.recording import FloatArray
from konectom.storage.models.base import Base, Json
from konectom.storage.types import Microseconds

WAITING = text("status = 'received'")
"""Sessions that are not computed yet: few, whatever is stored."""

PARKED = text("status = 'parked'")
"""Sessions and recordings that were given up: fewer still."""


class Blob(Base):
    """A sealed upload in the object store: the sha256 (hexadecimal) of the sealed bytes is its name there.

    ``size_bytes`` is what was uploaded. The same upload of another patient is another object, under another key.
    """

    __tablename__ = "blob"
    AUDITED = False  # the session is

    object: Mapped[str] = mapped_column(primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    stored_at: Mapped[datetime]


class SessionRow(Base):
    """One sitting, under the id that the app chose. ``digest`` is the sha256 of the bytes as they were uploaded.

    ``encoding`` and ``media_type`` are as the sender declared them, ``phone`` as the body describes it.

    ``arrival`` tells in which order sessions became visible: :class:`Arrival`. ``held_since`` is when the bytes first
    came, where they were in quarantine before they could be used.

    ``status`` is ``received`` as long as it is not computed; then ``processed`` (at least one recording is),
    ``rejected`` (the data of all are wrong), ``failed`` (our computation is) or ``parked`` (given up after ``tries``,
    the last of them at ``tried_at``). ``fault`` is the error that stands for the whole of it, as it is told.
    """

    __tablename__ = "session"
    __table_args__ = (
        Index(None, "patient_id", "received_at", "id"),
        Index(None, "received_at", "id"),
        Index(None, "patient_id", "arrival"),
        Index(None, "arrival"),
        Index("ix_session_waiting", "received_at", sqlite_where=WAITING, postgresql_where=WAITING),
        Index("ix_session_parked", "received_at", sqlite_where=PARKED, postgresql_where=PARKED),
    )
    # They follow from the bytes and the code, from the order of the audit's own entries, and from the quarantine's row.
    UNAUDITED_COLUMNS = frozenset({"status", "tries", "tried_at", "fault", "arrival", "held_since"})

    id: Mapped[UUID] = mapped_column(primary_key=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    device_id: Mapped[UUID | None] = mapped_column(ForeignKey("device.id"), index=True)
    digest: Mapped[str]
    object: Mapped[str] = mapped_column(ForeignKey("blob.object"), index=True)
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
    arrival: Mapped[int] = mapped_column(BigInteger, default=0)
    held_since: Mapped[datetime | None]
    status: Mapped[str]
    tries: Mapped[int] = mapped_column(default=0)
    tried_at: Mapped[datetime | None]
    fault: Mapped[Json | None]


class QuarantineRow(Base):
    """An upload that was refused, under the session's id that it claimed: its bytes wait until they can be used.

    ``code``, ``at`` and ``detail`` say why it was refused. ``state`` is ``held``; then ``released``, as the session
    ``released_as``, or ``discarded``. Only what is held has an ``object``; it is the one that a session of the same
    bytes has.
    """

    __tablename__ = "quarantine"
    __table_args__ = (
        Index(None, "patient_id", "session_id", "digest", unique=True),
        Index(None, "patient_id", "arrival"),
        Index(None, "arrival"),
        Index(None, "state", "received_at"),
    )
    UNAUDITED_COLUMNS = frozenset({"arrival"})  # it follows from the order of the audit's own entries

    id: Mapped[UUID] = mapped_column(primary_key=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    device_id: Mapped[UUID | None] = mapped_column(ForeignKey("device.id"), index=True)
    session_id: Mapped[UUID]
    digest: Mapped[str]
    object: Mapped[str | None] = mapped_column(ForeignKey("blob.object"), index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str | None]
    encoding: Mapped[str | None]
    received_at: Mapped[datetime]
    arrival: Mapped[int] = mapped_column(BigInteger, default=0)
    code: Mapped[str]
    at: Mapped[str | None]
    detail: Mapped[str]
    state: Mapped[str]
    ended_at: Mapped[datetime | None]
    released_as: Mapped[UUID | None]


class Arrival(Base):
    """How many uploads have arrived: one row, which whoever adds another counts up as the last thing before the commit.

    The row is locked from then to the commit, so that who sees one number sees all that are smaller, now or later.
    Times would not do: what was received first may be committed last, and clocks differ.
    """

    __tablename__ = "arrival"
    AUDITED = False  # what arrived is

    id: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)


class RecordingRow(Base):
    """One performed test, ``received`` as long as it is not computed.

    Then ``processed``, ``rejected`` (its data are wrong), ``failed`` (our computation is) or ``parked``: given up.
    ``tries`` are those in which it was computed by itself and that did not come to an end.
    """

    __tablename__ = "recording"
    __table_args__ = (
        Index(None, "session_id", "index", unique=True),
        Index("ix_recording_parked", "session_id", sqlite_where=PARKED, postgresql_where=PARKED),
    )
    AUDITED = False  # the session is

    id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("session.id"))
    index: Mapped[int]
    assessment: Mapped[str | None]
    condition: Mapped[Json]
    offset_s: Mapped[float]
    duration_s: Mapped[float | None]
    status: Mapped[str]
    error: Mapped[Json | None]
    tries: Mapped[int] = mapped_column(default=0)


class CatalogueRow(Base):
    """The entries of one assessment version, in the order of its feature vectors."""

    __tablename__ = "catalogue"
    __table_args__ = (Index(None, "assessment", "version", unique=True),)
    AUDITED = False  # it is of no patient, and follows from the code

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
    AUDITED = False  # it follows from the session

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
    AUDITED = False  # it is of no patient, and follows from the code

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)


class ScoreRow(Base):
    """One value that clinicians follow, with all that a trend tells of it: no other table is read for one.

    A trend is one range of the primary key, and the table is kept in that order where the database can (SQLite).
    ``index`` is the recording's in its session, ``flags`` the codes of its quality flags, apart by a space.
    ``session_id`` is no foreign key: to be checked when a session goes it would need an index as large as the table.
    Scores go with their patient.
    """

    __tablename__ = "score"
    __table_args__ = ({"sqlite_with_rowid": False},)
    AUDITED = False  # it follows from the session

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True)
    measure_id: Mapped[int] = mapped_column(ForeignKey("measure.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(Microseconds, primary_key=True)
    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    catalogue_id: Mapped[int] = mapped_column(ForeignKey("catalogue.id"), primary_key=True)
    utc_offset_s: Mapped[int]
    verdict: Mapped[str]
    flags: Mapped[str]
    value: Mapped[float]
