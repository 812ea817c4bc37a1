"""Who is erased is gone: byte by byte, from every file and every answer; all others are untouched."""

import contextlib
import io
import random
import shutil
import threading
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, func, select

from konectom import logs
from konectom.errors import FieldInvalid, NotFound, StoreUnavailable
from konectom.security.matrix import MATRIX
from konectom.settings import load_settings
from konectom.storage.belonging import rows_of, tables_of_patients
from konectom.storage.models import AuditRow, Base, Erasure, SessionRow
from konectom.workflows.access.service_tokens import issue_service_token
from konectom.workflows.erasing import erasure
from konectom.workflows.erasing.certificates import get_certificate, verify_certificate
from konectom.workflows.erasing.erasure import erase_patient, finish_erasures
from konectom.workflows.observations.entering import enter_observation
from konectom.workflows.patients.enrolments import enrol_device
from konectom.workflows.patients.identity import set_identity
from konectom.workflows.patients.people import create_patient
from konectom.workflows.patients.schedules import create_schedule
from konectom.workflows.services import Services
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.raw import raw_bytes
from tests.api.client import Caller
from tests.erasing import CLEAR, KEPT, NOWHERE, OBJECT, SEALED, files_of, inflated, populate, rows_with
from tests.probe import probe_recording, session_body
from tests.world import user

WHY = "asked_by_patient"


@pytest.fixture
def study(people):
    return people.study()


@pytest.fixture
def persons(services, study, probe):
    return [populate(services, study) for _ in range(3)]


@pytest.fixture
def gone(persons):
    return persons[1]


def rows(services, patient_id):
    """How many rows of the patient there are, by table."""
    with services.db.read() as db:
        counted = {
            table.name: db.scalar(select(func.count()).select_from(table).where(rows_of(table, patient_id)))
            for table in tables_of_patients()
        }
    return {name: count for name, count in counted.items() if count}


def counts(services):
    with services.db.read() as db:
        return {
            name: db.scalar(select(func.count()).select_from(table)) for name, table in Base.metadata.tables.items()
        }


def found_in(services, needles):
    """Names of the needles that a file holds, each with the files."""
    files = files_of(services)
    return {needle: [name for name, held in files.items() if needle.within(held)] for needle in needles}


def test_each_table_has_rows_of_those_who_are_erased(services, gone):
    assert set(rows(services, gone.id)) == {table.name for table in tables_of_patients()}


def test_before_everything_is_found_where_it_should_be(services, gone):
    """Shows that the scan sees: else finding nothing would say nothing."""
    services.db.close()
    for needle, files in found_in(services, gone.needles).items():
        kinds = {
            "database" if "sqlite3" in name else "object" if name.startswith("objects") else name for name in files
        }
        expected = {CLEAR: "database", SEALED: "object", OBJECT: "names", NOWHERE: None}[needle.where]
        if expected is None:
            assert kinds == set(), needle
        else:
            assert expected in kinds, (needle, kinds)


def test_no_byte_is_left_in_any_file(services, persons, gone):
    finished = erase_patient(services, gone.id, reason=WHY)
    assert finished["residue"] == {"objects": 0, "database": False}
    assert rows(services, gone.id) == {}
    for needle, files in found_in(services, gone.needles).items():
        if needle.identifier:
            assert all("sqlite3" in name for name in files), needle
            assert set(rows_with(services, needle)) <= set(KEPT), needle
        else:
            assert files == [], needle
    for other in (persons[0], persons[2]):
        for needle, files in found_in(services, other.needles).items():
            assert bool(files) == (needle.where != NOWHERE), needle


def test_the_ids_that_are_kept_stand_in_the_audit_and_the_certificate_alone(services, gone):
    erase_patient(services, gone.id, reason=WHY)
    kept = {needle.name: set(rows_with(services, needle)) for needle in gone.needles if needle.identifier}
    assert kept["patient"] == {"audit", "erasure"}
    assert kept.pop("patient")
    assert set().union(*kept.values()) == {"audit"}


def test_others_are_untouched(services, persons, gone):
    with services.db.engine.connect() as db:
        dump = lambda: {  # noqa: E731
            (table.name, other.id): sorted(map(repr, db.execute(select(table).where(rows_of(table, other.id)))))
            for table in tables_of_patients()
            for other in (persons[0], persons[2])
        }
        before, objects = dump(), {n: b for n, b in files_of(services).items() if n.startswith("objects")}
        db.rollback()
        erase_patient(services, gone.id, reason=WHY)
        assert dump() == before
    after = {n: b for n, b in files_of(services).items() if n.startswith("objects")}
    assert after.items() < objects.items()
    assert len(after) == 10


