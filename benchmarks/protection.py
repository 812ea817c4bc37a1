"""What protection adds to an upload: who asks, what he may, how often, what is sealed and what is written in the audit.

    python benchmarks/protection.py [--uploads 80] [--cpu] [--markdown] [DIRECTORY]

Sessions of real size are handed to the application in this process, once with the data in memory and once in DIRECTORY
(default: where temporary files are). See benchmarks/README.md for what is measured.
"""

from __future__ import annotations

import argparse
import functools
import inspect
import logging
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time
from typing import Any
from uuid import UUID

from konectom.simulate.cohort import QUANTITIES, simulate_cohort
from konectom.simulate.patients import visits
from konectom.simulate.sessions import Upload, upload

WARM_UP = 8
TARGET_MS = 1.0
"""Most that tokens, permissions and rates together may add at the median."""

MEMORY = Path("/dev/shm")
CHECKS = ("authentication", "permission", "rate limit")

PARTS: dict[str, tuple[str, ...]] = {
    "authentication": ("konectom.api.access:authenticate",),
    "permission": (
        "konectom.security.principal:Principal.reach",
        "konectom.api.access:_check_address",
        "konectom.api.sessions:uploader",
    ),
    "rate limit": (
        "flask_limiter:Limiter._check_request_limit",
        "flask_limiter:Limiter._Limiter__inject_headers",
        "konectom.api.limits:_Counter.count_refused",
    ),
    "consent": ("konectom.workflows.consent.collecting:_read", "konectom.workflows.consent.collecting:Agreed.require"),
    "sealing": ("konectom.workflows.sessions.ingest:patient_key", "konectom.workflows.sessions.ingest:sealed_upload"),
    "audit": (
        "konectom.storage.audit_trail:Trail.keep",
        "konectom.storage.audit:_tell",
        "konectom.storage.audit:_before",
        "konectom.api.noting:_begin",
        "konectom.api.noting:_end",
    ),
}
"""The functions in which each part of the protection is done."""


@dataclass
class Stopwatch:
    """Adds up the time in each part: its own, without that of other parts that it calls."""

    clock: Callable[[], float] = perf_counter
    spent_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    running: list[list[float]] = field(default_factory=list)

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def measured(*arguments: Any, **named: Any) -> Any:
            inner = [0.0]
            self.running.append(inner)
            began = self.clock()
            try:
                return function(*arguments, **named)
            finally:
                took_s = self.clock() - began
                self.running.pop()
                self.spent_s[part] += took_s - inner[0]
                if self.running:
                    self.running[-1][0] += took_s

        return measured


@contextmanager
def watched(watch: Stopwatch) -> Iterator[list[str]]:
    """Let ``watch`` measure the parts; yields the functions that are not there. All is as before at the end."""
    replaced, absent = [], []
    for part, places in PARTS.items():
        for place in places:
            module, _, path = place.partition(":")
            *holders, name = path.split(".")
            try:
                holder: Any = functools.reduce(getattr, holders, import_module(module))
                function = inspect.getattr_static(holder, name)
            except (ImportError, AttributeError):
                absent.append(place)
                continue
            replaced.append((holder, name, function))
            setattr(holder, name, watch.timed(part, function))
    try:
        yield absent
    finally:
        for holder, name, function in replaced:
            setattr(holder, name, function)


@dataclass(frozen=True)
class Shares:
    """Median milliseconds of an upload, and of each part of it."""

    upload_ms: float
    parts_ms: dict[str, float]
    absent: list[str]

    @property
    def checks_ms(self) -> float:
        return sum(self.parts_ms[part] for part in CHECKS)


def prepared(count: int) -> list[Upload]:
    """Return different sessions of one patient, made beforehand."""
    patient = simulate_cohort(1, seed=1)[0]
    return [
        upload(patient, visit, QUANTITIES) for visit in visits(patient, QUANTITIES, start=date(2020, 1, 6), weeks=count)
    ][:count]


def measure(directory: Path, uploads: list[Upload], clock: Callable[[], float]) -> Shares:
    """Return what each part costs on an installation in ``directory``."""
    from konectom.app import create_app

    watch = Stopwatch(clock)
    with watched(watch) as absent, installation(directory) as services:
        client, token = create_app(services=services).test_client(), phone_of(services)
        logging.disable(logging.CRITICAL)
        whole_ms, parts_ms = [], defaultdict(list)
        for each in uploads:
            watch.spent_s.clear()
            began = clock()
            answer = client.put(
                f"/api/v1/sessions/{each.session_id}",
                data=each.body,
                headers={
                    "Authorization": f"Bearer {token}",
                    "Content-Type": "application/json",
                    "Content-Encoding": "gzip",
                },
            )
            whole_ms.append(1e3 * (clock() - began))
            if answer.status_code != 201:
                raise RuntimeError(f"{answer.status_code} {answer.text}")
            for part in PARTS:
                parts_ms[part].append(1e3 * watch.spent_s[part])
    told = {part: median(parts_ms[part][WARM_UP:]) for part in PARTS}
    return Shares(median(whole_ms[WARM_UP:]), told, absent)


