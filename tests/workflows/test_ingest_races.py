"""The same session sent by many at once is one session, and each of them gets its receipt."""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from konectom.assessments import every_assessment
from konectom.errors import DigestConflict
from konectom.storage.models import Blob, CatalogueRow, MeasureRow, ResultRow, SessionRow
from konectom.workflows import ingest
from konectom.workflows.ingest import ingest_session
from konectom.workflows.services import Services
from tests.probe import probe_of, probe_recording, session_body

THREADS, PROCESSES = 24, 4


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
        keep(*rows)

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
    assert [count(services, model) for model in (SessionRow, Blob, ResultRow)] == [1, 1, 1]


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
