"""Raw uploads as they lie in the object store: sealed under the key of their patient.

Those that are larger than a request may be are not held in memory: they are sealed into a temporary file, and read from
one. In it they are sealed as well, so that no disk sees them otherwise.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from konectom.errors import NotFound, StoreUnavailable
from konectom.security.sealing import Digested, Unsealed, seal, seal_pieces, unseal, unseal_pieces
from konectom.storage.models import QuarantineRow, SessionRow
from konectom.storage.objects import ObjectStore
from konectom.workflows.patients.patient_keys import patient_key
from konectom.workflows.services import Services

PURPOSE = b"upload"
TEMPORARY = "upload-"
"""How the names of temporary files begin; those that a crash has left are removed a day later."""


@dataclass(frozen=True, slots=True)
class SealedUpload:
    """An upload as it is stored: sealed, and the sha256 of that (hexadecimal), which is its name there."""

    name: str
    data: bytes

    def keep(self, objects: ObjectStore) -> None:
        """Put it into the object store."""
        objects.put(self.name, self.data)


@dataclass(frozen=True, slots=True)
class SealedFile:
    """An upload as it is stored, in a file."""

    name: str
    path: Path

    def keep(self, objects: ObjectStore) -> None:
        """Put it into the object store."""
        objects.put_file(self.name, self.path)


@dataclass(frozen=True, slots=True)
class Raw:
    """An upload as it came, piece by piece, and how it was declared; whoever has it closes it."""

    pieces: Iterable[bytes]
    size_bytes: int
    media_type: str | None
    encoding: str | None
    digest: str
    patient_id: UUID
    close: Callable[[], None]

    @classmethod
    def of(cls, services: Services, row: SessionRow | QuarantineRow, size_bytes: int) -> Raw:
        """Return the upload of a row, found sound before its first piece; raises as :func:`raw_bytes` does."""
        with ExitStack() as held:
            pieces: Iterable[bytes]
            if size_bytes <= services.settings.max_body_bytes:
                pieces = (raw_bytes(services, row),)
            else:
                pieces = pieces_in(held.enter_context(opened_upload(services, row)))
            close = held.pop_all().close
        return cls(pieces, size_bytes, row.media_type, row.encoding, row.digest, row.patient_id, close)

    @property
    def body(self) -> bytes:
        """All of it."""
        with closing(self):
            return b"".join(self.pieces)


def sealed_upload(key: bytes, body: Digested) -> SealedUpload:
    """Return an upload sealed under its patient's key: the same bytes of the same patient are the same object."""
    data = seal(key, PURPOSE, body)
    return SealedUpload(hashlib.sha256(data).hexdigest(), data)


def raw_bytes(services: Services, row: SessionRow | QuarantineRow) -> bytes:
    """Return the bytes of an upload as they came, still compressed.

    Raises :class:`~konectom.errors.NotFound` for one in quarantine that is not held any more,
    :class:`~konectom.errors.KeyDestroyed` where the patient was erased,
    :class:`~konectom.errors.StoreUnavailable` (its :class:`~konectom.errors.SealBroken`) where the bytes are damaged.
    """
    if row.object is None:
        raise NotFound("the bytes are not held any more")
    with services.db.read() as db:
        key = patient_key(services, db, row.patient_id)
    return unsealed_object(services, key, row.object)


def unsealed_object(services: Services, key: bytes, name: str) -> bytes:
    """Return the upload in the object of this name, sealed under its patient's ``key``; raises as above."""
    return unseal(key, PURPOSE, services.objects.get(name))


@contextmanager
def sealed_file(services: Services, key: bytes, digest: bytes, pieces: Iterable[bytes]) -> Iterator[SealedFile]:
    """Yield an upload sealed under its patient's key, in a file that is there for so long.

    ``digest`` is the sha256 of all ``pieces``. The object is the same as that of :func:`sealed_upload`.
    """
    with _temporary(services) as (file, path):
        told = hashlib.sha256()
        for piece in seal_pieces(key, PURPOSE, digest, pieces):
            told.update(piece)
            file.write(piece)
        file.flush()
        yield SealedFile(told.hexdigest(), path)


@contextmanager
def opened_upload(services: Services, row: SessionRow | QuarantineRow) -> Iterator[BinaryIO]:
    """Yield an upload's bytes as a file that can be gone about in, in bounded memory. Raises as :func:`raw_bytes`."""
    if row.object is None:
        raise NotFound("the bytes are not held any more")
    with services.db.read() as db:
        key = patient_key(services, db, row.patient_id)
    with _temporary(services) as (file, path):
        path.unlink()
        with closing(services.objects.open(row.object)) as stored:
            shutil.copyfileobj(stored, file, COPIED_BYTES)
        file.flush()
        file.seek(0)
        for _ in unseal_pieces(key, PURPOSE, file):
            pass  # all of it is sound
        yield Unsealed(key, PURPOSE, file)  # type: ignore[misc]


COPIED_BYTES = 1024 * 1024


def pieces_in(file: BinaryIO) -> Iterator[bytes]:
    """Yield all that a file holds."""
    file.seek(0)
    while piece := file.read(COPIED_BYTES):
        yield piece


@contextmanager
def _temporary(services: Services) -> Iterator[tuple[BinaryIO, Path]]:
    """Yield a new file of the data directory that only its owner reads, and its place; it goes at the end."""
    directory = services.settings.data_dir / "temporary"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=directory)
        try:
            with os.fdopen(handle, "w+b") as file:
                yield file, Path(name)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"the directory of temporary files cannot be used: {error.strerror}") from error
