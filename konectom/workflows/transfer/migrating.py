"""Moving an installation to another database, another object store, or both; and back.

Nobody writes to the source meanwhile: its tables are locked from the first row to the last comparison. Where the move
was broken off and goes on later, the head of the source's audit must be where it was, and at the end all rows of both
sides are read once more and compared. The source is left as it is, but for one entry of its audit, which says that all
was copied; what goes on with is for the operator's settings to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection, inspect, make_url, text
from sqlalchemy.exc import OperationalError

from konectom.errors import SettingInvalid, SourceChanged, StoreUnavailable, TargetInUse
from konectom.security.acting import acting, acting_as
from konectom.security.chain import Anchor
from konectom.storage import migrate
from konectom.storage.audit_head import genuine, read_head
from konectom.storage.database import WRITES, Database, open_engine
from konectom.storage.objects import ObjectStore, open_store
from konectom.workflows.audit.check import check_chain
from konectom.workflows.audit.report import Report
from konectom.workflows.audit.trail import note_read
from konectom.workflows.services import Services, store_access
from konectom.workflows.transfer.contents import Contents, contents_of, different
from konectom.workflows.transfer.copying import copy_tables
from konectom.workflows.transfer.objects import (
    Copied,
    copy_objects,
    count_objects,
    in_short,
    names_of_objects,
    require_objects,
)
from konectom.workflows.transfer.progress import Tell, silent
from konectom.workflows.transfer.rows import every_table
from konectom.workflows.transfer.target import Target, reaching

ACTION = "migrate-store"
LOCK_WAITS_MS = 30_000


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved: rows of each table (None: the database was not), objects (None), and where the audit stands.

    ``already`` says that all was there before, and was only compared.
    """

    tables: Contents | None
    objects: Copied | None
    anchor: Anchor
    audit: Report | None
    already: bool = False


def migrate_store(
    services: Services,
    *,
    to_database: str | None = None,
    to_objects: str | None = None,
    restart: bool = False,
    tell: Tell = silent,
) -> Moved:
    """Copy the installation to another database and object store, compare every row and byte, and open them for use.

    What was broken off goes on where it is called again; where all is there already, it is compared. Raises
    :class:`TargetInUse`, :class:`SourceChanged`, :class:`StoreUnavailable` where somebody writes to the source all the
    time, and as :meth:`Target.begin` does.
    """
    if to_database is None and to_objects is None:
        raise SettingInvalid("say where to: another database, another object store, or both")
    target = None if to_database is None else Target(_checked(services, to_database))
    try:
        with reaching("a database"):
            services.keys.check()
            to_store = None if to_objects is None else open_store(to_objects, store_access(services.settings))
            if to_store is not None:
                to_store.ping()
            if target is not None and not target.is_unfinished():
                try:
                    target.require_pristine()
                except TargetInUse:
                    services.db.close()
                    found = _already_there(services, target, to_store, tell)
                    if found is None:
                        raise
                    return found
            if target is None or not target.is_unfinished():
                _note(services, to_database, to_objects)
            services.db.close()
            return _move(services, target, to_store, restart, tell)
    finally:
        if target is not None:
            target.close()


def _move(services: Services, target: Target | None, to_store: ObjectStore | None, restart: bool, tell: Tell) -> Moved:
    with _nobody_writes(services.settings.database_url) as source:
        head = genuine(source, read_head(source), services.keys)
        anchor = Anchor(head.seq, head.seal)
        copied, tables, report = None, None, None
        if target is not None:
            tables = _fill(source, target, anchor, restart, tell)
        if to_store is not None:
            total = count_objects(source)
            copied = copy_objects(
                names_of_objects(source),
                services.objects,
                to_store,
                services.settings.data_dir / "temporary",
                total=total,
                tell=tell,
            )
            if copied.lost:
                raise StoreUnavailable(
                    f"{len(copied.lost)} objects are missing or damaged in the store they come from; put them back from"
                    f" a backup and run this again: {in_short(copied.lost)}"
                )
            require_objects(names_of_objects(source), to_store, total=total, tell=tell)
        if target is not None:
            report = _verified(services, target, anchor)
            with target.write() as connection:
                target.finish(connection)
    return Moved(tables, copied, anchor, report)


