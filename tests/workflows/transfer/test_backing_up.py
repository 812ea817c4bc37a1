"""A backup is of one state, whole or not at all, and whatever bit of it is changed is found out."""

import os
import random
import shutil
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from konectom.errors import BackupInvalid, KonectomError
from konectom.security.keys import Keychain
from konectom.storage.models import Blob, RecordingRow, ResultRow, SessionRow, UploadPiece
from konectom.workflows.erasing.erasure import erase_patient
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.transfer import backing_up, keeping
from konectom.workflows.transfer.backing_up import back_up, refresh_erased
from konectom.workflows.transfer.checking import check_backup
from konectom.workflows.transfer.files import held, open_copy
from konectom.workflows.transfer.manifest import listed_objects, place_of, read_manifest
from konectom.workflows.transfer.migrating import migrate_store
from tests.kept import place_of as kept_at
from tests.probe import probe_recording, session_body
from tests.workflows.transfer.conftest import ALL, EACH, KINDS, OF_TWO, contents


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "backup"


def faults(services, directory, keys=None):
    return check_backup(directory, keys or services.keys).faults


def objects_in(directory):
    return {path.name for path in (directory / "objects" / "sha256").rglob("*") if path.is_file()}


def known_here(db):
    return {*db.scalars(select(Blob.object)), *db.scalars(select(UploadPiece.object))}


# What it holds


@pytest.mark.parametrize("kind", KINDS)
def test_it_holds_every_row_and_every_object(services, persons, elsewhere, directory, kind):
    if kind == "postgresql":
        there = elsewhere(kind)
        migrate_store(services, to_database=there.settings.database_url, to_objects=there.settings.object_store_url)
        services = there
    done = back_up(services, directory)
    made = done.manifest
    assert made.tables == contents(services)
    assert (made.objects, done.new, done.removed, made.lost) == (ALL, ALL, 0, ())
    assert faults(services, directory) == []
    with services.db.read() as db:
        names = known_here(db)
    assert objects_in(directory) == names == {name for name, _ in listed_objects(directory / made.listed.name)}
    assert all(services.objects.get(name) == place_of(directory, name).read_bytes() for name in names)


def test_it_holds_no_key_and_is_for_its_owner_only(services, persons, directory):
    back_up(services, directory)
    secrets = [each["secret"] for each in orjson.loads((services.settings.data_dir / "keys.json").read_bytes())["keys"]]
    assert secrets
    for path in directory.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        if path.is_file():
            assert not any(secret.encode() in path.read_bytes() for secret in secrets), path
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_the_database_in_it_is_one_that_any_tool_reads(services, persons, directory):
    made = back_up(services, directory).manifest
    path = directory / made.database.name
    path.chmod(0o400)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as tool:
        assert tool.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert tool.execute("SELECT version_num FROM alembic_version").fetchall() == [(made.revision,)]
        assert tool.execute("SELECT count(*) FROM session").fetchone() == (9,)
    assert [each.name for each in directory.iterdir() if "wal" in each.name or "shm" in each.name] == []


def test_what_is_there_already_is_not_copied_again(services, persons, directory, monkeypatch):
    back_up(services, directory)
    store = type(services.objects)
    read, get = [], store.open
    monkeypatch.setattr(store, "open", lambda self, name: read.append(name) or get(self, name))
    monkeypatch.setattr(keeping, "is_right", lambda *_: 1 / 0)
    ingest_session(services, session_id=uuid4(), patient_id=persons[0].id, body=session_body())
    done = back_up(services, directory)
    assert (done.manifest.objects, done.new) == (ALL + 1, 1)
    assert len(read) == 1
    assert faults(services, directory) == []


def test_an_object_of_another_size_is_copied_again(services, persons, directory):
    made = back_up(services, directory).manifest
    name = next(iter(objects_in(directory)))
    place = place_of(directory, name)
    place.write_bytes(place.read_bytes()[:-1])
    assert back_up(services, directory).new == 1
    assert faults(services, directory) == []
    assert made.objects == ALL


def test_objects_of_who_was_erased_leave_with_the_next_backup(services, persons, directory):
    first = back_up(services, directory).manifest
    erase_patient(services, persons[1].id, reason="withdrawn")
    assert len(objects_in(directory)) == ALL
    done = back_up(services, directory)
    assert (done.removed, done.erased, done.back) == (EACH, 1, 0)
    assert len(objects_in(directory)) == OF_TWO
    assert not (directory / first.database.name).exists()
    assert sorted(path.name.split("-")[0] for path in directory.iterdir()) == [
        "database", "erased.json", "lock", "manifest.json", "objects", "objects",
    ]  # fmt: skip
    for needle in persons[1].needles:
        if not needle.identifier:
            assert not any(needle.within(path.read_bytes()) for path in directory.rglob("*") if path.is_file()), needle


# Whole or not at all


class Broken(Exception):
    """Stands for the end of the process."""


