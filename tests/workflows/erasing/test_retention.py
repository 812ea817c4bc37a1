"""A study keeps its patients' data until a day, and no longer."""

from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from konectom.errors import FieldInvalid, NotFound
from konectom.storage.models import AuditRow, Patient, Study
from konectom.workflows.consent.study_terms import edit_study
from konectom.workflows.erasing.certificates import list_certificates
from konectom.workflows.erasing.erasure import finish_erasures
from konectom.workflows.erasing.retention import erase_study, overdue_studies
from konectom.workflows.patients.people import get_study
from tests.erasing import populate

WHY = "retention"


@pytest.fixture
def study(people):
    return people.study("OLD")


def until(services, study, day):
    return edit_study(services, study, reason="as the board asked", retain_until=day)


def test_a_study_has_no_date_until_one_is_set(services, study, clock):
    assert get_study(services, study)["retain_until"] is None
    day = clock.now.date() + timedelta(days=3650)
    assert until(services, study, day)["retain_until"] == day.isoformat()
    assert get_study(services, study)["retain_until"] == day.isoformat()
    assert until(services, study, None)["retain_until"] is None


def test_the_change_and_its_reason_are_audited(services, study):
    until(services, study, date(2030, 1, 1))
    with services.db.read() as db:
        last = db.scalars(select(AuditRow).order_by(AuditRow.seq.desc()).limit(1)).one()
    assert (last.entity, last.change, last.entity_id) == ("study", "update", str(study))
    assert last.why is not None


def test_what_is_not_named_stays(services, study):
    until(services, study, date(2030, 1, 1))
    told = edit_study(services, study, reason="on paper", consent="elsewhere")
    assert (told["consent"], told["retain_until"]) == ("elsewhere", "2030-01-01")


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"reason": " "}, "/reason"),
        ({"reason": "r", "consent": "nowhere"}, "/consent"),
        ({"reason": "r", "consent": None}, "/consent"),
        ({"reason": "r", "retain_until": "2030-01-01"}, "/retain_until"),
    ],
)
def test_what_cannot_be_is_refused(services, study, change, at):
    with pytest.raises(FieldInvalid) as refused:
        edit_study(services, study, **change)
    assert refused.value.at == at


def test_a_study_that_is_not_here_cannot_be_changed(services):
    with pytest.raises(NotFound):
        edit_study(services, uuid4(), reason="r", consent="here")


def test_the_last_day_is_kept_and_the_next_is_overdue(services, people, study, clock):
    people.patient(study)
    until(services, study, clock.now.date())
    assert overdue_studies(services) == []
    assert [each["overdue"] for each in overdue_studies(services, overdue_only=False)] == [False]
    clock.forward(days=1)
    (told,) = overdue_studies(services)
    assert (told["code"], told["patients"], told["overdue"]) == ("OLD", 1, True)


def test_a_study_without_patients_is_not_overdue(services, study, clock):
    until(services, study, date(2020, 1, 1))
    assert overdue_studies(services) == []


def test_a_study_whose_time_is_not_over_is_not_erased(services, people, study, clock):
    people.patient(study)
    for day in (None, clock.now.date()):
        until(services, study, day)
        with pytest.raises(FieldInvalid, match="one by one"):
            list(erase_study(services, study, reason=WHY))
    with services.db.read() as db:
        assert db.scalar(select(func.count()).select_from(Patient)) == 1


def test_what_was_interrupted_goes_on(services, people, study, probe):
    persons = [populate(services, study, sessions=1) for _ in range(3)]
    other = populate(services, people.study("NEW"), sessions=1)
    until(services, study, date(2020, 1, 1))
    erasing = erase_study(services, study, reason=WHY)
    first = next(erasing)
    erasing.close()
    rest = list(erase_study(services, study, reason=WHY))
    erased = [each["certificate"]["patient"] for each in (first, *rest)]
    assert sorted(erased) == sorted(str(each.id) for each in persons)
    assert finish_erasures(services)
    listed = list_certificates(services, study)["items"]
    assert sorted(each["certificate"]["patient"] for each in listed) == sorted(erased)
    assert all(each["residue"] == {"objects": 0, "database": False} for each in listed)
    with services.db.read() as db:
        assert db.scalars(select(Patient.id)).all() == [other.id]
        assert db.get(Study, study) is not None
    assert overdue_studies(services) == []


def test_certificates_come_page_by_page(services, study, people):
    for _ in range(3):
        people.patient(study)
    until(services, study, date(2020, 1, 1))
    list(erase_study(services, study, reason=WHY))
    first = list_certificates(services, study, limit=2)
    rest = list_certificates(services, study, limit=2, cursor=first["next"])
    ids = [each["certificate"]["id"] for each in (*first["items"], *rest["items"])]
    assert len(set(ids)) == 3
    assert rest["next"] is None
    patient = UUID(first["items"][1]["certificate"]["patient"])
    assert list_certificates(services, study, patient=patient)["items"] == [first["items"][1]]
