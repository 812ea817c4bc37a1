"""What campaigns compute besides recordings of usual sessions: large ones, and uploads in quarantine."""

from uuid import uuid4

import pytest
from sqlalchemy import update

from konectom.assessments import every_assessment
from konectom.errors import KonectomError
from konectom.storage.models import RecordingRow, SessionRow
from konectom.workflows.sessions.compute import compute_session
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.listing import get_session
from konectom.workflows.uploads.receiving import receive
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
