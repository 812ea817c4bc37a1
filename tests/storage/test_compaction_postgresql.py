"""On PostgreSQL nothing is called clean that somebody may still see. Needs a server: KONECTOM_TEST_POSTGRESQL_URL."""

import os

import pytest
from sqlalchemy import create_engine

from konectom.storage import compaction
from konectom.storage.compaction import compact

URL = os.environ.get("KONECTOM_TEST_POSTGRESQL_URL", "")
pytestmark = pytest.mark.skipif(not URL, reason="no PostgreSQL server to test on")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(compaction, "OLDER_WAITS_S", 0.1)


@pytest.fixture
def engine():
    engine = create_engine(URL)
    with engine.begin() as db:
        db.exec_driver_sql("DROP TABLE IF EXISTS compacted")
        db.exec_driver_sql("CREATE TABLE compacted (id INTEGER PRIMARY KEY, said TEXT)")
        db.exec_driver_sql("INSERT INTO compacted SELECT n, 'SECRET' FROM generate_series(1, 100) AS n")
    yield engine
    with engine.begin() as db:
        db.exec_driver_sql("DROP TABLE compacted")
    engine.dispose()


def delete(engine):
    with engine.begin() as db:
        db.exec_driver_sql("DELETE FROM compacted WHERE id < 50")


def test_nobody_reads(engine):
    delete(engine)
    assert compact(URL, [])


def test_an_older_state_that_is_read(engine):
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as reader:
        assert reader.exec_driver_sql("SELECT count(*) FROM compacted").scalar() == 100
        delete(engine)
        assert not compact(URL, [])
        assert reader.exec_driver_sql("SELECT count(*) FROM compacted").scalar() == 100
    assert compact(URL, [])


def test_an_older_transaction_that_writes(engine):
    with engine.connect() as writer:
        writer.exec_driver_sql("INSERT INTO compacted VALUES (1000, '')")
        delete(engine)
        assert not compact(URL, [])
        writer.commit()
    assert compact(URL, [])


def test_a_transaction_that_was_prepared(engine):
    with engine.connect() as db:
        if db.exec_driver_sql("SHOW max_prepared_transactions").scalar() == "0":
            pytest.skip("this server prepares no transactions")
        db.rollback()
        transaction = db.begin_twophase()
        db.exec_driver_sql("INSERT INTO compacted VALUES (1000, '')")
        transaction.prepare()
        delete(engine)
        assert not compact(URL, [])
        transaction.rollback()
    assert compact(URL, [])
