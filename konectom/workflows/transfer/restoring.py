"""Putting a backup back into an empty installation, and erasing again whom the installation had erased since.

The rows come first, into a database that nobody can serve yet; they are compared with the backup. Whoever is on the
lists of the erased is then erased as anybody is, with a certificate and an entry of the audit, so that objects follow
only of those who are left. The last step opens the database for use. Broken off at any point it goes on where it is
called again.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine, select

from konectom.errors import BackupInvalid, KeysMissing
from konectom.security.acting import acting, acting_as
from konectom.storage import migrate
from konectom.storage.audit import note
from konectom.storage.database import Database
from konectom.storage.models import Patient
from konectom.storage.objects import FileObjectStore
from konectom.workflows.audit.check import check_chain
from konectom.workflows.audit.report import Report
from konectom.workflows.erasing.erasure import erase_patient, finish_erasures
from konectom.workflows.services import Services
from konectom.workflows.transfer.checking import require_files
from konectom.workflows.transfer.contents import Contents, contents_of, different
from konectom.workflows.transfer.copying import copy_tables
from konectom.workflows.transfer.erased import NAME, ErasedList, read_list
from konectom.workflows.transfer.files import held, open_copy
from konectom.workflows.transfer.manifest import OBJECTS, Manifest, read_manifest
from konectom.workflows.transfer.objects import (
    Copied,
    copy_objects,
    count_objects,
    in_short,
    names_of_objects,
    require_objects,
)
from konectom.workflows.transfer.progress import Tell, silent
from konectom.workflows.transfer.target import Target, reaching, remember

ACTION = "restore"
COMPARED = "compared"
"""Kept beside the rows when all are there and are those of the backup."""

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of a restoration: who was erased again, which objects came, and what a check of the audit found."""

    manifest: Manifest
    objects: Copied
    erased: list[UUID]
    listed: ErasedList
    audit: Report


def restore(
    services: Services,
    directory: Path,
    *,
    erasures: Sequence[Path] = (),
    restart: bool = False,
    tell: Tell = silent,
) -> Restored:
    """Put the backup in a directory back into the installation that the settings describe, which has to be empty.

    ``erasures`` are further lists of who was erased, from other backups, than the one beside this. Raises
    :class:`BackupInvalid`, :class:`KeysMissing`, :class:`~konectom.errors.TargetInUse`, and as :meth:`Target.begin`.
    """
    with held(directory, to_write=False), reaching("the database"):
        services.keys.check()
        manifest = read_manifest(directory, services.keys)
        listed = _lists(services, directory, manifest, erasures)
        _require_keys(services, manifest)
        require_files(directory, manifest)
        services.objects.ping()
        services.db.close()
        target = Target(services.settings.database_url)
        try:
            what = {"command": ACTION, "manifest": manifest.digest, "revision": migrate.head_revision()}
            target.begin(what, restart=restart)
            if target.recall(COMPARED) is None:
                _fill(target, directory, manifest, tell)
            target.make_whole()
            return _complete(services, target, directory, manifest, listed, tell)
        finally:
            target.close()


def _fill(target: Target, directory: Path, manifest: Manifest, tell: Tell) -> None:
    with _rows(directory / manifest.database.name, manifest) as source:
        with source.connect() as connection:
            copy_tables(connection, target, tell)
            same = manifest.revision == migrate.head_revision()
            contents: Contents = manifest.tables if same else contents_of(connection, tell)
        target.make_whole()
        if wrong := different(contents, target.contents(tell)):
            raise BackupInvalid(f"what was put back of {', '.join(wrong)} is not what the backup holds")
    with target.write() as connection:
        remember(connection, COMPARED, True)


def _complete(
    services: Services, target: Target, directory: Path, manifest: Manifest, listed: ErasedList, tell: Tell
) -> Restored:
    gone = _erase_again(services, listed, tell)
    total = count_objects(target.engine)
    backup = FileObjectStore(directory / OBJECTS)
    lost = set(manifest.lost)
    by_way_of = services.settings.data_dir / "temporary"
    names = names_of_objects(target.engine)
    copied = copy_objects(names, backup, services.objects, by_way_of, total=total, tell=tell)
    unknown = [name for name in copied.lost if name not in lost]
    if unknown:
        raise BackupInvalid(f"{len(unknown)} objects are missing or damaged in the backup: {in_short(unknown)}")
    there = (name for name in names_of_objects(target.engine) if name not in lost)
    require_objects(there, services.objects, total=total, tell=tell)
    _tell_the_audit(services, manifest, len(gone))
    finish_erasures(services, most=0)
    with target.engine.connect() as connection:
        report = check_chain(connection, services.keys, anchor=manifest.anchor)
    with target.write() as connection:
        target.finish(connection)
    services.ping_stores()
    services.require_keys()
    return Restored(manifest, copied, gone, listed, report)


def _erase_again(services: Services, listed: ErasedList, tell: Tell) -> list[UUID]:
    """Erase everybody who is on the lists and came back with the backup; return who that was."""
    gone: list[UUID] = []
    back = list(_who_is_here(services, list(listed.certificates)))
    with acting_as(replace(acting(), action=ACTION)):
        for patient in back:
            erase_patient(services, patient, reason=listed.reason(patient), finish=False)
            gone.append(patient)
            tell("erasing again", len(gone), len(back))
    return gone


def _who_is_here(services: Services, patients: list[UUID]) -> Iterator[UUID]:
    for at in range(0, len(patients), AT_ONCE):
        with services.db.read() as db:
            some = db.scalars(select(Patient.id).where(Patient.id.in_(patients[at : at + AT_ONCE]))).all()
        yield from some


def _tell_the_audit(services: Services, manifest: Manifest, gone: int) -> None:
    detail = {"anchor": str(manifest.anchor), "taken_at": manifest.taken_at.isoformat(), "erased_again": gone}
    with acting_as(replace(acting(), action=ACTION)), services.db.write() as db:
        note(db, entity="backup", entity_id=manifest.digest, detail=detail)


def _lists(services: Services, directory: Path, manifest: Manifest, erasures: Sequence[Path]) -> ErasedList:
    beside = directory / NAME
    paths = [*([beside] if beside.exists() or not erasures else []), *erasures]
    first, *others = (read_list(path, services.keys) for path in paths)
    found = first.with_others(others)
    if found.as_of < manifest.taken_at:
        raise BackupInvalid(
            f"the list of who was erased is older than the backup; give a later one with --erasures: {beside}"
        )
    return found


def _require_keys(services: Services, manifest: Manifest) -> None:
    for key in manifest.opens:
        services.keys.require(key)
    absent = sorted(set(manifest.verifies) - set(services.keys.ring.keys))
    if absent:
        raise KeysMissing(
            f"the audit in this backup is sealed under the key {absent[0]}, which is not in"
            f" {services.keys.source.place}. Restore the keys of this installation from their backup"
        )


@contextmanager
def _rows(path: Path, manifest: Manifest) -> Iterator[Engine]:
    """Yield an engine on the rows of a backup, at the schema of this version: an older one's are migrated in a copy."""
    if manifest.revision == migrate.head_revision():
        engine = open_copy(path)
        try:
            yield engine
        finally:
            engine.dispose()
        return
    with tempfile.TemporaryDirectory(prefix="konectom-restore-") as temporary:
        copy = Path(temporary) / "rows.sqlite3"
        shutil.copyfile(path, copy)
        migrate.upgrade(f"sqlite:///{copy}")
        database = Database(f"sqlite:///{copy}")
        try:
            yield database.engine
        finally:
            database.close()
