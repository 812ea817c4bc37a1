"""Whoever asks again from where it was misses no session, however those are kept at the same time.

On PostgreSQL, where transactions overlap, too.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from konectom.errors import NotJson
from konectom.settings import load_settings
from konectom.storage import migrate
from konectom.storage.models import Arrival, QuarantineRow, SessionRow
from konectom.workflows.patients.people import create_patient, create_study
from konectom.workflows.services import Services
from konectom.workflows.sessions import keep
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.listing import list_sessions
from konectom.workflows.sessions.quarantine import list_held
from tests.people import QUICK
from tests.probe import session_body

pytestmark = pytest.mark.usefixtures("probe")


@pytest.fixture
def database(postgres):
    """The address of an empty database on the server, which is gone afterwards."""
    name = postgres.new()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture
def on_postgresql(database, settings, clock):
    told = {name: getattr(settings, name) for name in ("mode", "rate_limits", "data_dir")}
    services = replace(Services.open(load_settings({}, database_url=database, **told), clock=clock), passwords=QUICK)
    migrate.upgrade(database)
    yield services
    services.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def everywhere(request):
    return request.getfixturevalue("services" if request.param == "sqlite" else "on_postgresql")


def patient_of(services):
    study = UUID(create_study(services, code=f"S{uuid4().hex[:8]}", consent="elsewhere")["id"])
    return UUID(create_patient(services, study_id=study, code=f"P{uuid4().hex[:8]}")["id"])


def upload(services, patient, session_id=None):
    session_id = session_id or uuid4()
    ingest_session(services, session_id=session_id, patient_id=patient, body=session_body())
    return str(session_id)


def follow(services, seen, position, list_page=list_sessions, **asked):
    """Ask from ``position`` on, add what comes to ``seen``, and return where it ended."""
    page = list_page(services, cursor=position, limit=3, **asked)
    seen += [each["id"] for each in page["items"]]
    return page["position"]


def test_a_clock_that_goes_back_hides_nothing(everywhere, clock):
    patient, seen = patient_of(everywhere), []
    first = upload(everywhere, patient)
    position = follow(everywhere, seen, None)
    last = clock.now
    clock.forward(hours=-2)
    second = upload(everywhere, patient)
    assert follow(everywhere, seen, position) is not None
    assert seen == [first, second]
    since = list_sessions(everywhere, since=last)["items"]
    assert [each["id"] for each in since] == [first, second], "it was kept after one that was received then"
    assert list_sessions(everywhere, since=last + timedelta(seconds=1))["items"] == []


def test_one_that_is_kept_later_than_it_was_received_is_not_missed(on_postgresql, monkeypatch, clock):
    """Its rows are written, then another session begins, ends and is listed; only then it is committed."""
    services, seen = on_postgresql, []
    slow, quick = patient_of(services), patient_of(services)
    upload(services, slow)  # so that the catalogue is there, which both need
    position = follow(services, [], None)
    written, listed = threading.Event(), threading.Event()
    number = keep.next_arrival

    def wait(db):
        if threading.current_thread().name.startswith("slow"):
            db.flush()
            written.set()
            assert listed.wait(60)
        return number(db)

    monkeypatch.setattr(keep, "next_arrival", wait)
    with ThreadPoolExecutor(1, thread_name_prefix="slow") as pool:
        late = pool.submit(upload, services, slow)
        assert written.wait(60)
        clock.forward(seconds=1)
        early = upload(services, quick)
        position = follow(services, seen, position)
        listed.set()
        late = late.result(60)
    assert seen == [early]
    follow(services, seen, position)
    assert seen == [early, late]
    with services.db.read() as db:
        times = {str(row.id): row.received_at for row in db.query(SessionRow)}
    assert times[late] < times[early], "in order of these times it would have been missed"


def test_who_has_a_number_lets_nobody_else_have_one_until_it_is_kept(on_postgresql):
    """What is counted up and not committed holds the next up; what is rolled back leaves no gap."""
    services = on_postgresql
    patient = patient_of(services)
    with ThreadPoolExecutor(1) as pool:
        with services.db.write() as db:
            db.query(Arrival).update({"last": 7})
            other = pool.submit(upload, services, patient)
            assert not other.done()
            assert list_sessions(services)["items"] == []
            db.rollback()
        assert other.result(60)
    with services.db.read() as db:
        assert db.query(SessionRow.arrival).scalar() == db.query(Arrival.last).scalar() == 1


def test_readers_that_follow_while_many_write_see_each_once(everywhere):
    """Sessions and refusals of several patients, written by threads; what was seen is in order and complete."""
    services = everywhere
    patients = [patient_of(services) for _ in range(3)]
    done = threading.Event()

    def write(number):
        if number % 4:
            return upload(services, patients[number % 3])
        with pytest.raises(NotJson) as refused:
            ingest_session(services, session_id=uuid4(), patient_id=patients[number % 3], body=b"{%d" % number)
        return refused.value.context["kept"]["id"]

    def read(list_page, **asked):
        seen, position = [], None
        while True:
            over = done.is_set()  # asked before the list: what ended before is in it
            before = len(seen)
            position = follow(services, seen, position, list_page, **asked)
            if over and len(seen) == before:
                return seen

    with ThreadPoolExecutor(12) as pool:
        all_of_them = [pool.submit(read, list_sessions), pool.submit(read, list_held)]
        of_one = pool.submit(read, list_sessions, patient_id=patients[0])
        written = list(pool.map(write, range(60)))
        done.set()
        sessions, held = (each.result(120) for each in all_of_them)
        mine = of_one.result(120)
    assert sorted(sessions + held) == sorted(written)
    assert len(set(sessions)) == len(sessions) == 45
    with services.db.read() as db:
        numbers = {str(row.id): row.arrival for row in [*db.query(SessionRow), *db.query(QuarantineRow)]}
        own = {str(row.id) for row in db.query(SessionRow).filter_by(patient_id=patients[0])}
    assert sorted(numbers.values()) == list(range(1, 61)), "no number is given twice, none is left out"
    assert [numbers[each] for each in sessions] == sorted(numbers[each] for each in sessions)
    assert set(mine) == own
    assert len(mine) == len(own)
