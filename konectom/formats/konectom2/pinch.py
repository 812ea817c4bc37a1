"""Bubble pinching in Konectom 2: a level for each hand, with a table of the bubbles and one of the pinches.

The touches themselves do not tell which of them burst a bubble: that stands in the table of pinches, by the time at
which the first finger came down. From the first finger's coming down to the second's lifting the app counts the bubble
as pinched; for a pinch that burst it, it does not tell the end.
"""

from __future__ import annotations

import numpy as np

from konectom.formats.konectom2.level import UNIT_NAMES, Level, read_touches
from konectom.recording import Part, Stream
from konectom.signals.touches import interval_of, touch_paths

SIZES = ("small", "medium", "large", "extra_large")
"""The sizes in the order of ``radius_level``, which counts from 0 in older versions of the app and from 1 in newer."""


def pinch(levels: list[Level]) -> dict[str, list[Part]]:
    """Bubble pinching, a level for each hand."""
    return {"pinch": [_part(level, _first_radius_level(levels)) for level in levels]}


def _part(level: Level, first_radius_level: float) -> Part:
    hand = level.configuration.get("hand")
    streams = level.sensors() | level.take("touch", "touch_events", read_touches)
    bubbles = level.take("bubble", "balls", lambda level, table: read_bubbles(level, table, first_radius_level))
    pinches = level.take("pinch", "pinches", read_pinches)
    if "touch" in streams and bubbles and pinches:
        streams["touch"] = _judged(streams["touch"], bubbles["bubble"], pinches["pinch"])
    return level.part({"hand": str(hand)}, streams, bubbles)


def _first_radius_level(levels: list[Level]) -> float:
    """Return whether this version of the app counts the sizes from 0 or from 1."""
    for level in levels:
        held = level.raw.get("balls")
        told = held.get("radius_level") if isinstance(held, dict) else None
        if isinstance(told, list) and 0 in told:
            return 0.0
    return 1.0


def read_bubbles(level: Level, table: str, first_radius_level: float) -> Stream:
    """Read the bubbles: when each appeared and burst, where, how large."""
    number = level.numbers(table, "radius_level") - first_radius_level
    known = np.isin(number, np.arange(len(SIZES)))
    size = np.array([*SIZES, ""])[np.where(known, number, len(SIZES)).astype(np.intp)]
    columns = {
        "x": level.numbers(table, "center_x"),
        "y": level.numbers(table, "center_y"),
        "radius": level.numbers(table, "radius"),
        "size": size,
        "burst_at_s": level.seconds(table, "burst_timestamp", all_told=False),
    }
    units = {
        ours: UNIT_NAMES.get(unit, unit)
        for ours, theirs in (("x", "center_x"), ("y", "center_y"), ("radius", "radius"))
        if (unit := level.unit(table, theirs)) is not None
    }
    return level.stream(table, "bubble", level.seconds(table, "appearance_timestamp"), columns, units)


def read_pinches(level: Level, table: str) -> Stream:
    """Read the pinches: when the first finger came down, whether the bubble burst, when the second finger lifted."""
    successful = level.column(table, "successful")
    columns = {
        "successful": np.array([value is True for value in successful], dtype=np.float64),
        "released_at_s": level.seconds(table, "second_finger_press_out_timestamp", all_told=False),
    }
    return level.stream(table, "pinch", level.seconds(table, "first_finger_press_in_timestamp"), columns, {})


def _judged(touch: Stream, bubbles: Stream, pinches: Stream) -> Stream:
    """Return the touches with what the table of pinches tells: which led to success, when the bubble was pinched.

    A touch goes by the last pinch on its bubble that had begun by then; before any, the app counts it as a success.
    """
    path = touch_paths(touch)
    appeared_s, burst_at_s = bubbles.t_s, bubbles["burst_at_s"]
    bubble = interval_of(path.touches.begin_s, appeared_s, burst_at_s)[path.contact]
    of = interval_of(pinches.t_s, appeared_s, burst_at_s)
    order = np.lexsort((pinches.t_s, of))
    of, successful = of[order], pinches["successful"][order]
    released_s = np.nan_to_num(pinches["released_at_s"][order], nan=-np.inf)
    # Times by their rank, a bubble's number before any time: one search and one running maximum serve all bubbles.
    times, rank = np.unique(np.concatenate([pinches.t_s[order], released_s, path.t_s]), return_inverse=True)
    began, released, now = np.split(rank, [of.size, 2 * of.size])
    latest = np.maximum.accumulate(of * times.size + released) - of * times.size
    at = np.searchsorted(of * times.size + began, bubble * times.size + now, side="right") - 1
    begun = (at >= 0) & (bubble >= 0)
    begun[begun] = of[at[begun]] == bubble[begun]
    led, pinched = np.zeros(len(touch)), np.zeros(len(touch))
    led[path.row] = np.where(begun, successful[at] if len(pinches) else 0.0, bubble >= 0)
    pinched[path.row[begun]] = now[begun] <= latest[at[begun]]
    judged = {"led_to_success": led, "valid_pinch": pinched}
    return Stream(touch.name, touch.t_s, dict(touch.columns) | judged, touch.units)
