"""JSON lists and held columns to numpy: fast where they are right, exact about where they are not."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konectom.errors import ColumnInvalid, LengthMismatch, TimeNotFinite, TooManySamples
from konectom.formats._held import Held
from konectom.recording import FloatArray

LONGEST_TEXT = 1000
"""No text in a column is longer: the longest sets the width of all."""

CHARACTERS_A_VALUE = 4
LARGEST = 1e20
"""No measurement, time or place is larger, nanoseconds since 1970 among them; its fourth power is a number still."""


class Room:
    """How many characters the texts of a body may still take, each as wide as its column's longest.

    What a body holds packed takes room as well once it is unpacked: each value as much as four characters.
    """

    def __init__(self, max_values: int) -> None:
        self._values = max_values
        self._most = self._left = max_values * CHARACTERS_A_VALUE

    def take(self, characters: int, at: str) -> None:
        """Take room; raise :class:`TooManySamples` where there is no more."""
        self._left -= characters
        if self._left < 0:
            raise TooManySamples(f"the texts take more than {self._most} characters in their columns", at=at)

    def take_values(self, values: int, at: str) -> None:
        """Take room for unpacked values; raise :class:`TooManySamples` where there is no more."""
        self._left -= values * CHARACTERS_A_VALUE
        if self._left < 0:
            raise TooManySamples(f"the body holds more than {self._values} values once it is unpacked", at=at)


def numbers(values: object, at: str, *, digits: bool = False, truths: bool = False) -> FloatArray:
    """Return a list of numbers as float64; ``null`` becomes NaN.

    With ``digits``, texts of digits count as numbers; with ``truths``, truth values do, as 1 and 0.
    """
    if isinstance(values, Held):
        return measurable(values.numbers(at), at)
    if not isinstance(values, list):
        raise ColumnInvalid(f"a column is a list of numbers, not {_kind(values)}", at=at)
    if not values:
        return np.empty(0)
    try:
        out = packed(values)
    except (struct.error, OverflowError):
        out = _slow_numbers(values, at, digits, truths)
        truths = True  # they were told apart
    if not truths:
        refuse_truths(values, out, at)
    return measurable(out, at)


def packed(values: list[Any]) -> FloatArray:
    """Return a list of numbers only as float64: raises struct.error or OverflowError where there is anything else.

    Of all ways into numpy this one is the fastest that is strict.
    """
    if type(values[0]) is int:
        try:  # time stamps: in half the time
            return np.frombuffer(struct.pack(f"{len(values)}q", *values), dtype=np.int64).astype(np.float64)
        except struct.error:
            pass  # a fraction among them
    return np.frombuffer(struct.pack(f"{len(values)}d", *values), dtype=np.float64)


def measurable(converted: FloatArray, at: str) -> FloatArray:
    """Return the numbers; refuse those that no instrument gives: what is computed would leave the range of numbers."""
    beyond = np.abs(converted) > LARGEST
    if beyond.any():
        index = int(np.argmax(beyond))
        raise ColumnInvalid(f"{converted[index]:g} is no measurement", at=f"{at}/{index}")
    return converted


def refuse_truths(values: list[Any], converted: FloatArray, at: str) -> None:
    """Refuse truth values among numbers. They became 1 or 0, so that few values have to be looked at."""
    suspect = converted == 0
    suspect |= converted == 1
    count = np.count_nonzero(suspect)
    if not count:
        return
    many = count * 2 > len(values)
    places = range(len(values)) if many else np.flatnonzero(suspect).tolist()
    if bool in map(type, values if many else map(values.__getitem__, places)):
        index = next(place for place in places if isinstance(values[place], bool))
        raise ColumnInvalid("a truth value stands where a number or null is due", at=f"{at}/{index}")


def _slow_numbers(values: list[Any], at: str, digits: bool, truths: bool) -> FloatArray:
    out = np.full(len(values), np.nan)
    for index, value in enumerate(values):
        if isinstance(value, int | float) and (truths or not isinstance(value, bool)):
            out[index] = value
        elif digits and isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            out[index] = float(value)
        elif value is not None:
            raise ColumnInvalid(f"{_kind(value)} stands where a number or null is due", at=f"{at}/{index}")
    return out


def texts(values: object, at: str, allowed: Sequence[str] = (), room: Room | None = None) -> NDArray[np.str_]:
    """Return a list of texts; ``null`` becomes "". Where ``allowed`` is given, anything else is refused.

    Free texts are bounded: each in its length, and all together by ``room``.
    """
    if isinstance(values, Held):
        values = values.texts(at)
    if not isinstance(values, list):
        raise ColumnInvalid(f"a column is a list of texts, not {_kind(values)}", at=at)
    known = set(map(type, values))
    if known - {str, type(None)}:
        index = next(i for i, value in enumerate(values) if not isinstance(value, str | None))
        raise ColumnInvalid(f"{_kind(values[index])} stands where a text is due", at=f"{at}/{index}")
    filled = [value or "" for value in values] if type(None) in known else values
    if allowed and not set(filled) <= set(allowed):
        index = next(i for i, value in enumerate(filled) if value not in allowed)
        raise ColumnInvalid(f"{filled[index][:40]!r} is none of: {', '.join(allowed)}", at=f"{at}/{index}")
    if not allowed:
        _refuse_width(filled, at, room)
    return np.array(filled, dtype=np.str_) if filled else np.empty(0, dtype=np.str_)


def _refuse_width(filled: Sequence[str], at: str, room: Room | None) -> None:
    longest = max(map(len, filled), default=0)
    if longest > LONGEST_TEXT:
        index = next(i for i, value in enumerate(filled) if len(value) > LONGEST_TEXT)
        raise ColumnInvalid(f"a text has at most {LONGEST_TEXT} characters, not {longest}", at=f"{at}/{index}")
    if room is not None:
        room.take(longest * len(filled), at)


def instants(values: object, at: str, *, digits: bool = False) -> FloatArray:
    """Return time stamps, each of which must be there and finite."""
    out = numbers(values, at, digits=digits)
    good = np.isfinite(out)
    if not good.all():
        raise TimeNotFinite("a time stamp is missing or not finite", at=f"{at}/{int(np.argmin(good))}")
    return out


def same_length(name: str, found: int, rows: int, at: str) -> None:
    """Refuse a column that has another length than the stream's rows."""
    if found != rows:
        raise LengthMismatch(f"{name} has {found} values for {rows} rows", at=at)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
