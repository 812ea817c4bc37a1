"""Clinical scales, one file per scale or family. The registry finds them: every module here that holds a scale.

::

    find_scale("t25fw").score({"trial_1": {"value": 5.1, "unit": "s"}}).values    # {"time": 5.1, "speed": 1.494…}

``base.py`` tells what a scale declares and what comes of its values.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from konectom.errors import ScaleUnknown
from konectom.scoring.scales.base import Alarm, Band, Component, Notice, Quantity, Scale, Scored

__all__ = [
    "Alarm",
    "Band",
    "Component",
    "Notice",
    "Quantity",
    "Scale",
    "Scored",
    "every_scale",
    "find_scale",
    "loinc_codes",
]


@cache
def every_scale() -> dict[str, Scale]:
    """Return all scales by code, in order of code."""
    modules = [
        import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__)
        if not found.name.startswith("_") and found.name != "base"
    ]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Scale)]
    if len({each.code for each in found}) != len(found):
        raise ValueError(f"two scales share a code: {sorted(each.code for each in found)}")
    return {each.code: each for each in sorted(found, key=lambda each: each.code)}


def find_scale(code: str) -> Scale:
    """Return the scale ``code``, or raise :class:`ScaleUnknown`."""
    try:
        return every_scale()[code]
    except KeyError:
        known = ", ".join(every_scale())
        raise ScaleUnknown(f"there is no scale {code[:40]!r}; there are: {known}", at="/code") from None


@cache
def loinc_codes() -> dict[str, tuple[str, str]]:
    """Return each LOINC code that is known, with the scale's code and the component's name.

    The name is "" where the code is that of the scale as a whole.
    """
    whole = {each.loinc: (each.code, "") for each in every_scale().values() if each.loinc}
    parts = {
        part.loinc: (each.code, part.name) for each in every_scale().values() for part in each.components if part.loinc
    }
    if len(whole) + len(parts) != len(whole | parts):
        raise ValueError("a LOINC code stands for two things")
    return whole | parts
