"""The keys of an installation from the command line: made once, changed while it runs, refused where they are lost."""

import json
import shutil
import sqlite3
import stat
from contextlib import closing
from uuid import uuid4

import pytest
import structlog
from alembic import command
from sqlalchemy import text

from konectom.app import create_app
from konectom.errors import KeysInvalid, KeysMissing
from konectom.security.keys import Keychain
from konectom.security.totp import TOTP_PURPOSE
from konectom.settings import load_settings
from konectom.storage import migrate
from konectom.storage.models import PatientKey, SessionRow, User
from konectom.workflows import keys
from konectom.workflows.keys import rewrap
from konectom.workflows.patients.identity import get_identity, set_identity
from konectom.workflows.services import Services
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.raw import raw_bytes
from tests.cli.conftest import Konectom
from tests.probe import session_body


@pytest.fixture
def key_path(settings):
    return settings.data_dir / "keys.json"


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """The command where nothing is set up yet."""
    monkeypatch.chdir(tmp_path)
    yield Konectom({"KONECTOM_DATA_DIR": str(tmp_path / "new")})
    structlog.reset_defaults()


def current(konectom):
    return next(row["id"] for row in konectom.json("keys", "list") if row["current"])


# A new installation, and one that lost its keys


def test_setting_up_a_new_database_makes_the_keys_once(fresh, tmp_path):
    path = tmp_path / "new" / "keys.json"
    told = fresh("db", "upgrade").stdout
    assert str(path) in told
    assert "backup" in told
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    assert "keys" not in fresh("db", "upgrade").stdout
    assert path.read_bytes() == before
    assert "all that are needed" in fresh("keys", "check").stdout


def test_a_database_that_is_set_up_gets_no_new_keys(konectom, key_path):
    """Not even while nothing is sealed in it: another host may have its keys."""
    key_path.unlink()
    assert "keys_missing" in konectom("db", "upgrade", status=1).stderr
    assert not key_path.exists()


def test_an_installation_that_lost_its_keys_does_not_start(konectom, key_path, services, people):
    people.patient()
    key_path.unlink()
    services.keys._read = None  # as a process that starts
    for words in (("db", "upgrade"), ("keys", "check"), ("serve",)):
        told = konectom(*words, status=1).stderr
        assert str(key_path) in told
        assert "backup" in told
    with pytest.raises(KeysMissing):
        create_app(services=services)
    with pytest.raises(KeysMissing):
        services.ping()
    assert "restore them" in konectom("keys", "create", status=1).stderr
    assert not key_path.exists()


def test_other_keys_are_not_taken_for_those_that_were_lost(konectom, key_path, services, people):
    people.patient()
    key_path.unlink()
    Keychain.open(services.settings.keys_url).create(services.clock())
    for words in (("db", "upgrade"), ("keys", "check"), ("serve",)):
        assert "is not in" in konectom(*words, status=1).stderr
    with pytest.raises(KeysMissing):
        create_app(services=services)


def test_keys_that_others_can_read_stop_the_start(konectom, key_path, services):
    key_path.chmod(0o644)
    assert "chmod 600" in konectom("serve", status=1).stderr
    with pytest.raises(KeysInvalid):
        services.ping()


def test_keys_are_made_by_hand_where_nothing_needs_any(konectom, key_path):
    key_path.unlink()
    konectom("keys", "create")
    assert "already" in konectom("keys", "create", status=1).stderr
    konectom("keys", "check")


def test_keys_of_a_secret_store(fresh, monkeypatch):
    printed = fresh("keys", "create", "--print").stdout
    fresh.environ.update(KONECTOM_KEYS_URL="env://HOSPITAL_KEYS", HOSPITAL_KEYS=printed)
    fresh("db", "upgrade")
    fresh("study", "create", "S1")
    fresh("patient", "create", "P1", "--study", "S1")
    assert "--print" in fresh("keys", "rotate", status=1).stderr
    old = current(fresh)
    fresh.environ["HOSPITAL_KEYS"] = fresh("keys", "rotate", "--print").stdout
    assert current(fresh) != old
    assert "rewrap" in fresh("keys", "retire", old, "--print", status=1).stderr
    assert fresh("keys", "rewrap").stdout.startswith("1 sealed anew")
    fresh.environ["HOSPITAL_KEYS"] = fresh("keys", "retire", old, "--print").stdout
    assert [row["use"] for row in fresh.json("keys", "list")] == ["verify", "seal"]
    fresh("keys", "check")


