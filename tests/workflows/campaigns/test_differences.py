"""What a dry run tells, held against the same figures worked out by numpy over all values at once."""

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konectom.errors import StoreUnavailable
from konectom.workflows.campaigns.decisions import get_campaign
from konectom.workflows.campaigns.differences import COUNTED, Compared, Differences
from tests.probe import probe_of, probe_recording
from tests.workflows.campaigns.campaigning import plan, results, send, work

OLD, NEW = probe_of(1).catalogue.entries, probe_of(2, extra=True).catalogue.entries
VALUES = st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, 1.0 + 1e-12, 1.0 + 1e-6]))
ROWS = st.lists(
    st.tuples(st.lists(VALUES, min_size=5, max_size=5), st.lists(VALUES, min_size=7, max_size=7)), max_size=12
)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, at=st.integers(0, 12))
def test_the_figures_are_those_of_all_values_at_once(rows, at):
    found = Differences()
    for index, (old, new) in enumerate(rows):
        if index == at:  # another process goes on with it
            found = Differences.unpack(found.pack())
        found.results(("probe", 1, 2), (OLD, np.array(old), "valid"), (NEW, np.array(new), "limited"))
    if not rows:
        assert found.report()["assessments"] == []
        return
    (told,) = found.report()["assessments"]
    assert told["results"] == len(rows)
    lines = {line["key"]: line for line in told["measures"]}
    assert told["unchanged"] == 7 - len(lines)
    before = np.array([[*old, np.nan, np.nan] for old, _ in rows])
    after = np.array([new for _, new in rows])
    for index, entry in enumerate(NEW):
        check(lines.get(entry.key), before[:, index], after[:, index])
    verdicts = [{"assessment": "probe", "from": "valid", "to": "limited", "recordings": len(rows)}]
    assert found.report()["verdicts"] == verdicts


