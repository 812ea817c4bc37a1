"""What can be wrong with the database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import make_url, text

from konectom.errors import StoreUnavailable
from konectom.storage import migrate
from konectom.storage.integrity import file_faults
from konectom.storage.writable import require_writable
from konectom.workflows.checkup.findings import Finding
from konectom.workflows.checkup.machine import NETWORK, file_system_of
from konectom.workflows.services import Services

DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
OLDEST = 150_000
"""PostgreSQL's version number 15.0: older ones are no longer mended (postgresql.org, "Versioning Policy", 2026)."""

SKEW = timedelta(seconds=5)
WITHIN = timedelta(hours=6)
MOUNTS = Path("/proc/mounts")


def reached(services: Services) -> Iterator[Finding]:
    """Find whether the database is there, answers and takes writes."""
    file = _file(services)
    if file is not None and not file.is_file():
        yield Finding("database_missing", f"there is no database at {file}")
        return
    with services.db.read() as db:
        db.execute(text("SELECT 1"))
    try:
        require_writable(services.db)
    except StoreUnavailable as error:
        yield Finding("database_read_only", error.detail)


def schema(services: Services) -> Iterator[Finding]:
    """Find whether the tables are those that this version needs."""
    services.db.ping()
    differences = migrate.differences(services.settings.database_url)
    if differences:
        yield Finding(
            "schema_differs", f"{len(differences)} differences from the models; first: {differences[0]!r:.200}"
        )


def durability(services: Services) -> Iterator[Finding]:
    """Find what could lose in a power cut what was acknowledged."""
    file = _file(services)
    if file is not None:
        kind = file_system_of(file.resolve(), MOUNTS.read_text() if MOUNTS.exists() else "")
        if kind in NETWORK:
            yield Finding("database_on_network", f"{file} lies on a file system of the type {kind}")
        return
    with services.db.read() as db:
        for name in DURABLE:
            value = db.scalar(text("SELECT current_setting(:name)"), {"name": name})
            if value == "off":
                yield Finding("database_not_durable", f"{name} is off")
        version = int(db.scalar(text("SELECT current_setting('server_version_num')")) or 0)
        if version < OLDEST:
            yield Finding("database_old", f"PostgreSQL {version // 10_000}")
        encoding = db.scalar(text("SELECT current_setting('server_encoding')"))
        if encoding != "UTF8":
            yield Finding("database_encoding", f"the encoding is {encoding}")
        zone = db.scalar(text("SELECT current_setting('TimeZone')"))
        if zone not in ("UTC", "Etc/UTC", "GMT"):
            yield Finding("database_time_zone", f"TimeZone is {zone}")


def clock(services: Services) -> Iterator[Finding]:
    """Find whether this machine and the database's agree on the time."""
    if _file(services) is not None:
        return
    with services.db.read() as db:
        before = services.clock()
        there = db.scalar(text("SELECT clock_timestamp()"))
        after = services.clock()
    if there is None or before - SKEW <= there <= after + SKEW:
        return
    yield Finding("clock_skew", f"the database's clock is {(there - after).total_seconds():+.0f} s off this machine's")


def integrity(services: Services, quick: bool) -> Iterator[Finding]:
    """Find damage in SQLite's file. PostgreSQL's is for ``pg_amcheck``, which needs its superuser."""
    if _file(services) is None:
        return
    with services.db.read(within=WITHIN) as db:
        connection = db.connection()
        for told in [] if quick else file_faults(connection):
            yield Finding("database_damaged", told)
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    tables = sorted({(str(row[0]), str(row[2])) for row in broken})
    for table, parent in tables:
        yield Finding("reference_broken", f"rows of {table} refer to rows of {parent} that are not there")


def _file(services: Services) -> Path | None:
    url = make_url(services.settings.database_url)
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None
