"""Who did and saw what is listed and handed over, within one's scope; what was done behind the audit's back is told."""

import csv
import io
from dataclasses import asdict, replace
from datetime import timedelta
from uuid import UUID, uuid4

import orjson
import pytest
from sqlalchemy import select, text

from konectom.errors import AuditBroken, FieldInvalid, KeysMissing
from konectom.security.acting import Acting, acting_as, because
from konectom.security.chain import Anchor, seal_entry, seal_head
from konectom.security.principal import EVERYTHING, Scope
from konectom.settings import load_settings
from konectom.storage.audit_rows import stored_entries
from konectom.storage.database import open_engine
from konectom.storage.models import AuditRow, Base, Patient, PatientKey, Site, Study
from konectom.storage.whose import KEY_PURPOSE
from konectom.workflows.audit.check import anchor_of, verify
from konectom.workflows.audit.trail import Which, export_audit, last_entries, list_audit, note_read
from konectom.workflows.erasing.erasure import erase_patient
from konectom.workflows.keys import retire, rewrap, rotate
from konectom.workflows.services import Services
from konectom.workflows.set_up import set_up
from tests.world import user


@pytest.fixture
def keyed(services):
    """Gives a patient a key, unless there is one, and returns the patient's id."""

    def give(patient):
        with services.db.write() as db:
            if db.get(PatientKey, patient) is None:
                key, sealed = services.keys.wrap(KEY_PURPOSE, patient.bytes * 2, bound_to=patient.bytes)
                row = {"patient_id": patient, "key": key, "sealed": sealed, "created_at": services.clock()}
                db.add(PatientKey(**row))
        return patient

    return give


def listed(services, scope=EVERYTHING, **which):
    return list_audit(services, scope, Which(**which), limit=500)["items"]


def touch(services, patient, mass_kg=70.0):
    with services.db.write() as db:
        db.get(Patient, patient).mass_kg = mass_kg


def execute(services, statement, **values):
    """Change the database as somebody would who has its password and not the program."""
    with services.db.engine.begin() as connection:
        connection.execute(text(statement), values)


def behind(services, *statements):
    """Change the database as somebody would who has its file, or rules it, and does not mind what refers to what."""
    engine = open_engine(services.settings.database_url, foreign_keys=False)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET session_replication_role = replica")
        for each in statements:
            connection.execute(*([text(each)] if isinstance(each, str) else [text(each[0]), each[1]]))
    engine.dispose()


def test_entries_are_listed_page_by_page_newest_last(services, people):
    for _ in range(5):
        people.study()
    first = list_audit(services, EVERYTHING, Which(), limit=3)
    second = list_audit(services, EVERYTHING, Which(), cursor=first["next"], limit=3)
    assert [each["seq"] for each in first["items"] + second["items"]] == [1, 2, 3, 4, 5]
    assert second["next"] is None
    assert [each["seq"] for each in last_entries(services, EVERYTHING, Which(), 2)] == [4, 5]
    with pytest.raises(FieldInvalid):
        list_audit(services, EVERYTHING, Which(), cursor="nonsense")


def test_what_is_asked_for_narrows_the_list(services, people, clock):
    study, other = people.study(), people.study()
    patient = people.patient(study)
    clock.forward(hours=1)
    ada = uuid4()
    with acting_as(Acting(kind="user", id=ada, action="patient.edit")):
        touch(services, patient)
    assert {each["study"] for each in listed(services, study=other)} == {str(other)}
    assert {each["action"] for each in listed(services, actor=ada)} == {"patient.edit"}
    assert len(listed(services, action="patient.edit")) == 1
    assert len(listed(services, since=clock())) == 1
    before = listed(services, until=clock())
    assert len(before) + 1 == len(listed(services))
    assert {each["entity"] for each in listed(services, patient=patient)} <= {"patient", "patient_key"}


