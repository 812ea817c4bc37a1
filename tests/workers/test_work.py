"""Real workers, each a process with processes of its own."""

import os
import signal
import subprocess
import sys

import orjson
import pytest

from konectom.workflows.consent.restrictions import restrict_patient, resume_patient
from konectom.workflows.sessions.left_behind import sweep_sessions, waiting_sessions
from tests.conftest import People
from tests.workers.conftest import PATIENCE_S
from tests.workers.poison import BLOCKS, ENDS, HANGS, HUNGRY, recording

pytestmark = pytest.mark.long


def test_what_waits_is_computed(ward, kind):
    sessions = [ward.send(recording(), recording(samples=7)) for _ in range(5)]
    said = ward.work("--concurrency", "2")
    assert [ward.row(each).status for each in sessions] == ["processed"] * 5, said
    assert [ward.row(each).tries for each in sessions] == [1] * 5
    assert ward.results() == 10
    if kind == "postgresql":
        assert ward.jobs() == []
    assert not [each for each in (*sessions, ward.patient) if str(each) in said]


def test_two_workers_on_the_same_sessions_compute_each_once(ward):
    sessions = [ward.send(recording(), recording()) for _ in range(12)]
    workers = [ward.worker("--until-done") for _ in range(2)]
    done = 0
    for each in workers:
        _, said = each.communicate(timeout=PATIENCE_S)
        assert each.returncode == 0, said
        done += sum(line["sessions"] for line in log_of(said) if line["event"] == "worker.stopped")
    assert [(ward.row(each).status, ward.row(each).tries) for each in sessions] == [("processed", 1)] * 12
    assert ward.results() == 24
    assert done >= 12


@pytest.mark.parametrize("what", [ENDS, HUNGRY], ids=["ends", "hungry"])
def test_one_recording_that_ends_the_process_does_not_cost_the_others(ward, what):
    spoiled, sound = ward.send(recording(), recording(what), recording()), ward.send(recording())
    ward.work()
    assert ward.row(sound).status == ward.row(spoiled).status == "processed"
    assert ward.statuses(spoiled) == ["processed", "parked", "processed"]
    reason = ward.recordings(spoiled)[1].error
    assert reason["code"] == "processing_parked"
    told = {"code": "processing_failed", "detail": "MemoryError"} if what == HUNGRY else {"code": "process_ended"}
    assert told.items() <= reason["last"].items()
    assert ward.results() == 3


def test_one_that_takes_too_long_is_ended(make_ward):
    ward = make_ward(processing_time_limit="3 s")
    session = ward.send(recording(HANGS), recording())
    ward.work()
    assert ward.statuses(session) == ["parked", "processed"]
    assert ward.recordings(session)[0].error["last"]["code"] == "out_of_time"


def test_a_session_of_which_nothing_can_be_computed_is_parked_and_taken_up_again(ward):
    from konectom.workflows.sessions.left_behind import list_parked

    session = ward.send(recording(ENDS))
    ward.work()
    row = ward.row(session)
    assert (row.status, row.fault["code"], row.fault["last"]["code"]) == (
        "parked", "processing_parked", "process_ended",
    )  # fmt: skip
    assert [(each["session"], each["index"], each["last"]) for each in list_parked(ward.services)] == [
        (str(session), 0, "process_ended")
    ]
    listed = ward.command("worker", "parked", "--format", "json")
    out, said = listed.communicate(timeout=PATIENCE_S)
    assert listed.returncode == 0, said
    assert [each["session"] for each in orjson.loads(out)] == [str(session)]
    again = ward.command("worker", "retry", "--session", str(session))
    out, said = again.communicate(timeout=PATIENCE_S)
    assert (again.returncode, out) == (0, "1 sessions wait again\n"), said
    assert (ward.row(session).status, ward.statuses(session)) == ("received", ["received"])
    ward.work()
    assert ward.row(session).status == "parked"


def test_a_process_that_is_killed_costs_one_try(ward):
    session = ward.send(recording(BLOCKS))
    worker = ward.worker("--until-done")
    os.kill(ward.met(), signal.SIGKILL)
    ward.met()
    ward.let_go()
    _, said = worker.communicate(timeout=PATIENCE_S)
    assert worker.returncode == 0, said
    assert (ward.row(session).status, ward.row(session).tries) == ("processed", 2)
    assert ward.results() == 1


def test_a_worker_that_is_told_to_stop_ends_what_is_under_way(ward):
    first, second = ward.send(recording(BLOCKS)), ward.send(recording(BLOCKS))
    worker = ward.worker()
    ward.met()
    worker.send_signal(signal.SIGTERM)
    wait_for(worker, "worker.stopping")
    ward.let_go()
    _, said = worker.communicate(timeout=PATIENCE_S)
    assert worker.returncode == 0, said
    assert (ward.row(first).status, ward.row(second).status) == ("processed", "received")
    assert (ward.row(second).tries, ward.row(second).tried_at) == (0, None)


