"""Campaigns are taken up by whoever has time: one at a time, and none that somebody works on."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from konectom.errors import StoreUnavailable
from konectom.storage.models import Campaign
from konectom.workflows.campaigns.decisions import SILENT_S, decide, get_campaign, waiting_campaigns
from konectom.workflows.campaigns.pool import in_this_process
from konectom.workflows.campaigns.rows import claim, claim_next
from konectom.workflows.campaigns.runs import carry_out_next
from tests.probe import probe_recording
from tests.workflows.campaigns.campaigning import plan, results, send


@pytest.fixture
def study(people):
    return people.study("S1")


@pytest.fixture
def two(services, people, study, probe, clock):
    """Two campaigns that ask for work, of a study with one recording."""
    send(services, people.patient(study), probe_recording())
    probe(version=2)
    found = []
    for _ in range(2):
        clock.forward(minutes=1)
        found.append(plan(services, study=study))
        decide(services, found[-1], "run", unseen=True)
    return found


def carry_out(services, stop=lambda: False):
    return carry_out_next(services, in_this_process(), stop=stop)


def test_one_after_the_other_until_none_asks(services, two):
    assert [carry_out(services) for _ in range(3)] == [True, True, False]
    assert [get_campaign(services, each)["state"] for each in two] == ["done", "done"]
    assert sorted(version for _, _, version in results(services)) == [1, 2]


def test_while_one_is_worked_on_none_is_taken_up(services, two, clock):
    held = claim_next(services)
    assert held.campaign_id == two[0]
    assert waiting_campaigns(services) == [two[1]]
    clock.forward(seconds=SILENT_S - 1)
    assert claim_next(services) is None
    clock.forward(seconds=1)
    again = claim_next(services)
    assert (again.campaign_id, again.runner != held.runner) == (two[0], True)


def test_one_that_somebody_called_for_is_not_taken_from_him(services, two):
    claim(services, two[1])
    assert waiting_campaigns(services) == [two[0]]
    assert claim_next(services) is None


def test_where_the_clock_of_who_had_it_was_ahead_it_is_not_waited_for_without_end(services, two, clock):
    claim_next(services)
    with services.db.engine.begin() as db:
        db.execute(update(Campaign).values(active_at=clock.now + timedelta(days=300)))
    assert claim_next(services) is not None


def test_one_that_was_planned_for_another_release_does_not_stop_the_next(services, two, study, probe):
    probe(version=3)
    newer = plan(services, study=study)
    decide(services, newer, "run", unseen=True)
    assert waiting_campaigns(services) == [newer]
    assert [carry_out(services) for _ in range(2)] == [True, False]
    assert [get_campaign(services, each)["state"] for each in (*two, newer)] == ["running", "running", "done"]


def test_one_that_is_left_goes_on_asking(services, two):
    assert carry_out(services, stop=lambda: True)
    assert waiting_campaigns(services) == two
    assert get_campaign(services, two[0])["state"] == "running"
    assert [carry_out(services) for _ in range(3)] == [True, True, False]
    assert get_campaign(services, two[0])["counts"] == {"results": 1, "sessions": 1}


def test_where_the_store_fails_it_is_paused_and_says_why(services, two, monkeypatch):
    def away(*_):
        raise StoreUnavailable("it is away")

    with monkeypatch.context() as patched:
        patched.setattr(services.objects, "get", away)
        patched.setattr(services.objects, "ping", away)
        assert carry_out(services)
    told = get_campaign(services, two[0])
    assert (told["state"], told["error"]["code"]) == ("paused", "store_unavailable")
