"""The grip test of Konectom 1: eight levels for each hand, one for each pressure asked for, told as one part a hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from konectom.errors import FieldInvalid
from konectom.formats._streams import KINDS
from konectom.formats.ads.level import TOUCH_PHASES, Level, Table
from konectom.recording import Part, Stream

HANDS = ("left", "right")


def grip(levels: list[Level]) -> dict[str, list[Part]]:
    """Thumb pressure on the screen."""
    held: dict[str, list[Part]] = {}
    for level in levels:
        hand = str(level.context.get("usedHand"))
        if hand not in HANDS:
            raise FieldInvalid(f"no such usedHand: {hand[:40]!r}", at=f"{level.at}/contexts")
        part = level.part({"hand": hand}, level.sensors() | level.take("touch", "screen", read_thumb), {})
        held.setdefault(hand, []).append(_with_target(part, level))
    return {"grip": [_joined(parts) for parts in held.values()]}


def read_thumb(table: Table) -> Stream:
    """Read the thumb on the screen: where it was and how hard it pressed."""
    columns: dict[str, Any] = {}
    kept_as: dict[str, str] = {}
    for axis in ("x", "y"):
        columns[axis], kept_as[axis] = table.measured(f"{axis}ThumbPosition", KINDS["touch"].dimension)
    if "touchAction" in table:
        columns["phase"] = table.texts("touchAction", TOUCH_PHASES)
    columns["pressure"] = table.numbers("pressure")
    return Stream("touch", table.seconds("tsTouch"), columns, kept_as)


def _with_target(part: Part, level: Level) -> Part:
    """Return the part with the event that a pressure was asked for, and until when."""
    try:
        pressure = float(level.context["targetPressure"])
    except (KeyError, TypeError, ValueError):
        pressure = float("nan")
    end_s = float("nan") if part.end_s is None else part.end_s
    columns = {"pressure": np.array([pressure]), "ends_at_s": np.array([end_s])}
    target = Stream("target", np.array([part.start_s]), columns)
    return Part(part.condition, part.start_s, part.duration_s, part.streams, {"target": target}, defects=part.defects)


def _joined(parts: list[Part]) -> Part:
    """Return the levels of a hand one after the other; a stream that only some of them have keeps what there is."""
    parts = sorted(parts, key=lambda part: part.start_s)
    names = dict.fromkeys(name for part in parts for name in part.streams)
    streams = {
        name: _end_to_end([part.streams[name] for part in parts if len(part.streams.get(name, ()))]) for name in names
    }
    ends = [part.end_s for part in parts if part.end_s is not None]
    return Part(
        parts[0].condition,
        parts[0].start_s,
        max(ends) - parts[0].start_s if len(ends) == len(parts) else None,
        {name: stream for name, stream in streams.items() if stream is not None},
        {"target": _end_to_end([part.events["target"] for part in parts])},  # type: ignore[dict-item]
        defects=tuple(defect for part in parts for defect in part.defects),
    )


def _end_to_end(streams: list[Stream]) -> Stream | None:
    if not streams:
        return None
    shared = [column for column in streams[0].columns if all(column in stream for stream in streams)]
    columns = {column: np.concatenate([stream[column] for stream in streams]) for column in shared}
    return Stream(streams[0].name, np.concatenate([stream.t_s for stream in streams]), columns, streams[0].units)
