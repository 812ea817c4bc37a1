"""Uploads that come in pieces, until they are sessions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from konectom.storage.models.base import Base, Json


class Upload(Base):
    """A session that is being handed over, of which ``offset`` of ``length`` bytes have come.

    ``status`` is ``open`` until all bytes are there and a session was made of them (``stored``), or none can be
    (``refused``, with the error in ``fault``), or it was given up (``ended``) or its time was over (``expired``).
    ``told`` are the metadata as the sender told them, ``digest`` is the sha256 that the whole should have, if known.
    ``writer`` names the request that may add bytes; until ``claimed_until`` somebody makes a session of them.
    """

    __tablename__ = "upload"
    __table_args__ = (Index(None, "patient_id", "status"), Index(None, "expires_at", "status"))
    # How far it has come is told by no entry: they would be hundreds a session, and say nothing that its creation and
    # its end do not.
    UNAUDITED_COLUMNS = frozenset({"offset", "writer", "claimed_until"})

    id: Mapped[UUID] = mapped_column(primary_key=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    device_id: Mapped[UUID | None] = mapped_column(ForeignKey("device.id"), index=True)
    session_id: Mapped[UUID]
    told: Mapped[str]
    media_type: Mapped[str | None]
    encoding: Mapped[str | None]
    digest: Mapped[str | None]
    length: Mapped[int] = mapped_column(BigInteger)
    offset: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    status: Mapped[str]
    fault: Mapped[Json | None]
    writer: Mapped[UUID | None]
    claimed_until: Mapped[datetime | None]


class UploadPiece(Base):
    """Bytes of an upload from ``start`` on, sealed under the patient's key and bound to this row's id.

    ``object`` is their name in the object store: of one piece only, since no other has its id.
    """

    __tablename__ = "upload_piece"
    __table_args__ = (Index(None, "upload_id", "start", unique=True), Index(None, "object"))
    AUDITED = False  # the upload is

    id: Mapped[UUID] = mapped_column(primary_key=True)
    upload_id: Mapped[UUID] = mapped_column(ForeignKey("upload.id"))
    start: Mapped[int] = mapped_column(BigInteger)
    length: Mapped[int] = mapped_column(BigInteger)
    object: Mapped[str]
