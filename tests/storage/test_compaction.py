"""What was deleted cannot be read from SQLite's files: overwriting alone does not suffice."""

import random
import re

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
