"""Damaged bodies without end: none may cost more than an error that says what is wrong.

    python benchmarks/fuzz.py [--bodies 100000] [--processes 2] [--seed 1]

Each body is uploaded to an application in each of the processes. Required: no answer of 500 or above, no recording on
which our computation fails, none that takes longer than two seconds of CPU, memory that stays within a bound, and
afterwards no row and no object that does not belong to a session that was accepted or to a body that was put aside. A
process that dies, or hangs, counts as a fault, with the number of the body at which it did. Exit status 1 says that
there were faults.
"""

from __future__ import annotations

import argparse
import faulthandler
import multiprocessing
import os
import random
import resource
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, process_time
from uuid import UUID

LONGEST_S = 2.0
HANGS_AFTER_S = 120
FAILED = "failed"
"""A recording was accepted, and its computation ended by an error of ours."""
MEMORY_BYTES = 900 * 1024 * 1024
"""More than the largest body that the limits allow takes once it is unpacked, beside what the libraries take."""

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "konectom"


@dataclass
class Outcome:
    """What came of many bodies."""

    answers: Counter[str] = field(default_factory=Counter)
    bases: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    longest_s: float = 0.0
    peak_mb: float = 0.0


def attack(seed: int, count: int, directory: str) -> Outcome:
    """Upload ``count`` damaged bodies to an application of this process."""
    from fuzz_bodies import bases, damaged

    faulthandler.dump_traceback_later(HANGS_AFTER_S, exit=True)
    target = Target(Path(directory) / f"{seed}")
    among = bases(SHARED if SHARED.is_dir() else None)
    choose = random.Random(seed)
    outcome = Outcome()
    note = Path(directory) / f"{seed}.at"
    for number in range(count):
        body = damaged(choose, among)
        note.write_text(f"{number} {body.base}")
        faulthandler.dump_traceback_later(HANGS_AFTER_S, exit=True)
        began = process_time()
        status, code = target.upload(UUID(int=choose.getrandbits(128), version=4), body)
        took_s = process_time() - began
        outcome.answers[f"{status} {code}"] += 1
        outcome.bases[body.base.split()[0]] += 1
        if took_s > outcome.longest_s:
            outcome.longest_s = took_s
        if status >= 500 or code == FAILED or took_s > LONGEST_S:
            kept = Path(directory) / f"fault-{seed}-{number}.bin"
            kept.write_bytes(body.data)
            outcome.faults.append(
                f"{status} {code} after {took_s:.1f} s: {kept} ({body.base}, {body.media_type}, {body.encoding})"
            )
    faulthandler.cancel_dump_traceback_later()
    outcome.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if outcome.peak_mb * 1024 * 1024 > MEMORY_BYTES:
        outcome.faults.append(f"memory rose to {outcome.peak_mb:.0f} MB")
    outcome.faults += target.left_behind()
    return outcome


class Target:
    """An application of its own, and a token for it."""

    def __init__(self, directory: Path) -> None:
        from konectom.app import create_app
        from konectom.commands._demo_data import make_people
        from konectom.settings import load_settings
        from konectom.simulate.cohort import simulate_cohort
        from konectom.workflows.services import Services
        from konectom.workflows.set_up import set_up

        told = {
            "KONECTOM_DATA_DIR": str(directory),
            "KONECTOM_MODE": "development",
            "KONECTOM_RATE_LIMITS": "off",
            "KONECTOM_LOG_FORMAT": "json",
        }
        self.services = Services.open(load_settings(told))
        set_up(self.services)
        people = make_people(self.services, simulate_cohort(1, seed=1))
        self.patient = next(iter(people.patient_ids.values()))
        self.client = create_app(services=self.services).test_client()
        self.heads = {"Authorization": f"Bearer {people.staff_token}"}
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the log tells of each

    def upload(self, session_id: UUID, body: object) -> tuple[int, str]:
        heads = dict(self.heads)
        if body.media_type is not None:  # type: ignore[attr-defined]
            heads["Content-Type"] = body.media_type  # type: ignore[attr-defined]
        if body.encoding is not None:  # type: ignore[attr-defined]
            heads["Content-Encoding"] = body.encoding  # type: ignore[attr-defined]
        path = f"/api/v1/sessions/{session_id}?patient={self.patient}"
        answer = self.client.put(path, data=body.data, headers=heads)  # type: ignore[attr-defined]
        told = answer.json
        if answer.status_code >= 300:
            return answer.status_code, str(told.get("code", ""))
        failed = any(each["status"] == "failed" for each in told["recordings"])
        return answer.status_code, FAILED if failed else str(told["status"])

    def left_behind(self) -> list[str]:
        """Return what belongs to nothing."""
        from crash_check import Found, belonging
        from sqlalchemy import select

        from konectom.storage.models import Blob

        found = Found()
        with self.services.db.read() as db:
            belonging(self.services, db, found)
            known = set(db.scalars(select(Blob.object)))
        files = {each.name for each in (self.services.settings.data_dir / "objects").rglob("*") if each.is_file()}
        found.require(files == known, f"{len(files ^ known)} files of the object store belong to nothing")
        temporary = self.services.settings.data_dir / "temporary"
        found.require(not any(temporary.iterdir()), "temporary files were left")
        return found.faults


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--bodies", type=int, default=100_000)
    words.add_argument("--processes", type=int, default=2)
    words.add_argument("--seed", type=int, default=1)
    asked = words.parse_args()
    directory = tempfile.mkdtemp(prefix="konectom-fuzz-")
    began = monotonic()
    total = Outcome()
    context = multiprocessing.get_context("spawn")
    share = -(-asked.bodies // asked.processes)
    with ProcessPoolExecutor(asked.processes, mp_context=context) as pool:
        futures = {
            asked.seed * 1000 + at: pool.submit(attack, asked.seed * 1000 + at, share, directory)
            for at in range(asked.processes)
        }
        for seed, future in futures.items():
            try:
                outcome = future.result()
            except Exception as error:
                at = (Path(directory) / f"{seed}.at").read_text()
                total.faults.append(f"seed {seed}, body {at}: the process ended: {error!r}")
                continue
            total.answers += outcome.answers
            total.bases += outcome.bases
            total.faults += outcome.faults
            total.longest_s = max(total.longest_s, outcome.longest_s)
            total.peak_mb = max(total.peak_mb, outcome.peak_mb)
    for told, count in sorted(total.answers.items(), key=lambda each: -each[1]):
        print(f"{count:>9}  {told}")
    print(f"{sum(total.answers.values())} bodies in {monotonic() - began:.0f} s, of {dict(total.bases)}")
    print(f"longest {total.longest_s:.2f} s of CPU, most memory {total.peak_mb:.0f} MB, faults {len(total.faults)}")
    for each in total.faults[:20]:
        print("  FAULT", each)
    return 1 if total.faults else 0


if __name__ == "__main__":
    sys.exit(main())
