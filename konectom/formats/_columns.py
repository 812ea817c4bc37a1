"""JSON lists to numpy columns: fast where they are right, exact about where they are not."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konectom.errors import ColumnInvalid, LengthMismatch, TimeNotFinite
from konectom.recording import FloatArray


def numbers(values: object, at: str, *, digits: bool = False) -> FloatArray:
    """Return a list of numbers as float64; ``null`` becomes NaN. With ``digits``, texts of digits count as numbers."""
    if not isinstance(values, list):
        raise ColumnInvalid(f"a column is a list of numbers, not {_kind(values)}", at=at)
    if not values:
        return np.empty(0)
    try:
        return np.frombuffer(array("d", values), dtype=np.float64)
    except (TypeError, OverflowError):
        return _slow_numbers(values, at, digits)


def _slow_numbers(values: list[Any], at: str, digits: bool) -> FloatArray:
    out = np.full(len(values), np.nan)
    for index, value in enumerate(values):
        if isinstance(value, int | float):
            out[index] = value
        elif digits and isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            out[index] = float(value)
        elif value is not None:
            raise ColumnInvalid(f"{_kind(value)} stands where a number or null is due", at=f"{at}/{index}")
    return out


def texts(values: object, at: str, allowed: Sequence[str] = ()) -> NDArray[np.str_]:
    """Return a list of texts; ``null`` becomes "". Where ``allowed`` is given, anything else is refused."""
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
    return np.array(filled, dtype=np.str_) if filled else np.empty(0, dtype=np.str_)


def instants(values: object, at: str, *, digits: bool = False) -> FloatArray:
    """Return time stamps, each of which must be there and finite."""
    out = numbers(values, at, digits=digits)
    good = np.isfinite(out)
    if not good.all():
        raise TimeNotFinite("a time stamp is missing or not finite", at=f"{at}/{int(np.argmin(good))}")
    return out


def same_length(name: str, found: int, times: int, at: str) -> None:
    """Refuse a column that has another length than the time stamps."""
    if found != times:
        raise LengthMismatch(f"{name} has {found} values for {times} time stamps", at=at)


def escape(token: str) -> str:
    """Return a key as a token of a JSON pointer (RFC 6901)."""
    return token.replace("~", "~0").replace("/", "~1")


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
