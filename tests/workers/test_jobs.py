"""Jobs on PostgreSQL: there with the session's row or not at all, holding its id and nothing else, gone with both."""

import logging
from uuid import uuid4

import pytest
from alembic import command
from sqlalchemy import inspect, text

from konectom.errors import MigrationNeeded
from konectom.storage import jobs, migrate
from konectom.storage.compaction import compact
from konectom.workflows.erasing.erasure import erase_patient
from konectom.workflows.sessions import keep
from konectom.workflows.sessions.compute import compute_session
from konectom.workflows.sessions.left_behind import sweep_sessions
from tests.workers.poison import recording


@pytest.fixture
def kind():
    return "postgresql"


def names(ward):
    engine = ward.services.db.engine
    found = set(inspect(engine).get_table_names())
    with engine.connect() as db:
        found |= set(db.scalars(text("SELECT proname FROM pg_proc WHERE proname LIKE 'procrastinate%'")))
        found |= set(db.scalars(text("SELECT typname FROM pg_type WHERE typname LIKE 'procrastinate%'")))
    return {name for name in found if name.startswith("procrastinate")}


def test_a_job_comes_with_the_session_and_holds_its_id_alone(ward):
    session = ward.send(recording())
    (job,) = ward.jobs()
    assert (job["args"], job["queueing_lock"], job["queue_name"], job["task_name"]) == (
        {"session": str(session)}, str(session), "sessions", "compute",
    )  # fmt: skip
    assert (job["status"], job["lock"], job["scheduled_at"]) == ("todo", None, None)


def test_without_the_session_there_is_no_job(ward, monkeypatch):
    defer = jobs.defer

    def fails_later(db, session_id):
        defer(db, session_id)
        db.flush()
        raise ZeroDivisionError

    monkeypatch.setattr(keep.jobs, "defer", fails_later)
    with pytest.raises(ZeroDivisionError):
        ward.send(recording())
    assert ward.jobs() == []


def test_the_same_session_sent_again_has_one_job(ward):
    session = ward.send(recording())
    with ward.services.db.write() as db:
        jobs.defer(db, session)
    assert len(ward.jobs()) == 1
    assert sweep_sessions(ward.services) == 0


def test_who_computes_without_a_job_removes_it(ward):
    compute_session(ward.services, ward.send(recording()))
    assert ward.jobs() == []


@pytest.mark.parametrize("status", ["todo", "doing"])
def test_of_an_erased_patient_no_job_knows(ward, status):
    session, engine = ward.send(recording()), ward.services.db.engine
    with engine.begin() as db:
        set_to = text("UPDATE procrastinate_jobs SET status = CAST(:status AS procrastinate_job_status)")
        db.execute(set_to, {"status": status})
    erase_patient(ward.services, ward.patient, reason="asked_by_patient")
    tables = ("jobs", "events", "workers", "periodic_defers")
    with engine.connect() as db:
        rows = [repr(db.execute(text(f"SELECT * FROM procrastinate_{table}")).all()) for table in tables]
    assert not [row for row in rows if str(session) in row or str(ward.patient) in row]
    assert len(ward.jobs()) == (status == "doing")
    ward.services.db.close()


def test_an_erasure_frees_the_room_of_jobs(ward, monkeypatch):
    compacted = []
    monkeypatch.setattr(
        "konectom.workflows.erasing.erasure.compact",
        lambda url, tables: compacted.extend(tables) or compact(url, tables),
    )
    session = ward.send(recording())
    erase_patient(ward.services, ward.patient, reason="asked_by_patient")
    assert {"procrastinate_jobs", "procrastinate_events"} <= {table.name for table in compacted}
    # Whatever page still holds the bytes, no row and no entry of an index leads there any more.
    with ward.services.db.engine.connect() as db:
        db.exec_driver_sql("SET enable_seqscan = off")
        found = text("SELECT count(*) FROM procrastinate_jobs WHERE queueing_lock = :session")
        assert db.scalar(found, {"session": str(session)}) == 0


