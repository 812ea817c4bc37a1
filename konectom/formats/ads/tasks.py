"""Konectom 1's tasks: which of our assessments each is, and how its levels become parts.

A task is one function from the levels to recordings' parts, entered in :data:`TASKS` under its ``code``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from konectom.errors import ColumnInvalid, FieldInvalid
from konectom.formats._shared import named
from konectom.formats.ads import surveys
from konectom.formats.ads.draw import draw
from konectom.formats.ads.grip import grip
from konectom.formats.ads.level import Level, Table, read_touches
from konectom.formats.ads.pinch import pinch
from konectom.recording import FloatArray, Part, Stream

Parts = dict[str, list[Part]]

KEYS = {"predefinedKey1": "fixed_1", "predefinedKey2": "fixed_2", "predefinedKey3": "fixed_3", "randomKey": "random"}
SEQUENCES = {"predefinedSequence": "predefined", "randomSequence": "random"}
CPS_MODES = {"digitToSymbol": "symbol_to_digit", "symbolToDigit": "symbol_to_digit", "digitToDigit": "digit_to_digit"}
"""The symbol level's type is called the wrong way round in the files."""


def cps(levels: list[Level]) -> Parts:
    """Symbol-digit and digit-digit levels."""
    parts = []
    for level in levels:
        mode = _told(level, "levelType", CPS_MODES)
        condition = {"mode": mode} | {
            name: word
            for name, words in (("sequence", SEQUENCES), ("key", KEYS if mode == "symbol_to_digit" else {}))
            for told, word in words.items()
            if level.is_true(told)
        }
        streams = level.sensors() | level.take("touch", "screen", read_touches)
        parts.append(level.part(condition, streams, level.take("answer", "userInput", read_answers)))
    return {"cps": parts}


def balance_and_u_turn(levels: list[Level]) -> Parts:
    """Two tests that are performed in one go, the phone in a belt. A level that is neither costs none of them."""
    held: Parts = {}
    for level in levels:
        try:
            name = _told(level, "levelType", {"sbt": "balance", "utt": "u_turn"})
        except FieldInvalid as error:
            level.fault = error
            continue
        held.setdefault(name, []).append(level.part({"placement": "belt"}, level.sensors(), {}))
    return held


def walk(levels: list[Level]) -> Parts:
    """Walk for six minutes, the phone in a belt."""
    condition = {"protocol": "6mwt", "placement": "belt"}
    return {
        "walk": [
            level.part(condition, level.sensors() | level.take("gps", "gps", read_positions), {}) for level in levels
        ]
    }


def _told(level: Level, name: str, words: Mapping[str, str]) -> str:
    """Return our word for what a context tells."""
    told = level.told(name)
    if told not in words:
        raise FieldInvalid(f"no such {name}: {named(told)}", at=f"{level.at}/contexts")
    return words[told]


TASKS: dict[str, Callable[[list[Level]], Parts]] = {
    "cps": cps,
    "drawing": draw,
    "pinch": pinch,
    "6mwt": walk,
    "gripForce": grip,
    "gripForce-test": grip,
    "sbtUtt": balance_and_u_turn,
    "mood": surveys.mood,
    "msis29": surveys.msis29,
    "passive": surveys.passive,
}


def read_answers(table: Table) -> Stream:
    """Read the answers of a level of the symbol-digit test."""
    columns: dict[str, Any] = {
        "shown_at_s": table.seconds("tsDisplay"),
        "expected": table.numbers("displayedValue"),
        "answered": table.numbers("userValue"),
    }
    columns["shown"] = columns["expected"]
    if "displayedSymbol" in table:
        columns["shown"] = _symbols(table, "displayedSymbol")
        columns["answered_as"] = _symbols(table, "userSymbol")
    return Stream("answer", table.seconds("tsAnswer"), columns)


def _symbols(table: Table, name: str) -> FloatArray:
    """Return the numbers of symbols, which are called symbol1 to symbol9."""
    numbers = []
    for word in table.words(name):
        digits = word.lower().removeprefix("symbol")
        if digits and not (digits.isascii() and digits.isdigit()):
            raise ColumnInvalid(f"{named(word)} is no symbol", at=f"{table.at}/{name}")
        numbers.append(float(digits) if digits else np.nan)
    return np.array(numbers, dtype=np.float64)


def read_positions(table: Table) -> Stream:
    """Read the positions, with the radius of their uncertainty where it is told in metres."""
    columns: dict[str, Any] = {}
    kept_as: dict[str, str] = {}
    for axis in ("x", "y"):
        columns[axis], kept_as[axis] = table.measured(axis, "position on the ground")
    if table.units.get("horizontalAccuracy") == "m":
        columns["accuracy_m"] = table.numbers("horizontalAccuracy")
    return Stream("gps", table.seconds("ts"), columns, kept_as)
