"""Objects as files of a directory.

An object is complete and on the disk before it can be seen: the bytes go to a temporary file, the file is flushed,
it gets its name, and the directory that holds the name is flushed. A crash at any point leaves the object whole,
or a temporary file that nothing refers to.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import structlog

from konectom.errors import NotFound, StoreFull, StoreUnavailable
from konectom.metrics import measured
from konectom.storage.objects.protocol import PIECE, key_of
from konectom.storage.objects.reading import require_digest, stream_of

log = structlog.get_logger()

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
"""What a file system says that is full, or where the account's share of it is."""

_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


class FileObjectStore:
    """Objects as files ``sha256/ab/cd/<digest>`` below ``root``, readable by their owner only."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @measured("put")
    def put(self, digest: str, data: bytes) -> bool:
        """Keep ``data`` durably; tell whether it was new. An object of the wrong size is written again."""
        return self._keep(digest, len(data), lambda: iter((data,)))

    @measured("put")
    def put_file(self, digest: str, path: Path) -> bool:
        """Keep the bytes of a file, read piece by piece and compared with ``digest`` before they get their name."""
        return self._keep(digest, size_of(path), lambda: pieces_of(path, digest))

    def _keep(self, digest: str, length: int, pieces: Callable[[], Iterator[bytes]]) -> bool:
        place = self._place(digest)
        with _telling():
            size = _size(place)
            if size == length:
                # Another process may have named it and not yet flushed the name.
                _flush_directory(place.parent)
                return False
            if size is not None:
                log.error("object.damaged", digest=digest, size_bytes=size, expected_bytes=length)
            while True:
                _make_directory(place.parent)
                with contextlib.suppress(FileNotFoundError):  # another who deletes the object took it for a leftover
                    return self._write(place, pieces(), replace=size is not None)

    def _write(self, place: Path, pieces: Iterator[bytes], *, replace: bool) -> bool:
        coming = self.root / "incoming"
        _make_directory(coming)
        temporary = coming / f"{place.name}.{secrets.token_hex(8)}"
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.writelines(pieces)
                file.flush()
                _flush(file.fileno())
            created = _name(temporary, place, replace=replace)
        finally:
            temporary.unlink(missing_ok=True)
        _flush_directory(place.parent)
        return created

    @measured("get")
    def get(self, digest: str) -> bytes:
        """Return the bytes, compared with their digest."""
        place = self._place(digest)
        try:
            with _telling():
                data = place.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"there is no object {digest}") from None
        require_digest(digest, hashlib.sha256(data).hexdigest(), len(data))
        return data

    def open(self, digest: str) -> BinaryIO:
        """Return a stream of the bytes, compared with their digest at its end."""
        place = self._place(digest)
        try:
            with _telling():
                file = place.open("rb")
        except FileNotFoundError:
            raise NotFound(f"there is no object {digest}") from None
        return stream_of(digest, _read(file), file.close)

    def exists(self, digest: str) -> bool:
        """Tell whether the object is kept here."""
        return _size(self._place(digest)) is not None

    @measured("delete")
    def delete(self, digest: str) -> None:
        """Remove the object, if it is here, and what writes of it that were cut off left; its directories stay."""
        place = self._place(digest)
        with _telling():
            for leftover in (self.root / "incoming").glob(f"{digest}.*"):
                leftover.unlink(missing_ok=True)
            if place.parent.is_dir():
                place.unlink(missing_ok=True)
                _flush_directory(place.parent)  # also where another removed it and did not come to flush that

    def written_before(self, instant: datetime, *, most: int | None = None) -> Iterator[str]:
        """Yield the digests of objects that were written before ``instant``, also of those that were cut off.

        Looks at ``most`` objects and no further than to the end of the directory that it then is in.
        """
        first = secrets.randbelow(256)
        looked_at = 0
        with _telling():
            yield from _older(self.root / "incoming", instant)
            for number in range(256):
                for directory in _directories(self.root / "sha256" / f"{(first + number) % 256:02x}"):
                    if most is not None and looked_at >= most:
                        return
                    looked_at += sum(1 for _ in directory.iterdir())
                    yield from _older(directory, instant)

    def ping(self) -> None:
        """Raise :class:`StoreUnavailable` unless the directory can be written and has room."""
        with _telling():
            _make_directory(self.root)
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise StoreUnavailable("the object store cannot be written")
        if self.room() == 0:
            raise StoreFull("the object store is full")

    def room(self) -> int:
        """Return how many bytes are free for this account."""
        with _telling():
            return free_bytes(self.root)

    def _place(self, digest: str) -> Path:
        return self.root / key_of(digest)


def size_of(path: Path) -> int:
    """Return the size of a file that is to be kept."""
    with _reading():
        return path.stat().st_size


def pieces_of(path: Path, digest: str) -> Iterator[bytes]:
    """Yield the bytes of a file; raises at the end where they do not have this digest."""
    told = hashlib.sha256()
    with _reading():
        file = path.open("rb")
    with file:
        while True:
            with _reading():
                piece = file.read(PIECE)
            if not piece:
                break
            told.update(piece)
            yield piece
    if told.hexdigest() != digest:
        raise StoreUnavailable("the file does not hold what is to be kept; it was changed or damaged meanwhile")


def _read(file: BinaryIO) -> Iterator[bytes]:
    with _telling():
        while piece := file.read(PIECE):
            yield piece


def free_bytes(path: Path) -> int:
    """Return how many bytes are free for this account where ``path`` is, or will be once it is made."""
    while True:
        try:
            room = os.statvfs(path)
            return room.f_bavail * room.f_frsize
        except FileNotFoundError:
            path = path.parent


def _name(temporary: Path, place: Path, *, replace: bool) -> bool:
    """Give the file its name; tell whether the name is new. Never touches an object that is there already."""
    if not replace:
        try:
            os.link(temporary, place)
            return True
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
    # Without hard links: replacing is as good, since equal names hold equal bytes.
    temporary.replace(place)
    return True


def _size(place: Path) -> int | None:
    try:
        return place.stat().st_size
    except FileNotFoundError:
        return None


def _directories(directory: Path) -> list[Path]:
    """Return the directories in one, in an order that changes."""
    found = list(directory.iterdir()) if directory.is_dir() else []
    secrets.SystemRandom().shuffle(found)
    return found


def _older(directory: Path, instant: datetime) -> Iterator[str]:
    """Yield the digests by which the files of a directory begin that were written before ``instant``."""
    if not directory.is_dir():
        return
    for file in list(os.scandir(directory)):
        digest = file.name.partition(".")[0]
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            if re.fullmatch("[0-9a-f]{64}", digest) and file.stat().st_mtime < instant.timestamp():
                yield digest


def _make_directory(directory: Path) -> None:
    """Make a directory so that it survives a power cut, its parents too."""
    if directory.is_dir():
        return
    _make_directory(directory.parent)
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    _flush_directory(directory.parent)


def _flush_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush(handle: int) -> None:
    """Flush a file to the medium; on macOS fsync alone stops at the disk's cache."""
    try:
        import fcntl

        full = fcntl.F_FULLFSYNC  # type: ignore[attr-defined,unused-ignore]
        fcntl.fcntl(handle, full)
    except (ImportError, AttributeError, OSError):
        os.fsync(handle)


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    """Turn what is wrong with a file that is to be kept into an error of its own: it is not the store."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"the file that is to be kept cannot be read: {error.strerror}") from error


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    """Turn what only the operator can mend into an error that says so."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        told = f"the object store cannot be used: {error.strerror}"
        raise (StoreFull if error.errno in NO_ROOM else StoreUnavailable)(told) from error
