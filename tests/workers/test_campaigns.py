"""Campaigns that somebody decided on are carried out by workers, on SQLite and on PostgreSQL."""

import os
import signal
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from konectom.storage.models import Campaign, RecordingRow, SessionRow
from konectom.workflows.campaigns.decisions import SILENT_S, decide, get_campaign, plan_campaign
from tests.workers.conftest import PATIENCE_S
from tests.workers.poison import BLOCKS, recording
from tests.workers.test_work import wait_for

pytestmark = pytest.mark.long


def failed(ward, *recordings):
    """Sessions that a fault cost their results which is mended by now."""
    sessions = [ward.send(each) for each in recordings]
    with ward.services.db.engine.begin() as db:
        for table in (SessionRow, RecordingRow):
            db.execute(update(table).values(status="failed"))
        if db.dialect.name == "postgresql":
            db.exec_driver_sql("DELETE FROM procrastinate_jobs")
    return sessions


def asked(ward, what="run"):
    campaign = UUID(plan_campaign(ward.services)["id"])
    decide(ward.services, campaign, what, unseen=what == "run")
    return campaign


def state(ward, campaign):
    return get_campaign(ward.services, campaign)["state"]


def ended(worker):
    worker.send_signal(signal.SIGTERM)
    _, said = worker.communicate(timeout=PATIENCE_S)
    assert worker.returncode == 0, said


def test_what_was_decided_is_done(ward):
    sessions = failed(ward, *(recording() for _ in range(5)))
    dry, run = asked(ward, "dry-run"), asked(ward)
    worker = ward.worker()
    for _ in (dry, run):
        wait_for(worker, "campaign.finished")
    ended(worker)
    assert (state(ward, dry), state(ward, run)) == ("ready", "done")
    assert [ward.row(each).status for each in sessions] == ["processed"] * 5
    assert ward.results() == 5


def test_a_worker_that_stops_leaves_it_to_the_next(ward):
    sessions = failed(ward, recording(), recording(BLOCKS))
    campaign, worker = asked(ward), ward.worker()
    ward.met()
    worker.send_signal(signal.SIGTERM)
    wait_for(worker, "worker.stopping")
    ward.let_go()
    _, said = worker.communicate(timeout=PATIENCE_S)
    assert worker.returncode == 0, said
    assert state(ward, campaign) == "running"  # nobody has to resume it
    again = ward.worker()
    wait_for(again, "campaign.finished")
    ended(again)
    assert state(ward, campaign) == "done"
    assert [ward.row(each).status for each in sessions] == ["processed"] * 2
    assert ward.results() == 2


def test_a_worker_that_is_killed_leaves_it_to_the_next(ward):
    sessions = failed(ward, recording(), recording(BLOCKS))
    campaign, worker = asked(ward), ward.worker()
    ward.met()
    os.kill(worker.pid, signal.SIGKILL)
    worker.communicate(timeout=PATIENCE_S)
    assert (state(ward, campaign), ward.results()) == ("running", 0)
    with ward.services.db.engine.begin() as db:  # as when it has been silent for so long
        silent = ward.services.clock() - timedelta(seconds=SILENT_S)
        db.execute(update(Campaign).values(active_at=silent))
    again = ward.worker()
    ward.met()
    ward.let_go()
    wait_for(again, "campaign.finished")
    ended(again)
    assert state(ward, campaign) == "done"
    assert [ward.row(each).status for each in sessions] == ["processed"] * 2
    assert ward.results() == 2
