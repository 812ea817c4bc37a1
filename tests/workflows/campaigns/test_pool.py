"""Who computes: processes that end, a cluster, bounded chunks."""

import os
import pickle
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from uuid import UUID, uuid4

import pytest

from konectom.errors import FieldInvalid, WorkersDiffer, WorkersLost
from konectom.formats import Limits
from konectom.settings import load_settings
from konectom.workflows.campaigns.decisions import get_campaign
from konectom.workflows.campaigns.pool import AHEAD, Workers, in_this_process, on_cluster, on_this_machine
from konectom.workflows.campaigns.recompute import Task, compute
from konectom.workflows.sessions.listing import get_session
from tests.kept import kept
from tests.probe import probe_recording, session_body
from tests.workers import poison
from tests.workflows.campaigns.campaigning import plan, results, send, work
from tests.world import tapping


@dataclass(frozen=True)
class Some:
    tasks: tuple[Task, ...]


def task(body: bytes, wanted: tuple[int, ...] = (0,)) -> Task:
    return Task(uuid4(), body, None, None, wanted, Limits())


TAPS = task(tapping("phone"))


def test_what_comes_back_is_plain_and_small():
    (came,) = compute((TAPS,))
    assert came[0].values.assessment == "tap"
    assert len(pickle.dumps(came)) < 40_000


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [(b"{", "rejected", "not_json"), (session_body({"assessment": "none"}), "rejected", "assessment_unknown")],
    ids=["no body", "no such test"],
)
def test_what_cannot_be_read_is_an_outcome(body, status, code):
    (came,) = compute((task(body),))
    assert (came[0].status, came[0].error["code"], came[0].values) == (status, code, None)


def test_a_recording_that_is_not_there_is_an_outcome():
    (came,) = compute((task(tapping("phone"), (7,)),))
    assert (came[7].status, came[7].error["code"]) == ("failed", "extraction_failed")


def test_only_some_chunks_are_under_way():
    class Counting(Executor):
        def __init__(self):
            self.under_way = self.most = 0

        def submit(self, fn, /, *args, **kwargs):
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            future = Future()
            result = future.result

            def taken(timeout=None):
                self.under_way -= 1
                return result(timeout)

            future.result = taken
            future.set_result(fn(*args))
            return future

    executor = Counting()
    read = []

    def chunks():
        for number in range(40):
            read.append(number)
            assert len(read) - len(done) <= 3 * AHEAD + 2
            yield Some(())

    done = []
    for each in Workers(lambda: executor, 3).each(chunks()):
        done.append(each)
    assert len(done) == 40
    assert executor.most == 3 * AHEAD + 1


def test_processes_of_their_own_compute_what_a_thread_does():
    chunks = [Some((TAPS,)), Some((TAPS, TAPS)), Some(())]
    here = [came for _, came in in_this_process().each(iter(chunks))]
    there = [came for _, came in on_this_machine(1, load_settings({})).each(iter(chunks))]
    assert [len(each) for each in there] == [1, 2, 0]
    for one, other in zip(chain(*here), chain(*there), strict=True):
        assert one[0].values.features.tobytes() == other[0].values.features.tobytes()
        assert one[0].values.digest == other[0].values.digest


class Ending(ProcessPoolExecutor):
    """Whose process ends when it is to compute the body ``end``."""

    def submit(self, fn, /, tasks=(), **kwargs):
        if any(each.body == b"end" for each in tasks):
            return super().submit(os._exit, 1)
        return super().submit(fn, tasks)


def test_a_session_that_ends_its_process_costs_no_other():
    @contextmanager
    def open_pool():
        with Ending(1) as executor:
            yield executor

    chunks = [Some((TAPS,)), Some((TAPS, task(b"end"), TAPS)), Some((TAPS,)), Some((TAPS,))]
    found = [came for _, came in Workers(open_pool, 1).each(iter(chunks))]
    statuses = [[each[0].status for each in came] for came in found]
    assert statuses == [["processed"], ["processed", "failed", "processed"], ["processed"], ["processed"]]
    assert found[1][1][0].error["code"] == "extraction_failed"


