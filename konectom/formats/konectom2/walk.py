"""Where the phone was while walking, as Konectom 2 tells it: in metres, or in degrees in its first versions."""

from __future__ import annotations

from typing import Any

from konectom.errors import UnitInvalid
from konectom.formats._positions import metres
from konectom.formats._units import unit_of
from konectom.formats.konectom2.level import Level
from konectom.recording import Stream


def read_positions(level: Level, table: str) -> Stream:
    """Read the positions, with the radius of their uncertainty where it is told."""
    columns: dict[str, Any] = {}
    if level.has(table, "distance_x"):
        for axis in ("x", "y"):
            name = f"distance_{axis}"
            unit = unit_of(level.unit(table, name), "position on the ground", level.place(table, name))
            columns[axis] = level.numbers(table, name) * unit.factor
    else:
        columns["x"], columns["y"] = metres(_degrees(level, table, "latitude"), _degrees(level, table, "longitude"))
    if level.has(table, "horizontal_accuracy") and level.unit(table, "horizontal_accuracy") == "m":
        columns["accuracy_m"] = level.numbers(table, "horizontal_accuracy")
    return level.stream(table, "gps", level.seconds(table, "timestamp"), columns, {"x": "m", "y": "m"})


def _degrees(level: Level, table: str, name: str) -> Any:
    unit = level.unit(table, name)
    if unit not in ("degree", "deg"):
        raise UnitInvalid(f"the unit of {table}.{name} is {unit!r}; expected 'degree'", at=level.place(table, name))
    return level.numbers(table, name)
