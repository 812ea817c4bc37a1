"""What ``konectom backup`` takes, in time and memory, for many rows and for large objects.

    python benchmarks/backup.py [--rows 200000] [--object-mib 512] [--objects 1] [--keep DIRECTORY]

Rows are those of one simulated session (it, its recordings, results and scores), copied within the database as often as
it takes; objects are random bytes. Each backup is made by the command itself, in a process of its own: the first, and
one that finds all objects there. It takes room for twice the objects and the database. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, nullcontext
from datetime import date
from pathlib import Path
from time import perf_counter

from processes import LAUNCHER

from konectom import logs
from konectom.commands._demo_data import make_people, settings_of
from konectom.settings import Settings, load_settings
from konectom.simulate.cohort import QUANTITIES, simulate_cohort
from konectom.simulate.patients import visits
from konectom.simulate.sessions import upload
from konectom.workflows.services import Services
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.set_up import set_up

PIECE = 2**20
COPIED = ("session", "recording", "result", "score")
ANOTHER = "substr({column}, 1, 24) || printf('%08x', n)"
"""The id of a copy: that of the row, but for its end."""


def install(directory: Path) -> Settings:
    """Make an installation with one session of one patient."""
    settings = load_settings(settings_of(directory))
    services = Services.open(settings)
    try:
        set_up(services)
        cohort = simulate_cohort(1, seed=1)
        people = make_people(services, cohort)
        visit = next(iter(visits(cohort[0], QUANTITIES, start=date(2020, 1, 6), weeks=1)))
        made = upload(cohort[0], visit, QUANTITIES)
        patient = people.patient_ids[cohort[0].code]
        ingest_session(services, session_id=made.session_id, patient_id=patient, body=made.body, encoding="gzip")
    finally:
        services.close()
    return settings


def multiply(file: Path, rows: int) -> dict[str, int]:
    """Copy the rows of the session until there are so many; return how many each table has."""
    with closing(sqlite3.connect(file)) as db:
        there = sum(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in COPIED)
        numbers = f"WITH RECURSIVE k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < {rows // there}) "
        for table in COPIED:
            names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            ids = {"id": "id", "session_id": "session_id", "recording_id": "recording_id"}
            told = [ANOTHER.format(column=name) if name in ids else f'"{name}"' for name in names]
            into = ", ".join(f'"{name}"' for name in names)
            db.execute(f"INSERT INTO {table} ({into}) {numbers} SELECT {', '.join(told)} FROM {table}, k")
        db.commit()
        return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in COPIED}


def add_object(settings: Settings, directory: Path, mebibytes: int) -> None:
    """Put an object of random bytes into the store, and say so in a row."""
    file, told = directory / "object", hashlib.sha256()
    with file.open("wb") as out:
        for _ in range(mebibytes):
            piece = os.urandom(PIECE)
            told.update(piece)
            out.write(piece)
    services = Services.open(settings)
    try:
        services.objects.put_file(told.hexdigest(), file)
    finally:
        services.close()
    file.unlink()
    with closing(sqlite3.connect(settings.data_dir / "konectom.sqlite3")) as db:
        row = (told.hexdigest(), mebibytes * PIECE, "2026-01-01 00:00:00.000000")
        db.execute("INSERT INTO blob (object, size_bytes, stored_at) VALUES (?, ?, ?)", row)
        db.commit()


def back_up(settings: Settings, target: Path) -> str:
    """Make a backup; tell how long it took, and its most memory."""
    words = [sys.executable, "-c", LAUNCHER, sys.executable, "-m", "konectom.cli", "backup", str(target)]
    environ = os.environ | {"KONECTOM_MODE": "development", "KONECTOM_DATA_DIR": str(settings.data_dir)}
    environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
    began = perf_counter()
    said = subprocess.run(words, env=environ, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    if said[0] != "0":
        raise RuntimeError(f"konectom backup ended with status {said[0]}")
    return f"{perf_counter() - began:.1f} s, {float(said[1]):.1f} s CPU, {float(said[2]) / 1024:.0f} MB at most"


def main() -> int:
    """Make an installation and back it up twice."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--rows", type=int, default=200_000)
    words.add_argument("--object-mib", type=int, default=512)
    words.add_argument("--objects", type=int, default=1)
    words.add_argument("--keep", type=Path, help="an empty directory for all of it; by default one that is removed")
    asked = words.parse_args()
    logs.configure("console", level=logging.WARNING)
    with nullcontext(str(asked.keep)) if asked.keep else tempfile.TemporaryDirectory() as held:
        directory = Path(held)
        settings = install(directory / "data")
        print(multiply(settings.data_dir / "konectom.sqlite3", asked.rows))
        for _ in range(asked.objects):
            add_object(settings, directory, asked.object_mib)
        size = (settings.data_dir / "konectom.sqlite3").stat().st_size / 2**20
        print(f"database {size:.0f} MiB, {asked.objects} objects of {asked.object_mib} MiB")
        for name in ("first", "second"):
            print(f"{name}: {back_up(settings, directory / 'backup')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
