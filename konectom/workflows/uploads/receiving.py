"""Bytes of an upload as they come: kept piece by piece, each at its place, by one request at a time.

Whoever begins last may go on with an upload: a phone that lost its connection need not wait until the server notices.
What the other request then still brings is refused, for each piece is kept only if it begins where the upload ends, by
the request that may write. So no place ever holds a mix.

Without a checksum what came is kept, however the connection ends. With one it is kept all together, or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID, uuid4

import sqlalchemy as sa

from konectom.errors import (
    ChecksumMismatch,
    ConsentMissing,
    ConsentWithdrawn,
    KonectomError,
    NotFound,
    PatientRestricted,
    UploadOffsetWrong,
)
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import Upload, UploadPiece
from konectom.workflows.consent.collecting import Agreed
from konectom.workflows.patients.people import find_patient
from konectom.workflows.services import Services
from konectom.workflows.uploads.completing import complete_upload
from konectom.workflows.uploads.opening import (
    OPEN,
    STORED,
    find_upload,
    refuse_upload,
    require_going_on,
    require_reach,
    show_upload,
)
from konectom.workflows.uploads.pieces import (
    PIECE_BYTES,
    SMALL_BYTES,
    drop_objects,
    key_of,
    last_piece,
    put_piece,
    read_piece,
)

KEPT_EVERY_S = 10.0
"""After this time what came is kept though it is less than a piece: a slow phone should not send it again."""

MAY_NOT = (ConsentMissing, ConsentWithdrawn, PatientRestricted)


class Digest(Protocol):
    """What computes a digest."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""

    def digest(self) -> bytes:
        """Return the digest of all."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the bytes of one request should have: the digest, and what computes it."""

    expected: bytes
    computed: Digest


def receive(
    services: Services,
    upload_id: UUID,
    body: Callable[[int], Iterator[bytes]],
    *,
    offset: int,
    checksum: Checksum | None = None,
    scope: Scope = EVERYTHING,
) -> dict[str, Any]:
    """Add bytes to an upload and return how far it has come; when it is whole, a session is made of it.

    ``body``, given how many bytes are still wanted, yields them as they come, and may raise: then what came is kept, if
    there is no checksum, and the error goes on. Raises :class:`UploadOffsetWrong` unless they begin where the upload
    ends, :class:`ChecksumMismatch`, and as :func:`~konectom.workflows.uploads.opening.get_upload`; where the upload is
    whole, as :func:`~konectom.workflows.uploads.completing.complete_upload`.
    """
    with services.db.read() as db:
        row = find_upload(db, upload_id)
    require_reach(services, row, scope)
    require_going_on(services, row)
    if row.status == STORED or offset == row.offset == row.length:
        _require_offset(row, offset)
        next(body(0), None)
        return complete_upload(services, upload_id)
    writing = _begin(services, row, offset)
    pieces = body(row.length - offset)
    try:
        if checksum is None:
            _keep_what_comes(writing, pieces)
        else:
            _keep_all_or_nothing(writing, pieces, checksum)
    except MAY_NOT as error:
        refuse_upload(services, upload_id, error)
        raise
    finally:
        writing.drop()
    if writing.offset == row.length:
        return complete_upload(services, upload_id)
    with services.db.read() as db:
        return show_upload(find_upload(db, upload_id))


def _begin(services: Services, row: Upload, offset: int) -> _Writing:
    """Become the one request that may add to the upload."""
    writer = uuid4()
    with services.db.write() as db:
        row = find_upload(db, row.id, lock=True)
        if row.status != OPEN:
            raise _elsewhere(row)
        _require_offset(row, offset)
        row.writer = writer
        last = last_piece(db, row)
        db.flush()
        db.expunge_all()  # as they stand, they are used further on
    small = last if last is not None and last.length < SMALL_BYTES else None
    return _Writing(services, key_of(services, row.patient_id), row, writer, offset, small)


