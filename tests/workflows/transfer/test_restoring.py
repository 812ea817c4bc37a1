"""A backup comes back whole, into any database, and nobody with it who was erased since."""

import shutil
from dataclasses import replace

import pytest
from sqlalchemy import select

from konectom.errors import BackupInvalid, KeysMissing, KonectomError, MigrationNeeded, TargetInUse, TransferBroken
from konectom.security.principal import EVERYTHING
from konectom.storage import migrate
from konectom.storage.belonging import rows_of, tables_of_patients
from konectom.storage.models import Erasure, Patient, SessionRow
from konectom.workflows import keys as key_changes
from konectom.workflows.audit.check import anchor_of, verify
from konectom.workflows.audit.trail import Which, last_entries
from konectom.workflows.erasing.certificates import verify_certificate
from konectom.workflows.erasing.erasure import erase_patient
from konectom.workflows.patients.people import create_study
from konectom.workflows.sessions.raw import raw_bytes
from konectom.workflows.set_up import set_up
from konectom.workflows.transfer import restoring
from konectom.workflows.transfer import rows as carrying
from konectom.workflows.transfer.backing_up import back_up, refresh_erased
from konectom.workflows.transfer.files import File
from konectom.workflows.transfer.manifest import place_of, read_manifest
from konectom.workflows.transfer.migrating import migrate_store
from konectom.workflows.transfer.restoring import restore
from tests.erasing import files_of
from tests.kept import kept
from tests.workflows.transfer.conftest import ALL, KINDS, OF_TWO, but_the_audit, require_sound, rows
from tests.workflows.transfer.test_migrating import Broken, breaking

WHY = "withdrawn"


@pytest.fixture
def directory(services, persons, tmp_path):
    """A backup."""
    back_up(services, tmp_path / "backup")
    return tmp_path / "backup"


def bodies(services):
    with services.db.read() as db:
        return sorted(raw_bytes(services, each) for each in db.scalars(select(SessionRow)))


# All of it


@pytest.mark.parametrize("kind", KINDS)
def test_all_is_as_it_was(services, persons, directory, elsewhere, kind):
    there = elsewhere(kind)
    anchor = anchor_of(services)
    done = restore(there, directory)
    assert (done.objects.objects, done.objects.new, done.erased) == (ALL, ALL, [])
    assert but_the_audit(rows(there)) == but_the_audit(rows(services))
    assert bodies(there) == bodies(services) == sorted(body for each in persons for body in each.bodies)
    assert done.audit.faults == verify(there, anchor=anchor).faults == []
    require_sound(there)


def test_from_one_kind_of_database_to_the_other_and_back(services, persons, directory, elsewhere, tmp_path):
    there, back = elsewhere("postgresql"), elsewhere("sqlite")
    restore(there, directory)
    back_up(there, tmp_path / "second")
    restore(back, tmp_path / "second")
    assert but_the_audit(rows(back)) == but_the_audit(rows(services))
    require_sound(back)


def test_the_audit_tells_of_it(services, persons, directory, elsewhere):
    there = elsewhere()
    made = restore(there, directory).manifest
    entry = last_entries(there, EVERYTHING, Which(), 1)[0]
    assert (entry["action"], entry["entity"], entry["entity_id"]) == ("restore", "backup", made.digest)
    assert entry["detail"] == {"anchor": str(made.anchor), "taken_at": made.taken_at.isoformat(), "erased_again": 0}


def test_a_backup_of_an_older_schema_is_brought_up(services, persons, directory, elsewhere, monkeypatch):
    """The revision is told to be an older one; bringing it up is what the migrations do."""
    upgrade, brought = migrate.upgrade, []
    replace(read_manifest(directory), revision="0001").write(directory, services.keys)
    there = elsewhere()
    monkeypatch.setattr(restoring.migrate, "upgrade", lambda url: brought.append(url) or upgrade(url))
    restore(there, directory)
    assert len([url for url in brought if url.endswith("rows.sqlite3")]) == 1
    assert but_the_audit(rows(there)) == but_the_audit(rows(services))
    require_sound(there)


def test_objects_that_are_there_still_are_not_copied(services, persons, directory, elsewhere):
    there = elsewhere()
    for each in kept(services):
        there.objects.put(each.name, each.read_bytes())
    assert restore(there, directory).objects.new == 0
    require_sound(there)


