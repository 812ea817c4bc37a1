"""Schedules: whose holds, from when, by whose days, and what is told of how it was kept."""

from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import pytest

from konectom.errors import AlreadyExists, AssessmentUnknown, FieldInvalid, FieldMissing, NotFound
from konectom.workflows.following.reviews import patients_due, review_patient
from konectom.workflows.patients.schedules import (
    FARTHEST,
    PERIODS_TOLD,
    create_schedule,
    delete_schedule,
    list_schedules,
    patient_adherence,
)
from konectom.workflows.sessions.ingest import ingest_session
from tests.probe import probe_recording, session_body

pytestmark = pytest.mark.usefixtures("probe")
WEEKLY = {"start": "2026-09-28", "times": 2, "per_days": 7}


@pytest.fixture
def study(people):
    return people.study()


@pytest.fixture
def enrolled(people, clock, study):
    """A patient who came on Monday, 28 September 2026."""
    clock.now, now = datetime(2026, 9, 28, 8, tzinfo=UTC), clock.now
    patient = people.patient(study)
    clock.now = now
    return patient


@pytest.fixture
def perform(services):
    def send(patient, at, **more):
        body = session_body(probe_recording(), started_at=at, **more)
        return ingest_session(services, session_id=uuid4(), patient_id=patient, body=body).receipt

    return send


def kept(services, patient):
    (only,) = patient_adherence(services, patient)["schedules"]
    return only


def sums(told):
    return tuple(told[name] for name in ("due", "done", "late", "missed", "extra"))


def test_what_was_due_is_held_against_what_was_done(services, study, enrolled, perform, clock):
    made = create_schedule(services, study, assessment="probe", **WEEKLY, tolerance_days=1, time_zone="Europe/Paris")
    for day in ("09-28", "09-29", "09-30", "10-06", "10-12"):
        perform(enrolled, f"2026-{day}T10:00:00+02:00")
    clock.now = datetime(2026, 10, 20, 12, tzinfo=UTC)
    told = kept(services, enrolled)
    assert {name: told[name] for name in made} == made
    assert told["holds_from"] == "2026-09-28"
    # Two and one more in the first week; one in the second and one a day late; nothing in the third.
    assert sums(told) == (6, 3, 1, 2, 1)
    assert told["share"] == pytest.approx(4 / 6)
    assert [each["start"] for each in told["periods"]] == ["2026-09-28", "2026-10-05", "2026-10-12", "2026-10-19"]
    assert [each["open"] for each in told["periods"]] == [False, False, False, True]


def test_a_patients_own_schedule_stands_instead_of_the_studys(services, people, study, enrolled):
    general = create_schedule(services, study, assessment="probe", **WEEKLY)
    other = create_schedule(services, study, assessment="tap", **WEEKLY)
    own = create_schedule(services, study, assessment="probe", patient=enrolled, start="2026-10-01")
    second = create_schedule(services, study, assessment="probe", patient=enrolled, start="2026-11-01")
    wanted = [*sorted([own["id"], second["id"]]), other["id"]]
    assert [each["id"] for each in patient_adherence(services, enrolled)["schedules"]] == wanted
    assert [each["id"] for each in list_schedules(services, study, patient=enrolled)["items"]] == wanted
    somebody = people.patient(study)
    assert [each["id"] for each in list_schedules(services, study, patient=somebody)["items"]] == [
        general["id"],
        other["id"],
    ]
    assert len(list_schedules(services, study)["items"]) == 4


def test_nobody_has_missed_what_was_due_before_they_came(services, people, study, perform, clock):
    create_schedule(services, study, assessment="probe", start="2025-01-06", time_zone="Europe/Paris")
    patient = people.patient(study)
    told = kept(services, patient)
    assert (told["start"], told["holds_from"], told["due"], told["lapsed_since"]) == (
        "2025-01-06",
        "2026-11-21",
        0,
        None,
    )
    clock.forward(days=21)
    told = kept(services, patient)
    assert (told["due"], told["missed"], told["lapsed_since"]) == (3, 3, "2026-11-21")
    # What was recorded before the patient was entered here counts from then on.
    perform(patient, "2026-11-02T10:00:00+01:00")
    assert kept(services, patient)["holds_from"] == "2026-11-02"


