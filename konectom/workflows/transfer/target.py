"""A database that is being filled: nobody serves it before it is whole, and filling it may be broken off at any point.

While it is filled its schema is marked as unfinished where the server looks for its revision
(:data:`~konectom.storage.migrate.UNFINISHED`), so that no server starts on it. A table that no model knows holds what
is being copied and how far that is; it moves on in the transaction that writes the rows, so that no row is written
twice and none left out. Foreign keys are off meanwhile, so that tables may refer to themselves and to each other in any
way; at the end all of them are checked, the schema is compared with the models, and mark and table go together.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    inspect,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.schema import AddConstraint, ForeignKeyConstraint

from konectom.errors import StoreUnavailable, TargetInUse, TransferBroken
from konectom.storage import migrate
from konectom.storage.database import WRITES, open_engine
from konectom.workflows.transfer.contents import Contents, contents_of, different
from konectom.workflows.transfer.rows import every_table

PROGRESS = Table(
    "unfinished_transfer", MetaData(), Column("name", String, primary_key=True), Column("told", Text, nullable=False)
)
"""What is being copied (``what``), and the key up to which a table is (``after NAME``); gone when all is there."""

REVISION = Table(migrate.REVISIONS, MetaData(), Column("version_num", String(32), primary_key=True))


class Target:
    """The database at ``url`` while it is filled. Close it when done."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine: Engine = open_engine(url, foreign_keys=False)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection whose changes are kept together at the end."""
        with self.engine.execution_options(**{WRITES: True}).begin() as connection:
            yield connection

    def contents(self, tell: Any) -> Contents:
        """Return what the tables hold."""
        with self.engine.connect() as connection:
            return contents_of(connection, tell)

    def begin(self, what: Mapping[str, Any], *, restart: bool = False) -> bool:
        """Make ready to be filled with ``what``; tell whether that was begun before and goes on.

        Raises :class:`TargetInUse` where the database holds anything else, :class:`TransferBroken` where the filling
        with something else was broken off; ``restart`` then empties it and begins anew.
        """
        told = orjson.loads(orjson.dumps(dict(what)))
        if not self.is_unfinished():
            self.require_pristine()
            with self.write() as connection:
                PROGRESS.create(connection)
                connection.execute(update(REVISION).values(version_num=migrate.UNFINISHED))
                self._begin_anew(connection, told)
            return False
        if self.recall("what") == told and not restart:
            with self.write() as connection:
                _free_of_references(connection)
            return True
        if not restart:
            raise TransferBroken(
                "the database was being filled with something else, or with the same at another state, and that was"
                " broken off; give --restart to empty it and begin anew"
            )
        with self.write() as connection:
            self._begin_anew(connection, told)
        return False

    def is_unfinished(self) -> bool:
        """Tell whether filling the database was begun and not ended."""
        with self.engine.connect() as connection:
            if not inspect(connection).has_table(REVISION.name):
                return False
            return connection.scalar(select(REVISION.c.version_num)) == migrate.UNFINISHED

    def recall(self, name: str) -> Any:
        """Return what was kept under a name, None where nothing was."""
        with self.engine.connect() as connection:
            found = connection.scalar(select(PROGRESS.c.told).where(PROGRESS.c.name == name))
        return None if found is None else orjson.loads(found)

    def finish(self, connection: Connection) -> None:
        """Take the mark away: from the end of this transaction on the database can be served."""
        connection.execute(update(REVISION).values(version_num=migrate.head_revision()))
        PROGRESS.drop(connection)

    def make_whole(self) -> None:
        """Put references and counters right, and compare the schema with the models.

        Raises :class:`TransferBroken` for rows that refer to what there is not, and for any difference.
        """
        with self.write() as connection:
            if connection.dialect.name == "sqlite":
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
                if broken:
                    raise TransferBroken(
                        f"rows of {sorted({row[0] for row in broken})} refer to rows that are not there"
                    )
            else:
                try:
                    _refer_again(connection)
                except IntegrityError as error:
                    raise TransferBroken("rows refer to rows that are not there") from error
                _count_on(connection)
        found = [each for each in migrate.differences(self.url) if not _is_ours(each)]
        if found:
            raise TransferBroken(f"the database that was filled differs from the models: {found}")

    def require_pristine(self) -> None:
        """Raise :class:`TargetInUse` unless the database holds nothing but what setting it up puts there."""
        place = make_url(self.url).render_as_string(hide_password=True)
        with self.engine.connect() as connection:
            there = set(inspect(connection).get_table_names())
        revision = migrate.current_revision(self.url) if REVISION.name in there else None
        if revision is None:
            if there - {REVISION.name}:
                raise TargetInUse(f"{place} holds tables of something else: {', '.join(sorted(there)[:3])} ...")
            migrate.upgrade(self.url)
        elif revision != migrate.head_revision():
            raise TargetInUse(f"{place} is another installation's: its schema is at {revision}")
        with self.engine.connect() as connection:
            found = different(contents_of(connection), _fresh())
        if found:
            raise TargetInUse(f"{place} holds rows already, in {', '.join(found[:3])}; give an empty database")

    def _begin_anew(self, connection: Connection, what: Mapping[str, Any]) -> None:
        _free_of_references(connection)
        for table in reversed(every_table()):
            connection.execute(delete(table))
        connection.execute(delete(PROGRESS))
        remember(connection, "what", what)


