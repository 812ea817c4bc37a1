"""What campaigns compute besides recordings of usual sessions: large ones, and uploads in quarantine."""

import os
import warnings
from uuid import uuid4

import pytest
from sqlalchemy import update

from konectom.assessments import every_assessment
from konectom.errors import KonectomError
from konectom.storage.models import Campaign, RecordingRow, SessionRow
from konectom.workflows.campaigns import runs
from konectom.workflows.campaigns.decisions import decide, get_campaign
from konectom.workflows.sessions.compute import compute_session
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.listing import get_session
from konectom.workflows.uploads.receiving import receive
from tests.people import with_settings
from tests.probe import probe_recording, session_body
from tests.workflows.campaigns.campaigning import plan, recompute_all, results, work
from tests.workflows.uploads.test_uploads import begin, large_session, narrow, whole

__all__ = ["narrow"]


@pytest.fixture
def large(narrow, patient, probe):
    """A session that is larger than one request may be, computed by the first version."""
    body, session = large_session("arrow"), uuid4()
    receive(narrow, begin(narrow, patient, body, session), whole(body), offset=0)
    assert compute_session(narrow, session) == "processed"
    return session


def test_a_large_session_is_computed_again(services, narrow, large, probe, people):
    probe(version=2)
    campaign = plan(narrow)
    assert work(narrow, campaign, "dry-run")["report"]["assessments"][0]["results"] == 3
    assert work(narrow, campaign, "run")["counts"] == {"results": 3, "sessions": 1}
    small = uuid4()
    ingest_session(services, session_id=small, patient_id=people.patient(), body=large_session("arrow"))
    found = results(narrow)
    values = {(session, index): each["features"] for (session, index, version), each in found.items() if version == 2}
    assert [values[(str(large), index)] for index in range(3)] == [values[(str(small), index)] for index in range(3)]


@pytest.mark.embedded
@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_one_whose_bytes_are_lost_stays_what_it_was(narrow, large, how):
    """That no backup was put back yet says nothing of its data."""
    with narrow.db.engine.begin() as db:
        for table in (SessionRow, RecordingRow):
            db.execute(update(table).values(status="failed"))
    with narrow.db.read() as db:
        name = db.get_one(SessionRow, large).object
    (place,) = narrow.objects.root.rglob(name)
    if how == "gone":
        place.unlink()
    else:
        place.chmod(0o600)
        place.write_bytes(place.read_bytes()[:-1] + b"?")
    assert recompute_all(narrow, statuses=["failed"])["counts"] == {"unreadable": 3, "sessions": 1}
    assert get_session(narrow, large)["status"] == "failed"


