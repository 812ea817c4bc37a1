"""What is computed again: campaigns, and what recordings were said to be before."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from konectom.storage.models.base import Base, Json


class Campaign(Base):
    """Recordings that are computed again: which, by which versions, and how far that has come.

    Without ``study_id`` it is of all studies. ``choice`` says which recordings, ``versions`` which version of each
    assessment computes them, ``chosen`` how many there were when it was planned. ``phase`` is what is under way or
    paused, ``runner`` stands for the process that works on it, the last one that took it over.

    What was received of patients made before ``patients_until`` is done, and of those made then what was received up to
    ``sessions_until``: instants and no ids, so that an erasure need not look for them here. ``draft`` holds the
    statistics of a dry run up to there. ``trying`` counts, by when they were received, how often large sessions behind
    it were begun and not ended: what ends the process that works on it is found so.
    """

    __tablename__ = "campaign"
    __table_args__ = (Index(None, "study_id", "created_at", "id"), Index(None, "state"))
    UNAUDITED_COLUMNS = frozenset(  # how far the work has come: the audit tells what was decided
        {"runner", "active_at", "patients_until", "sessions_until", "counts", "trying", "fault", "draft", "report"}
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID | None] = mapped_column(ForeignKey("study.id"))
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patient.id"), index=True)
    choice: Mapped[Json]
    versions: Mapped[Json]
    chosen: Mapped[Json]
    note: Mapped[str]
    state: Mapped[str]
    phase: Mapped[str | None]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    runner: Mapped[UUID | None]
    active_at: Mapped[datetime | None]
    patients_until: Mapped[datetime | None]
    sessions_until: Mapped[datetime | None]
    counts: Mapped[Json]
    trying: Mapped[Json]
    fault: Mapped[Json | None]
    draft: Mapped[bytes | None] = mapped_column(deferred=True)
    report: Mapped[Json | None] = mapped_column(deferred=True)


class EarlierOutcome(Base):
    """What a recording without a result was said to be until it was computed again."""

    __tablename__ = "earlier_outcome"
    AUDITED = False  # it follows from the session

    recording_id: Mapped[UUID] = mapped_column(ForeignKey("recording.id"), primary_key=True)
    until: Mapped[datetime] = mapped_column(primary_key=True)
    status: Mapped[str]
    error: Mapped[Json | None]
