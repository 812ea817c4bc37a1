"""The audit: who did or saw what, when and why. Each entry seals the one before it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from konectom.storage.models.base import Base, Json
from konectom.storage.types import Microseconds


class AuditRow(Base):
    """One entry, numbered without gaps from 1.

    ``change`` is ``read``, ``insert``, ``update``, ``delete`` or ``event``; ``before`` and ``after`` are digests of
    the row under the patient's key, or the installation's where it is of no patient. ``why`` is sealed under the
    patient's key where it is about one. ``seal`` is over all other columns and the seal before, under the key ``key``.
    It refers to no table, so that it outlives all of them.
    """

    __tablename__ = "audit"
    __table_args__ = (
        Index(None, "patient_id", "seq"),
        Index(None, "study_id", "seq"),
        Index(None, "actor_id", "seq"),
    )
    AUDITED = False  # it is the audit

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Microseconds)
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    actor_name: Mapped[str]
    action: Mapped[str]
    change: Mapped[str]
    study_id: Mapped[UUID | None]
    patient_id: Mapped[UUID | None]
    entity: Mapped[str]
    entity_id: Mapped[str]
    before: Mapped[str | None]
    after: Mapped[str | None]
    why: Mapped[bytes | None]
    request_id: Mapped[str]
    address: Mapped[str]
    detail: Mapped[Json]
    key: Mapped[str]
    seal: Mapped[str]


class AuditHead(Base):
    """How many entries there are, and the seal of the last: what is cut off at the end is missed. One row."""

    __tablename__ = "audit_head"
    AUDITED = False  # it is the audit

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
    seal: Mapped[str]
    key: Mapped[str]
    head_seal: Mapped[str]
