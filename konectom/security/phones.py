"""What a phone holds: an enrolment code for a moment, then a renewal secret of its own making and an access token.

The access token follows from the renewal secret, so that a request that is repeated has the very answer whose first
copy was lost, and no second token comes to be valid by it. The server keeps only hashes of both.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from uuid import UUID

from konectom.errors import FieldInvalid
from konectom.security.secrets import PREFIXES, SECRET_BYTES, hash_of

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Base 32 after Crockford: no I, L, O and U, which are read as 1, 1, 0 and V."""

GROUPS, GROUP_LENGTH = 7, 4
"""28 characters of 5 bits each: 140 bits, in groups that can be read out and typed."""

LONGEST_CODE = 100
_MISREAD = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None, " ": None})
_PURPOSE = b"konectom access 1"


def new_code() -> str:
    """Return a new enrolment code, such as ``ke_7K2M-…``."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    return PREFIXES["enrolment"] + "-".join(groups)


def code_hash(code: str) -> str | None:
    """Return what is kept of an enrolment code, None where this is none; case, spaces and hyphens do not count."""
    typed = code.strip().upper() if len(code) <= LONGEST_CODE else ""
    prefix = PREFIXES["enrolment"].upper()
    letters = typed.removeprefix(prefix).translate(_MISREAD)
    if not typed.startswith(prefix) or len(letters) != GROUPS * GROUP_LENGTH or set(letters) - set(ALPHABET):
        return None
    return hash_of(PREFIXES["enrolment"] + letters)


def require_renewal_secret(secret: str, at: str) -> None:
    """Raise :class:`FieldInvalid` at ``at`` unless this is ``kr_`` and 32 bytes that may be random."""
    key = _key_of(secret)
    if key is None:
        raise FieldInvalid("a renewal secret is kr_ and 32 random bytes as base64url, without padding", at=at)
    if len(set(key)) == 1:
        raise FieldInvalid("a renewal secret is 32 random bytes; these are all the same", at=at)


def access_token(renewal: str, device_id: UUID) -> str:
    """Return the access token that belongs to a phone's renewal secret (HMAC-SHA256, RFC 2104)."""
    key = _key_of(renewal)
    if key is None:
        raise TypeError("an access token follows from a renewal secret only")
    made = hmac.new(key, _PURPOSE + device_id.bytes, hashlib.sha256).digest()
    return PREFIXES["access"] + base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def _key_of(renewal: str) -> bytes | None:
    """Return the bytes of a renewal secret; None where the text is none, or another way to write one."""
    prefix = PREFIXES["renewal"]
    text = renewal.removeprefix(prefix)
    if not renewal.startswith(prefix) or len(text) != 43 or not text.isascii():
        return None
    try:
        key = base64.b64decode(text + "=", altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    written = base64.urlsafe_b64encode(key).rstrip(b"=").decode()
    return key if len(key) == SECRET_BYTES and written == text else None
