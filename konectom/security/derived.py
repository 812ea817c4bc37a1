"""Keys made from keys: HKDF with SHA-256 (RFC 5869), one for each purpose, so that none is used for two things."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


def derived(key: bytes, use: str, purpose: bytes = b"", *, salt: bytes | None = None, length: int = KEY_BYTES) -> bytes:
    """Return ``length`` bytes for one use and purpose. ``use`` is a word of konectom's own and holds no NUL."""
    info = b"konectom " + use.encode() + b"\0" + purpose
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(key)