def _keep_what_comes(writing: _Writing, pieces: Iterator[bytes]) -> None:
    buffer, began = bytearray(), time.monotonic()
    try:
        for piece in pieces:
            buffer += piece
            if len(buffer) >= PIECE_BYTES or time.monotonic() - began > KEPT_EVERY_S:
                came, buffer, began = bytes(buffer), bytearray(), time.monotonic()
                writing.put(came)
                writing.keep()
    finally:
        # Also where the connection was cut; where keeping is what failed, there is nothing left here.
        if buffer:
            writing.put(bytes(buffer))
            writing.keep()


def _keep_all_or_nothing(writing: _Writing, pieces: Iterator[bytes], checksum: Checksum) -> None:
    buffer = bytearray()
    for piece in pieces:
        checksum.computed.update(piece)
        buffer += piece
        if len(buffer) >= PIECE_BYTES:
            writing.put(bytes(buffer))
            buffer.clear()
    if checksum.computed.digest() != checksum.expected:
        raise ChecksumMismatch("the bytes do not have the checksum that was told; nothing of them was kept")
    if buffer:
        writing.put(bytes(buffer))
    if writing.has_waiting:
        writing.keep()


class _Writing:
    """What one request adds: ``offset`` is where the upload ends once what was put is kept."""

    def __init__(
        self, services: Services, key: bytes, row: Upload, writer: UUID, offset: int, small: UploadPiece | None
    ) -> None:
        self._services, self._key, self._writer = services, key, writer
        self._upload_id, self._patient_id = row.id, row.patient_id
        self.offset = self._kept = offset
        self._small = small
        self._waiting: list[UploadPiece] = []
        self._replaced: UploadPiece | None = None

    @property
    def has_waiting(self) -> bool:
        """Tell whether something was put and not kept."""
        return bool(self._waiting)

    def put(self, data: bytes) -> None:
        """Put bytes into the object store; nothing speaks of them yet."""
        start, more = self.offset, len(data)
        if self._small is not None and not self._waiting:
            start, data = self._small.start, read_piece(self._services, self._key, self._small) + data
            self._replaced, self._small = self._small, None
        self._waiting.append(put_piece(self._services, self._key, self._upload_id, start, data))
        self.offset += more

    def keep(self) -> None:
        """Let the upload end behind what was put; raises unless it still ends where this request goes on."""
        try:
            self._write()
        except (UploadOffsetWrong, NotFound, *MAY_NOT):
            raise
        except BaseException:
            self._waiting = []  # the rows may be there all the same: what has none is removed by the sweep
            raise
        if self._replaced is not None:
            drop_objects(self._services, [self._replaced])
        last = self._waiting[-1]
        self._small = last if last.length < SMALL_BYTES else None
        self._kept, self._waiting, self._replaced = self.offset, [], None

    def _write(self) -> None:
        with self._services.db.write() as db:
            # Whoever erases or restricts the patient, or withdraws consent, has done so, or waits until this is kept.
            find_patient(db, self._patient_id, lock=True)
            Agreed.of(db, self._patient_id).require_any()
            row = find_upload(db, self._upload_id, lock=True)
            if row.status != OPEN or row.writer != self._writer or row.offset != self._kept:
                raise _elsewhere(row)
            if self._replaced is not None:
                db.execute(sa.delete(UploadPiece).where(UploadPiece.id == self._replaced.id))
            db.add_all(self._waiting)
            row.offset = self.offset
            db.flush()
            db.expunge_all()

    def drop(self) -> None:
        """Remove what was put and not kept."""
        waiting, self._waiting = self._waiting, []
        drop_objects(self._services, waiting)


def _require_offset(row: Upload, offset: int) -> None:
    if row.offset != offset:
        raise UploadOffsetWrong(f"the upload ends at {row.offset}, not at {offset}", offset=row.offset)


def _elsewhere(row: Upload) -> KonectomError:
    if row.status != OPEN:
        return (
            NotFound("there is no such upload")
            if row.status != STORED
            else UploadOffsetWrong("the upload is whole already", offset=row.offset)
        )
    return UploadOffsetWrong("another request has gone on with this upload", offset=row.offset)