def test_a_scope_shows_its_own_studies_and_sites_only(services, people, clock):
    study, other = people.study(), people.study()
    patient, stranger = people.patient(study), people.patient(other)
    with services.db.write() as db:
        site = Site(id=uuid4(), study_id=study, code="A", name="", created_at=clock())
        here = site.id
        db.add(site)
        db.flush()
        db.get(Patient, patient).site_id = here
    note_read(services, entity="patient", patients=[patient, stranger])
    own = listed(services, Scope(places=frozenset({(study, None)})))
    assert {each["study"] for each in own} == {str(study)}
    assert own[-1]["detail"] == {"patients": [str(patient)]}
    at_site = listed(services, Scope(places=frozenset({(study, here)})))
    assert {each["patient"] for each in at_site} == {str(patient)}
    assert listed(services, Scope()) == []
    assert listed(services, Scope(places=frozenset({(study, None)})), study=other) == []


def test_reads_of_a_patient_are_found_wherever_the_patient_was_shown(services, people):
    study = people.study()
    patient, another = people.patient(study), people.patient(study)
    stranger = people.patient()
    note_read(services, entity="trend", patient_id=patient)
    note_read(services, entity="patient", patients=[another, patient, stranger])
    note_read(services, entity="features", study_id=study, patients="all")
    note_read(services, entity="patient", patients=[another])
    note_read(services, entity="patient", study_id=study, patients=[])
    found = [each for each in listed(services, patient=patient) if each["change"] == "read"]
    assert [each["entity"] for each in found] == ["trend", "patient", "features"]
    assert {each["study"] for each in found} == {str(study)}
    assert str(stranger) not in str(found)


def test_a_read_by_nobody_known_is_the_servers(services, patient):
    note_read(services, entity="trend", patient_id=patient, action="review")
    entry = listed(services)[-1]
    assert (entry["actor"]["kind"], entry["action"], entry["change"]) == ("server", "review", "read")


def test_where_the_audit_cannot_be_written_a_read_is_refused(services, patient):
    services.keys.source.path.unlink()
    with pytest.raises(KeysMissing):
        note_read(services, entity="trend", patient_id=patient)


@pytest.mark.embedded
def test_a_reason_is_told_until_the_patients_key_is_destroyed(services, people, keyed):
    patient = keyed(people.patient())
    with because("a fall on the ward"):
        touch(services, patient)
        people.study()
    about, of_nobody = listed(services)[-2:]
    assert (about["why"], about["why_destroyed"]) == ("a fall on the ward", False)
    assert of_nobody["why"] == "a fall on the ward"
    with services.db.write() as db:
        db.delete(db.get(PatientKey, patient))
    about = next(each for each in listed(services) if each["seq"] == about["seq"])
    assert (about["why"], about["why_destroyed"]) == (None, True)
    assert verify(services, rows=True).sound
    file = services.settings.data_dir / "konectom.sqlite3"
    services.close()
    assert b"a fall on the ward" in file.read_bytes()  # the one about nobody; the other was never there in the open
    with services.db.read() as db:
        whys = db.scalars(select(AuditRow.why).where(AuditRow.patient_id == patient, AuditRow.why.is_not(None))).all()
    assert [b"ward" in why for why in whys] == [False]


def test_an_export_holds_every_entry_as_lines_or_as_a_table(services, people):
    patient = people.patient()
    with acting_as(Acting(kind="user", id=uuid4(), name='=HYPERLINK("x")', action="a")):
        touch(services, patient)
    everything = listed(services)
    lines = b"".join(export_audit(services, EVERYTHING, Which())).splitlines()
    assert [orjson.loads(line) for line in lines] == everything
    table = b"".join(export_audit(services, EVERYTHING, Which(), "csv")).decode()
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [int(row["seq"]) for row in rows] == [each["seq"] for each in everything]
    assert rows[-1]["actor_name"] == '\'=HYPERLINK("x")'
    assert orjson.loads(rows[-1]["detail"]) == {"columns": ["mass_kg"]}
    few = b"".join(export_audit(services, EVERYTHING, Which(patient=patient, action="a")))
    assert len(few.splitlines()) == 1


def test_a_sound_audit_is_found_sound(services, people, keyed):
    keyed(people.patient())
    report = verify(services, rows=True, anchor=anchor_of(services))
    assert report.as_dict() | {"anchor": ""} == {
        "sound": True,
        "entries": len(listed(services)),
        "rows": report.rows,
        "rows_unchecked": 0,
        "fault_count": 0,
        "faults": [],
        "anchor": "",
    }
    assert report.rows >= 3
    assert report.as_dict()["anchor"] == str(anchor_of(services))