def check(line, before, after):
    both = np.isfinite(before) & np.isfinite(after)
    absolute = np.abs(after - before)[both & (before != after)]
    relative = absolute / np.maximum(np.abs(before), np.abs(after))[both & (before != after)]
    counts = (
        both.sum(),
        absolute.size,
        (relative > 1e-9).sum(),
        (~np.isfinite(before) & np.isfinite(after)).sum(),
        (np.isfinite(before) & ~np.isfinite(after)).sum(),
    )
    if line is None:
        assert not any(counts[1:])
        return
    assert tuple(line[name] for name in COUNTED) == counts
    for name, changes in (("absolute", absolute), ("relative", relative)):
        if not changes.size:
            assert line[name] == {"median": None, "largest": None}
            continue
        assert line[name]["largest"] == changes.max()
        median = np.sort(changes)[(changes.size - 1) // 2]
        assert line[name]["median"] == pytest.approx(median, rel=0.0101)


def test_values_in_another_unit_are_not_compared():
    other = probe_of(2, unit="mg").catalogue.entries
    found = Compared.of(OLD, other)
    found.add(np.ones(5), np.full(5, 1000.0))
    told = {(line["key"], line["unit"]): line for line in found.told()}
    assert len(told) == 9
    assert told["probe.samples", "1"]["changed"] == 1
    assert told["probe.level[left].mean", "m/s2"]["vanished"] == 1
    assert told["probe.level[left].mean", "mg"]["appeared"] == 1


def test_memory_is_bounded_by_the_measures(monkeypatch):
    random, found = np.random.default_rng(1), Compared.of(OLD, NEW)
    sizes = []
    for index in range(6000):
        found.add(random.normal(100, 1, 5), random.normal(100, 1, 7))
        if index in (2999, 5999):
            sizes.append(sum(len(each.counts) for each in found.medians))
    assert sizes[1] < 1.2 * sizes[0] < 1.2 * 2 * 5 * 1500


@pytest.fixture
def sent(services, people, probe):
    study = people.study()
    patient = people.patient(study)
    bad = probe_recording()
    bad["streams"]["accelerometer"]["y"].pop()
    for recordings in (
        [probe_recording(x=[1.0, 2, 3, 4]), probe_recording(hand="right", x=[1.0, 2, 3, 4])],
        [probe_recording(x=[2.0, 2, 3]), bad, probe_recording(x=[1e7, 1, 1, 1])],
    ):
        send(services, patient, *recordings)
    return study


def test_a_dry_run_tells_what_would_change_and_changes_nothing(services, sent, probe):
    before = results(services)
    probe(version=2, extra=True, strict=True)
    campaign = plan(services, study=sent, statuses=["processed", "failed", "rejected"])
    found = work(services, campaign, "dry-run")
    assert (found["state"], found["counts"]) == ("ready", {"recordings": 5, "sessions": 2})
    assert results(services) == before
    report = found["report"]
    (probed,) = report["assessments"]
    assert (probed["from_version"], probed["to_version"], probed["results"]) == (1, 2, 3)
    lines = {line["key"]: line for line in probed["measures"]}
    left = lines["probe.level[left].mean"]
    assert (left["compared"], left["changed"], left["changed_beyond_rounding"]) == (2, 2, 2)
    assert left["relative"]["largest"] == pytest.approx(0.5)  # version 2 doubles
    assert left["absolute"]["largest"] == pytest.approx(2.5)
    assert (lines["probe.peak[left]"]["appeared"], lines["probe.peak[right]"]["appeared"]) == (2, 1)
    assert "probe.samples" not in lines
    assert report["verdicts"] == [
        {"assessment": "probe", "from": "limited", "to": "invalid", "recordings": 1},
        {"assessment": "probe", "from": "valid", "to": "valid", "recordings": 2},
    ]
    assert (report["failures"], report["recovered"]) == ([], [])
    assert work(services, campaign, "run")["state"] == "done"
    assert get_campaign(services, campaign)["report"] == report


def test_it_tells_what_would_fail_and_what_would_get_its_result(services, sent, probe, monkeypatch):
    declared = probe(version=2)
    plain = declared.extract

    def fails_on_the_right(recording, out):
        if any(part.condition["hand"] == "right" for part in recording.parts):
            raise ZeroDivisionError
        monkeypatch.setattr("numpy.nanmax", lambda values: 0.0)
        plain(recording, out)

    object.__setattr__(declared, "extract", fails_on_the_right)
    report = work(services, plan(services, study=sent), "dry-run")["report"]
    assert report["failures"] == [
        {"assessment": "probe", "status": "failed", "code": "extraction_failed", "recordings": 1}
    ]
    assert report["recovered"] == [{"assessment": "probe", "status": "failed", "recordings": 1}]


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_dry_run_that_is_cut_off_or_paused_finds_the_same(services, people, sent, probe, monkeypatch, at, clock):
    from konectom.workflows.campaigns import loads, runs

    monkeypatch.setattr(loads, "SESSIONS_AT_ONCE", 1)
    clock.forward(minutes=1)
    patient = people.patient(sent)
    for day in range(1, 4):
        clock.forward(minutes=1)
        send(services, patient, probe_recording(x=[float(day), 1, 1, 1]))
    probe(version=2, extra=True)
    whole = work(services, plan(services, study=sent), "dry-run")["report"]
    for rests in (0.0, 1e9):
        monkeypatch.setattr(runs, "REST_EVERY_S", rests)
        campaign, seen = plan(services, study=sent), []

        def cut_off(counts, seen=seen):
            seen.append(counts)
            if len(seen) == at:
                raise SystemExit

        with pytest.raises(SystemExit):
            work(services, campaign, "dry-run", tell=cut_off)
        left = iter([True])
        paused = work(services, campaign, stop=lambda left=left: next(left, False))
        found = work(services, campaign, "resume") if paused["state"] == "paused" else paused
        assert (found["state"], found["report"]) == ("ready", whole)
        assert found["counts"] == {"recordings": 7, "sessions": 5}


@pytest.mark.parametrize("rests", [0.0, 1e9], ids=["written down", "not yet"])
def test_a_dry_run_whose_store_was_away_in_the_middle_finds_the_same(
    services, people, sent, probe, monkeypatch, clock, rests
):
    from konectom.workflows.campaigns import loads, runs

    monkeypatch.setattr(loads, "SESSIONS_AT_ONCE", 1)
    monkeypatch.setattr(runs, "REST_EVERY_S", rests)
    for day in range(1, 4):
        clock.forward(minutes=1)
        send(services, people.patient(sent), probe_recording(x=[float(day), 1, 1, 1]))
    probe(version=2, extra=True)
    whole = work(services, plan(services, study=sent), "dry-run")
    campaign, seen = plan(services, study=sent), []

    def away(counts):
        seen.append(counts)
        if len(seen) == 2:
            raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        work(services, campaign, "dry-run", tell=away)
    assert get_campaign(services, campaign)["error"]["code"] == "store_unavailable"
    found = work(services, campaign, "resume")
    assert (found["state"], found["report"], found["counts"]) == ("ready", whole["report"], whole["counts"])


def test_a_campaign_that_chooses_nothing_is_ready_at_once(services, people, probe):
    found = work(services, plan(services, study=people.study()), "dry-run")
    assert found["report"] == {"assessments": [], "verdicts": [], "failures": [], "recovered": []}
    assert UUID(found["id"])
