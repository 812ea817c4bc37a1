"""Where the installation's keys are kept, by the scheme of an address.

* ``file:///PATH`` — a file that its owner alone can read
* ``env://VARIABLE`` — the same JSON in an environment variable, put there by whatever keeps secrets; it is only read
* any other scheme — an entry point of that name in the group ``konectom.key_providers``: a function that takes the
  address and returns a :class:`KeySource`
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from konectom.errors import AlreadyExists, KeysInvalid, KeysMissing, SettingInvalid

GROUP = "konectom.key_providers"
MOST_BYTES = 1_000_000
LOST = "Restore it from its backup: without it nothing that is sealed can be read"


class KeySource(Protocol):
    """A place that holds the keys' document, JSON in UTF-8 (:mod:`konectom.security.keyring`)."""

    place: str
    """What the operator calls it."""

    def version(self) -> object:
        """Return what differs, at little cost, once the document was changed; raises nothing."""

    def read(self) -> bytes:
        """Return the document; raises :class:`KeysMissing`, or :class:`KeysInvalid` where it must not be used."""

    def create(self, document: bytes) -> None:
        """Keep the first document; raises :class:`AlreadyExists` where there is one."""

    def change(self, how: Callable[[bytes], bytes]) -> None:
        """Keep what ``how`` makes of the document in its place, whole or not at all; nobody else writes meanwhile."""


def open_source(url: str) -> KeySource:
    """Return the source at ``url``; nothing is read yet. Raises :class:`SettingInvalid`."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise SettingInvalid("the address of the keys must be file:///PATH, env://VARIABLE or that of a provider")
    if scheme == "file":
        if not rest.startswith("/"):
            raise SettingInvalid("the address of the keys must be file:// and an absolute path")
        return KeyFile(Path(rest))
    if scheme == "env":
        return KeyVariable(rest)
    for provider in entry_points(group=GROUP, name=scheme):
        source: KeySource = provider.load()(url)
        return source
    raise SettingInvalid(f"no provider of keys is installed for {scheme}://")


class KeyFile:
    """A file of mode 0600 in a directory of mode 0700."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = str(path)

    def version(self) -> object:
        """Return what tells one state of the file from another: it is never written in place."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_mode

    def read(self) -> bytes:
        """Return the file's content, if nobody else could have read it."""
        try:
            with self.path.open("rb") as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode):
                    raise KeysInvalid(f"{self.place} is no file")
                if stat.S_IMODE(found.st_mode) & 0o077:
                    raise KeysInvalid(f"others than its owner could read the keys; run: chmod 600 {self.place}")
                return file.read(MOST_BYTES)
        except FileNotFoundError:
            raise KeysMissing(
                f"the file of the keys is missing: {self.place}. {LOST}. Only a new installation makes one: "
                "konectom keys create"
            ) from None
        except OSError as error:
            raise KeysInvalid(f"the file of the keys cannot be read: {self.place}: {error.strerror}") from error

    def create(self, document: bytes) -> None:
        """Make the file; never touches one that is there."""
        with self._alone():
            try:
                with self._written(document) as temporary:
                    os.link(temporary, self.path)  # unlike a rename, refuses where the name is taken
            except FileExistsError:
                raise AlreadyExists(f"there are keys already: {self.place}") from None
            self._flush_directory()

    def change(self, how: Callable[[bytes], bytes]) -> None:
        """Put another file in its place: after a power cut there is the old one or the new one."""
        with self._alone():
            with self._written(how(self.read())) as temporary:
                temporary.replace(self.path)
            self._flush_directory()

    @contextmanager
    def _written(self, document: bytes) -> Iterator[Path]:
        """Yield a file with this content under a name of its own, which is gone afterwards."""
        temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(document)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one process at a time write, and tell in so many words what it could not."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory = os.open(self.path.parent, os.O_RDONLY)
            try:
                fcntl.flock(directory, fcntl.LOCK_EX)
                yield
            finally:
                os.close(directory)
        except OSError as error:
            raise KeysInvalid(f"the file of the keys cannot be written: {self.place}: {error.strerror}") from error

    def _flush_directory(self) -> None:
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


class KeyVariable:
    """An environment variable. Its content is that of the process's start; it is put there from outside."""

    def __init__(self, name: str) -> None:
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            raise SettingInvalid("the address of the keys must be env:// and the name of a variable")
        self.name = name
        self.place = f"environment variable {name}"

    def version(self) -> object:
        """Return the content itself."""
        return os.environ.get(self.name)

    def read(self) -> bytes:
        """Return the variable's content."""
        document = os.environ.get(self.name, "")
        if not document:
            raise KeysMissing(f"the {self.place} that should hold the keys is missing or empty. {LOST}")
        return document.encode()

    def create(self, document: bytes) -> None:
        """Refuse: no process can change the environment of another."""
        raise SettingInvalid(f"the {self.place} cannot be written from here; use --print and store what it prints")

    def change(self, how: Callable[[bytes], bytes]) -> None:
        """Refuse, as :meth:`create` does."""
        self.create(b"")
