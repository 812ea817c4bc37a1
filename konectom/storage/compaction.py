"""Rewriting the room that deleted rows left, so that nothing of them can be read from the files.

SQLite overwrites what is deleted (``secure_delete``), but copies of a row that it made while it moved others between
pages stay in unused room, and the write-ahead log holds pages as they were. ``VACUUM`` writes the whole file anew, from
what is there alone, and a checkpoint then empties the log. PostgreSQL's ``VACUUM`` makes the room of deleted rows free
to be used again, where the bytes lie until something is written over them; only ``VACUUM FULL``, which shuts everybody
out meanwhile, writes the tables anew. It passes over rows that somebody may still see: an older transaction, one that
was prepared and not ended, a replication slot, a replica that sends feedback. It is told from PostgreSQL's views who
that is (pg_stat_activity, pg_replication_slots, pg_prepared_xacts; "Routine Vacuuming" in its manual).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Connection, Table, text

from konectom.storage.database import BUSY_TIMEOUT_MS, open_engine
from konectom.storage.turns import Turns

CHECKPOINT_WAITS_MS = 2_000
"""How long the log's end is waited for where somebody still reads what came before."""

OLDER_WAITS_S = 2.0
"""How long transactions on PostgreSQL that are older are waited for: most end at once."""

LOOK_EVERY_S = 0.05

_NEXT = text("SELECT CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text)")
"""The transaction that comes next: all that is committed by now is older."""

_OLDER = text("""
    SELECT count(*) FROM (
        SELECT unnest(ARRAY[backend_xmin, backend_xid]) AS id FROM pg_stat_activity
            WHERE pid <> pg_backend_pid() AND (datid IS NULL OR datname = current_database())
        UNION ALL SELECT xmin FROM pg_replication_slots
        UNION ALL SELECT transaction FROM pg_prepared_xacts WHERE database = current_database()
    ) AS held WHERE age(id) > age(xid(CAST(:following AS xid8)))
""")
"""How many may see a state that is older than the transaction ``following``, or are part of it."""


def compact(url: str, tables: Iterable[Table]) -> bool:
    """Rewrite what ``tables`` of the database at ``url`` left free; tell whether the files are clean of it.

    They are not where somebody still reads, or may read, an older state of the database: repeat it later. On
    PostgreSQL clean means that the room is free to be overwritten; see the module. Raises OperationalError where the
    database cannot be written, or has no room for a second copy.
    """
    engine = open_engine(url)  # a connection of its own, without limits of time
    try:
        # Outside of a transaction: VACUUM refuses to run in one.
        if engine.dialect.name == "sqlite":
            file = Path(engine.url.database or "")
            # In turn: else it would hardly ever find nobody writing.
            with engine.connect() as connection, Turns(file).taken(BUSY_TIMEOUT_MS / 1000):
                return _compact_sqlite(connection)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            quote = engine.dialect.identifier_preparer.format_table
            following = connection.execute(_NEXT).scalar_one()
            clean = _nobody_older(connection, following)
            # Of few rows VACUUM would leave the entries in the indexes, which hold codes, unless it is told.
            connection.exec_driver_sql(f"VACUUM (INDEX_CLEANUP ON) {', '.join(quote(table) for table in tables)}")
        return clean
    finally:
        engine.dispose()


def _nobody_older(connection: Connection, following: str) -> bool:
    """Wait until nobody sees what was there before the transaction ``following``; tell whether that was so in time.

    Whoever begins meanwhile sees nothing older, so that it stays so.
    """
    until = time.monotonic() + OLDER_WAITS_S
    while connection.execute(_OLDER, {"following": following}).scalar_one():
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_EVERY_S)
    return True


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
