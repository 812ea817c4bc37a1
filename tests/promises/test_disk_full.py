"""A disk that is full, or a store that is down, costs nothing but time: what cannot be kept is refused, whole."""

import errno
import os
import subprocess
from contextlib import closing, contextmanager
from uuid import UUID, uuid4

import pytest
import structlog
from sqlalchemy import func, select

from konectom.app import create_app
from konectom.settings import load_settings
from konectom.storage.models import Blob, RecordingRow, ResultRow, ScoreRow, SessionRow
from konectom.storage.objects import files as objects
from konectom.workflows.patients.enrolments import enrol_device
from konectom.workflows.patients.people import create_patient, create_study
from konectom.workflows.services import Services
from konectom.workflows.sessions import room
from tests.probe import probe_recording, session_body

KIB = 1024
DISK_BYTES = 8 * KIB * KIB
WRITTEN = (SessionRow, RecordingRow, ResultRow, ScoreRow, Blob)
LEFT = (0, 4, 12, 24, 48, 96, 160, 224, 288, 352, 512, 1024)
"""How many KiB are left when the upload comes: from nothing to more than enough."""


@pytest.fixture(scope="module")
def body():
    """A session that takes a quarter of a megabyte."""
    return session_body(probe_recording(x=[float(i % 7) + 1.0 for i in range(19_000)]))


@pytest.fixture
def disk(tmp_path):
    """A file system of eight megabytes; skips where this account may not mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "konectom-test", str(place)]
    try:
        made = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if made.returncode:
        pytest.skip(f"no small file system can be mounted here: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


class Phone:
    """A phone of an installation: hands sessions over, and counts what is kept of them."""

    def __init__(self, services):
        self.services, self.app = services, create_app(services=services)
        study = UUID(create_study(services, code="S", consent="elsewhere")["id"])
        patient = UUID(create_patient(services, study_id=study, code="P")["id"])
        token = enrol_device(services, patient_id=patient).access_token
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def put(self, body, session_id, **more):
        address = f"/api/v1/sessions/{session_id}"
        return self.app.test_client().put(address, data=body, headers=self.headers, **more)

    def kept(self):
        """The rows of uploads by table, and the names of all files in the store."""
        with self.services.db.read() as db:
            rows = [db.scalar(select(func.count()).select_from(each)) for each in WRITTEN]
        return rows, sorted(each.name for each in self.services.objects.root.rglob("*") if each.is_file())


@pytest.fixture
def phone_on(set_up, probe):
    """Makes an installation in a directory, with its objects elsewhere or not, and a phone of it."""
    opened = []

    def install(home, **how):
        set_up(home)
        settings = load_settings({}, **{"mode": "development", "rate_limits": "off", "data_dir": home} | how)
        opened.append(Services.open(settings))
        return Phone(opened[-1])

    yield install
    for each in opened:
        each.close()
    structlog.reset_defaults()


class Unread:
    """A body of which nobody may read a byte."""

    def read(self, *_):
        raise AssertionError("the body was read")


def test_where_little_room_is_left_an_upload_is_refused_before_its_body_is_read(phone_on, tmp_path, monkeypatch, body):
    phone, session = phone_on(tmp_path, min_free_bytes=1000), uuid4()
    free = {"bytes": 999}
    monkeypatch.setattr(room, "free_bytes", lambda path: free["bytes"])
    unread = {"wsgi.input": Unread(), "CONTENT_LENGTH": "100"}
    refused = phone.put(b"", session, environ_overrides=unread)
    assert (refused.status_code, refused.json["code"]) == (503, "store_full")
    assert int(refused.headers["Retry-After"]) == 60
    assert phone.kept() == ([0] * 5, [])
    free["bytes"] = 1000
    assert phone.put(body, session).status_code == 201


def test_the_store_counts_as_well_where_it_can_tell(phone_on, tmp_path, monkeypatch, body):
    phone = phone_on(tmp_path, min_free_bytes=1)
    monkeypatch.setattr(type(phone.services.objects), "room", lambda self: 0)
    assert phone.put(body, uuid4()).json["code"] == "store_full"
    monkeypatch.setattr(type(phone.services.objects), "room", lambda self: None)
    assert phone.put(body, uuid4()).status_code == 201


def test_whoever_asks_for_no_room_gets_none(phone_on, tmp_path, monkeypatch, body):
    phone = phone_on(tmp_path, min_free_bytes=0)
    monkeypatch.setattr(room, "free_bytes", lambda path: 0)
    assert phone.put(body, uuid4()).status_code == 201


@pytest.mark.slow
@pytest.mark.parametrize("on_disk", ["all", "database", "objects"])
def test_a_disk_that_fills_up_in_the_middle_leaves_nothing_and_the_next_try_succeeds(
    disk,
    phone_on,
    tmp_path,
    body,
    on_disk,  # the disk goes after all that uses it
):
    """A real file system, filled up but for so many bytes before each upload."""
    homes = {"all": (disk, disk), "database": (disk, tmp_path), "objects": (tmp_path, disk)}
    home, store = homes[on_disk]
    how = {"object_store_url": f"file://{store}/objects", "min_free_bytes": 0}
    phone, answers = phone_on(home, **how), []
    for index, left_kib in enumerate(LEFT):
        session, other = uuid4(), body + b" " * index
        before = phone.kept()
        with filled(disk, left_kib * KIB):
            first = phone.put(other, session)
            answers.append(first.status_code)
            if first.status_code == 201:
                continue
            assert (first.status_code, first.json["code"]) == (503, "store_full"), left_kib
            assert int(first.headers["Retry-After"]) == 60
        assert phone.kept() == before
        again = phone.put(other, session)
        assert again.status_code == 201
        assert phone.put(other, session).json == again.json
    assert {answers[0], answers[-1]} == {503, 201}


@contextmanager
def filled(disk, left_bytes):
    """Leave no more than so much room meanwhile."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        take = max(objects.free_bytes(disk) - left_bytes, 0)
        if take:
            os.posix_fallocate(file.fileno(), 0, take)
    yield
    filler.unlink()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS], ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["open", "link", "fsync", "_flush_directory"])