def test_the_own_schedule_holds_from_its_start_on(services, people, study):
    patient = people.patient(study)
    create_schedule(services, study, assessment="probe", patient=patient, start="2026-11-02")
    assert kept(services, patient)["holds_from"] == "2026-11-02"
    assert kept(services, patient)["due"] == 2


@pytest.mark.parametrize(
    ("time_zone", "done"),
    [("UTC", 1), ("Europe/Paris", 2), ("America/New_York", 1), ("Pacific/Kiritimati", 2)],
)
def test_days_are_those_of_the_time_zone(services, study, enrolled, perform, time_zone, done):
    # One day in UTC and to the west of it; further east the second test was after midnight.
    create_schedule(services, study, assessment="probe", start="2026-10-01", per_days=30, times=3, time_zone=time_zone)
    perform(enrolled, "2026-10-10T08:30:00+00:00")
    perform(enrolled, "2026-10-10T23:30:00+00:00")
    assert kept(services, enrolled)["periods"][0]["done"] == done


def test_the_days_on_which_clocks_change_are_days(services, study, enrolled, perform, clock):
    create_schedule(services, study, assessment="probe", start="2026-10-24", per_days=1, time_zone="Europe/Paris")
    # Half an hour after midnight and half an hour before the next: 25 October has 25 hours there.
    for at in ("2026-10-24T12:00:00+02:00", "2026-10-25T00:30:00+02:00", "2026-10-25T23:30:00+01:00"):
        perform(enrolled, at)
    clock.now = datetime(2026, 10, 27, 12, tzinfo=UTC)
    told = kept(services, enrolled)
    assert [(each["start"], each["done"]) for each in told["periods"]] == [
        ("2026-10-24", 1),
        ("2026-10-25", 1),
        ("2026-10-26", 0),
        ("2026-10-27", 0),
    ]
    assert told["extra"] == 0


@pytest.mark.parametrize("at", ["9999-12-31T20:00:00-03:00", "0001-01-01T10:00:00+09:00", "2027-03-01T10:00:00+00:00"])
def test_a_clock_that_was_wrong_costs_nothing(services, study, enrolled, perform, at):
    create_schedule(services, study, assessment="probe", **WEEKLY, time_zone="Pacific/Kiritimati")
    perform(enrolled, "2026-09-29T10:00:00+02:00")
    before = kept(services, enrolled)
    perform(enrolled, at)
    assert kept(services, enrolled) == before


def test_a_recording_that_says_it_came_decades_after_its_session_costs_nothing(services, study, enrolled):
    create_schedule(services, study, assessment="probe", **WEEKLY, time_zone="Pacific/Kiritimati")
    before = kept(services, enrolled)
    body = session_body(probe_recording(offset_s=1e9), started_at="2026-10-01T00:00:00+00:00")
    ingest_session(services, session_id=uuid4(), patient_id=enrolled, body=body)
    assert kept(services, enrolled) == before


def test_a_schedule_that_is_over_is_not_lapsed(services, study, enrolled, clock):
    create_schedule(services, study, assessment="probe", start="2026-09-28", until="2026-10-25")
    clock.now = datetime(2026, 10, 25, 12, tzinfo=UTC)
    assert kept(services, enrolled)["lapsed_since"] == "2026-09-28"
    clock.forward(days=1)
    told = kept(services, enrolled)
    assert (told["due"], told["missed"], told["lapsed_since"]) == (4, 4, None)


def test_ten_years_of_days_are_summed_and_the_last_are_told(services, people, study, clock):
    start = clock.now.date() - FARTHEST
    patient = people.patient(study)
    create_schedule(services, study, assessment="probe", patient=patient, start=start.isoformat(), per_days=1)
    told = kept(services, patient)
    assert told["due"] == FARTHEST.days
    assert len(told["periods"]) == PERIODS_TOLD
    assert told["periods"][-1]["start"] == clock.now.date().isoformat()