def test_erasing_again_gives_the_same_certificate(services, gone, clock):
    first = erase_patient(services, gone.id, reason=WHY)
    clock.forward(days=1)
    assert erase_patient(services, gone.id, reason="other") == first
    assert get_certificate(services, gone.id) == get_certificate(services, UUID(first["certificate"]["id"])) == first
    with services.db.read() as db:
        assert db.scalar(select(func.count()).select_from(Erasure)) == 1


def test_who_never_was_here_cannot_be_erased(services):
    with pytest.raises(NotFound):
        erase_patient(services, uuid4(), reason=WHY)


@pytest.mark.parametrize("reason", ["", " ", "Withdrawn", "withdrawn ", "Mrs Smith asked by letter"])
def test_the_reason_is_one_of_a_few_words_that_name_nobody(services, gone, reason):
    with pytest.raises(FieldInvalid) as refused:
        erase_patient(services, gone.id, reason=reason)
    assert refused.value.at == "/reason"
    assert rows(services, gone.id)


def test_the_certificate_says_what_was_removed_and_what_is_kept(services, gone, study, clock):
    before = rows(services, gone.id)
    with services.db.read() as db:
        audited = db.scalar(select(func.count()).select_from(AuditRow).where(AuditRow.patient_id == gone.id))
    told = erase_patient(services, gone.id, reason=WHY)["certificate"]
    assert told["removed"]["rows"] == before | {"blob": 4}
    assert told["removed"]["objects"] == 5
    assert told["removed"]["size_bytes"] == sum(map(len, gone.bodies + gone.refused)) + gone.unfinished_bytes
    assert told["removed"]["key_sealed_under"] == services.keys.current_id
    assert (told["patient"], told["study"], told["reason"]) == (str(gone.id), str(study), WHY)
    assert told["erased_at"] == clock.now.isoformat()
    assert told["by"]["kind"] == "server"
    assert {each["what"]: each["entries"] for each in told["kept"]} == {"audit": audited + 1, "certificate": 1}
    with services.db.read() as db:
        last = db.scalars(select(AuditRow).order_by(AuditRow.seq.desc()).limit(1)).one()
        left = db.scalar(select(func.count()).select_from(AuditRow).where(AuditRow.patient_id == gone.id))
    assert left == audited + 1
    assert (last.entity, last.patient_id, last.why) == ("patient", gone.id, None)
    assert last.detail["erasure"] == told["id"]
    for needle in gone.needles:
        assert needle.name == "patient" or not needle.within(repr(told).encode()), needle


def test_the_certificate_tells_the_limit_of_postgresql(services, gone, monkeypatch):
    assert services.db.engine  # it stays the one that it is
    monkeypatch.setattr(services.db, "url", "postgresql+psycopg://host/name")
    kept = erase_patient(services, gone.id, reason=WHY, finish=False)["certificate"]["kept"]
    (room,) = [each for each in kept if each["what"] == "freed room"]
    assert "VACUUM FULL" in room["why"]


def test_a_certificate_can_be_verified(services, gone):
    told = erase_patient(services, gone.id, reason=WHY)["certificate"]
    assert verify_certificate(services, UUID(told["id"])).holds


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reason", "withdrawn"),
        ("patient", "00000000-0000-4000-8000-000000000001"),
        ("study", "00000000-0000-4000-8000-000000000001"),
        ("removed", {}),
        ("seal", {}),
        ("seal", {"key": "", "mac": ""}),
        ("erased_at", "2026-11-21T09:00:01+00:00"),
    ],
)
def test_a_certificate_that_was_changed_is_told(services, gone, name, value):
    told = erase_patient(services, gone.id, reason=WHY)["certificate"]
    with services.db.engine.connect() as db:
        table = Erasure.__table__
        db.execute(table.update().values(certificate=told | {name: value}))
        db.commit()
    assert not verify_certificate(services, UUID(told["id"])).sealed


def test_a_certificate_does_not_hold_where_the_patient_is_back(services, gone, study):
    """As after a backup was put back."""
    told = erase_patient(services, gone.id, reason=WHY)["certificate"]
    with services.db.engine.connect() as db:
        table = Base.metadata.tables["patient"]
        values = {"id": gone.id, "study_id": study, "code": "BACK", "created_at": services.clock()}
        db.execute(table.insert().values(values))
        db.commit()
    checked = verify_certificate(services, UUID(told["id"]))
    assert (checked.sealed, checked.holds, checked.rows) == (True, False, {"patient": 1})


