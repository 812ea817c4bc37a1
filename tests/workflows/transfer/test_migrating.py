"""An installation moves to another store and back, whole, whatever happens on the way, and is served nowhere half."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from konectom.errors import (
    MigrationNeeded,
    SettingInvalid,
    SourceChanged,
    StoreUnavailable,
    TargetInUse,
    TransferBroken,
)
from konectom.security.principal import EVERYTHING
from konectom.storage import migrate
from konectom.storage.database import Database
from konectom.storage.models import CatalogueRow, SessionRow, Study
from konectom.storage.objects import FileObjectStore
from konectom.workflows.audit.check import verify
from konectom.workflows.audit.trail import Which, last_entries
from konectom.workflows.erasing.erasure import erase_patient
from konectom.workflows.patients.people import create_study
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.raw import raw_bytes
from konectom.workflows.set_up import set_up
from konectom.workflows.transfer import migrating
from konectom.workflows.transfer import rows as carrying
from konectom.workflows.transfer.migrating import migrate_store
from konectom.workflows.transfer.target import Target
from tests.kept import place_of
from tests.probe import session_body
from tests.workflows.transfer.conftest import ALL, KINDS, OF_TWO, behind, but_the_audit, contents, require_sound, rows
from tests.world import build

ROOT = Path(__file__).resolve().parents[3]


def move(services, there, **how):
    return migrate_store(
        services, to_database=there.settings.database_url, to_objects=there.settings.object_store_url, **how
    )


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(carrying, "BATCH_ROWS", 7)


def faults_of(services):
    return sorted(map(str, verify(services, rows=True).faults))


# There and back


def test_there_and_back_everything_is_the_same(services, persons, elsewhere):
    build(services)
    erase_patient(services, persons[1].id, reason="withdrawn")
    before, faults = rows(services), faults_of(services)  # the world holds erasures that were none
    there, back = elsewhere("postgresql"), elsewhere("sqlite")
    moved = move(services, there)
    assert moved.objects.new == moved.objects.objects == 8 + OF_TWO
    assert but_the_audit(rows(there)) == but_the_audit(before)
    assert faults_of(there) == faults
    move(there, back)
    after = rows(back)
    assert but_the_audit(after) == but_the_audit(before)
    assert set(before["audit"]) < set(after["audit"])
    assert len(after["audit"]) == len(before["audit"]) + 2
    assert faults_of(back) == faults
    back.ping()
    with back.db.read() as db:
        bodies = sorted(raw_bytes(back, each) for each in db.query(SessionRow).all())
    for person in (persons[0], persons[2]):
        assert set(person.bodies) <= set(bodies)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_worked_with_there_as_before(services, persons, study, elsewhere, kind, probe):
    there = elsewhere(kind)
    move(services, there)
    ingest_session(there, session_id=uuid4(), patient_id=persons[0].id, body=session_body())
    probe(2)
    ingest_session(there, session_id=uuid4(), patient_id=persons[0].id, body=session_body(setting="clinic"))
    with there.db.read() as db:
        assert len({each.id for each in db.query(CatalogueRow).all()}) == 2, "a counter went on"
    erase_patient(there, persons[2].id, reason="withdrawn")
    require_sound(there)


def test_an_installation_without_anything_moves_too(services, elsewhere):
    there = elsewhere("postgresql")
    moved = move(services, there)
    assert {name for name, each in moved.tables.items() if each.rows} == {"arrival", "audit", "audit_head"}
    there.ping()


def test_the_source_says_that_all_was_copied_and_is_left_as_it_is(services, persons, elsewhere):
    before = but_the_audit(contents(services))
    move(services, elsewhere())
    assert but_the_audit(contents(services)) == before
    entry = last_entries(services, EVERYTHING, Which(), 1)[0]
    assert (entry["action"], entry["change"]) == ("migrate-store", "read")
    assert entry["detail"] == {"moved": ["database", "objects"], "patients": "all"}
    require_sound(services)


def test_the_database_alone_and_the_objects_alone(services, persons, elsewhere):
    there = elsewhere()
    assert migrate_store(services, to_database=there.settings.database_url).objects is None
    assert not any((there.settings.data_dir / "objects").rglob("*"))
    moved = migrate_store(services, to_objects=there.settings.object_store_url)
    assert moved.tables is None
    assert moved.objects.new == ALL
    with pytest.raises(SettingInvalid):
        migrate_store(services)


def test_called_again_it_compares(services, persons, elsewhere):
    there = elsewhere("postgresql")
    move(services, there)
    anchor = move(services, there).anchor
    again = move(services, there)
    assert again.already
    assert again.anchor == anchor, "comparing leaves no entry: it would make a difference"
    create_study(services, code="LATE")
    with pytest.raises(TargetInUse):
        move(services, there)


# Broken off


class Broken(Exception):
    """Stands for the end of the process."""


def breaking(monkeypatch, *, after):
    """Break each call off in the transaction after so many of them, before or after it is committed, in turn."""
    write, seen = Target.write, {"calls": 0}

    @contextmanager
    def broken(self):
        seen["left"] -= 1
        committed = seen["calls"] % 2
        with write(self) as connection:
            yield connection
            if seen["left"] == 0 and not committed:
                raise Broken
        if seen["left"] == 0:
            raise Broken

    def begin():
        seen["calls"] += 1
        seen["left"] = after

    monkeypatch.setattr(Target, "write", broken)
    return begin


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_broken_off_at_every_batch_it_completes(services, persons, elsewhere, kind, small_batches, monkeypatch):
    there, before = elsewhere(kind), rows(services)
    begin, ended = breaking(monkeypatch, after=3), []
    while not ended or ended[-1]:
        begin()
        try:
            move(services, there)
            ended.append(False)
        except Broken:
            target = Target(there.settings.database_url)
            ended.append(target.is_unfinished())  # it is not where all was done already
            target.close()
            if ended[-1]:
                with pytest.raises(MigrationNeeded, match="not complete"):
                    there.ping()
    assert len(ended) > 40
    assert but_the_audit(rows(there)) == but_the_audit(before)
    assert len(contents(there)) == len(before)
    require_sound(there)


def test_broken_off_at_every_object_it_completes(services, persons, elsewhere, monkeypatch):
    there, put = elsewhere(), FileObjectStore.put
    left = {"objects": 0}

    def broken(self, digest, data):
        left["objects"] -= 1
        if left["objects"] < 0:
            raise Broken
        return put(self, digest, data)

    monkeypatch.setattr(FileObjectStore, "put", broken)
    for _ in range(4):
        left["objects"] = 1
        with pytest.raises(Broken):
            move(services, there)
        with pytest.raises(MigrationNeeded):
            there.ping()
    left["objects"] = 100
    moved = move(services, there)
    assert moved.objects.objects == ALL > moved.objects.new
    require_sound(there)


KILLED = """
import os, signal, sys
from contextlib import contextmanager
from konectom.cli import main
from konectom.workflows.transfer import rows
from konectom.workflows.transfer.target import Target

