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
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from konectom.errors import SealBroken
from konectom.security.derived import KEY_BYTES, derived

MAGIC = b"konectom\x01"
SALT_BYTES = 32
HEADER_BYTES = len(MAGIC) + SALT_BYTES
SEGMENT_BYTES = 1024 * 1024
TAG_BYTES = 16


def seal(key: bytes, purpose: bytes, data: bytes) -> bytes:
    """Return ``data`` sealed under a key of 32 bytes, for one purpose; the same data always the same way."""
    header = MAGIC + _salt(key, purpose, data)
    cipher = _cipher(key, purpose, header)
    view = memoryview(data)
    starts = range(0, max(len(data), 1), SEGMENT_BYTES)
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
    # Also refuses an object without any segment, and one that a second key could open (GCM alone commits to no key).
    if not starts or not hmac.compare_digest(_salt(key, purpose, data), header[len(MAGIC) :]):
        raise _broken()
    return data


def _salt(key: bytes, purpose: bytes, data: bytes) -> bytes:
    """Return a digest of purpose and data that nobody can compute without the key."""
    return hmac.digest(derived(key, "salt of a seal", purpose), hashlib.sha256(data).digest(), "sha256")


def _cipher(key: bytes, purpose: bytes, header: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes")
    return AESGCM(derived(key, "seal", purpose, salt=header[len(MAGIC) :]))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _broken() -> SealBroken:
    return SealBroken("what is stored here was changed or damaged; restore it from a backup")
