"""The installation's keys: kept from others, changed while servers run, and missed when they are gone."""

import base64
import hashlib
import hmac
import json
import multiprocessing
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from konectom.errors import AlreadyExists, KeyInUse, KeysInvalid, KeysMissing, NotFound, SealBroken, SettingInvalid
from konectom.security import key_sources
from konectom.security.keyring import new_ring
from konectom.security.keys import Keychain, key_id_of

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SECRET = b"a patient's key, or a phone's..."


@pytest.fixture
def path(tmp_path):
    return tmp_path / "secrets" / "keys.json"


@pytest.fixture
def chain(path):
    chain = Keychain.open(f"file://{path}")
    chain.create(NOW)
    return chain


def rotate(chain):
    chain.change(lambda ring: ring.with_new(NOW))
    return chain.current_id


def retire(chain, key_id):
    chain.change(lambda ring: ring.with_retired(key_id))


def written(path):
    return json.loads(path.read_bytes())


# What it is kept in


def test_the_file_is_for_its_owner_only_and_holds_one_key(chain, path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]
    told = written(path)
    (key,) = told["keys"]
    assert told["current"] == key["id"] == chain.current_id
    assert (key["use"], key["created_at"]) == ("seal", "2026-11-21T09:00:00+00:00")
    assert len(base64.b64decode(key["secret"])) == 32


def test_the_file_is_flushed_before_it_gets_its_name_and_its_directory_afterwards(path, monkeypatch):
    events, fsync, link = [], os.fsync, os.link
    monkeypatch.setattr(
        key_sources.os, "fsync", lambda handle: (events.append("directory" if path.exists() else "file"), fsync(handle))
    )
    monkeypatch.setattr(key_sources.os, "link", lambda *names: (events.append("name"), link(*names)))
    Keychain.open(f"file://{path}").create(NOW)
    assert events == ["file", "name", "directory"]


def test_a_file_that_is_there_is_never_made_again(chain, path):
    before = path.read_bytes()
    with pytest.raises(AlreadyExists, match=str(path)):
        chain.create(NOW)
    path.write_bytes(b"")  # not even one that is of no use
    with pytest.raises(AlreadyExists):
        chain.create(NOW)
    path.write_bytes(before)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o666])
def test_a_file_that_others_can_read_is_refused(chain, path, mode):
    path.chmod(mode)
    with pytest.raises(KeysInvalid, match=f"chmod 600 {path}"):
        Keychain.open(f"file://{path}").check()
    path.chmod(0o400)
    chain.check()


def test_a_file_that_is_missing_is_a_clear_refusal(path):
    chain = Keychain.open(f"file://{path}")
    for use in (chain.check, lambda: chain.wrap(b"a", b"b"), lambda: chain.mac(b"a", b"b"), lambda: chain.current_id):
        with pytest.raises(KeysMissing, match="Restore it from its backup") as refused:
            use()
        assert str(path) in refused.value.detail
    assert not path.parent.exists()


def test_a_directory_in_its_place_is_refused(path):
    path.mkdir(parents=True)
    with pytest.raises(KeysInvalid, match=str(path)):
        Keychain.open(f"file://{path}").check()


DAMAGE = {
    "empty": lambda told: b"",
    "cut short": lambda told: json.dumps(told).encode()[:-20],
    "no object": lambda told: b"[]",
    "no keys": lambda told: b'{"keys": [], "current": ""}',
    "no current key": lambda told: json.dumps({**told, "current": "0" * 16}).encode(),
    "another secret": lambda told: with_key(told, secret=base64.b64encode(bytes(32)).decode()),
    "a short secret": lambda told: with_key(told, secret=base64.b64encode(bytes(31)).decode()),
    "no base64": lambda told: with_key(told, secret="*" * 44),
    "no text": lambda told: with_key(told, secret=7),
    "another id": lambda told: with_key(told, id="0" * 16),
    "another use": lambda told: with_key(told, use="open"),
    "twice": lambda told: json.dumps({**told, "keys": told["keys"] * 2}).encode(),
    "no UTF-8": lambda told: b"\xff\xfe",
}


def with_key(told, **changed):
    (key,) = told["keys"]
    current = changed.get("id", told["current"])
    return json.dumps({"keys": [{**key, **changed}], "current": current}).encode()


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_file_that_is_damaged_is_refused_and_no_secret_told(chain, path, kind):
    told = written(path)
    path.write_bytes(DAMAGE[kind](told))
    with pytest.raises(KeysInvalid, match="damaged") as refused:
        chain.check()
    assert told["keys"][0]["secret"] not in refused.value.detail


def test_every_changed_character_of_the_secret_is_found_out(chain, path):
    told = written(path)
    secret = base64.b64decode(told["keys"][0]["secret"])
    for bit in range(256):
        damaged = bytearray(secret)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(with_key(told, secret=base64.b64encode(damaged).decode()))
        with pytest.raises(KeysInvalid):
            chain.check()


