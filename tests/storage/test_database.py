import contextlib
import multiprocessing
import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from sqlalchemy import select, text, update

from konectom.errors import MigrationNeeded, StoreUnavailable
from konectom.storage import migrate
from konectom.storage.database import Database
from konectom.storage.guard import ReadOnly
from konectom.storage.models import Blob, MeasureRow, Patient, RecordingRow, SessionRow, Study


def pragma(session, name):
    return session.execute(text(f"PRAGMA {name}")).scalar_one()


@pytest.mark.embedded
def test_how_a_connection_is_set_up(services):
    with services.db.read() as db:
        assert pragma(db, "journal_mode") == "wal"
        assert pragma(db, "synchronous") == 2  # FULL
        assert pragma(db, "foreign_keys") == 1
        assert pragma(db, "busy_timeout") == 30_000


def test_a_write_is_kept_and_a_failed_one_is_not(services, people, clock):
    def rename(study, name, fail):
        with services.db.write() as db:
            db.get(Study, study).name = name
            db.flush()
            if fail:
                raise RuntimeError

    study = people.study()
    rename(study, "kept", False)
    with pytest.raises(RuntimeError):
        rename(study, "lost", True)
    with services.db.read() as db:
        assert db.get(Study, study).name == "kept"


def test_who_asked_to_read_cannot_write(services, people):
    study = people.study()
    with services.db.read() as db:
        db.get(Study, study).name = "changed"
        with pytest.raises(ReadOnly):
            db.flush()
    with services.db.read() as db, pytest.raises(ReadOnly):
        db.execute(update(Study).values(name="changed"))
    with services.db.read() as db:
        assert db.get(Study, study).name == ""


def test_a_read_sees_one_state_while_others_write(services, people):
    study = people.study()
    with services.db.read() as reading:
        before = reading.scalars(select(Study.name)).one()
        with services.db.write() as db:
            db.get(Study, study).name = "changed"
        assert reading.scalars(select(Study.name)).one() == before
    with services.db.read() as db:
        assert db.scalars(select(Study.name)).one() == "changed"


def test_nothing_is_opened_before_it_is_needed(tmp_path):
    Database(f"sqlite:///{tmp_path}/new/konectom.sqlite3")
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_was_not_set_up_says_what_to_do(tmp_path):
    db = Database(f"sqlite:///{tmp_path}/new/konectom.sqlite3")
    with pytest.raises(MigrationNeeded, match="konectom db upgrade"), db.read() as session:
        session.scalars(select(Study)).all()
    with pytest.raises(MigrationNeeded, match="konectom db upgrade"):
        db.ping()
    db.close()
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


def test_a_column_that_is_missing_needs_a_migration_too(services):
    with services.db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE patient DROP COLUMN mass_kg"))
    with pytest.raises(MigrationNeeded, match="konectom db upgrade"), services.db.read() as db:
        db.scalars(select(Patient)).all()


def test_where_all_connections_are_in_use_it_says_so(services, monkeypatch):
    monkeypatch.setattr(services.db.engine.pool, "_timeout", 0)
    with contextlib.ExitStack() as held:
        for _ in range(8 + 24):
            held.enter_context(services.db.read()).scalars(select(Study)).all()
        with pytest.raises(StoreUnavailable, match="in use"), services.db.read() as db:
            db.scalars(select(Study)).all()


def test_a_database_that_cannot_be_opened_says_so(tmp_path):
    (tmp_path / "directory.sqlite3").mkdir()
    db = Database(f"sqlite:///{tmp_path}/directory.sqlite3")
    with pytest.raises(StoreUnavailable):
        db.ping()
    with pytest.raises(StoreUnavailable), db.read() as session:
        session.scalars(select(Study)).all()


def test_where_the_directory_cannot_be_made_it_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        Database(f"sqlite:///{tmp_path}/file/konectom.sqlite3").ping()


def test_only_the_owner_can_read_the_file(tmp_path):
    url = f"sqlite:///{tmp_path}/konectom.sqlite3"
    migrate.upgrade(url)
    db = Database(url)
    with db.write() as session:
        session.add(MeasureRow(key="a.b"))
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    db.close()


def test_whatever_is_put_as_json_can_be_kept(services, patient):
    given = {
        "nan": float("nan"),
        "array": np.arange(2.0),
        "number": np.float64(1.5),
        "keys": {1: (2,)},
        "any": Path("a"),
    }
    session_id, recording_id = uuid4(), uuid4()
    facts = {"format": "", "utc_offset_s": 0, "status": "", "started_at": datetime.now(UTC), "phone": {}}
    with services.db.write() as db:
        db.add(Blob(object="d", size_bytes=1, stored_at=datetime.now(UTC)))
        db.flush()
        db.add(
            SessionRow(
                id=session_id, patient_id=patient, digest="e", object="d", received_at=datetime.now(UTC), **facts
            )
        )
        db.flush()
        db.add(RecordingRow(id=recording_id, session_id=session_id, index=0, offset_s=0, status="", condition=given))
    with services.db.read() as db:
        row = db.get(RecordingRow, recording_id)
    assert row.condition == {"nan": None, "array": [0.0, 1.0], "number": 1.5, "keys": {"1": [2]}, "any": "a"}
    assert row.error is None


def test_ping_is_content_with_a_database_that_is_set_up(services):
    services.ping()


def _count_in_child(db, answer):
    with db.read() as session:
        answer.put((len(session.scalars(select(Study)).all()), id(db.engine)))
    db.close()


def test_a_fork_has_connections_of_its_own(services, people):
    people.study()
    parents = services.db.engine
    context = multiprocessing.get_context("fork")
    answer = context.Queue()
    with services.db.read() as session:  # a connection is in use while the process forks
        session.scalars(select(Study)).all()
        child = context.Process(target=_count_in_child, args=(services.db, answer))
        child.start()
        count, engine = answer.get(timeout=60)
        child.join(60)
        assert session.scalars(select(Study)).one()
    assert (child.exitcode, count) == (0, 1)
    assert engine != id(parents)
    assert services.db.engine is parents


def test_closed_it_opens_again(services, people):
    services.db.close()
    people.study()


@pytest.mark.embedded
def test_a_copy_of_the_file_is_the_whole_database(services, people, tmp_path):
    people.study("COPIED")
    services.close()
    shutil.copy(tmp_path / "konectom.sqlite3", tmp_path / "copy.sqlite3")
    copy = Database(f"sqlite:///{tmp_path}/copy.sqlite3")
    with copy.read() as db:
        assert db.scalars(select(Study.code)).one() == "COPIED"
    copy.close()
