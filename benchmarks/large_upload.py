"""How much memory a real server takes to accept a large session in pieces, and how long.

    python benchmarks/large_upload.py [--megabytes 512] [--chunk 64] [--at-once 1] [--markdown]

See benchmarks/README.md for what is measured.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import orjson
import pyarrow as pa

from konectom.commands._server import Server, running
from konectom.settings import load_settings
from konectom.storage.migrate import upgrade
from konectom.workflows.patients.enrolments import enrol_device
from konectom.workflows.patients.people import create_patient, create_study
from konectom.workflows.services import Services

MEBIBYTE = 1024 * 1024
RATE_HZ = 100
AXES = ("x", "y", "z")
EVERY_S = 0.02
MOST_GROWN_MB = 100.0
BYTES = "application/offset+octet-stream"
WALKS = 100
NAME, STARTED_AT = "konectom.session/1", "2026-11-20T09:12:03.250+01:00"
COMPUTED_WITHIN_S = 300.0


def main(arguments: Sequence[str]) -> int:
    """Hand over a session of the asked size; exit status 1 where the server grew too much, or the digest is another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=512)
    parser.add_argument("--chunk", type=int, default=64, help="MiB in one PATCH")
    parser.add_argument("--at-once", type=int, default=1, help="phones that hand over at the same time")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--markdown", action="store_true")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as held:
        directory = Path(held)
        file, digest = write_session(directory / "session.arrow", asked.megabytes * MEBIBYTE)
        settings = {"KONECTOM_DATA_DIR": str(directory), "KONECTOM_MODE": "development", "KONECTOM_RATE_LIMITS": "off"}
        services = Services.open(load_settings(settings))
        upgrade(services.db.url)
        services.keys.create(services.clock())
        tokens = phones(services, asked.at_once)
        services.close()
        with running(settings, 0, workers=asked.workers, log=directory / "log") as server:
            outcome = measure(server, tokens, file, digest, asked.chunk * MEBIBYTE)
    facts = {"MiB": str(asked.megabytes), "phones": str(asked.at_once), "workers": str(asked.workers)} | outcome.facts
    if asked.markdown:
        print(f"| {' | '.join(facts)} |\n| {' | '.join(['---:'] * len(facts))} |\n| {' | '.join(facts.values())} |")
    else:
        for what, value in facts.items():
            print(f"{what:>36}  {value}")
    return 0 if outcome.grown_mb < MOST_GROWN_MB * asked.at_once and outcome.agrees else 1


@dataclass
class Peaks:
    """The most memory that was seen: of one worker, and of a process that computes beside it."""

    worker_mb: float = 0.0
    beside_mb: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What was seen of the server, and by the phones."""

    before_mb: float
    accepting: Peaks
    computing: Peaks
    after_mb: float
    took_s: float
    last_s: float
    computed_s: float
    megabytes: float
    agrees: bool

    @property
    def grown_mb(self) -> float:
        return max(self.accepting.worker_mb, self.computing.worker_mb) - self.before_mb

    @property
    def facts(self) -> dict[str, str]:
        return {
            "worker before, MB": f"{self.before_mb:.0f}",
            "peak while it came, MB": f"{self.accepting.worker_mb:.0f}",
            "peak while it was computed, MB": f"{self.computing.worker_mb:.0f}",
            "grown at most, MB": f"{self.grown_mb:.0f}",
            "afterwards, MB": f"{self.after_mb:.0f}",
            "peak of the process beside, MB": f"{self.computing.beside_mb:.0f}",
            "came in, s": f"{self.took_s:.1f}",
            "MB a second": f"{self.megabytes / self.took_s:.0f}",
            "last PATCH answered after, s": f"{self.last_s:.1f}",
            "computed after, s": f"{self.computed_s:.0f}",
            "digest": "agrees" if self.agrees else "DIFFERS",
        }


def phones(services: Services, count: int) -> list[str]:
    """Return the tokens of phones of as many patients."""
    study = UUID(create_study(services, code="large", consent="elsewhere")["id"])
    patients = [UUID(create_patient(services, study_id=study, code=f"P{number}")["id"]) for number in range(count)]
    return [enrol_device(services, patient_id=patient).access_token for patient in patients]


def measure(server: Server, tokens: Sequence[str], file: Path, digest: str, chunk: int) -> Outcome:
    """Hand the file over for each phone, and look at the server's processes meanwhile."""
    warm_up(server, tokens[0])
    before = max(map(resident_mb, children(server.process.pid)))
    began = perf_counter()
    with watched(server) as accepting, ThreadPoolExecutor(len(tokens)) as pool:
        handed = list(pool.map(lambda token: hand_over(server, token, file, chunk), tokens))
    took_s = perf_counter() - began
    began = perf_counter()
    with watched(server) as computing:
        receipts = [computed(server, token, session) for token, (session, _) in zip(tokens, handed, strict=True)]
    after = max(map(resident_mb, children(server.process.pid)))
    agrees = all(receipt["digest"] == f"sha256:{digest}" for receipt in receipts)
    megabytes = len(tokens) * file.stat().st_size / 1e6
    last_s = max(last for _, last in handed)
    return Outcome(
        before, accepting, computing, after, took_s, last_s, perf_counter() - began, megabytes, agrees
    )  # fmt: skip


