"""Konectom 1's questionnaires, a level for each time that an item was shown, and its passive monitoring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from konectom.errors import StreamError, UnitInvalid
from konectom.formats.ads.level import Level, Table
from konectom.recording import Part, Stream

Parts = dict[str, list[Part]]

MOOD_ITEMS = {"mood": "1", "physicalState": "2"}
NO_UNIT = "n/a"
PEDOMETER = (("distance", "distance_m", "meters"), ("averageActivePace", "pace_s_per_m", "seconds per meter"))
"""Columns of the pedometer: their name, ours, and the unit as which they are declared."""


def mood(levels: list[Level]) -> Parts:
    """Mood scale."""
    return {"mood": [_survey(levels, lambda level: MOOD_ITEMS.get(str(level.context.get("idMoodscale")), ""))]}


def msis29(levels: list[Level]) -> Parts:
    """MSIS-29; the app counts items from 0."""

    def item(level: Level) -> str:
        told = str(level.context.get("idMsis29"))
        return str(int(told) + 1) if told.isascii() and told.isdigit() and len(told) < 4 else ""

    return {"msis29": [_survey(levels, item)]}


def passive(levels: list[Level]) -> Parts:
    """Passive monitoring; of its sensors the pedometer is read."""
    return {"passive": [level.part({}, {}, level.take("pedometer", "pedometer", read_pedometer)) for level in levels]}


def _survey(levels: list[Level], item_of: Callable[[Level], str]) -> Part:
    """Return the answers of all levels as one part. A level without an answer was shown and left."""
    answers: list[Stream] = []
    parts: list[Part] = []
    for level in levels:
        for table in level.tables("answer", "userInput"):
            try:
                answers.append(_answers(table, item_of(level), level.part({}, {}, {}).start_s))
            except StreamError as error:
                level.note("answer", error)
        parts.append(level.part({}, {}, {}))
    start_s = min(part.start_s for part in parts)
    ends = [part.end_s for part in parts]
    last_s = max((end for end in ends if end is not None), default=None)
    columns: dict[str, Any] = {
        name: np.concatenate([held[name] for held in answers]) for name in (answers[0].columns if answers else ())
    }
    t_s = np.concatenate([held.t_s for held in answers]) if answers else np.empty(0)
    defects = tuple(defect for part in parts for defect in part.defects)
    duration_s = None if last_s is None else last_s - start_s
    return Part({}, start_s, duration_s, {}, {"answer": Stream("answer", t_s, columns)}, defects=defects)


def _answers(table: Table, item: str, shown_s: float) -> Stream:
    t_s = table.seconds("tsAnswer")
    shown_at_s = table.seconds("tsDisplay") if "tsDisplay" in table else np.full(t_s.size, shown_s)
    columns = {"item": np.full(t_s.size, item), "value": table.numbers("answer"), "shown_at_s": shown_at_s}
    return Stream("answer", t_s, columns)


def read_pedometer(table: Table) -> Stream:
    """Read the pedometer's intervals. Their begins and ends are instants like all others, declared without unit."""
    columns: dict[str, Any] = {"steps": table.numbers("numberOfSteps")}
    if "endDate" in table:
        columns["end_at_s"] = table.seconds("endDate", NO_UNIT)
    for theirs, ours, unit in PEDOMETER:
        if theirs in table:
            if table.units[theirs] != unit:
                raise UnitInvalid(f"the unit of {theirs} is {table.units[theirs]!r}; expected {unit!r}", at=table.at)
            columns[ours] = table.numbers(theirs)
    return Stream("pedometer", table.seconds("startDate", NO_UNIT), columns)