@pytest.mark.parametrize("how", ["time is over", "told twice"])
def test_what_does_not_end_in_time_is_given_back(make_ward, how, kind):
    ward = make_ward(worker_drain_time="1 s" if how == "time is over" else "10 min")
    session = ward.send(recording(BLOCKS))
    worker = ward.worker()
    ward.met()
    worker.send_signal(signal.SIGTERM)
    if how == "told twice":
        wait_for(worker, "worker.stopping")
        worker.send_signal(signal.SIGINT)
    _, said = worker.communicate(timeout=PATIENCE_S)
    assert worker.returncode == 0, said
    row = ward.row(session)
    assert (row.status, row.tries, row.tried_at, row.fault) == ("received", 0, None, None)
    if kind == "postgresql":
        assert [each["status"] for each in ward.jobs()] == ["todo"]
    again = ward.worker("--until-done")
    ward.met()
    ward.let_go()
    again.communicate(timeout=PATIENCE_S)
    assert (ward.row(session).status, ward.row(session).tries) == ("processed", 1)


def test_a_worker_that_is_killed_leaves_nothing_undone(make_ward, kind):
    """All of it at once, as when its host loses power."""
    ward = make_ward(processing_time_limit="2 s")
    session = ward.send(recording(BLOCKS))
    worker = ward.worker()
    child = ward.met()
    os.kill(worker.pid, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    worker.communicate(timeout=PATIENCE_S)
    assert ward.row(session).tries == 1
    # What tells that it is dead: its silence, or that the time for a session is over; both are long past.
    with ward.services.db.engine.begin() as db:
        db.exec_driver_sql("UPDATE session SET tried_at = '2026-01-01 00:00:00+00'")
        if kind == "postgresql":
            db.exec_driver_sql("UPDATE procrastinate_workers SET last_heartbeat = '2026-01-01'")
    again = ward.worker("--until-done", processing_time_limit="10 min")
    ward.met()
    ward.let_go()
    _, said = again.communicate(timeout=PATIENCE_S)
    assert again.returncode == 0, said
    assert (ward.row(session).status, ward.row(session).tries) == ("processed", 2)
    if kind == "postgresql":
        assert ward.jobs() == []


def test_sessions_whose_jobs_were_lost_are_found(ward, kind):
    sessions = [ward.send(recording()) for _ in range(3)]
    if kind == "postgresql":
        with ward.services.db.engine.begin() as db:
            db.exec_driver_sql("DELETE FROM procrastinate_jobs")
    ward.work()
    assert [ward.row(each).status for each in sessions] == ["processed"] * 3


def test_sessions_of_restricted_patients_wait(ward, kind):
    other = People(ward.services).patient()
    waits, done = ward.send(recording()), ward.send(recording(), patient=other)
    restrict_patient(ward.services, ward.patient, reason="asked for it")
    ward.work()
    assert (ward.row(waits).status, ward.row(done).status) == ("received", "processed")
    assert (ward.row(waits).tries, waiting_sessions(ward.services, most=9)) == (0, [])
    assert sweep_sessions(ward.services) == 0
    resume_patient(ward.services, ward.patient)
    if kind == "postgresql":
        assert [each["queueing_lock"] for each in ward.jobs()] == [str(waits)]
    ward.work()
    assert ward.row(waits).status == "processed"


def test_whether_a_worker_is_alive_can_be_asked(ward):
    def asked():
        process = ward.command("worker", "--check")
        out, _ = process.communicate(timeout=PATIENCE_S)
        return process.returncode, out

    assert asked()[0] == 1
    ward.send(recording(BLOCKS))
    worker = ward.worker()
    ward.met()
    status, out = asked()
    assert status == 0
    assert out.startswith(f"{worker.pid}: working, 1 processes")
    ward.let_go()
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=PATIENCE_S)
    assert asked()[0] == 1


def test_where_servers_compute_there_is_nothing_for_a_worker(ward):
    process = ward.worker(processing="request")
    _, said = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, "setting_invalid" in said) == (1, True)


def test_what_runs_on_sqlite_imports_nothing_of_the_queue():
    script = """
import sys
import konectom.app, konectom.workers.work, konectom.workers.polling, konectom.workflows.sessions.left_behind
print(sorted({"procrastinate", "psycopg_pool", "psycopg"} & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def log_of(said):
    return [orjson.loads(line) for line in said.splitlines() if line.startswith("{")]


def wait_for(worker, event):
    """Read the worker's log up to this event."""
    for line in worker.stderr:
        if event in line:
            return
    raise AssertionError("the log ended")
