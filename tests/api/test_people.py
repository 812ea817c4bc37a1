"""Studies and patients."""

from uuid import UUID, uuid4

import pytest

from tests.api.client import first_error


def test_a_study_is_made_and_shown(staff):
    made = staff.post("/studies", json={"code": "GAIT-1", "name": "Gait"})
    assert made.status_code == 201
    assert made.json["code"] == "GAIT-1"
    shown = staff.get(made.headers["Location"])
    assert shown.json == made.json


def test_the_same_code_twice_is_a_conflict(staff):
    staff.post("/studies", json={"code": "GAIT-1"})
    assert first_error(staff.post("/studies", json={"code": "GAIT-1"}))[:2] == (409, "already_exists")


def test_a_patient_is_made_with_what_norms_need(staff, people):
    facts = {
        "birth_year": 1980,
        "sex": "female",
        "education_years": 13.5,
        "height_m": 1.7,
        "mass_kg": 64,
        "handedness": "left",
    }
    made = staff.post("/patients", json={"study": str(people.study()), "code": "MS-001"} | facts)
    assert made.status_code == 201
    assert made.json.items() >= facts.items()
    assert staff.get(made.headers["Location"]).json == made.json


def test_a_patient_needs_no_more_than_a_code(staff, people):
    made = staff.post("/patients", json={"study": str(people.study()), "code": "MS-001", "sex": None})
    assert made.status_code == 201
    assert made.json["birth_year"] is None


@pytest.mark.parametrize(
    ("change", "code", "at"),
    [
        ({"code": None}, "field_invalid", "/code"),
        ({"code": ""}, "field_invalid", "/code"),
        ({"code": "a b"}, "field_invalid", "/code"),
        ({"code": 7}, "field_invalid", "/code"),
        ({"study": "x"}, "field_invalid", "/study"),
        ({"birth_year": 1200}, "field_invalid", "/birth_year"),
        ({"birth_year": "soon"}, "field_invalid", "/birth_year"),
        ({"birth_year": 1e30}, "field_invalid", "/birth_year"),
        ({"height_m": True}, "field_invalid", "/height_m"),
        ({"sex": "x"}, "field_invalid", "/sex"),
        ({"name": "Jane Doe"}, "field_invalid", "/name"),
        ({"a/b~c": 1}, "field_invalid", "/a~1b~0c"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(staff, people, change, code, at):
    body = {"study": str(people.study()), "code": "MS-001"} | change
    assert first_error(staff.post("/patients", json=body)) == (422, code, at)


def test_the_document_tells_the_bounds_that_hold(staff, people, anybody):
    told = anybody.get("/openapi.json").json["components"]["schemas"]["NewPatient"]["properties"]
    bounded = {name: each for name, each in told.items() if "minimum" in each}
    assert set(bounded) == {"birth_year", "education_years", "height_m", "mass_kg"}
    study = str(people.study())
    for name, each in bounded.items():
        for bound, outwards in (("minimum", -1), ("maximum", 1)):
            if bound not in each:
                continue
            at = {"study": study, "code": f"{name}-{bound}", name: each[bound]}
            assert staff.post("/patients", json=at).status_code == 201
            beyond = at | {"code": "BEYOND", name: each[bound] + outwards}
            assert first_error(staff.post("/patients", json=beyond)) == (422, "field_invalid", f"/{name}")


def test_what_is_missing_is_named(staff):
    answer = staff.post("/patients", json={})
    assert answer.status_code == 422
    assert {(each["code"], each["at"]) for each in answer.json["errors"]} == {
        ("field_missing", "/study"),
        ("field_missing", "/code"),
    }


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null"])
def test_a_body_that_is_no_object_is_refused(staff, body):
    answer = staff.post("/studies", data=body, content_type="application/json")
    assert first_error(answer) == (422, "field_invalid", "")


@pytest.mark.parametrize("body", [b"", b"{", b'{"code": NaN}', b"\xff", b'{"code": "\\ud800"}'])
def test_a_body_that_is_no_json_is_refused(staff, body):
    answer = staff.post("/studies", data=body, content_type="application/json")
    assert first_error(answer)[:2] == (400, "not_json")


def test_only_json_is_read(staff):
    answer = staff.post("/studies", data="code=x", content_type="application/x-www-form-urlencoded")
    assert first_error(answer)[:2] == (415, "media_type_unsupported")
    assert first_error(staff.post("/studies"))[:2] == (415, "media_type_unsupported")


def test_a_large_body_is_refused(staff):
    answer = staff.post("/studies", json={"code": "A", "name": "x" * 2_000_000})
    assert first_error(answer)[:2] == (413, "body_too_large")


def test_lists_are_narrowed_and_paged(staff, people):
    study = people.study("S-1")
    made = [people.patient(study, f"P-{n}") for n in range(3)]
    people.patient()
    first = staff.get(f"/patients?study={study}&limit=2").json
    second = staff.get(f"/patients?study={study}&limit=2&cursor={first['next']}").json
    assert [UUID(each["id"]) for each in first["items"] + second["items"]] == made
    assert second["next"] is None
    assert [each["code"] for each in staff.get("/patients?code=P-1").json["items"]] == ["P-1"]
    assert len(staff.get("/patients").json["items"]) == 4
    assert "S-1" in [each["code"] for each in staff.get("/studies").json["items"]]


def test_what_does_not_exist_is_not_found(staff):
    for path in (f"/patients/{uuid4()}", f"/studies/{uuid4()}", f"/patients/{uuid4()}/trends"):
        assert first_error(staff.get(path))[:2] == (404, "not_found")
    assert first_error(staff.post("/patients", json={"study": str(uuid4()), "code": "A"}))[:2] == (404, "not_found")
