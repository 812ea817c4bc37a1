"""What is sealed is read by nobody else, and whoever touches it is found out."""

import hashlib
import hmac
import io
import os
from itertools import pairwise

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from konectom.errors import SealBroken, StoreUnavailable
from konectom.security import sealing
from konectom.security.derived import derived
from konectom.security.sealing import (
    HEADER_BYTES,
    MAGIC,
    TAG_BYTES,
    Unsealed,
    seal,
    seal_pieces,
    unseal,
    unseal_pieces,
)

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
SMALL_SEGMENT = 64


@pytest.fixture
def small_segments(monkeypatch):
    """Segments of 64 bytes, so that every byte of several can be tried."""
    monkeypatch.setattr(sealing, "SEGMENT_BYTES", SMALL_SEGMENT)


def pieces(sealed):
    """Return the header and the segments."""
    step = sealing.SEGMENT_BYTES + TAG_BYTES
    return sealed[:HEADER_BYTES], [sealed[at : at + step] for at in range(HEADER_BYTES, len(sealed), step)]


@given(data=st.binary(max_size=2000), purpose=st.binary(max_size=20))
def test_what_was_sealed_is_opened(data, purpose):
    assert unseal(KEY, purpose, seal(KEY, purpose, data)) == data


@pytest.mark.parametrize("extra", [-1, 0, 1])
@pytest.mark.parametrize("segments", [1, 2, 3])
def test_at_the_borders_of_segments(segments, extra):
    data = os.urandom(segments * sealing.SEGMENT_BYTES + extra)
    sealed = seal(KEY, b"upload", data)
    assert unseal(KEY, b"upload", sealed) == data
    assert len(sealed) == HEADER_BYTES + len(data) + TAG_BYTES * (segments + (extra > 0))


def test_the_same_data_are_the_same_object_and_others_share_nothing():
    sealed = seal(KEY, b"upload", b"data")
    assert seal(KEY, b"upload", b"data") == sealed
    salts = {
        each[len(MAGIC) : HEADER_BYTES]
        for each in (
            sealed,
            seal(KEY, b"other", b"data"),
            seal(OTHER_KEY, b"upload", b"data"),
            seal(KEY, b"upload", b"b"),
        )
    }
    assert len(salts) == 4


@pytest.mark.parametrize("size", [0, 1, SMALL_SEGMENT, 2 * SMALL_SEGMENT, 2 * SMALL_SEGMENT + 7])
def test_every_changed_byte_is_found_out(small_segments, size):
    data = os.urandom(size)
    sealed = seal(KEY, b"upload", data)
    for place in range(len(sealed)):
        for change in (1, 0x80, 0xFF):
            changed = bytearray(sealed)
            changed[place] ^= change
            with pytest.raises(SealBroken):
                unseal(KEY, b"upload", bytes(changed))


@pytest.mark.parametrize("size", [0, 1, SMALL_SEGMENT, 3 * SMALL_SEGMENT, 3 * SMALL_SEGMENT + 7])
def test_nothing_can_be_cut_off_or_added(small_segments, size):
    sealed = seal(KEY, b"upload", os.urandom(size))
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            unseal(KEY, b"upload", sealed[:length])
    for more in (b"\0", bytes(TAG_BYTES), sealed[HEADER_BYTES:], sealed, bytes(SMALL_SEGMENT + TAG_BYTES)):
        with pytest.raises(SealBroken):
            unseal(KEY, b"upload", sealed + more)


def test_segments_cannot_be_moved_left_out_repeated_or_taken_from_elsewhere(small_segments):
    header, segments = pieces(seal(KEY, b"upload", os.urandom(4 * SMALL_SEGMENT)))
    _, others = pieces(seal(KEY, b"upload", os.urandom(4 * SMALL_SEGMENT)))
    assert len(segments) == 4
    tampered = []
    for place in range(4):
        tampered.append(segments[:place] + segments[place + 1 :])
        tampered.append([*segments[:place], segments[place], *segments[place:]])
        tampered.append([*segments[:place], others[place], *segments[place + 1 :]])
    for first, second in pairwise(range(4)):
        swapped = list(segments)
        swapped[first], swapped[second] = swapped[second], swapped[first]
        tampered.append(swapped)
    for each in tampered:
        with pytest.raises(SealBroken):
            unseal(KEY, b"upload", header + b"".join(each))


def test_another_key_or_purpose_opens_nothing():
    sealed = seal(KEY, b"upload", b"data")
    for key, purpose in ((OTHER_KEY, b"upload"), (KEY, b"identity"), (KEY, b"")):
        with pytest.raises(SealBroken):
            unseal(key, purpose, sealed)


def test_a_broken_seal_is_a_matter_of_the_store():
    with pytest.raises(StoreUnavailable, match="not sealed"):
        unseal(KEY, b"upload", b"plain")
    assert SealBroken.status == 503


def test_a_key_has_32_bytes():
    with pytest.raises(ValueError, match="32 bytes"):
        seal(b"short", b"upload", b"data")


