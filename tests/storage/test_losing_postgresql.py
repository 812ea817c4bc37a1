"""The server goes away, comes back, or turns into a replica: nothing is half written, and nobody has to restart us."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import IntegrityError

from konectom.errors import StoreUnavailable
from konectom.storage.database import Database
from konectom.storage.models import MeasureRow, SessionRow
from konectom.storage.postgres import gave_way, postgres_url
from konectom.workflows.patients.people import create_patient, create_study
from konectom.workflows.services import Services
from konectom.workflows.sessions.ingest import ingest_session
from tests.backends import Real, installer
from tests.postgres import running
from tests.probe import session_body
from tests.proxy import line_to


@pytest.fixture(scope="module")
def server():
    """A server of this module's own: it is killed."""
    with running(synchronous_commit="on") as made:  # what was told to be kept is, also where it is killed
        yield made


@pytest.fixture
def alive(server):
    """The server, running whatever the last test did to it."""
    yield server
    server.start()


@pytest.fixture(scope="module")
def real(server, s3):
    return Real(server, s3)


@pytest.fixture
def settings(tmp_path, real, alive, key_file):
    settings = installer(real, key_file)(tmp_path)
    yield settings
    alive.start()
    real.remove(settings)


@pytest.fixture
def line(alive):
    with line_to(alive.socket) as made:
        yield made


@pytest.fixture
def over_line(settings, line, clock):
    """Services that reach the database over a line that can be cut."""
    services = Services.open(settings, clock=clock)
    name = settings.database_url.split("/")[3].partition("?")[0]
    url = f"postgresql+psycopg://postgres@127.0.0.1:{line.port}/{name}"
    services = replace(services, db=Database(url, trail=services.db.trail))
    yield services
    services.close()


def add(db, key):
    with db.write() as session:
        session.add(MeasureRow(key=key))


def add_and(db, happen):
    """Begin to write, let something happen, and go on."""
    with db.write() as session:
        session.add(MeasureRow(key="half"))
        session.flush()
        happen()
        session.add(MeasureRow(key="whole"))


def keys(db):
    with db.read() as session:
        return sorted(session.scalars(select(MeasureRow.key)))


def test_killed_between_transactions_the_next_one_finds_it_again(services, alive):
    add(services.db, "a.b")
    alive.kill()
    with pytest.raises(StoreUnavailable):
        add(services.db, "c.d")
    with pytest.raises(StoreUnavailable):
        services.db.ping()
    alive.start()
    add(services.db, "e.f")
    assert keys(services.db) == ["a.b", "e.f"]


def test_killed_within_a_transaction_nothing_of_it_is_kept(services, alive):
    with pytest.raises(StoreUnavailable):
        add_and(services.db, alive.kill)
    alive.start()
    assert keys(services.db) == []


def test_a_line_that_breaks_costs_one_transaction(over_line, line):
    add(over_line.db, "a.b")
    with pytest.raises(StoreUnavailable):
        add_and(over_line.db, line.cut)
    add(over_line.db, "e.f")
    assert keys(over_line.db) == ["a.b", "e.f"]


def test_connections_that_rested_while_the_line_broke_are_replaced(over_line, line):
    assert keys(over_line.db) == []
    line.cut()
    assert keys(over_line.db) == []


def test_an_upload_whose_commit_was_not_heard_of_is_there_when_it_is_sent_again(over_line, line, probe):
    study = UUID(create_study(over_line, code="S", consent="elsewhere")["id"])
    patient = UUID(create_patient(over_line, study_id=study, code="P")["id"])
    session_id = uuid4()

    def send():
        return ingest_session(over_line, session_id=session_id, patient_id=patient, body=session_body())

    ingest_session(over_line, session_id=uuid4(), patient_id=patient, body=session_body(setting="clinic"))
    line.swallow_answer_to(b"COMMIT")
    with pytest.raises(StoreUnavailable):
        send()
    assert line.swallowed.is_set()
    again = send()
    assert again.receipt["id"] == str(session_id)
    assert send().created is False
    with over_line.db.read() as db:
        assert db.scalar(select(func.count()).select_from(SessionRow)) == 2


def test_a_replica_takes_nothing_and_says_so(services, alive):
    add(services.db, "a.b")
    services.db.close()
    alive.stop()
    (alive.directory / "standby.signal").touch()
    alive.start()
    try:
        assert keys(services.db) == ["a.b"]
        with pytest.raises(StoreUnavailable):
            add(services.db, "c.d")
    finally:
        alive.run("SELECT pg_promote()")
    add(services.db, "e.f")  # as soon as it is the primary, without a restart of ours
    assert keys(services.db) == ["a.b", "e.f"]


def test_a_server_that_only_reads_is_left_for_the_primary(settings, alive, line):
    """The first of two answers, and is no primary: the second is taken."""
    name = settings.database_url.split("/")[3].partition("?")[0]
    alive.run(f"ALTER ROLE postgres IN DATABASE {name} SET default_transaction_read_only = on")
    with line_to(alive.socket) as other:
        url = f"postgresql+psycopg://postgres@127.0.0.1:{line.port},127.0.0.1:{other.port}/{name}"
        database = Database(url)
        with pytest.raises(StoreUnavailable), database.read() as session:
            session.execute(text("SELECT 1"))
        alive.run(f"ALTER ROLE postgres IN DATABASE {name} RESET default_transaction_read_only")
        line.refusing = True
        add(database, "a.b")
        assert keys(database) == ["a.b"]
        database.close()


@pytest.mark.parametrize(
    ("text", "hosts", "wanted"),
    [
        ("postgresql+psycopg://u:p@a:1,b:2/n", ("a:1", "b:2"), "read-write"),
        ("postgresql+psycopg://u:p@a,b/n", ("a", "b"), "read-write"),
        ("postgresql+psycopg://u:p@a:1,b:2/n?target_session_attrs=any", ("a:1", "b:2"), "any"),
    ],
    ids=["ports", "without ports", "whatever is asked for"],
)
def test_several_hosts_are_told(text, hosts, wanted):
    url = postgres_url(text)
    assert url.query["host"] == hosts
    assert url.query["target_session_attrs"] == wanted
    assert (url.username, url.password, url.database) == ("u", "p", "n")


def test_one_host_is_as_it_was_told():
    assert postgres_url("postgresql+psycopg://u:p@a:1/n").query == {}


def test_of_two_that_wait_for_each_other_one_is_told_to_try_again(services):
    """As two first uploads do that bring the same new measures in opposite order."""
    meet = threading.Barrier(2)

    def write(keys):
        try:
            with services.db.write() as session:
                session.execute(insert(MeasureRow).values(key=keys[0]))
                meet.wait(30)
                session.execute(insert(MeasureRow).values(key=keys[1]))
        except (StoreUnavailable, IntegrityError) as error:
            return error
        return None

    with ThreadPoolExecutor(2) as pool:
        told = [each for each in pool.map(write, (("a.b", "c.d"), ("c.d", "a.b"))) if each is not None]
    assert [gave_way(each) for each in told] == [True]
    assert keys(services.db) == ["a.b", "c.d"]
