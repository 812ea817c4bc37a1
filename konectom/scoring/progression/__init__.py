"""Confirmed worsening and improvement: named definitions, the events they find, and their relation to relapses."""

from konectom.scoring.progression.changes import Event, confirmed_changes
from konectom.scoring.progression.definition import (
    FIXED,
    Confirmation,
    Definition,
    Distance,
    Reference,
    Relapses,
    Span,
)
from konectom.scoring.progression.registry import DEFINITIONS, definitions_for, get_definition

__all__ = [
    "DEFINITIONS",
    "FIXED",
    "Confirmation",
    "Definition",
    "Distance",
    "Event",
    "Reference",
    "Relapses",
    "Span",
    "confirmed_changes",
    "definitions_for",
    "get_definition",
]