def test_keys_come_from_a_variable_as_well(chain, path, monkeypatch):
    key_id, sealed = chain.wrap(b"test", SECRET)
    monkeypatch.setenv("HOSPITAL_KEYS", path.read_text())
    other = Keychain.open("env://HOSPITAL_KEYS")
    assert other.unwrap(b"test", key_id, sealed) == SECRET
    with pytest.raises(SettingInvalid, match="--print"):
        other.create(NOW)
    with pytest.raises(SettingInvalid, match="--print"):
        rotate(other)
    monkeypatch.delenv("HOSPITAL_KEYS")
    with pytest.raises(KeysMissing, match="HOSPITAL_KEYS"):
        other.check()


def test_a_provider_of_its_own_is_found_by_its_scheme(monkeypatch):
    class Vault:
        place = "the vault"
        document = new_ring(NOW).document()

        def __init__(self, url="vault://x"):
            assert url == "vault://secret/konectom"

        def version(self):
            return 1

        def read(self):
            return self.document

    class Entry:
        @staticmethod
        def load():
            return Vault

    def entries(*, group, name):
        return [Entry] if (group, name) == ("konectom.key_providers", "vault") else []

    monkeypatch.setattr(key_sources, "entry_points", entries)
    chain = Keychain.open("vault://secret/konectom")
    assert chain.unwrap(b"test", *chain.wrap(b"test", SECRET)) == SECRET


@pytest.mark.parametrize("url", ["keys.json", "file://keys.json", "env://", "env://A B", "nowhere://x", ""])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(SettingInvalid):
        Keychain.open(url)


# What it does


@given(purpose=st.binary(max_size=40), secret=st.binary(max_size=200), bound_to=st.binary(max_size=40))
def test_what_was_wrapped_is_unwrapped(purpose, secret, bound_to):
    chain = chain_of(new_ring(NOW))
    key_id, sealed = chain.wrap(purpose, secret, bound_to=bound_to)
    assert key_id == chain.current_id
    assert chain.unwrap(purpose, key_id, sealed, bound_to=bound_to) == secret
    small = chain.seal_small(purpose, secret, bound_to=bound_to)
    assert key_id_of(small) == key_id
    assert chain.unseal_small(purpose, small, bound_to=bound_to) == secret


def chain_of(ring):
    class Memory:
        place = "memory"
        document = ring.document()

        def version(self):
            return self.document

        def read(self):
            return self.document

    return Keychain(Memory())


def test_the_same_secret_is_never_sealed_the_same_way_twice(chain):
    assert len({chain.wrap(b"test", SECRET)[1] for _ in range(100)}) == 100


def test_every_change_of_something_wrapped_is_found_out(chain):
    key_id, sealed = chain.wrap(b"test", SECRET)
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(SealBroken):
            chain.unwrap(b"test", key_id, bytes(changed))
        with pytest.raises(SealBroken):
            chain.unwrap(b"test", key_id, sealed[:place])
    for purpose, bound_to in ((b"other", b""), (b"test", b"x"), (b"tes", b"t")):
        with pytest.raises(SealBroken):
            chain.unwrap(purpose, key_id, sealed, bound_to=bound_to)


def test_every_change_of_something_small_is_found_out(chain):
    small = chain.seal_small(b"test", SECRET)
    for place in range(len(small)):
        changed = bytearray(small)
        changed[place] ^= 1
        with pytest.raises((SealBroken, KeysMissing)):  # missing where the id was changed
            chain.unseal_small(b"test", bytes(changed))
    with pytest.raises(SealBroken):
        chain.unseal_small(b"test", b"")


def test_authentication_tells_data_purposes_and_keys_apart(chain):
    key_id, told = chain.mac(b"audit", b"data")
    assert key_id == chain.current_id
    assert (len(told), chain.mac(b"audit", b"data", key_id)[1]) == (64, told)
    new = rotate(chain)
    others = [
        chain.mac(b"audit", b"date", key_id),
        chain.mac(b"certificate", b"data", key_id),
        chain.mac(b"audit", b"data"),
    ]
    assert len({told, *(each for _, each in others)}) == 4
    assert others[2][0] == new


def test_what_another_program_would_read_by_the_description(chain, path):
    """The keys used step by step with primitives alone, from what the file holds."""
    (key,) = written(path)["keys"]
    secret = base64.b64decode(key["secret"])

    def hkdf(secret, info):
        return hmac.new(hmac.new(bytes(32), secret, "sha256").digest(), info + b"\x01", "sha256").digest()

    key_id, sealed = chain.wrap(b"test", SECRET, bound_to=b"patient")
    cipher = AESGCM(hkdf(secret, b"konectom wrap\0test"))
    assert cipher.decrypt(sealed[:12], sealed[12:], b"\0\x04testpatient") == SECRET
    root = hkdf(secret, b"konectom authentication\0")
    assert hkdf(root, b"konectom key id\0")[:8].hex() == key_id
    told = hmac.new(hkdf(root, b"konectom mac\0audit"), b"data", hashlib.sha256).hexdigest()
    assert chain.mac(b"audit", b"data")[1] == told


# Keys that change


