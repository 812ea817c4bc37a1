"""How many sessions a real server takes in, over loopback, and how long a phone waits for its answer.

    python benchmarks/ingest.py [--uploads 200] [--connections 4] [--workers 2] [--markdown]

See benchmarks/README.md for what is measured.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import perf_counter

from konectom.commands._demo_data import make_people, open_settings, settings_of
from konectom.commands._demo_phones import Phone, enrol_phones
from konectom.commands._server import Server, running
from konectom.simulate.cohort import QUANTITIES, simulate_cohort
from konectom.simulate.patients import Patient, visits
from konectom.simulate.sessions import Upload, upload
from konectom.storage.migrate import upgrade
from konectom.workflows.services import Services

PATIENTS = 8
WARM_UP = 8
"""Uploads before the clock starts: each worker imports the maths once."""


@dataclass(frozen=True)
class Outcome:
    """What the phones saw."""

    uploads: int
    megabytes: float
    wall_s: float
    server_cpu_s: float | None
    waits_ms: list[float]

    def at(self, share: float) -> float:
        return self.waits_ms[min(len(self.waits_ms) - 1, int(share * len(self.waits_ms)))]

    @property
    def facts(self) -> dict[str, str]:
        return {
            "uploads": str(self.uploads),
            "kB each, compressed": f"{1e3 * self.megabytes / self.uploads:.0f}",
            "server CPU ms each": "" if self.server_cpu_s is None else f"{1e3 * self.server_cpu_s / self.uploads:.0f}",
            "sessions a second": f"{self.uploads / self.wall_s:.1f}",
            "MB a second": f"{self.megabytes / self.wall_s:.1f}",
            "p50 ms": f"{self.at(0.5):.0f}",
            "p99 ms": f"{self.at(0.99):.0f}",
            "longest ms": f"{self.waits_ms[-1]:.0f}",
        }


def prepared(cohort: list[Patient], count: int) -> list[Upload]:
    """Return different sessions, made beforehand: only the server is to be measured."""
    weeks = -(-count // len(cohort))
    made = [
        upload(patient, visit, QUANTITIES)
        for patient in cohort
        for visit in visits(patient, QUANTITIES, start=date(2025, 1, 6), weeks=weeks)
    ]
    return made[:count]


def send_all(server: Server, uploads: Sequence[Upload], phones: Mapping[str, Phone], connections: int) -> Outcome:
    def send(share: Sequence[Upload]) -> list[float]:
        waits = []
        with server.client() as client:
            for each in share:
                began = perf_counter()
                answer = phones[each.patient].put_session(client, each.session_id, each.body)
                waits.append(1e3 * (perf_counter() - began))
                if answer.status != 201:
                    raise RuntimeError(f"{answer.status} {answer.body}")
        return waits

    began, cpu_began_s = perf_counter(), cpu_of_workers_s(server.process.pid)
    with ThreadPoolExecutor(connections) as pool:
        waits = [
            wait for part in pool.map(send, [uploads[at::connections] for at in range(connections)]) for wait in part
        ]
    wall_s, cpu_ended_s = perf_counter() - began, cpu_of_workers_s(server.process.pid)
    cpu_s = None if cpu_began_s is None or cpu_ended_s is None else cpu_ended_s - cpu_began_s
    return Outcome(len(uploads), sum(len(each.body) for each in uploads) / 1e6, wall_s, cpu_s, sorted(waits))


def cpu_of_workers_s(server: int) -> float | None:
    """Return the CPU seconds that the server's workers have used, None where the system does not tell (not Linux)."""
    used = 0.0
    try:
        for child in Path(f"/proc/{server}/task/{server}/children").read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            used += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return None
    return used


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--uploads", type=int, default=200)
    words.add_argument("--connections", type=int, default=4)
    words.add_argument("--workers", type=int, default=2)
    words.add_argument("--markdown", action="store_true", help="print the table as markdown")
    asked = words.parse_args()
    cohort = simulate_cohort(PATIENTS, seed=1)
    print(f"simulating {asked.uploads} sessions", file=sys.stderr)
    uploads = prepared(cohort, asked.uploads + WARM_UP)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        upgrade(open_settings(directory).database_url)
        services = Services.open(open_settings(directory))
        people = make_people(services, cohort)
        services.close()
        with running(settings_of(directory), 0, workers=asked.workers, log=directory / "server.log") as server:
            phones = enrol_phones(server, people)
            send_all(server, uploads[:WARM_UP], phones, asked.connections)
            outcome = send_all(server, uploads[WARM_UP:], phones, asked.connections)
    facts = {"workers": str(asked.workers), "connections": str(asked.connections)} | outcome.facts
    if asked.markdown:
        print(f"| {' | '.join(facts)} |\n| {' | '.join(['---:'] * len(facts))} |\n| {' | '.join(facts.values())} |")
    else:
        for what, value in facts.items():
            print(f"{what:>22}  {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