STEPS = ("_copy", "keep_objects", "_without_rows", "put_in_place", "_prune")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_broken_off_it_is_the_backup_of_before_or_none(services, persons, directory, monkeypatch, step, late):
    def breaking(*args, **named):
        if late:
            real(*args, **named)
        raise Broken

    real = getattr(backing_up, step)
    whole = step == "_prune"
    if step == "_without_rows":  # it is asked where objects are missing
        with services.db.read() as db:
            services.objects.delete(db.query(Blob).first().object)
    with monkeypatch.context() as patched:
        patched.setattr(backing_up, step, breaking)
        with pytest.raises(Broken):
            back_up(services, directory)
        if not whole:
            with pytest.raises(BackupInvalid, match="broken off before it was whole"):
                check_backup(directory, services.keys)
    before = back_up(services, directory).manifest
    ingest_session(services, session_id=uuid4(), patient_id=persons[0].id, body=session_body())
    if step == "_without_rows":
        return
    with monkeypatch.context() as patched:
        patched.setattr(backing_up, step, breaking)
        with pytest.raises(Broken):
            back_up(services, directory)
    assert faults(services, directory) == []
    assert (read_manifest(directory) == before) is not whole
    assert back_up(services, directory).manifest.objects == ALL + 1
    assert not [path for path in directory.iterdir() if path.name.startswith("incoming")]


def test_two_at_a_time_are_refused(services, persons, directory):
    back_up(services, directory)
    with held(directory, to_write=False), pytest.raises(BackupInvalid, match="in use"):
        back_up(services, directory)
    with held(directory, to_write=True), pytest.raises(BackupInvalid, match="in use"):
        check_backup(directory, services.keys)


def test_a_directory_with_something_else_is_left_alone(services, persons, directory):
    directory.mkdir()
    (directory / "thesis.tex").touch()
    with pytest.raises(BackupInvalid, match=r"thesis\.tex"):
        back_up(services, directory)
    assert [path.name for path in directory.iterdir()] == ["thesis.tex"]


def test_the_backup_of_another_installation_is_left_alone(services, persons, directory, elsewhere, clock):
    from konectom.workflows.set_up import set_up

    back_up(services, directory)
    other = elsewhere()
    (other.settings.data_dir / "keys.json").unlink()
    set_up(other)
    before = (directory / "manifest.json").read_bytes()
    with pytest.raises(KonectomError):
        back_up(other, directory)
    same_keys = elsewhere()
    set_up(same_keys)
    with pytest.raises(BackupInvalid, match="later state"):
        back_up(same_keys, directory)
    assert (directory / "manifest.json").read_bytes() == before
    assert faults(services, directory) == []


def test_objects_that_are_lost_are_told_and_the_rest_is_kept(services, persons, directory):
    with services.db.read() as db:
        lost, damaged = [each.object for each in db.query(Blob).limit(2)]
    services.objects.delete(lost)
    place = kept_at(services, damaged)
    place.write_bytes(b"?" + place.read_bytes()[1:])
    done = back_up(services, directory)
    assert set(done.manifest.lost) == {lost, damaged}
    assert done.manifest.objects == ALL - 2
    assert faults(services, directory) == []


def test_what_the_installation_lost_later_the_backup_still_has(services, persons, directory):
    back_up(services, directory)
    with services.db.read() as db:
        services.objects.delete(db.query(Blob).first().object)
    done = back_up(services, directory)
    assert (done.manifest.lost, done.manifest.objects) == ((), ALL)


def test_who_is_erased_while_objects_are_copied_is_not_in_it(services, persons, directory, monkeypatch):
    keep, erased = backing_up.keep_objects, []

    def keep_and_erase(*args):
        if not erased:
            erased.append(erase_patient(services, persons[0].id, reason="withdrawn"))
        return keep(*args)

    monkeypatch.setattr(backing_up, "keep_objects", keep_and_erase)
    done = back_up(services, directory)
    assert done.manifest.objects == OF_TWO
    assert done.manifest.lost == ()
    assert done.manifest.tables == contents(services)
    assert done.erased == 1


# Any bit


def every_file(directory):
    return sorted(path for path in directory.rglob("*") if path.is_file() and path.name != "lock")


@pytest.fixture
def whole(services, persons, directory):
    erase_patient(services, persons[1].id, reason="withdrawn")
    back_up(services, directory)
    return directory


def is_told(directory, keys):
    try:
        return check_backup(directory, keys).faults != []
    except KonectomError:
        return True


def flipped(data, bit):
    data = bytearray(data)
    data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), with_keys=st.booleans())
def test_a_bit_anywhere_is_told(services, whole, data, with_keys):
    path = data.draw(st.sampled_from(every_file(whole)))
    before = path.read_bytes()
    path.write_bytes(flipped(before, data.draw(st.integers(0, len(before) * 8 - 1))))
    try:
        assert is_told(whole, services.keys if with_keys else None)
    finally:
        path.write_bytes(before)
    assert not is_told(whole, services.keys)


