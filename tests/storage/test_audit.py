"""Entries are kept with what they tell of: one for each changed row, in one transaction, in one chain."""

import threading
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from konectom.errors import AuditBroken, KeysMissing
from konectom.security.acting import Acting, acting_as, because
from konectom.storage.audit import NotTold, count_entries, note
from konectom.storage.database import Database
from konectom.storage.digests import plan_of
from konectom.storage.guard import RowAudited, RowImmutable
from konectom.storage.models import (
    AuditHead,
    AuditRow,
    Blob,
    CareMember,
    CarePatient,
    CareTeam,
    Device,
    DeviceCredential,
    Erasure,
    Login,
    Observation,
    Patient,
    PatientKey,
    Review,
    Study,
    User,
)
from konectom.storage.whose import KEY_PURPOSE
from konectom.workflows.audit.check import verify

AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def study_row(**facts):
    facts = {"code": f"S{uuid4().hex[:8]}", "name": "", "consent": "elsewhere", "created_at": AT} | facts
    return Study(id=uuid4(), **facts)


def patient_row(study_id, **facts):
    return Patient(id=uuid4(), study_id=study_id, code=f"P{uuid4().hex[:8]}", created_at=AT, **facts)


def user_row(**facts):
    return User(id=uuid4(), login=uuid4().hex, name="", failures=0, created_at=AT, **facts)


def with_key(services, db, patient):
    """Give a patient a key, unless it has one."""
    db.flush()
    if db.get(PatientKey, patient.id) is None:
        key, sealed = services.keys.wrap(KEY_PURPOSE, b"k" * 32, bound_to=patient.id.bytes)
        db.add(PatientKey(patient_id=patient.id, key=key, sealed=sealed, created_at=AT))
        db.flush()
    return patient


def observation_values(patient_id, **facts):
    texts = dict.fromkeys(("source", "reference", "note", "digest"), "")
    computed = {"version": 1, "values": {"a": 1.5}, "scores": {}, "absent": {}, "flags": []}
    when = {"at": AT, "entered_at": AT, "utc_offset_s": 0}
    return {"id": uuid4(), "patient_id": patient_id, "code": "edss", **texts, **computed, **when, **facts}


@pytest.fixture
def entries(services):
    """Returns the entries, or those after a number."""

    def read(after=0):
        with services.db.read() as db:
            return db.scalars(select(AuditRow).where(AuditRow.seq > after).order_by(AuditRow.seq)).all()

    return read


@pytest.fixture
def study(services):
    row = study_row()
    with services.db.write() as db:
        db.add(row)
        db.flush()
        return row.id


@pytest.fixture
def somebody(services, study):
    """A patient with a key."""
    with services.db.write() as db:
        row = patient_row(study)
        db.add(row)
        return with_key(services, db, row).id


def test_making_changing_and_removing_a_row_are_an_entry_each(services, entries):
    row = study_row()
    study_id = row.id
    with services.db.write() as db:
        db.add(row)
    with services.db.write() as db:
        db.get(Study, study_id).name = "Pilot"
    with services.db.write() as db:
        db.delete(db.get(Study, study_id))
    made, changed, removed = entries()
    assert [each.change for each in (made, changed, removed)] == ["insert", "update", "delete"]
    assert {(each.entity, each.entity_id, each.study_id) for each in (made, changed, removed)} == {
        ("study", str(study_id), study_id)
    }
    assert [each.seq for each in (made, changed, removed)] == [1, 2, 3]
    assert made.before is None
    assert removed.after is None
    assert made.after == changed.before
    assert changed.after == removed.before
    assert changed.before != changed.after
    assert changed.detail == {"columns": ["name"]}
    assert made.at == services.clock()


def test_an_entry_says_who_acted_on_what_grounds(services, entries, somebody):
    last = entries()[-1].seq
    ada = uuid4()
    who = Acting(kind="user", id=ada, name="Ada", action="patient.edit", request_id="r-1", address="192.0.2.1")
    with acting_as(who), because("asked by the ward"), services.db.write() as db:
        db.get(Patient, somebody).mass_kg = 71
    (entry,) = entries(last)
    told = (entry.actor_kind, entry.actor_id, entry.actor_name, entry.action, entry.request_id, entry.address)
    assert told == ("user", ada, "Ada", "patient.edit", "r-1", "192.0.2.1")
    assert entry.patient_id == somebody
    assert b"ward" not in entry.why


