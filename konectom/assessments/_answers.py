"""Answers to questions: what was answered to which item, when it was shown and when answered.

They stand in a recording as events of type ``answer`` (``t``, ``item``, ``value``, ``shown_at``), several to one item
where the patient changed their mind; or, from an app that tells no more, as ``answers``: the final value by item.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konectom.assessments.base import Input, events
from konectom.recording import FloatArray, Part, Recording, Stream

ANSWERS: Input = events("answer", ("value",), optional=True, means="Each answer: item, value, when it was shown.")


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Answers in the order of time; each array has shape (n,).

    ``value`` is NaN where a question was left without an answer; ``t_s`` and ``shown_at_s`` are NaN where not told.
    """

    item: NDArray[np.str_]
    value: FloatArray
    t_s: FloatArray
    shown_at_s: FloatArray

    def __len__(self) -> int:
        return int(self.value.size)

    def where(self, keep: NDArray[Any]) -> Answers:
        """Return the rows that ``keep`` (booleans or indices) picks."""
        return Answers(self.item[keep], self.value[keep], self.t_s[keep], self.shown_at_s[keep])

    def renamed(self, names: Mapping[str, str]) -> Answers:
        """Return the same answers with some items under another name."""
        item = np.array([names.get(name, name) for name in self.item.tolist()], dtype=np.str_)
        return Answers(item, self.value, self.t_s, self.shown_at_s)

    @property
    def response_s(self) -> FloatArray:
        """Return the time from an item's appearance to its answer; NaN where not told, or where time ran backwards."""
        took_s = self.t_s - self.shown_at_s
        return np.where(took_s >= 0, took_s, np.nan)

    def settled(self) -> NDArray[np.intp]:
        """Return the rows that stood when their item was left: the last of each time that an item was shown."""
        last: dict[tuple[Any, ...], int] = {}
        for row, (item, shown_s) in enumerate(zip(self.item.tolist(), self.shown_at_s.tolist(), strict=True)):
            last[(item, shown_s) if shown_s == shown_s else (item, "row", row)] = row
        return np.array(sorted(last.values()), dtype=np.intp)


def read_answers(recording: Recording) -> Answers:
    """Return every answer of a recording. A final answer counts where its item has no event with a value."""
    tables = [_of_events(held) for part in recording.parts if (held := part.events.get("answer")) is not None]
    answered = {name for table in tables for name in table.item[np.isfinite(table.value)].tolist()}
    tables += [_of_final(part, answered) for part in recording.parts if part.answers]
    if not tables:
        return Answers(np.empty(0, dtype=np.str_), np.empty(0), np.empty(0), np.empty(0))
    together = Answers(
        np.concatenate([table.item for table in tables]),
        np.concatenate([table.value for table in tables]),
        np.concatenate([table.t_s for table in tables]),
        np.concatenate([table.shown_at_s for table in tables]),
    )
    return together.where(np.argsort(together.t_s, kind="stable"))


def _of_events(held: Stream) -> Answers:
    rows = len(held)

    def numbers(name: str) -> FloatArray:
        known = name in held and held[name].dtype.kind == "f"
        return held[name] if known else np.full(rows, np.nan)

    item = held["item"].tolist() if "item" in held else [""] * rows
    names = np.array([_name(each) for each in item], dtype=np.str_) if rows else np.empty(0, dtype=np.str_)
    return Answers(names, numbers("value"), held.t_s, numbers("shown_at_s"))


def _of_final(part: Part, answered: set[str]) -> Answers:
    told = {_name(name): _number(value) for name, value in part.answers.items()}
    kept = {name: value for name, value in told.items() if name not in answered}
    unknown = np.full(len(kept), np.nan)
    return Answers(
        np.array(list(kept), dtype=np.str_), np.array(list(kept.values()), dtype=np.float64), unknown, unknown
    )


def _name(told: object) -> str:
    """Return an item's number or name as text: 3.0 and " 3" are "3"."""
    if isinstance(told, float):
        return f"{told:g}" if told == told else ""
    return str(told).strip().lower()


def _number(told: object) -> float:
    if isinstance(told, bool):
        return float("nan")
    if isinstance(told, int | float):
        return float(told) if abs(told) < 1e9 else float("inf")
    is_digit = isinstance(told, str) and len(told) < 10 and told.strip().isascii() and told.strip().isdigit()
    return float(str(told)) if is_digit else float("nan")