def test_every_bit_of_the_manifest_is_told(services, whole):
    path = whole / "manifest.json"
    before = path.read_bytes()
    dice = random.Random(1)
    for byte in range(len(before)):
        path.write_bytes(flipped(before, byte * 8 + dice.randrange(8)))
        with pytest.raises(BackupInvalid):
            read_manifest(whole)
    path.write_bytes(before)
    read_manifest(whole)


@pytest.mark.parametrize("which", ["cut off", "gone", "longer"])
def test_a_file_that_is_cut_off_gone_or_longer_is_told(services, whole, which):
    for path in every_file(whole):
        before = path.read_bytes()
        if which == "gone":
            path.unlink()
        else:
            path.write_bytes(before[:-1] if which == "cut off" else before + b"\n")
        assert is_told(whole, services.keys), path
        path.write_bytes(before)
    assert not is_told(whole, services.keys)


def test_a_manifest_that_somebody_made_up_is_told_by_the_keys(services, whole, tmp_path):
    from datetime import UTC, datetime

    other = Keychain.open(f"file://{tmp_path}/other.json")
    other.create(datetime(2026, 11, 1, tzinfo=UTC))
    read_manifest(whole).write(whole, other)
    assert check_backup(whole, None).faults == [], "without keys nobody can tell"
    assert is_told(whole, services.keys)


def test_where_the_keys_are_not_seals_are_not_looked_at(services, whole):
    assert not check_backup(whole, None).sealed
    assert check_backup(whole, services.keys).sealed


def test_a_list_that_is_older_than_the_backup_is_told(services, whole, clock):
    older = (whole / "erased.json").read_bytes()
    clock.forward(days=1)
    back_up(services, whole)
    (whole / "erased.json").write_bytes(older)
    assert faults(services, whole) == ["erased.json is older than the backup"]


# Who was erased


def test_the_list_grows_only(services, persons, directory, tmp_path):
    back_up(services, directory)
    older = tmp_path / "older"
    shutil.copytree(directory, older)
    erase_patient(services, persons[0].id, reason="withdrawn")
    listed = refresh_erased(services, older)
    assert set(listed.certificates) == {persons[0].id}
    assert faults(services, older) == []
    assert len(objects_in(older)) == ALL
    erase_patient(services, persons[1].id, reason="retention")
    assert set(refresh_erased(services, older).certificates) == {persons[0].id, persons[1].id}


# While it is worked with


@pytest.mark.parametrize("kind", KINDS)
def test_while_four_phones_upload_every_session_in_it_is_whole(services, people, elsewhere, directory, kind, probe):
    patients = [people.patient() for _ in range(4)]
    if kind == "postgresql":
        there = elsewhere(kind)
        migrate_store(services, to_database=there.settings.database_url, to_objects=there.settings.object_store_url)
        services = there
    stop, begun, uploaded = threading.Event(), threading.Barrier(5), []

    def upload(patient):
        begun.wait()
        number = 0
        while not stop.is_set() or number < 3:
            session_id, number = uuid4(), number + 1
            values = [random.uniform(1, 9) for _ in range(5)]
            body = session_body(probe_recording(x=values), probe_recording(x=values, hand="right"))
            ingest_session(services, session_id=session_id, patient_id=patient, body=body)
            uploaded.append(session_id)

    phones = [threading.Thread(target=upload, args=(patient,)) for patient in patients]
    for phone in phones:
        phone.start()
    try:
        begun.wait()
        for _ in range(3):
            before = set(uploaded)
            made = back_up(services, directory).manifest
            assert faults(services, directory) == []
            assert before <= sessions_in(directory, made)
    finally:
        stop.set()
        for phone in phones:
            phone.join()
    assert len(uploaded) > len(before)


def sessions_in(directory, made):
    """The sessions in a backup, each of which is whole."""
    engine = open_copy(directory / made.database.name)
    with engine.connect() as connection:
        found = connection.execute(select(SessionRow.id, SessionRow.object)).all()
        recordings = [row.session_id for row in connection.execute(select(RecordingRow.session_id))]
        results = connection.execute(select(ResultRow.id)).all()
    engine.dispose()
    assert sorted(recordings) == sorted([each.id for each in found] * 2)
    assert len(results) == len(recordings)
    assert made.tables["score"].rows == 4 * len(found)
    assert {each.object for each in found} <= objects_in(directory)
    return {each.id for each in found}


def test_a_leftover_of_one_that_was_killed_is_removed(services, persons, directory):
    directory.mkdir()
    for name in ("incoming-1.sqlite3", "incoming-1.sqlite3-wal", "incoming-77-manifest.json"):
        (directory / name).write_bytes(b"?")
    back_up(services, directory)
    assert not [path for path in directory.iterdir() if path.name.startswith("incoming")]
    assert Path(directory / "manifest.json").exists()
    assert os.access(directory, os.R_OK)
