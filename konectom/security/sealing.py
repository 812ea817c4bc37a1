"""Sealing: bytes that nobody reads or changes without the key.

A sealed object is a header and segments, each a megabyte of the data encrypted with AES-256-GCM (NIST SP 800-38D)::

    "konectom" 1   synthetic salt (32 bytes)   segment 0   segment 1   …   last segment

The segments are bound to their places and the last is marked as such, as in STREAM (Hoang, Reyhanitabar, Rogaway and
Vizár, "Online authenticated-encryption and its nonce-reuse misuse-resistance", CRYPTO 2015): the nonce of a segment is
its number (11 bytes) and whether it is the last (1 byte). So none can be left out, added, moved or cut off, and one can
be read after the other.

Every object has a key of its own. The salt from which it is derived is a keyed digest of purpose and data (as in SIV,
Rogaway and Shrimpton 2006): the same bytes under the same key and purpose become the same object, so that storing it
again stores nothing new, while other bytes never meet the same key and nonce. The salt tells nothing of the data to
whoever lacks the key, not even whether a guess is right.

What does not fit into memory is sealed in two passes: one that digests it, since the salt comes first, and one that
encrypts it (:func:`seal_pieces`). It is opened piece by piece (:func:`unseal_pieces`), or, once that was done and all
of it was found sound, at any place (:class:`Unsealed`).
"""

from __future__ import annotations

import hashlib
import hmac
import io
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from konectom.errors import SealBroken
from konectom.security.derived import KEY_BYTES, derived
from konectom.seekable import Seekable, read_whole

MAGIC = b"konectom\x01"
SALT_BYTES = 32
HEADER_BYTES = len(MAGIC) + SALT_BYTES
SEGMENT_BYTES = 1024 * 1024
TAG_BYTES = 16


class Digested:
    """Bytes and their sha256, computed once, and only here: under the digest of others they must never be sealed."""

    __slots__ = ("data", "digest")

    def __init__(self, data: bytes) -> None:
        self.data, self.digest = data, hashlib.sha256(data).digest()


def seal(key: bytes, purpose: bytes, data: bytes | Digested) -> bytes:
    """Return ``data`` sealed under a key of 32 bytes, for one purpose; the same data always the same way."""
    whole = data if isinstance(data, Digested) else Digested(data)
    header = MAGIC + _salt(key, purpose, whole.digest)
    cipher = _cipher(key, purpose, header)
    view = memoryview(whole.data)
    starts = range(0, max(len(view), 1), SEGMENT_BYTES)
    sealed = [header]
    for number, start in enumerate(starts):
        nonce = _nonce(number, last=number == len(starts) - 1)
        sealed.append(cipher.encrypt(nonce, view[start : start + SEGMENT_BYTES], header))
    return b"".join(sealed)


def unseal(key: bytes, purpose: bytes, sealed: bytes) -> bytes:
    """Return what was sealed; raises :class:`SealBroken` unless it is whole, unchanged, and of this key and purpose."""
    header, view = sealed[:HEADER_BYTES], memoryview(sealed)
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        raise SealBroken("what is stored here is not sealed in a way that this version knows")
    cipher = _cipher(key, purpose, header)
    starts = range(HEADER_BYTES, len(sealed), SEGMENT_BYTES + TAG_BYTES)
    opened = []
    try:
        for number, start in enumerate(starts):
            nonce = _nonce(number, last=number == len(starts) - 1)
            opened.append(cipher.decrypt(nonce, view[start : start + SEGMENT_BYTES + TAG_BYTES], header))
    except InvalidTag:
        raise _broken() from None
    data = b"".join(opened)
    if not starts:
        raise _broken()
    _require_salt(key, purpose, hashlib.sha256(data).digest(), header)
    return data


