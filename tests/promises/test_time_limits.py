"""No question keeps the database for ever: the database itself stops it, and says so in so many words."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from konectom.errors import StoreUnavailable, TooSlow
from konectom.settings import load_settings
from konectom.storage.database import Database, open_engine
from konectom.storage.postgres import _settings
from konectom.workflows.services import Services
from tests.api.client import first_error
from tests.backends import where_of

ENDLESS = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n")
LONG = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT max(i) FROM n")
SOON = timedelta(milliseconds=30)


@pytest.fixture
def hasty(settings):
    database = Database(settings.database_url, within=SOON)
    yield database
    database.close()


def test_a_question_without_end_is_stopped(hasty):
    with pytest.raises(TooSlow) as stopped, hasty.read() as db:
        db.execute(ENDLESS)
    assert (stopped.value.status, stopped.value.code) == (503, "too_slow")


def test_the_next_question_has_its_own_time(hasty):
    with pytest.raises(TooSlow), hasty.read() as db:
        db.execute(ENDLESS)
    with hasty.read() as db:
        assert db.execute(text("SELECT 1")).scalar_one() == 1


def test_an_export_may_ask_for_more(hasty):
    with hasty.read(within=timedelta(minutes=5)) as db:
        assert db.execute(LONG).scalar_one() == 300_000


@pytest.mark.embedded
def test_a_write_is_not_cut_off(hasty):
    with hasty.write() as db:
        assert db.execute(LONG).scalar_one() == 300_000


def test_migrations_have_no_limit(settings):
    engine = open_engine(settings.database_url)
    with engine.connect() as connection:
        assert connection.execute(LONG).scalar_one() == 300_000
    engine.dispose()


def test_the_services_take_the_limit_of_the_settings(settings):
    chosen = load_settings({}, **where_of(settings), read_time_limit="7 s")
    services = Services.open(chosen)
    assert services.db.within == timedelta(seconds=7)
    services.close()


def test_the_caller_is_told(phone, monkeypatch):
    def endless(services, *_, **__):
        with services.db.read(within=SOON) as db:
            db.execute(ENDLESS)

    monkeypatch.setattr("konectom.api.sessions.list_sessions", endless)
    answer = phone.get("/sessions")
    assert first_error(answer)[:2] == (503, "too_slow")
    assert int(answer.headers["Retry-After"]) > 0
    assert "WITH RECURSIVE" not in answer.text


def test_postgresql_is_told_its_limits_when_a_connection_is_made():
    options = _settings(timedelta(seconds=60))
    assert "-c statement_timeout=60000" in options
    assert "-c lock_timeout=30000" in options
    assert "-c idle_in_transaction_session_timeout=60000" in options
    assert "-c tcp_keepalives_idle=15 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3" in options


def test_postgresql_stops_a_question_and_lets_an_export_go_on(postgres):
    database = Database(postgres.url(), within=SOON)
    with pytest.raises(TooSlow), database.read() as db:
        db.execute(text("SELECT pg_sleep(5)"))
    with database.read(within=timedelta(seconds=5)) as db:
        db.execute(text("SELECT pg_sleep(0.1)"))
    database.close()
    database.close()


@pytest.mark.parametrize(
    ("within", "may_rest"), [(None, "1min"), (timedelta(minutes=30), "10min")], ids=["any", "long"]
)
def test_a_transaction_rests_no_longer_than_it_says_that_it_needs(postgres, within, may_rest):
    database = Database(postgres.url())
    with database.read(within=within) as db:
        assert db.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one() == may_rest
    with database.write() as db:  # on the same connection
        assert db.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one() == "1min"
    database.close()


def test_who_vanished_in_a_transaction_holds_its_locks_no_longer_than_that(postgres, monkeypatch):
    monkeypatch.setattr("konectom.storage.postgres.REST", timedelta(milliseconds=200))
    url = postgres.url()
    vanished, other = Database(url), Database(url)
    with other.write() as db:
        db.execute(text("CREATE TABLE held (i int)"))

    def hold_and_rest():
        with vanished.write() as db:
            db.execute(text("LOCK TABLE held"))
            with other.write() as waits:  # as long as the first one rests, and then has it
                waits.execute(text("INSERT INTO held VALUES (1)"))

    with pytest.raises(StoreUnavailable):
        hold_and_rest()
    with other.read() as db:
        assert db.execute(text("SELECT count(*) FROM held")).scalar_one() == 1
    vanished.close()
    other.close()
