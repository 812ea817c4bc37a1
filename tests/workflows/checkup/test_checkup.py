"""Each thing that can be wrong is broken here, and found under its code; nothing else is."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from konectom.errors import NotJson
from konectom.storage.models import Erasure, Residue
from konectom.workflows.checkup import CHECKS, FINDINGS, check_up, database, kept, machine, memory
from konectom.workflows.checkup.machine import file_system_of
from konectom.workflows.checkup.run import Plan
from konectom.workflows.erasing.erasure import erase_patient
from konectom.workflows.sessions.ingest import ingest_session
from tests.backends import REAL
from tests.kept import kept as kept_by
from tests.kept import place_of
from tests.people import with_settings
from tests.probe import session_body

USUAL = {"mode_development", "keys_beside_data"}
"""What is found of every installation of the tests: they run in development, and hold all in one directory."""
if REAL:
    # Nor does their PostgreSQL keep anything over a power cut, or know their clock.
    USUAL |= {"database_not_durable", "database_time_zone", "limits_per_process", "clock_skew"}


@pytest.fixture
def found(services):
    """The codes that are found beyond the usual, in order; called with other services, of those."""

    def look(other=None, **plan):
        checkup = check_up(other or services, Plan(**plan))
        told = [finding for each in checkup.checked for finding in each.findings if finding.code not in USUAL]
        assert all(each.told and each.kind.remedy for each in told)
        return [each.code for each in told]

    return look


@pytest.fixture
def stored(services, people, probe):
    """Three sessions; returns the names of their objects."""
    patient = people.patient()
    for index in range(3):
        body = session_body(setting=str(index))
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=body)
    return sorted(each for each in services.objects.written_before(services.clock() + timedelta(days=9000)))


def change(services, statement):
    with services.db.write() as db:
        db.connection().exec_driver_sql(statement)


def test_a_sound_installation(services, found, stored):
    before = kept_by(services)
    checkup = check_up(services)
    assert found() == []
    assert {each.status for each in checkup.checked} <= {"ok", "warning", "error"}
    assert kept_by(services) == before
    assert checkup.as_dict()["checks"][5] == {"name": "database", "status": "ok"}


def test_an_empty_one(found):
    assert found(sample=0, quick=True) == []


def test_settings_that_are_odd(services, found):
    assert found(with_settings(services, min_free_bytes=0)) == ["room_unguarded"]
    assert found(with_settings(services, public_url="https://konectom.example")) == ["proxies_unknown"]
    url = "postgresql+psycopg://nobody@127.0.0.1:9/nowhere"
    codes = [each.code for each in machine.settings(with_settings(services, database_url=url))]
    assert "limits_per_process" in codes


def test_what_the_server_would_refuse_is_told_with_its_name(services):
    services = with_settings(services, rate_limit_storage="redis://127.0.0.1:1")
    (in_development,) = machine.settings(services)
    assert in_development.code == "mode_development"
    assert "KONECTOM_PUBLIC_URL" in in_development.told
    served = list(machine.settings(with_settings(services, mode="production")))
    assert {each.code for each in served} == {"setting_unsafe"}
    assert any("KONECTOM_PUBLIC_URL" in each.told for each in served)


def test_room(services, found, monkeypatch):
    least = services.settings.min_free_bytes
    monkeypatch.setattr("konectom.workflows.sessions.room.free_bytes", lambda path: least - 1)
    assert found() == ["room_short"]
    monkeypatch.setattr("konectom.workflows.sessions.room.free_bytes", lambda path: least)
    assert found() == ["room_low"]


GIB = 2**30


def groups(root, told, **limits):
    """A system whose control groups tell this; ``memory`` stands for the place of version 1."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(told)
    for place, limit in limits.items():
        file = root / "sys/fs/cgroup" / place.replace("__", "/").replace("_max", ".max").replace("_limit", ".limit")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{limit}\n")
    return root


@pytest.mark.parametrize(
    ("told", "limits", "least"),
    [
        ("0::/\n", {}, None),
        ("0::/\n", {"memory_max": 2 * GIB}, 2 * GIB),
        ("0::/\n", {"memory_max": "max"}, None),
        ("0::/a/b\n", {"a__memory_max": GIB, "a__b__memory_max": "max", "a__c__memory_max": 5}, GIB),
        ("0::/docker/7f\n", {"memory_max": GIB}, GIB),
        ("5:cpu:/x\n4:memory:/docker/7f\n0::/\n", {"memory__memory_limit_in_bytes": GIB}, GIB),
        ("4:hugetlb,memory:/u\n", {"memory__u__memory_limit_in_bytes": 3 * GIB, "memory_max": GIB}, 3 * GIB),
        ("4:memory:/u\n", {"memory__memory_limit_in_bytes": 9223372036854771712}, None),
    ],
    ids=["none", "v2", "v2 max", "v2 above", "v2 container", "v1 container", "v1", "v1 max"],
)
def test_the_limit_of_memory_is_found(tmp_path, told, limits, least):
    assert memory.group_limit(groups(tmp_path / "system", told, **limits)) == least