def seal_pieces(key: bytes, purpose: bytes, digest: bytes, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield, in pieces, what :func:`seal` returns for the data of which ``pieces`` are made.

    ``digest`` is the sha256 of all of them. Raises ValueError at the end where it is not: what was yielded until then
    must not be kept, for other data would meet the same key and nonces.
    """
    header = MAGIC + _salt(key, purpose, digest)
    cipher = _cipher(key, purpose, header)
    yield header
    told, number, segment = hashlib.sha256(), 0, b""
    for following in _segments(pieces):
        told.update(following)
        if number:
            yield cipher.encrypt(_nonce(number - 1, last=False), segment, header)
        segment, number = following, number + 1
    if told.digest() != digest:
        raise ValueError("the data are not those that were digested before")
    yield cipher.encrypt(_nonce(max(number - 1, 0), last=True), segment, header)


def unseal_pieces(key: bytes, purpose: bytes, sealed: BinaryIO) -> Iterator[bytes]:
    """Yield, in pieces, what was sealed; raises :class:`SealBroken` at the latest before the last one."""
    header = sealed.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        raise SealBroken("what is stored here is not sealed in a way that this version knows")
    cipher = _cipher(key, purpose, header)
    told, number = hashlib.sha256(), 0
    segment = read_whole(sealed, SEGMENT_BYTES + TAG_BYTES)
    while segment or not number:
        following = read_whole(sealed, SEGMENT_BYTES + TAG_BYTES)
        try:
            data = cipher.decrypt(_nonce(number, last=not following), segment, header)
        except InvalidTag:
            raise _broken() from None
        told.update(data)
        if not following:
            _require_salt(key, purpose, told.digest(), header)
        yield data
        segment, number = following, number + 1


class Unsealed(Seekable):
    """What a file holds sealed, to be read at any place; each segment is opened when it is needed.

    The file must have been looked through by :func:`unseal_pieces`: a segment alone does not show that none is missing
    behind it.
    """

    def __init__(self, key: bytes, purpose: bytes, sealed: BinaryIO) -> None:
        self._file = sealed
        sealed_bytes = sealed.seek(0, io.SEEK_END) - HEADER_BYTES
        sealed.seek(0)
        self._header = sealed.read(HEADER_BYTES)
        self._cipher = _cipher(key, purpose, self._header)
        self._segments = -(-sealed_bytes // (SEGMENT_BYTES + TAG_BYTES))
        self._held: tuple[int, bytes] = (-1, b"")
        super().__init__(sealed_bytes - self._segments * TAG_BYTES)

    def piece(self, place: int, most: int) -> bytes:
        """Return what is at ``place``, as far as its segment goes."""
        number, start = divmod(place, SEGMENT_BYTES)
        return self._segment(number)[start : start + most]

    def _segment(self, number: int) -> bytes:
        if self._held[0] != number:
            self._file.seek(HEADER_BYTES + number * (SEGMENT_BYTES + TAG_BYTES))
            nonce = _nonce(number, last=number == self._segments - 1)
            sealed = read_whole(self._file, SEGMENT_BYTES + TAG_BYTES)
            try:
                self._held = number, self._cipher.decrypt(nonce, sealed, self._header)
            except InvalidTag:
                raise _broken() from None
        return self._held[1]


def _segments(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in segments; all but the last are full."""
    rest = bytearray()
    for piece in pieces:
        rest += piece
        while len(rest) >= SEGMENT_BYTES:
            yield bytes(rest[:SEGMENT_BYTES])
            del rest[:SEGMENT_BYTES]
    if rest:
        yield bytes(rest)


def _require_salt(key: bytes, purpose: bytes, digest: bytes, header: bytes) -> None:
    """Raise unless the salt is of these data: else a second key could open them (GCM alone commits to no key)."""
    if not hmac.compare_digest(_salt(key, purpose, digest), header[len(MAGIC) :]):
        raise _broken()


def _salt(key: bytes, purpose: bytes, digest: bytes) -> bytes:
    """Return a digest of purpose and data, by their sha256, that nobody can compute without the key."""
    return hmac.digest(derived(key, "salt of a seal", purpose), digest, "sha256")


def _cipher(key: bytes, purpose: bytes, header: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes")
    return AESGCM(derived(key, "seal", purpose, salt=header[len(MAGIC) :]))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _broken() -> SealBroken:
    return SealBroken("what is stored here was changed or damaged; restore it from a backup")
