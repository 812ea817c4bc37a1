"""One file per test. The registry finds them: every module here, and the entry points ``konectom.assessments``."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from konectom.assessments.base import Assessment
from konectom.errors import AssessmentUnknown

ENTRY_POINT_GROUP = "konectom.assessments"


@cache
def every_assessment() -> dict[str, Assessment]:
    """Return all assessments by name, in order of name."""
    modules = [
        import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__)
        if not found.name.startswith("_") and found.name != "base"
    ]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Assessment)]
    for point in entry_points(group=ENTRY_POINT_GROUP):
        loaded = point.load()
        if not isinstance(loaded, Assessment):
            raise TypeError(f"entry point {point.name} is not an Assessment")
        found.append(loaded)
    names = [each.name for each in found]
    if len(set(names)) != len(names):
        raise ValueError(f"two assessments share a name: {sorted(names)}")
    return {each.name: each for each in sorted(found, key=lambda each: each.name)}


def get_assessment(name: str) -> Assessment:
    """Return the assessment ``name``, or raise :class:`AssessmentUnknown`."""
    try:
        return every_assessment()[name]
    except KeyError:
        known = ", ".join(every_assessment())
        raise AssessmentUnknown(f"there is no assessment {name!r}; there are: {known}", at="/assessment") from None