def test_what_another_program_would_read_by_the_description(small_segments):
    """Opened step by step with an AES-GCM and an HKDF written out here, from the text of the module alone."""
    data = os.urandom(2 * SMALL_SEGMENT + 5)
    sealed = seal(KEY, b"upload", data)
    assert sealed[:9] == b"konectom\x01"
    header, salt, rest = sealed[:41], sealed[9:41], sealed[41:]
    salt_key = by_rfc_5869(KEY, b"", b"konectom salt of a seal\0upload")
    assert hmac.new(salt_key, hashlib.sha256(data).digest(), "sha256").digest() == salt
    key = by_rfc_5869(KEY, salt, b"konectom seal\0upload")
    opened = b""
    for number, last in ((0, 0), (1, 0), (2, 1)):
        segment, rest = rest[: SMALL_SEGMENT + 16], rest[SMALL_SEGMENT + 16 :]
        nonce = number.to_bytes(11, "big") + bytes([last])
        decryptor = Cipher(algorithms.AES(key), modes.GCM(nonce, segment[-16:])).decryptor()
        decryptor.authenticate_additional_data(header)
        opened += decryptor.update(segment[:-16]) + decryptor.finalize()
    assert (opened, rest) == (data, b"")


def by_rfc_5869(secret, salt, info):
    """HKDF-SHA256 for 32 bytes, as the RFC writes it: extract, then one block of expand."""
    extracted = hmac.new(salt or bytes(32), secret, "sha256").digest()
    return hmac.new(extracted, info + b"\x01", "sha256").digest()


RFC_5869 = [  # appendix A.1 and A.3: key, salt, info, length, output
    ("0b" * 22, "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9", 42,
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"),
    ("0b" * 22, "", "", 42,
     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"),
]  # fmt: skip


@pytest.mark.parametrize(("secret", "salt", "info", "length", "output"), RFC_5869)
def test_derivation_is_that_of_rfc_5869(secret, salt, info, length, output):
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    secret, salt, info = bytes.fromhex(secret), bytes.fromhex(salt), bytes.fromhex(info)
    made = HKDF(algorithm=SHA256(), length=length, salt=salt or None, info=info).derive(secret)
    assert made.hex() == output
    assert by_rfc_5869(secret, salt, info) == made[:32]


def test_derived_keys_are_those_of_the_rfc_and_differ_by_use_and_purpose():
    assert derived(KEY, "seal", b"upload") == by_rfc_5869(KEY, b"", b"konectom seal\0upload")
    made = {derived(KEY, *words) for words in (("a", b"bc"), ("ab", b"c"), ("abc", b""), ("abc",))}
    assert len(made) == 3


def test_the_cipher_is_that_of_nist():
    """McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test case 16 (also NIST's vectors)."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    nonce = bytes.fromhex("cafebabefacedbaddecaf888")
    data = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
        "b16aedf5aa0de657ba637b39"
    )
    bound = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    sealed = bytes.fromhex(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
        "c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"
    )
    assert AESGCM(key).encrypt(nonce, data, bound) == sealed
    with pytest.raises(InvalidTag):
        AESGCM(key).decrypt(nonce, sealed, bound + b"\0")


def in_steps(data, step):
    return [data[at : at + step] for at in range(0, len(data), step)]


@given(data=st.binary(max_size=400), step=st.integers(1, 150))
def test_in_pieces_it_is_the_same_as_at_once(data, step):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sealing, "SEGMENT_BYTES", SMALL_SEGMENT)
        sealed = seal(KEY, b"upload", data)
        digest = hashlib.sha256(data).digest()
        assert b"".join(seal_pieces(KEY, b"upload", digest, in_steps(data, step))) == sealed
        assert b"".join(unseal_pieces(KEY, b"upload", io.BytesIO(sealed))) == data


def test_other_data_than_those_that_were_digested_are_not_sealed(small_segments):
    with pytest.raises(ValueError, match="not those"):
        list(seal_pieces(KEY, b"upload", hashlib.sha256(b"others").digest(), [b"data" * 100]))


@pytest.mark.parametrize("length", [0, 1, SMALL_SEGMENT, 3 * SMALL_SEGMENT, 3 * SMALL_SEGMENT + 1])
def test_whoever_reads_in_pieces_finds_every_change_out(small_segments, length):
    sealed = seal(KEY, b"upload", os.urandom(length))
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(SealBroken):
            list(unseal_pieces(KEY, b"upload", io.BytesIO(changed)))
        with pytest.raises(SealBroken):
            list(unseal_pieces(KEY, b"upload", io.BytesIO(sealed[:at])))


@given(data=st.binary(min_size=1, max_size=400), places=st.lists(st.tuples(st.integers(0, 450), st.integers(0, 200))))
def test_at_any_place_it_reads_what_is_there(data, places):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sealing, "SEGMENT_BYTES", SMALL_SEGMENT)
        file, plain = io.BufferedReader(Unsealed(KEY, b"p", io.BytesIO(seal(KEY, b"p", data)))), io.BytesIO(data)
        assert file.seek(0, io.SEEK_END) == len(data)
        for place, size in places:
            assert file.seek(place) == plain.seek(place)
            assert file.read(size) == plain.read(size)
