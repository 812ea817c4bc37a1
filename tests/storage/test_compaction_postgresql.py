"""On PostgreSQL nothing is called clean that somebody may still see."""

import pytest
from sqlalchemy import create_engine

from konectom.storage import compaction
from konectom.storage.compaction import compact


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(compaction, "OLDER_WAITS_S", 0.1)


@pytest.fixture
def url(postgres):
    name = postgres.new()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture
def engine(url):
    engine = create_engine(url)
    with engine.begin() as db:
        db.exec_driver_sql("CREATE TABLE compacted (id INTEGER PRIMARY KEY, said TEXT)")
        db.exec_driver_sql("INSERT INTO compacted SELECT n, 'SECRET' FROM generate_series(1, 100) AS n")
    yield engine
    engine.dispose()


def delete(engine):
    with engine.begin() as db:
        db.exec_driver_sql("DELETE FROM compacted WHERE id < 50")


def test_nobody_reads(url, engine):
    delete(engine)
    assert compact(url, [])


def test_an_older_state_that_is_read(url, engine):
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as reader:
        assert reader.exec_driver_sql("SELECT count(*) FROM compacted").scalar() == 100
        delete(engine)
        assert not compact(url, [])
        assert reader.exec_driver_sql("SELECT count(*) FROM compacted").scalar() == 100
    assert compact(url, [])


def test_an_older_transaction_that_writes(url, engine):
    with engine.connect() as writer:
        writer.exec_driver_sql("INSERT INTO compacted VALUES (1000, '')")
        delete(engine)
        assert not compact(url, [])
        writer.commit()
    assert compact(url, [])


def test_a_transaction_that_was_prepared(url, engine):
    with engine.connect() as db:
        transaction = db.begin_twophase()
        db.exec_driver_sql("INSERT INTO compacted VALUES (1000, '')")
        transaction.prepare()
        delete(engine)
        assert not compact(url, [])
        transaction.rollback()
    assert compact(url, [])
