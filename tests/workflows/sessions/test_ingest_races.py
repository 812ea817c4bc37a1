"""The same session sent by many at once is one session, and each of them gets its receipt."""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from konectom.assessments import every_assessment
from konectom.errors import DigestConflict, NotFound
from konectom.storage.models import (
    Blob,
    CatalogueRow,
    MeasureRow,
    Patient,
    PatientKey,
    QuarantineRow,
    ResultRow,
    SessionRow,
)
from konectom.workflows.patients.patient_keys import patient_key
from konectom.workflows.services import Services
from konectom.workflows.sessions import ingest
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.keep import keep_session, remove_orphan
from konectom.workflows.sessions.raw import raw_bytes, sealed_upload
from tests.kept import kept
from tests.probe import probe_of, probe_recording, session_body

THREADS, PROCESSES = 24, 4


def name_of(services, patient, body):
    """The name of the object that holds these bytes of this patient."""
    return sealed_of(services, patient, body).name


def sealed_of(services, patient, body):
    with services.db.read() as db:
        return sealed_upload(patient_key(services, db, patient), body)


def count(services, model):
    with services.db.read() as db:
        return db.scalar(select(func.count()).select_from(model))


def meet_before_writing(monkeypatch, parties):
    """Let nobody write before all have seen that nothing is there."""
    barrier, keep = threading.Barrier(parties), ingest.keep_session

    def meet(*rows):
        if not met.is_set():
            barrier.wait(60)
            met.set()
        return keep(*rows)

    met = threading.Event()
    monkeypatch.setattr(ingest, "keep_session", meet)


def test_threads_that_send_the_same_session(services, patient, probe, monkeypatch):
    meet_before_writing(monkeypatch, THREADS)
    body, session_id = session_body(), uuid4()

    def send(_):
        return ingest_session(services, session_id=session_id, patient_id=patient, body=body)

    with ThreadPoolExecutor(THREADS) as pool:
        all_sent = list(pool.map(send, range(THREADS)))
    assert sum(each.created for each in all_sent) == 1
    assert all(each.receipt == all_sent[0].receipt for each in all_sent)
    assert [count(services, model) for model in (SessionRow, Blob, ResultRow, CatalogueRow)] == [1, 1, 1, 1]


def test_threads_that_send_different_bytes_under_one_id(services, patient, probe, monkeypatch):
    meet_before_writing(monkeypatch, THREADS)
    session_id = uuid4()

    def send(number):
        try:
            body = session_body(probe_recording(x=[float(number)] * 5))
            return ingest_session(services, session_id=session_id, patient_id=patient, body=body)
        except DigestConflict as conflict:
            return conflict

    with ThreadPoolExecutor(THREADS) as pool:
        all_sent = list(pool.map(send, range(THREADS)))
    assert sum(isinstance(each, DigestConflict) for each in all_sent) == THREADS - 1
    assert [count(services, model) for model in (SessionRow, Blob, ResultRow)] == [1, THREADS, 1]
    # What was refused is held, and what was kept is whole.
    assert count(services, QuarantineRow) == THREADS - 1
    (accepted,) = [each for each in all_sent if not isinstance(each, DigestConflict)]
    with services.db.read() as db:
        row = db.get(SessionRow, session_id)
    assert row.object in {file.name for file in kept(services)}
    assert len(kept(services)) == THREADS
    assert f"sha256:{sha256(raw_bytes(services, row)).hexdigest()}" == accepted.receipt["digest"]


def test_bytes_that_another_session_has_stay_when_they_lose_a_race(services, patient, probe, monkeypatch):
    """They are refused under one id, and kept under another."""
    taken, body, other = uuid4(), session_body(), session_body(probe_recording(x=[9.0] * 5))
    ingest_session(services, session_id=uuid4(), patient_id=patient, body=body)

    def too_late(*rows):
        monkeypatch.undo()
        monkeypatch.setitem(every_assessment(), "probe", probe_of(1))
        ingest_session(services, session_id=taken, patient_id=patient, body=other)
        return keep_session(*rows)

    monkeypatch.setattr(ingest, "keep_session", too_late)
    with pytest.raises(DigestConflict):
        ingest_session(services, session_id=taken, patient_id=patient, body=body)
    assert services.objects.exists(name_of(services, patient, body))
    assert len(kept(services)) == 2


