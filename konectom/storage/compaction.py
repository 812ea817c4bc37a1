"""Rewriting the room that deleted rows left, so that nothing of them can be read from the files.

SQLite overwrites what is deleted (``secure_delete``), but copies of a row that it made while it moved others between
pages stay in unused room, and the write-ahead log holds pages as they were. ``VACUUM`` writes the whole file anew, from
what is there alone, and a checkpoint then empties the log. PostgreSQL's ``VACUUM`` makes the room of deleted rows free
to be used again; only ``VACUUM FULL``, which shuts everybody out meanwhile, writes the tables anew.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Table

from konectom.storage.database import open_engine

CHECKPOINT_WAITS_MS = 2_000
"""How long the log's end is waited for where somebody still reads what came before."""


def compact(url: str, tables: Iterable[Table]) -> bool:
    """Rewrite what ``tables`` of the database at ``url`` left free; tell whether the files are clean of it.

    They are not where somebody still reads an older state of the database: repeat it later. Raises OperationalError
    where the database cannot be written, or has no room for a second copy.
    """
    engine = open_engine(url)  # a connection of its own, without limits of time
    try:
        # Outside of a transaction: VACUUM refuses to run in one.
        if engine.dialect.name == "sqlite":
            with engine.connect() as connection:
                return _compact_sqlite(connection)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            quote = engine.dialect.identifier_preparer.format_table
            connection.exec_driver_sql(f"VACUUM {', '.join(quote(table) for table in tables)}")
        return True
    finally:
        engine.dispose()


def _compact_sqlite(connection: Connection) -> bool:
    # Past SQLAlchemy, which would begin a transaction.
    driver = connection.connection.cursor()
    try:
        driver.execute("VACUUM")
        driver.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAITS_MS}")
        busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        driver.close()
    return not busy