def test_where_there_are_no_groups_there_is_no_limit(tmp_path):
    assert memory.group_limit(tmp_path) is None


def test_a_container_that_is_smaller_than_the_settings(services, found, tmp_path, monkeypatch):
    root = groups(tmp_path / "system", "0::/\n", memory_max=2 * GIB)
    monkeypatch.setattr(memory, "group_limit", lambda _, look=memory.group_limit: look(root))
    assert found() == ["memory_short"]
    assert found(with_settings(services, processing_memory_bytes=0)) == ["memory_short"]
    assert found(with_settings(services, processing_memory_bytes=2 * GIB)) == ["memory_short"]
    assert found(with_settings(services, processing_memory_bytes=2 * GIB - 1)) == []


def test_files_of_another_account(found, monkeypatch):
    monkeypatch.setattr(machine.os, "geteuid", lambda: os.getuid() + 1)
    assert found() == ["owner_differs"]


def test_packages(found, monkeypatch):
    version = metadata.version
    monkeypatch.setattr(machine.metadata, "version", lambda name: "0.1" if name == "flask" else version(name))
    assert found() == ["package_unfit"]

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(machine.metadata, "version", missing)
    assert set(found()) == {"package_missing"}
    monkeypatch.setattr(machine.metadata, "requires", missing)
    assert found() == []


@pytest.mark.embedded
def test_no_database(services, found):
    services.db.close()
    (services.settings.data_dir / "konectom.sqlite3").unlink()
    assert found() == ["database_missing"]
    assert not (services.settings.data_dir / "konectom.sqlite3").exists()
    skipped = [each.name for each in check_up(services).checked if each.status == "skipped"]
    assert skipped == [each.name for each in CHECKS if each.needs_database]


@pytest.mark.embedded
def test_a_database_that_cannot_be_written(found, monkeypatch):
    def access(path, mode):
        return not (mode & os.W_OK and path.name == "konectom.sqlite3")

    monkeypatch.setattr("konectom.storage.writable.os.access", access)
    assert found() == ["database_read_only"]


def test_another_schema(services, found):
    change(services, "DROP INDEX ix_session_waiting")
    assert found() == ["schema_differs"]
    change(services, "UPDATE alembic_version SET version_num = '0001'")
    assert found() == ["schema_differs"]


@pytest.mark.embedded
def test_a_reference_to_nothing(services, found, stored):
    with services.db.engine.connect() as connection:
        driver = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys = OFF")
        driver.execute("DELETE FROM measure WHERE id IN (SELECT measure_id FROM score)")
        driver.execute("PRAGMA foreign_keys = ON")
    assert set(found()) == {"reference_broken"}


@pytest.mark.embedded
def test_a_damaged_file(services, found, stored):
    change(services, "CREATE INDEX broken ON session (digest)")
    change(services, "DROP INDEX broken")
    services.db.close()
    file = services.settings.data_dir / "konectom.sqlite3"
    data = bytearray(file.read_bytes())
    data[4096 * 3 : 4096 * 12] = os.urandom(4096 * 9)
    file.write_bytes(bytes(data))
    checkup = check_up(services)
    assert checkup.status == "error"
    assert "database_damaged" in {finding.code for each in checkup.checked for finding in each.findings}


@pytest.mark.embedded
def test_no_database_at_all(services, found):
    services.db.close()
    (services.settings.data_dir / "konectom.sqlite3").write_bytes(b"no database" * 1000)
    assert found() == ["database_damaged"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/konectom/konectom.sqlite3", "nfs4"),
        ("/srv/konectom2/a", "ext4"),
        ("/srv/with space/a", "cifs"),
        ("/a", "ext4"),
    ],
)
def test_on_what_a_file_lies(path, kind):
    mounts = "/dev/sda / ext4 rw 0 0\nhost:/a /srv/konectom nfs4 rw 0 0\n//host/b /srv/with\\040space cifs rw 0 0\n"
    assert file_system_of(Path(path), mounts) == kind
    assert file_system_of(Path(path), "") == ""


@pytest.mark.embedded
def test_a_database_over_the_network(found, monkeypatch, tmp_path):
    (tmp_path / "mounts").write_text("host:/a / nfs4 rw 0 0\n")
    monkeypatch.setattr(database, "MOUNTS", tmp_path / "mounts")
    assert found() == ["database_on_network"]


@pytest.mark.embedded
def test_a_store_that_cannot_be_used(services, found):
    services.objects.root.write_text("a file where the directory should be")
    assert "store_unusable" in found()


def test_a_store_that_gives_back_something_else(services, found, monkeypatch):
    monkeypatch.setattr(type(services.objects), "get", lambda self, digest: b"something else")
    monkeypatch.setattr(type(services.objects), "exists", lambda self, digest: True)
    assert found() == ["store_unusable"] * 2


def test_uploads_that_are_lost_or_damaged(services, found, stored):
    services.objects.delete(stored[0])
    place = place_of(services, stored[1])
    place.write_bytes(place.read_bytes()[::-1])
    assert sorted(found()) == ["object_damaged", "object_missing"]
    assert found(sample=0) == []