def test_a_job_whose_worker_is_dead_is_told_again(ward):
    session = ward.send(recording())
    with ward.services.db.engine.begin() as db:
        db.execute(text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')"))
        db.execute(text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = 1"))
    assert sweep_sessions(ward.services) == 2  # taken from the dead, and told again
    (job,) = ward.jobs()
    assert (job["status"], job["queueing_lock"]) == ("todo", str(session))
    assert sweep_sessions(ward.services) == 0


def test_a_job_that_a_vanished_host_still_holds_keeps_nobody_from_the_others(ward):
    held, other = ward.send(recording()), ward.send(recording())
    engine = ward.services.db.engine
    with engine.begin() as db:
        db.execute(text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')"))
        db.execute(text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = 1"))
    with engine.connect() as vanished:
        vanished.execute(
            text("SELECT id FROM procrastinate_jobs WHERE queueing_lock = :lock FOR UPDATE"), {"lock": str(held)}
        )
        with ward.services.db.write() as db:
            assert jobs.take_stalled(db) == [other]
    with ward.services.db.write() as db:
        assert jobs.take_stalled(db) == [held]


def test_a_job_whose_worker_lives_is_left_alone(ward):
    ward.send(recording())
    with ward.services.db.engine.begin() as db:
        db.execute(text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())"))
        db.execute(text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = 1"))
    assert sweep_sessions(ward.services) == 0
    assert [job["status"] for job in ward.jobs()] == ["doing"]


def test_one_at_a_time_looks_for_what_was_left(ward):
    ward.send(recording())
    with ward.services.db.engine.begin() as db:
        db.execute(text("DELETE FROM procrastinate_jobs"))
    with ward.services.db.write() as db:
        assert jobs.alone(db)
        assert sweep_sessions(ward.services) == 0
    assert sweep_sessions(ward.services) == 1


def test_the_library_of_the_queue_tells_no_ids():
    from konectom.workers.queue import _mute

    _mute()
    logger = logging.getLogger("procrastinate.worker")
    told = []
    logging.getLogger("procrastinate").handlers[0].emit = told.append
    session = str(uuid4())
    logger.info("Starting job compute[1](session=%r)", session)
    assert told == []
    logger.error("Job compute[1](session=%r) ended", session, extra={"action": "job_error"})
    assert len(told) == 1


def test_the_tables_of_jobs_are_checked(ward):
    url = ward.services.db.url
    migrate.check(url)
    assert migrate.differences(url) == []
    with ward.services.db.engine.begin() as db:
        db.exec_driver_sql("DROP FUNCTION procrastinate_defer_jobs_v1 CASCADE")
    with pytest.raises(MigrationNeeded, match="another version of Procrastinate"):
        migrate.check(url)
    with ward.services.db.engine.begin() as db:
        db.exec_driver_sql("DROP TABLE procrastinate_jobs CASCADE")
    with pytest.raises(MigrationNeeded, match="are missing"):
        migrate.check(url)


def test_they_go_with_the_schema_and_come_again(ward):
    url, there = ward.services.db.url, names(ward)
    assert {"procrastinate_jobs", "procrastinate_workers", "procrastinate_defer_jobs_v1"} <= there
    ward.services.db.close()
    with migrate._connection(url) as connection:
        command.downgrade(migrate._config(connection), "0003")
    assert names(ward) == set()
    ward.services.db.close()
    migrate.upgrade(url)
    migrate.check(url)
    assert names(ward) == there


def test_they_are_those_of_the_library(ward, server):
    """Its migrations, as ours runs them, make what the library's own schema makes."""
    from importlib import resources

    from sqlalchemy import create_engine

    asked = (
        "SELECT proname, pg_get_function_arguments(oid), regexp_replace(prosrc, '\\s+', ' ', 'g') FROM pg_proc",
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns",
        "SELECT tablename, indexdef FROM pg_indexes",
        "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger",
        "SELECT typname, enumlabel FROM pg_type JOIN pg_enum ON enumtypid = pg_type.oid",
        "SELECT CAST(conrelid AS regclass)::text, pg_get_constraintdef(oid) FROM pg_constraint",
    )

    def made(engine):
        with engine.connect() as db:
            rows = [[tuple(map(str, row)) for row in db.execute(text(each))] for each in asked]
        return [sorted(row for row in of if row[0].startswith("procrastinate")) for of in rows]

    bare = create_engine(server.url(server.new()))
    with bare.begin() as db, db.connection.cursor() as cursor:
        cursor.execute((resources.files("procrastinate.sql") / "schema.sql").read_text())
    expected = made(bare)
    bare.dispose()
    assert all(expected)
    assert made(ward.services.db.engine) == expected
