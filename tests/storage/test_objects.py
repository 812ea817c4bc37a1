import errno
import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from konectom.errors import NotFound, SettingInvalid, StoreUnavailable
from konectom.storage.objects import FileObjectStore, open_store
from konectom.storage.objects import files as objects

DATA = b"what the phone sent"
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store(tmp_path):
    return FileObjectStore(tmp_path / "objects")


def place(store):
    return store.root / "sha256" / DIGEST[:2] / DIGEST[2:4] / DIGEST


def leftovers(store):
    return list((store.root / "incoming").iterdir())


def test_an_object_is_kept_once_under_its_digest(store):
    assert not store.exists(DIGEST)
    assert store.put(DIGEST, DATA) is True
    assert store.put(DIGEST, DATA) is False
    assert store.exists(DIGEST)
    assert store.get(DIGEST) == DATA
    assert place(store).read_bytes() == DATA
    assert leftovers(store) == []


def test_an_empty_object_is_an_object(store):
    digest = hashlib.sha256(b"").hexdigest()
    assert store.put(digest, b"") is True
    assert store.get(digest) == b""


def test_only_the_owner_can_read(store):
    store.put(DIGEST, DATA)
    assert stat.S_IMODE(place(store).stat().st_mode) == 0o600
    assert {stat.S_IMODE(parent.stat().st_mode) for parent in (store.root, *place(store).parents[:3])} == {0o700}


def test_the_bytes_are_flushed_before_they_get_their_name_and_the_name_afterwards(store, monkeypatch):
    events = []
    flush, link = objects._flush, os.link

    def flush_directory(directory):
        events.append(("directory", directory == place(store).parent and place(store).exists()))

    monkeypatch.setattr(objects, "_flush", lambda handle: (events.append(("file", handle > 0)), flush(handle)))
    monkeypatch.setattr(os, "link", lambda *names: (events.append(("name", True)), link(*names)))
    monkeypatch.setattr(objects, "_flush_directory", flush_directory)
    store.put(DIGEST, DATA)
    assert events[-3:] == [("file", True), ("name", True), ("directory", True)]
    # Who finds it there does not know whether the other has flushed the name yet.
    events.clear()
    store.put(DIGEST, DATA)
    assert events == [("directory", True)]


def test_every_new_directory_is_flushed_into_its_parent(store, monkeypatch):
    flushed = []
    monkeypatch.setattr(objects, "_flush_directory", flushed.append)
    store.put(DIGEST, DATA)
    assert {store.root.parent, store.root, store.root / "sha256", *place(store).parents[:2]} <= set(flushed)


def test_of_many_who_put_the_same_one_makes_it(store):
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: store.put(DIGEST, DATA), range(64)))
    assert sum(made) == 1
    assert leftovers(store) == []


def test_a_file_system_without_hard_links_serves_too(store, monkeypatch):
    def refuse(*names):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert store.put(DIGEST, DATA) is True
    assert store.get(DIGEST) == DATA
    assert leftovers(store) == []


def test_an_object_of_the_wrong_size_is_written_again(store):
    store.put(DIGEST, DATA)
    place(store).write_bytes(DATA[:5])
    store.put(DIGEST, DATA)
    assert place(store).read_bytes() == DATA


def test_a_damaged_object_is_not_handed_out(store):
    store.put(DIGEST, DATA)
    place(store).write_bytes(DATA[::-1])
    with pytest.raises(StoreUnavailable, match="damaged"):
        store.get(DIGEST)


def test_an_object_that_is_not_there_is_not_found(store):
    with pytest.raises(NotFound):
        store.get(DIGEST)


def test_a_full_disk_leaves_nothing_and_says_so(store, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(objects, "_flush", full)
    with pytest.raises(StoreUnavailable, match="No space left"):
        store.put(DIGEST, DATA)
    assert leftovers(store) == []
    assert not store.exists(DIGEST)


@pytest.mark.parametrize("digest", ["", "..", "../" * 21 + "x", DIGEST.upper(), DIGEST + "\n", "g" * 64])
def test_only_a_digest_names_an_object(store, digest):
    with pytest.raises(ValueError, match="digest"):
        store.put(digest, DATA)


def test_ping_tells_whether_objects_can_be_written(store, tmp_path):
    store.ping()
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable):
        FileObjectStore(tmp_path / "file" / "objects").ping()


def test_ping_tells_that_the_disk_is_full(store, monkeypatch):
    room = os.statvfs(store.root.parent)
    fields = list(room)
    fields[4] = 0
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result(fields))
    with pytest.raises(StoreUnavailable, match="full"):
        store.ping()


def test_the_address_of_a_store():
    assert open_store("file:///srv/a b%20c").root == Path("/srv/a b%20c")
    for other in ("s3://", "file://relative", "/srv/objects"):
        with pytest.raises(SettingInvalid):
            open_store(other)
