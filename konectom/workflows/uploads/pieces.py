"""The pieces of an upload: each an object of its own, sealed under the patient's key and bound to its place."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from uuid import UUID, uuid4

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from konectom.errors import KonectomError
from konectom.security.sealing import seal, unseal
from konectom.seekable import Seekable
from konectom.storage.models import Upload, UploadPiece
from konectom.workflows.patients.patient_keys import patient_key
from konectom.workflows.services import Services

log = structlog.get_logger()

PURPOSE = b"piece of an upload "

PIECE_BYTES = 4 * 1024 * 1024
"""Bytes in one piece: so many of each upload are in memory while they come."""

SMALL_BYTES = 1024 * 1024
"""A last piece that is smaller is put together with what comes next: else cut connections would leave thousands."""

AT_ONCE = 500
"""Pieces that are removed in one transaction."""


def key_of(services: Services, patient_id: UUID) -> bytes:
    """Return the key under which a patient's pieces are sealed; raises :class:`~konectom.errors.KeyDestroyed`."""
    with services.db.read() as db:
        return patient_key(services, db, patient_id)


def put_piece(services: Services, key: bytes, upload_id: UUID, start: int, data: bytes) -> UploadPiece:
    """Put bytes into the object store, durably, and return the row that is to speak of them."""
    piece_id = uuid4()
    sealed = seal(key, PURPOSE + piece_id.bytes, data)
    name = hashlib.sha256(sealed).hexdigest()
    services.objects.put(name, sealed)
    return UploadPiece(id=piece_id, upload_id=upload_id, start=start, length=len(data), object=name)


def read_piece(services: Services, key: bytes, piece: UploadPiece) -> bytes:
    """Return what a piece holds; raises :class:`~konectom.errors.StoreUnavailable` where it is damaged or missing."""
    return unseal(key, PURPOSE + piece.id.bytes, services.objects.get(piece.object))


def last_piece(db: Session, upload: Upload) -> UploadPiece | None:
    """Return the piece that ends where the upload does."""
    wanted = select(UploadPiece).where(UploadPiece.upload_id == upload.id).order_by(UploadPiece.start.desc()).limit(1)
    return db.scalars(wanted).one_or_none()


def pieces_of(services: Services, upload_id: UUID) -> Sequence[UploadPiece]:
    """Return the pieces of an upload in the order of their places."""
    with services.db.read() as db:
        wanted = select(UploadPiece).where(UploadPiece.upload_id == upload_id).order_by(UploadPiece.start)
        return db.scalars(wanted).all()


def contents(services: Services, key: bytes, pieces: Sequence[UploadPiece]) -> Iterator[bytes]:
    """Yield what the pieces hold, one after the other."""
    for piece in pieces:
        yield read_piece(services, key, piece)


class Whole(Seekable):
    """All pieces of an upload as one file that can be gone about in; one piece at a time is in memory."""

    def __init__(self, services: Services, key: bytes, pieces: Sequence[UploadPiece]) -> None:
        super().__init__(pieces[-1].start + pieces[-1].length if pieces else 0)
        self._services, self._key, self._pieces = services, key, pieces
        self._starts = [piece.start for piece in pieces]
        self._held: tuple[int, bytes] = (-1, b"")

    def piece(self, place: int, most: int) -> bytes:
        """Return what is at ``place``, as far as its piece of the upload goes."""
        number = bisect_right(self._starts, place) - 1
        if self._held[0] != number:
            self._held = number, read_piece(self._services, self._key, self._pieces[number])
        start = place - self._starts[number]
        return self._held[1][start : start + most]


def remove_pieces(services: Services, upload_id: UUID) -> None:
    """Remove what has come of an upload to which nothing is added any more: the objects first, then their rows.

    So whatever cuts this off leaves rows that lead to what is still there, for the next call.
    """
    while some := pieces_of(services, upload_id)[:AT_ONCE]:
        for piece in some:
            services.objects.delete(piece.object)
        with services.db.write() as db:
            gone = delete(UploadPiece).where(UploadPiece.id.in_([piece.id for piece in some]))
            db.execute(gone, execution_options={"synchronize_session": False})


def drop_objects(services: Services, pieces: Sequence[UploadPiece]) -> None:
    """Remove objects that got no rows; where that fails they are left for the sweep."""
    for piece in pieces:
        try:
            services.objects.delete(piece.object)
        except KonectomError as error:
            log.warning("object.orphaned", reason=type(error).__name__)