def test_what_was_lost_before_the_backup_is_told_and_stops_nothing(services, persons, tmp_path, elsewhere):
    with services.db.read() as db:
        lost = db.scalars(select(SessionRow.object)).first()
    services.objects.delete(lost)
    back_up(services, tmp_path / "backup")
    done = restore(elsewhere(), tmp_path / "backup")
    assert done.objects.lost == [lost]
    assert done.manifest.lost == (lost,)


# Who was erased does not come back


def is_gone(services, person):
    with services.db.read() as db:
        for table in tables_of_patients():
            assert db.execute(select(table).where(rows_of(table, person.id))).all() == [], table.name
    assert verify_certificate(services, person.id).holds


@pytest.mark.parametrize("kind", KINDS)
def test_who_was_erased_since_is_erased_again(services, persons, directory, elsewhere, kind):
    erase_patient(services, persons[1].id, reason=WHY)
    refresh_erased(services, directory)
    there = elsewhere(kind)
    done = restore(there, directory)
    assert done.erased == [persons[1].id]
    assert done.objects.objects == done.objects.new == OF_TWO, "the objects do not even come"
    is_gone(there, persons[1])
    assert bodies(there) == sorted(persons[0].bodies + persons[2].bodies)
    assert verify(there, rows=True).faults == []
    with there.db.read() as db:
        again = db.scalars(select(Erasure)).one()
        assert again.certificate["reason"] == WHY
    if kind == "sqlite":
        there.close()
        held = b"".join(files_of(there).values())
        assert [each.name for each in persons[1].needles if not each.identifier and each.within(held)] == []


def test_a_list_of_a_later_backup_counts_too(services, persons, directory, elsewhere, tmp_path):
    erase_patient(services, persons[0].id, reason=WHY)
    refresh_erased(services, directory)
    erase_patient(services, persons[1].id, reason="retention")
    back_up(services, tmp_path / "later")
    there = elsewhere()
    done = restore(there, directory, erasures=[tmp_path / "later" / "erased.json"])
    assert set(done.erased) == {persons[0].id, persons[1].id}
    for person in persons[:2]:
        is_gone(there, person)


def test_who_is_on_the_list_and_was_never_in_the_backup_is_no_hindrance(services, people, directory, elsewhere):
    late = people.patient()
    erase_patient(services, late, reason=WHY)
    refresh_erased(services, directory)
    assert restore(elsewhere(), directory).erased == []


