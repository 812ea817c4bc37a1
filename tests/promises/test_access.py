"""What callers list, find and send is their own: what the address does not name, the view narrows."""

from uuid import UUID, uuid4

import pytest

from tests.api.client import first_error
from tests.probe import probe_recording, session_body


def test_lists_hold_only_what_is_the_callers(callers, people):
    own, other = people.study(), people.study()
    patient = people.patient(own)
    people.patient(other)
    ada = callers.staff(own)
    assert [each["id"] for each in ada.get("/studies").json["items"]] == [str(own)]
    assert [each["id"] for each in ada.get("/patients").json["items"]] == [str(patient)]
    assert first_error(ada.get(f"/patients?study={other}")) == (404, "not_found", "/query/study")
    assert [each["id"] for each in ada.get(f"/patients?study={own}").json["items"]] == [str(patient)]


def test_staff_of_one_study_make_no_other(callers, people):
    own, other = people.study(), people.study()
    ada = callers.staff(own)
    assert ada.post("/studies", json={"code": "NEW"}).status_code == 403
    refused = ada.post("/patients", json={"study": str(other), "code": "P-1"})
    assert first_error(refused) == (404, "not_found", "/study")
    assert ada.post("/patients", json={"study": str(own), "code": "P-1"}).status_code == 201


@pytest.mark.usefixtures("probe")
class TestSessions:
    """Who may see and send which session."""

    @pytest.fixture
    def phones(self, callers, people):
        """Two phones of one study, and one of another."""
        study = people.study()
        return callers.phone(people.patient(study)), callers.phone(people.patient(study)), callers.phone()

    def test_a_phone_cannot_see_anothers_session(self, phones):
        session = uuid4()
        phones[0].put(session_body(), session)
        for other in phones[1:]:
            assert first_error(other.get(f"/sessions/{session}"))[:2] == (404, "not_found")
            assert first_error(other.get(f"/sessions/{session}?measures=all"))[:2] == (404, "not_found")
            assert other("HEAD", f"/sessions/{session}").status_code == 404
            assert other.get("/sessions").json["items"] == []

    @pytest.mark.parametrize("same_bytes", [True, False])
    def test_a_phone_cannot_take_anothers_session(self, phones, same_bytes):
        session, body = uuid4(), session_body()
        own = phones[0].put(body, session)
        sent = body if same_bytes else session_body(probe_recording(x=(9.0,) * 4))
        for other in phones[1:]:
            answer = other.put(sent, session)
            assert first_error(answer) == (409, "session_id_taken", None)
            assert same_bytes or own.json["digest"].removeprefix("sha256:") not in answer.text
            assert str(phones[0].patient) not in answer.text
        assert phones[0].get(f"/sessions/{session}").json == own.json

    def test_a_phone_uploads_for_nobody_else(self, phones):
        mine, other, _ = phones
        for patient in (other.patient, uuid4()):
            answer = mine("PUT", f"/sessions/{uuid4()}?patient={patient}", data=session_body())
            assert first_error(answer)[:2] == (404, "not_found")
        assert other.get("/sessions").json["items"] == []

    def test_staff_of_another_study_neither_see_nor_send(self, phones, callers, people):
        session = uuid4()
        phones[0].put(session_body(), session)
        stranger = callers.staff(people.study())
        assert stranger.get(f"/sessions/{session}").status_code == 404
        assert stranger.get("/sessions").json["items"] == []
        answer = stranger("PUT", f"/sessions/{uuid4()}?patient={phones[0].patient}", data=session_body())
        assert first_error(answer)[:2] == (404, "not_found")

    def test_staff_see_all_of_their_study(self, phones, callers):
        sessions = [uuid4() for _ in phones]
        for phone, session in zip(phones, sessions, strict=True):
            phone.put(session_body(), session)
        study = phones[0].get(f"/patients/{phones[0].patient}").json["study"]
        ada = callers.staff(UUID(study))
        assert {each["id"] for each in ada.get("/sessions").json["items"]} == set(map(str, sessions[:2]))
        assert {each["id"] for each in callers.staff().get("/sessions").json["items"]} == set(map(str, sessions))