def test_bytes_that_are_removed_while_another_is_about_to_keep_them_are_put_back(services, patient, probe, monkeypatch):
    """One upload has put its bytes and not yet its rows when the same bytes, refused elsewhere, are removed."""
    body = session_body()
    sealed = sealed_of(services, patient, body)

    def removed_before(*rows):
        assert services.objects.exists(sealed.name)
        remove_orphan(services, sealed.name)
        assert not services.objects.exists(sealed.name)
        return keep_session(*rows)

    monkeypatch.setattr(ingest, "keep_session", removed_before)
    assert ingest_session(services, session_id=uuid4(), patient_id=patient, body=body).created
    assert services.objects.get(sealed.name) == sealed.data
    remove_orphan(services, sealed.name)  # named by a row by now
    assert services.objects.get(sealed.name) == sealed.data
    assert count(services, Blob) == 1


def test_the_same_bytes_refused_and_kept_at_once_are_never_lost(services, patient, probe):
    """Half of the senders come late under a taken id, the others keep the same bytes under ids of their own."""
    taken, body = uuid4(), session_body()
    sealed = sealed_of(services, patient, body)
    ingest_session(services, session_id=taken, patient_id=patient, body=session_body(probe_recording(x=[9.0] * 5)))

    def send(number):
        if number % 2:
            services.objects.put(sealed.name, sealed.data)
            remove_orphan(services, sealed.name)
            return None
        return ingest_session(services, session_id=uuid4(), patient_id=patient, body=body).created

    with ThreadPoolExecutor(THREADS) as pool:
        assert sum(created is True for created in pool.map(send, range(2 * THREADS))) == THREADS
    assert services.objects.get(sealed.name) == sealed.data


def test_a_patient_who_is_erased_during_an_upload_leaves_nothing(services, patient, probe, monkeypatch):
    def erased_before(*rows):
        with services.db.write() as db:
            db.delete(db.get(PatientKey, patient))
            db.flush()
            db.delete(db.get(Patient, patient))
        return keep_session(*rows)

    monkeypatch.setattr(ingest, "keep_session", erased_before)
    with pytest.raises(NotFound):
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body())
    assert kept(services) == []
    assert [count(services, model) for model in (SessionRow, Blob, ResultRow)] == [0, 0, 0]


def test_threads_that_send_different_sessions_share_what_they_share(services, patient, probe, monkeypatch):
    meet_before_writing(monkeypatch, THREADS)

    def send(_):
        return ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body())

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(each.created for each in pool.map(send, range(THREADS)))
    assert [count(services, model) for model in (SessionRow, Blob, CatalogueRow, MeasureRow)] == [THREADS, 1, 1, 3 - 1]


def test_what_is_never_stored_is_told_in_the_end(services, patient, probe, monkeypatch):
    tries = []

    def fail(*rows):
        tries.append(rows)
        raise IntegrityError("INSERT", {}, Exception("something else is wrong"))

    monkeypatch.setattr(ingest, "keep_session", fail)
    with pytest.raises(IntegrityError):
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body())
    assert len(tries) == ingest.ATTEMPTS


def send_all(settings, patient, session_ids, barrier, answer):
    every_assessment()["probe"] = probe_of(1)
    services = Services.open(settings)
    barrier.wait(60)
    try:
        for session_id in session_ids:
            sent = ingest_session(services, session_id=session_id, patient_id=patient, body=session_body())
            answer.put((session_id, sent.created, sent.receipt))
        answer.put(None)
    except Exception as error:
        answer.put(repr(error))
    services.close()


def test_processes_that_send_the_same_sessions(services, patient, probe):
    context = multiprocessing.get_context("spawn")
    barrier, answer = context.Barrier(PROCESSES), context.Queue()
    session_ids = [uuid4() for _ in range(10)]
    senders = [
        context.Process(target=send_all, args=(services.settings, patient, session_ids, barrier, answer))
        for _ in range(PROCESSES)
    ]
    for sender in senders:
        sender.start()
    told = [answer.get(timeout=120) for _ in range(PROCESSES * (len(session_ids) + 1))]
    for sender in senders:
        sender.join(60)
    assert [each for each in told if not isinstance(each, tuple)] == [None] * PROCESSES
    told = [each for each in told if each is not None]
    for session_id in session_ids:
        receipts = [(created, receipt) for sent, created, receipt in told if sent == session_id]
        assert sum(created for created, _ in receipts) == 1
        assert all(receipt == receipts[0][1] for _, receipt in receipts)
    assert count(services, SessionRow) == len(session_ids)
    assert count(services, ResultRow) == len(session_ids)
