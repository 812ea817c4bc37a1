"""A backup of an installation, made while its servers run: one state of the database, and the objects it speaks of.

The database is read in one transaction that sees one state, and copied to a SQLite file, whatever kind it is itself.
Objects never change and are copied once; later runs only look that they are there. What makes files a backup is the
manifest, which is put in place last: until then the directory holds the backup of before, or none. Only then is
removed what the new one does not need, such as objects of patients who were erased meanwhile.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection, Engine, select
from sqlalchemy.orm import Session

from konectom import __version__
from konectom.errors import BackupInvalid, TransferBroken
from konectom.security.chain import Anchor
from konectom.storage import migrate
from konectom.storage.audit_head import genuine, read_head
from konectom.storage.audit_rows import stored_seal
from konectom.storage.database import open_engine
from konectom.storage.models import AuditRow
from konectom.storage.objects import FileObjectStore
from konectom.workflows.keys import needed_keys
from konectom.workflows.services import Services
from konectom.workflows.transfer import erased
from konectom.workflows.transfer import manifest as manifests
from konectom.workflows.transfer.contents import Content, different
from konectom.workflows.transfer.copying import copy_tables
from konectom.workflows.transfer.files import INCOMING, LOCK, File, flush_directory, held, open_copy, put_in_place
from konectom.workflows.transfer.keeping import keep_objects
from konectom.workflows.transfer.manifest import OBJECTS, Manifest, read_manifest
from konectom.workflows.transfer.objects import AT_ONCE, known_objects
from konectom.workflows.transfer.progress import Tell, silent
from konectom.workflows.transfer.target import Target, reaching

ATTEMPTS = 3
"""How often it is begun where objects are removed while they are copied. In the end it is a backup without them: their
rows were gone a moment later, whether patients were erased (who then stand on the list) or uploads in pieces came to
their end.
"""

EVER = timedelta(days=36_500)
"""After which every object was written before."""

KNOWN = (manifests.NAME, erased.NAME, OBJECTS, LOCK, "database-", "objects-", INCOMING, "lost+found")
"""How the names begin of all that a backup's directory may hold."""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What came of a backup: ``new`` objects were copied, ``removed`` were not needed any more.

    ``lost`` are objects of which the installation's rows speak, and that it does not have.

    ``erased`` patients stand in the list beside it; so many of them as are ``back`` the installation holds again.
    """

    manifest: Manifest
    new: int
    removed: int
    lost: tuple[str, ...]
    erased: int
    back: int


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """One state of the database, copied to a file."""

    taken_at: datetime
    tables: dict[str, Content]
    anchor: Anchor
    opens: tuple[str, ...]
    verifies: tuple[str, ...]


class _Gone(Exception):
    """Objects were removed since the rows were read: a patient was erased, or an upload in pieces completed."""


def back_up(services: Services, directory: Path, tell: Tell = silent) -> BackedUp:
    """Bring the backup in a directory to the present state; a new directory gets its first.

    Raises :class:`BackupInvalid` where the directory holds anything else, or the backup of another installation or of a
    later state of this one: it would be lost.
    """
    services.keys.check()
    _make(directory)
    with held(directory, to_write=True), reaching("the database"):
        before = _before(services, directory)
        _remove_incoming(directory)
        for left in reversed(range(ATTEMPTS)):
            with suppress(_Gone):
                return _attempt(services, directory, before, tell, last=left == 0)
    raise AssertionError("the last attempt takes what there is")


def refresh_erased(services: Services, directory: Path) -> erased.ErasedList:
    """Write down beside a backup, which stays as it is, whom the installation has erased since."""
    with held(directory, to_write=True):
        made = read_manifest(directory, services.keys)
        return erased.refresh_list(services, directory, made.taken_at)


def _attempt(services: Services, directory: Path, before: Manifest | None, tell: Tell, *, last: bool) -> BackedUp:
    path = directory / f"{INCOMING}{os.getpid()}.sqlite3"
    try:
        with _one_state(services.settings.database_url) as source:
            snapshot = _copy(services, source, path, tell)
        file = File.of(path)
        database = replace(file, name=f"database-{file.sha256[:16]}.sqlite3")
        copy = open_copy(path)
        listing = directory / f"{INCOMING}{os.getpid()}.txt"
        try:
            kept = keep_objects(services.objects, copy, directory, before, listing, tell)
            passed = _without_rows(services, kept.lost)
            if passed and not last:
                raise _Gone
            put_in_place(path, directory / database.name)
        finally:
            copy.dispose()
        listed = File.of(listing)
        listed = replace(listed, name=f"objects-{listed.sha256[:16]}.txt")
        put_in_place(listing, directory / listed.name)
    finally:
        _remove_incoming(directory)
    known = erased.refresh_list(services, directory, snapshot.taken_at)
    made = Manifest(
        version=__version__,
        revision=migrate.head_revision(),
        taken_at=snapshot.taken_at,
        database=database,
        listed=listed,
        objects=kept.objects,
        size_bytes=kept.size_bytes,
        lost=tuple(kept.lost),
        tables=snapshot.tables,
        anchor=snapshot.anchor,
        opens=snapshot.opens,
        verifies=snapshot.verifies,
    )
    made = replace(made, digest=made.write(directory, services.keys))
    removed = _prune(services, directory, made)
    lost = tuple(name for name in kept.lost if name not in set(passed))
    return BackedUp(made, kept.new, removed, lost, len(known.certificates), erased.who_is_back(services, known))


def _copy(services: Services, source: Connection, path: Path, tell: Tell) -> _Snapshot:
    """Copy what one connection sees to a new SQLite file, and compare the copy with it."""
    taken_at = services.clock()
    head = genuine(source, read_head(source), services.keys)  # the first question: from here on the state stands
    migrate.require_head(source)
    target = Target(f"sqlite:///{path}")
    try:
        target.begin({"command": "backup"})
        tables = copy_tables(source, target, tell)
        target.make_whole()
        if wrong := different(tables, target.contents(tell)):
            raise TransferBroken(f"what was written of {', '.join(wrong)} is not what was read; look at the disk")
        with target.write() as connection:
            target.finish(connection)
        _close_log(target.engine)
    finally:
        target.close()
    with Session(source) as db:
        opens = needed_keys(db)
        verifies = set(db.scalars(select(AuditRow.key).distinct()))
    return _Snapshot(taken_at, tables, Anchor(head.seq, head.seal), tuple(sorted(opens)), tuple(sorted(verifies)))


def _close_log(engine: Engine) -> None:
    """Let the file stand alone: without a log of writes beside it, it can be read where nothing can be written."""
    with engine.connect() as connection:
        driver = connection.connection.cursor()  # past SQLAlchemy, which would begin a transaction
        driver.execute("PRAGMA journal_mode = DELETE")
        driver.close()


@contextmanager
def _one_state(url: str) -> Iterator[Connection]:
    engine = open_engine(url)
    try:
        how = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name != "sqlite" else {}
        with engine.execution_options(**how).connect() as connection:
            yield connection
            connection.rollback()
    finally:
        engine.dispose()


def _make(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    flush_directory(directory.parent)
    strange = sorted(each.name for each in directory.iterdir() if not each.name.startswith(KNOWN))
    if strange:
        raise BackupInvalid(f"{directory} holds something that is no backup ({strange[0]}); give an empty directory")


def _before(services: Services, directory: Path) -> Manifest | None:
    """Return what the directory holds, None where that is nothing; refuse to replace what would be missed."""
    if not (directory / manifests.NAME).exists():
        return None
    before = read_manifest(directory, services.keys)
    with services.db.read() as db:
        known = before.anchor.seq == 0 or stored_seal(db.connection(), before.anchor.seq) == before.anchor.seal
    if not known:
        raise BackupInvalid(
            f"the backup in {directory} is of a later state than this installation is in, as after an older backup was"
            " put back; it would be lost. Keep it, and give an empty directory"
        )
    return before


def _without_rows(services: Services, names: list[str]) -> list[str]:
    """Return those of some objects of which rows speak no more."""
    with services.db.read() as db:
        known = known_objects(db.connection(), names)
    return [name for name in names if name not in known]


def _prune(services: Services, directory: Path, made: Manifest) -> int:
    """Remove what the backup does not need any more; return how many objects."""
    for path in [*directory.glob("database-*"), *directory.glob("objects-*.txt")]:
        if path.name not in (made.database.name, made.listed.name):
            path.unlink()
    flush_directory(directory)
    store, removed = FileObjectStore(directory / OBJECTS), 0
    copy = open_copy(directory / made.database.name)
    try:
        with copy.connect() as connection:
            names = store.written_before(services.clock() + EVER)
            while some := list(islice(names, AT_ONCE)):
                removed += _remove_unknown(connection, store, some)
    finally:
        copy.dispose()
    return removed


def _remove_unknown(connection: Connection, store: FileObjectStore, names: list[str]) -> int:
    known = known_objects(connection, names)
    gone = [name for name in names if name not in known]
    for name in gone:
        store.delete(name)
    return len(gone)


def _remove_incoming(directory: Path) -> None:
    for path in directory.glob(f"{INCOMING}*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
