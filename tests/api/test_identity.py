"""Who a patient is, over HTTP: for those who call or meet the patient, and for nobody else."""

from uuid import UUID

import pytest
import structlog

from konectom.storage.models import Identity
from tests.api.client import Caller, first_error
from tests.world import user

ADA = {"given_name": "Augusta Ada", "family_name": "Byron-Zweistein", "birth_date": "1815-12-10"}


@pytest.fixture
def study(people):
    return people.study()


@pytest.fixture
def patient(people, study):
    return people.patient(study)


@pytest.fixture
def manager(callers, services, study):
    """A study manager who has logged in."""
    _, token = user(services, "study_manager", study=study)
    return Caller(callers.client, token, study=study)


def address(patient: UUID) -> str:
    return f"/patients/{patient}/identity"


def test_it_is_said_told_and_removed(manager, patient):
    said = manager("PUT", address(patient), json=ADA)
    assert said.status_code == 200
    told = manager.get(address(patient))
    assert told.json == said.json
    assert {name: told.json[name] for name in ADA} == ADA
    assert (told.json["patient"], told.json["email"]) == (str(patient), None)
    gone = manager("DELETE", address(patient))
    assert (gone.status_code, gone.data) == (204, b"")
    assert manager.get(address(patient)).json["given_name"] is None


def test_it_stands_in_no_other_answer(manager, patient, study):
    manager("PUT", address(patient), json=ADA)
    for path in (f"/patients/{patient}", "/patients", f"/patients/{patient}/summary", f"/studies/{study}/features"):
        answer = manager.get(path)
        assert answer.status_code == 200
        assert not any(value in answer.text for value in ADA.values())


def test_it_stands_in_no_line_of_the_log(manager, patient):
    with structlog.testing.capture_logs() as log:
        manager("PUT", address(patient), json=ADA)
        manager.get(address(patient))
        manager("PUT", address(patient), json=ADA | {"note": "x" * 5000})
        manager("PUT", address(patient), json={"nickname": "Zweistein"})
    assert len(log) == 4
    assert not any(value in str(log) for value in (*ADA.values(), "Zweistein", str(patient)))


@pytest.mark.parametrize("role", ["administrator", "researcher", "monitor"])
def test_who_has_no_business_with_names_learns_none(callers, services, manager, patient, study, role):
    manager("PUT", address(patient), json=ADA)
    _, token = user(services, role, study=None if role == "administrator" else study)
    caller = Caller(callers.client, token)
    for method, sent in (("GET", None), ("PUT", ADA), ("DELETE", None)):
        answer = caller(method, address(patient), json=sent)
        assert first_error(answer)[:2] == (403, "not_permitted")
        assert not any(value in answer.text for value in ADA.values())


def test_neither_phones_nor_programs_learn_it(callers, staff, manager, patient):
    manager("PUT", address(patient), json=ADA)
    for caller in (callers.phone(patient), staff):
        assert first_error(caller.get(address(patient)))[:2] == (403, "not_permitted")


def test_of_a_patient_of_another_study_there_is_nothing(callers, services, people, manager, patient):
    manager("PUT", address(patient), json=ADA)
    elsewhere = people.study()
    _, token = user(services, "study_manager", study=elsewhere)
    stranger = Caller(callers.client, token)
    absent = stranger.get(address(UUID(int=7))).json
    for method, sent in (("GET", None), ("PUT", ADA), ("DELETE", None)):
        answer = stranger(method, address(patient), json=sent)
        assert first_error(answer)[:2] == (404, "not_found")
        assert answer.json["detail"] == absent["detail"]
    assert manager.get(address(patient)).json["given_name"] == "Augusta Ada"


@pytest.mark.parametrize(
    ("sent", "at"),
    [({"birth_date": "yesterday"}, "/birth_date"), ({"email": 7}, "/email"), ({"nickname": "A"}, "/nickname")],
)
def test_what_cannot_be_is_refused_with_its_place(manager, patient, sent, at):
    assert first_error(manager("PUT", address(patient), json=sent)) == (422, "field_invalid", at)


def test_a_seal_that_was_tampered_with_is_told_as_damage(manager, services, patient):
    manager("PUT", address(patient), json=ADA)
    with services.db.write() as db:
        row = db.get(Identity, patient)
        row.sealed = row.sealed[:-1] + bytes([row.sealed[-1] ^ 1])
    assert first_error(manager.get(address(patient)))[:2] == (503, "seal_broken")
