"""What sessions have to tell, sealed: each note becomes the next entry of the chain, and the head moves on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Protocol

import orjson
from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError

from konectom.errors import AuditBroken
from konectom.security.acting import Acting
from konectom.security.chain import Change, Entry, canonical_json, seal_entry, seal_head
from konectom.storage.audit_head import genuine, read_head, write_head
from konectom.storage.models import AuditRow
from konectom.storage.types import EPOCH, microseconds
from konectom.storage.whose import KeyRing, Whose

_INSERT = insert(AuditRow)
"""Made once: to put a statement together costs SQLAlchemy more than SQLite takes to run it."""


class Clock(Protocol):
    """Tells the time."""

    def __call__(self) -> datetime:
        """Return the present instant."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """An entry on its way: ``before`` and ``after`` are what the row said, still in the open.

    ``facts`` are the row's own values by attribute, by which it is found out whose it is.
    """

    who: Acting
    change: Change
    entity: str
    entity_id: str
    before: bytes | None = None
    after: bytes | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)


class Trail:
    """Seals what sessions have to tell, with the keys of the installation. Shared by threads."""

    def __init__(self, keys: KeyRing, clock: Clock) -> None:
        self.keys, self._clock = keys, clock

    def keep(self, connection: Connection, notes: list[Note], *, begins: bool = False) -> None:
        """Add the entries. From here to the commit nobody else adds any.

        They are the first only in a database that holds no rows of which the audit tells but those that these notes
        tell of; ``begins`` says that the schema had no audit before, so that rows may be older than it. Raises
        :class:`AuditBroken` where the head is not the one that was sealed last: to go on would hide it.
        """
        made = None if begins else Counter(each.entity for each in notes if each.change == "insert")
        whose = Whose.of(connection, self.keys, notes)
        found = read_head(connection, lock=True)
        key, at = self.keys.current_id, microseconds(self._clock())
        head = genuine(connection, found, self.keys, made=made)
        rows, previous = [], head.seal
        for seq, note in enumerate(notes, head.seq + 1):
            entry = self._entry(seq, at, note, whose)
            previous = seal_entry(self.keys, entry, previous, key)
            rows.append(_row(entry, key, previous))
        try:
            connection.execute(_INSERT, rows)
        except IntegrityError as error:
            raise AuditBroken("the audit holds entries that come after its head; see: konectom audit verify") from error
        write_head(connection, seal_head(self.keys, head.seq + len(rows), previous, key))

    def _entry(self, seq: int, at: int, note: Note, whose: Whose) -> Entry:
        who, patient_id = note.who, whose.patient_of(note)
        return Entry(
            seq=seq,
            at=at,
            actor_kind=who.kind,
            actor_id=who.id,
            actor_name=who.name,
            action=who.action,
            change=note.change,
            study_id=whose.study_of(note),
            patient_id=patient_id,
            entity=note.entity,
            entity_id=note.entity_id,
            before=whose.digest(patient_id, note.before),
            after=whose.digest(patient_id, note.after),
            why=whose.seal_why(patient_id, who.why),
            request_id=who.request_id,
            address=who.address,
            # As it will be read: sorted, and of nothing but what JSON has.
            detail=orjson.loads(canonical_json(dict(note.detail))),
        )


def _row(entry: Entry, key: str, seal: str) -> dict[str, Any]:
    told = {each.name: getattr(entry, each.name) for each in fields(entry)}
    return told | {"at": EPOCH + timedelta(microseconds=entry.at), "key": key, "seal": seal}
