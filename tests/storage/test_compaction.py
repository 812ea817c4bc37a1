"""What was deleted cannot be read from SQLite's files: overwriting alone does not suffice."""

import os
import random
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from konectom.storage.compaction import compact
from konectom.storage.database import WRITES, open_engine


@pytest.fixture
def file(tmp_path):
    return tmp_path / "some.sqlite3"


@pytest.fixture
def engine(file):
    """A database from which all that tells of SECRET was deleted after much moving about."""
    engine = open_engine(f"sqlite:///{file}")
    draw = random.Random(1)
    with engine.execution_options(**{WRITES: True}).begin() as db:
        db.exec_driver_sql("CREATE TABLE note (id TEXT PRIMARY KEY, whose INTEGER, said TEXT, other TEXT)")
        db.exec_driver_sql("CREATE INDEX by_whose ON note (whose, other)")
    for turn in range(60):
        with engine.execution_options(**{WRITES: True}).begin() as db:
            for _ in range(60):
                whose = draw.randrange(4)
                said = ("SECRET" if whose == 3 else "PUBLIC") * draw.choice([1, 5, 20, 300])
                other = said[: draw.randrange(90)]
                row = {"id": f"{draw.getrandbits(64):x}", "whose": whose, "said": said, "other": other}
                db.execute(text("INSERT INTO note VALUES (:id, :whose, :said, :other)"), row)
            db.execute(text("UPDATE note SET said = said || other WHERE rowid % 9 = :turn"), {"turn": turn % 9})
    with engine.execution_options(**{WRITES: True}).begin() as db:
        db.exec_driver_sql("DELETE FROM note WHERE whose = 3")
    yield engine
    engine.dispose()


def traces(file):
    beside = [file.with_name(f"{file.name}{suffix}") for suffix in ("", "-wal", "-shm")]
    return sum(len(re.findall(b"SECRET", each.read_bytes())) for each in beside if each.exists())


def test_nothing_is_left(engine, file):
    assert traces(file) > 0
    assert compact(str(engine.url), [])
    assert traces(file) == 0
    with engine.connect() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM note WHERE said LIKE 'PUBLIC%'").scalar() > 1000
        assert db.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_whoever_still_reads_an_older_state_is_told_of(engine, file, monkeypatch):
    monkeypatch.setattr("konectom.storage.compaction.CHECKPOINT_WAITS_MS", 1)
    with engine.connect() as reader:
        before = reader.exec_driver_sql("SELECT count(*) FROM note").scalar()
        assert not compact(str(engine.url), [])
        assert reader.exec_driver_sql("SELECT count(*) FROM note").scalar() == before
    assert traces(file) > 0
    assert compact(str(engine.url), [])
    assert traces(file) == 0


def test_what_is_deleted_is_overwritten(engine):
    with engine.connect() as db:
        assert db.exec_driver_sql("PRAGMA secure_delete").scalar() == 1


SPILLING = """
import os, sys
from pathlib import Path
from konectom.settings import load_settings
from konectom.workflows.services import Services
services = Services.open(load_settings({}, mode="development", data_dir=Path(sys.argv[1])))
with services.db.engine.connect() as db:
    db.exec_driver_sql("CREATE TEMP TABLE much (a BLOB)")
    db.exec_driver_sql("INSERT INTO much SELECT randomblob(100000) FROM "
        "(WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 200) SELECT i FROM c)")
    for each in Path("/proc/self/fd").iterdir():
        if "etilqs" in str(each.resolve()):
            print(each.resolve())
"""


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not tell which files are open")
def test_temporary_files_lie_where_only_the_owner_reads(tmp_path):
    data = tmp_path / "data"
    environ = {name: value for name, value in os.environ.items() if name not in ("SQLITE_TMPDIR", "TMPDIR")}
    told = subprocess.run(
        [sys.executable, "-c", SPILLING, str(data)], env=environ, check=True, capture_output=True, text=True
    )
    files = told.stdout.splitlines()
    assert files
    assert all(name.startswith(str(data / "temporary")) for name in files)
    assert stat.S_IMODE((data / "temporary").stat().st_mode) == 0o700
