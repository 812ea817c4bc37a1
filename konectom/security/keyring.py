"""The installation's keys as one JSON document::

    {"keys": [{"id": "…", "created_at": "…", "use": "seal", "secret": "<base64 of 32 bytes>"}, …], "current": "…"}

A key of use ``seal`` seals and authenticates; ``current`` names the one for what is new. From a key of use ``verify``,
which is retired, the secret was taken away and only what follows from it for authentication is left: the audit can
still be verified, and what was sealed under it cannot be opened by anybody any more. The id follows from the secret, so
that one that was damaged is found out.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from konectom.errors import KeyInUse, KeysInvalid, KeysMissing, NotFound
from konectom.security.derived import KEY_BYTES, derived

Use = Literal["seal", "verify"]
USES: tuple[Use, ...] = ("seal", "verify")


@dataclass(frozen=True, slots=True)
class Key:
    """One key. ``secret`` is the root of all that is sealed, or, once it is retired, of authentication alone."""

    id: str
    created_at: str
    use: Use
    secret: bytes = field(repr=False)
    _made: dict[tuple[str, bytes], Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def new(cls, now: datetime) -> Key:
        """Return a new key."""
        secret = secrets.token_bytes(KEY_BYTES)
        key_id = _id_of(_authentication(secret))
        return cls(id=key_id, created_at=now.isoformat(timespec="seconds"), use="seal", secret=secret)

    def retired(self) -> Key:
        """Return what is left of the key when nothing may be opened with it any more."""
        return self if self.use == "verify" else replace(self, use="verify", secret=_authentication(self.secret))

    def cipher(self, purpose: bytes) -> AESGCM:
        """Return what seals and opens for one purpose; raises :class:`KeysMissing` where the key is retired."""
        if self.use != "seal":
            raise KeysMissing(f"the key {self.id} is retired: what was sealed under it cannot be opened any more")
        cipher: AESGCM | None = self._made.get(("cipher", purpose))
        if cipher is None:
            cipher = self._made["cipher", purpose] = AESGCM(derived(self.secret, "wrap", purpose))
        return cipher

    def mac(self, purpose: bytes, data: bytes) -> str:
        """Return the HMAC-SHA256 of ``data`` for one purpose, in hexadecimal."""
        key: bytes | None = self._made.get(("mac", purpose))
        if key is None:
            root = self.secret if self.use == "verify" else _authentication(self.secret)
            key = self._made["mac", purpose] = derived(root, "mac", purpose)
        return hmac.digest(key, data, "sha256").hex()

    def is_itself(self) -> bool:
        """Tell whether the secret is the one from which the id was made."""
        root = self.secret if self.use == "verify" else _authentication(self.secret)
        return _id_of(root) == self.id


class Term(NamedTuple):
    """When a key was in use: how many were before it, and when another took its place (None: it is current)."""

    place: int
    ends: datetime | None


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys by id, in the order in which they were made, and which is current."""

    keys: Mapping[str, Key]
    current: str

    def with_new(self, now: datetime) -> Ring:
        """Return the ring with a new key, which is current."""
        key = Key.new(now)
        return Ring({**self.keys, key.id: key}, key.id)

    def with_retired(self, key_id: str) -> Ring:
        """Return the ring with one key retired; raises :class:`NotFound`, and :class:`KeyInUse` for the current one."""
        if key_id not in self.keys:
            raise NotFound(f"there is no key {key_id}")
        if key_id == self.current:
            raise KeyInUse("the current key cannot be retired; make another first: konectom keys rotate")
        return replace(self, keys={**self.keys, key_id: self.keys[key_id].retired()})

    def term(self, key_id: str) -> Term:
        """Return when a key was in use; raises :class:`NotFound`."""
        ids = list(self.keys)
        if key_id not in self.keys:
            raise NotFound(f"there is no key {key_id}")
        place = ids.index(key_id)
        after = None if key_id == self.current or key_id == ids[-1] else self.keys[ids[place + 1]]
        return Term(place, None if after is None else _instant(after.created_at))

    def document(self) -> bytes:
        """Return the ring as JSON."""
        keys = [
            {
                "id": key.id,
                "created_at": key.created_at,
                "use": key.use,
                "secret": base64.b64encode(key.secret).decode(),
            }
            for key in self.keys.values()
        ]
        return json.dumps({"keys": keys, "current": self.current}, indent=1).encode() + b"\n"


def new_ring(now: datetime) -> Ring:
    """Return a ring with one new key."""
    return Ring({}, "").with_new(now)


def read_ring(document: bytes, place: str) -> Ring:
    """Return the ring that ``document`` writes; raises :class:`KeysInvalid`, which names ``place`` and no secret."""
    try:
        told = json.loads(document)
        listed = [_key(each) for each in told["keys"]]
        ring = Ring({key.id: key for key in listed}, told["current"])
        fault = _fault(ring, len(listed))
    except (ValueError, TypeError, KeyError, binascii.Error):
        fault = "it is not the document that konectom wrote"
    if fault is not None:
        raise KeysInvalid(f"the keys are damaged ({place}): {fault}. Restore them from their backup")
    return ring


def _key(told: dict[str, Any]) -> Key:
    key_id, created_at, use, secret = told["id"], told["created_at"], told.get("use", "seal"), told["secret"]
    if not all(isinstance(each, str) for each in (key_id, created_at, use, secret)):
        raise TypeError("a key is told in texts")
    return Key(id=key_id, created_at=created_at, use=use, secret=base64.b64decode(secret, validate=True))


def _fault(ring: Ring, listed: int) -> str | None:
    """Return what is wrong with a ring, None where all is right."""
    if len(ring.keys) != listed:
        return "a key is there twice"
    for key in ring.keys.values():
        if key.use not in USES or len(key.secret) != KEY_BYTES or not key.is_itself():
            return f"the key {key.id} is not what it was"
        _instant(key.created_at)
    current = ring.keys.get(ring.current)
    return None if current is not None and current.use == "seal" else "its current key cannot seal"


def _instant(told: str) -> datetime:
    at = datetime.fromisoformat(told)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _authentication(secret: bytes) -> bytes:
    """Return the root of all authentication: it tells nothing of the secret from which it was made."""
    return derived(secret, "authentication")


def _id_of(authentication: bytes) -> str:
    return derived(authentication, "key id", length=8).hex()
