"""The commands that back an installation up, put it back, and move it."""

from uuid import uuid4

import pytest
from sqlalchemy import select

from konectom.settings import load_settings
from konectom.storage.models import Blob
from konectom.workflows.erasing.erasure import erase_patient
from konectom.workflows.services import Services
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.transfer import migrating, restoring
from tests.cli.conftest import Konectom
from tests.probe import session_body


@pytest.fixture
def patient(services, people, probe):
    patient = people.patient(people.study("pilot"), code="MS-001")
    ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body())
    return patient


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "backup"


@pytest.fixture
def new(settings, tmp_path):
    """The command on an installation that is not there yet, with the same keys."""
    (tmp_path / "new").mkdir()
    keys = f"file://{settings.data_dir}/keys.json"
    return Konectom(
        {"KONECTOM_DATA_DIR": str(tmp_path / "new"), "KONECTOM_MODE": "development", "KONECTOM_KEYS_URL": keys}
    )


def test_a_backup_and_its_restoration(konectom, new, patient, directory):
    told = konectom("backup", directory).stdout
    assert "objects: 1, " in told
    assert "1 of them new, 0 older ones removed" in told
    assert "keys that it needs, and does not hold: " in told
    told = konectom("backup", directory, "--verify").stdout
    assert "every byte as it was written" in told
    assert "seals: genuine" in told
    told = new("restore", directory).stdout
    assert "rows put back and compared" in told
    assert "objects: 1 there and compared, 1 of them copied now" in told
    assert "erased again: 0 patients, of 0 on the list as of " in told
    assert "audit: sound up to " in told
    assert [row["code"] for row in new.json("patient", "list")] == ["MS-001"]
    assert "sound" in new("audit", "verify", "--rows").stdout


def test_that_all_was_copied_stands_in_the_audit(konectom, new, patient, directory):
    konectom("backup", directory)
    entry = konectom.json("audit", "list", "--action", "backup")[-1]
    assert (entry["change"], entry["detail"]) == ("read", {"patients": "all"})
    assert entry["actor"]["kind"] == "operator"
    new("restore", directory)
    assert new.json("audit", "list", "--action", "restore")[-1]["actor"]["kind"] == "operator"


def test_who_was_erased_is_named_by_the_id(konectom, new, services, patient, directory):
    konectom("backup", directory)
    erase_patient(services, patient, reason="withdrawn")
    told = konectom("backup", directory, "--erased-only").stdout
    assert "erased: 1 patients on the list, as of " in told
    told = new("restore", directory).stdout
    assert "erased again: 1 patients, of 1 on the list" in told
    assert f"\n  {patient}\n" in told
    assert new.json("patient", "list") == []
    assert "withdrawn" in new("patient", "certificate", patient).stdout


def test_a_later_list(konectom, new, services, patient, directory, tmp_path):
    konectom("backup", directory)
    erase_patient(services, patient, reason="withdrawn")
    konectom("backup", tmp_path / "later")
    assert "erased again: 1" in new("restore", directory, "--erasures", tmp_path / "later" / "erased.json").stdout


def test_a_fault_is_told(konectom, new, patient, directory):
    konectom("backup", directory)
    name = next((directory / "objects" / "sha256").rglob("?" * 64))
    name.write_bytes(name.read_bytes()[:-1])
    told = konectom("backup", directory, "--verify", status=1)
    assert f"the object {name.name} was changed or damaged" in told.stderr
    assert "1 faults: the backup cannot be relied on" in told.stderr
    assert "[backup_invalid]" in new("restore", directory, status=1).stderr
    assert "[migration_needed]" in new("patient", "list", status=1).stderr


def test_lost_objects_are_told(konectom, services, patient, directory):
    with services.db.read() as db:
        name = db.scalars(select(Blob.object)).one()
    services.objects.delete(name)
    told = konectom("backup", directory, status=1)
    assert name in told.stderr
    assert "the backup is whole, but for these objects" in told.stderr
    assert "1 objects had been lost" in konectom("backup", directory, "--verify").stdout


def test_without_keys_the_bytes_are_checked_all_the_same(konectom, offline, patient, directory):
    konectom("backup", directory)
    told = Konectom({"KONECTOM_DATA_DIR": str(directory.parent / "nothing")})("backup", directory, "--verify").stdout
    assert "seals: not checked, the keys are not here" in told


def test_options_that_exclude_each_other(konectom, directory):
    konectom("backup", directory, "--verify", "--erased-only", status=2)


def test_there_is_no_backup(konectom, new, patient, directory):
    assert "there is no directory" in konectom("backup", directory, "--verify", status=1).stderr
    directory.mkdir()
    assert "there is no backup" in konectom("backup", directory, "--verify", status=1).stderr
    assert "there is no backup" in new("restore", directory, status=1).stderr
    assert "there is no backup" in konectom("backup", directory, "--erased-only", status=1).stderr


def test_a_restoration_goes_nowhere_but_into_nothing(konectom, patient, directory):
    konectom("backup", directory)
    assert "[target_in_use]" in konectom("restore", directory, status=1).stderr


def test_an_interruption(konectom, new, patient, directory, monkeypatch):
    konectom("backup", directory)
    with monkeypatch.context() as patched:
        patched.setattr(restoring, "copy_objects", interrupt)
        assert "interrupted" in new("restore", directory, status=130).stderr
    assert "rows put back" in new("restore", directory).stdout


def interrupt(*args, **named):
    raise KeyboardInterrupt


def test_moving(konectom, settings, patient, tmp_path, monkeypatch):
    to = (f"sqlite:///{tmp_path}/new.sqlite3", f"file://{tmp_path}/new")
    words = ("migrate-store", "--to-database", to[0], "--to-objects", to[1])
    with monkeypatch.context() as patched:
        patched.setattr(migrating, "copy_objects", interrupt)
        konectom(*words, status=130)
    told = konectom(*words).stdout
    assert "tables copied and compared" in told
    assert "objects: 1 there and compared, 1 of them copied now" in told
    assert "to use it, set KONECTOM_DATABASE_URL, with the same keys" in told
    assert "there already, and the same in both" in konectom(*words).stdout
    keys = f"file://{settings.data_dir}/keys.json"
    moved = load_settings({}, mode="development", database_url=to[0], object_store_url=to[1], keys_url=keys)
    there = Services.open(moved)
    there.ping()
    there.close()
    assert len(konectom.json("audit", "list", "--action", "migrate-store")) == 1
    konectom("study", "create", "late", "--consent-elsewhere")
    assert "[target_in_use]" in konectom(*words, status=1).stderr


def test_moving_needs_to_be_told_where(konectom, patient):
    assert "say where to" in konectom("migrate-store", status=1).stderr
    assert "[setting_invalid]" in konectom("migrate-store", "--to-database", "mysql://x/y", status=1).stderr