@pytest.mark.long
def test_a_session_that_takes_too_long_costs_no_other(monkeypatch, tmp_path):
    """One was perhaps given up for that."""
    plugins = tmp_path / "poison-1.dist-info"
    plugins.mkdir()
    (plugins / "METADATA").write_text("Metadata-Version: 2.1\nName: poison\nVersion: 1\n")
    (plugins / "entry_points.txt").write_text("[konectom.assessments]\npoison = tests.workers.poison:poison\n")
    monkeypatch.syspath_prepend(str(tmp_path))  # which processes that are spawned take over
    fine, hangs = (task(session_body(poison.recording(what))) for what in (poison.FINE, poison.HANGS))
    workers = on_this_machine(1, load_settings({}, processing_time_limit="5 s"))
    found = [came for _, came in workers.each(iter([Some((fine, hangs)), Some((fine,))]))]
    assert [[each[0].status for each in came] for came in found] == [["processed", "failed"], ["processed"]]


def test_where_no_process_computes_the_campaign_is_paused_and_says_why(services, people, probe):
    study = people.study()
    send(services, people.patient(study))

    class Broken(Executor):
        def submit(self, fn, /, *args, **kwargs):
            future = Future()
            future.set_exception(MemoryError())
            return future

    probe(version=2)
    campaign = plan(services, study=study)
    with pytest.raises(WorkersLost):
        work(services, campaign, "run", unseen=True, workers=Workers(Broken, 1))
    found = get_campaign(services, campaign)
    assert (found["state"], found["error"]["code"]) == ("paused", "workers_lost")
    assert work(services, campaign, "resume")["error"] is None
    assert len(results(services)) == 2


def test_a_worker_of_another_release_is_recognised(services, people, probe):
    study = people.study()
    send(services, people.patient(study))

    def compute_otherwise(tasks):
        return [
            {index: replace(each, values=replace(each.values, digest="another")) for index, each in came.items()}
            for came in compute(tasks)
        ]

    probe(version=2)
    otherwise = replace(in_this_process(), compute=compute_otherwise)
    campaign = plan(services, study=study)
    with pytest.raises(WorkersDiffer):
        work(services, campaign, "dry-run", workers=otherwise)
    found = get_campaign(services, campaign)
    assert (found["state"], found["error"]["code"]) == ("paused", "workers_differ")


def test_an_object_that_is_damaged_costs_its_session_only(services, people, probe):
    study = people.study()
    patient = people.patient(study)
    receipts = [send(services, patient, probe_recording(x=[value, 2, 3, 4])) for value in (1.0, 2.0)]
    kept(services)[0].write_bytes(b"damaged")
    probe(version=2)
    done = work(services, plan(services, study=study), "run", unseen=True)
    assert done["counts"] == {"results": 1, "unreadable": 1, "sessions": 2}
    versions = sorted(get_session(services, UUID(each["id"]))["recordings"][0]["version"] for each in receipts)
    assert versions == [1, 2]


@pytest.mark.parametrize("address", ["tcp://scheduler:8786", "scheduler:8786", "ws://127.0.0.1.example.org:1"])
def test_a_cluster_elsewhere_must_be_encrypted(address):
    with pytest.raises(FieldInvalid) as refused:
        on_cluster(address)
    assert refused.value.at == "/scheduler"


def test_a_cluster_that_is_not_there_is_told():
    pytest.importorskip("distributed")
    import dask

    with dask.config.set({"distributed.comm.timeouts.connect": "200ms"}), pytest.raises(WorkersLost):
        on_cluster("tcp://127.0.0.1:9")


@pytest.mark.long
def test_a_dask_cluster_computes(services, people, probe):
    distributed = pytest.importorskip("distributed")
    study = people.study()
    patient = people.patient(study)
    for value in (1.0, 7.0, 1e7):
        send(services, patient, probe_recording(x=[value, 2, 3, 4]))
    probe(version=2, extra=True)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, protocol="tcp", host="127.0.0.1"
    ) as cluster:
        workers = on_cluster(cluster.scheduler_address)
        assert workers.width == 2
        campaign = plan(services, study=study)
        by_cluster = work(services, campaign, "dry-run", workers=workers)["report"]
        here = work(services, plan(services, study=study), "dry-run")["report"]
        done = work(services, campaign, "run", workers=workers)
    assert by_cluster == here
    assert done["counts"] == {"results": 2, "failed": 1, "sessions": 3}
