"""How many uploads a server takes in, beside what the same processors could do at most.

    python benchmarks/throughput.py [--uploads 400] [--rounds 3] [--postgresql] [--markdown]

Two minutes of walking, 100 Hz, nine channels; two processes of the server. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import monotonic

import pyarrow as pa
from crash_parts import Part, free_port, postgres_part, wait_for_port
from throughput_load import Load, by_chance, evenly, json_bodies, rate_of, session, waits_at, walking

from konectom import formats
from konectom.api import server
from konectom.commands._demo_data import make_people
from konectom.settings import load_settings
from konectom.simulate.carriers import as_arrow
from konectom.simulate.cohort import simulate_cohort
from konectom.workflows.patients.enrolments import enrol_device
from konectom.workflows.services import Services
from konectom.workflows.sessions.process import Extracted, extract_session
from konectom.workflows.set_up import set_up

PROCESSES = 2
AT_ONCE = 4
PATIENTS = 8
JSON = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
ARROW = {"Content-Type": "application/vnd.apache.arrow.stream"}
AIMS = {
    "stored, scored and committed / decoded and extracted": 0.70,
    "accepted / inflated and parsed in a bare view": 0.60,
    "Arrow accepted / JSON accepted": 3.0,
}


def extract_all(bodies: list[bytes]) -> int:
    """Inflate, decode and extract; return how many recordings were computed."""
    outcomes = [extract_session(formats.read(body, encoding="gzip")) for body in bodies]
    return sum(isinstance(each, Extracted) for per_session in outcomes for each in per_session)


def extraction_rate(pool: ProcessPoolExecutor, bodies: list[bytes]) -> float:
    """Return how many sessions a second are inflated, decoded and extracted, with nothing around it."""
    began = monotonic()
    computed = sum(pool.map(extract_all, [bodies[at::PROCESSES] for at in range(PROCESSES)]))
    took_s = monotonic() - began
    assert computed == len(bodies)
    return len(bodies) / took_s


class Lab:
    """The servers that are compared; all are there from the start, and wait."""

    def __init__(self, stack: ExitStack, directory: Path, *, postgresql: bool) -> None:
        self.stack, self.directory, self.postgresql = stack, directory, postgresql
        self.recording = walking()
        self.json = json_bodies(self.recording)
        self.arrow = lambda number: as_arrow(session(number, self.recording))

    def server(self, name: str, processing: str) -> tuple[int, str]:
        """Start a server on an installation of its own; return its port, and the token of a phone."""
        directory = self.directory / name
        directory.mkdir()
        environ = environment(directory) | {"KONECTOM_PROCESSING": processing}
        if self.postgresql and processing == "workers":
            environ["KONECTOM_DATABASE_URL"] = self._database()
        services = Services.open(load_settings({k: v for k, v in environ.items() if k.startswith("KONECTOM_")}))
        set_up(services)
        people = make_people(services, simulate_cohort(PATIENTS, seed=1))
        phone = enrol_device(services, patient_id=next(iter(people.patient_ids.values())))
        services.close()
        return self._start(name, environ, server.APPLICATION), phone.access_token

    def bare(self) -> int:
        """Start the bare server, with the same configuration; return its port."""
        return self._start("bare", environment(self.directory / "none"), "bare:app")

    def _start(self, name: str, environ: dict[str, str], application: str) -> int:
        port = free_port()
        words = server.command(bind=f"127.0.0.1:{port}", workers=PROCESSES)
        part = Part(name, [*words[:-1], application], environ, self.directory / f"{name}.log")
        part.start()
        self.stack.callback(part.stop)
        wait_for_port(port)
        return port

    def _database(self) -> str:
        import psycopg

        port = free_port()
        part = postgres_part(self.directory / f"postgresql{port}", port, environment(self.directory / "none"))
        part.start()
        self.stack.callback(part.stop)
        wait_for_port(port)
        with psycopg.connect(f"postgresql://konectom@127.0.0.1:{port}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE konectom")
        return f"postgresql+psycopg://konectom@127.0.0.1:{port}/konectom"


def environment(directory: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KONECTOM_")}
    here = Path(__file__).resolve().parent
    return kept | {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(here.parent), str(here), os.environ.get("PYTHONPATH")))),
        "KONECTOM_DATA_DIR": str(directory),
        "KONECTOM_MODE": "development",
        "KONECTOM_LOG_FORMAT": "json",
        "KONECTOM_RATE_LIMITS": "off",
    }


def measure(lab: Lab, uploads: int, rounds: int) -> dict[str, float]:
    """Return the median rate of each, taken in turns, and how long uploads wait."""
    now = Load(*lab.server("request", "request"), lab.json, JSON)
    accepting = lab.server("workers", "workers")
    later, fast = Load(*accepting, lab.json, JSON), Load(*accepting, lab.arrow, ARROW)
    bare = Load(lab.bare(), "", lab.json, JSON)
    rates: dict[str, list[float]] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        extraction_rate(pool, [lab.json(number) for number in range(2 * PROCESSES)])
        for load in (now, later, fast, bare):  # each process imports the maths once
            rate_of(load, 16, AT_ONCE)
        for turn in range(rounds):
            print(f"  round {turn + 1} of {rounds}", file=sys.stderr, flush=True)
            taken = {
                "decoded and extracted": extraction_rate(pool, [lab.json(number) for number in range(uploads // 4)]),
                "stored, scored and committed": rate_of(now, uploads // 4, AT_ONCE),
                "inflated and parsed in a bare view": rate_of(bare, uploads, AT_ONCE),
                "JSON accepted": rate_of(later, uploads, AT_ONCE),
                "Arrow accepted": rate_of(fast, 2 * uploads, AT_ONCE),
            }
            for name, rate in taken.items():
                rates.setdefault(name, []).append(rate)
    found = {name: median(each) for name, each in rates.items()}
    for name, load in (("stored, scored and committed", now), ("JSON accepted", later)):
        for how, arrivals in (("80 %", evenly), ("80 %, by chance", by_chance)):
            taken_in = waits_at(load, arrivals(0.8 * found[name], uploads), 4 * AT_ONCE)
            waits = sorted(1e3 * each for each in taken_in)
            found[f"{name}: median ms at {how}"] = median(waits)
            found[f"{name}: p99 ms at {how}"] = waits[int(0.99 * len(waits))]
    return found


def ratios(found: dict[str, float]) -> dict[str, float]:
    return {
        "stored, scored and committed / decoded and extracted": found["stored, scored and committed"]
        / found["decoded and extracted"],
        "accepted / inflated and parsed in a bare view": found["JSON accepted"]
        / found["inflated and parsed in a bare view"],
        "Arrow accepted / JSON accepted": found["Arrow accepted"] / found["JSON accepted"],
    }


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--uploads", type=int, default=400)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--postgresql", action="store_true", help="workers elsewhere: PostgreSQL in place of SQLite")
    words.add_argument("--markdown", action="store_true")
    asked = words.parse_args()
    pa.set_cpu_count(1)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory.chmod(0o711)
        lab = Lab(stack, directory, postgresql=asked.postgresql)
        sizes = {"kB of a JSON body": len(lab.json(0)) / 1e3, "kB of an Arrow body": len(lab.arrow(0)) / 1e3}
        found = sizes | measure(lab, asked.uploads, asked.rounds)
    compared = ratios(found)
    missed = [name for name, aim in AIMS.items() if compared[name] < aim]
    waits = [found[f"JSON accepted: {share} ms at 80 %"] for share in ("p99", "median")]
    for what, value in (found | compared).items():
        print(f"| {what} | {value:.2f} |" if asked.markdown else f"{what:>60}  {value:8.2f}")
    for name in missed:
        print(f"missed: {name} is {compared[name]:.2f}, not {AIMS[name]:.2f}")
    if waits[0] > 2 * waits[1]:
        print(f"missed: p99 is {waits[0] / waits[1]:.1f} times the median")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
