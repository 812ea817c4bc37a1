"""Reviews: who is due, one at a time and many at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import event

from konectom.errors import StoreUnavailable
from konectom.storage.models import Alert
from konectom.workflows.access.tokens import authenticate
from konectom.workflows.following import reviews
from konectom.workflows.following.alerts import acknowledge, list_alerts
from konectom.workflows.following.due import REVIEW_EVERY, SETTLING
from konectom.workflows.following.reviews import patients_due, review_patient, review_some
from tests.workflows.following.following import alerts, kinds, patient, study, visit

__all__ = ["alerts", "patient", "study", "visit"]


def test_a_patient_is_due_when_something_came_and_after_a_day(services, study, patient, visit, clock):
    assert patients_due(services, study) == [patient]
    review_patient(services, patient)
    assert patients_due(services, study) == []
    clock.forward(minutes=10)
    visit(0, 3.0)
    assert patients_due(services, study) == [patient]
    clock.forward(minutes=10)
    review_patient(services, patient)
    assert patients_due(services, study) == []
    clock.now += REVIEW_EVERY
    assert patients_due(services, study) == [patient]


def test_what_was_on_its_way_during_a_review_is_looked_for_once_more(services, study, patient, visit, clock):
    visit(0, 3.0)
    clock.forward(seconds=30)
    review_patient(services, patient)
    # Another upload may have been received before the review, and may have reached the tables after it.
    assert patients_due(services, study) == []
    clock.now += SETTLING
    assert patients_due(services, study) == [patient]
    review_patient(services, patient)
    clock.now += SETTLING
    assert patients_due(services, study) == []


def test_those_who_waited_longest_come_first(services, people, study, clock):
    patients = [people.patient(study) for _ in range(3)]
    review_patient(services, patients[1])
    clock.forward(hours=1)
    review_patient(services, patients[0])
    clock.forward(days=2)
    assert patients_due(services, study)[-2:] == [patients[1], patients[0]]
    assert patients_due(services, study, most=1)[0] == patients_due(services, study)[0]


def test_a_list_reviews_some_and_tells_how_many_wait(services, people, study, monkeypatch):
    for _ in range(4):
        people.patient(study)
    assert review_some(services, study, within_s=0) == 1
    assert review_some(services, study, most=2) == 2
    monkeypatch.setattr("konectom.workflows.following.alerts.review_some", lambda *_, **__: 0)
    assert list_alerts(services, study)["pending"] == 1
    monkeypatch.undo()
    assert list_alerts(services, study)["pending"] == 0


def test_without_review_nobody_is_gone_through(services, study, patient):
    assert list_alerts(services, study, review=False)["pending"] == 1


def test_one_patient_whose_review_fails_does_not_stand_in_the_others_way(
    services, people, study, visit, alerts, monkeypatch
):
    broken = people.patient(study)
    for week, score in ((0, 3.0), (24, 4.0), (36, 4.0)):
        visit(week, score)
    find_all = reviews.find_all

    def find(db, patient, now):
        if patient.id == broken:
            raise ZeroDivisionError("a fault in the maths")
        return find_all(db, patient, now)

    monkeypatch.setattr(reviews, "find_all", find)
    answer = list_alerts(services, study)
    assert (kinds(answer["items"]), answer["pending"]) == (["confirmed_worsening"], 1)


def test_a_database_that_only_reads_still_tells_what_was_found(services, study, patient, visit, alerts, clock):
    for week, score in ((0, 3.0), (24, 4.0), (36, 4.0)):
        visit(week, score)
    found = alerts()
    clock.forward(days=2)
    services.db.close()

    def only_read(connection, record):
        if hasattr(connection, "read_only"):
            connection.read_only = True
        else:
            connection.execute("PRAGMA query_only = ON")

    event.listen(services.db.engine, "connect", only_read)
    answer = list_alerts(services, study)
    assert (answer["items"], answer["pending"]) == (found, 1)
    with pytest.raises(StoreUnavailable):
        acknowledge(services, study, UUID(found[0]["id"]), by="Ada")


def test_reviews_at_the_same_time_make_each_alert_once(services, study, patient, visit, monkeypatch):
    for week, score in ((0, 3.0), (24, 4.0), (36, 4.0)):
        visit(week, score)
    together, find_all = threading.Barrier(4), reviews.find_all

    def find(*asked):
        found = find_all(*asked)
        together.wait(60)
        return found

    monkeypatch.setattr(reviews, "find_all", find)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: review_patient(services, patient), range(4)))
    with services.db.read() as db:
        assert db.query(Alert).count() == 1


def test_a_review_that_began_earlier_does_not_undo_a_later_one(
    services, study, patient, visit, alerts, clock, monkeypatch
):
    visit(0, 3.0)
    visit(24, 4.0)
    find_all = reviews.find_all

    def overtaken(*asked):
        """While this one computes, a value comes and another review is done."""
        found = find_all(*asked)
        monkeypatch.setattr(reviews, "find_all", find_all)
        clock.forward(minutes=1)
        visit(36, 4.0)
        review_patient(services, patient)
        return found

    monkeypatch.setattr(reviews, "find_all", overtaken)
    review_patient(services, patient)
    assert kinds(list_alerts(services, study, review=False)["items"]) == ["confirmed_worsening"]


def test_who_sees_a_part_of_the_study_reviews_and_counts_no_others(services, people, study, staff_members, monkeypatch):
    site = staff_members.site(study)
    ours, theirs = people.patient(study, site_id=site), people.patient(study)
    caller = authenticate(services, staff_members.member("study_manager", study, site).token)
    scope = caller.reach("alert.read")
    assert list_alerts(services, study, scope=scope)["pending"] == 0
    assert theirs in patients_due(services, study)
    assert ours not in patients_due(services, study)
    nobody = authenticate(services, staff_members.member("clinician", study).token).reach("alert.read")
    assert list_alerts(services, study, scope=nobody)["pending"] == 0
    assert theirs in patients_due(services, study)
    monkeypatch.setattr("konectom.workflows.following.alerts.review_some", lambda *_, **__: 0)
    assert list_alerts(services, study)["pending"] == len(patients_due(services, study)) > 0
    assert list_alerts(services, study, scope=scope)["pending"] == 0
