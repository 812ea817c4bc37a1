"""What callers see and change is in the audit, and the audit itself is seen by those who answer for it."""

from datetime import timedelta
from uuid import UUID, uuid4

import orjson
import pytest
from sqlalchemy.exc import IntegrityError

from konectom.api import access
from konectom.security.acting import because
from konectom.security.principal import EVERYTHING, Grant, Principal
from konectom.workflows.audit.check import verify
from konectom.workflows.audit.trail import Which, list_audit
from konectom.workflows.erasing.erasure import erase_patient
from konectom.workflows.patients.people import edit_patient
from konectom.workflows.patients.sites import create_site
from tests.api.client import Caller, first_error
from tests.probe import session_body
from tests.world import user


@pytest.fixture
def entries(services):
    """Returns the entries since the last time it was asked."""
    seen = [0]

    def read():
        found, cursor = [], None
        while True:
            page = list_audit(services, EVERYTHING, Which(), cursor=cursor, limit=500)
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
        new = [each for each in found if each["seq"] > seen[0]]
        seen[0] = found[-1]["seq"] if found else 0
        return new

    return read


@pytest.fixture
def auditor():
    """Makes a member of staff who may read the audit: of a study, or all of it."""

    def make(study=None):
        role = "monitor" if study else "administrator"
        return Principal(kind="user", id=uuid4(), name="Mona", grants=(Grant(role, study),))

    return make


@pytest.fixture
def as_somebody(callers, monkeypatch):
    """Lets whoever holds the token ``ku_test`` be a principal."""

    def let(principal):
        real = access.authenticate

        def authenticate(services, token):
            return principal if token == "ku_test" else real(services, token)

        monkeypatch.setattr(access, "authenticate", authenticate)
        return Caller(callers.client, "ku_test")

    return let


@pytest.fixture
def mona(as_somebody, auditor):
    """A monitor of a study, or an administrator."""
    return lambda study=None: as_somebody(auditor(study))


def test_a_read_of_a_patient_is_noted_with_who_when_and_on_what_grounds(callers, people, entries, clock):
    study = people.study()
    patient = people.patient(study)
    ada = callers.staff(study)
    entries()
    answer = ada.get(f"/patients/{patient}/trends", headers={"X-Request-Id": "request-7"})
    assert answer.status_code == 200
    (entry,) = entries()
    assert entry["change"] == "read"
    assert entry["actor"] == {"kind": "service", "id": str(ada.credential), "name": "Ada"}
    assert (entry["action"], entry["entity"], entry["entity_id"]) == ("trend.read", "trend", str(patient))
    assert (entry["patient"], entry["study"]) == (str(patient), str(study))
    assert (entry["request_id"], entry["address"]) == (answer.headers["X-Request-Id"], "127.0.0.1")
    assert entry["at"] == clock().isoformat()


def test_of_a_phone_no_address_is_kept(callers, entries):
    phone = callers.phone()
    entries()
    phone.get(f"/patients/{phone.patient}")
    (entry,) = entries()
    assert entry["actor"]["kind"] == "device"
    assert entry["address"] == ""


def test_a_list_names_whom_it_showed_and_what_was_asked_but_nothing_that_was_written(callers, people, entries):
    study, other = people.study(), people.study()
    one, two = sorted([people.patient(study, "P-1"), people.patient(study, "P-2")], key=str)
    three = people.patient(other, "P-3")
    staff = callers.staff()
    entries()
    staff.get("/patients")
    shown = {each["study"]: set(each["detail"]["patients"]) for each in entries()}
    assert shown == {str(study): {str(one), str(two)}, str(other): {str(three)}}
    staff.get(f"/patients?study={study}&limit=1&code=P-1")
    (entry,) = entries()
    assert entry["detail"]["query"] == {"study": str(study), "limit": "1"}
    assert "P-1" not in str(entry)
    staff.get("/patients?code=NOBODY")
    (entry,) = entries()
    assert entry["detail"] == {"patients": []}


@pytest.mark.usefixtures("probe")
def test_a_session_and_a_list_of_sessions_are_of_their_patients(callers, people, entries):
    study = people.study()
    phone = callers.phone(people.patient(study))
    session = uuid4()
    entries()
    phone.put(session_body(), session)
    told = entries()
    assert [(each["entity"], each["change"]) for each in told] == [("session", "insert")]
    assert (told[0]["patient"], told[0]["entity_id"]) == (str(phone.patient), str(session))
    staff = callers.staff(study)
    entries()
    staff.get(f"/sessions/{session}")
    staff("HEAD", f"/sessions/{session}")
    staff.get("/sessions")
    one, head, several = entries()
    assert (one["patient"], one["entity_id"], one["change"]) == (str(phone.patient), str(session), "read")
    assert head["change"] == "read"
    assert (several["patient"], several["detail"]) == (None, {"patients": [str(phone.patient)]})


