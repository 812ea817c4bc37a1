"""The installation's keys at work: patients' keys and other small secrets are sealed under them, the audit is signed.

Every purpose has keys of its own, derived by HKDF. Secrets are sealed with AES-256-GCM under a random nonce; purpose
and, where it is told, what they are bound to are authenticated with them, so that none passes for another.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidTag

from konectom.errors import KeysMissing, SealBroken
from konectom.security.key_sources import KeyFile, KeySource, open_source
from konectom.security.keyring import Key, Ring, Term, new_ring, read_ring

NONCE_BYTES = 12
KEY_ID_BYTES = 8
SMALL = b"\x01"
"""First byte of what :meth:`Keychain.seal_small` makes: its version."""

PUT_IN_PLACE = timedelta(hours=1)
PUT_IN_PLACE_ELSEWHERE = timedelta(days=7)
"""How long after a new key was made the one before may still be used: in a file, and where somebody has to bring the
keys to their place and start the servers anew."""


class Keychain:
    """The keys at one address, read when they are first needed.

    May be shared by threads and survives a fork: what was read is never changed, only replaced. Before each use it
    looks whether its source was changed, and it reads the source again where it meets a key that it does not know; so
    keys can be changed while servers run, and one that was retired is forgotten at once.
    """

    def __init__(self, source: KeySource) -> None:
        self.source = source
        self._read: tuple[object, Ring] | None = None

    @classmethod
    def open(cls, url: str) -> Keychain:
        """Return the keys at ``url``; nothing is read yet. Raises :class:`SettingInvalid` for what is no address."""
        return cls(open_source(url))

    @property
    def current_id(self) -> str:
        """Return the id of the key under which what is new is sealed."""
        return self._fresh().current

    @property
    def ring(self) -> Ring:
        """Return all keys as their source holds them at present."""
        return self._reread()

    def term(self, key_id: str) -> Term:
        """Return when a key was in use, with the time that it takes to put the next in its place.

        Raises :class:`~konectom.errors.NotFound` for one that there is not.
        """
        term = self._fresh().term(key_id)
        late = PUT_IN_PLACE if isinstance(self.source, KeyFile) else PUT_IN_PLACE_ELSEWHERE
        return term if term.ends is None else term._replace(ends=term.ends + late)

    def check(self) -> None:
        """Raise :class:`KeysMissing` or :class:`~konectom.errors.KeysInvalid` unless the keys can be used."""
        self._reread()

    def require(self, key_id: str) -> None:
        """Raise :class:`KeysMissing` unless what was sealed under this key can be opened."""
        self._key(key_id).cipher(b"")

    def opens(self, key_id: str) -> bool:
        """Tell whether, as the keys are at present, what was sealed under this key can be opened."""
        key = self._reread().keys.get(key_id)
        return key is not None and key.use == "seal"

    def wrap(self, purpose: bytes, secret: bytes, *, bound_to: bytes = b"") -> tuple[str, bytes]:
        """Return the id of the current key, and ``secret`` sealed under it; ``bound_to`` must be told again to open."""
        ring = self._fresh()
        nonce = os.urandom(NONCE_BYTES)
        cipher = ring.keys[ring.current].cipher(purpose)
        return ring.current, nonce + cipher.encrypt(nonce, secret, _bound(purpose, bound_to))

    def unwrap(self, purpose: bytes, key_id: str, sealed: bytes, *, bound_to: bytes = b"") -> bytes:
        """Return what was sealed; raises :class:`KeysMissing` without its key, else :class:`SealBroken`."""
        cipher = self._key(key_id).cipher(purpose)
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, rest, _bound(purpose, bound_to))
        except (InvalidTag, ValueError):
            raise SealBroken("a sealed secret in the database was changed or damaged") from None

    def seal_small(self, purpose: bytes, data: bytes, *, bound_to: bytes = b"") -> bytes:
        """Return ``data`` sealed under the current key, with the key's id: a secret that needs one column only."""
        key_id, sealed = self.wrap(purpose, data, bound_to=bound_to)
        return SMALL + bytes.fromhex(key_id) + sealed

    def unseal_small(self, purpose: bytes, sealed: bytes, *, bound_to: bytes = b"") -> bytes:
        """Return what :meth:`seal_small` sealed; raises as :meth:`unwrap` does."""
        return self.unwrap(purpose, key_id_of(sealed), sealed[len(SMALL) + KEY_ID_BYTES :], bound_to=bound_to)

    def mac(self, purpose: bytes, data: bytes, key_id: str | None = None) -> tuple[str, str]:
        """Return the id of a key, by default the current one, and under it the HMAC-SHA256 of ``data`` (hexadecimal).

        Retired keys authenticate too, so that what is old can be verified.
        """
        key = self._key(key_id)
        return key.id, key.mac(purpose, data)

    def create(self, now: datetime) -> str:
        """Make the first key and return its id; raises :class:`~konectom.errors.AlreadyExists` where there are keys."""
        ring = new_ring(now)
        self.source.create(ring.document())
        self._read = None
        return ring.current

    def change(self, how: Callable[[Ring], Ring]) -> None:
        """Keep what ``how`` makes of the keys in their place; nobody else changes them meanwhile."""
        self.source.change(lambda document: how(read_ring(document, self.source.place)).document())
        self._read = None

    def _key(self, key_id: str | None) -> Key:
        """Return the key of this id, None for the current one."""
        ring = self._fresh()
        key_id = key_id or ring.current
        if key_id not in ring.keys:
            ring = self._reread()
        if key_id not in ring.keys:
            raise KeysMissing(
                f"something is sealed under the key {key_id}, which is not in {self.source.place}. "
                "Restore the keys of this installation from their backup"
            )
        return ring.keys[key_id]

    def _fresh(self) -> Ring:
        """Return the keys as they are now: nothing may be sealed under one that was retired, nor opened with it."""
        read = self._read
        return read[1] if read is not None and read[0] == self.source.version() else self._reread()

    def _reread(self) -> Ring:
        version = self.source.version()  # before the content, so that a change in between is seen the next time
        ring = read_ring(self.source.read(), self.source.place)
        self._read = version, ring
        return ring


def key_id_of(sealed: bytes) -> str:
    """Return under which key something small was sealed; raises :class:`SealBroken` where it says no such thing."""
    if not sealed.startswith(SMALL):
        raise SealBroken("a sealed secret in the database was changed or damaged")
    return sealed[len(SMALL) : len(SMALL) + KEY_ID_BYTES].hex()


def _bound(purpose: bytes, bound_to: bytes) -> bytes:
    return len(purpose).to_bytes(2, "big") + purpose + bound_to
