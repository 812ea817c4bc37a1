"""A campaign over many recordings that is killed, paused and gone on with at random, and what it has written then.

Many small recordings are stored as computed by version 1 of a test assessment; then version 2 is installed. A dry run
is made, and a run that is ended again and again: by SIGKILL, by Ctrl-C, and by ``konectom reprocess pause``. In the end
every recording must have one result of each version, and that of version 2 must equal, bit by bit, what is computed
directly from what the recording was made of.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import numpy as np
import orjson

ROOT = Path(__file__).resolve().parents[1]
NAMESPACE = UUID("6d1c4a52-7f3e-4a86-9c0d-2f6b1b7f1c11")
VERSION = "CAMPAIGN_BENCHMARK_VERSION"
MODULE = "konectom_benchmark_steps"
ASSESSMENT = f'''"""A test assessment whose version stands in the environment."""
import os

import numpy as np

from konectom.assessments.base import Measure, assessment, motion

VERSION = int(os.environ["{VERSION}"])
MEASURES = (
    Measure("level", "m/s2", "Magnitude.", statistics=("mean", "sd", "median", "min", "max"), score=("mean", "sd")),
    Measure("samples", "1", "Number of samples.", score=True),
)


@assessment("steps_of_benchmark", version=VERSION, title="Steps", domain="none",
            inputs=(motion("accelerometer", "m/s2"),), measures=MEASURES, quality=())
def extract(recording, out):
    """Magnitude of the acceleration; from version 2 on without its mean."""
    for part in recording.parts:
        size = np.linalg.norm(part.streams["accelerometer"].matrix(), axis=1)
        out("level", size if VERSION == 1 else np.abs(size - size.mean()))
        out("samples", size.size)
'''


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--recordings", type=int, default=2000)
    words.add_argument("--each", type=int, default=10, help="recordings in a session")
    words.add_argument("--patients", type=int, default=50)
    words.add_argument("--jobs", type=int, default=2)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--shortest", type=float, default=2.0, help="seconds before it is ended")
    words.add_argument("--longest", type=float, default=12.0)
    asked = words.parse_args()
    with tempfile.TemporaryDirectory() as held:
        directory = Path(held)
        prepare(directory)
        told(f"storing {asked.recordings} recordings")
        began = time.monotonic()
        subprocess.run(
            [sys.executable, __file__, "store", *map(str, (asked.recordings, asked.each, asked.patients))], check=True
        )
        told(f"stored in {time.monotonic() - began:.0f} s")
        os.environ[VERSION] = "2"
        campaign = konectom("plan", "--format", "json")["id"]
        dry_run(campaign, asked)
        ended(campaign, asked, random.Random(asked.seed))
        subprocess.run([sys.executable, __file__, "verify", *map(str, (asked.recordings, asked.each))], check=True)


def prepare(directory: Path) -> None:
    """Install the assessment where every process finds it, and an empty installation."""
    (directory / f"{MODULE}.py").write_text(ASSESSMENT)
    about = directory / f"{MODULE}-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {MODULE}\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[konectom.assessments]\nsteps = {MODULE}:extract\n")
    os.environ |= {
        "PYTHONPATH": os.pathsep.join((str(directory), str(ROOT))),
        "KONECTOM_DATA_DIR": str(directory / "data"),
        "KONECTOM_MODE": "development",
        "OPENBLAS_NUM_THREADS": "1",
        VERSION: "1",
    }
    subprocess.run([sys.executable, "-m", "konectom.cli", "db", "upgrade"], check=True, stdout=subprocess.DEVNULL)


def konectom(*words: str) -> Any:
    command = [sys.executable, "-m", "konectom.cli", "reprocess", *words]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def dry_run(campaign: str, asked: Any) -> None:
    began = time.monotonic()
    cpu_before_s = cpu_s()
    command = [sys.executable, "-m", "konectom.cli", "reprocess", "dry-run", campaign, "--jobs", str(asked.jobs)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    took_s = time.monotonic() - began
    report = konectom("show", campaign, "--format", "json")["report"]["assessments"]
    assert [each["results"] for each in report] == [asked.recordings], report
    used_s = cpu_s() - cpu_before_s
    told(f"dry run: {took_s:.1f} s, {asked.recordings / took_s:.0f} recordings/s, {used_s:.1f} s of CPU")


def ended(campaign: str, asked: Any, dice: random.Random) -> None:
    """Run the campaign and end it at random until it is done."""
    ends = {"killed": 0, "interrupted": 0, "paused": 0}
    working_s, what = 0.0, "run"
    while True:
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "konectom.cli", "reprocess", what, campaign, "--jobs", str(asked.jobs)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            _, said = process.communicate(timeout=dice.uniform(asked.shortest, asked.longest))
        except subprocess.TimeoutExpired:
            end = dice.choice(("killed", "killed", "interrupted", "paused"))
            ends[end] += 1
            if end == "killed":
                process.kill()
            elif end == "interrupted":
                os.killpg(process.pid, signal.SIGINT)
            else:
                words = [sys.executable, "-m", "konectom.cli", "reprocess", "pause", campaign]
                subprocess.run(words, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, said = process.communicate()
        working_s += time.monotonic() - began
        state = konectom("show", campaign, "--format", "json")
        if state["state"] == "done":
            break
        assert state["state"] in ("ready", "running", "paused"), (state["state"], said.decode())
        what = "resume" if state["state"] == "paused" else "run"
        told(f"{sum(ends.values())}: {state['state']} after {state['counts'].get('sessions', 0)}")
    sessions = -(-asked.recordings // asked.each)
    assert state["counts"] == {"results": asked.recordings, "sessions": sessions}, state["counts"]
    told(f"run: {working_s:.0f} s in all, {asked.recordings / working_s:.0f} recordings/s, ended {ends}")


def cpu_s() -> float:
    """Return what all processes that have ended took: of those that were killed, without what their workers took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def pushes(number: int) -> dict[str, list[float]]:
    values = np.random.default_rng(number).normal(0, 3, (3, 40)).round(4)
    return dict(zip("xyz", values.tolist(), strict=True))


