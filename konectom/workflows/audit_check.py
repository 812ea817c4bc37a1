"""Checking the audit: that nothing in its chain was changed, and that the rows it tells of are as it last told.

The first says whether the audit can be trusted; the second finds what was done to the database behind its back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy import inspect as inspected

from konectom.security.chain import (
    GENESIS,
    Anchor,
    Head,
    Keys,
    fault_of_entry,
    fault_of_head,
    fault_of_key,
)
from konectom.storage.audit_head import genuine, read_head, tells_nothing
from konectom.storage.audit_rows import Stored, stored_entries, stored_seal
from konectom.storage.digests import PATIENT, audited_models, installations_digest, plan_of
from konectom.storage.models import Base, Erasure
from konectom.storage.whose import KeyRing, Whose
from konectom.workflows.services import Services

FAULTS_TOLD = 100
"""Most faults in one report; all of them are counted."""

ROWS_AT_ONCE = 500

SENTENCES = {
    "number": "an entry has a number that is none",
    "gap": "entries are missing before entry {seq}",
    "form": "entry {seq} is not as entries are written",
    "key": "entry {seq} is sealed under a key that this installation does not have",
    "key_late": "entry {seq} is sealed under a key that had been replaced before it was made",
    "key_back": "entry {seq} is sealed under an older key than the entry before",
    "seal": "entry {seq} was changed, or stands where it did not stand",
    "head_missing": "the head of the audit is missing",
    "head_key": "the head is sealed under a key that this installation does not have",
    "head_seal": "the head of the audit was changed",
    "emptied": "the audit was emptied: it tells of nothing, and there are rows of which it must",
    "cut_off": "entries are missing at the end: the last is {seq}, and the head tells of more",
    "beyond": "entry {seq} comes after those of which the head tells",
    "head": "the head tells of another entry {seq} than the one that is there",
    "anchor": "entry {seq} is not the one that was noted; the database was put back or replaced",
    "row_changed": "{what} was changed without an entry",
    "row_untold": "{what} has no entry",
    "row_gone": "{what} was removed without an entry",
    "row_back": "{what} was removed, and is there again without an entry",
}
"""What each fault means."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong: with the entry ``seq``, with the head, or with a row (``what``: table and id)."""

    kind: str
    seq: int | None = None
    what: str = ""

    def __str__(self) -> str:
        return SENTENCES[self.kind].format(seq=self.seq, what=self.what)

    def as_dict(self) -> dict[str, Any]:
        """Return this as it stands on the wire."""
        return {"kind": self.kind, "seq": self.seq, "row": self.what or None, "detail": str(self)}


@dataclass(slots=True)
class Report:
    """How many entries and rows were checked, and what is wrong, in the order in which it was found.

    ``unchecked`` counts rows whose content cannot be told any more, since their patient's key is gone.
    """

    entries: int = 0
    rows: int = 0
    unchecked: int = 0
    fault_count: int = 0
    faults: list[Fault] = field(default_factory=list)
    head: Head | None = None

    @property
    def sound(self) -> bool:
        """Tell whether nothing is wrong."""
        return self.fault_count == 0

    def add(self, kind: str, seq: int | None = None, what: str = "") -> None:
        """Add a fault."""
        self.fault_count += 1
        if len(self.faults) < FAULTS_TOLD:
            self.faults.append(Fault(kind, seq, what))

    def as_dict(self) -> dict[str, Any]:
        """Return this as it stands on the wire."""
        anchor = None if self.head is None else str(Anchor(self.head.seq, self.head.seal))
        return {
            "sound": self.sound,
            "entries": self.entries,
            "rows": self.rows,
            "rows_unchecked": self.unchecked,
            "fault_count": self.fault_count,
            "faults": [each.as_dict() for each in self.faults],
            "anchor": anchor,
        }


@dataclass(frozen=True, slots=True)
class _Last:
    """What the last entry about a row said of it."""

    change: str
    after: str | None
    patient_id: UUID | None


def verify(services: Services, *, anchor: Anchor | None = None, rows: bool = False) -> Report:
    """Walk the chain, and with ``rows`` compare every audited row with what was last told of it.

    All is read as of one instant; others may write meanwhile. With ``rows`` an entry a row is held in memory. Raises
    :class:`~konectom.errors.KeysMissing` and its kin where the keys themselves cannot be read.
    """
    services.keys.check()
    last: dict[tuple[str, str], _Last] | None = {} if rows else None
    with services.db.read() as db:
        report = check_chain(db.connection(), services.keys, anchor=anchor, last=last)
        if last is not None:
            _check_rows(services.keys, db.connection(), report, last)
    return report


