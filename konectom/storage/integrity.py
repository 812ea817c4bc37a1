"""Whether a SQLite file is in order: that each index holds its table's rows and no others, that no page is damaged.

PostgreSQL has no such question for everybody; its extension ``amcheck`` is the operator's.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError, OperationalError

MOST = 100
"""Faults that SQLite tells of one table."""


def file_faults(connection: Connection, tables: Iterable[str] | None = None) -> list[str]:
    """Return what SQLite finds wrong with these tables and their indexes (None: with the whole file), in its words.

    Nothing for another database.
    """
    if connection.dialect.name != "sqlite":
        return []
    about = [f"({MOST})"] if tables is None else [f"('{table}')" for table in tables]
    found: list[str] = []
    for each in about:
        try:
            told = [str(row[0]) for row in connection.exec_driver_sql(f"PRAGMA integrity_check{each}")]
        except OperationalError:
            raise
        except DatabaseError as error:  # it is so damaged that SQLite does not go on
            told = [str(error.orig)]
        found += [line for line in told if line != "ok"]
    return found