rows.BATCH_ROWS = 7
write, left = Target.write, [20]

@contextmanager
def killed(self):
    with write(self) as connection:
        yield connection
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

Target.write = killed
main()
"""


@pytest.mark.long
def test_killed_again_and_again_it_completes(services, persons, elsewhere):
    there, before = elsewhere(), rows(services)
    services.close()
    words = ("migrate-store", "--to-database", there.settings.database_url)
    words = (*words, "--to-objects", there.settings.object_store_url)
    environ = {"KONECTOM_DATA_DIR": str(services.settings.data_dir), "KONECTOM_MODE": "development"}
    codes = []
    while not codes or codes[-1]:
        ran = subprocess.run(
            [sys.executable, "-c", KILLED, *words], env=os.environ | environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        codes.append(ran.returncode)
        assert ran.returncode in (0, -signal.SIGKILL), ran.stderr
    assert len(codes) > 3
    assert but_the_audit(rows(there)) == but_the_audit(before)
    require_sound(there)


def test_what_is_being_filled_is_served_by_nobody(services, persons, elsewhere, monkeypatch):
    there = elsewhere()
    monkeypatch.setattr(migrating, "copy_tables", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        move(services, there)
    for use in (there.ping, lambda: set_up(there), lambda: migrate.check(there.settings.database_url)):
        with pytest.raises(MigrationNeeded, match="being filled and not complete"):
            use()


# What must not be


def test_a_source_that_was_written_in_between_is_not_gone_on_with(services, persons, elsewhere, monkeypatch):
    there = elsewhere()
    with monkeypatch.context() as patched:
        patched.setattr(migrating, "require_objects", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            move(services, there)
    create_study(services, code="LATE")
    with pytest.raises(SourceChanged, match="--restart"):
        move(services, there)
    move(services, there, restart=True)
    with there.db.read() as db:
        assert db.query(Study).filter_by(code="LATE").count() == 1
    require_sound(there)


def test_a_change_of_which_the_audit_knows_nothing_is_found(services, persons, elsewhere, monkeypatch):
    there = elsewhere()
    with monkeypatch.context() as patched:
        patched.setattr(migrating, "require_objects", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            move(services, there)
    with behind(services) as connection:
        connection.execute(text("UPDATE score SET value = value + 1"))
    with pytest.raises(SourceChanged, match="score"):
        move(services, there)


@pytest.mark.embedded
def test_nobody_writes_meanwhile(services, persons, elsewhere, monkeypatch):
    there, refused = elsewhere(), []

    def copy(source, target, tell):
        def write():
            with closing(sqlite3.connect(services.settings.data_dir / "konectom.sqlite3", timeout=0)) as other:
                try:
                    other.execute("DELETE FROM review")
                except sqlite3.OperationalError as error:
                    refused.append(str(error))

        writer = threading.Thread(target=write)
        writer.start()
        writer.join()
        return copy_tables(source, target, tell)

    copy_tables = migrating.copy_tables
    monkeypatch.setattr(migrating, "copy_tables", copy)
    move(services, there)
    assert refused == ["database is locked"]


def test_nobody_writes_meanwhile_on_postgresql(services, persons, elsewhere, monkeypatch):
    first, second = elsewhere("postgresql"), elsewhere()
    move(services, first)
    copy_tables, refused = migrating.copy_tables, []

    def copy(source, target, tell):
        other = Database(first.settings.database_url)
        with other.engine.connect() as writer:
            writer.execute(text("SET LOCAL lock_timeout = 1"))
            with pytest.raises(OperationalError, match="lock timeout"):
                writer.execute(text("UPDATE study SET name = 'other'"))
        refused.append(True)
        other.close()
        return copy_tables(source, target, tell)

    monkeypatch.setattr(migrating, "copy_tables", copy)
    move(first, second)
    assert refused


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_that_is_being_written_is_refused(services, persons, elsewhere, kind, monkeypatch):
    monkeypatch.setattr("konectom.storage.database.BUSY_TIMEOUT_MS", 1)
    monkeypatch.setattr(migrating, "LOCK_WAITS_MS", 1)
    source = services
    if kind == "postgresql":
        source = elsewhere(kind)
        move(services, source)
    there = elsewhere()
    with monkeypatch.context() as patched:
        patched.setattr(migrating, "_note", lambda *_: None)
        other = Database(source.settings.database_url)
        with other.engine.connect() as writer:
            if writer.dialect.name == "sqlite":
                writer.exec_driver_sql("PRAGMA busy_timeout = 1")
            writer.execute(text("UPDATE study SET name = 'other'"))
            with pytest.raises(SourceChanged, match="stop all servers"):
                move(source, there)
        other.close()
    move(source, there)


def test_a_target_that_holds_something_is_left_alone(services, people, elsewhere):
    people.study()
    there = elsewhere()
    set_up(there)  # its audit began
    before = contents(there)
    with pytest.raises(TargetInUse, match="holds rows already, in audit"):
        move(services, there)
    with pytest.raises(TargetInUse, match="holds rows"):
        move(services, there, restart=True)
    assert contents(there) == before


def test_a_target_of_something_else_is_left_alone(services, people, elsewhere):
    there = elsewhere()
    with closing(sqlite3.connect(there.settings.data_dir / "konectom.sqlite3")) as other, other:
        other.execute("CREATE TABLE cheese (id)")
    with pytest.raises(TargetInUse, match="something else: cheese"):
        move(services, there)


def test_the_same_database_is_no_target(services):
    with pytest.raises(TargetInUse):
        migrate_store(services, to_database=services.settings.database_url.replace("/konectom.", "/./konectom."))


def test_an_unfinished_move_is_gone_on_with_by_nothing_else(services, people, elsewhere, monkeypatch):
    there = elsewhere()
    target = Target(there.settings.database_url)
    target.begin({"command": "restore", "manifest": "x"})
    target.close()
    with pytest.raises(TransferBroken, match="--restart"):
        move(services, there)
    move(services, there, restart=True)
    require_sound(there)


def test_objects_that_the_source_has_lost_are_told(services, persons, elsewhere):
    there = elsewhere()
    with services.db.read() as db:
        lost = db.query(SessionRow).first().object
    place = place_of(services, lost)
    held = place.read_bytes()
    place.write_bytes(held[:-1] + b"?")
    with pytest.raises(StoreUnavailable, match=lost):
        move(services, there)
    with pytest.raises(MigrationNeeded):
        there.ping()
    place.write_bytes(held)
    assert move(services, there).objects.new == 1
    require_sound(there)


def test_rows_that_refer_to_nothing_are_told(services, persons, elsewhere):
    some = "SELECT id FROM recording LIMIT 1"
    with behind(services) as connection:
        connection.execute(text(f"UPDATE recording SET session_id = '{uuid4().hex}' WHERE id = ({some})"))
    for kind in KINDS:
        with pytest.raises(TransferBroken, match="refer to rows that are not there"):
            move(services, elsewhere(kind))


@pytest.mark.embedded
def test_what_the_target_cannot_keep_is_told_by_its_place(services, people, elsewhere):
    study = people.study()
    with behind(services) as connection:
        connection.execute(text("UPDATE study SET name = 'a' || char(0) || 'b'"))
    with pytest.raises(TransferBroken, match=f"row of study .*{study.hex}"):
        move(services, elsewhere("postgresql"))
