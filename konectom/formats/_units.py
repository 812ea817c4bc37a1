"""The units that formats declare, and the SI unit that each becomes."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

from konectom.errors import UnitInvalid, UnitMissing
from konectom.formats._shared import named
from konectom.recording import STANDARD_GRAVITY_MPS2


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of the wire: what it measures, the unit in which it is kept, and the factor between them."""

    dimension: str
    kept_as: str
    factor: float


UNITS = {
    "m/s2": Unit("acceleration", "m/s2", 1.0),
    "g": Unit("acceleration", "m/s2", STANDARD_GRAVITY_MPS2),
    "rad/s": Unit("angular velocity", "rad/s", 1.0),
    "deg/s": Unit("angular velocity", "rad/s", pi / 180),
    "T": Unit("magnetic flux density", "T", 1.0),
    "uT": Unit("magnetic flux density", "T", 1e-6),
    "m": Unit("position on the ground", "m", 1.0),
    "mm": Unit("position on the screen", "mm", 1.0),
    "pt": Unit("position on the screen", "pt", 1.0),
    "px": Unit("position on the screen", "px", 1.0),
    "1": Unit("sound", "1", 1.0),
}
"""Units by their name on the wire. Positions keep their unit: only the screen knows its pixels' size."""


def unit_of(name: object, dimension: str, at: str) -> Unit:
    """Return the unit ``name``; raise where it is missing, unknown, or measures something else."""
    if name is None or name == "":
        raise UnitMissing(f"the unit of this {dimension} is missing; say one of: {_fitting(dimension)}", at=at)
    unit = UNITS.get(name) if isinstance(name, str) else None
    if unit is None or unit.dimension != dimension:
        raise UnitInvalid(
            f"{named(name)} is no unit of {dimension} known here; use one of: {_fitting(dimension)}", at=at
        )
    return unit


def _fitting(dimension: str) -> str:
    return ", ".join(name for name, unit in UNITS.items() if unit.dimension == dimension)
