from uuid import UUID, uuid4

import pytest

from konectom.errors import AlreadyExists, FieldInvalid, NotFound
from konectom.security.principal import Scope
from konectom.workflows.patients.people import (
    create_patient,
    create_study,
    get_patient,
    get_study,
    list_patients,
    list_studies,
    require_patient,
)


def within(study):
    return Scope(places=frozenset({(study, None)}))


def test_a_study_is_made_and_found(services):
    made = create_study(services, code="MS-2026", name="A study")
    assert made == {
        "id": made["id"],
        "code": "MS-2026",
        "name": "A study",
        "consent": "here",
        "retain_until": None,
        "created_at": "2026-11-21T09:00:00+00:00",
    }
    assert get_study(services, UUID(made["id"])) == made
    assert list_studies(services) == {"items": [made], "next": None}


def test_a_patient_is_made_and_found(services, people):
    study = people.study()
    facts = {"birth_year": 1980, "sex": "female", "education_years": 12.5, "height_m": 1.7, "mass_kg": 70.0}
    made = create_patient(services, study_id=study, code="P-1", handedness="left", **facts)
    expected = {"id": made["id"], "study": str(study), "code": "P-1", "site": None, "handedness": "left", **facts}
    assert made == expected | {"created_at": "2026-11-21T09:00:00+00:00", "restricted_at": None}
    assert get_patient(services, UUID(made["id"]), study_id=study) == made


def test_a_code_is_taken_once(services, people):
    study = people.study("A")
    people.patient(study, "P1")
    with pytest.raises(AlreadyExists):
        people.study("A")
    with pytest.raises(AlreadyExists):
        people.patient(study, "P1")
    people.patient(people.study("B"), "P1")  # in another study it is another patient


@pytest.mark.parametrize("code", ["", " ", "a b", "=1+1", "-1", "é", "a/b", "a\n", "x" * 65, "../x"])
def test_codes_are_plain(services, people, code):
    study = people.study()
    with pytest.raises(FieldInvalid) as refused:
        create_study(services, code=code)
    assert refused.value.at == "/code"
    with pytest.raises(FieldInvalid):
        create_patient(services, study_id=study, code=code)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("birth_year", 1889),
        ("birth_year", 2027),
        ("sex", "f"),
        ("education_years", -1),
        ("height_m", 170),
        ("mass_kg", float("nan")),
        ("handedness", "L"),
    ],
)
def test_facts_about_people_are_checked(services, people, field, value):
    study = people.study()
    with pytest.raises(FieldInvalid) as refused:
        create_patient(services, study_id=study, code="P", **{field: value})
    assert refused.value.at == f"/{field}"
    assert list_patients(services)["items"] == []


@pytest.mark.parametrize("name", ["x" * 201, "a\0b"])
def test_texts_have_an_end_and_no_nul(services, name):
    with pytest.raises(FieldInvalid) as refused:
        create_study(services, code="A", name=name)
    assert refused.value.at == "/name"


def test_what_does_not_exist_is_not_found(services, people):
    for ask in (
        lambda: get_study(services, uuid4()),
        lambda: get_patient(services, uuid4()),
        lambda: create_patient(services, study_id=uuid4(), code="P"),
    ):
        with pytest.raises(NotFound):
            ask()


def test_outside_of_the_study_asked_about_nothing_is_found(services, people):
    mine, other = people.study("A"), people.study("B")
    inside, outside = people.patient(mine, "P1"), people.patient(other, "P2")
    with pytest.raises(NotFound):
        require_patient(services, outside, scope=within(mine))
    with pytest.raises(NotFound):
        get_patient(services, outside, study_id=mine)
    assert [each["code"] for each in list_studies(services, scope=within(mine))["items"]] == ["A"]
    assert [each["id"] for each in list_patients(services, scope=within(mine))["items"]] == [str(inside)]


def test_a_patient_is_found_by_code(services, people):
    study = people.study()
    people.patient(study, "P1")
    people.patient(study, "P2")
    found = list_patients(services, study_id=study, code="P2")["items"]
    assert [each["code"] for each in found] == ["P2"]
    assert list_patients(services, study_id=study, code="p2")["items"] == []