@pytest.mark.parametrize(
    ("rule", "error", "at"),
    [
        ({"start": "1900-01-01", "per_days": 1}, FieldInvalid, "/start"),
        ({"start": "9999-12-31"}, FieldInvalid, "/start"),
        ({"start": "2026-02-30"}, FieldInvalid, "/start"),
        ({}, FieldMissing, "/start"),
        ({"start": "2026-11-02", "until": "2026-11-01"}, FieldInvalid, "/until"),
        ({"start": "2026-11-02", "times": 8}, FieldInvalid, "/times"),
        ({"start": "2026-11-02", "per_days": 0}, FieldInvalid, "/per_days"),
        ({"start": "2026-11-02", "tolerance_days": 9}, FieldInvalid, "/tolerance_days"),
        ({"start": "2026-11-02", "time_zone": "Paris"}, FieldInvalid, "/time_zone"),
        ({"start": "2026-11-02", "assessment": "prob"}, AssessmentUnknown, "/assessment"),
        ({"start": "2026-11-02", "patient": UUID(int=1)}, NotFound, "/patient"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(services, study, rule, error, at):
    with pytest.raises(error) as refused:
        create_schedule(services, study, **({"assessment": "probe"} | rule))
    assert refused.value.at == at
    assert list_schedules(services, study)["items"] == []


def test_a_patient_of_another_study_is_not_found(services, people, study):
    other = people.patient()
    with pytest.raises(NotFound) as refused:
        create_schedule(services, study, assessment="probe", patient=other, **WEEKLY)
    assert refused.value.at == "/patient"
    with pytest.raises(NotFound) as refused:
        list_schedules(services, study, patient=other)
    assert refused.value.at == "/query/patient"


def test_a_study_that_there_is_not_has_no_schedules(services):
    for ask in (list_schedules, lambda *of: create_schedule(*of, assessment="probe", **WEEKLY)):
        with pytest.raises(NotFound):
            ask(services, uuid4())


def test_the_same_schedule_again_is_refused(services, people, study):
    create_schedule(services, study, assessment="probe", **WEEKLY)
    with pytest.raises(AlreadyExists):
        create_schedule(services, study, assessment="probe", **WEEKLY, tolerance_days=0)
    create_schedule(services, study, assessment="probe", **WEEKLY, tolerance_days=1)
    create_schedule(services, study, assessment="probe", patient=people.patient(study), **WEEKLY)


def test_schedules_are_so_many_at_most(services, study, monkeypatch):
    monkeypatch.setattr("konectom.workflows.patients.schedules.MOST", 2)
    for days in (1, 2):
        create_schedule(services, study, assessment="probe", start="2026-11-02", per_days=days)
    with pytest.raises(FieldInvalid, match="2 schedules already"):
        create_schedule(services, study, assessment="probe", start="2026-11-02", per_days=3)


def test_the_list_comes_in_pages(services, study):
    made = {
        create_schedule(services, study, assessment=name, start=f"2026-11-0{day}")["id"]
        for name in ("tap", "probe")
        for day in (1, 2)
    }
    first = list_schedules(services, study, limit=3)
    rest = list_schedules(services, study, limit=3, cursor=first["next"])
    assert [each["assessment"] for each in (*first["items"], *rest["items"])] == ["probe", "probe", "tap", "tap"]
    assert {each["id"] for each in (*first["items"], *rest["items"])} == made
    assert rest["next"] is None


def test_a_schedule_is_removed(services, people, study, enrolled):
    made = UUID(create_schedule(services, study, assessment="probe", **WEEKLY)["id"])
    with pytest.raises(NotFound):
        delete_schedule(services, people.study(), made)
    delete_schedule(services, study, made)
    assert patient_adherence(services, enrolled)["schedules"] == []
    with pytest.raises(NotFound):
        delete_schedule(services, study, made)


def test_who_is_concerned_is_reviewed_anew(services, people, study):
    patients = sorted(people.patient(study) for _ in range(2))

    def due_after(change):
        for each in patients:
            review_patient(services, each)
        assert patients_due(services, study) == []
        told = change()
        return told, patients_due(services, study)

    general, due = due_after(lambda: create_schedule(services, study, assessment="probe", **WEEKLY))
    assert due == patients
    own, due = due_after(
        lambda: create_schedule(services, study, assessment="probe", patient=patients[1], start=str(date(2026, 11, 2)))
    )
    assert due == [patients[1]]
    assert due_after(lambda: delete_schedule(services, study, UUID(own["id"])))[1] == [patients[1]]
    assert due_after(lambda: delete_schedule(services, study, UUID(general["id"])))[1] == patients