# Whatever breaks, and when.


class Crash(BaseException):
    """The process ends here."""


class Steps:
    """Counts each statement and each object that is removed, and crashes at one of them."""

    def __init__(self, services, monkeypatch, crash_at=None):
        self.taken, self.crash_at = 0, crash_at
        event.listen(services.db.engine, "before_cursor_execute", lambda *_: self.step())
        event.listen(services.db.engine, "commit", lambda *_: self.step())
        delete = type(services.objects).delete

        def deleting(store, name):
            self.step()
            delete(store, name)
            self.step()

        monkeypatch.setattr(type(services.objects), "delete", deleting)
        compact = erasure.compact
        monkeypatch.setattr(erasure, "compact", lambda *how: (self.step(), compact(*how), self.step())[1])

    def step(self):
        self.taken += 1
        if self.taken == self.crash_at:
            raise Crash


def test_a_crash_at_any_step_leaves_all_or_a_list_to_work_off(services, study, probe, tmp_path, tmp_path_factory):
    gone = populate(services, study, sessions=2)
    there = rows(services, gone.id)
    services.db.close()
    steps, outcomes, at = None, [], 0
    while steps is None or steps.taken >= at:
        at += 1
        copy = tmp_path_factory.mktemp("copy") / "data"
        shutil.copytree(tmp_path, copy)
        again = Services.open(load_settings({}, data_dir=copy), clock=services.clock)
        with pytest.MonkeyPatch.context() as patch:
            steps = Steps(again, patch, at)
            with contextlib.suppress(Crash):
                erase_patient(again, gone.id, reason=WHY)
        again.db.close()
        outcomes.append(_after_a_crash(copy, gone, there, services.clock))
        shutil.rmtree(copy)
    assert len(outcomes) > 40
    assert outcomes == sorted(outcomes), "from some step on it is certified, and before it all is there"
    assert set(outcomes) == {"all is there", "certified"}


def _after_a_crash(copy, gone, there, clock):
    services = Services.open(load_settings({}, data_dir=copy), clock=clock)
    try:
        left = rows(services, gone.id)
        if left:
            assert left == there
            for session_id, body in zip(gone.sessions, gone.bodies, strict=True):
                with services.db.read() as db:
                    row = db.get(SessionRow, session_id)
                assert raw_bytes(services, row) == body
            return "all is there"
        assert finish_erasures(services)
        finished = get_certificate(services, gone.id)
        assert finished["residue"] == {"objects": 0, "database": False}
        assert verify_certificate(services, gone.id).holds
        for needle, files in found_in(services, gone.needles).items():
            assert files == [] or (needle.identifier and set(rows_with(services, needle)) <= set(KEPT)), needle
    finally:
        services.db.close()
    return "certified"


def test_an_object_that_cannot_be_reached_is_removed_later(services, gone, monkeypatch):
    def unreachable(store, name):
        raise StoreUnavailable("the disk is away")

    with monkeypatch.context() as patch:
        patch.setattr(type(services.objects), "delete", unreachable)
        told = erase_patient(services, gone.id, reason=WHY)
        assert told["residue"] == {"objects": 5, "database": False}
        assert not finish_erasures(services)
        assert not verify_certificate(services, gone.id).holds
    assert finish_erasures(services)
    assert get_certificate(services, gone.id)["residue"] == {"objects": 0, "database": False}
    assert not [name for name in files_of(services) if name.startswith("objects")][10:]


def test_whoever_still_reads_reads_on_and_the_rest_is_done_later(services, gone, monkeypatch):
    monkeypatch.setattr("konectom.storage.compaction.CHECKPOINT_WAITS_MS", 1)
    with services.db.read() as reader:
        before = reader.scalars(select(SessionRow.id).order_by(SessionRow.id)).all()
        told = erase_patient(services, gone.id, reason=WHY)
        assert told["residue"] == {"objects": 0, "database": True}
        reader.expunge_all()
        assert reader.scalars(select(SessionRow.id).order_by(SessionRow.id)).all() == before
    assert finish_erasures(services)
    for needle, files in found_in(services, gone.needles).items():
        assert needle.identifier or files == [], needle


def test_what_a_write_of_an_object_that_was_cut_off_left_goes_too(services, gone):
    with services.db.read() as db:
        name = db.scalars(select(SessionRow.object).where(SessionRow.patient_id == gone.id)).first()
    leftover = services.objects.root / "incoming" / f"{name}.0011223344556677"
    leftover.write_bytes(b"half")
    other = leftover.with_name(f"{'0' * 64}.0011223344556677")
    other.write_bytes(b"half")
    erase_patient(services, gone.id, reason=WHY)
    assert not leftover.exists()
    assert other.exists()


