"""How fast workers compute what is queued, with one process and with more, on several hosts.

    python benchmarks/drain.py [--sessions 2000] [--tests tap] [--layouts 1,2+2]

See benchmarks/README.md for what is measured.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import Any
from uuid import UUID, uuid4

import psycopg
from hosts import Host, Room, postgresql, room

from konectom import formats, logs
from konectom.settings import load_settings
from konectom.simulate.cohort import QUANTITIES, simulate_cohort
from konectom.simulate.patients import visits
from konectom.simulate.sessions import upload
from konectom.workflows.patients.people import create_patient, create_study
from konectom.workflows.services import Services
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.process import extract_session
from konectom.workflows.set_up import set_up

PATIENTS, BODIES = 8, 5
QUEUED = "queued"
LOOK_EVERY_S = 0.25
STARTED = 0.05
"""Share of the sessions that are computed before the clock starts: processes import the maths first."""


@dataclass(frozen=True)
class Drained:
    """How many processes computed how many sessions, on how many hosts, and how long that took."""

    layout: tuple[int, ...]
    sessions: int
    wall_s: float

    @property
    def rate(self) -> float:
        return self.sessions / self.wall_s


def bodies_of(tests: Sequence[str]) -> list[list[bytes]]:
    """Return what each patient's phone sent, with these tests only."""
    wanted = tuple(each for each in QUANTITIES if each.assessment in tests)
    found = []
    for patient in simulate_cohort(PATIENTS, seed=1):
        sittings = visits(patient, QUANTITIES, start=date(2025, 1, 6), weeks=104)
        sent = (upload(patient, visit, wanted).body for visit in sittings if any(q.is_due(visit.week) for q in wanted))
        found.append(list(islice(sent, BODIES)))
    return found


def floor_ms(bodies: list[list[bytes]]) -> float:
    """Return the CPU time of reading and computing one session, without any database, in ms."""
    every = [body for of in bodies for body in of]
    for body in every[:4]:
        extract_session(formats.read(body))
    gc.collect()
    began = process_time()
    for body in every:
        extract_session(formats.read(body))
    return 1e3 * (process_time() - began) / len(every)


def queue(services: Services, bodies: list[list[bytes]], sessions: int) -> float:
    """Receive so many sessions; return how many a second."""
    study = UUID(create_study(services, code="DRAIN", consent="elsewhere")["id"])
    people = [UUID(create_patient(services, study_id=study, code=f"P{n}")["id"]) for n in range(len(bodies))]
    began = perf_counter()
    for number in range(sessions):
        of = number % len(people)
        body = bodies[of][number // len(people) % len(bodies[of])]
        ingest_session(services, session_id=uuid4(), patient_id=people[of], body=body)
    return sessions / (perf_counter() - began)


@contextmanager
def working(hosts: Sequence[Host], layout: Sequence[int], environ: dict[str, str]) -> Iterator[list[Any]]:
    """Run a worker on each host, with so many processes as the layout says."""
    started = [
        subprocess.Popen(
            [*host.words, sys.executable, "-m", "konectom.cli", "worker", "--until-done", "--concurrency", str(count)],
            env=environ,
        )
        for host, count in zip(hosts, layout, strict=False)
    ]
    try:
        yield started
        for each in started:
            if each.wait(120) != 0:
                raise RuntimeError(f"a worker ended with status {each.returncode}")
    finally:
        for each in started:
            each.kill()
            each.wait()


def drain(place: Room, server: str, layout: tuple[int, ...], environ: dict[str, str]) -> Drained:
    """Compute all that is queued, in a copy of the database."""
    name = "drain_" + "_".join(map(str, layout))
    with psycopg.connect(plain(server, "postgres"), autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name} TEMPLATE {QUEUED}")
    environ = environ | {"KONECTOM_DATABASE_URL": server + name}
    with psycopg.connect(plain(server, name), autocommit=True) as db, working(place.hosts, layout, environ) as workers:
        total = waiting = count(db, "received")
        while waiting > total * (1 - STARTED):
            sleep(LOOK_EVERY_S)
            if any(each.poll() is not None for each in workers):
                raise RuntimeError("a worker ended too early")
            waiting = count(db, "received")
        began, first = perf_counter(), waiting
        while waiting:
            sleep(LOOK_EVERY_S)
            waiting = count(db, "received")
        took = perf_counter() - began
        if count(db, "processed") != total:
            raise RuntimeError("not every session was processed")
        results, scored = db.execute("SELECT count(*), count(DISTINCT recording_id) FROM result").fetchone() or (0, 0)
        if results != scored:
            raise RuntimeError("a recording was computed twice")
    return Drained(layout, first, took)


def count(db: psycopg.Connection[Any], status: str) -> int:
    found = db.execute("SELECT count(*) FROM session WHERE status = %s", (status,)).fetchone()
    return int(found[0]) if found else 0


def plain(server: str, name: str) -> str:
    return server.replace("+psycopg", "") + name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--tests", default="tap", help="the tests of each session, apart by commas")
    parser.add_argument("--layouts", default="1,2+2", help="processes on each host, such as 2+2; several")
    asked = parser.parse_args()
    layouts = [tuple(map(int, each.split("+"))) for each in asked.layouts.split(",")]
    bodies = bodies_of(asked.tests.split(","))
    alone = floor_ms(bodies)
    logs.configure("json", level=40)
    with (
        tempfile.TemporaryDirectory(prefix="konectom-drain-") as held,
        room(max(map(len, layouts))) as place,
        postgresql(place.address) as server,
    ):
        with psycopg.connect(plain(server, "postgres"), autocommit=True) as db:
            db.execute(f"CREATE DATABASE {QUEUED}")
        told = {"mode": "development", "processing": "workers", "data_dir": held, "database_url": server + QUEUED}
        services = replace(Services.open(load_settings({}, **told)))
        set_up(services)
        received = queue(services, bodies, asked.sessions)
        services.close()
        environ = {name: value for name, value in os.environ.items() if not name.startswith("KONECTOM_")}
        environ |= {f"KONECTOM_{name.upper()}": value for name, value in told.items()} | {
            "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
            "KONECTOM_LOG_FORMAT": "json",
        }
        print(
            f"{asked.sessions} sessions of {asked.tests}, {len(os.sched_getaffinity(0))} processors, load "
            f"{os.getloadavg()[0]:.1f}; PostgreSQL with fsync; hosts are {place.told}"
        )
        print(f"received: {received:.1f} a second; to read and compute one takes {alone:.1f} ms of CPU\n")
        print("| hosts | processes | sessions a second | CPU floor, a second each | times one process |")
        print("|---:|---:|---:|---:|---:|")
        first = None
        for layout in layouts:
            done = drain(place, server, layout, environ)
            first = first or done.rate
            print(
                f"| {len(layout)} | {sum(layout)} | {done.rate:.1f} | {1e3 / alone:.1f} | {done.rate / first:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