def test_patients_who_are_older_than_keys_are_given_theirs(fresh, tmp_path):
    """And so are the keys, since nothing was ever sealed there."""
    data = tmp_path / "new"
    study, patient = uuid4(), uuid4()
    with migrate._connection(f"sqlite:///{data}/konectom.sqlite3") as connection:
        command.upgrade(migrate._config(connection), "0002")
        at = "2026-01-01 00:00:00.000000"
        connection.execute(text("INSERT INTO study (id, code, name, created_at) VALUES (:i, 'A', '', :at)"),
                           {"i": study.hex, "at": at})  # fmt: skip
        connection.execute(text("INSERT INTO patient (id, study_id, code, created_at) VALUES (:i, :s, 'P', :at)"),
                           {"i": patient.hex, "s": study.hex, "at": at})  # fmt: skip
    assert "keys: made" in fresh("db", "upgrade").stdout
    services = Services.open(load_settings({}, data_dir=data))
    assert set_identity(services, patient, given_name="Ada")["given_name"] == "Ada"
    services.close()


# Changing keys while the server runs


@pytest.mark.embedded  # a backup is put back by its file
def test_a_rotation_from_beginning_to_end(konectom, services, people, probe, key_path):
    """A server that runs all the time; old backups are of no use in the end."""
    patient, session_id, body = people.patient(), uuid4(), session_body()
    ingest_session(services, session_id=session_id, patient_id=patient, body=body)
    set_identity(services, patient, given_name="Ada")
    backup = services.settings.data_dir / "backup.sqlite3"
    with closing(sqlite3.connect(services.settings.data_dir / "konectom.sqlite3")) as source:
        source.execute("VACUUM INTO ?", [str(backup)])
    old = current(konectom)

    konectom("keys", "rotate")
    new = current(konectom)
    later = people.patient()
    assert key_of(services, patient) == old
    assert key_of(services, later) == new
    assert "rewrap" in konectom("keys", "retire", old, status=1).stderr
    assert konectom("keys", "rewrap").stdout.startswith("1 sealed anew")
    assert konectom("keys", "rewrap").stdout.startswith("0 sealed anew")
    assert key_of(services, patient) == new
    konectom("keys", "retire", old)
    assert "current" in konectom("keys", "retire", new, status=1).stderr
    konectom("keys", "check")

    with services.db.read() as db:
        assert raw_bytes(services, db.get(SessionRow, session_id)) == body
    assert get_identity(services, patient)["given_name"] == "Ada"
    assert ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body(setting="clinic")).created

    services.close()
    for rest in ("-wal", "-shm"):
        (services.settings.data_dir / f"konectom.sqlite3{rest}").unlink(missing_ok=True)
    shutil.copy(backup, services.settings.data_dir / "konectom.sqlite3")
    with pytest.raises(KeysMissing, match="retired"):
        get_identity(services, patient)
    assert "retired" in konectom("keys", "check", status=1).stderr


def key_of(services, patient):
    with services.db.read() as db:
        return db.get(PatientKey, patient).key


def test_sealing_anew_goes_on_where_it_was_broken_off(konectom, services, people, monkeypatch):
    monkeypatch.setattr(keys, "BATCH", 3)
    study = people.study()
    patients = [people.patient(study) for _ in range(8)]
    konectom("keys", "rotate")
    batches = rewrap(services)
    assert next(batches) == 3
    batches.close()
    assert list(rewrap(services)) == [3, 2]
    assert {key_of(services, each) for each in patients} == {services.keys.current_id}


def test_second_factors_are_sealed_anew_too(konectom, services):
    user_id = uuid4()
    purpose = {"purpose": TOTP_PURPOSE, "bound_to": user_id.bytes}
    with services.db.write() as db:
        sealed = services.keys.seal_small(data=b"twenty bytes of TOTP", **purpose)
        facts = {"login": "ada", "name": "Ada", "failures": 0, "created_at": services.clock()}
        db.add(User(id=user_id, totp_sealed=sealed, **facts))
    old = current(konectom)
    konectom("keys", "rotate")
    assert "rewrap" in konectom("keys", "retire", old, status=1).stderr
    konectom("keys", "rewrap")
    konectom("keys", "retire", old)
    with services.db.read() as db:
        assert (
            services.keys.unseal_small(sealed=db.get(User, user_id).totp_sealed, **purpose) == b"twenty bytes of TOTP"
        )


def test_a_list_tells_all_but_the_secrets(konectom, key_path, people):
    people.patient()
    konectom("keys", "rotate")
    old, new = konectom.json("keys", "list")
    assert (old["use"], old["current"], old["in_use"]) == ("seal", False, True)
    assert (new["use"], new["current"], new["in_use"]) == ("seal", True, False)
    shown = konectom("keys", "list").stdout
    assert old["id"] in shown
    assert not any(key["secret"] in shown for key in json.loads(key_path.read_bytes())["keys"])


def test_an_unknown_key_is_not_retired(konectom):
    assert "there is no key" in konectom("keys", "retire", "0123", status=1).stderr
