"""Konectom 2's tasks: which of our assessments each is, and how its levels become parts.

A task is one function from the levels to recordings' parts, entered in :data:`TASKS` under the name that the header's
``schema_id`` gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from konectom.errors import FieldInvalid
from konectom.formats._shared import named
from konectom.formats.konectom2 import surveys
from konectom.formats.konectom2.draw import draw
from konectom.formats.konectom2.level import Level, keys_of, read_instructions, read_touches
from konectom.formats.konectom2.pinch import pinch
from konectom.formats.konectom2.typing import typing
from konectom.formats.konectom2.voice import voice
from konectom.formats.konectom2.walk import read_positions
from konectom.recording import FloatArray, Part, Stream

SYMBOLS, DIGITS = "symbol-to-digit", "digit-to-digit"
KEYS = {1: "fixed_1", 2: "fixed_2", 3: "random", 4: "fixed_3"}
"""The key of a symbol level by ``reference_table_type``: 1, 2 and 4 are fixed, 3 changes with each symbol."""

ZONES = {
    "left": "left",
    "right": "right",
    "leftzone": "left",
    "rightzone": "right",
    "none": "none",
    "": "none",
}

Parts = dict[str, list[Part]]


def _configured(level: Level, name: str, allowed: Mapping[Any, str]) -> str:
    """Return our word for a configured value."""
    value = level.configuration.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or value not in allowed:
        raise FieldInvalid(f"no such {name}: {named(value)}", at=f"{level.at}/configuration/{name}")
    return allowed[value]


def cps(levels: list[Level]) -> Parts:
    """Symbol-digit and digit-digit levels; the app draws the symbols at random."""
    parts = []
    for level in levels:
        mode = _configured(level, "mode", {SYMBOLS: "symbol_to_digit", DIGITS: "digit_to_digit"})
        condition = {"mode": mode, "sequence": "random"}
        # Without the type the answers still tell their own keys; which of the known ones it is, stays unsaid.
        if mode == "symbol_to_digit" and level.configuration.get("reference_table_type") is not None:
            condition["key"] = _configured(level, "reference_table_type", KEYS)
        streams = level.sensors() | level.take("touch", "touch_events", read_touches)
        parts.append(level.part(condition, streams, level.take("answer", "activity_sequence", read_answers)))
    return {"cps": parts}


def tap(levels: list[Level]) -> Parts:
    """Alternate finger tapping, a level for each hand."""
    parts = []
    for level in levels:
        condition = {"hand": _configured(level, "hand", {"left": "left", "right": "right"})}
        streams = level.sensors() | level.take("touch", "touch_events", read_touches)
        parts.append(level.part(condition, streams, level.take("tap", "tap_events", read_taps)))
    return {"tap": parts}


def pronation(levels: list[Level]) -> Parts:
    """Turning of the forearm, a level for each hand."""
    hands = {"left": "left", "right": "right"}
    return {
        "pronation": [level.part({"hand": _configured(level, "hand", hands)}, level.sensors(), {}) for level in levels]
    }


def balance_and_u_turn(levels: list[Level]) -> Parts:
    """Two tests that are performed in one go, the phone in a belt. A level that is neither costs none of them."""
    held: Parts = {}
    for level in levels:
        try:
            name = _configured(level, "mode", {"static-balance": "balance", "u-turn": "u_turn"})
        except FieldInvalid as error:
            level.fault = error
            continue
        instructions = level.take("instruction", "voice_instructions", read_instructions)
        held.setdefault(name, []).append(level.part({"placement": "belt"}, level.sensors(), instructions))
    return held


def walk(levels: list[Level]) -> Parts:
    """Walk for six minutes, the phone in a belt."""
    parts = []
    for level in levels:
        streams = level.sensors() | level.take("gps", "gps", read_positions)
        instructions = level.take("instruction", "voice_instructions", read_instructions)
        parts.append(level.part({"protocol": "6mwt", "placement": "belt"}, streams, instructions))
    return {"walk": parts}


TASKS: dict[str, Callable[[list[Level]], Parts]] = {
    "cps-activity": cps,
    "drawing-activity": draw,
    "fingertap-activity": tap,
    "pinch-activity": pinch,
    "sp-activity": pronation,
    "typing-activity": typing,
    "typing": typing,
    "voice-activity": voice,
    "sbut-activity": balance_and_u_turn,
    "sbtUtt-activity": balance_and_u_turn,
    "mood-activity": surveys.mood,
    "msis29-activity": surveys.msis29,
    "neuroqol-activity": surveys.neuroqol,
    "pdq39-activity": surveys.pdq39,
    "alsfrs-activity": surveys.alsfrs_r,
    "6mw-activity": walk,
    "6mwt-activity": walk,
}


def read_answers(level: Level, table: str) -> Stream:
    """Read the answers of a level; a symbol that was shown but not answered is left out."""
    shown, response = level.numbers(table, "presented_symbol"), level.numbers(table, "response")
    columns = {
        "shown_at_s": level.seconds(table, "presented_symbol_timestamp"),
        "shown": shown,
        "expected": shown,
        "answered": response,
    }
    if level.configuration.get("mode") == SYMBOLS:
        # The app stores the symbol whose digit was pressed, not the digit.
        keys = keys_of(level.column(table, "reference_table"), len(shown), level.place(table, "reference_table"))
        columns |= {"expected": _digits(keys, shown), "answered": _digits(keys, response), "answered_as": response}
    t_s = level.seconds(table, "response_timestamp", all_told=False)
    answered = np.isfinite(t_s) & np.isfinite(response)
    return level.stream(table, "answer", t_s, columns, {}).where(answered)


def _digits(keys: FloatArray, symbols: FloatArray) -> FloatArray:
    """Return each symbol's digit: its place in the key then in force, NaN where it is not in it."""
    found = keys == symbols[:, None]
    return np.where(found.any(axis=1), found.argmax(axis=1) + 1.0, np.nan)


def read_taps(level: Level, table: str) -> Stream:
    """Read the taps as the app counted them: when, and on which of the two targets."""
    places = level.texts(table, "location", tuple(ZONES))
    zones = np.array([ZONES[place] for place in places], dtype=np.str_) if len(places) else places
    return level.stream(table, "tap", level.seconds(table, "timestamp"), {"zone": zones}, {})