def test_after_rotation_old_and_new_are_opened_and_what_is_new_is_under_the_new_key(chain):
    old = chain.wrap(b"test", SECRET)
    new_id = rotate(chain)
    assert new_id != old[0]
    new = chain.wrap(b"test", SECRET)
    assert new[0] == new_id
    assert chain.unwrap(b"test", *old) == chain.unwrap(b"test", *new) == SECRET


def test_a_running_server_follows_a_rotation(chain, path):
    reader, writer = Keychain.open(f"file://{path}"), Keychain.open(f"file://{path}")
    reader.check()
    writer.check()
    rotate(chain)
    assert reader.unwrap(b"test", *chain.wrap(b"test", SECRET)) == SECRET
    assert writer.wrap(b"test", SECRET)[0] == chain.current_id
    assert writer.mac(b"test", SECRET) == chain.mac(b"test", SECRET)


def test_a_running_server_forgets_a_key_that_was_retired(chain, path):
    server = Keychain.open(f"file://{path}")
    old_id, sealed = server.wrap(b"test", SECRET)
    rotate(chain)
    assert server.unwrap(b"test", old_id, sealed) == SECRET
    retire(chain, old_id)
    with pytest.raises(KeysMissing, match="retired"):
        server.unwrap(b"test", old_id, sealed)


def test_a_running_server_misses_a_file_that_was_removed(chain, path):
    key_id, sealed = chain.wrap(b"test", SECRET)
    path.rename(path.with_suffix(".away"))
    with pytest.raises(KeysMissing):
        chain.unwrap(b"test", key_id, sealed)
    path.with_suffix(".away").rename(path)
    assert chain.unwrap(b"test", key_id, sealed) == SECRET


def test_a_key_that_nobody_has_is_missed_by_name(chain):
    with pytest.raises(KeysMissing, match="0123456789abcdef"):
        chain.unwrap(b"test", "0123456789abcdef", bytes(60))
    with pytest.raises(KeysMissing, match="0123456789abcdef"):
        chain.require("0123456789abcdef")


def test_a_retired_key_verifies_and_opens_nothing_not_even_for_whoever_has_the_file(chain, path):
    old_secret = written(path)["keys"][0]["secret"]
    old_id, sealed = chain.wrap(b"test", SECRET)
    told = chain.mac(b"audit", b"data")
    rotate(chain)
    retire(chain, old_id)
    assert old_secret not in path.read_text()
    again = Keychain.open(f"file://{path}")
    with pytest.raises(KeysMissing, match="retired"):
        again.unwrap(b"test", old_id, sealed)
    assert again.mac(b"audit", b"data", old_id) == told
    left = next(key for key in written(path)["keys"] if key["id"] == old_id)
    assert left["use"] == "verify"
    # Passing it off as one that seals is found out.
    path.write_bytes(path.read_bytes().replace(b'"verify"', b'"seal"'))
    with pytest.raises(KeysInvalid):
        again.check()


def test_retiring_twice_changes_nothing_and_the_current_key_stays(chain, path):
    old_id = chain.current_id
    with pytest.raises(KeyInUse, match="rotate"):
        retire(chain, old_id)
    with pytest.raises(NotFound):
        retire(chain, "0" * 16)
    rotate(chain)
    retire(chain, old_id)
    before = path.read_bytes()
    retire(chain, old_id)
    assert path.read_bytes() == before
    path.write_text(json.dumps(written(path) | {"current": old_id}))
    with pytest.raises(KeysInvalid):
        chain.check()


def test_a_change_that_fails_leaves_the_file_as_it_was(chain, path, monkeypatch):
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(key_sources.os, "fsync", fail)
    with pytest.raises(KeysInvalid, match="No space left"):
        rotate(chain)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_threads_and_forked_processes_use_it_at_once_while_keys_change(chain, path):
    shared, done = Keychain.open(f"file://{path}"), threading.Event()

    def use(_):
        for _ in range(50):
            assert shared.unwrap(b"test", *shared.wrap(b"test", SECRET)) == SECRET

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(use, number) for number in range(8)]
        for _ in range(20):
            rotate(chain)
        done.set()
        for each in running:
            each.result(60)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    key_id, sealed = shared.wrap(b"test", SECRET)
    child = context.Process(target=lambda: queue.put(shared.unwrap(b"test", key_id, sealed)))
    child.start()
    assert queue.get(timeout=60) == SECRET
    child.join(60)


def test_rotations_at_once_lose_no_key(chain, path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: rotate(Keychain.open(f"file://{path}")), range(24)))
    assert len(written(path)["keys"]) == 25


def test_of_several_that_make_the_first_key_one_does(tmp_path):
    path = Path(tmp_path / "new" / "keys.json")

    def make(_):
        try:
            return Keychain.open(f"file://{path}").create(NOW)
        except AlreadyExists:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [each for each in pool.map(make, range(8)) if each is not None]
    assert made == [Keychain.open(f"file://{path}").current_id]


def test_no_secret_shows_in_a_representation(chain, path):
    secret = base64.b64decode(written(path)["keys"][0]["secret"])
    shown = repr(chain.ring) + repr(chain)
    assert repr(secret)[2:12] not in shown
    assert written(path)["keys"][0]["secret"] not in shown