def test_an_audit_without_entries_is_sound(services):
    report = verify(services, rows=True, anchor=Anchor(0, ""))
    assert (report.sound, report.entries) == (True, 0)
    assert str(anchor_of(services)) == "0:"


@pytest.mark.parametrize("left", ["study", "patient_key", "user"])
def test_an_audit_that_was_emptied_is_told_by_whatever_row_is_left(services, people, keyed, left):
    keyed(people.patient())
    user(services, "administrator")
    others = {table.name for table in Base.metadata.sorted_tables} - {left, "audit_head"}
    behind(
        services,
        *(f'DELETE FROM "{table}"' for table in others),
        "UPDATE audit_head SET seq = 0, seal = '', \"key\" = '', head_seal = ''",
    )
    assert [each.kind for each in verify(services).faults] == ["emptied"]
    for write in (people.study, lambda: note_read(services, entity="x"), lambda: anchor_of(services)):
        with pytest.raises(AuditBroken):
            write()


def test_an_installation_that_is_set_up_has_a_sealed_beginning(tmp_path, clock):
    services = Services.open(load_settings({}, mode="development", data_dir=tmp_path), clock=clock)
    set_up(services)
    (first,) = listed(services)
    assert (first["seq"], first["action"], first["change"], first["entity"]) == (1, "audit.begin", "event", "audit")
    set_up(services)
    assert len(listed(services)) == 1
    assert verify(services, rows=True).sound
    services.close()


def test_entries_under_an_earlier_key_are_still_verified_once_it_is_retired(services, people, keyed, clock):
    keyed(people.patient())
    old = services.keys.current_id
    services.keys.change(lambda ring: ring.with_new(clock()))
    with services.db.write() as db:
        for row in db.scalars(select(PatientKey)):
            opened = services.keys.unwrap(KEY_PURPOSE, row.key, row.sealed, bound_to=row.patient_id.bytes)
            row.key, row.sealed = services.keys.wrap(KEY_PURPOSE, opened, bound_to=row.patient_id.bytes)
    services.keys.change(lambda ring: ring.with_retired(old))
    people.study()
    assert verify(services, rows=True).sound
    assert {each["key"] for each in listed(services)} == {old, services.keys.current_id}


def forge(services, seqs, key):
    """Write the last entries anew in another name, sealed under a key by somebody who holds nothing else."""
    with services.db.read() as db:
        stored = list(stored_entries(db.connection()))
    previous = stored[seqs[0] - 2].seal
    statements = [("DELETE FROM audit WHERE seq > :last", {"last": seqs[-1]})]
    for seq in seqs:
        forged = replace(stored[seq - 1].entry, actor_name="somebody else")
        previous = seal_entry(services.keys, forged, previous, key)
        change = "UPDATE audit SET actor_name = 'somebody else', key = :key, seal = :seal WHERE seq = :seq"
        statements.append((change, {"key": key, "seal": previous, "seq": seq}))
    head = seal_head(services.keys, seqs[-1], previous, key)
    change = "UPDATE audit_head SET seq = :seq, seal = :seal, key = :key, head_seal = :head_seal"
    behind(services, *statements, (change, asdict(head)))


@pytest.mark.embedded
def test_a_retired_key_seals_nothing_that_is_taken_for_new(services, people, clock):
    people.patient()
    old = services.keys.current_id
    clock.forward(days=1)
    rotate(services), list(rewrap(services)), retire(services, old)
    clock.forward(days=30)
    people.patient()
    told = [(each["action"], each["entity_id"], each["key"] == old) for each in listed(services)]
    new = services.keys.current_id
    assert [each for each in told if each[0].startswith("key.")] == [
        ("key.rotate", new, False),
        ("key.retire", old, False),
    ]
    assert verify(services).sound
    last, first_new = len(told), next(at for at, each in enumerate(told, 1) if not each[2])
    whole = services.settings.data_dir / "konectom.sqlite3"
    services.close()
    genuine = whole.read_bytes()
    forge(services, [last], old)
    assert {each.kind for each in verify(services).faults} == {"key_late"}
    with pytest.raises(AuditBroken, match="replaced before"):
        people.study()
    services.close()
    whole.write_bytes(genuine)
    forge(services, list(range(first_new, last + 1)), old)  # all that the new key had sealed
    assert {each.kind for each in verify(services).faults} == {"key_late"}
    with pytest.raises(AuditBroken, match="replaced before"):
        people.study()


