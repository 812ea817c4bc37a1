"""What a check of the audit finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from konectom.security.chain import Anchor, Head

FAULTS_TOLD = 100
"""Most faults in one report; all of them are counted."""

SENTENCES = {
    "file": "the database file is damaged or was edited: {what}",
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
    "row_closed": "{what} cannot be compared: its patient's key is not as it was",
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