@contextmanager
def installation(directory: Path) -> Iterator[Any]:
    """Yield the services of a new installation whose log says nothing."""
    from konectom import logs
    from konectom.settings import load_settings
    from konectom.storage import migrate
    from konectom.workflows.services import Services

    rate = "1_000_000/minute"
    services = Services.open(load_settings({}, mode="development", data_dir=directory, rate_limit_device=rate))
    usual = logs.configure
    logs.configure = lambda *_, **__: usual("json", level=logging.CRITICAL)
    try:
        try:
            from konectom.workflows.set_up import set_up  # with keys, where there are keys
        except ImportError:
            migrate.upgrade(services.settings.database_url)
        else:
            set_up(services)
        yield services
    finally:
        logs.configure = usual
        services.close()


def phone_of(services: Any) -> str:
    """Return the token of a new patient's phone, in a study that keeps consent on paper."""
    from konectom.workflows.patients.enrolments import enrol_device
    from konectom.workflows.patients.people import create_patient, create_study

    about = {"consent": "elsewhere"} if "consent" in inspect.signature(create_study).parameters else {}
    study = create_study(services, code="B", **about)
    patient = create_patient(services, study_id=UUID(study["id"]), code="B-1")
    return enrol_device(services, patient_id=UUID(patient["id"])).access_token


def password_ms() -> float | None:
    """Return what it costs to check a password, None where there are none."""
    try:
        passwords = import_module("konectom.security.passwords").Passwords()
        kept = passwords.hash("correct horse battery staple")
    except (ImportError, AttributeError):
        return None
    times = []
    for _ in range(5):
        began = perf_counter()
        passwords.verify(kept, "correct horse battery staple")
        times.append(1e3 * (perf_counter() - began))
    return median(times)


def table(measured: dict[str, Shares], *, markdown: bool) -> str:
    heads = ["part", *(f"{place}, ms" for place in measured), *(f"{place}, share" for place in measured)]
    shares = list(measured.values())
    rows = [
        [part, *(f"{each.parts_ms[part]:.3f}" for each in shares),
         *(f"{each.parts_ms[part] / each.upload_ms:.1%}" for each in shares)]
        for part in PARTS
    ]  # fmt: skip
    rows.append(["checks together", *(f"{each.checks_ms:.3f}" for each in shares),
                 *(f"{each.checks_ms / each.upload_ms:.1%}" for each in shares)])  # fmt: skip
    rows.append(["whole upload", *(f"{each.upload_ms:.1f}" for each in shares), *("100 %" for _ in shares)])
    if markdown:
        lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n".join("  ".join(f"{cell:>16}" for cell in line) for line in [heads, *rows])


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("directory", nargs="?", type=Path, help="where the data lie; default: temporary files")
    words.add_argument("--uploads", type=int, default=80)
    words.add_argument("--cpu", action="store_true", help="CPU time in place of time: firmer where others are at work")
    words.add_argument("--markdown", action="store_true", help="print the table as markdown")
    asked = words.parse_args()
    print(f"simulating {asked.uploads} sessions", file=sys.stderr)
    uploads = prepared(asked.uploads + WARM_UP)
    places = {"memory": MEMORY} if MEMORY.is_dir() else {}
    measured = {}
    for name, place in (places | {"disk": asked.directory}).items():
        with tempfile.TemporaryDirectory(dir=place) as directory:
            measured[name] = measure(Path(directory), uploads, thread_time if asked.cpu else perf_counter)
    size_kb = median(len(each.body) for each in uploads) / 1e3
    print(table(measured, markdown=asked.markdown))
    login = password_ms()
    print(f"\n{len(uploads) - WARM_UP} uploads of {size_kb:.0f} kB, compressed; medians.")
    print("a login: there are no passwords here" if login is None else f"a login, its password alone: {login:.0f} ms")
    for place in next(iter(measured.values())).absent:
        print(f"not measured, since it is not there: {place}")
    missed = [name for name, each in measured.items() if each.checks_ms >= TARGET_MS]
    print(f"checks below {TARGET_MS:.0f} ms: {'missed in ' + ', '.join(missed) if missed else 'met'}")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