@pytest.mark.usefixtures("probe")
def test_an_upload_that_is_repeated_is_told_too(callers, entries):
    phone, session = callers.phone(), uuid4()
    assert phone.put(session_body(), session).status_code == 201
    entries()
    assert phone.put(session_body(), session).status_code == 200
    (entry,) = entries()
    assert (entry["change"], entry["action"], entry["patient"]) == ("event", "session.upload", str(phone.patient))
    assert entry["entity_id"] == str(session)


def test_tables_are_of_all_patients_of_the_study(callers, people, entries):
    study = people.study()
    people.patient(study)
    ada = callers.staff(study)
    entries()
    ada.get(f"/studies/{study}/features")
    (entry,) = entries()
    assert (entry["study"], entry["detail"]) == (str(study), {"patients": "all"})


def test_what_is_of_no_patient_is_not_noted(callers, people, entries):
    staff = callers.staff()
    people.study()
    entries()
    for path in ("/studies", "/assessments", "/scales", "/healthz", "/openapi.json"):
        assert staff.get(path).status_code == 200
    assert entries() == []


def test_a_refused_request_shows_nothing_and_is_noted_once_a_minute(callers, people, entries, clock):
    ada = callers.staff(people.study())
    stranger = people.patient()
    entries()
    for _ in range(50):
        assert ada.get(f"/patients/{stranger}").status_code == 404
    (first,) = entries()
    assert (first["action"], first["change"]) == ("refused", "event")
    assert first["actor"]["id"] == str(ada.credential)
    assert first["detail"] == {
        "permission": "patient.read",
        "status": 404,
        "count": 1,
        "address": {"patient_id": str(stranger)},
    }
    clock.forward(seconds=61)
    callers.anybody().get("/healthz")
    (rest,) = entries()
    assert rest["detail"] == {"permission": "patient.read", "count": 49}
    assert rest["actor"] == first["actor"]
    assert ada.post("/studies", json={"code": "NEW"}).status_code == 403
    (again,) = entries()
    assert (again["detail"]["status"], again["detail"]["permission"]) == (403, "study.create")


def test_refusals_of_one_caller_are_not_counted_for_another(callers, people, entries):
    one, two = callers.staff(people.study()), callers.staff(people.study())
    stranger = people.patient()
    entries()
    for _ in range(3):
        one.get(f"/patients/{stranger}")
        two.get(f"/patients/{stranger}")
    assert {each["actor"]["id"] for each in entries()} == {str(one.credential), str(two.credential)}


def test_a_refusal_stands_in_the_audit_of_the_study_and_of_the_patient(callers, people, entries):
    study, other = people.study(), people.study()
    stranger = people.patient(other)
    ada = callers.staff(study)
    entries()
    nobody = uuid4()
    for path in (f"/patients/{nobody}", f"/patients/{stranger}", f"/patients/{stranger}", f"/studies/{other}/alerts"):
        assert ada.get(path).status_code == 404
    told = [(each["study"], each["patient"]) for each in entries()]
    assert told == [(None, None), (str(other), str(stranger))]
    assert ada.get(f"/studies/{uuid4()}/alerts").status_code == 404
    phone = callers.phone(people.patient(study))
    entries()
    assert phone.get(f"/studies/{study}/alerts").status_code == 403
    assert [(each["study"], each["patient"]) for each in entries()] == [(str(study), None)]


