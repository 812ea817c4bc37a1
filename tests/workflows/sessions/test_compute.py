"""A session that waits is computed once, however often and by how many it is tried."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from konectom.errors import StoreUnavailable
from konectom.settings import load_settings
from konectom.storage.models import RecordingRow, ResultRow, Review, ScoreRow, SessionRow
from konectom.workflows.consent.restrictions import restrict_patient, resume_patient
from konectom.workflows.erasing.erasure import erase_patient
from konectom.workflows.following.due import count_due
from konectom.workflows.following.reviews import review_patient
from konectom.workflows.sessions import compute, ingest, reading
from konectom.workflows.sessions.compute import compute_session
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.left_behind import (
    any_waits,
    compute_or_log,
    list_parked,
    retry_parked,
    sweep_sessions,
    waiting_sessions,
)
from konectom.workflows.sessions.listing import get_session, list_sessions
from konectom.workflows.sessions.tries import GRACE, OUT_OF_TIME, PROCESS_ENDED, begin, begin_recording, end, give_back
from tests.conftest import People
from tests.probe import probe_recording, session_body


@pytest.fixture
def later(services, settings):
    """The same installation, where sessions are received first and computed after; three tries are enough."""
    told = {"mode": "development", "rate_limits": "off", "data_dir": settings.data_dir, "processing_tries": "3"}
    return replace(services, settings=load_settings({}, processing="workers", **told))


@pytest.fixture
def at_once(later):
    """The same installation, when it is told that servers compute."""
    told = {name: getattr(later.settings, name) for name in ("mode", "rate_limits", "data_dir", "processing_tries")}
    return replace(later, settings=load_settings({}, **told))


@pytest.fixture
def send(later, patient, probe):
    def send(*recordings, services=later, patient=patient):
        session_id = uuid4()
        body = session_body(*recordings)
        ingest_session(services, session_id=session_id, patient_id=patient, body=body)
        return session_id

    return send


def row(services, session_id):
    with services.db.read() as db:
        return db.get_one(SessionRow, session_id)


def recordings(services, session_id):
    with services.db.read() as db:
        of = select(RecordingRow).where(RecordingRow.session_id == session_id).order_by(RecordingRow.index)
        return list(db.scalars(of))


def statuses(services, session_id):
    return [each.status for each in recordings(services, session_id)]


def count(services, table):
    with services.db.read() as db:
        return db.scalar(select(func.count()).select_from(table))


def without_times(receipt):
    return {name: value for name, value in receipt.items() if name not in ("id", "received_at")}


def test_it_comes_to_the_same_as_at_once(later, at_once, send):
    body = (probe_recording(), {"assessment": "probe"}, probe_recording(x=[1e7, 1]), probe_recording(hand="right"))
    here, there = send(*body, services=at_once), send(*body)
    assert get_session(later, there)["status"] == "received"
    assert compute_session(later, there) == "processed"
    assert without_times(get_session(later, here)) == without_times(get_session(later, there))
    assert statuses(later, there) == ["processed", "rejected", "failed", "processed"]


def test_a_second_computation_changes_nothing(later, send):
    session = send(probe_recording(), probe_recording())
    compute_session(later, session)
    told = get_session(later, session)
    assert compute_session(later, session) == "processed"
    assert get_session(later, session) == told
    assert (count(later, ResultRow), row(later, session).tries) == (2, 1)


def test_a_session_that_is_not_there_has_no_status(later):
    assert compute_session(later, uuid4()) is None


def test_while_it_is_computed_no_other_begins(later, send, clock):
    session = send(probe_recording())
    assert begin(later, session)[1] is not None
    assert begin(later, session) == ("received", None)
    clock.now += later.settings.processing_time_limit + GRACE - timedelta(seconds=1)
    assert begin(later, session)[1] is None
    clock.forward(seconds=1)
    status, again = begin(later, session)
    assert (status, again.suspect, row(later, session).tries) == ("received", True, 2)


def test_what_two_computed_is_kept_once(later, send, monkeypatch):
    """The first was taken for dead."""
    session = send(probe_recording(), probe_recording())
    keep, late = compute._keep, []

    def slow(*args, **more):
        if not late:
            late.append(args)
            end(later, session, PROCESS_ENDED)
            with later.db.write() as db:
                db.get(SessionRow, session).tried_at -= timedelta(hours=1)
            assert compute_session(later, session) == "processed"
        return keep(*args, **more)

    monkeypatch.setattr(compute, "_keep", slow)
    assert compute_session(later, session) == "processed"
    assert (count(later, ResultRow), count(later, ScoreRow), statuses(later, session)) == (2, 4, ["processed"] * 2)


def test_a_session_that_a_server_received_whose_clock_is_ahead_is_computed_at_once(later, send, clock):
    session = send(probe_recording())
    clock.now -= timedelta(hours=1)
    assert waiting_sessions(later, most=9) == [session]
    assert compute_session(later, session) == "processed"


def test_a_try_that_lies_ahead_does_not_strand_the_session(later, send, clock):
    """Of a host whose clock was a year ahead."""
    session, now = send(probe_recording()), clock.now
    clock.now = now + timedelta(days=365)
    begin(later, session)
    clock.now = now + timedelta(hours=1)
    assert waiting_sessions(later, most=9) == [session]
    assert compute_session(later, session) == "processed"


def test_between_tries_it_rests_longer_and_longer(later, send, clock):
    session = send(probe_recording())
    for tries, rests_s in ((1, 2), (2, 4)):
        assert begin(later, session)[1] is not None
        end(later, session, {"code": "processing_failed", "detail": "OSError"})
        assert row(later, session).tries == tries
        clock.forward(seconds=rests_s - 1)
        assert waiting_sessions(later, most=9) == []
        assert begin(later, session)[1] is None
        clock.forward(seconds=1)
        assert waiting_sessions(later, most=9) == [session]


def test_a_fault_of_ours_is_tried_again_and_then_told(later, send, clock, monkeypatch):
    session = send(probe_recording())
    monkeypatch.setattr(compute, "read_session", lambda *_: 1 / 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            compute_session(later, session)
        told = get_session(later, session)
        assert (told["status"], told["error"]) == (
            "received", {"code": "processing_failed", "detail": "ZeroDivisionError"},
        )  # fmt: skip
        clock.forward(minutes=1)
    with pytest.raises(ZeroDivisionError):
        compute_session(later, session)
    told = get_session(later, session)
    assert (told["status"], told["error"]["code"], told["recordings"][0]["status"]) == (
        "parked", "processing_parked", "parked",
    )  # fmt: skip
    assert told["error"]["last"] == {"code": "processing_failed", "detail": "ZeroDivisionError"}


def test_bytes_that_cannot_be_read_after_all_are_rejected(later, send, monkeypatch):
    from konectom.errors import NotJson

    session = send(probe_recording())

    def refuse(*_, **__):
        raise NotJson("this is no JSON")

    monkeypatch.setattr(reading.formats, "read", refuse)
    assert compute_session(later, session) == "rejected"
    told = get_session(later, session)
    assert (told["status"], told["error"]["code"], statuses(later, session)) == ("rejected", "not_json", ["rejected"])


def test_where_the_store_cannot_be_reached_is_no_try(later, send, clock, monkeypatch):
    session = send(probe_recording())

    def away(_name):
        raise StoreUnavailable("the store is away")

    with monkeypatch.context() as patched:
        patched.setattr(type(later.objects), "get", lambda _self, name: away(name))
        with pytest.raises(StoreUnavailable):
            compute_session(later, session)
        assert not compute_or_log(later, session)
    assert (row(later, session).tries, row(later, session).fault["code"]) == (0, "store_unavailable")
    assert compute_session(later, session) == "received"  # it is not asked at once again
    clock.forward(seconds=10)
    assert compute_session(later, session) == "processed"
    assert row(later, session).fault is None


# One recording that ends the process.


def die(services, session_id, index=None):
    """A try in which the process ends, at this recording where each is tried alone."""
    _, mine = begin(services, session_id)
    assert mine is not None
    assert mine.suspect == (index is not None)
    if index is not None:
        assert begin_recording(services, session_id, index)
    end(services, session_id, PROCESS_ENDED)


def test_after_the_process_ended_each_is_kept_by_itself(later, send, clock, monkeypatch):
    session = send(probe_recording(), probe_recording(), probe_recording())
    die(later, session)
    clock.forward(minutes=1)
    begun = []

    def extract(recording, index):
        if index == 1:
            raise SystemExit  # the process ends here
        return extract_recording(recording, index)

    extract_recording = reading.extract_recording
    with monkeypatch.context() as patched:
        patched.setattr(reading, "extract_recording", extract)
        with pytest.raises(SystemExit):
            compute_session(later, session, begun=begun.append)
    assert begun == [None, 0, 1]
    assert statuses(later, session) == ["processed", "received", "received"]
    assert [each.tries for each in recordings(later, session)] == [0, 1, 0]
    assert row(later, session).status == "received"
    end(later, session, OUT_OF_TIME)
    clock.forward(minutes=1)
    begun.clear()
    assert compute_session(later, session, begun=begun.append) == "processed"
    assert begun == [None, 2, 1, None]
    assert (count(later, ResultRow), statuses(later, session)) == (3, ["processed"] * 3)


def test_it_is_given_up_alone(later, send, clock):
    session = send(probe_recording(), probe_recording())
    die(later, session)
    for _ in range(3):
        clock.forward(hours=1)
        die(later, session, 1)
    assert statuses(later, session) == ["received", "parked"]
    told = recordings(later, session)[1].error
    assert (told["code"], told["last"]["code"]) == ("processing_parked", "process_ended")
    clock.forward(hours=1)
    assert compute_session(later, session) == "processed"
    assert statuses(later, session) == ["processed", "parked"]
    assert row(later, session).fault is None
    listed = list_sessions(later, status="parked")["items"]
    assert [each["id"] for each in listed] == [str(session)]
    assert [(each["session"], each["index"]) for each in list_parked(later)] == [(str(session), 1)]


def test_where_no_recording_is_to_blame_all_are_given_up(later, send, clock):
    session = send(probe_recording(), probe_recording())
    die(later, session)
    for _ in range(2):
        clock.forward(hours=1)
        assert begin(later, session)[1].suspect
        end(later, session, PROCESS_ENDED)
    assert (row(later, session).status, statuses(later, session)) == ("parked", ["parked"] * 2)


def test_a_lack_of_memory_is_a_try_of_one_recording(later, send, clock, monkeypatch):
    session = send(probe_recording(), probe_recording())
    extract_recording = reading.extract_recording

    def hungry(recording, index):
        if index == 0:
            raise MemoryError
        return extract_recording(recording, index)

    monkeypatch.setattr(reading, "extract_recording", hungry)
    for _ in range(5):
        if row(later, session).status == "received":
            compute_or_log(later, session)
            clock.forward(hours=1)
    assert statuses(later, session) == ["parked", "processed"]
    assert recordings(later, session)[0].error["last"] == {"code": "processing_failed", "detail": "MemoryError"}


def test_what_was_given_up_waits_again_when_told(later, send, clock):
    session, other = send(probe_recording(), probe_recording()), send(probe_recording())
    die(later, session)
    for _ in range(3):
        clock.forward(hours=1)
        die(later, session, 1)
    clock.forward(hours=1)
    compute_session(later, session)
    assert retry_parked(later, sessions=[other]) == []
    assert retry_parked(later, patient_id=uuid4()) == []
    assert retry_parked(later) == [session]
    assert (row(later, session).status, row(later, session).tries) == ("received", 0)
    assert statuses(later, session) == ["processed", "received"]
    assert compute_session(later, session) == "processed"
    assert (statuses(later, session), count(later, ResultRow)) == (["processed"] * 2, 2)
    assert list_parked(later) == []


def test_as_of_a_day_before_it_was_tried_again_it_is_told_as_given_up(later, send, clock):
    session = send(probe_recording(), probe_recording(), {"assessment": "probe"})
    said = [(clock(), get_session(later, session))]
    for number in range(4):
        clock.forward(hours=1)
        die(later, session, *([1] if number else []))
    clock.forward(hours=1)
    assert compute_session(later, session) == "processed"
    assert statuses(later, session) == ["processed", "parked", "rejected"]
    said.append((clock(), get_session(later, session)))
    clock.forward(hours=1)
    retry_parked(later)
    said.append((clock(), get_session(later, session)))
    clock.forward(hours=1)
    assert compute_session(later, session) == "processed"
    assert [(then["status"], [each["status"] for each in then["recordings"]]) for _, then in said] == [
        ("received", ["received", "received", "received"]),
        ("processed", ["processed", "parked", "rejected"]),
        ("received", ["processed", "received", "rejected"]),
    ]
    told = [get_session(later, session, as_of=at) for at, _ in said]
    assert [each["recordings"] for each in told] == [then["recordings"] for _, then in said]


def test_a_try_that_is_given_back_does_not_count(later, send, clock):
    session = send(probe_recording(), probe_recording())
    die(later, session)
    clock.forward(hours=1)
    begin(later, session)
    begin_recording(later, session, 1)
    give_back(later, session, index=1)
    assert (row(later, session).tries, row(later, session).tried_at) == (1, None)
    assert [each.tries for each in recordings(later, session)] == [0, 0]
    assert compute_session(later, session) == "processed"


# Patients who are restricted or erased meanwhile, and what follows from scores.


def test_a_restricted_patients_session_waits(later, send, patient, clock):
    session = send(probe_recording())
    restrict_patient(later, patient, reason="asked for")
    assert compute_session(later, session) == "received"
    assert (waiting_sessions(later, most=9), any_waits(later), row(later, session).tries) == ([], False, 0)
    resume_patient(later, patient)
    assert waiting_sessions(later, most=9) == [session]
    assert compute_session(later, session) == "processed"


def test_of_a_restricted_type_nothing_is_kept(later, send, patient, clock, monkeypatch):
    session = send(probe_recording())
    extract = reading.extract_recording

    def restricted_meanwhile(*args):
        restrict_patient(later, patient, reason="asked for", data_types=["none"])
        return extract(*args)

    monkeypatch.setattr(compute, "data_types_of", lambda _recording: frozenset({"none"}))
    monkeypatch.setattr("konectom.workflows.consent.restrictions.checked_types", list)
    with monkeypatch.context() as patched:
        patched.setattr(reading, "extract_recording", restricted_meanwhile)
        assert compute_session(later, session) == "received"
    assert (count(later, ResultRow), row(later, session).tries, statuses(later, session)) == (0, 0, ["received"])
    assert not any_waits(later)
    clock.forward(minutes=20)
    assert compute_session(later, session) == "received"
    resume_patient(later, patient)
    assert compute_session(later, session) == "processed"


def test_an_erased_patients_session_comes_to_nothing(later, send, patient, monkeypatch):
    session = send(probe_recording())
    extract = reading.extract_recording

    def erased_meanwhile(*args):
        erase_patient(later, patient, reason="asked_by_patient")
        return extract(*args)

    monkeypatch.setattr(reading, "extract_recording", erased_meanwhile)
    assert compute_session(later, session) is None
    assert (count(later, ResultRow), count(later, SessionRow), count(later, ScoreRow)) == (0, 0, 0)
    assert compute_session(later, session) is None


def test_scores_that_come_late_are_reviewed(later, people, probe, clock, send):
    study = people.study()
    patient = People(later).patient(study)
    session = send(probe_recording(), patient=patient)
    clock.forward(minutes=10)
    review_patient(later, patient)
    clock.forward(minutes=10)
    with later.db.read() as db:
        assert count_due(db, study, clock.now) == 0
    compute_session(later, session)
    with later.db.read() as db:
        assert db.get(Review, patient) is None
        assert count_due(db, study, clock.now) == 1


# Servers that compute.


def test_a_server_computes_what_waited_for_workers(later, at_once, send):
    sessions = [send(probe_recording()) for _ in range(3)]
    assert sweep_sessions(later) == 0  # on SQLite workers look for themselves
    assert sweep_sessions(at_once, most=2) == 2
    assert sweep_sessions(at_once) == 1
    assert [row(later, each).status for each in sessions] == ["processed"] * 3


def test_a_server_does_so_beside_its_requests(later, at_once, send, monkeypatch):
    from konectom.workflows.sessions.rounds import Rounds

    session = send(probe_recording())
    rounds = Rounds(at_once)
    monkeypatch.setattr(rounds._stopping, "wait", lambda _s: True)  # one round
    rounds.start()
    rounds._thread.join(60)
    assert row(later, session).status == "processed"


def test_a_server_that_stops_gives_back_what_it_was_computing(later, at_once, send, monkeypatch):
    import threading

    from konectom.workflows.sessions import rounds as module

    session = send(probe_recording())
    begun, go = threading.Event(), threading.Event()

    def blocks(services, session_id):
        begin(services, session_id)
        begun.set()
        return go.wait(60)

    monkeypatch.setattr(module, "compute_or_log", blocks)
    rounds = module.Rounds(at_once)
    rounds.start()
    assert begun.wait(60)
    assert row(later, session).tries == 1
    rounds.stop(within_s=0)
    assert (row(later, session).tries, row(later, session).tried_at) == (0, None)
    go.set()
    rounds._thread.join(60)


def test_an_upload_for_which_there_is_no_memory_waits(at_once, send, monkeypatch):
    def hungry(_session):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(ingest, "extract_session", hungry)
        session = send(probe_recording(), services=at_once)
    assert get_session(at_once, session)["status"] == "received"
    assert sweep_sessions(at_once) == 1
    assert get_session(at_once, session)["status"] == "processed"