def warm_up(server: Server, token: str) -> None:
    """Have every worker import what it needs: small sessions in pieces, and read again."""
    recording = {"assessment": "balance", "duration_s": 30.0, "streams": {}}
    body = orjson.dumps({"schema": NAME, "started_at": STARTED_AT, "recordings": [recording]})
    for _ in range(40):
        headers = begun(len(body), str(uuid4())) | {"Content-Type": BYTES}
        ask(server, token, "POST", "/api/v1/uploads", headers, body)


def hand_over(server: Server, token: str, file: Path, chunk: int) -> tuple[str, float]:
    """Return the session's id, and how long the last request took."""
    session, size = str(uuid4()), file.stat().st_size
    status, told, answer = ask(server, token, "POST", "/api/v1/uploads", begun(size, session))
    if status != 201:
        raise RuntimeError(f"{status} {answer!r}")
    address = told["Location"]
    with file.open("rb") as source:
        for offset in range(0, size, chunk):
            source.seek(offset)
            headers = {"Content-Type": BYTES, "Upload-Offset": str(offset)}
            began = perf_counter()
            status, told, answer = ask(server, token, "PATCH", address, headers, source.read(chunk))
            if status != 204:
                raise RuntimeError(f"{status} {answer!r}")
    if told["Konectom-Status"] != "stored":
        raise RuntimeError(f"it is {told['Konectom-Status']}")
    return session, perf_counter() - began


def computed(server: Server, token: str, session: str) -> dict[str, Any]:
    """Wait until a session is computed and return its receipt."""
    until = monotonic() + COMPUTED_WITHIN_S
    while True:
        _, _, answer = ask(server, token, "GET", f"/api/v1/sessions/{session}", {})
        receipt: dict[str, Any] = orjson.loads(answer)
        if receipt["status"] != "received" or monotonic() > until:
            return receipt
        sleep(1)


def begun(length: int, session: str) -> dict[str, str]:
    coded = base64.b64encode(session.encode()).decode()
    return {"Upload-Length": str(length), "Upload-Metadata": f"session {coded}"}


def ask(
    server: Server, token: str, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    try:
        said = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
        connection.request(method, path, body, said | headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@contextmanager
def watched(server: Server) -> Iterator[Peaks]:
    """Look at the memory of the server's processes, again and again."""
    peaks, over = Peaks(), threading.Event()

    def look() -> None:
        while not over.wait(EVERY_S):
            workers = children(server.process.pid)
            peaks.worker_mb = max([peaks.worker_mb, *map(resident_mb, workers)])
            beside = [child for worker in workers for child in children(worker)]
            peaks.beside_mb = max([peaks.beside_mb, *map(resident_mb, beside)])

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()


def children(process: int) -> list[int]:
    """Return the processes that threads of a process have started and that are there."""
    found = []
    with suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def resident_mb(process: int) -> float:
    """Return how much memory a process holds, in MB; 0 of one that has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def write_session(place: Path, size: int) -> tuple[Path, str]:
    """Write a session of about this size: walks of equal length with three sensors; return its digest too."""
    rows = (size - MEBIBYTE) // (WALKS * 3 * len(AXES) * 8)
    streams = {"accelerometer": "m/s2", "gyroscope": "rad/s", "magnetometer": "uT"}
    recordings = [
        {
            "assessment": "walk",
            "condition": {"placement": "belt"},
            "duration_s": rows / RATE_HZ,
            "streams": {name: {"unit": unit, "rate_hz": RATE_HZ} for name, unit in streams.items()},
        }
        for _ in range(WALKS)
    ]
    document = {
        "schema": NAME,
        "started_at": STARTED_AT,
        "device": {"platform": "ios", "model": "iPhone15,2", "os": "19.1", "app": "1.4.2"},
        "recordings": recordings,
    }
    lists = pa.list_(pa.float64())
    places = [("recording", pa.int64()), ("part", pa.int64()), ("stream", pa.string())]
    schema = pa.schema([*places, *((axis, lists) for axis in AXES)], {"konectom.session": orjson.dumps(document)})
    chance = np.random.default_rng(20261122)
    with pa.OSFile(str(place), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for index in range(WALKS):
            ends = pa.array(np.arange(4) * rows, pa.int32())
            columns = [pa.ListArray.from_arrays(ends, pa.array(chance.normal(0, 1, 3 * rows))) for _ in AXES]
            named = [pa.array([index] * 3, pa.int64()), pa.array([None] * 3, pa.int64()), pa.array(list(streams))]
            writer.write_batch(pa.record_batch([*named, *columns], schema=schema))
    with place.open("rb") as file:
        return place, hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
