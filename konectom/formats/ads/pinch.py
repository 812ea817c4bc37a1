"""Bubble pinching in Konectom 1: a level for each bubble, which become a part for each hand.

Sensors and touches were recorded only while a bubble was shown. Up to version 0.2.8 the app sent the bubble's diameter
as its radius.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from konectom.formats.ads.level import Level, Table, joined, read_touches
from konectom.recording import FloatArray, Part, Stream

LAST_WITH_DIAMETER = (0, 2, 8)
SIZES = ("small", "medium", "large", "extra_large")
SIZE_FROM_PT = (50.0, 65.0, 80.0, 95.0)
LARGEST_PT = 105.0
FINGERS_A_LEVEL = 1e6
"""Every level counts its fingers from 0; none has more."""


def pinch(levels: list[Level]) -> dict[str, list[Part]]:
    """Bubble pinching, both hands one after the other."""
    hands: dict[str, list[Level]] = {}
    for level in sorted(levels, key=lambda level: level.start_s):
        hands.setdefault(str(level.context.get("usedHand")), []).append(level)
    return {"pinch": [_part(hand, shown) for hand, shown in hands.items()]}


def _part(hand: str, shown: list[Level]) -> Part:
    """Return one hand's levels, each of which shows a bubble, as one part."""
    every = joined(shown)
    streams = every.sensors() | every.take("touch", "screen", _read_touches)
    burst, gone_s = np.zeros(len(shown), dtype=np.bool_), np.array([level.end_s for level in shown])
    if "touch" in streams:
        touch = streams["touch"]
        level = np.repeat(np.arange(len(shown)), [len(each.rows("screen")) for each in shown])
        # What a level holds belongs to its bubble, should the level have ended a moment before.
        np.fmax.at(gone_s, level, touch.t_s)
        columns = dict(touch.columns)
        if "finger" in columns:
            columns["finger"] = touch["finger"] + level * FINGERS_A_LEVEL
        if "led_to_success" in columns:
            burst[level[touch["led_to_success"] == 1]] = True
        streams["touch"] = Stream(touch.name, touch.t_s, columns, touch.units)
    return every.part({"hand": hand}, streams, {"bubble": _bubbles(shown, burst, gone_s)})


def _bubbles(shown: list[Level], burst: NDArray[np.bool_], gone_s: FloatArray) -> Stream:
    per_radius = 2.0 if _sends_diameter(shown[0].app) else 1.0
    radius_pt = np.array([level.number("targetRadius") for level in shown]) / per_radius
    columns = {
        "x": np.array([level.number("xTargetBall") for level in shown]),
        "y": np.array([level.number("yTargetBall") for level in shown]),
        "radius": radius_pt,
        "size": np.array([_size(each) for each in radius_pt.tolist()]),
        "burst_at_s": np.where(burst, gone_s, np.nan),
        "gone_at_s": gone_s,
    }
    start_s = np.array([level.start_s for level in shown])
    return Stream("bubble", start_s, columns, dict.fromkeys(("x", "y", "radius"), "pt"))


def _read_touches(table: Table) -> Stream:
    """Read the touches with the app's judgement of them."""
    touch = read_touches(table)
    told = {"led_to_success": "ledToSuccess", "valid_pinch": "isValidPinch"}
    judged = {ours: table.truths(theirs) for ours, theirs in told.items() if theirs in table}
    return Stream(touch.name, touch.t_s, dict(touch.columns) | judged, touch.units)


def _sends_diameter(app: str | None) -> bool:
    numbers = re.match(r"\d+(\.\d+)*", app or "")
    return numbers is not None and tuple(map(int, numbers[0].split("."))) <= LAST_WITH_DIAMETER


def _size(radius_pt: float) -> str:
    if not SIZE_FROM_PT[0] <= radius_pt <= LARGEST_PT:
        return ""
    return SIZES[sum(radius_pt >= edge for edge in SIZE_FROM_PT) - 1]