def in_a_process(do):
    """Do something in another process and return its exit status."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads that are not taken along: none is needed
        process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    try:
        do()
        os._exit(0)
    finally:
        os._exit(1)


@pytest.mark.embedded  # the client of a bucket does not survive a fork
@pytest.mark.parametrize("what", ["dry-run", "run"])
def test_a_large_session_that_ends_the_process_ends_no_campaign(narrow, large, probe, people, monkeypatch, what):
    """It is tried so often as the settings say; the next process counts what the one before had begun."""
    other = uuid4()
    ingest_session(narrow, session_id=other, patient_id=people.patient(), body=session_body(probe_recording()))
    assert compute_session(narrow, other) == "processed"
    probe(version=2)
    twice = with_settings(narrow, processing_tries=2)
    campaign = plan(twice)
    decide(twice, campaign, what, unseen=True)
    monkeypatch.setattr(runs, "compute_large", lambda *_: os._exit(9))  # as the system does that is out of memory
    assert [in_a_process(lambda: work(twice, campaign)) for _ in range(3)] == [9, 9, 0]
    done = get_campaign(twice, campaign)
    if what == "run":
        assert (done["state"], done["counts"]) == ("done", {"failed": 3, "results": 1, "sessions": 2})
        assert get_session(narrow, large)["status"] == "processed"  # as it was
    else:
        assert (done["state"], done["counts"]) == ("ready", {"recordings": 4, "sessions": 2})
        failed = {"assessment": "probe", "status": "failed", "code": "extraction_failed", "recordings": 3}
        assert done["report"]["failures"] == [failed]
    with narrow.db.read() as db:
        assert db.get(Campaign, campaign).trying == {}


def test_to_pause_in_a_large_session_is_no_try_that_ended_the_process(narrow, large, probe, monkeypatch):
    probe(version=2)
    twice = with_settings(narrow, processing_tries=2)
    campaign = plan(twice)
    decide(twice, campaign, "run", unseen=True)
    compute = runs.compute_large

    def paused(*given):
        decide(twice, campaign, "pause")
        return compute(*given)

    with monkeypatch.context() as patched:
        patched.setattr(runs, "compute_large", paused)
        for _ in range(3):
            assert work(twice, campaign)["state"] == "paused"
            decide(twice, campaign, "resume")
    assert work(twice, campaign)["counts"] == {"results": 3, "sessions": 1}


@pytest.mark.embedded
def test_one_that_comes_before_it_is_not_held_to_be_at_fault(narrow, large, probe, patient, clock, monkeypatch):
    clock.forward(minutes=1)
    body, fatal = large_session("arrow"), uuid4()
    receive(narrow, begin(narrow, patient, body, fatal), whole(body), offset=0)
    assert compute_session(narrow, fatal) == "processed"
    probe(version=2)
    twice = with_settings(narrow, processing_tries=2)
    campaign = plan(twice)
    decide(twice, campaign, "run", unseen=True)
    compute = runs.compute_large
    monkeypatch.setattr(runs, "compute_large", lambda *how: os._exit(9) if how[1].id == fatal else compute(*how))
    assert [in_a_process(lambda: work(twice, campaign)) for _ in range(3)] == [9, 9, 0]
    assert get_campaign(twice, campaign)["counts"] == {"results": 3, "failed": 3, "sessions": 2}
    found = {(session, version) for session, _, version in results(narrow)}
    assert (str(large), 2) in found
    assert (str(fatal), 2) not in found


@pytest.fixture
def held(services, people, probe, monkeypatch):
    """Uploads of a test that this version does not know, but for the last, which nobody can read."""
    study, sessions = people.study(), [uuid4() for _ in range(3)]
    bodies = [session_body(probe_recording()), session_body(probe_recording()), b"nothing that is known"]
    with monkeypatch.context() as patch:
        patch.delitem(every_assessment(), "probe")
        for session, body in zip(sessions, bodies, strict=True):
            with pytest.raises(KonectomError) as refused:
                ingest_session(services, session_id=session, patient_id=people.patient(study), body=body)
            assert "kept" in refused.value.context
    return study, sessions


def test_what_is_held_is_read_again(services, held):
    study, sessions = held
    done = recompute_all(services, study=study, statuses=["held"])
    assert (done["state"], done["counts"]) == ("done", {"released": 2, "held": 1})
    assert [get_session(services, each)["status"] for each in sessions[:2]] == ["processed"] * 2
    assert recompute_all(services, study=study, statuses=["held"])["counts"] == {"held": 1}


def test_paused_in_the_middle_of_what_is_held_it_counts_nothing_twice(services, held):
    study, _ = held
    campaign = plan(services, study=study, statuses=["held"])
    asked = []
    done = work(services, campaign, "run", unseen=True, stop=lambda: asked.append(1) or len(asked) == 3)
    assert (done["state"], done["counts"]) == ("paused", {"released": 2, "held": 1})
    done = work(services, campaign, "resume")
    assert (done["state"], done["counts"]) == ("done", {"released": 2, "held": 1})


def test_a_dry_run_leaves_what_is_held_alone(services, held):
    study, sessions = held
    assert work(services, plan(services, study=study, statuses=["held"]), "dry-run")["counts"] == {}
    with pytest.raises(KonectomError):
        get_session(services, sessions[0])