def _fill(source: Connection, target: Target, anchor: Anchor, restart: bool, tell: Tell) -> Contents:
    what = {"command": ACTION, "anchor": str(anchor), "revision": migrate.head_revision()}
    _require_same_source(target, what, restart)
    resumed = target.begin(what, restart=restart)
    found = copy_tables(source, target, tell)
    contents = contents_of(source, tell) if resumed else found
    target.make_whole()
    wrong = different(contents, target.contents(tell))
    if wrong:
        raise SourceChanged(
            f"what was copied of {', '.join(wrong)} is not what the source holds now: it was written in between."
            " Stop all servers and workers, and run this again with --restart"
        )
    return contents


def _require_same_source(target: Target, what: dict[str, str], restart: bool) -> None:
    before = target.recall("what") if target.is_unfinished() else None
    if before is not None and not restart and before["command"] == ACTION and before["anchor"] != what["anchor"]:
        raise SourceChanged(
            f"the source was written since the copying began (its audit was at entry {before['anchor'].split(':')[0]}"
            f" and is at {what['anchor'].split(':')[0]}). Stop all servers and workers, and run this again with"
            " --restart, which begins anew"
        )


def _already_there(services: Services, target: Target, to_store: ObjectStore | None, tell: Tell) -> Moved | None:
    """Return what both databases hold where it is the same in both, else None. Nothing is written."""
    with _nobody_writes(services.settings.database_url) as source:
        with target.engine.connect() as connection:
            there = inspect(connection).get_table_names()
        if not {table.name for table in every_table()} <= set(there):
            return None
        contents = contents_of(source, tell)
        if different(contents, target.contents(tell)):
            return None
        if to_store is not None:
            require_objects(names_of_objects(source), to_store, total=count_objects(source), tell=tell)
        head = genuine(source, read_head(source), services.keys)
    return Moved(contents, None, Anchor(head.seq, head.seal), None, already=True)


@contextmanager
def _nobody_writes(url: str) -> Iterator[Connection]:
    """Yield a connection that reads, while nobody else writes any table of ours."""
    engine = open_engine(url)
    try:
        postgresql = engine.dialect.name == "postgresql"
        how = {"isolation_level": "REPEATABLE READ"} if postgresql else {WRITES: True}
        with engine.execution_options(**how).connect() as connection:
            try:
                _lock(connection)
            except OperationalError as error:
                raise SourceChanged(
                    "somebody writes to the database that is to be copied; stop all servers and workers first"
                ) from error
            migrate.require_head(connection)
            yield connection
            connection.rollback()
    finally:
        engine.dispose()


def _lock(connection: Connection) -> None:
    connection.begin()  # on SQLite this is the lock: there is one writer at a time
    if connection.dialect.name == "postgresql":
        quote = connection.dialect.identifier_preparer.quote
        connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_WAITS_MS}"))
        tables = ", ".join(quote(table.name) for table in every_table())
        connection.execute(text(f"LOCK TABLE {tables} IN SHARE MODE"))


def _checked(services: Services, to_database: str) -> str:
    url = make_url(to_database)
    here = make_url(services.settings.database_url)
    if url.drivername not in ("sqlite", "postgresql+psycopg") or not url.database:
        raise SettingInvalid("the database is sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME")
    if url == here or (
        url.drivername == here.drivername == "sqlite"
        and Path(url.database).resolve() == Path(here.database or "").resolve()
    ):
        raise TargetInUse("this is the database that is to be copied")
    return to_database


def _note(services: Services, to_database: str | None, to_objects: str | None) -> None:
    moved = [name for name, to in (("database", to_database), ("objects", to_objects)) if to is not None]
    with acting_as(replace(acting(), action=ACTION)):
        note_read(services, entity="command", entity_id=ACTION, patients="all", detail={"moved": moved})


def _verified(services: Services, target: Target, anchor: Anchor) -> Report:
    """Return what a check of the audit finds in the target, up to the entry at which the source's ends."""
    database = Database(target.url)
    try:
        with database.engine.connect() as connection:
            return check_chain(connection, services.keys, anchor=anchor)
    finally:
        database.close()
