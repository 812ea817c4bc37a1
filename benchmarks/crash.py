"""Nothing is lost, whatever is killed: uploads from 16 phones while all else is killed and cut off.

    python benchmarks/crash.py [--form small|large] [--kills 200] [--phones 16] [--seed 1]

``small`` is one server on SQLite and a directory; ``large`` a server, two workers, PostgreSQL and an S3-compatible
store. Programs are killed by SIGKILL at random times, with all their children or a child alone, and started again after
a while; connections between phones and server, and between the server and its stores, are cut, refused, stalled and
truncated. See benchmarks/README.md for what is checked afterwards. Exit status 1 says that something did not hold.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import UUID

import orjson
from crash_check import Found, check
from crash_clients import Phone
from crash_parts import Part, free_port, postgres_part, server_part, store_part, wait_for_port, worker_part
from crash_proxy import CUTS, Proxy
from sqlalchemy import func, select

from konectom.commands._demo_data import make_people
from konectom.settings import load_settings
from konectom.simulate.cohort import QUANTITIES, simulate_cohort
from konectom.simulate.patients import Patient, visits
from konectom.simulate.sessions import upload
from konectom.storage.models import SessionRow
from konectom.workflows.services import Services
from konectom.workflows.set_up import set_up

QUICK = frozenset({"tap", "cps", "balance", "u_turn", "mood"})
"""Tests that are computed in some milliseconds, so that many sessions are under way when something is killed."""

SETTLED_WITHIN_S = 900.0
BETWEEN_S = (0.3, 3.0)
DOWN_S = (0.0, 1.5)
CUT_S = (0.1, 2.5)


@dataclass
class Installation:
    """What runs, and what lies between."""

    environ: dict[str, str]
    parts: list[Part] = field(default_factory=list)
    killable: list[Part] = field(default_factory=list)
    proxies: list[Proxy] = field(default_factory=list)
    door: Proxy = field(init=False)
    direct: dict[str, str] = field(default_factory=dict)
    """Settings that lead past the proxies, for whoever checks."""


def environment(directory: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KONECTOM_", "AWS_"))}
    checkout = str(Path(__file__).resolve().parents[1])
    return kept | {
        "PYTHONPATH": os.pathsep.join(filter(None, (checkout, os.environ.get("PYTHONPATH")))),
        "KONECTOM_DATA_DIR": str(directory / "data"),
        "KONECTOM_MODE": "development",
        "KONECTOM_RATE_LIMITS": "off",
        "KONECTOM_PROCESSING_TRIES": "1000",  # here they end because somebody kills them
        "KONECTOM_PROCESSING_TIME_LIMIT": "30 s",
    }


def small(directory: Path, seed: int) -> Installation:
    """Return a server on SQLite and a directory."""
    made = Installation(environment(directory))
    port = free_port()
    server = server_part(made.environ, port, directory / "server.log")
    made.parts, made.killable = [server], [server]
    made.door = Proxy("phones and server", port, seed)
    made.proxies = [made.door]
    return made


def large(directory: Path, seed: int) -> Installation:
    """Return a server and two workers on PostgreSQL and an S3-compatible store."""
    environ = environment(directory)
    ports = {name: free_port() for name in ("database", "store", "server")}
    database = postgres_part(directory / "postgresql", ports["database"], environ)
    store = store_part(ports["store"], environ, directory / "store.log")
    for part, port in ((database, ports["database"]), (store, ports["store"])):
        part.start()
        wait_for_port(port)
    make_bucket(ports["store"])
    between = {
        name: Proxy(f"installation and {name}", ports[name], seed + at) for at, name in enumerate(("database", "store"))
    }
    made = Installation(environ | stores(between["database"].port, between["store"].port))
    made.direct = stores(ports["database"], ports["store"])
    server = server_part(made.environ, ports["server"], directory / "server.log")
    workers = [worker_part(number, made.environ, directory / f"worker{number}.log") for number in (1, 2)]
    made.parts = [database, store, server, *workers]
    made.killable = [database, server, *workers]
    made.door = Proxy("phones and server", ports["server"], seed + 9)
    made.proxies = [made.door, *between.values()]
    return made


def stores(database: int, store: int) -> dict[str, str]:
    return {
        "KONECTOM_DATABASE_URL": f"postgresql+psycopg://konectom@127.0.0.1:{database}/konectom",
        "KONECTOM_OBJECT_STORE_URL": "s3://konectom/uploads",
        "KONECTOM_OBJECT_STORE_ENDPOINT": f"http://127.0.0.1:{store}",
        "KONECTOM_OBJECT_STORE_REGION": "us-east-1",
        "KONECTOM_OBJECT_STORE_KEY_ID": "konectom",
        "KONECTOM_OBJECT_STORE_SECRET": "konectom-secret",
        "KONECTOM_PROCESSING": "workers",
    }


def make_bucket(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("PUT", "/konectom")
    status = connection.getresponse().status
    connection.close()
    if status != 200:
        raise RuntimeError(f"the store made no bucket: {status}")


def documents(cohort: list[Patient]) -> list[dict[str, Any]]:
    """Return sittings with quick tests."""
    quantities = tuple(each for each in QUANTITIES if each.assessment in QUICK)
    made = [
        upload(patient, visit, quantities)
        for patient in cohort[:4]
        for visit in visits(patient, quantities, start=date(2025, 1, 6), weeks=3)
    ]
    return [orjson.loads(gzip.decompress(each.body)) for each in made]


@contextmanager
def open_services(environ: Mapping[str, str]) -> Iterator[Services]:
    services = Services.open(
        load_settings({name: value for name, value in environ.items() if name.startswith("KONECTOM_")})
    )
    try:
        yield services
    finally:
        services.close()


def harass(installation: Installation, kills: int, choose: random.Random) -> None:
    """Kill and cut until so many kills are done; what was killed is started again after a while."""
    done = 0
    while done < kills:
        sleep(choose.uniform(*BETWEEN_S))
        for part in installation.parts:
            part.start_again_if_it_ended()
        if choose.random() < 0.35:
            proxy = choose.choice(installation.proxies)
            proxy.cut(choose.choice(CUTS))
            sleep(choose.uniform(*CUT_S))
            proxy.heal()
            continue
        part = choose.choice(installation.killable)
        if choose.random() < 0.4 and part.name != "PostgreSQL":
            done += part.kill_child(choose)
            continue
        part.kill()
        done += 1
        if done % 20 == 0:
            print(f"  {done} kills", file=sys.stderr, flush=True)
        sleep(choose.uniform(*DOWN_S))
        part.start()


def settle(installation: Installation, phones: list[Phone], services: Services) -> float:
    """Let everything run undisturbed until nothing is under way; return the seconds that it took."""
    began = monotonic()
    for proxy in installation.proxies:
        proxy.heal()
    for phone in phones:
        phone.stopping.set()
    while monotonic() - began < SETTLED_WITHIN_S:
        for part in installation.parts:
            part.start_again_if_it_ended()
        if not any(phone.is_alive() for phone in phones):
            with services.db.read() as db:
                waiting = db.scalar(select(func.count()).select_from(SessionRow).where(SessionRow.status == "received"))
            if not waiting:
                break
        sleep(0.5)
    for phone in phones:
        phone.hurry.set()
        phone.join()
    return monotonic() - began


def run(form: str, kills: int, count: int, seed: int, directory: Path) -> tuple[Found, dict[str, Any]]:
    """Run it all, and return what was found."""
    choose = random.Random(seed)
    cohort = simulate_cohort(count, seed=seed)
    print("simulating", file=sys.stderr)
    told = documents(cohort)
    (directory / "data").mkdir()
    installation = (small if form == "small" else large)(directory, seed)
    with ExitStack() as stack:
        for part in installation.parts:
            stack.callback(lambda part=part: part.process is not None and part.stop())
        if form == "large":
            make_database(installation.direct["KONECTOM_DATABASE_URL"])
        services = stack.enter_context(open_services(installation.environ | installation.direct))
        set_up(services)
        people = make_people(services, cohort)
        for part in installation.parts:
            part.start_again_if_it_ended()
        wait_for_port(installation.door.target)
        phones = [
            Phone(number, installation.door.port, people.staff_token, UUID(str(patient)), told, seed)
            for number, patient in enumerate(people.patient_ids.values())
        ]
        began = monotonic()
        for phone in phones:
            phone.start()
        harass(installation, kills, choose)
        harassed_s = monotonic() - began
        print("letting it settle", file=sys.stderr)
        settled_s = settle(installation, phones, services)
        sent = [each for phone in phones for each in phone.sent]
        print(f"checking {len(sent)} sessions", file=sys.stderr)
        found = check(services, sent)
        for phone in phones:
            found.faults += phone.surprises
        facts = {
            "form": form,
            "seed": seed,
            "phones": count,
            "kills": sum(part.kills for part in installation.killable),
            **{f"kills of {part.name}": part.kills for part in installation.killable},
            **{f"cuts between {proxy.name}": proxy.cuts for proxy in installation.proxies},
            "seconds of it": round(harassed_s),
            "seconds to settle": round(settled_s, 1),
            "uploads tried": sum(each.tries for each in sent),
            "sessions sent": len(sent),
        }
        for proxy in installation.proxies:
            proxy.close()
    return found, facts


def make_database(url: str) -> None:
    import psycopg

    with psycopg.connect(url.replace("+psycopg", "").rpartition("/")[0] + "/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE konectom")


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--form", choices=("small", "large"), default="small")
    words.add_argument("--kills", type=int, default=200)
    words.add_argument("--phones", type=int, default=16)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--keep", type=Path, help="a new directory in which all is left for looking at")
    asked = words.parse_args()
    with ExitStack() as stack:
        if asked.keep is not None:
            asked.keep.mkdir(parents=True)
        directory = asked.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory.chmod(0o711)  # PostgreSQL runs as another user where this is root
        found, facts = run(asked.form, asked.kills, asked.phones, asked.seed, directory.resolve())
    for what, value in (facts | found.counts).items():
        print(f"{what:>42}  {value}")
    print(f"{'faults':>42}  {len(found.faults)}")
    for each in found.faults[:30]:
        print("  FAULT", each)
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