def test_what_was_not_kept_is_not_told(services, entries, study):
    last = entries()[-1].seq
    with services.db.read() as db:
        taken = db.get(Study, study).code

    def write(code, fail):
        with services.db.write() as db:
            db.add(study_row(code=code))
            db.flush()
            if fail:
                raise RuntimeError

    with pytest.raises(RuntimeError):
        write("LOST", True)
    with pytest.raises(IntegrityError):
        write(taken, False)
    with services.db.write() as db:
        db.add(study_row())
        db.flush()
        db.rollback()
    assert entries(last) == []
    assert verify(services, rows=True).sound


def test_a_savepoint_that_is_rolled_back_takes_its_entries_with_it_and_no_others(services, entries):
    first, lost, inner, kept = (study_row() for _ in range(4))
    ids = [each.id for each in (first, lost, inner, kept)]
    with services.db.write() as db:
        db.add(first)
        savepoint = db.begin_nested()
        db.add(lost)
        with db.begin_nested():
            db.add(inner)
        savepoint.rollback()
        with db.begin_nested():
            db.add(kept)
    assert [each.entity_id for each in entries()] == [str(ids[0]), str(ids[3])]
    assert verify(services, rows=True).sound


def test_after_a_conflict_in_a_savepoint_the_rest_is_told(services, entries, study):
    with services.db.read() as db:
        taken = db.get(Study, study).code
    last = entries()[-1].seq
    with services.db.write() as db:
        with pytest.raises(IntegrityError), db.begin_nested():
            db.add(study_row(code=taken))
        db.add(study_row(code="OTHER"))
    assert [each.change for each in entries(last)] == ["insert"]
    assert verify(services, rows=True).sound


def test_a_change_that_changes_nothing_is_not_told(services, entries, somebody):
    last = entries()[-1].seq
    with services.db.write() as db:
        row = db.get(Patient, somebody)
        row.mass_kg = row.mass_kg
        db.merge(Patient(id=row.id, study_id=row.study_id, code=row.code, created_at=row.created_at))
    assert entries(last) == []


def test_that_a_login_was_used_is_not_told_but_that_it_ended_is(services, entries):
    user = user_row()
    with services.db.write() as db:
        db.add(user)
        db.flush()
        row = Login(
            id=uuid4(), user_id=user.id, token_hash="t", method="token", created_at=AT, seen_at=AT, expires_at=AT
        )
        db.add(row)
        login = row.id
    last = entries()[-1].seq
    with services.db.write() as db:
        db.get(Login, login).seen_at = datetime.now(UTC)
    assert entries(last) == []
    with services.db.write() as db:
        row = db.get(Login, login)
        row.ended_at = row.seen_at = datetime.now(UTC)
    (entry,) = entries(last)
    assert (entry.entity, entry.detail) == ("login", {"columns": ["ended_at", "seen_at"]})
    assert verify(services, rows=True).sound


def test_of_a_secret_its_change_is_told_and_a_digest_of_its_digest(services, entries):
    user = user_row(password_hash="one")
    with services.db.write() as db:
        db.add(user)
        number = user.id
    with services.db.write() as db:
        db.get(User, number).password_hash = "two"
    made, changed = entries()
    assert changed.before == made.after != changed.after
    assert changed.detail == {"columns": ["password_hash"]}
    assert b"hunter2" not in plan_of(User).content({"password_hash": "hunter2"})


def test_rows_of_a_patient_are_digested_under_the_patients_key(services, entries, study):
    """Two patients of whom the same is told have other digests, and nobody has them without the key."""
    with services.db.write() as db:
        one = with_key(services, db, _added(db, patient_row(study)))
        key, sealed = services.keys.wrap(KEY_PURPOSE, b"o" * 32, bound_to=one.id.bytes)
        row = db.get(PatientKey, one.id)
        row.key, row.sealed = key, sealed
        number = one.id
    last = entries()[-1].seq
    with services.db.write() as db:
        db.get(Patient, number).mass_kg = 70.0
    (entry,) = entries(last)
    assert entry.after.startswith("patient:")
    with services.db.write() as db:
        key, sealed = services.keys.wrap(KEY_PURPOSE, b"p" * 32, bound_to=number.bytes)
        row = db.get(PatientKey, number)
        row.key, row.sealed = key, sealed
        db.flush()
        db.get(Patient, number).mass_kg = 71.0
        db.flush()
        db.get(Patient, number).mass_kg = 70.0
    assert entries()[-1].after != entry.after