def body(numbers: range) -> bytes:
    """Return the upload that holds the recordings of these numbers."""
    at = datetime(2026, 1, 1, 9, tzinfo=UTC) + timedelta(minutes=numbers.start)
    recordings = [
        {
            "assessment": "steps_of_benchmark",
            "condition": {},
            "offset_s": 4.0 * index,
            "streams": {"accelerometer": {"unit": "m/s2", "rate_hz": 20, **pushes(number)}},
        }
        for index, number in enumerate(numbers)
    ]
    device = {"platform": "ios", "model": "iPhone15,2", "os": "19.1", "app": "1.4.2"}
    return orjson.dumps(
        {"schema": "konectom.session/1", "started_at": at.isoformat(), "device": device, "recordings": recordings}
    )


def sittings(recordings: int, each: int) -> list[range]:
    """Return the numbers of the recordings in each session."""
    return [range(first, min(first + each, recordings)) for first in range(0, recordings, each)]


def store(recordings: int, each: int, patients: int) -> None:
    """Store recordings as uploads do."""
    from konectom.settings import load_settings
    from konectom.workflows.patients.people import create_patient, create_study
    from konectom.workflows.services import Services
    from konectom.workflows.sessions.ingest import ingest_session

    services = Services.open(load_settings())
    study = UUID(create_study(services, code="MANY", consent="elsewhere")["id"])
    people = [UUID(create_patient(services, study_id=study, code=f"P{number}")["id"]) for number in range(patients)]
    for index, numbers in enumerate(sittings(recordings, each)):
        patient = people[index % patients]
        ingest_session(services, session_id=session_id(numbers), patient_id=patient, body=body(numbers))
    services.close()


def session_id(numbers: range) -> UUID:
    return uuid5(NAMESPACE, str(numbers.start))


def verify(recordings: int, each: int) -> None:
    """Hold everything that is stored against what is computed directly."""
    from sqlalchemy import func, select

    from konectom import formats
    from konectom.settings import load_settings
    from konectom.storage.models import RecordingRow, ResultRow, ScoreRow
    from konectom.workflows.services import Services
    from konectom.workflows.sessions.process import extract_session

    services = Services.open(load_settings())
    with services.db.read(within=timedelta(hours=1)) as db:
        results, scores = (db.scalar(select(func.count()).select_from(table)) for table in (ResultRow, ScoreRow))
        stored = dict(_vectors(db, RecordingRow, ResultRow))
    assert results == 2 * recordings, results
    assert scores == 2 * 3 * recordings, scores
    assert len(stored) == recordings
    for numbers in sittings(recordings, each):
        for index, found in enumerate(extract_session(formats.read(body(numbers)))):
            assert found.result.catalogue.version == 2
            assert stored[session_id(numbers), index] == found.result.features.tobytes(), numbers
    told(
        f"verified: {recordings} recordings, {results} results, {scores} scores; all of version 2 as computed directly"
    )
    services.close()


def _vectors(db: Any, recording: Any, result: Any) -> Iterator[tuple[tuple[UUID, int], bytes]]:
    from sqlalchemy import select

    from konectom.storage.models import CatalogueRow

    asked = (
        select(recording.session_id, recording.index, result.features)
        .join(result, result.recording_id == recording.id)
        .join(CatalogueRow, CatalogueRow.id == result.catalogue_id)
        .where(CatalogueRow.version == 2)
        .execution_options(yield_per=1000)
    )
    for session, index, features in db.execute(asked):
        yield (session, index), features.tobytes()


def told(said: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {said}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["store"]:
        store(*map(int, sys.argv[2:5]))
    elif sys.argv[1:2] == ["verify"]:
        verify(*map(int, sys.argv[2:4]))
    else:
        main()
