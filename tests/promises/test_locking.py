"""Processes that read and then write never hear that the database is locked."""

import multiprocessing
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from konectom.storage.database import BUSY_TIMEOUT_MS, Database
from konectom.storage.models import Study
from konectom.workflows.services import Services, system_clock

PROCESSES, TRANSACTIONS = 4, 60


def read_then_insert(settings, barrier, answer):
    """Number studies through: what was read decides what is written, so a lost update would show."""
    db = Services.open(settings).db
    barrier.wait(60)
    try:
        for _ in range(TRANSACTIONS):
            with db.write() as session:
                count = session.scalar(select(func.count()).select_from(Study))
                session.add(Study(id=uuid4(), code=str(count), name="", consent="elsewhere", created_at=system_clock()))
        answer.put(None)
    except Exception as error:
        answer.put(repr(error))
    finally:
        db.close()


def read_all_the_time(url, barrier, stop, answer):
    db = Database(url)
    barrier.wait(60)
    seen = [0]
    try:
        while not stop.is_set():
            with db.read() as session:
                seen.append(session.scalar(select(func.count()).select_from(Study)))
        answer.put(None if seen == sorted(seen) else "the count went down")
    except Exception as error:
        answer.put(repr(error))
    finally:
        db.close()


@pytest.mark.embedded
def test_processes_that_read_then_insert_wait_for_each_other(settings):
    context = multiprocessing.get_context("spawn")
    barrier, stop, answer = context.Barrier(PROCESSES + 1), context.Event(), context.Queue()
    url = settings.database_url
    writers = [context.Process(target=read_then_insert, args=(settings, barrier, answer)) for _ in range(PROCESSES)]
    reader = context.Process(target=read_all_the_time, args=(url, barrier, stop, answer))
    for process in (*writers, reader):
        process.start()
    for process in writers:
        process.join(300)
    stop.set()
    reader.join(60)
    assert [answer.get(timeout=10) for _ in range(PROCESSES + 1)] == [None] * (PROCESSES + 1)
    db = Database(url)
    with db.read() as session:
        codes = session.scalars(select(Study.code)).all()
    db.close()
    assert sorted(map(int, codes)) == list(range(PROCESSES * TRANSACTIONS))


@pytest.mark.embedded
def test_a_write_holds_the_lock_from_its_first_statement_and_a_read_never_does(services, people):
    other = Database(services.settings.database_url)
    with services.db.read() as reading:
        reading.scalars(select(Study)).all()
        with other.write() as writing:
            writing.scalars(select(Study)).all()
    # A second writer is turned away while the first has only read: it would otherwise read what is about to change.
    second = other.engine.raw_connection()
    second.execute("PRAGMA busy_timeout = 1")
    with services.db.write() as writing:
        writing.scalars(select(Study)).all()
        with pytest.raises(Exception, match="locked"):
            second.execute("BEGIN IMMEDIATE")
    second.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    second.close()
    other.close()
