"""Bubble pinching in Konectom 1: a level for each bubble, which become a part for each hand.

Sensors and touches were recorded only while a bubble was shown. Up to version 0.2.8 the app sent the bubble's diameter
as its radius.
"""

from __future__ import annotations

import numpy as np

from konectom.formats.ads.level import Level, Table, read_touches
from konectom.recording import Part, Stream

LAST_WITH_DIAMETER = (0, 2, 8)
SIZES = ("small", "medium", "large", "extra_large")
SIZE_FROM_PT = (50.0, 65.0, 80.0, 95.0)
LARGEST_PT = 105.0
FINGERS_A_LEVEL = 1e6
"""Every level counts its fingers from 0; no level has more."""


def pinch(levels: list[Level]) -> dict[str, list[Part]]:
    """Bubble pinching, both hands one after the other."""
    found = [(str(level.context.get("usedHand")), level) for level in levels]
    parts = []
    for hand in dict.fromkeys(hand for hand, _ in found):
        shown = [_bubble_part(level) for of, level in found if of == hand]
        parts.append(_joined({"hand": hand}, sorted(shown, key=lambda part: part.start_s)))
    return {"pinch": parts}


def _bubble_part(level: Level) -> Part:
    """Return one bubble with what was recorded while it was shown."""
    streams = {name: stream for name, stream in _streams(level).items() if len(stream)}
    part = level.part({}, streams, {})
    end_s = np.nan if part.end_s is None else part.end_s
    touch = streams.get("touch")
    burst = touch is not None and "led_to_success" in touch and bool((touch["led_to_success"] == 1).any())
    radius_pt = level.context_number("targetRadius") / (2.0 if _sends_diameter(level.app) else 1.0)
    columns = {
        "x": np.array([level.context_number("xTargetBall")]),
        "y": np.array([level.context_number("yTargetBall")]),
        "radius": np.array([radius_pt]),
        "size": np.array([_size(radius_pt)]),
        "burst_at_s": np.array([end_s if burst else np.nan]),
        "gone_at_s": np.array([end_s]),
    }
    bubble = Stream("bubble", np.array([part.start_s]), columns, dict.fromkeys(("x", "y", "radius"), "pt"))
    return Part({}, part.start_s, part.duration_s, streams, {"bubble": bubble}, defects=part.defects)


def _streams(level: Level) -> dict[str, Stream]:
    return level.sensors() | level.take("touch", "screen", _read_touches)


def _read_touches(table: Table) -> Stream:
    """Read the touches with the app's judgement of them."""
    touch = read_touches(table)
    told = {"led_to_success": "ledToSuccess", "valid_pinch": "isValidPinch"}
    judged = {ours: table.truths(theirs) for ours, theirs in told.items() if theirs in table}
    return Stream(touch.name, touch.t_s, dict(touch.columns) | judged, touch.units)


def _sends_diameter(app: str | None) -> bool:
    numbers = (app or "").split(".")
    if not all(number.isdigit() for number in numbers):
        return False
    return tuple(int(number) for number in numbers) <= LAST_WITH_DIAMETER


def _size(radius_pt: float) -> str:
    if not SIZE_FROM_PT[0] <= radius_pt <= LARGEST_PT:
        return ""
    return SIZES[int(np.searchsorted(SIZE_FROM_PT, radius_pt, side="right")) - 1]


def _joined(condition: dict[str, str], shown: list[Part]) -> Part:
    """Return one part that holds the streams and events of several, one after the other."""
    ends_s = [part.end_s for part in shown]
    start_s = shown[0].start_s
    last_s = max((end_s for end_s in ends_s if end_s is not None), default=None)
    names = dict.fromkeys(name for part in shown for name in part.streams)
    fingers = [
        _with_finger(part.streams["touch"], number) for number, part in enumerate(shown) if "touch" in part.streams
    ]
    streams = {
        name: _end_to_end(fingers if name == "touch" else [p.streams[name] for p in shown if name in p.streams])
        for name in names
    }
    return Part(
        condition,
        start_s,
        None if last_s is None or None in ends_s else last_s - start_s,
        streams,
        {"bubble": _end_to_end([part.events["bubble"] for part in shown])},
        defects=tuple(defect for part in shown for defect in part.defects),
    )


def _with_finger(touch: Stream, number: int) -> Stream:
    if "finger" not in touch:
        return touch
    told = {"finger": touch["finger"] + number * FINGERS_A_LEVEL}
    return Stream(touch.name, touch.t_s, dict(touch.columns) | told, touch.units)


def _end_to_end(streams: list[Stream]) -> Stream:
    """Return the rows of all streams under the columns that each of them has."""
    common = [name for name in streams[0].columns if all(name in stream for stream in streams)]
    columns = {name: np.concatenate([stream[name] for stream in streams]) for name in common}
    return Stream(streams[0].name, np.concatenate([stream.t_s for stream in streams]), columns, streams[0].units)
