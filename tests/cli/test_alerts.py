"""``konectom alerts``."""

import csv
import io
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from konectom.workflows.following import reviews
from konectom.workflows.following.alerts import acknowledge, list_alerts
from konectom.workflows.following.reviews import patients_due
from konectom.workflows.observations.entering import enter_observation

FIRST = datetime(2025, 1, 6, 10, tzinfo=UTC)


@pytest.fixture
def study(people):
    return people.study("pilot")


@pytest.fixture
def worse(services, people, study):
    """Makes a patient whose EDSS has worsened, confirmed after 12 weeks."""

    def make(code):
        patient = people.patient(study, code)
        for week, step in ((0, 3.0), (24, 4.0), (36, 4.0)):
            at = FIRST + timedelta(weeks=week)
            enter_observation(services, patient, code="edss", at=at, values={"step": step})
        return patient

    return make


def test_all_who_are_due_are_reviewed_and_listed(konectom, services, people, study, worse):
    for code in ("P1", "P2", "P3"):
        worse(code)
    people.patient(study, "P4")
    result = konectom("alerts", "--study", "pilot")
    head, *lines = result.stdout.splitlines()
    assert head.split() == ["found", "patient", "kind", "message"]
    assert sorted(line.split()[1] for line in lines) == ["P1", "P2", "P3"]
    assert all("confirmed_worsening" in line and "since 2025-06-23 (from 3 to 4)" in line for line in lines)
    assert result.stderr == "patients reviewed: 4; open alerts: 3\n"
    again = konectom("alerts", "--study", str(study))
    assert again.stdout == result.stdout
    assert again.stderr == "patients reviewed: 0; open alerts: 3\n"


def test_what_was_seen_is_listed_only_where_asked_for(konectom, services, study, worse):
    patient = worse("P1")
    (found,) = konectom.json("alerts", "--study", "pilot")
    assert (found["patient"], found["kind"]) == ("P1", "confirmed_worsening")
    acknowledge(services, study, UUID(found["id"]), by="Ada", note='seen, "at last"')
    assert konectom.json("alerts", "--study", "pilot") == []
    (told,) = konectom.json("alerts", "--study", "pilot", "--all")
    (kept,) = list_alerts(services, study, status="all")["items"]
    assert told == kept | {"patient": "P1"}
    assert kept["patient"] == str(patient)
    (row,) = csv.DictReader(io.StringIO(konectom("alerts", "--study", "pilot", "--all", "--format", "csv").stdout))
    assert row == {name: told[name] or "" for name in row}
    assert row["note"] == 'seen, "at last"'


def test_without_alerts_a_table_has_its_head_alone(konectom, study):
    assert len(konectom("alerts", "--study", "pilot").stdout.splitlines()) == 1
    assert konectom("alerts", "--study", "pilot", "--format", "csv").stdout.startswith("id,patient,kind,")


def test_an_interrupted_review_goes_on_where_it_was(konectom, services, study, worse, monkeypatch):
    for code in ("P1", "P2", "P3"):
        worse(code)
    find_all, seen = reviews.find_all, []

    def find(db, patient, now):
        seen.append(patient.code)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return find_all(db, patient, now)

    monkeypatch.setattr(reviews, "find_all", find)
    assert "interrupted" in konectom("alerts", "--study", "pilot", status=130).stderr
    assert len(patients_due(services, study)) == 2
    assert "patients reviewed: 2; open alerts: 3" in konectom("alerts", "--study", "pilot").stderr
    assert sorted(seen) == sorted(["P1", "P2", "P3", seen[1]])


def test_a_patient_whose_review_fails_never_costs_the_others(konectom, study, worse, monkeypatch):
    for code in ("P1", "P2"):
        worse(code)
    find_all = reviews.find_all

    def find(db, patient, now):
        if patient.code == "P1":
            raise ZeroDivisionError("a fault in the maths")
        return find_all(db, patient, now)

    monkeypatch.setattr(reviews, "find_all", find)
    result = konectom("alerts", "--study", "pilot", status=1)
    assert "P1: ZeroDivisionError: a fault in the maths" in result.stderr
    assert "patients that could not be reviewed: 1" in result.stderr
    assert [line.split()[1] for line in result.stdout.splitlines()[1:]] == ["P2"]


def test_a_study_that_there_is_not_is_refused(konectom):
    assert "there is no study 'none'" in konectom("alerts", "--study", "none", status=1).stderr
