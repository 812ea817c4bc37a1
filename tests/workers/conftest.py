"""Installations whose sessions are computed by workers, on SQLite and on PostgreSQL, and real workers on them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from select import select as select_files
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from konectom.assessments import every_assessment
from konectom.settings import load_settings
from konectom.storage import migrate
from konectom.storage.models import RecordingRow, ResultRow, ScoreRow, SessionRow
from konectom.workflows.services import Services
from konectom.workflows.sessions.ingest import ingest_session
from tests.conftest import People
from tests.postgres import Postgres, running
from tests.probe import session_body
from tests.workers import poison

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 240
HASTE = {
    "mode": "development",
    "rate_limits": "off",
    "processing": "workers",
    "processing_tries": "2",
    "processing_sweep": "1 s",
    "worker_drain_time": "120 s",
}


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def template(server: Postgres) -> str:
    """A database that was set up once, to be copied."""
    name = server.new()
    migrate.upgrade(server.url(name))
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_url(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The address of a database that is set up and empty."""
    if kind == "sqlite":
        file = tmp_path / "konectom.sqlite3"
        migrate.upgrade(f"sqlite:///{file}")
        return f"sqlite:///{file}"
    server = request.getfixturevalue("server")
    return str(server.url(server.new(request.getfixturevalue("template"))))


@dataclass
class Ward:
    """An installation, its people and its workers."""

    services: Services
    plugins: Path
    patient: UUID
    haste: dict[str, str]
    gates: dict[str, int]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def send(self, *recordings: Any, patient: UUID | None = None) -> UUID:
        """Hand in a session; it waits."""
        session_id = uuid4()
        kept = ingest_session(
            self.services, session_id=session_id, patient_id=patient or self.patient, body=session_body(*recordings)
        )
        assert kept.receipt["status"] == "received"
        return session_id

    def command(self, *words: str, **settings: str) -> subprocess.Popen[str]:
        """Start ``konectom`` with these words."""
        told = self.haste | {"data_dir": str(self.services.settings.data_dir), "database_url": self.services.db.url}
        environ = {name: value for name, value in os.environ.items() if not name.startswith("KONECTOM_")}
        environ |= {f"KONECTOM_{name.upper()}": value for name, value in (told | settings).items()}
        environ |= {
            "PYTHONPATH": f"{ROOT}{os.pathsep}{self.plugins}",
            poison.GATES: str(self.plugins),
            "KONECTOM_LOG_FORMAT": "json",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "konectom.cli", *words], env=environ, cwd=self.plugins,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.started.append(process)
        return process

    def worker(self, *words: str, **settings: str) -> subprocess.Popen[str]:
        return self.command("worker", "--concurrency", "1", *words, **settings)

    def work(self, *words: str, **settings: str) -> str:
        """Let a worker compute all that waits; return its log."""
        process = self.worker("--until-done", *words, **settings)
        _, said = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, said
        return said

    def met(self) -> int:
        """Wait until a computation blocks, and return the number of its process."""
        ready, _, _ = select_files([self.gates["begun"]], [], [], PATIENCE_S)
        assert ready, "no computation has begun"
        return int(os.read(self.gates["begun"], 100))

    def let_go(self) -> None:
        os.write(self.gates["go"], b".")

    def row(self, session_id: UUID) -> SessionRow:
        with self.services.db.read() as db:
            return db.get_one(SessionRow, session_id)

    def recordings(self, session_id: UUID) -> list[RecordingRow]:
        with self.services.db.read() as db:
            of = select(RecordingRow).where(RecordingRow.session_id == session_id)
            return list(db.scalars(of.order_by(RecordingRow.index)))

    def statuses(self, session_id: UUID) -> list[str]:
        return [each.status for each in self.recordings(session_id)]

    def results(self) -> int:
        """How many results there are; each has as many scores as the assessment declares: one."""
        with self.services.db.read() as db:
            results, scores = list(db.scalars(select(ResultRow.id))), list(db.scalars(select(ScoreRow.value)))
        assert len(results) == len(scores)
        return len(results)

    def jobs(self) -> list[Any]:
        with self.services.db.engine.connect() as db:
            return list(db.exec_driver_sql("SELECT * FROM procrastinate_jobs ORDER BY id").mappings())


@pytest.fixture
def haste() -> dict[str, str]:
    return dict(HASTE)


@pytest.fixture
def make_ward(
    database_url: str, tmp_path: Path, key_file: Any, monkeypatch: pytest.MonkeyPatch, haste: dict[str, str]
) -> Iterator[Callable[..., Ward]]:
    wards: list[Ward] = []

    def make(**settings: str) -> Ward:
        monkeypatch.setitem(every_assessment(), "poison", poison.poison)
        shutil.copy(key_file, tmp_path / "keys.json")
        plugins = tmp_path / "plugins"
        about = plugins / "poison-1.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: poison\nVersion: 1\n")
        (about / "entry_points.txt").write_text("[konectom.assessments]\npoison = tests.workers.poison:poison\n")
        gates = {}
        for gate in ("begun", "go"):
            os.mkfifo(plugins / gate)
            gates[gate] = os.open(plugins / gate, os.O_RDWR)
        told = haste | settings
        services = Services.open(load_settings({}, data_dir=tmp_path, database_url=database_url, **told))
        wards.append(Ward(services, plugins, People(services).patient(), told, gates))
        return wards[-1]

    yield make
    for ward in wards:
        for process in ward.started:
            process.kill()
            process.communicate(timeout=PATIENCE_S)
        ward.services.close()
        for gate in ward.gates.values():
            os.close(gate)


@pytest.fixture
def ward(make_ward: Callable[..., Ward]) -> Ward:
    return make_ward()
