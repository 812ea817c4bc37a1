"""Nobody sees what is not theirs, and a view that does not say who may call it is closed to all."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from konectom.api.access import DEVICE, STAFF, UNBOUND_STAFF, declared_access
from konectom.workflows.tokens import issue_device_token, issue_staff_token, revoke_token
from tests.api.client import first_error
from tests.probe import probe_recording, session_body

PUBLIC = {
    "health.healthz",
    "health.readyz",
    "docs.openapi_json",
    "docs.openapi_30_json",
    "docs.page",
    "docs.errors_page",
    "docs.asset",
}

SCOPED_BY_THE_GUARD = {"patient_id", "study_id"}
# See the tests of sessions below, and of what lies within a patient or study in tests/api.
NARROWED_BY_THE_VIEW = {"session_id", "observation_id", "schedule_id", "alert_id"}
NOBODYS = {"name"}  # of an assessment


def addresses(app, **named):
    """Each endpoint that is not public, as method and path; ids are new unless named."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint in PUBLIC:
            continue
        values = {name: named.get(name, uuid4()) for name in rule.arguments}
        with app.test_request_context():
            path = app.url_map.bind("localhost").build(rule.endpoint, values, force_external=False)
        for method in rule.methods:
            yield rule, method, path


def test_every_endpoint_says_who_may_call_it(app):
    with app.app_context():
        declared = {rule.endpoint: declared_access(rule.endpoint) for rule in app.url_map.iter_rules()}
    assert {endpoint for endpoint, access in declared.items() if access is None} == set()
    assert {endpoint for endpoint, access in declared.items() if not access} == PUBLIC
    assert set().union(*declared.values()) <= {DEVICE, STAFF, UNBOUND_STAFF}


def test_a_view_that_says_nothing_is_closed(app, staff):
    app.add_url_rule("/api/v1/forgotten", "forgotten", lambda: "everything")
    assert first_error(staff.get("/forgotten"))[:2] == (403, "not_permitted")


def test_whatever_an_address_names_is_scoped(app):
    """A new kind of id in an address needs a rule in the guard, or a test of its own."""
    named = {name for rule in app.url_map.iter_rules() if rule.endpoint not in PUBLIC for name in rule.arguments}
    assert named == SCOPED_BY_THE_GUARD | NARROWED_BY_THE_VIEW | NOBODYS


@pytest.fixture
def bad_tokens(services, people, clock):
    device = people.device()
    expired = issue_device_token(services, device_id=device, lifetime=timedelta(minutes=1))
    clock.forward(minutes=2)
    revoked = issue_device_token(services, device_id=device)
    revoke_token(services, revoked.credential_id)
    staff = issue_staff_token(services, name="Ada")
    revoke_token(services, staff.credential_id)
    good = issue_device_token(services, device_id=device).token
    return {
        "none": None,
        "empty": "Bearer ",
        "another scheme": f"Basic {good}",
        "no scheme": good,
        "unknown": f"Bearer kd_{'A' * 43}",
        "shortened": f"Bearer {good[:-1]}",
        "lengthened": f"Bearer {good}A",
        "in other letters": f"Bearer {good.swapcase()}",
        "with parameters": f'Bearer token="{good}"',
        "not ASCII": "Bearer kd_\xff\xfe",
        "expired": f"Bearer {expired.token}",
        "revoked": f"Bearer {revoked.token}",
        "revoked, of staff": f"Bearer {staff.token}",
    }


def test_without_a_valid_token_nothing_answers(app, anybody, bad_tokens):
    asked = 0
    for rule, method, path in addresses(app):
        for kind, header in bad_tokens.items():
            headers = {} if header is None else {"Authorization": header}
            answer = anybody(method, path, headers=headers)
            assert answer.status_code == 401, (rule, method, kind)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            asked += 1
    assert asked > 300


def test_a_token_in_the_query_is_none(anybody, phone):
    assert anybody.get(f"/sessions?token={phone.token}").status_code == 401
    assert anybody.get(f"/sessions?access_token={phone.token}").status_code == 401


def test_the_token_is_asked_for_before_the_body_is_read(app, anybody):
    class Unread:
        def read(self, *_):
            raise AssertionError("the body was read")

    environ = {"wsgi.input": Unread(), "CONTENT_LENGTH": "100"}
    assert anybody.put(b"", environ_overrides=environ).status_code == 401


def test_a_phone_is_not_staff(app, phone):
    with app.app_context():
        declared = {rule.endpoint: declared_access(rule.endpoint) for rule in app.url_map.iter_rules()}
    closed = {endpoint for endpoint, access in declared.items() if access and DEVICE not in access}
    assert len(closed) >= 6
    for rule, method, path in addresses(app):
        if rule.endpoint in closed:
            assert phone(method, path).status_code == 403, (rule, method)


def test_another_patient_does_not_exist_for_a_phone(app, callers):
    phone, other = callers.phone(), callers.phone()
    with app.app_context():
        opened = {rule.endpoint for rule in app.url_map.iter_rules() if DEVICE in declared_access(rule.endpoint)}
    asked = 0
    for rule, method, path in addresses(app, patient_id=other.patient):
        if "patient_id" in rule.arguments and rule.endpoint in opened:
            assert phone(method, path).status_code == 404, (rule, method)
            asked += 1
    assert asked >= 6


def test_a_patient_who_exists_looks_like_one_who_does_not(callers):
    phone, other = callers.phone(), callers.phone()
    there = phone.get(f"/patients/{other.patient}")
    nowhere = phone.get(f"/patients/{uuid4()}")
    secret = ("instance", "request_id")
    assert {k: v for k, v in there.json.items() if k not in secret} == {
        k: v for k, v in nowhere.json.items() if k not in secret
    }


def test_another_study_does_not_exist_for_its_staff(app, callers, people):
    ada = callers.staff(people.study())
    study = people.study()
    patient = people.patient(study)
    asked = 0
    for rule, method, path in addresses(app, patient_id=patient, study_id=study):
        if rule.arguments & SCOPED_BY_THE_GUARD:
            assert ada(method, path).status_code == 404, (rule, method)
            asked += 1
    assert asked >= 12


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
            assert own.json["digest"].removeprefix("sha256:") not in answer.text
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
