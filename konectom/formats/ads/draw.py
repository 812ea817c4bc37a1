"""Konectom 1's drawing test: a level for each figure, hand and attempt."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np

from konectom.errors import FieldInvalid
from konectom.formats.ads.level import Level, Table, read_touches
from konectom.formats.konectom2.draw import attempt
from konectom.recording import FloatArray, Part, Stream
from konectom.signals.figures import infinity, rectangle, spiral

SHAPES = {
    "squareClock": "square_clockwise",
    "squareCounterClock": "square_counter_clockwise",
    "infinity": "infinity",
    "spiral": "spiral",
}


def draw(levels: list[Level]) -> dict[str, list[Part]]:
    """Drawing squares both ways, an infinity and a spiral; the app draws each at its fixed place, in points."""
    parts: list[Part] = []
    attempts: Counter[tuple[str, str]] = Counter()
    for level in levels:
        shape, hand = SHAPES.get(str(level.context.get("levelType"))), str(level.context.get("usedHand"))
        if shape is None or hand not in ("left", "right"):
            told = f"{str(level.context.get('levelType'))[:40]!r} with the hand {hand[:40]!r}"
            raise FieldInvalid(f"no such drawing: {told}", at=f"{level.at}/contexts")
        attempts[shape, hand] += 1
        condition = {"hand": hand, "shape": shape, "attempt": attempt(attempts[shape, hand])}
        streams = level.sensors() | level.take("touch", "screen", _touches)
        x, y = figure(shape).T
        number = np.arange(x.size, dtype=np.float64)
        shown = {"target": Stream("target", np.zeros(x.size), {"point": number, "x": x.copy(), "y": y.copy()})}
        finish = level.take("finish", "screen", _finish)
        if finish and "known" in finish["finish"]:
            shown["finish"] = finish["finish"].where(finish["finish"]["known"] == 1.0)
        part = level.part(condition, streams, shown)
        parts.append(replace(part, answers={"clock_utc_s": level.clock_utc_s}))
    return {"draw": parts}


@cache
def figure(shape: str) -> FloatArray:
    """Return the figure of a level, (n, 2) in points."""
    if shape in ("infinity", "spiral"):
        return infinity() if shape == "infinity" else spiral()
    return rectangle(clockwise=shape == "square_clockwise")


def _touches(table: Table) -> Stream:
    """Read the touches; early versions of the app count y from the top upwards, so that all of it is negative."""
    touch = read_touches(table)
    y = touch["y"]
    if not (y < 0).any():
        return touch
    return Stream(touch.name, touch.t_s, dict(touch.columns) | {"y": -y}, touch.units)


def _finish(table: Table) -> Stream:
    """Read when the finger was in the figure's end zone, where the app tells."""
    if "inEndZone" not in table:
        return Stream("finish", np.empty(0), {})
    return Stream("finish", table.seconds("tsTouch"), {"known": table.truths("inEndZone")})