def check_chain(
    connection: Connection,
    keys: Keys,
    *,
    anchor: Anchor | None = None,
    last: dict[tuple[str, str], _Last] | None = None,
) -> Report:
    """Walk the chain as this connection sees it; into ``last`` goes what was last told of each row."""
    report = Report(head=read_head(connection))
    end = _walk(keys, connection, report, last)
    _check_head(keys, report, end)
    if report.head == GENESIS and not tells_nothing(connection):
        report.add("emptied")
    if anchor is not None and anchor.seq > 0 and stored_seal(connection, anchor.seq) != anchor.seal:
        report.add("anchor", anchor.seq)
    return report


def anchor_of(services: Services) -> Anchor:
    """Return what to note elsewhere, the number and seal of the last entry.

    Raises :class:`~konectom.errors.AuditBroken` where the head is not as it was sealed.
    """
    with services.db.read() as db:
        connection = db.connection()
        head = genuine(connection, read_head(connection), services.keys)
    return Anchor(head.seq, head.seal)


def _walk(keys: Keys, connection: Connection, report: Report, last: dict[tuple[str, str], _Last] | None) -> Stored:
    """Check entry after entry, and return the last. After a fault the chain is followed on from what is there."""
    before = Stored(GENESIS.seq, None, seal=GENESIS.seal)
    for found in stored_entries(connection):
        if found.seq is None or before.seq is None:
            report.add("number")
            return before
        report.entries += 1
        if found.seq != before.seq + 1:
            report.add("gap", found.seq)
        elif found.entry is None:
            report.add("form", found.seq)
        elif before.entry is not None or before.seq == GENESIS.seq:
            fault = fault_of_entry(keys, found.entry, before.seal, found.key, found.seal)
            fault = fault or fault_of_key(keys, found.entry.at, found.key, before.key)
            if fault is not None:
                report.add(fault, found.seq)
        entry, before = found.entry, found
        if last is not None and entry is not None and entry.change in ("insert", "update", "delete"):
            last[entry.entity, entry.entity_id] = _Last(entry.change, entry.after, entry.patient_id)
    return before


def _check_head(keys: Keys, report: Report, end: Stored) -> None:
    head = report.head
    if head is None:
        report.add("head_missing")
        return
    fault = fault_of_head(keys, head)
    if fault is not None:
        report.add(fault)
    elif end.seq is not None and head.seq > end.seq:
        report.add("cut_off", end.seq)
    elif end.seq is not None and head.seq < end.seq:
        report.add("beyond", head.seq + 1)
    elif (head.seal, head.key) != (end.seal, end.key):
        report.add("head", head.seq)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row as it is now: ``facts`` by attribute."""

    entity: str
    facts: Mapping[str, Any]


def _check_rows(keys: KeyRing, connection: Connection, report: Report, last: dict[tuple[str, str], _Last]) -> None:
    for model in audited_models():
        for some in _rows(connection, model):
            whose = Whose.of(connection, keys, some)
            for row in some:
                report.rows += 1
                key = (row.entity, plan_of(model).entity_id(row.facts))
                _check_row(keys, report, whose, plan_of(model).content(row.facts), row, key, last.pop(key, None))
    erased = set(connection.execute(select(Erasure.patient_id)).scalars())
    for (entity, entity_id), told in last.items():
        if told.change != "delete" and told.patient_id not in erased:
            report.add("row_gone", what=f"{entity} {entity_id}")


def _check_row(
    keys: KeyRing,
    report: Report,
    whose: Whose,
    content: bytes,
    row: _Row,
    key: tuple[str, str],
    told: _Last | None,
) -> None:
    what = " ".join(key)
    if told is None:
        report.add("row_untold", what=what)
    elif told.change == "delete":
        report.add("row_back", what=what)
    elif told.after is None:
        report.unchecked += 1
    else:
        used, _, _ = told.after.partition(":")
        patient = whose.patient_of(row)
        if used == PATIENT:
            now = whose.digest(patient, content) if patient is not None else ""
        else:
            now = installations_digest(keys, content, used)
        if now is None:
            report.unchecked += 1
        elif now != told.after:
            report.add("row_changed", what=what)


def _rows(connection: Connection, model: type[Base]) -> Iterator[list[_Row]]:
    """Yield a table's rows, some at a time."""
    mapper, plan = inspected(model), plan_of(model)
    columns = [mapper.columns[name].label(name) for name in plan.attributes]
    found = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(select(*columns)).mappings()
    for some in found.partitions(ROWS_AT_ONCE):
        yield [_Row(plan.entity, dict(each)) for each in some]
