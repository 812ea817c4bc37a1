"""Writes to SQLite have the turn while they write, wait for it no longer than they may, and let go of it in the end."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import IntegrityError

from konectom.errors import StoreUnavailable
from konectom.storage import compaction, database
from konectom.storage.models import MeasureRow
from konectom.storage.turns import Turns

pytestmark = pytest.mark.embedded

LONG_S = 60.0
"""Longer than any of these tests takes: what waits so long has failed."""


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 1)


@pytest.fixture
def its_turns(services, tmp_path):
    return Turns(tmp_path / "konectom.sqlite3")


def keys(services):
    with services.db.read() as db:
        return list(db.scalars(select(MeasureRow.key).order_by(MeasureRow.key)))


def put(services, key):
    with services.db.write() as db:
        db.add(MeasureRow(key=key))


def test_a_write_has_the_turn_until_it_is_kept_or_given_up(services, its_turns):
    with services.db.write() as db:
        db.add(MeasureRow(key="a.a"))
        db.flush()
        assert its_turns.take(0.0) is None
    its_turns.take(LONG_S).end()
    with pytest.raises(IntegrityError):
        put(services, "a.a")
    its_turns.take(LONG_S).end()
    assert keys(services) == ["a.a"]


def test_who_reads_needs_no_turn(services, its_turns):
    with its_turns.taken(LONG_S):
        assert keys(services) == []


def test_a_write_that_waits_too_long_says_so(services, its_turns, short):
    with services.db.write() as db:
        db.add(MeasureRow(key="a.a"))
        db.flush()
        with ThreadPoolExecutor(1) as pool, pytest.raises(StoreUnavailable):
            pool.submit(put, services, "a.b").result()
    put(services, "a.c")
    assert keys(services) == ["a.a", "a.c"]


def test_a_write_within_a_write_ends_as_well(services, short):
    with services.db.write() as db:
        db.add(MeasureRow(key="a.a"))
        db.flush()
        with pytest.raises(StoreUnavailable):
            put(services, "a.b")
    assert keys(services) == ["a.a"]


def test_a_turn_that_never_ends_keeps_nobody_from_writing(services, its_turns, short):
    with its_turns.taken(LONG_S):
        put(services, "a.a")
    assert keys(services) == ["a.a"]


@pytest.mark.parametrize("name", ["next", "turn"])
def test_where_no_lock_can_be_made_writes_go_without(services, its_turns, name):
    path = Path(getattr(its_turns, name))
    path.unlink(missing_ok=True)
    path.mkdir()
    assert its_turns.take(LONG_S) is None
    put(services, "a.a")
    assert keys(services) == ["a.a"]


def test_the_time_to_wait_is_as_before_after_a_write(services):
    put(services, "a.a")
    with services.db.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == database.BUSY_TIMEOUT_MS


def test_the_file_is_rewritten_in_turn(services, its_turns, monkeypatch):
    seen = []
    monkeypatch.setattr(compaction, "_compact_sqlite", lambda _: seen.append(its_turns.take(0.0)) or True)
    assert compaction.compact(services.settings.database_url, [])
    assert seen == [None]
    its_turns.take(LONG_S).end()


class Interrupted(BaseException):
    """Comes at a statement, as an operator's does."""


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_write_that_is_interrupted_ends_its_turn(services, its_turns, at):
    steps = iter(range(1, 100))

    def step(*_):
        if next(steps) == at:
            raise Interrupted

    event.listen(services.db.engine, "before_cursor_execute", step)
    with contextlib.suppress(Interrupted), services.db.write() as db:
        db.execute(select(MeasureRow.key)).all()
        db.execute(select(MeasureRow.key)).all()
    assert next(steps) == at + 1
    event.remove(services.db.engine, "before_cursor_execute", step)
    its_turns.take(LONG_S).end()
    put(services, "a.a")
    assert keys(services) == ["a.a"]