@contextmanager
def reaching(what: str) -> Iterator[None]:
    """Turn what only the operator can mend into an error that says so."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise StoreUnavailable(f"{what} cannot be used: {error.orig}") from error


def remember(connection: Connection, name: str, told: Any) -> None:
    """Keep something under a name, until the target is finished."""
    connection.execute(delete(PROGRESS).where(PROGRESS.c.name == name))
    connection.execute(insert(PROGRESS).values(name=name, told=orjson.dumps(told).decode()))


@cache
def _fresh() -> Contents:
    """Return what the migrations alone put into a database."""
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite:///{Path(directory) / 'empty.sqlite3'}"
        migrate.upgrade(url)
        engine = open_engine(url)
        try:
            with engine.connect() as connection:
                return contents_of(connection)
        finally:
            engine.dispose()


def _references() -> Iterator[ForeignKeyConstraint]:
    for table in every_table():
        yield from sorted(table.foreign_key_constraints, key=lambda each: str(each.name))


def _free_of_references(connection: Connection) -> None:
    """Drop all foreign keys; on SQLite they are off for this connection already."""
    if connection.dialect.name == "sqlite":
        return
    quote = connection.dialect.identifier_preparer.quote
    for table in every_table():
        for key in inspect(connection).get_foreign_keys(table.name):
            connection.execute(text(f"ALTER TABLE {quote(table.name)} DROP CONSTRAINT {quote(str(key['name']))}"))


def _refer_again(connection: Connection) -> None:
    there = {
        (table.name, key["name"]) for table in every_table() for key in inspect(connection).get_foreign_keys(table.name)
    }
    for key in _references():
        if (key.table.name, key.name) not in there:
            connection.execute(AddConstraint(key, isolate_from_table=False))


def _count_on(connection: Connection) -> None:
    """Let counters of keys go on after the highest that there is. (SQLite looks for it itself.)"""
    quote = connection.dialect.identifier_preparer.quote
    for table in every_table():
        column = table.autoincrement_column
        if column is None:
            continue
        asked = {"of": quote(table.name), "column": column.name}
        sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:of, :column)"), asked)
        if sequence is not None:
            highest = connection.scalar(select(func.max(column)))
            next_one = {"name": sequence, "next": (highest or 0) + 1}
            connection.execute(text("SELECT setval(CAST(:name AS regclass), :next, false)"), next_one)


def _is_ours(difference: Any) -> bool:
    return bool(difference[0] == "remove_table" and difference[1].name == PROGRESS.name)
