"""``konectom reprocess``, and tables as of an instant."""

import signal
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from konectom.workflows.campaigns import pool
from konectom.workflows.campaigns.decisions import decide, get_campaign
from tests.probe import probe_recording, session_body
from tests.workflows.campaigns.campaigning import plan, results, send


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """What computes is a thread of this process, which sees the probe."""
    monkeypatch.setattr(pool, "on_this_machine", lambda jobs, settings: pool.in_this_process())


@pytest.fixture
def sent(services, people, probe, clock):
    patient = people.patient(people.study("pilot"), "P1")
    for value in (1.0, 7.0, 1 / 3):
        clock.forward(minutes=1)
        send(services, patient, probe_recording(x=[value, 2.0, 3.0, 4.0]))
    return patient


def test_it_is_planned_run_dry_looked_at_and_run(konectom, services, sent, probe):
    probe(version=2, extra=True)
    made = konectom.json("reprocess", "plan", "--study", "pilot", "--assessment", "probe", "--note", "better")
    assert (made["state"], made["chosen"]["recordings"]) == ("planned", 3)
    campaign = made["id"]
    assert "campaign_state" in konectom("reprocess", "run", campaign, status=1).stderr
    told = konectom("reprocess", "dry-run", campaign).stdout
    assert told == f"{campaign} is ready (recordings 3, sessions 3)\n"
    shown = konectom("reprocess", "show", campaign).stdout
    assert "probe: version 1 to 2, 3 results" in shown
    assert "probe.level[left].mean" in shown
    assert "4 measures do not change" in shown
    assert shown.splitlines()[-1].split() == ["probe", "valid", "valid", "3"]
    assert konectom.json("reprocess", "show", campaign)["report"]["assessments"][0]["results"] == 3
    told = konectom("reprocess", "run", campaign).stdout
    assert told == f"{campaign} is done (results 3, sessions 3)\n"
    assert len(results(services)) == 6
    (line,) = konectom("reprocess", "list").stdout.splitlines()[1:]
    assert line.split()[:2] == [campaign, "done"]
    assert [row["state"] for row in konectom.json("reprocess", "list")] == ["done"]


def test_the_measures_that_change_most_come_first(konectom, services, sent, probe):
    probe(version=2, extra=True)
    campaign = konectom.json("reprocess", "plan")["id"]
    konectom("reprocess", "dry-run", campaign)
    lines = konectom("reprocess", "show", campaign, "--all").stdout.splitlines()
    heads = next(line for line in lines if line.startswith("measure"))
    keys = [line.split()[0] for line in lines if line.startswith("probe.")]
    assert keys == ["probe.level[left].mean", "probe.level[left].sd", "probe.peak[left]"]
    assert "largest share" in heads
    peak = next(line for line in lines if line.startswith("probe.peak"))
    assert peak.split() == ["probe.peak[left]", "m/s2", "0", "0", "0", "3", "0"]


def test_an_interruption_pauses_it(konectom, services, sent, probe, monkeypatch):
    monkeypatch.setattr("konectom.workflows.campaigns.loads.SESSIONS_AT_ONCE", 1)
    from konectom.workflows.campaigns.keeping import Keep

    take = Keep.take

    def interrupted(self, *args):
        take(self, *args)
        signal.raise_signal(signal.SIGINT)

    probe(version=2)
    campaign = str(plan(services))
    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(Keep, "take", interrupted)
        ended = konectom("reprocess", "run", campaign, "--unseen", status=130)
    assert f"konectom reprocess resume {campaign}" in ended.stderr
    assert signal.getsignal(signal.SIGINT) is before
    assert len(results(services)) < 6
    assert "is done" in konectom("reprocess", "resume", campaign).stdout
    assert len(results(services)) == 6


def test_what_was_decided_elsewhere_is_done(konectom, services, sent, probe):
    probe(version=2)
    first, second, third = plan(services), plan(services), plan(services)
    decide(services, first, "dry-run")
    decide(services, second, "run", unseen=True)
    assert "campaigns worked on: 2" in konectom("reprocess", "run").stderr
    states = [get_campaign(services, each)["state"] for each in (first, second, third)]
    assert states == ["ready", "done", "planned"]
    assert "campaigns worked on: 0" in konectom("reprocess", "run").stderr


def test_it_is_paused_and_ended_from_anywhere(konectom, services, sent):
    campaign = plan(services)
    decide(services, campaign, "dry-run")
    assert konectom("reprocess", "pause", campaign).stdout == f"{campaign} is paused\n"
    assert konectom("reprocess", "cancel", campaign).stdout == f"{campaign} is cancelled\n"
    assert "campaign_state" in konectom("reprocess", "resume", campaign, status=1).stderr
    assert "not_found" in konectom("reprocess", "show", uuid4(), status=1).stderr


def test_a_table_as_of_an_instant(konectom, services, people, probe, file_of):
    people.patient(people.study("pilot"), "P1")
    konectom("import", "--patient", "P1", file_of(session_body(probe_recording())))
    words = ("export", "features", "--study", "pilot", "--assessment", "probe")
    then, dictionary = konectom(*words).stdout, konectom("export", "dictionary", "--study", "pilot").stdout
    instant = datetime.now(UTC).isoformat()
    probe(version=2, extra=True)
    konectom("reprocess", "run", plan(services), "--unseen")
    assert konectom(*words).stdout != then
    assert konectom(*words, "--as-of", instant).stdout == then
    assert konectom("export", "dictionary", "--study", "pilot", "--as-of", instant).stdout == dictionary
    assert "no instant" in konectom(*words, "--as-of", "yesterday", status=2).stderr
    assert "as_of" in konectom(*words, "--as-of", "2999-01-01T00:00:00Z", status=1).stderr
