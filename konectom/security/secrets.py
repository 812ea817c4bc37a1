"""Tokens and codes: 256 random bits behind a prefix that says what they are for.

Of each only its sha256 is kept. There is nothing to guess that a slow hash would protect, and an attacker cannot steer
the hash by which it is looked up, so the look-up tells no more than whether the token is known. The prefix is the
token's audience: one of a kind is worth nothing where another kind is asked for.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Literal

SecretKind = Literal["access", "renewal", "enrolment", "service", "login", "invitation"]
PREFIXES: dict[SecretKind, str] = {
    "access": "kd_",
    "renewal": "kr_",
    "enrolment": "ke_",
    "service": "ks_",
    "login": "ku_",
    "invitation": "ki_",
}
SECRET_BYTES = 32
LONGEST = 128
"""Longer texts are none of ours, and are not hashed."""


def new_secret(kind: SecretKind) -> str:
    """Return a new token of this kind."""
    return PREFIXES[kind] + secrets.token_urlsafe(SECRET_BYTES)


def kind_of(secret: str) -> SecretKind | None:
    """Return what a token is for, by its prefix; None where it is none of ours."""
    if len(secret) > LONGEST:
        return None
    return next((kind for kind, prefix in PREFIXES.items() if secret.startswith(prefix)), None)


def hash_of(secret: str) -> str:
    """Return what is kept of a token: its sha256, in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
