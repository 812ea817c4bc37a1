"""The typing test of Konectom 2: the words that were shown, and the keys that were typed."""

from __future__ import annotations

import numpy as np

from konectom.formats.konectom2.level import Level
from konectom.recording import Part, Stream


def typing(levels: list[Level]) -> dict[str, list[Part]]:
    """Typing of words; one level."""
    parts = []
    for level in levels:
        events = level.take("word", "word", read_words) | level.take("key", "key_typed", read_keys)
        parts.append(level.part({}, level.sensors(), events))
    return {"typing": parts}


def read_words(level: Level, table: str) -> Stream:
    """Read the words; the ``level`` of a word is the time given for it, whose unit is s although told as ms."""
    t_s = level.seconds(table, "appearance_timestamp", all_told=False)
    columns = {
        "word": level.texts(table, "word"),
        "limit": level.numbers(table, "level"),
        "ends_at_s": level.seconds(table, "disappearance_timestamp", all_told=False),
        "right": level.numbers(table, "success"),
    }
    return level.stream(table, "word", t_s, columns, {}).where(np.isfinite(t_s))


def read_keys(level: Level, table: str) -> Stream:
    """Read the keys and the input that each led to."""
    t_s = level.seconds(table, "timestamp_out", all_told=False)
    columns = {"key": level.texts(table, "key"), "input": level.texts(table, "displayed_input")}
    return level.stream(table, "key", t_s, columns, {}).where(np.isfinite(t_s))
