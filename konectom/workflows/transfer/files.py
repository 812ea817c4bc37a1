"""Files of a backup: written whole or not at all, told by size and digest, and held by one writer at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine, NullPool, create_engine

from konectom.errors import BackupInvalid

PIECE_BYTES = 1024 * 1024
LOCK = "lock"
INCOMING = "incoming-"
"""How the names of files begin that are not whole yet."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a backup: its name, size, and sha256 (hexadecimal)."""

    name: str
    size_bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path, name: str | None = None) -> File:
        """Read a file and return what it is."""
        return cls(name or path.name, path.stat().st_size, sha256_of(path))

    def fault(self, directory: Path) -> str | None:
        """Return what is wrong with the file in a directory, None where it is as it was."""
        path = directory / self.name
        if not path.is_file():
            return f"{self.name} is missing"
        if path.stat().st_size != self.size_bytes or sha256_of(path) != self.sha256:
            return f"{self.name} was changed or damaged"
        return None


def sha256_of(path: Path) -> str:
    """Return the digest of a file, which is read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file for its owner only; it is there as a whole and on the disk, or what was there before still is."""
    with incoming(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def incoming(path: Path) -> Iterator[Path]:
    """Yield a path to write to; the file gets its name at the end, when it is on the disk."""
    temporary = path.with_name(f"{INCOMING}{secrets.token_hex(8)}-{path.name}")
    try:
        temporary.touch(mode=0o600)
        yield temporary
        put_in_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def put_in_place(temporary: Path, path: Path) -> None:
    """Give a file its name, durably."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    flush_directory(path.parent)


def flush_directory(directory: Path) -> None:
    """Bring the names in a directory to the disk."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def held(directory: Path, *, to_write: bool) -> Iterator[None]:
    """Hold a backup's directory: many may read it, or one write. Raises :class:`BackupInvalid` where it is in use."""
    if not directory.is_dir():
        raise BackupInvalid(f"there is no directory {directory}")
    path = directory / LOCK
    if not to_write and not path.exists():  # a copy on a medium that nobody writes
        yield
        return
    # Not the directory itself: a network's file system locks only what is open for writing.
    handle = os.open(path, os.O_RDWR | os.O_CREAT if to_write else os.O_RDONLY, 0o600)
    try:
        try:
            fcntl.flock(handle, (fcntl.LOCK_EX if to_write else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupInvalid(f"{directory} is in use by another konectom backup or restore") from None
        yield
    finally:
        os.close(handle)


def open_copy(path: Path) -> Engine:
    """Return an engine on a SQLite file that nobody changes, and that reading does not change either."""
    url = f"sqlite:///file:{quote(str(path.resolve()))}?mode=ro&immutable=1&uri=true"
    return create_engine(url, poolclass=NullPool, hide_parameters=True)