def test_nobody_is_served_before_they_are_erased(services, persons, directory, elsewhere, monkeypatch):
    erase_patient(services, persons[1].id, reason=WHY)
    refresh_erased(services, directory)
    there = elsewhere()
    with monkeypatch.context() as patched:
        patched.setattr(restoring, "erase_patient", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            restore(there, directory)
    for use in (there.ping, lambda: set_up(there)):
        with pytest.raises(MigrationNeeded, match="not complete"):
            use()
    restore(there, directory)
    is_gone(there, persons[1])


def test_without_a_list_nothing_is_restored(services, persons, directory, elsewhere, tmp_path):
    listed = (directory / "erased.json").rename(tmp_path / "elsewhere.json")
    with pytest.raises(BackupInvalid, match=r"erased\.json"):
        restore(elsewhere(), directory)
    assert restore(elsewhere(), directory, erasures=[listed]).erased == []


def test_a_list_that_is_older_than_the_backup_is_not_enough(services, persons, directory, elsewhere, clock):
    older = (directory / "erased.json").read_bytes()
    clock.forward(days=1)
    back_up(services, directory)
    (directory / "erased.json").write_bytes(older)
    with pytest.raises(BackupInvalid, match="older than the backup"):
        restore(elsewhere(), directory)


def test_a_list_that_was_changed_is_refused(services, persons, directory, elsewhere):
    erase_patient(services, persons[1].id, reason=WHY)
    refresh_erased(services, directory)
    path = directory / "erased.json"
    path.write_bytes(path.read_bytes().replace(str(persons[1].id).encode(), str(persons[2].id).encode()))
    with pytest.raises(BackupInvalid, match="changed or damaged"):
        restore(elsewhere(), directory)


def test_an_installation_with_those_who_were_erased_is_told_at_the_next_backup(
    services, persons, directory, elsewhere, tmp_path
):
    shutil.copytree(directory, tmp_path / "older")
    erase_patient(services, persons[1].id, reason=WHY)
    back_up(services, directory)
    there = elsewhere()
    restore(there, tmp_path / "older")
    with there.db.read() as db:
        assert db.get(Patient, persons[1].id) is not None
    (tmp_path / "third").mkdir()
    shutil.copy(directory / "erased.json", tmp_path / "third" / "erased.json")
    done = back_up(there, tmp_path / "third")
    assert (done.erased, done.back) == (1, 1)


# Broken off


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_broken_off_at_every_step_it_completes(services, persons, directory, elsewhere, kind, monkeypatch):
    monkeypatch.setattr(carrying, "BATCH_ROWS", 7)
    erase_patient(services, persons[1].id, reason=WHY)
    refresh_erased(services, directory)
    there = elsewhere(kind)
    begin, ended = breaking(monkeypatch, after=9), 0
    while True:
        begin()
        try:
            done = restore(there, directory)
            break
        except Broken:
            ended += 1
        except TargetInUse:  # it was broken off when all was done
            done = None
            break
    assert ended > 10
    assert done is None or done.audit.sound
    is_gone(there, persons[1])
    assert bodies(there) == sorted(persons[0].bodies + persons[2].bodies)
    require_sound(there)


# What must not be


def test_an_installation_that_holds_something_is_left_alone(services, persons, directory, elsewhere):
    there = elsewhere()
    set_up(there)
    create_study(there, code="OTHER")
    before = rows(there)
    with pytest.raises(TargetInUse):
        restore(there, directory, restart=True)
    assert rows(there) == before


def test_another_backup_does_not_go_on_where_one_was_broken_off(services, persons, directory, elsewhere, monkeypatch):
    there = elsewhere()
    with monkeypatch.context() as patched:
        patched.setattr(restoring, "copy_objects", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            restore(there, directory)
    create_study(services, code="LATE")
    back_up(services, directory)
    with pytest.raises(TransferBroken, match="--restart"):
        restore(there, directory)
    with pytest.raises(TransferBroken, match="--restart"):
        migrate_store(services, to_database=there.settings.database_url)
    restore(there, directory, restart=True)
    assert but_the_audit(rows(there)) == but_the_audit(rows(services))


def test_without_its_keys_nothing_is_written(services, persons, directory, elsewhere):
    there = elsewhere()
    path = there.settings.data_dir / "keys.json"
    path.unlink()
    with pytest.raises(KeysMissing):
        restore(there, directory)
    there.keys.create(there.clock())
    with pytest.raises(KonectomError):
        restore(there, directory)
    assert sorted(each.name for each in there.settings.data_dir.iterdir() if each.name != "temporary") == ["keys.json"]


def test_a_key_that_was_retired_since_opens_it_no_more(services, persons, directory, elsewhere):
    old = services.keys.current_id
    key_changes.rotate(services)
    list(key_changes.rewrap(services))
    key_changes.retire(services, old)
    with pytest.raises(KonectomError, match=old):
        restore(elsewhere(), directory)
    back_up(services, directory)
    there = elsewhere()
    restore(there, directory)
    require_sound(there)


def test_a_damaged_backup_is_not_restored(services, persons, directory, elsewhere):
    made = read_manifest(directory)
    path = directory / made.database.name
    held = path.read_bytes()
    path.write_bytes(held[:-100] + bytes([held[-100] ^ 1]) + held[-99:])
    there = elsewhere()
    with pytest.raises(BackupInvalid, match="changed or damaged"):
        restore(there, directory)
    assert not (there.settings.data_dir / "konectom.sqlite3").exists()
    path.write_bytes(held)
    with services.db.read() as db:
        name = db.scalars(select(SessionRow.object)).first()
    place = place_of(directory, name)
    right = place.read_bytes()
    place.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    with pytest.raises(BackupInvalid, match=name):
        restore(there, directory)
    with pytest.raises(MigrationNeeded):
        there.ping()
    place.write_bytes(right)
    restore(there, directory)
    require_sound(there)


def test_a_manifest_that_names_a_file_elsewhere_is_refused(services, persons, directory, elsewhere):
    made = read_manifest(directory)
    replace(made, database=File("../x", 0, "")).write(directory, services.keys)
    with pytest.raises(BackupInvalid, match="elsewhere"):
        restore(elsewhere(), directory)
