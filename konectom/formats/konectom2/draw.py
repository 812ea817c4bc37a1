"""Konectom 2's drawing test: a level for each figure, hand and attempt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from konectom.errors import ColumnInvalid, FieldInvalid
from konectom.formats._columns import numbers
from konectom.formats.konectom2.level import Level, epoch_ms, read_touches
from konectom.recording import Part, Stream

SHAPES = {
    "rectangle_clockwise": "square_clockwise",
    "rectangle_counter_clockwise": "square_counter_clockwise",
    "infinity_loop": "infinity",
    "spiral": "spiral",
}
HANDS = {"left": "left", "right": "right"}
ATTEMPTS = ("first", "second")
FIGURE = "target_figure_position_xy"


def draw(levels: list[Level]) -> dict[str, list[Part]]:
    """Drawing squares both ways, an infinity and a spiral; attempts are counted in the order of the file."""
    parts: list[Part] = []
    attempts: Counter[tuple[str, str]] = Counter()
    for level in levels:
        shape, hand = _configured(level, "drawing_figure_name", SHAPES), _configured(level, "drawing_hand", HANDS)
        attempts[shape, hand] += 1
        condition = {"hand": hand, "shape": shape, "attempt": attempt(attempts[shape, hand])}
        streams = level.sensors() | level.take("touch", "touch_events", read_touches)
        shown = {name: stream for name, stream in _events(level).items() if stream is not None}
        part = level.part(condition, streams, shown)
        parts.append(replace(part, answers={"clock_utc_s": level.clock_utc_s}))
    return {"draw": parts}


def attempt(count: int) -> str:
    """Return what the ``count``-th attempt (from 1) is called."""
    return ATTEMPTS[count - 1] if count <= len(ATTEMPTS) else str(count)


def _configured(level: Level, name: str, allowed: Mapping[str, str]) -> str:
    value = level.configuration.get(name)
    if not isinstance(value, str) or value not in allowed:
        raise FieldInvalid(f"no such {name}: {str(value)[:40]!r}", at=f"{level.at}/configuration/{name}")
    return allowed[value]


def _events(level: Level) -> dict[str, Stream | None]:
    return {"target": level.noting("target", _target), "finish": level.noting("finish", _finish)}


def _target(level: Level) -> Stream | None:
    """Read the figure. Its positions are declared in px, but given in points, like the touches'.

    On every phone seen (375 by 667, 375 by 812 and 390 by 844 points, two or three pixels each) the figure stands in
    the middle of the screen's width in points, and is traced there.
    """
    told = level.configuration.get(FIGURE)
    if told is None:
        return None
    at = f"{level.at}/configuration/{FIGURE}"
    if not isinstance(told, list) or not set(map(type, told)) <= {list} or not set(map(len, told)) <= {2}:
        raise ColumnInvalid("the figure is a list of positions x, y", at=at)
    x, y = numbers(list(chain.from_iterable(told)), at).reshape(-1, 2).T
    return Stream("target", np.zeros(len(told)), {"point": np.arange(len(told), dtype=np.float64), "x": x, "y": y})


def _finish(level: Level) -> Stream | None:
    """Read when the figure's end was reached: no row where the app tells that it was not."""
    completed: Any = level.configuration.get("drawing_figure_completed")
    if not isinstance(completed, bool):
        return None
    stamp = epoch_ms(level.configuration.get("finger_press_out_timestamp")) if completed else None
    known = [level.on_clock(stamp)] if stamp is not None else [0.0] if completed else []
    return Stream("finish", np.array(known, dtype=np.float64), {})
