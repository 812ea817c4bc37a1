"""Objects in a bucket: what the directory promises holds there too, and a store that is away is told of in time."""

import errno
import hashlib
import io
import os
import socket
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from konectom.errors import NotFound, SettingInvalid, StoreUnavailable
from konectom.storage.objects import FileObjectStore, S3Access, open_store, s3_client
from konectom.storage.objects.protocol import PIECE
from tests.kept import place_of

DATA = b"what the phone sent"
DIGEST = hashlib.sha256(DATA).hexdigest()
LARGE = bytes(range(256)) * (2 * PIECE // 256) + b"and a rest"
OF_LARGE = hashlib.sha256(LARGE).hexdigest()


class Holder:
    """What tests/kept.py looks into."""

    def __init__(self, store):
        self.objects = store


@pytest.fixture
def access(s3):
    return S3Access(endpoint=s3.endpoint, region="us-east-1", key_id="tests", secret="tests")


@pytest.fixture(params=["file", "s3"])
def store(request, tmp_path):
    if request.param == "file":
        return FileObjectStore(tmp_path / "objects")
    s3 = request.getfixturevalue("s3")
    return open_store(f"s3://{s3.name}/{uuid4().hex}", request.getfixturevalue("access"))


@pytest.fixture
def bucket(s3, access):
    return open_store(f"s3://{s3.name}/{uuid4().hex}", access)


def test_an_object_is_kept_once_under_its_digest(store):
    assert not store.exists(DIGEST)
    with pytest.raises(NotFound):
        store.get(DIGEST)
    assert store.put(DIGEST, DATA) is True
    assert store.put(DIGEST, DATA) is False
    assert store.exists(DIGEST)
    assert store.get(DIGEST) == DATA
    store.delete(DIGEST)
    store.delete(DIGEST)
    assert not store.exists(DIGEST)


@pytest.mark.parametrize("data", [b"", DATA, LARGE], ids=["empty", "small", "large"])
def test_a_file_is_kept_and_read_as_a_stream(store, tmp_path, data):
    file, digest = tmp_path / "file", hashlib.sha256(data).hexdigest()
    file.write_bytes(data)
    assert store.put_file(digest, file) is True
    assert store.put_file(digest, file) is False
    assert store.get(digest) == data
    with store.open(digest) as stream:
        assert b"".join(iter(lambda: stream.read(70_000), b"")) == data


@pytest.mark.parametrize("data", [DATA, LARGE], ids=["small", "large"])
def test_a_file_that_holds_something_else_is_not_kept(store, tmp_path, data):
    (tmp_path / "file").write_bytes(data)
    digest = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(StoreUnavailable, match="does not hold"):
        store.put_file(digest, tmp_path / "file")
    assert not store.exists(digest)


@pytest.mark.parametrize("data", [DATA, LARGE], ids=["small", "large"])
def test_a_file_that_cannot_be_read_is_not_told_as_the_store(store, tmp_path, monkeypatch, data):
    """A disk that fails where the file ends, and a file that is not there (any more), are none of the store's."""
    path, digest, opens = tmp_path / "file", hashlib.sha256(data).hexdigest(), Path.open
    path.write_bytes(data)

    class Failing(io.BytesIO):
        def read(self, size=-1):
            if self.tell() == len(data):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().read(size)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda self, *how: Failing(data) if self == path else opens(self, *how))
        with pytest.raises(StoreUnavailable, match=rf"the file .* cannot be read: {os.strerror(errno.EIO)}"):
            store.put_file(digest, path)
    monkeypatch.setattr("konectom.storage.objects.files.size_of", lambda path: len(data))
    monkeypatch.setattr("konectom.storage.objects.s3.size_of", lambda path: len(data))
    path.unlink()  # when its size is known, and it is not open yet
    with pytest.raises(StoreUnavailable, match=rf"the file .* cannot be read: {os.strerror(errno.ENOENT)}"):
        store.put_file(digest, path)
    assert not store.exists(digest)


def test_a_file_that_is_not_there_is_not_told_as_the_store(store, tmp_path):
    with pytest.raises(StoreUnavailable, match=r"the file .* cannot be read"):
        store.put_file(DIGEST, tmp_path / "absent")


def test_a_large_object_is_put_in_parts(store):
    assert store.put(OF_LARGE, LARGE) is True
    assert store.put(OF_LARGE, LARGE) is False
    assert store.get(OF_LARGE) == LARGE


@pytest.mark.parametrize("data", [DATA, LARGE], ids=["small", "large"])
def test_an_object_of_the_wrong_size_is_written_again(store, data):
    digest = hashlib.sha256(data).hexdigest()
    store.put(digest, data)
    place_of(Holder(store), digest).write_bytes(data[:5])
    store.put(digest, data)
    assert store.get(digest) == data


@pytest.mark.parametrize("data", [DATA, LARGE], ids=["small", "large"])
def test_a_damaged_object_is_not_handed_out_to_its_end(store, data):
    digest = hashlib.sha256(data).hexdigest()
    place_of(Holder(store), digest).write_bytes(data[::-1])
    with pytest.raises(StoreUnavailable, match="damaged"):
        store.get(digest)
    seen = []
    with store.open(digest) as stream, pytest.raises(StoreUnavailable, match="damaged"):
        seen.extend(iter(lambda: stream.read(1000), b""))
    assert sum(map(len, seen)) < len(data)