def test_a_refusal_stays_one_where_it_cannot_be_noted(callers, people, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise IntegrityError("statement", {}, Exception("a driver's own"))

    ada, stranger = callers.staff(people.study()), people.patient()
    monkeypatch.setattr("konectom.api.noting.note_read", fail)
    assert ada.get(f"/patients/{stranger}").status_code == 404


def test_who_is_not_known_fills_no_disk(callers, patient, entries):
    entries()
    for token in (None, "kd_" + "x" * 43, "nonsense"):
        assert Caller(callers.client, token).get(f"/patients/{patient}").status_code == 401
    assert entries() == []


def test_where_the_audit_cannot_be_written_nothing_is_shown(callers, people, services, entries):
    patient = people.patient(code="P-1")
    staff = callers.staff()
    keys = services.keys.source.path
    entries()
    keys.rename(keys.with_suffix(".away"))
    for path in (f"/patients/{patient}", "/patients"):
        refused = staff.get(path)
        assert refused.status_code == 503
        assert "P-1" not in refused.text
    keys.with_suffix(".away").rename(keys)
    assert entries() == []
    assert staff.get(f"/patients/{patient}").status_code == 200


def test_every_successful_read_of_patients_has_its_entry(callers, people, entries):
    """Every path of patients' data that there is, as often as it answers."""
    study = people.study()
    patients = [people.patient(study) for _ in range(3)]
    ada = callers.staff(study)
    of_a_patient = ("", "/trends", "/summary", "/observations", "/sessions", "/schedules")
    paths = [f"/patients/{patient}{end}" for patient in patients for end in of_a_patient]
    paths += [f"/studies/{study}/{end}" for end in ("alerts", "schedules", "features")]
    for path in ["/patients", "/sessions", *paths]:
        entries()
        answer = ada.get(path)
        assert answer.status_code == 200, path
        assert [each["change"] for each in entries() if each["request_id"] == answer.headers["X-Request-Id"]].count(
            "read"
        ) == 1, path


def test_the_audit_is_shown_to_those_who_answer_for_it_within_their_study(mona, people, entries, services):
    own, other = people.study(), people.study()
    patient = people.patient(own)
    people.patient(other)
    monitor = mona(own)
    page = monitor.get("/audit?limit=500").json
    assert {each["study"] for each in page["items"]} == {str(own)}
    assert str(patient) in str(page)
    assert first_error(monitor.get(f"/audit?study={other}")) == (404, "not_found", "/query/study")
    assert first_error(monitor.get(f"/audit?patient={uuid4()}")) == (404, "not_found", "/query/patient")
    everybody = mona().get("/audit?limit=500").json["items"]
    assert {each["study"] for each in everybody} >= {str(own), str(other)}
    first = mona().get("/audit?limit=2").json
    second = mona().get(f"/audit?limit=2&cursor={first['next']}").json
    assert [each["seq"] for each in first["items"] + second["items"]] == [1, 2, 3, 4]
    assert verify(services, rows=True).sound


def test_others_do_not_see_the_audit(callers, people):
    assert callers.staff().get("/audit").status_code == 403
    assert callers.phone().get("/audit/export").status_code == 403
    assert callers.anybody().get("/audit").status_code == 401


def test_the_audit_is_narrowed(mona, people, clock):
    study = people.study()
    patient = people.patient(study)
    clock.forward(hours=1)
    reader = mona()
    assert reader.get(f"/patients/{patient}").status_code == 403
    since = (clock() - timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
    assert [each["action"] for each in reader.get(f"/audit?since={since}").json["items"]] == ["refused"]
    assert reader.get("/audit?action=refused").json["items"][0]["actor"]["name"] == "Mona"
    assert {each["patient"] for each in reader.get(f"/audit?patient={patient}").json["items"]} == {str(patient)}
    assert first_error(reader.get("/audit?since=yesterday")) == (422, "field_invalid", "/query/since")
    assert reader.get("/audit?noting=1").status_code == 422


def test_an_export_of_the_audit_is_itself_an_entry(mona, people):
    study = people.study()
    people.study()
    monitor = mona(study)
    answer = monitor.get(f"/audit/export?study={study}")
    assert answer.mimetype == "application/x-ndjson"
    lines = [orjson.loads(line) for line in answer.data.splitlines()]
    assert {each["study"] for each in lines} == {str(study)}
    assert (lines[-1]["action"], lines[-1]["entity"]) == ("audit.read", "audit")
    table = monitor.get("/audit/export?format=csv")
    assert table.mimetype == "text/csv"
    assert table.text.splitlines()[0].startswith("seq,at,")


def test_what_was_said_about_a_patient_is_not_for_administrators(app, callers, services, people):
    study = people.study()
    patient = people.patient(study)
    reason = f"fell on the ward {uuid4().hex}"
    with because(reason):
        edit_patient(services, patient, birth_year=1950)
    tokens = {
        role: user(services, role, study=where)[1] for role, where in (("administrator", None), ("monitor", study))
    }
    for path in ("/audit", "/audit/export"):
        seen = {role: Caller(callers.client, token).get(path).text for role, token in tokens.items()}
        assert reason in seen["monitor"]
        assert reason not in seen["administrator"]
        assert '"why_withheld":true' in seen["administrator"]


def test_who_reads_the_audit_stands_in_it_once_for_each_page(mona, people, entries):
    study = people.study()
    patients = [people.patient(study) for _ in range(3)]
    monitor = mona(study)
    entries()
    assert monitor.get(f"/audit?limit=500&patient={patients[0]}").status_code == 200
    (entry,) = entries()
    assert (entry["action"], entry["change"], entry["entity"]) == ("audit.read", "read", "audit")
    assert (entry["study"], entry["patient"]) == (str(study), str(patients[0]))
    shown = monitor.get("/audit?limit=500&action=Mrs+Smith").json["items"]
    assert shown == []
    assert monitor.get("/audit?limit=500").status_code == 200
    named, everything = entries()
    assert "Smith" not in str(named)
    assert (everything["study"], everything["patient"]) == (str(study), None)
    assert everything["detail"]["entries"] > 3
    assert not any(str(each) in str(everything["detail"]) for each in patients)
    assert monitor.get("/audit/export").status_code == 200
    assert [each["change"] for each in entries()] == ["read"]


def test_who_broke_the_glass_is_not_looked_at_unseen(callers, services, people, entries):
    study = people.study()
    patient = people.patient(study, "P-1")
    clinician = Caller(callers.client, user(services, "clinician", study=study)[1])
    clinician.post(f"/studies/{study}/break-glass", json={"code": "P-1", "reason": "fell in the waiting room"})
    entries()
    for role, where in (("administrator", None), ("monitor", study)):
        caller = Caller(callers.client, user(services, role, study=where)[1])
        entries()
        (event,) = caller.get(f"/studies/{study}/break-glass").json["items"]
        assert "reason" not in event
        (entry,) = entries()
        assert (entry["action"], entry["change"], entry["study"]) == ("audit.read", "read", str(study))
        assert entry["detail"]["patients"] == [str(patient)]


@pytest.mark.parametrize("path", ["/audit", "/audit/export"])
def test_nobody_writes_into_the_audit_of_another_study(mona, callers, services, people, staff_members, entries, path):
    study, other = people.study(), people.study()
    here, there = staff_members.site(study), staff_members.site(study)
    ours, theirs = people.patient(study, site_id=here), people.patient(other)
    away = people.patient(study, site_id=there)
    monitor = mona(study)
    bound = Caller(callers.client, user(services, "monitor", study=study, site=here)[1])
    entries()
    for caller, patient in ((monitor, theirs), (monitor, uuid4()), (bound, away), (bound, theirs)):
        answer = caller.get(f"{path}?patient={patient}")
        assert first_error(answer) == (404, "not_found", "/query/patient")
    assert all(each["patient"] is None and each["study"] is None for each in entries())
    assert first_error(mona().get(f"{path}?patient={theirs}&study={study}"))[0] == 404
    assert bound.get(f"{path}?patient={ours}").status_code == 200
    erase_patient(services, away, reason="other")
    assert mona(study).get(f"{path}?patient={away}").status_code == 200
    assert bound.get(f"{path}?patient={away}").status_code == 404


@pytest.mark.usefixtures("probe")
def test_what_a_review_finds_for_whoever_reads_is_the_servers_doing(callers, people, entries):
    study = people.study()
    patient = people.patient(study)
    staff = callers.staff(study)
    for at, step in (("2026-01-05", 3.0), ("2026-06-22", 4.0), ("2026-09-28", 4.0)):
        body = {"code": "edss", "at": f"{at}T10:00:00+01:00", "values": {"step": step}}
        assert staff.post(f"/patients/{patient}/observations", json=body).status_code == 201
    entries()
    assert len(staff.get(f"/studies/{study}/alerts", headers={"X-Request-Id": "r" * 20}).json["items"]) == 1
    made, read = entries()
    assert (made["entity"], made["change"], made["actor"]["kind"], made["action"]) == (
        "alert",
        "insert",
        "server",
        "review",
    )
    assert (read["change"], read["actor"]["id"], read["action"]) == ("read", str(staff.credential), "alert.read")
    assert made["request_id"] == read["request_id"]


def test_what_a_view_does_not_ask_for_stays_out_of_the_audit(callers, people, entries):
    study = people.study()
    patient = people.patient(study)
    staff = callers.staff(study)
    entries()
    for name in ("kind", "status", "measure", "version", "format"):
        staff.get(f"/patients/{patient}?{name}=Erna%20Mustermann")
    staff.get(f"/patients/{patient}/trends?measure=Erna%20Mustermann")
    staff.get(f"/studies/{study}/features?assessment=Erna%20Mustermann")
    assert "Mustermann" not in str(entries())
    staff.get(f"/studies/{study}/alerts?status=all&limit=3")
    (entry,) = entries()
    assert entry["detail"]["query"] == {"status": "all", "limit": "3"}


def test_a_table_of_some_sites_is_noted_as_theirs(as_somebody, people, entries, services):
    study = people.study()
    here, there = (create_site(services, study, code=code, name=code)["id"] for code in ("A", "B"))
    patient = people.patient(study, site_id=UUID(here))
    other, nowhere = people.patient(study, site_id=UUID(there)), people.patient(study)
    granted = (Grant(role="researcher", study_id=study, site_id=UUID(here)),)
    rita = as_somebody(Principal(kind="user", id=uuid4(), name="Rita", grants=granted))
    entries()
    assert rita.get(f"/studies/{study}/features").status_code == 200
    (entry,) = entries()
    assert entry["detail"] == {"patients": "all", "sites": [here]}

    def found(patient):
        page = list_audit(services, EVERYTHING, Which(patient=patient))
        return entry["seq"] in [each["seq"] for each in page["items"]]

    assert [found(each) for each in (patient, other, nowhere)] == [True, False, False]
