"""Objects without a row: an upload that fails takes its own back, and what a crash leaves is removed a day later."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from konectom.errors import AuditBroken, DigestConflict, StoreUnavailable, TooSlow
from konectom.storage.models import Blob
from konectom.workflows.erasing.certificates import verify_certificate
from konectom.workflows.erasing.erasure import erase_patient, finish_erasures
from konectom.workflows.sessions import ingest
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.sweeping import sweep_objects
from tests.kept import FileKept, kept, place_of
from tests.probe import session_body

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def patient(people, probe):
    return people.patient()


def objects_of(services):
    return [each.name for each in kept(services)]


def send(services, patient, **how):
    return ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body(**how))


def leave(services, clock, name, *, hours):
    """Put an object that is so old."""
    return left(place_of(services, f"{name:064x}"), clock, hours)


def left(place, clock, hours):
    place.write_bytes(b"sealed")
    place.age(clock.now - timedelta(hours=hours))
    return place


@pytest.mark.parametrize(
    "error",
    [
        StoreUnavailable("busy"),
        TooSlow("stopped"),
        AuditBroken("broken"),
        IntegrityError("INSERT", {}, Exception()),
        MemoryError(),
    ],
)
def test_an_upload_that_fails_for_whatever_reason_leaves_no_object(services, patient, monkeypatch, error):
    def fail(*rows):
        assert len(objects_of(services)) == 1
        raise error

    monkeypatch.setattr(ingest, "keep_session", fail)
    with pytest.raises(type(error)):
        send(services, patient)
    assert objects_of(services) == []


def test_an_upload_that_fails_after_it_was_kept_keeps_its_object(services, patient, monkeypatch):
    def fail(*what):
        raise TooSlow("stopped")

    monkeypatch.setattr(ingest, "_tell", fail)
    with pytest.raises(TooSlow):
        send(services, patient)
    assert len(objects_of(services)) == 1
    with services.db.read() as db:
        assert db.scalars(select(Blob.object)).all() == objects_of(services)


def test_a_refusal_stands_where_the_object_cannot_be_taken_back(services, patient, monkeypatch):
    def fail(*what):
        raise StoreUnavailable("unreachable")

    session_id = uuid4()
    keep = ingest.keep_session

    def another_first(services, upload, *rest):
        monkeypatch.setattr(ingest, "keep_session", keep)
        ingest_session(services, session_id=session_id, patient_id=patient, body=session_body(setting="other"))
        monkeypatch.setattr(services.objects, "delete", fail)
        return keep(services, upload, *rest)

    monkeypatch.setattr(ingest, "keep_session", another_first)
    with pytest.raises(DigestConflict), capture_logs() as logged:
        ingest_session(services, session_id=session_id, patient_id=patient, body=session_body())
    assert len(objects_of(services)) == 2
    assert "object.orphaned" in [each["event"] for each in logged]
    assert not any(name in repr(logged) for name in objects_of(services))


def test_what_no_row_speaks_of_goes_after_a_day(services, patient, clock):
    send(services, patient)
    (held,) = kept(services)
    held.age(LONG_AGO)
    old, young = leave(services, clock, 1, hours=25), leave(services, clock, 2, hours=23)
    assert finish_erasures(services)
    assert (old.exists(), young.exists()) == (False, True)
    assert objects_of(services) == sorted([held.name, young.name])


@pytest.mark.embedded
def test_what_a_write_left_that_was_cut_off_goes_after_a_day(services, clock):
    cut_off = left(FileKept(services.objects.root / "incoming" / f"{3:064x}.0123"), clock, 25)
    assert finish_erasures(services)
    assert not cut_off.exists()


def test_an_erasure_removes_what_a_crash_had_left(services, patient, clock, monkeypatch):
    monkeypatch.setattr(ingest, "take_back", lambda *what: None)
    monkeypatch.setattr(ingest, "keep_session", lambda *rows: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        send(services, patient)
    for each in kept(services):
        each.age(LONG_AGO)
    done = erase_patient(services, patient, reason="asked_by_patient")
    finish_erasures(services)
    assert objects_of(services) == []
    assert verify_certificate(services, UUID(done["certificate"]["id"])).holds


def test_many_bounded_walks_see_everything(services, clock):
    for name in range(40):
        leave(services, clock, (name * 7919 % 65536) << 240, hours=25)
    assert sweep_objects(services, most=5)
    assert 30 <= len(objects_of(services)) < 40
    for _ in range(400):
        sweep_objects(services, most=5)
    assert objects_of(services) == []


def test_a_store_that_cannot_be_reached_is_told_of(services, clock, monkeypatch):
    def fail(*what):
        raise StoreUnavailable("unreachable")

    leave(services, clock, 1, hours=25)
    monkeypatch.setattr(services.objects, "delete", fail)
    assert not finish_erasures(services)