def test_whatever_the_disk_refuses_the_upload_is_told_so_and_can_come_again(
    phone_on, tmp_path, monkeypatch, body, call, code
):
    phone, session = phone_on(tmp_path, min_free_bytes=0), uuid4()
    store = phone.services.objects.root

    def refuse(*given, **how):
        raise OSError(code, errno.errorcode[code])

    with monkeypatch.context() as patched:
        if call == "open":
            patched.setattr(objects, "_make_directory", refuse)
        elif call == "_flush_directory":
            patched.setattr(objects, call, refuse)
        else:
            patched.setattr(objects.os, call, refuse)
        refused = phone.put(body, session)
    full = code in (errno.ENOSPC, errno.EDQUOT)
    assert (refused.status_code, refused.json["code"]) == (503, "store_full" if full else "store_unavailable")
    assert refused.headers["Retry-After"] == ("60" if full else "10")
    rows, files = phone.kept()
    assert rows == [0] * 5
    assert [name for name in files if "." in name] == []
    assert str(store) not in refused.text
    assert phone.put(body, session).status_code == 201
    assert phone.kept()[0] == [1, 1, 1, 2, 1]


def test_what_another_refuses_than_the_file_system_is_told_the_same(tmp_path, services):
    """PostgreSQL's own word for it (appendix A of its manual)."""
    from types import SimpleNamespace

    from sqlalchemy.exc import OperationalError

    from konectom.errors import StoreFull

    with closing(services.db), pytest.raises(StoreFull), services.db.read():
        raise OperationalError("", {}, SimpleNamespace(sqlstate="53100"))