def test_every_object_is_looked_at_where_there_are_no_more_than_asked_for(services, found, stored, monkeypatch):
    services.objects.delete(stored[0])
    for first in ("0" * 64, stored[1], "f" * 64):
        monkeypatch.setattr(kept.secrets, "token_hex", lambda _, first=first: first)
        assert found(sample=3) == ["object_missing"]


def test_an_object_that_is_erased_meanwhile_is_not_lost(services, found, stored, monkeypatch):
    services.objects.delete(stored[0])
    monkeypatch.setattr(kept, "_still_known", lambda services, name: False)
    assert found() == []


def test_objects_of_which_no_row_speaks(services, found, stored, clock):
    services.objects.put("ab" * 32, b"left")
    place_of(services, "ab" * 32).age(datetime.fromtimestamp(0, UTC))
    assert found() == ["objects_orphaned"]


def test_keys_that_are_lost(services, found):
    (services.settings.data_dir / "keys.json").rename(services.settings.data_dir / "elsewhere.json")
    assert found() == ["keys_unusable"]


def test_keys_elsewhere_are_not_beside_the_data(services):
    elsewhere = SimpleNamespace(source=SimpleNamespace(place="the environment"))
    told = kept.keys(SimpleNamespace(require_keys=lambda: None, keys=elsewhere, settings=services.settings))
    assert list(told) == []


def test_an_audit_that_was_changed(services, found, people):
    people.patient()
    change(services, "UPDATE audit_head SET seq = seq + 1")
    assert found() == ["audit_broken"]


def test_sessions_that_nobody_computes(services, found, stored, clock):
    change(services, "UPDATE session SET status = 'received'")
    assert found() == []
    clock.forward(minutes=16)
    assert found() == ["sessions_waiting"]
    change(services, "UPDATE session SET status = 'parked'")
    assert found() == ["sessions_parked"]


def test_uploads_in_quarantine(services, found, people):
    with pytest.raises(NotJson):
        ingest_session(services, session_id=uuid4(), patient_id=people.patient(), body=b"{")
    assert found() == ["uploads_quarantined"]


def test_an_erasure_that_is_not_finished(services, found, people):
    patient = people.patient()
    erase_patient(services, patient, reason="other")
    with services.db.write() as db:
        db.add(Residue(erasure_id=db.scalars(select(Erasure.id)).one(), object="left"))
    assert found() == ["erasure_unfinished"]


def test_clocks_that_differ(services):
    """PostgreSQL's clock, as a database of ours would tell it."""
    now = services.clock()

    class Db:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def scalar(self, statement):
            return self.there

    db = Db()
    held = with_settings(services, database_url="postgresql+psycopg://a@b/c").settings
    asked = SimpleNamespace(settings=held, db=SimpleNamespace(read=lambda: db), clock=lambda: now)
    for seconds, codes in ((0, []), (4, []), (-6, ["clock_skew"]), (60, ["clock_skew"])):
        db.there = now + timedelta(seconds=seconds)
        assert [each.code for each in database.clock(asked)] == codes


def test_parameters_of_postgresql(services):
    """What a server says of itself, by name."""
    told = {
        "fsync": "off", "synchronous_commit": "on", "full_page_writes": "off", "server_version_num": "130004",
        "server_encoding": "SQL_ASCII", "TimeZone": "Europe/Berlin",
    }  # fmt: skip

    class Db:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def scalar(self, statement, names=None):
            name = names["name"] if names else str(statement).split("'")[1]
            return told[name]

    held = with_settings(services, database_url="postgresql+psycopg://a@b/c").settings
    asked = SimpleNamespace(settings=held, db=SimpleNamespace(read=Db))
    assert [each.code for each in database.durability(asked)] == [
        *("database_not_durable", "database_not_durable", "database_old", "database_encoding", "database_time_zone"),
    ]
    told |= {"fsync": "on", "full_page_writes": "on", "server_version_num": "170002", "server_encoding": "UTF8"}
    told["TimeZone"] = "Etc/UTC"
    assert list(database.durability(asked)) == []


def test_every_kind_of_finding_is_made_somewhere():
    package = Path(machine.__file__).parent
    written = "".join(each.read_text() for each in package.glob("*.py") if each.name != "findings.py")
    assert [code for code in FINDINGS if f'"{code}"' not in written] == []


def test_a_real_postgresql_answers_these_questions(services, postgres):
    from konectom.storage.database import Database

    url = postgres.url()
    there = replace(with_settings(services, database_url=url), db=Database(url))
    try:
        with there.db.read() as db:
            assert db.scalar(text("SELECT 1")) == 1
        known = {"database_not_durable", "database_encoding", "database_time_zone", "database_old"}
        assert {each.code for each in database.durability(there)} <= known
        assert [each.code for each in database.clock(replace(there, clock=now))] == []
    finally:
        there.db.close()


def now():
    from datetime import UTC, datetime

    return datetime.now(UTC)