def test_a_key_that_comes_back_after_another_is_told(services, people, clock):
    people.study()
    old = services.keys.current_id
    rotate(services)
    people.study()
    forge(services, [len(listed(services))], old)
    assert [each.kind for each in verify(services).faults] == ["key_back"]


def test_a_key_is_made_no_earlier_than_what_the_one_before_has_sealed(services, people, clock):
    """Also where the clock is set back."""
    people.study()
    clock.forward(days=-3)
    rotate(services)
    clock.forward(days=1)
    people.study()
    assert verify(services).sound


def test_what_was_changed_behind_the_audits_back_is_told(services, people, keyed):
    patient = keyed(people.patient(mass_kg=70.0))
    assert verify(services, rows=True).sound
    execute(services, "UPDATE patient SET mass_kg = 71 WHERE id = :id", id=patient.hex)
    report = verify(services, rows=True)
    assert [(each.kind, each.what) for each in report.faults] == [("row_changed", f"patient {patient}")]
    assert verify(services).sound  # the chain itself was not touched
    # The next change through the program shows it too: what it found is not what was left.
    touch(services, patient, 72.0)
    *_, made, changed = (each for each in listed(services, patient=patient) if each["entity"] == "patient")
    assert changed["before"] not in (None, made["after"])


def test_rows_put_in_taken_out_and_put_back_behind_the_audits_back_are_told(services, people):
    study = people.study("KEPT")
    other, again = people.study("GONE"), people.study("AGAIN")
    rest = "name, policy, consent, retain_until, created_at"
    copy = f"INSERT INTO study (id, code, {rest}) SELECT :id, :code, {rest} FROM study WHERE id = :of"
    forged = uuid4()
    execute(services, copy, id=forged.hex, code="FORGED", of=study.hex)
    execute(services, "DELETE FROM study WHERE id = :id", id=other.hex)
    with services.db.write() as db:
        db.delete(db.get_one(Study, again))
    execute(services, copy, id=again.hex, code="AGAIN", of=study.hex)
    report = verify(services, rows=True)
    found = {(each.kind, each.what) for each in report.faults}
    assert found == {("row_untold", f"study {forged}"), ("row_gone", f"study {other}"), ("row_back", f"study {again}")}
    assert {str(each) for each in report.faults} >= {f"study {forged} has no entry"}


@pytest.mark.parametrize(
    "change", ["UPDATE \"user\" SET password_hash = '$argon2id$other'", "UPDATE login SET token_hash = 'other'"]
)
def test_a_secret_that_was_changed_behind_the_audits_back_is_told(services, change):
    user(services, "administrator")
    assert verify(services, rows=True).sound
    behind(services, change)
    assert [each.kind for each in verify(services, rows=True).faults] == ["row_changed"]


def test_a_patients_key_that_was_changed_is_told_and_so_is_all_that_needs_it(services, people):
    patient, other = people.patient(), people.patient()
    change = "UPDATE patient_key SET sealed = :sealed WHERE patient_id = :patient"
    behind(services, (change, {"sealed": b"\0", "patient": patient.hex}))
    faults = {(each.kind, each.what) for each in verify(services, rows=True).faults}
    assert faults == {("row_closed", f"patient {patient}"), ("row_closed", f"patient_key {patient}")}
    assert other != patient


def test_rows_that_an_erasure_removed_are_not_missed(services, people):
    patient = people.patient()
    with services.db.read() as db:
        study = db.get_one(Patient, patient).study_id
    erase_patient(services, patient, reason="asked_by_patient")
    report = verify(services, rows=True)
    assert report.sound, report.as_dict()
    # And their entries are still found by the id, with the lists in which the patient was shown.
    note_read(services, entity="features", study_id=study, patients="all")
    assert {each["entity"] for each in listed(services, patient=patient)} >= {"patient", "features"}


