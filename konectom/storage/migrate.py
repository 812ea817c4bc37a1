"""Bringing a database to the schema that this version needs, and telling whether it is there.

The migrations stand in ``migrations/`` of the repository, and beside this module in an installed package.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy import inspect as inspected

from konectom.errors import MigrationNeeded
from konectom.storage import jobs
from konectom.storage.database import WRITES, open_engine
from konectom.storage.models import Arrival, AuditHead, Base

UPGRADE_LOCK = 0x6B6F6E65
"""Number of PostgreSQL's advisory lock under which one process upgrades while others wait."""

REVISIONS = "alembic_version"
"""The table in which Alembic keeps the revision of a database."""

UNFINISHED = "unfinished"
"""Stands in place of the revision of a database that is being filled (:mod:`konectom.workflows.transfer`)."""

UNFINISHED_TOLD = "the database is being filled and not complete; run again: konectom migrate-store, or restore"


def _is_ours(name: str | None, kind: str, _parents: Any) -> bool:
    """Tell whether a name in the database is compared with the models: tables of jobs are Procrastinate's."""
    return not (kind == "table" and name is not None and name.startswith("procrastinate_"))


CONTEXT = {"compare_type": True, "compare_server_default": True, "include_name": _is_ours}
"""How the schema is compared with the models."""


def scripts() -> Path:
    """Return the directory of the migrations."""
    packaged = Path(__file__).parent / "migrations"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "migrations"


def upgrade(url: str) -> None:
    """Bring the database to the newest schema, in one transaction. Others who want the same wait and find it done."""
    with _connection(url) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
        _refuse_later(MigrationContext.configure(connection).get_current_revision())
        try:
            command.upgrade(_config(connection), "head")
        except CommandError as refused:
            raise MigrationNeeded(str(refused)) from refused
        if connection.dialect.name == "sqlite":
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise MigrationNeeded(f"the migration would break references, and was not made: {broken[:3]}")


def downgrade(url: str, revision: str) -> None:
    """Take the database back to an earlier schema (``base``: to none), in one transaction; what it alone held is lost.

    Raises :class:`MigrationNeeded` where the revision is not an earlier one, or a migration refuses to be undone.
    """
    with _connection(url) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
        current = MigrationContext.configure(connection).get_current_revision()
        _refuse_later(current)
        if revision != "base" and revision not in _earlier(current):
            raise MigrationNeeded(f"the database is at {current or 'no revision'}; {revision} is no earlier one")
        try:
            command.downgrade(_config(connection), revision)
        except CommandError as refused:
            raise MigrationNeeded(str(refused)) from refused


def _earlier(current: str | None) -> set[str]:
    """Return the revisions that come before one."""
    if current is None:
        return set()
    walked = ScriptDirectory.from_config(_config()).walk_revisions("base", current)
    return {script.revision for script in walked} - {current}


def rows_held(url: str) -> int:
    """Return how many rows the tables hold, apart from what every installation has."""
    with _connection(url) as connection:
        everywhere = {REVISIONS, AuditHead.__tablename__, Arrival.__tablename__}
        tables = {
            name for name in inspected(connection).get_table_names() if _is_ours(name, "table", None)
        } - everywhere
        quote = connection.dialect.identifier_preparer.quote
        asked = (f"SELECT count(*) FROM {quote(table)}" for table in sorted(tables))  # noqa: S608
        return sum(connection.exec_driver_sql(each).scalar_one() for each in asked)


def current_revision(url: str) -> str | None:
    """Return the revision that the database is at, None where it was never set up."""
    with _connection(url) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def has_audit(url: str) -> bool:
    """Tell whether the database's schema has an audit already."""
    with _connection(url) as connection:
        return inspected(connection).has_table(AuditHead.__tablename__)


@cache
def head_revision() -> str:
    """Return the revision that this version needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise MigrationNeeded(f"there are no migrations in {scripts()}")
    return head


def require_head(connection: Connection) -> None:
    """Raise :class:`MigrationNeeded` unless the database is at the newest revision."""
    head = head_revision()
    current = MigrationContext.configure(connection).get_current_revision()
    if current != head:
        _refuse_later(current)
        at = f"is at revision {current}, this version needs {head}" if current else "is not set up yet"
        detail = f"the database {at}"
        raise MigrationNeeded(f"{detail}; run: konectom db upgrade")


def refuse_unfinished(connection: Connection) -> None:
    """Raise :class:`MigrationNeeded` where the database is being filled and not complete."""
    if MigrationContext.configure(connection).get_current_revision() == UNFINISHED:
        raise MigrationNeeded(UNFINISHED_TOLD)


def _refuse_later(current: str | None) -> None:
    """Raise :class:`MigrationNeeded` where a later version of konectom set the database up."""
    if current == UNFINISHED:
        raise MigrationNeeded(UNFINISHED_TOLD)
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current is not None and current not in known:
        raise MigrationNeeded(
            f"the database is at revision {current}, of a later version of konectom; install that one"
        )


def differences(url: str) -> list[Any]:
    """Return how the database differs from the models, as Alembic tells it; empty where it does not."""
    with _connection(url) as connection:
        context = MigrationContext.configure(connection, opts=dict(CONTEXT))
        return list(compare_metadata(context, Base.metadata))


def check(url: str) -> None:
    """Raise :class:`MigrationNeeded` unless the database is at the newest revision, equals the models, and has jobs."""
    with _connection(url) as connection:
        require_head(connection)
        fault = jobs.fault_of_tables(connection)
    if fault is not None:
        raise MigrationNeeded(fault)
    found = differences(url)
    if found:
        raise MigrationNeeded(f"the database differs from the models: {found}")


def check_scripts() -> None:
    """Raise :class:`MigrationNeeded` unless the migrations, run on an empty database, make what the models say."""
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite:///{directory}/empty.sqlite3"
        upgrade(url)
        check(url)


@contextmanager
def _connection(url: str) -> Iterator[Connection]:
    """Yield a connection in a write transaction. Tables that are made anew must not pull rows of others along."""
    engine = open_engine(url, foreign_keys=False, in_turn=True)
    try:
        with engine.execution_options(**{WRITES: True}).begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
