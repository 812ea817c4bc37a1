"""What one session costs: CPU, rows, bytes in the database and in the object store, flushes. For docs/capacity.md.

    python benchmarks/capacity.py [--sessions 400] [--patients 8] [--database postgresql+psycopg://...] [--markdown]

Without --database on SQLite. A database that is named must be empty; tables are made in it, and stay. The sessions are
those of the demonstration: five tests a week, and two questionnaires now and then.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from uuid import UUID

from sqlalchemy import event, text

from konectom import logs
from konectom.commands._demo_data import make_people, settings_of
from konectom.settings import load_settings
from konectom.simulate.cohort import QUANTITIES, simulate_cohort
from konectom.simulate.patients import visits
from konectom.simulate.sessions import Upload, upload
from konectom.workflows.following.trends import patient_trends
from konectom.workflows.services import Services
from konectom.workflows.sessions.compute import compute_session
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.listing import get_session
from konectom.workflows.set_up import set_up

TABLES = ("session", "recording", "result", "score", "blob", "audit")


@dataclass
class Counted:
    """What was done meanwhile."""

    cpu_s: float = 0.0
    wall_s: float = 0.0
    times: Counter[str] = field(default_factory=Counter)


@contextmanager
def counting(services: Services) -> Iterator[Counted]:
    """Count CPU, transactions that wrote, and flushes of files."""
    counted, fsync = Counted(), os.fsync
    engine = services.db.engine

    def flushed(handle: int) -> None:
        counted.times["flushes"] += 1
        fsync(handle)

    def committed(connection: Any) -> None:
        if connection.get_execution_options().get("konectom_writes"):
            counted.times["commits"] += 1

    event.listen(engine, "commit", committed)
    os.fsync = flushed  # type: ignore[assignment]
    cpu, wall = process_time(), perf_counter()
    try:
        yield counted
    finally:
        counted.cpu_s, counted.wall_s = process_time() - cpu, perf_counter() - wall
        os.fsync = fsync
        event.remove(engine, "commit", committed)


def rows_of(services: Services) -> dict[str, int]:
    with services.db.read() as db:
        return {name: db.scalar(text(f'SELECT count(*) FROM "{name}"')) or 0 for name in TABLES}


def bytes_of(services: Services) -> dict[str, int]:
    """Bytes of each table with its indexes, as the database counts them."""
    with services.db.read() as db:
        if db.get_bind().dialect.name == "postgresql":
            told = text(
                "SELECT relname, pg_total_relation_size(oid) FROM pg_class "
                "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            )
            return {name: int(size) for name, size in db.execute(told)}
        owner = dict(db.execute(text("SELECT name, tbl_name FROM sqlite_master")).all())
        found: Counter[str] = Counter()
        try:
            pages = db.execute(text("SELECT name, sum(pgsize) FROM dbstat GROUP BY name")).all()
        except Exception:  # this SQLite was built without it: the file as a whole is all that is known
            return {
                "all": int(db.scalar(text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")))
            }
        for name, size in pages:
            found[owner.get(name, name)] += int(size)
        return dict(found)


def objects_bytes(services: Services) -> int:
    root = services.objects.root
    return sum(each.stat().st_size for each in root.rglob("*") if each.is_file())


def timed(work: Callable[[], Any], times: int = 20) -> float:
    """Milliseconds of CPU of the median of so many runs."""
    taken = []
    for _ in range(times):
        began = process_time()
        work()
        taken.append(1e3 * (process_time() - began))
    return sorted(taken)[len(taken) // 2]


def ingest_all(services: Services, patients: dict[str, UUID], uploads: list[Upload]) -> None:
    for each in uploads:
        ingest_session(
            services,
            session_id=each.session_id,
            patient_id=patients[each.patient],
            body=each.body,
            encoding="gzip",
            media_type="application/json",
        )


def measure(services: Services, patients: dict[str, UUID], made: list[Upload], first: int) -> dict[str, float]:
    """Take in half of the sessions as servers do that compute, half as those that leave it to workers."""
    half = (len(made) - first) // 2
    ingest_all(services, patients, made[:first])  # the maths is imported
    rows, sizes = rows_of(services), bytes_of(services)
    kept = objects_bytes(services)
    at_once, later = made[first : first + half], made[first + half : first + 2 * half]
    with counting(services) as whole:
        ingest_all(services, patients, at_once)
    leaving = replace(services, settings=type(services.settings)(services.settings._values | {"processing": "workers"}))
    with counting(leaving) as received:
        ingest_all(leaving, patients, later)
    with counting(leaving) as computed:
        for each in later:
            compute_session(leaving, each.session_id)
    sessions = 2 * half
    more = {name: (count - rows[name]) / sessions for name, count in rows_of(services).items()}
    grown = {name: (size - sizes.get(name, 0)) / sessions for name, size in bytes_of(services).items()}
    patient = patients[made[0].patient]
    facts = {
        "sessions measured": float(sessions),
        "kB uploaded": sum(len(each.body) for each in at_once + later) / sessions / 1e3,
        "kB in the object store": (objects_bytes(services) - kept) / sessions / 1e3,
        "ms CPU, taken in and computed at once": 1e3 * whole.cpu_s / half,
        "ms CPU, taken in only": 1e3 * received.cpu_s / half,
        "ms CPU, computed by a worker": 1e3 * computed.cpu_s / half,
        "ms wall, taken in and computed at once": 1e3 * whole.wall_s / half,
        "ms wall, taken in only": 1e3 * received.wall_s / half,
        "commits, at once": whole.times["commits"] / half,
        "commits, taken in only": received.times["commits"] / half,
        "commits, computed by a worker": computed.times["commits"] / half,
        "flushes of the object store": whole.times["flushes"] / half,
    }
    facts |= {f"rows of {name}": value for name, value in more.items()}
    facts["kB in the database"] = sum(value for value in grown.values()) / 1e3
    facts |= {f"kB of {name}": grown[name] / 1e3 for name in sorted(grown, key=grown.__getitem__)[::-1][:7]}
    facts["ms CPU, a receipt"] = timed(lambda: get_session(services, made[first].session_id))
    facts["ms CPU, all trends of a patient"] = timed(lambda: patient_trends(services, patient))
    return facts


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--sessions", type=int, default=400)
    words.add_argument("--patients", type=int, default=8)
    words.add_argument("--database", help="an empty database; by default SQLite")
    words.add_argument("--markdown", action="store_true", help="print the table as markdown")
    asked = words.parse_args()
    cohort, first = simulate_cohort(asked.patients, seed=1), 2 * asked.patients
    weeks = -(-(asked.sessions + first) // asked.patients)
    made = [
        upload(patient, visit, QUANTITIES)
        for patient in cohort
        for visit in visits(patient, QUANTITIES, start=date(2020, 1, 6), weeks=weeks)
    ]
    made.sort(key=lambda each: each.visit.week)
    logs.configure("console", level=logging.WARNING)
    with tempfile.TemporaryDirectory() as directory:
        told = settings_of(Path(directory)) | ({"KONECTOM_DATABASE_URL": asked.database} if asked.database else {})
        settings = load_settings(told)
        services = Services.open(settings)
        try:
            set_up(services)
            people = make_people(services, cohort)
            facts = measure(services, people.patient_ids, made[: asked.sessions + first], first)
        finally:
            services.close()
    kind = "PostgreSQL" if asked.database else "SQLite"
    where = f"{kind}, {platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    print(f"{datetime.now(UTC):%Y-%m-%d}: {where}; load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    for what, value in facts.items():
        shown = f"{value:.1f}" if value >= 0.05 or value == 0 else f"{value:.3f}"
        print(f"| {what} | {shown} |" if asked.markdown else f"{what:>40}  {shown}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