# Others at work meanwhile.


def test_uploads_in_flight_leave_nothing(services, study, probe):
    """Phones upload while the patient is erased: each is answered with a receipt or that there is no such patient."""
    for _ in range(4):
        person = populate(services, study, sessions=1)
        begun, answers = threading.Event(), []

        def upload(person=person, begun=begun, answers=answers):
            for index in range(50):
                body = session_body(probe_recording(x=[random.uniform(1, 9) for _ in range(20)]))
                try:
                    ingest_session(services, session_id=uuid4(), patient_id=person.id, body=body)
                    answers.append("kept")
                except NotFound:
                    answers.append("no such patient")
                    return
                if index == 2:
                    begun.set()

        threads = [threading.Thread(target=upload) for _ in range(3)]
        for thread in threads:
            thread.start()
        begun.wait(30)
        told = erase_patient(services, person.id, reason=WHY)
        for thread in threads:
            thread.join(60)
        assert finish_erasures(services)
        assert answers.count("no such patient") == 3
        assert told["certificate"]["removed"]["objects"] >= 4
        assert rows(services, person.id) == {}
        assert not [name for name in files_of(services) if name.startswith("objects")]
        assert counts(services)["blob"] == 0


def test_two_who_erase_at_once_get_the_same_certificate(services, gone):
    told, together = [], threading.Barrier(4)

    def erase():
        together.wait(30)
        told.append(erase_patient(services, gone.id, reason=WHY)["certificate"])

    threads = [threading.Thread(target=erase) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(told) == 4
    assert all(each == told[0] for each in told)
    assert counts(services)["erasure"] == 1


def test_nothing_can_be_added_to_who_was_erased(services, gone, study):
    erase_patient(services, gone.id, reason=WHY)
    at = services.clock()
    for attempt in (
        lambda: enter_observation(services, gone.id, code="edss", at=at, values={"step": 3.5}),
        lambda: set_identity(services, gone.id, family_name="Back"),
        lambda: create_schedule(services, study, assessment="tap", patient=gone.id, start="2026-11-02"),
        lambda: enrol_device(services, patient_id=gone.id),
        lambda: ingest_session(services, session_id=uuid4(), patient_id=gone.id, body=session_body()),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert rows(services, gone.id) == {}


# Over HTTP.


@pytest.fixture
def manager(app, services, study):
    _, token = user(services, "study_manager", study=study)
    return Caller(app.test_client(), token, study=study)


@pytest.fixture
def program(app, services):
    return Caller(app.test_client(), issue_service_token(services, name="all", permissions=["*"]).token)


OF_NOBODY = {"catalogue.read", "reference.read"}


def addresses(app, person, study):
    """Each address that can be read, of one patient."""
    ids = {"patient_id": person.id, "study_id": study, "session_id": person.sessions[0], "name": "probe"}
    ids |= {f"{name}_id": value for name, value in person.ids.items()}
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            permission = getattr(app.view_functions[rule.endpoint], "permission", None)
            if "GET" not in rule.methods or permission not in MATRIX.keys() - OF_NOBODY:
                continue
            if rule.rule.startswith("/api") and rule.arguments <= set(ids):
                given = {name: ids[name] for name in rule.arguments}
                yield rule.rule, app.url_map.bind("localhost").build(rule.endpoint, given)


def answers(app, callers, person, study):
    """What every caller is answered at every address of a patient, but for the address itself."""
    return {
        (caller.token, rule): (answer.status_code, inflated(answer.data).replace(path.encode(), b""))
        for rule, path in addresses(app, person, study)
        for caller in callers
        for answer in [caller.get(path)]
    }


GROWS = ("/audit", "/archive")
"""What tells of the reading itself."""


def of_one(rule):
    """Whether an address is one patient's, and not of all in the study."""
    return any(name in rule for name in ("patient_id", "session_id", "quarantine_id"))


def test_no_answer_holds_a_byte_of_who_was_erased(app, services, persons, gone, study, manager, program):
    other = persons[0]
    callers = [manager, program, Caller(app.test_client(), gone.token)]
    before = answers(app, callers, gone, study)
    shown = {needle.name for needle in gone.needles for _, body in before.values() if needle.within(body)}
    assert {"code", "session", "observation, note", "alert's note", "model", "answer", "identity, email"} <= shown
    others = answers(app, callers[:2], other, study)

    done = manager.post(f"/patients/{gone.id}/erasure", json={"code": gone.code, "reason": WHY})
    assert done.status_code == 200, done.text
    assert done.json["certificate"]["by"]["kind"] == "user"
    assert done.json["residue"] == {"objects": 5, "database": True}
    services.background.join()

    asked = 0
    for (token, rule), (status, body) in answers(app, callers, gone, study).items():
        asked += 1
        for needle in gone.needles:
            if needle.within(body):
                assert needle.identifier, (rule, needle)
                assert "audit" in rule or rule.endswith("/erasures"), (rule, needle)
        if of_one(rule):
            assert status in (401, 403, 404), (rule, status)
        if token == gone.token:
            assert status == 401, rule
    assert asked > 60
    same = 0
    for key, answer in answers(app, callers[:2], other, study).items():
        if answer[0] == 200 and of_one(key[1]) and not key[1].endswith(GROWS):
            assert answer == others[key], key
            same += 1
    assert same > 15
    assert manager.post(f"/patients/{gone.id}/erasure", json={"code": gone.code, "reason": WHY}).status_code == 404
    listed = manager.get(f"/studies/{study}/erasures", query_string={"patient": str(gone.id)})
    assert [each["certificate"]["id"] for each in listed.json["items"]] == [done.json["certificate"]["id"]]
    one = manager.get(f"/studies/{study}/erasures/{done.json['certificate']['id']}")
    assert one.json == done.json | {"residue": {"objects": 0, "database": False}}


def test_the_code_must_be_told_once_more(services, gone, manager, persons):
    for code in ("", "x", persons[0].code, gone.code.upper()):
        refused = manager.post(f"/patients/{gone.id}/erasure", json={"code": code, "reason": WHY})
        assert (refused.status_code, refused.json["at"]) == (422, "/code")
    assert rows(services, gone.id)


def test_certificates_of_another_study_are_not_found(app, services, gone, people, manager):
    told = erase_patient(services, gone.id, reason=WHY)["certificate"]
    elsewhere = people.study()
    _, token = user(services, "study_manager", study=elsewhere)
    caller = Caller(app.test_client(), token)
    assert caller.get(f"/studies/{elsewhere}/erasures").json["items"] == []
    assert caller.get(f"/studies/{elsewhere}/erasures/{told['id']}").status_code == 404
    assert manager.get(f"/studies/{told['study']}/erasures/{told['id']}").status_code == 200


def test_who_is_bound_to_a_site_sees_no_certificate_and_an_administrator_not_why(
    app, services, study, manager, staff_members
):
    here, elsewhere = staff_members.site(study), staff_members.site(study)
    patient = UUID(create_patient(services, study_id=study, code="P-9", site_id=elsewhere)["id"])
    done = manager.post(f"/patients/{patient}/erasure", json={"code": "P-9", "reason": "entered_in_error"}).json
    places = (f"/studies/{study}/erasures", f"/studies/{study}/erasures/{done['certificate']['id']}")
    for role in ("study_manager", "monitor"):
        for site in (here, elsewhere):
            _, token = user(services, role, study=study, site=site)
            for place in places:
                assert Caller(app.test_client(), token).get(place).status_code == 404, (role, place)
    _, token = user(services, "administrator")
    for place in places:
        told = Caller(app.test_client(), token).get(place)
        assert "entered_in_error" not in told.text
        shown = told.json["items"][0] if "items" in told.json else told.json
        assert shown["certificate"] == done["certificate"] | {"reason": None}
        assert manager.get(place).text.count("entered_in_error") == 1
    free = {"code": "P-9", "reason": "Mrs Smith asked by letter"}
    other = UUID(create_patient(services, study_id=study, code="P-9")["id"])
    assert manager.post(f"/patients/{other}/erasure", json=free).json["at"] == "/reason"


def test_the_log_holds_nothing_of_a_patient(app, services, study, manager, probe):
    written = io.StringIO()
    logs.configure("json", stream=written)
    person = populate(services, study)
    phone = Caller(app.test_client(), person.token)
    assert phone.put(session_body(started_at="2026-11-20T10:00:00Z"), person.sessions[0]).status_code == 409
    answers(app, [manager, phone], person, study)
    manager.post(f"/patients/{person.id}/erasure", json={"code": person.code, "reason": WHY})
    assert phone.put(session_body()).status_code == 401
    services.background.join()
    said = written.getvalue().encode()
    assert said.count(b"request.answered") > 30
    assert said.count(b"session.stored") == 3
    assert [needle for needle in person.needles if needle.within(said)] == []
