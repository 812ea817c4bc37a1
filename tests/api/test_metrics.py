"""The figures of the server: who may see them, what they say, and that several processes count together."""

import os
import re
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from konectom import metrics
from konectom.api import server
from konectom.metrics import DIRECTORY
from konectom.settings import load_settings
from konectom.storage.models import SessionRow
from konectom.workflows import standing
from konectom.workflows.access.service_tokens import issue_service_token
from tests.api.client import Caller, first_error
from tests.api.server_process import serving
from tests.probe import session_body


def figures(text):
    """Every sample of an exposition, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def monitor(callers, services):
    issued = issue_service_token(services, name="Prometheus", permissions=["metrics.read"])
    return Caller(callers.client, issued.token)


@pytest.fixture
def asked(monitor):
    def value(name, **labels):
        answer = monitor.get("/metrics")
        assert answer.status_code == 200
        return figures(answer.text).get((name, frozenset(labels.items())), 0.0)

    return value


def test_who_may_see_them(anybody, phone, staff, monitor, callers, people):
    assert first_error(anybody.get("/metrics"))[:2] == (401, "not_authenticated")
    assert first_error(phone.get("/metrics"))[:2] == (403, "not_permitted")
    assert first_error(callers.staff(people.study()).get("/metrics"))[:2] == (403, "not_permitted")
    assert staff.get("/metrics").status_code == 200
    assert monitor.get("/metrics").mimetype == "text/plain"
    assert first_error(monitor.get("/sessions"))[:2] == (403, "not_permitted")


def test_uploads_are_counted_by_what_they_were_answered(asked, probe, phone):
    outcomes = ("created", "repeated", "not_json", "session_digest_conflict")
    before = {each: asked("konectom_uploads_total", outcome=each) for each in outcomes}
    taken = asked("konectom_upload_bytes_total")
    session, body = uuid4(), session_body()
    for sent in (body, body, b"{", session_body(setting="other")):
        phone.put(sent, session)
    assert {each: asked("konectom_uploads_total", outcome=each) - before[each] for each in outcomes} == {
        "created": 1,
        "repeated": 1,
        "not_json": 0,  # the session is known: the bytes are compared first
        "session_digest_conflict": 2,
    }
    assert asked("konectom_upload_bytes_total") - taken == len(body)


def test_requests_are_counted_by_route_and_by_no_id(asked, phone, monitor):
    route = "/api/v1/patients/<uuid:patient_id>"
    count = asked("konectom_requests_total", method="GET", route=route, status="200")
    timed = asked("konectom_request_seconds_count", method="GET", route=route)
    phone.get(f"/patients/{phone.patient}")
    phone.client.open("/api/v1/what/nobody/declared", method="BREW")
    assert asked("konectom_requests_total", method="GET", route=route, status="200") == count + 1
    assert asked("konectom_request_seconds_count", method="GET", route=route) == timed + 1
    text = monitor.get("/metrics").text
    assert 'method="other",route="none"' in text
    for secret in (str(phone.patient), phone.patient.hex, phone.token, "BREW", "declared"):
        assert secret not in text
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", text)


def test_recordings_by_what_came_of_them(asked, probe, phone):
    done = asked("konectom_recordings_total", assessment="probe", outcome="extracted")
    timed = asked("konectom_extraction_seconds_count", assessment="probe")
    unknown = asked("konectom_recordings_total", assessment="none", outcome="rejected")
    phone.put(session_body())
    phone.put(session_body().replace(b'"probe"', b'"a name that somebody chose"'))
    assert asked("konectom_recordings_total", assessment="probe", outcome="extracted") == done + 1
    assert asked("konectom_extraction_seconds_count", assessment="probe") == timed + 1
    assert asked("konectom_recordings_total", assessment="none", outcome="rejected") == unknown + 1


def test_how_things_stand_is_read_when_somebody_asks(asked, probe, phone, services, clock):
    assert asked("konectom_sessions", status="received") == 0
    assert asked("konectom_session_oldest_seconds", status="received") == 0
    assert asked("konectom_database_up") == 1
    assert asked("konectom_free_bytes", of="objects") > 0
    assert asked("konectom_free_bytes", of="data") > 0
    assert asked("konectom_erasures_left") == 0
    with services.db.read() as db:
        entries = db.connection().exec_driver_sql("SELECT max(seq) FROM audit_head").scalar()
    assert asked("konectom_audit_entries") == entries > 0
    phone.put(session_body())
    with services.db.write() as db:
        db.connection().exec_driver_sql("UPDATE session SET status = 'received'")
        received_at = db.query(SessionRow).one().received_at
    clock.forward(seconds=90)
    assert received_at is not None
    assert asked("konectom_sessions", status="received") == 1
    assert asked("konectom_session_oldest_seconds", status="received") == 90


def test_the_cost_of_what_waits_does_not_grow_with_what_is_done(services):
    """The question after what waits goes through an index of its own, not through the table."""
    asked, plans = [], []
    with services.db.read() as db:
        connection = db.connection()
        event.listen(connection, "before_cursor_execute", lambda *call: asked.append(call[2]))
        assert list(standing._of_database(services, db))
        for statement in [each for each in asked if "FROM session" in each]:
            plans.append(str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").all()))
    assert ["ix_session_waiting" in plans[0], "ix_session_parked" in plans[1], len(plans)] == [True, True, 2]


def test_several_processes_count_together(settings, phone, services):
    token = issue_service_token(services, name="Prometheus", permissions=["metrics.read"]).token
    with serving(settings, workers=3, threads=1) as running:
        for _ in range(12):
            assert running.ask("GET", "/api/v1/sessions", phone.token)[0] == 200
        counted = scraped(running, token)
        again = scraped(running, token)
        before = dict.fromkeys(directories_of(running.process.pid))
        assert len(before) == 1
        (directory,) = before
        assert directory.stat().st_mode & 0o777 == 0o700
        assert len({each.name for each in directory.glob("counter_*.db")}) >= 1
        running.process.terminate()
        assert running.process.wait(60) == 0
        assert directories_of(running.process.pid) == []
    route = frozenset({"method": "GET", "route": "/api/v1/sessions", "status": "200"}.items())
    assert counted["konectom_requests_total", route] == again["konectom_requests_total", route] == 12


def scraped(running, token):
    connection = running.connect()
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200
    return figures(text)


def directories_of(pid):
    import tempfile

    return list(Path(tempfile.gettempdir()).glob(f"konectom-metrics-{pid}-*"))


@pytest.fixture
def alone(monkeypatch, tmp_path):
    monkeypatch.setattr(metrics.tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv(DIRECTORY, raising=False)
    yield tmp_path
    os.environ.pop(DIRECTORY, None)


def test_what_a_killed_server_left_is_removed_by_the_next(alone):
    ended = next(pid for pid in range(2**22, 2, -1) if not metrics._lives(pid))
    (alone / f"konectom-metrics-{ended}-abc").mkdir()
    (alone / f"konectom-metrics-{os.getppid()}-abc").mkdir()
    (alone / "konectom-metrics-notes").mkdir()
    elsewhere = alone / "elsewhere"
    elsewhere.mkdir()
    (alone / f"konectom-metrics-{ended}-link").symlink_to(elsewhere)
    metrics.begin_together()
    own = Path(os.environ[DIRECTORY])
    left = {each.name for each in alone.iterdir()}
    assert left == {
        *(own.name, "elsewhere", "konectom-metrics-notes"),
        *(f"konectom-metrics-{os.getppid()}-abc", f"konectom-metrics-{ended}-link"),
    }
    (own / "gauge_livesum_77.db").write_bytes(b"")
    (own / "gauge_livesum_777.db").write_bytes(b"")
    (own / "counter_77.db").write_bytes(b"")
    server.child_exit(None, SimpleNamespace(pid=77))
    assert {each.name for each in own.iterdir()} == {"gauge_livesum_777.db", "counter_77.db"}
    server.on_exit(None)
    assert not own.exists()


def test_only_the_process_that_made_the_directory_removes_it(alone):
    other = alone / "konectom-metrics-1-abc"
    other.mkdir()
    os.environ[DIRECTORY] = str(other)
    metrics.end_together()
    assert other.exists()


@pytest.mark.parametrize("address", ["127.0.0.1", ":9464", "127.0.0.1:99999", "http://a:1"])
def test_an_address_is_a_host_and_a_port(address):
    with pytest.raises(Exception, match="KONECTOM_METRICS_ADDRESS"):
        load_settings({}, metrics_address=address)
