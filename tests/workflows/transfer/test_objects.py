"""Objects carried from one store to another."""

import hashlib
import tracemalloc

import pytest

from konectom.errors import StoreUnavailable
from konectom.storage.objects import FileObjectStore
from konectom.workflows.transfer import objects
from konectom.workflows.transfer.objects import carried, copy_objects

MB = 2**20


def kept(store, data):
    name = hashlib.sha256(data).hexdigest()
    store.put(name, data)
    return name


@pytest.fixture
def stores(tmp_path):
    return FileObjectStore(tmp_path / "from"), FileObjectStore(tmp_path / "to")


@pytest.mark.parametrize("size", [0, 1, 2 * MB - 1, 2 * MB, 2 * MB + 1])
def test_an_object_of_any_size_comes_whole(stores, size):
    source, target = stores
    data = bytes(range(256)) * (size // 256 + 1)
    name = kept(source, data[:size])
    assert carried(source, target, name, source.root) == size
    assert target.get(name) == data[:size]


def test_large_objects_are_not_held_in_memory(stores):
    source, target = stores
    name = kept(source, bytes(100 * MB))
    tracemalloc.start()
    try:
        copied = copy_objects([name], source, target, source.root / "temporary", total=1)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (copied.new, copied.lost) == (1, [])
    assert most < 30 * MB
    assert target.exists(name)


@pytest.mark.parametrize("size", [100, 5 * MB])
def test_one_that_is_damaged_is_told_and_not_carried(stores, size):
    source, target = stores
    name = kept(source, b"a" * size)
    (place,) = (path for path in (source.root / "sha256").rglob(name))
    place.chmod(0o600)
    place.write_bytes(b"b" * size)
    assert carried(source, target, name, source.root) is None
    assert not target.exists(name)


def test_that_the_target_has_no_room_is_no_loss_of_the_source(stores, monkeypatch):
    source, target = stores

    def full(*_):
        raise StoreUnavailable("no room")

    monkeypatch.setattr(target, "put", full)
    with pytest.raises(StoreUnavailable, match="no room"):
        carried(source, target, kept(source, b"abc"), source.root)
    assert objects.IN_MEMORY_BYTES * objects.SIDE_BY_SIDE <= 40 * MB
