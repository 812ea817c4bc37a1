"""Campaigns: chosen recordings are computed again, once, and nothing else."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from konectom.errors import CampaignOutdated, CampaignState, DataError, NotFound, PatientRestricted
from konectom.storage.models import (
    AuditRow,
    Campaign,
    EarlierOutcome,
    RecordingRow,
    ResultRow,
    Review,
    ScoreRow,
    SessionRow,
)
from konectom.workflows.campaigns.decisions import (
    decide,
    get_campaign,
    list_campaigns,
    plan_campaign,
    waiting_campaigns,
)
from konectom.workflows.consent.decisions import withdraw_consent
from konectom.workflows.consent.restrictions import restrict_patient, resume_patient
from konectom.workflows.erasing.erasure import erase_patient
from konectom.workflows.following.alerts import list_alerts
from konectom.workflows.sessions.listing import get_session
from tests.probe import probe_recording
from tests.workflows.campaigns.campaigning import count, plan, recompute_all, results, send, work


@pytest.fixture
def study(people):
    return people.study("S1")


@pytest.fixture
def sent(services, people, study, probe, clock):
    """Four patients with three sessions each, one of another study."""
    patients = []
    for number in range(4):
        clock.forward(minutes=1)
        patients.append(people.patient(study if number < 3 else None))
    receipts = []
    for day in (1, 2, 3):
        for patient in patients:
            clock.forward(minutes=1)
            more = {"started_at": f"2026-10-0{day}T10:00:00+02:00"}
            receipts.append(send(services, patient, probe_recording(x=[float(day), 2, 3, 4]), **more))
    return receipts


def versions(services):
    return sorted(version for _, _, version in results(services))


def test_a_new_version_adds_a_result_and_changes_none(services, sent, study, probe, clock):
    before = results(services)
    probe(version=2)
    clock.forward(hours=1)
    done = recompute_all(services, study=study)
    assert (done["state"], done["chosen"]) == ("done", {"sessions": 9, "recordings": 9})
    assert done["counts"] == {"results": 9, "sessions": 9}
    after = results(services)
    assert {key: each for key, each in after.items() if key[2] == 1} == before
    assert versions(services) == [1] * 12 + [2] * 9
    receipt = get_session(services, UUID(sent[0]["id"]), measures=True)
    assert receipt["recordings"][0]["version"] == 2
    mean = {each["statistic"]: each["value"] for each in receipt["recordings"][0]["measures"]}["mean"]
    assert mean == pytest.approx(2 * 2.5)


def test_what_is_written_is_what_an_upload_would_have_written(services, people, sent, study, probe, clock):
    probe(version=2, extra=True)
    recompute_all(services)
    again = results(services)
    for receipt in sent:
        bodies = {1: [1.0, 2, 3, 4], 2: [2.0, 2, 3, 4], 3: [3.0, 2, 3, 4]}
        day = int(receipt["started_at"][9])
        fresh = send(
            services,
            UUID(receipt["patient"]),
            probe_recording(x=bodies[day]),
            started_at=f"2026-10-0{day}T10:00:00+02:00",
        )
        made = results(services)[fresh["id"], 0, 2]
        kept = again[receipt["id"], 0, 2]
        assert (kept["features"], kept["verdict"]) == (made["features"], made["verdict"])
        assert kept["scores"] == made["scores"]


def test_a_second_campaign_finds_nothing_to_do(services, sent, study, probe):
    probe(version=2)
    recompute_all(services, study=study)
    before = results(services)
    done = recompute_all(services, study=study)
    assert (done["chosen"], done["counts"]) == ({"sessions": 0, "recordings": 0}, {})
    assert results(services) == before


@pytest.mark.parametrize("at", [1, 2, 5, 9])
def test_a_campaign_that_is_cut_off_writes_each_result_once(services, sent, study, probe, monkeypatch, at):
    from konectom.workflows.campaigns import loads

    monkeypatch.setattr(loads, "SESSIONS_AT_ONCE", 1)
    probe(version=2)
    campaign, seen = plan(services, study=study), []

    def cut_off(counts):
        seen.append(counts)
        if len(seen) == at:
            raise SystemExit

    with pytest.raises(SystemExit):
        work(services, campaign, "run", unseen=True, tell=cut_off)
    half = get_campaign(services, campaign)
    assert (half["state"], half["counts"]["sessions"]) == ("running", at)
    assert versions(services).count(2) == at
    done = work(services, campaign)
    assert (done["state"], done["counts"]) == ("done", {"results": 9, "sessions": 9})
    assert versions(services).count(2) == 9


def test_it_pauses_where_it_is_asked_to_and_goes_on(services, sent, study, probe, monkeypatch):
    from konectom.workflows.campaigns import loads

    monkeypatch.setattr(loads, "SESSIONS_AT_ONCE", 2)
    probe(version=2)
    campaign = plan(services, study=study)
    paused = work(services, campaign, "run", unseen=True, stop=lambda: True)
    assert (paused["state"], paused["counts"]) == ("paused", {"results": 2, "sessions": 2})
    with pytest.raises(CampaignState):
        work(services, campaign)
    done = work(services, campaign, "resume")
    assert (done["state"], done["counts"]) == ("done", {"results": 9, "sessions": 9})


@pytest.mark.parametrize("phase", ["dry-run", "run"])
@pytest.mark.parametrize(("what", "state"), [("pause", "paused"), ("cancel", "cancelled")])
def test_somebody_else_pauses_or_ends_it(services, sent, study, probe, monkeypatch, phase, what, state):
    from konectom.workflows.campaigns import loads

    monkeypatch.setattr(loads, "SESSIONS_AT_ONCE", 2)
    probe(version=2)
    campaign = plan(services, study=study)
    found = work(services, campaign, phase, unseen=True, tell=lambda counts: decide_once(services, campaign, what))
    assert found["state"] == state
    assert versions(services).count(2) == (2 if phase == "run" else 0)
    if what == "pause":
        assert work(services, campaign, "resume")["state"] == {"run": "done", "dry-run": "ready"}[phase]
        assert get_campaign(services, campaign)["counts"]["sessions"] == 9


def decide_once(services, campaign, what):
    if get_campaign(services, campaign)["state"] in ("dry_run", "running"):
        decide(services, campaign, what)


def test_the_process_that_was_overtaken_writes_nothing_more(services, sent, study, probe, monkeypatch):
    from konectom.workflows.campaigns import loads

    monkeypatch.setattr(loads, "SESSIONS_AT_ONCE", 1)
    probe(version=2)
    campaign, overtaken = plan(services, study=study), []

    def overtake(counts):
        if not overtaken:
            overtaken.append(work(services, campaign))

    assert work(services, campaign, "run", unseen=True, tell=overtake)["state"] == "done"
    assert overtaken[0]["counts"] == {"results": 9, "sessions": 9}
    assert versions(services).count(2) == 9


def test_values_of_a_patient_are_of_two_versions_only_while_it_is_his_turn(services, sent, study, probe, monkeypatch):
    from konectom.workflows.campaigns import loads

    monkeypatch.setattr(loads, "SESSIONS_AT_ONCE", 1)
    probe(version=2)
    mixed = []

    def look(counts):
        by_patient = {}
        with services.db.read() as db:
            for patient, catalogue in db.execute(select(ScoreRow.patient_id, ScoreRow.catalogue_id)):
                by_patient.setdefault(patient, []).append(catalogue)
        mixed.append(sum(len(set(each)) == 2 and each.count(max(each)) < 6 for each in by_patient.values()))

    work(services, plan(services, study=study), "run", unseen=True, tell=look)
    assert max(mixed) == 1


CHOICES = {
    "everything": ({}, 12),
    "a study": ({"study": "S1"}, 9),
    "a patient": ({"patient": 0}, 3),
    "another assessment": ({"assessment": "tap"}, 0),
    "this assessment": ({"assessment": "probe"}, 12),
    "the version that is stored": ({"assessment": "probe", "version": 1}, 12),
    "a version that is not": ({"assessment": "probe", "version": 2}, 0),
    "from a day on": ({"start": datetime(2026, 10, 2, tzinfo=UTC)}, 8),
    "up to a day": ({"until": datetime(2026, 10, 2, tzinfo=UTC)}, 4),
    "one day": ({"start": datetime(2026, 10, 2, tzinfo=UTC), "until": datetime(2026, 10, 3, tzinfo=UTC)}, 4),
    "no results": ({"statuses": ["failed", "rejected", "parked"]}, 0),
}


@pytest.mark.parametrize("name", CHOICES)
def test_what_is_chosen_is_computed(services, sent, study, probe, name):
    choice, expected = CHOICES[name]
    choice = choice | ({"study": study} if "study" in choice else {})
    choice |= {"patient": UUID(sent[0]["patient"])} if "patient" in choice else {}
    probe(version=3)
    done = recompute_all(services, **choice)
    assert done["chosen"]["recordings"] == expected
    assert versions(services).count(3) == expected
    assert done["counts"].get("results", 0) == expected


def test_the_version_that_is_named_is_that_of_the_newest_result(services, sent, study, probe):
    probe(version=2)
    recompute_all(services, study=study)
    probe(version=3)
    done = recompute_all(services, assessment="probe", version=1)
    assert done["counts"]["results"] == 3
    done = recompute_all(services, assessment="probe", version=2)
    assert done["counts"]["results"] == 9


@pytest.mark.parametrize(
    ("choice", "at"),
    [
        ({"statuses": []}, "/statuses"),
        ({"statuses": ["processed", "lost"]}, "/statuses/1"),
        ({"assessment": "nothing"}, "/assessment"),
        ({"version": 1}, "/version"),
        ({"assessment": "probe", "version": 1}, "/version"),
        ({"assessment": "probe", "version": 1, "statuses": ["failed"]}, "/statuses"),
        ({"note": "x" * 201}, "/note"),
    ],
    ids=lambda each: None if isinstance(each, str) else "-".join(each),
)
def test_what_cannot_be_chosen_by(services, probe, choice, at):
    with pytest.raises(DataError) as refused:
        plan_campaign(services, **choice)
    assert refused.value.at == at
    assert count(services, Campaign) == 0


def test_of_what_there_is_not(services, people, study, patient):
    with pytest.raises(NotFound):
        plan_campaign(services, study=uuid4())
    with pytest.raises(NotFound):
        plan_campaign(services, study=study, patient=patient)
    for act in (lambda: get_campaign(services, uuid4()), lambda: decide(services, uuid4(), "run")):
        with pytest.raises(NotFound):
            act()


def faulty(**more):
    return probe_recording(x=[1e7, 2, 3, 4], **more)


def test_a_recording_that_failed_gets_its_result(services, people, study, probe, clock, monkeypatch):
    receipt = send(services, people.patient(study), probe_recording(), faulty(hand="right"))
    whole = send(services, people.patient(study), faulty())
    assert [each["status"] for each in receipt["recordings"]] == ["processed", "failed"]
    assert whole["status"] == "failed"
    clock.forward(hours=1)
    monkeypatch.setattr("numpy.nanmax", lambda values: 0.0)  # the fault is mended, the version stays
    done = recompute_all(services, study=study)
    assert done["counts"] == {"results": 2, "recovered": 2, "sessions": 2}
    assert versions(services) == [1, 1, 1]
    for each in (receipt, whole):
        now = get_session(services, UUID(each["id"]))
        assert now["status"] == "processed"
        assert [recording["status"] for recording in now["recordings"]] == ["processed"] * len(each["recordings"])
        then = get_session(services, UUID(each["id"]), as_of=clock() - timedelta(minutes=1))
        assert then == each
    assert count(services, EarlierOutcome) == 2


def test_one_that_fails_again_stays_as_it_is_and_is_counted(services, people, study, probe, clock):
    receipt = send(services, people.patient(study), faulty())
    clock.forward(hours=1)
    done = recompute_all(services, study=study)
    assert done["counts"] == {"failed": 1, "sessions": 1}
    assert get_session(services, UUID(receipt["id"])) == receipt
    assert count(services, EarlierOutcome) == 0


def test_one_that_was_rejected_is_told_what_is_the_matter_now(services, people, study, probe, clock):
    bad = probe_recording()
    bad["streams"]["accelerometer"]["y"].pop()
    receipt = send(services, people.patient(study), probe_recording(), bad)
    assert receipt["recordings"][1]["status"] == "rejected"
    clock.forward(hours=1)
    assert recompute_all(services, study=study)["counts"] == {}
    done = recompute_all(services, study=study, statuses=["rejected"])
    assert done["counts"] == {"rejected": 1, "sessions": 1}


def test_a_session_that_was_given_up_is_tried_again(services, people, study, probe):
    receipt = send(services, people.patient(study), probe_recording(), probe_recording(hand="right"))
    with services.db.write() as db:
        session = db.get(SessionRow, UUID(receipt["id"]))
        session.status, session.fault, session.tries = "parked", {"code": "processing_parked", "detail": "given up"}, 5
        for row in db.scalars(select(RecordingRow).where(RecordingRow.session_id == session.id)):
            row.status, row.error = "parked", session.fault
            for score in db.scalars(select(ResultRow).where(ResultRow.recording_id == row.id)):
                db.expunge(score)
    assert recompute_all(services, study=study)["counts"] == {}
    done = recompute_all(services, study=study, statuses=["parked"])
    assert done["counts"]["recovered"] == 2
    now = get_session(services, UUID(receipt["id"]))
    assert (now["status"], "error" in now) == ("processed", False)


def test_a_recording_that_the_new_version_cannot_compute_keeps_what_it_has(services, people, study, probe, clock):
    receipt = send(services, people.patient(study), probe_recording(x=[1e5, 2, 3, 4]))
    declared = probe(version=2)
    object.__setattr__(declared, "extract", lambda recording, out: 1 / 0)
    clock.forward(hours=1)
    done = recompute_all(services, study=study)
    assert done["counts"] == {"failed": 1, "sessions": 1}
    assert get_session(services, UUID(receipt["id"])) == receipt


def test_who_is_restricted_is_left_alone(services, sent, study, probe):
    first, second = (UUID(sent[index]["patient"]) for index in (0, 1))
    restrict_patient(services, first, reason="asked")
    restrict_patient(services, second, reason="asked", data_types=["none"])
    probe(version=2)
    done = recompute_all(services, study=study)
    assert done["chosen"]["recordings"] == 6
    assert done["counts"] == {"withheld": 3, "results": 3, "sessions": 6}
    with services.db.read() as db:
        computed = set(
            db.scalars(
                select(ScoreRow.patient_id)
                .join(ScoreRow.__table__.metadata.tables["catalogue"])
                .where(ScoreRow.__table__.metadata.tables["catalogue"].c.version == 2)
            )
        )
    assert computed == {UUID(sent[2]["patient"])}
    resume_patient(services, first)
    resume_patient(services, second)
    assert recompute_all(services, study=study)["counts"]["results"] == 6


@pytest.mark.parametrize("phase", ["dry-run", "run"])
def test_who_is_restricted_or_erased_meanwhile_is_left_alone(services, sent, study, probe, monkeypatch, phase):
    from konectom.workflows.campaigns import loads

    monkeypatch.setattr(loads, "SESSIONS_AT_ONCE", 1)
    second, third = (UUID(sent[index]["patient"]) for index in (1, 2))
    probe(version=2)
    once = []

    def meanwhile(counts):
        if not once:
            once.append(True)
            restrict_patient(services, second, reason="asked")
            erase_patient(services, third, reason="asked_by_patient", finish=False)

    campaign = plan(services, study=study)
    done = work(services, campaign, phase, unseen=True, tell=meanwhile)
    assert done["state"] == {"run": "done", "dry-run": "ready"}[phase]
    kept = results(services)
    assert versions(services).count(2) == (3 if phase == "run" else 0)
    assert {UUID(sent[index]["id"]) for index in (2, 6, 10)} & {UUID(key[0]) for key in kept} == set()
    if phase == "dry-run":  # what was counted with the one who was erased was forgotten
        assert [each["results"] for each in done["report"]["assessments"]] == [3]


def test_consent_that_was_withdrawn_leaves_in_use_what_is_there(services, people, probe):
    study = people.study(consent="elsewhere")
    patient = people.patient(study)
    send(services, patient)
    withdraw_consent(services, patient, data_types=["none"])
    probe(version=2)
    assert recompute_all(services, study=study)["counts"]["results"] == 1


def test_a_campaign_of_a_patient_goes_with_the_patient(services, sent, probe):
    patient = UUID(sent[0]["patient"])
    probe(version=2)
    campaign = plan(services, patient=patient)
    work(services, campaign, "dry-run")
    restrict_patient(services, patient, reason="asked")
    with pytest.raises(PatientRestricted):
        get_campaign(services, campaign)
    assert list_campaigns(services)["items"] == []
    erase_patient(services, patient, reason="asked_by_patient", finish=False)
    assert count(services, Campaign) == 0


def test_what_a_dry_run_found_is_forgotten_with_any_of_its_patients(services, sent, study, probe):
    probe(version=2)
    campaign = plan(services, study=study)
    assert work(services, campaign, "dry-run")["report"] is not None
    erase_patient(services, UUID(sent[0]["patient"]), reason="asked_by_patient", finish=False)
    found = get_campaign(services, campaign)
    assert (found["state"], found["report"]) == ("ready", None)
    assert work(services, campaign, "dry-run")["report"]["assessments"][0]["results"] == 6


def test_it_runs_only_by_the_versions_for_which_it_was_planned(services, sent, study, probe):
    probe(version=2)
    campaign = plan(services, study=study)
    work(services, campaign, "dry-run")
    probe(version=3)
    with pytest.raises(CampaignOutdated):
        decide(services, campaign, "run")
    probe(version=2)
    decide(services, campaign, "run")
    probe(version=3)
    with pytest.raises(CampaignOutdated):
        work(services, campaign)
    assert versions(services).count(2) == 0


ALLOWED = {
    "planned": {"dry-run", "cancel"},
    "dry_run": {"pause", "cancel"},
    "ready": {"dry-run", "run", "cancel"},
    "running": {"pause", "cancel"},
    "paused": {"resume", "cancel"},
    "done": set(),
    "cancelled": set(),
}


@pytest.mark.parametrize("state", ALLOWED)
@pytest.mark.parametrize("what", ["dry-run", "run", "pause", "resume", "cancel"])
def test_what_can_be_decided_in_which_state(services, study, state, what):
    campaign = plan(services, study=study)
    with services.db.write() as db:
        row = db.get(Campaign, campaign)
        row.state, row.phase = state, "running"
    if what in ALLOWED[state]:
        assert decide(services, campaign, what)["state"] != state
    else:
        with pytest.raises(CampaignState):
            decide(services, campaign, what)


def test_what_asks_for_work_is_found(services, study, clock):
    first, second, third = (plan(services, study=study) for _ in range(3))
    decide(services, second, "dry-run")
    clock.forward(minutes=1)
    decide(services, first, "run", unseen=True)
    assert waiting_campaigns(services) == [second, first]
    assert third not in waiting_campaigns(services)


def test_what_is_decided_is_audited_and_how_far_it_came_is_not(services, sent, study, probe, clock):
    probe(version=2)
    campaign = plan(services, study=study)
    work(services, campaign, "dry-run", tell=lambda counts: clock.forward(seconds=1))
    work(services, campaign, "run", tell=lambda counts: clock.forward(seconds=1))
    with services.db.read() as db:
        rows = db.scalars(select(AuditRow).where(AuditRow.entity == "campaign").order_by(AuditRow.seq)).all()
        told = [(row.change, "state" in row.detail.get("columns", ()), row.study_id) for row in rows]
    # planned; run dry, ready; run, done
    assert told == [("insert", False, study), *[("update", True, study)] * 4]


def test_patients_are_reviewed_again(services, sent, study, probe):
    list_alerts(services, study)
    assert count(services, Review) == 3
    probe(version=2)
    recompute_all(services, study=study)
    assert count(services, Review) == 0