def rows_behind(services, table, column, value):
    """The rows of a table as SQL that puts them back."""
    with services.db.engine.connect() as connection:
        rows = (
            connection.execute(text(f"SELECT * FROM {table} WHERE {column} = :value"), {"value": value})
            .mappings()
            .all()
        )
    return [(f"INSERT INTO {table} VALUES ({', '.join(f':{name}' for name in row)})", dict(row)) for row in rows]


@pytest.mark.parametrize("retired", [False, True])
def test_a_patient_who_was_put_back_after_the_erasure_is_told(services, people, retired):
    patient, old = people.patient(), services.keys.current_id
    put_back = rows_behind(services, "patient", "id", patient.hex)
    put_back += rows_behind(services, "patient_key", "patient_id", patient.hex)
    erase_patient(services, patient, reason="asked_by_patient")
    if retired:
        rotate(services), list(rewrap(services)), retire(services, old)
    behind(services, *put_back)
    found = {(each.kind, each.what) for each in verify(services, rows=True).faults}
    assert found == {("row_back", f"patient {patient}"), ("row_back", f"patient_key {patient}")}


def test_certificates_that_were_made_up_changed_or_removed_are_told(services, people):
    one, two, three = people.patient(), people.patient(), people.patient()
    ids = [erase_patient(services, each, reason="asked_by_patient")["certificate"]["id"] for each in (one, two)]
    columns = "study_id, patient_id, erased_at"
    copy = f"INSERT INTO erasure (id, {columns}, certificate) SELECT :id, study_id, :patient, erased_at, "
    behind(
        services,
        (f"{copy} certificate FROM erasure LIMIT 1", {"id": uuid4().hex, "patient": three.hex}),
        f"DELETE FROM patient_key WHERE patient_id = '{three.hex}'",
        f"DELETE FROM erasure WHERE id = '{UUID(ids[0]).hex}'",
        f"UPDATE erasure SET certificate = '{{}}' WHERE id = '{UUID(ids[1]).hex}'",
    )
    found = {(each.kind, each.what.partition(" ")[0]) for each in verify(services, rows=True).faults}
    assert found == {
        ("row_untold", "erasure"),
        ("row_gone", "erasure"),
        ("row_changed", "erasure"),
        ("row_gone", "patient_key"),
    }


@pytest.mark.embedded
def test_an_anchor_tells_a_database_that_was_put_back(services, people):
    people.study()
    earlier = services.settings.data_dir / "earlier.sqlite3"
    services.close()
    earlier.write_bytes((services.settings.data_dir / "konectom.sqlite3").read_bytes())
    people.study()
    anchor = anchor_of(services)
    services.close()
    (services.settings.data_dir / "konectom.sqlite3").write_bytes(earlier.read_bytes())
    assert verify(services).sound
    report = verify(services, anchor=anchor)
    assert [each.kind for each in report.faults] == ["anchor"]
    # Also when it has grown beyond that number since.
    people.study(), people.study()
    assert [each.kind for each in verify(services, anchor=anchor).faults] == ["anchor"]


def test_all_faults_are_counted_and_the_first_are_told(services, people):
    for _ in range(12):
        people.study()
    execute(services, "UPDATE audit SET action = 'x' WHERE seq % 2 = 0")
    report = verify(services)
    assert [each.seq for each in report.faults] == [2, 4, 6, 8, 10, 12]
    assert str(report.faults[0]) == "entry 2 was changed, or stands where it did not stand"
    assert report.fault_count == 6


def test_the_audit_is_checked_while_others_write(services, people):
    people.study()
    with services.db.write() as db:
        db.scalars(select(AuditRow)).all()
        assert verify(services, rows=True).sound


def test_times_are_the_clocks(services, people, clock):
    clock.forward(days=1)
    people.study()
    assert listed(services)[-1]["at"] == clock().isoformat()
    assert listed(services, since=clock() + timedelta(seconds=1)) == []
    assert UUID(listed(services)[-1]["study"])
