"""Whether a backup is as it was made: every bit of the manifest, the rows, and the objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from sqlalchemy import Connection

from konectom.errors import BackupInvalid, KonectomError, OperationError
from konectom.security.chain import Keys
from konectom.storage.objects import FileObjectStore
from konectom.workflows.transfer import erased
from konectom.workflows.transfer.files import held, open_copy
from konectom.workflows.transfer.manifest import OBJECTS, Manifest, listed_objects, place_of, read_manifest
from konectom.workflows.transfer.objects import each_of, is_right, names_of_objects
from konectom.workflows.transfer.progress import Tell, silent

TOLD = 100
"""Faults that are told one by one."""


@dataclass(slots=True)
class Checked:
    """What is wrong with a backup, and whether it was told apart from one that somebody made up: that takes the keys.

    ``lost`` are objects that the installation had lost already when the backup was made.
    """

    manifest: Manifest
    sealed: bool
    fault_count: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Tell whether nothing is wrong."""
        return self.fault_count == 0

    def add(self, fault: str) -> None:
        """Take in another fault."""
        self.fault_count += 1
        if len(self.faults) < TOLD:
            self.faults.append(fault)


def check_backup(directory: Path, keys: Keys | None, tell: Tell = silent) -> Checked:
    """Read every byte of a backup; without ``keys`` (None) seals are not looked at.

    Raises :class:`BackupInvalid` where there is no backup or its manifest cannot be relied on.
    """
    with held(directory, to_write=False):
        manifest = read_manifest(directory, keys)
        checked = Checked(manifest, sealed=keys is not None)
        for fault in _faults_of_files(directory, manifest):
            checked.add(fault)
        try:
            listed = erased.read_list(directory / erased.NAME, keys)
            if listed.as_of < manifest.taken_at:
                checked.add(f"{erased.NAME} is older than the backup")
        except KonectomError as error:
            checked.add(error.detail)
        if checked.sound:
            for fault in _faults_of_objects(directory, manifest, tell):
                checked.add(fault)
    return checked


def require_files(directory: Path, manifest: Manifest) -> None:
    """Raise :class:`BackupInvalid` unless the rows and the list of objects are as they were written."""
    for fault in _faults_of_files(directory, manifest):
        raise BackupInvalid(f"the backup in {directory} cannot be used: {fault}")


def _faults_of_files(directory: Path, manifest: Manifest) -> Iterator[str]:
    for file in (manifest.database, manifest.listed):
        fault = file.fault(directory)
        if fault is not None:
            yield fault


def _faults_of_objects(directory: Path, manifest: Manifest, tell: Tell) -> Iterator[str]:
    listing = directory / manifest.listed.name
    copy = open_copy(directory / manifest.database.name)
    try:
        with copy.connect() as connection:
            yield from _faults_of_list(connection, listing, manifest)
    finally:
        copy.dispose()
    store = FileObjectStore(directory / OBJECTS)

    def fault_of(item: tuple[str, int]) -> str | None:
        name, size = item
        place = place_of(directory, name)
        if not place.is_file():
            return f"the object {name} is missing"
        if place.stat().st_size != size or not is_right(store, name):
            return f"the object {name} was changed or damaged; remove it and run konectom backup again"
        return None

    for done, (_, fault) in enumerate(each_of(listed_objects(listing), fault_of), 1):
        tell("checking objects", done, max(manifest.objects, done))
        if fault is not None:
            yield fault


def _faults_of_list(connection: Connection, listing: Path, manifest: Manifest) -> Iterator[str]:
    """Compare the list with the rows: it is of the same objects but those that were lost before."""
    lost = set(manifest.lost)
    wanted = (name for name in names_of_objects(connection) if name not in lost)
    for row, listed in zip_longest(wanted, (name for name, _ in listed_objects(listing))):
        if row != listed:
            yield f"the list of objects is not that of the rows, from {listed or row} on"
            return


def keys_or_none(keys: Keys) -> Keys | None:
    """Return keys where they can be used here, as they cannot where backups alone are kept."""
    try:
        keys.current_id  # noqa: B018
    except OperationError:
        return None
    return keys