def test_who_opens_what_is_not_there_is_told_at_once(store):
    with pytest.raises(NotFound):
        store.open(DIGEST)


def test_a_stream_takes_little_memory(tmp_path):
    """Of the directory: the memory of the store of the tests, in this process, would be counted with the bucket's."""
    store, file = FileObjectStore(tmp_path / "objects"), tmp_path / "file"
    told = hashlib.sha256()
    with file.open("wb") as out:
        for number in range(16):
            piece = bytes([number]) * PIECE
            told.update(piece)
            out.write(piece)
    store.put_file(told.hexdigest(), file)
    tracemalloc.start()
    with store.open(told.hexdigest()) as stream:
        assert sum(len(each) for each in iter(lambda: stream.read(1 << 20), b"")) == 16 * PIECE
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 6 * PIECE


def test_of_many_who_put_the_same_all_have_it(store):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: store.put(DIGEST, DATA), range(24)))
    assert sum(made) == 1
    assert store.get(DIGEST) == DATA


def test_the_old_are_found_and_each_walk_is_bounded(store):
    digests = {hashlib.sha256(bytes([number])).hexdigest() for number in range(30)}
    for number in range(30):
        store.put(hashlib.sha256(bytes([number])).hexdigest(), bytes([number]))
    soon = datetime.now(UTC) + timedelta(minutes=5)
    assert set(store.written_before(soon)) == digests
    assert list(store.written_before(soon - timedelta(days=1))) == []
    found = set()
    while found != digests:
        walked = list(store.written_before(soon, most=4))
        assert 1 <= len(walked) <= 8
        found |= set(walked)


def test_ping_writes_nothing_but_once(bucket):
    for _ in range(3):
        bucket.ping()
    assert list(bucket.written_before(datetime.now(UTC) + timedelta(minutes=5))) == []


@pytest.mark.parametrize("digest", ["", "../" * 21 + "x", DIGEST.upper(), DIGEST + "\n"], ids=range(4))
def test_only_a_digest_names_an_object(store, digest):
    for ask in (store.get, store.exists, store.delete, store.open):
        with pytest.raises(ValueError, match="digest"):
            ask(digest)


def everything(store, tmp_path):
    """Each question that a store answers."""
    (tmp_path / "file").write_bytes(LARGE)
    return [
        store.ping,
        lambda: store.put(DIGEST, DATA),
        lambda: store.put(OF_LARGE, LARGE),
        lambda: store.put_file(OF_LARGE, tmp_path / "file"),
        lambda: store.get(DIGEST),
        lambda: store.open(DIGEST),
        lambda: store.exists(DIGEST),
        lambda: store.delete(DIGEST),
        lambda: list(store.written_before(datetime.now(UTC))),
    ]


def test_a_bucket_that_is_not_there_is_no_empty_store(s3, access, tmp_path):
    store = open_store("s3://absent", access)
    for ask in everything(store, tmp_path):
        with pytest.raises(StoreUnavailable, match="no such bucket"):
            ask()


def test_a_store_that_is_away_is_told_of(access, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    store = open_store("s3://konectom", replace(access, endpoint=f"http://127.0.0.1:{port}"))
    for ask in everything(store, tmp_path):
        with pytest.raises(StoreUnavailable, match="does not answer"):
            ask()


def test_a_store_that_hangs_is_given_up(access, tmp_path):
    """It takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        hung = replace(
            access, endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}", time_limit=timedelta(milliseconds=200)
        )
        store = open_store("s3://konectom", hung)
        for ask in everything(store, tmp_path):
            with pytest.raises(StoreUnavailable, match="does not answer"):
                ask()


def test_plain_http_is_refused_where_the_endpoint_does_not_say_it(monkeypatch, s3):
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    with pytest.raises(StoreUnavailable):
        open_store(f"s3://{s3.name}", S3Access(key_id="a", secret="b")).ping()


def test_credentials_may_come_from_the_environment(monkeypatch, s3):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    open_store(f"s3://{s3.name}/{uuid4().hex}", S3Access(endpoint=s3.endpoint)).ping()


def test_an_upload_that_breaks_off_leaves_no_parts(bucket, s3, tmp_path):
    (tmp_path / "file").write_bytes(LARGE)
    with pytest.raises(StoreUnavailable):
        bucket.put_file(DIGEST, tmp_path / "file")
    assert "<Upload>" not in requests.get(f"{s3.endpoint}/{s3.name}?uploads", timeout=30).text


def test_a_forked_process_is_told_instead_of_hanging(bucket, monkeypatch):
    bucket.ping()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(StoreUnavailable, match="forked"):
        bucket.ping()
    assert s3_client.FIRST_USE != [-1]


@pytest.mark.parametrize("url", ["s3://", "file://relative", "/srv/objects", "https://bucket"])
def test_other_addresses_are_refused(url):
    with pytest.raises(SettingInvalid):
        open_store(url)


def test_the_secret_is_not_shown(access):
    assert "secret" not in repr(replace(access, secret="very secret"))
