"""What the statistics of this package share: an estimate with its limits, and what they accept as input."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from konectom.errors import FieldInvalid
from konectom.recording import FloatArray

ROUNDING = 64 * float(np.finfo(np.float64).eps)
"""Deviations smaller than this share of the values' size are the rounding of equal values."""


class Result:
    """A result that can be written down."""

    __slots__ = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the result with all that it holds as plain dictionaries, lists and numbers."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]  # every subclass is a dataclass


@dataclass(frozen=True, slots=True)
class Estimate(Result):
    """A value with its confidence limits; ``reason`` says why one of them is missing."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None

    def scaled(self, factor: float) -> Estimate:
        """Return the estimate of ``factor`` (above 0) times the quantity."""
        value, low, high = (None if each is None else each * factor for each in (self.value, self.low, self.high))
        return Estimate(value, low, high, self.reason)


def absent(reason: str) -> Estimate:
    """Return an estimate that could not be made."""
    return Estimate(None, reason=reason)


def estimate(value: float, low: float, high: float, reason: str = "its limits cannot be computed") -> Estimate:
    """Return an estimate; limits that are no finite numbers are left out, both, with ``reason``."""
    if isfinite(low) and isfinite(high):
        return Estimate(float(value), float(low), float(high))
    return Estimate(float(value), reason=reason)


def repeats_table(values: ArrayLike, name: str = "values") -> FloatArray:
    """Return a table of repeats, shape (patients, repeats); raises :class:`FieldInvalid` for any other shape, and
    infinity.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2:
        raise FieldInvalid(
            f"a table of repeats has a row for each patient, a column for each repeat, not {table.ndim} axes",
            at=f"/{name}",
        )
    return _finite_or_missing(table, name)


def vector(values: ArrayLike, name: str) -> FloatArray:
    """Return numbers of shape (n,), NaN where missing; raises :class:`FieldInvalid` for any other shape, and
    infinity.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise FieldInvalid(f"one axis is wanted, not {array.ndim}", at=f"/{name}")
    return _finite_or_missing(array, name)


def known_pairs(x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the pairs of which both values are known; raises :class:`FieldInvalid` where the lengths differ."""
    first, second = vector(x, "x"), vector(y, "y")
    if first.size != second.size:
        raise FieldInvalid(f"pairs are wanted, but there are {first.size} and {second.size} values", at="/y")
    known = np.isfinite(first) & np.isfinite(second)
    return first[known], second[known]


def check_level(level: float, name: str = "confidence") -> float:
    """Return a level of confidence or agreement; raises :class:`FieldInvalid` unless it lies between 0.5 and 1."""
    if not 0.5 <= level < 1:
        raise FieldInvalid(f"{name} is a share between 0.5 and 1, such as 0.95, not {level}", at=f"/{name}")
    return float(level)


def is_rounding(mean_square: float, size: float) -> bool:
    """Return whether a mean square is nothing but the rounding of values of this size."""
    return mean_square <= (ROUNDING * size) ** 2


def _finite_or_missing(array: FloatArray, name: str) -> FloatArray:
    infinite = np.argwhere(np.isinf(array))
    if infinite.size:
        place = "/".join(map(str, infinite[0]))
        raise FieldInvalid("infinity is no value; leave out what is missing", at=f"/{name}/{place}")
    return array