def _added(db, row):
    db.add(row)
    db.flush()
    return row


def test_once_the_key_is_gone_nothing_can_be_told_of_a_row_any_more(services, entries, somebody):
    with services.db.write() as db:
        db.delete(db.get(PatientKey, somebody))
    last = entries()[-1].seq
    with because("nobody shall read this"), services.db.write() as db:
        db.get(Patient, somebody).mass_kg = 70.0
    (entry,) = entries(last)
    assert (entry.before, entry.after, entry.why) == (None, None, None)
    assert entry.patient_id == somebody
    report = verify(services, rows=True)
    assert report.sound
    assert report.unchecked == 1


def test_whose_a_row_is_is_found_out(services, entries, study, somebody):
    with services.db.write() as db:
        phone = _added(db, Device(id=uuid4(), patient_id=somebody, enrolled_at=AT))
        db.add(DeviceCredential(device_id=phone.id, renewal_hash="r", access_hash="a", access_expires_at=AT,
                                renewal_expires_at=AT, renewed_at=AT))  # fmt: skip
        team = _added(db, CareTeam(id=uuid4(), study_id=study, name="A", created_at=AT))
        user = _added(db, user_row())
        db.add(CareMember(team_id=team.id, user_id=user.id, since=AT))
        db.add(CarePatient(team_id=team.id, patient_id=somebody, since=AT))
        member, in_care = f"{team.id}/{user.id}", f"{team.id}/{somebody}"
        phone_id = str(phone.id)
    told = {each.entity: (each.entity_id, each.study_id, each.patient_id) for each in entries()}
    assert told["device"] == (phone_id, study, somebody)
    assert told["device_credential"] == (phone_id, study, somebody)
    assert told["care_member"] == (member, study, None)
    assert told["care_patient"] == (in_care, study, somebody)
    assert told["user"][1:] == (None, None)
    # Also where all of them go at once.
    last = entries()[-1].seq
    with services.db.write() as db:
        db.delete(db.get(DeviceCredential, UUID(phone_id)))
        db.flush()
        db.delete(db.get(Device, UUID(phone_id)))
    assert {(each.study_id, each.patient_id) for each in entries(last)} == {(study, somebody)}


def test_rows_that_are_inserted_many_at_once_are_told_one_by_one(services, entries, somebody):
    last = entries()[-1].seq
    rows = [observation_values(somebody, note=str(number)) for number in range(70)]
    with services.db.write() as db:
        db.execute(insert(Observation), rows)
    found = entries(last)
    assert [each.entity_id for each in found] == [str(row["id"]) for row in rows]
    assert len({each.after for each in found}) == 70
    assert verify(services, rows=True).sound
    with pytest.raises(NotTold), services.db.write() as db:
        db.execute(insert(Observation).values(**observation_values(somebody)))


@pytest.mark.parametrize(
    "statement", [delete(Observation), update(Patient).values(sex="male"), delete(Study.__table__)]
)
def test_many_audited_rows_are_never_changed_at_once(services, somebody, statement):
    with pytest.raises(RowAudited), services.db.write() as db:
        db.execute(statement)


def test_an_erasure_may_remove_many_rows_but_neither_the_audit_nor_certificates(services, somebody):
    with services.db.write() as db:
        db.info["erasing"] = True
        db.execute(delete(Observation).where(Observation.patient_id == somebody))
        db.execute(delete(Blob))
    for model in (AuditRow, AuditHead, Erasure):
        with services.db.write() as db:
            db.info["erasing"] = True
            with pytest.raises(RowImmutable):
                db.execute(delete(model))


def test_rows_that_are_not_audited_may_be_removed_at_once(services, entries, somebody):
    last = entries()[-1].seq
    with services.db.write() as db:
        db.add(Review(patient_id=somebody, reviewed_at=AT, seen_until=AT))
        db.flush()
        db.execute(delete(Review))
    assert entries(last) == []


