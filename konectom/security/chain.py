"""The chain of the audit: each entry is sealed together with the seal before it.

A seal is a keyed digest (HMAC, by the installation's keys) over all that an entry says and over the seal of the entry
before. Whoever changes, removes, adds or moves an entry without the key breaks the chain there, and cannot mend it. The
head says how many entries there are and what the last seal is, and is sealed itself, so that what is cut off at the end
is missed. (Schneier and Kelsey, "Secure audit logs to support computer forensics", ACM TISSEC 2(2), 1999, chain entries
likewise; their keys evolve, ours stay with the operator.)

What this cannot tell is a database put back, as a whole, to what it was at some earlier time: that state was genuine.
An anchor, noted elsewhere, tells it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Protocol
from uuid import UUID

import orjson

from konectom.errors import FieldInvalid, KonectomError
from konectom.security.keyring import Term

ENTRY_FORM = b"konectom.audit.entry/1\n"
HEAD_FORM = b"konectom.audit.head/1\n"
"""What stands before the canonical bytes: which form they have."""

SEALS_ENTRIES = b"audit-entry"
SEALS_HEAD = b"audit-head"
"""The purposes for which keys are used here."""

Change = Literal["read", "insert", "update", "delete", "event"]


class Keys(Protocol):
    """What the chain needs of the installation's keys."""

    @property
    def current_id(self) -> str:
        """Return the id of the key that is in use."""
        ...

    def mac(self, purpose: bytes, data: bytes, key_id: str | None = None) -> tuple[str, str]:
        """Return the id of the key, and the keyed digest (hexadecimal) of ``data``."""
        ...

    def term(self, key_id: str) -> Term:
        """Return when a key was in use; raises an error of ours for one that there is not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What an entry says; ``at`` in whole microseconds since 1970 in UTC, ``why`` sealed."""

    seq: int
    at: int
    actor_kind: str
    actor_id: UUID | None
    actor_name: str
    action: str
    change: str
    study_id: UUID | None
    patient_id: UUID | None
    entity: str
    entity_id: str
    before: str | None
    after: str | None
    why: bytes | None
    request_id: str
    address: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """How many entries there are, the seal of the last, and the seal over both under ``key``."""

    seq: int
    seal: str
    key: str
    head_seal: str


GENESIS = Head(seq=0, seal="", key="", head_seal="")
"""The head of an audit without entries. It is the same everywhere, so that no key is needed to make a schema.

Anybody can write it: it is genuine only where there is nothing yet of which the audit had to tell.
"""

_NAMES = tuple(each.name for each in fields(Entry))


def canonical(entry: Entry, key: str, previous: str) -> bytes:
    """Return as bytes what is sealed of an entry: no two that differ in anything have the same.

    JSON with sorted keys; ids in their usual form, bytes in hexadecimal digits.
    """
    told = {name: getattr(entry, name) for name in _NAMES} | {"key": key, "previous": previous}
    return ENTRY_FORM + orjson.dumps(told, default=_plain, option=orjson.OPT_SORT_KEYS)


def canonical_json(value: Any) -> bytes:
    """Return a JSON value as the one text that stands for it; what JSON has no form for as its text."""
    return orjson.dumps(
        value, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
    )


def seal_entry(keys: Keys, entry: Entry, previous: str, key: str) -> str:
    """Return the seal, under the key of this id, of an entry that comes after the seal ``previous``."""
    _, seal = keys.mac(SEALS_ENTRIES, canonical(entry, key, previous), key)
    return seal


def seal_head(keys: Keys, seq: int, seal: str, key: str) -> Head:
    """Return the sealed head of a chain whose last entry has this number and seal."""
    told = {"seq": seq, "seal": seal, "key": key}
    _, head_seal = keys.mac(SEALS_HEAD, HEAD_FORM + orjson.dumps(told, option=orjson.OPT_SORT_KEYS), key)
    return Head(seq, seal, key, head_seal)


def fault_of_entry(keys: Keys, entry: Entry, previous: str, key: str, seal: str) -> str | None:
    """Return what is wrong with an entry that comes after the seal ``previous``: ``key``, ``seal``, or nothing."""
    if not key:
        return "key"
    try:
        right = seal_entry(keys, entry, previous, key)
    except KonectomError:
        return "key"
    return None if _same(right, seal) else "seal"


def fault_of_key(keys: Keys, at: int, key: str, before: str) -> str | None:
    """Return what is wrong with the key of an entry, made ``at``, after one under ``before`` (empty: the first).

    ``key_late`` where another key had long taken its place, ``key_back`` where a later one was in use already. So
    whoever gets hold of an older key can seal nothing under it that is taken for new.
    """
    try:
        term = keys.term(key)
        if term.ends is not None and at > term.ends.timestamp() * 1_000_000:
            return "key_late"
        return "key_back" if before and keys.term(before).place > term.place else None
    except KonectomError:
        return "key"


def fault_of_head(keys: Keys, head: Head) -> str | None:
    """Return what is wrong with a head by itself: ``head_key``, ``head_seal``, or nothing.

    Whether :data:`GENESIS` may stand there, only who sees the database can tell.
    """
    if head == GENESIS:
        return None
    if not head.key:
        return "head_key"
    try:
        right = seal_head(keys, head.seq, head.seal, head.key)
    except KonectomError:
        return "head_key"
    return None if head.seq > 0 and _same(right.head_seal, head.head_seal) else "head_seal"


@dataclass(frozen=True, slots=True)
class Anchor:
    """An entry's number and seal, noted outside of the database: written ``SEQ:SEAL``."""

    seq: int
    seal: str

    @classmethod
    def of(cls, text: str) -> Anchor:
        """Return the anchor that ``text`` writes; raises :class:`FieldInvalid`."""
        found = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64}|)", text.strip())
        if found is None or (int(found[1]) == 0) != (found[2] == ""):
            raise FieldInvalid("an anchor is written as `konectom audit anchor` prints it: SEQ:SEAL", at="/anchor")
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.seq}:{self.seal}"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} has no place in an entry")


def _same(right: str, told: str) -> bool:
    return hmac.compare_digest(right.encode(), told.encode())
