"""What the readers of foreign formats share: the texts, sizes and ids of a header that may hold anything."""

from __future__ import annotations

from typing import Any
from uuid import UUID

LONGEST_WORD = 200
_LARGEST_SIZE = 1e6


def word(value: Any) -> str | None:
    """Return a text or number as a text of at most 200 characters, None for whatever else stands there."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)[:LONGEST_WORD] or None


def size(value: Any) -> float | None:
    """Return a size of the screen, None where it is no number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _LARGEST_SIZE:
        return None
    return float(value)


def number(value: Any) -> float:
    """Return a number, or a text of one, as float; NaN for whatever else stands there."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return float("nan")
    try:
        return float(value)
    except ValueError:
        return float("nan")


def identifier(value: Any) -> UUID | None:
    """Return a text as UUID, None where it is none."""
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def named(value: Any) -> str:
    """Return how a message names a value that was sent: texts by their begin, structures by their kind alone.

    The values that were sent may be nested too deeply for ``repr``.
    """
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return repr(value[:40] if isinstance(value, str) else value)


def offset_s(starts_s: list[float], lead_s: float) -> float:
    """Return when a recording began after its session did, which began ``lead_s`` after the recording's clock.

    A part that does not tell its begin starts with the clock: the recording then begins with the session.
    """
    first_s = min(starts_s, default=0.0)
    return first_s - lead_s if first_s else 0.0