def test_the_program_cannot_write_the_audit_itself(services, study):
    with services.db.read() as db:
        entry = db.scalars(select(AuditRow)).first()
        copied = {each.name: getattr(entry, each.name) for each in AuditRow.__table__.columns}
    for attempt in (
        lambda db: db.add(AuditRow(**copied | {"seq": 99})),
        lambda db: db.delete(db.get(AuditRow, 1)),
        lambda db: setattr(db.get(AuditRow, 1), "action", "x"),
        lambda db: setattr(db.get(AuditHead, 1), "seq", 0),
        lambda db: db.execute(insert(AuditRow), [copied | {"seq": 99}]),
        lambda db: db.execute(update(AuditHead).values(seq=0)),
        lambda db: db.execute(delete(AuditRow)),
    ):
        with pytest.raises(RowImmutable), services.db.write() as db:
            attempt(db)


def test_a_database_without_a_trail_cannot_change_audited_rows(services):
    bare = Database(services.settings.database_url)
    with pytest.raises(NotTold), bare.write() as db:
        db.add(study_row())
    with pytest.raises(NotTold), bare.write() as db:
        note(db, entity="study")
    bare.close()


def test_notes_and_rows_stand_in_one_chain_in_the_order_in_which_they_came(services, entries, study):
    last = entries()[-1].seq
    tally = count_entries()
    with services.db.write() as db:
        note(db, entity="export", study_id=study, detail={"rows": 3, "ids": [study]})
        db.get(Study, study).name = "B"
        db.flush()
        note(db, change="read", entity="study", entity_id=str(study), study_id=study, why="to see")
    found = entries(last)
    assert [(each.change, each.entity) for each in found] == [
        ("event", "export"),
        ("update", "study"),
        ("read", "study"),
    ]
    assert found[0].detail == {"ids": [str(study)], "rows": 3}
    assert found[2].why.endswith(b"to see")
    assert tally.entries == 3
    with services.db.read() as db, pytest.raises(NotTold):
        note(db, entity="study")


def test_a_row_that_was_expired_before_it_was_changed_is_told_with_what_it_said(services, entries, study):
    last = entries()[-1]
    with services.db.write() as db:
        row = db.get(Study, study)
        db.expire(row)
        row.name = "C"
    assert entries(last.seq)[0].before == last.after


def test_without_keys_nothing_is_written(services, entries, study):
    last = entries()[-1].seq
    services.keys.source.path.rename(services.keys.source.path.with_suffix(".away"))
    services.keys._read = None
    with pytest.raises(KeysMissing), services.db.write() as db:
        db.get(Study, study).name = "lost"
    services.keys.source.path.with_suffix(".away").rename(services.keys.source.path)
    assert entries(last) == []
    with services.db.read() as db:
        assert db.get(Study, study).name == ""


@pytest.mark.parametrize(
    "tampering",
    [
        "DELETE FROM audit_head",
        "UPDATE audit_head SET seq = 0",
        "UPDATE audit_head SET seq = 0, seal = '', \"key\" = ''",
        "DELETE FROM audit; UPDATE audit_head SET seq = 0, seal = '', \"key\" = '', head_seal = ''",
        "UPDATE audit_head SET head_seal = 'f' || substr(head_seal, 2)",
        "UPDATE audit_head SET seal = (SELECT seal FROM audit WHERE seq = 1), seq = 1",
        "INSERT INTO audit SELECT seq + 1, at, actor_kind, actor_id, actor_name, action, change, study_id, patient_id,"
        " entity, entity_id, before, after, why, request_id, address, detail, key, seal FROM audit"
        " ORDER BY seq DESC LIMIT 1",
    ],
)
def test_a_broken_audit_is_not_written_on(services, people, tampering):
    people.study(), people.study()
    with services.db.engine.begin() as connection:
        for each in tampering.split("; "):
            other = "CASE substr(head_seal, 1, 1) WHEN 'f' THEN '0' ELSE 'f' END ||"
            connection.execute(text(each.replace("'f' ||", other)))
    assert not verify(services).sound
    with pytest.raises(AuditBroken, match="audit verify"):
        people.study()
    with services.db.read() as db:
        assert len(db.scalars(select(Study)).all()) == 2


def test_threads_that_write_at_once_make_one_chain_without_gaps(services, entries):
    failed, barrier = [], threading.Barrier(8)

    def write():
        barrier.wait(30)
        try:
            for _ in range(12):
                with services.db.write() as db:
                    db.add(study_row())
                    db.flush()
                    note(db, entity="study", change="read")
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failed == []
    assert [each.seq for each in entries()] == list(range(1, 2 * 8 * 12 + 1))
    report = verify(services, rows=True)
    assert (report.sound, report.entries, report.rows) == (True, 192, 96)
