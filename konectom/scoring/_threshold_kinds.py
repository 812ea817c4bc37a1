"""Kinds of thresholds: how large a change must be to count.

A threshold says from which change on a value has worsened or improved against its reference. Changes are counted so
that a positive one goes in the direction asked for; the amount may depend on the reference (EDSS steps, per cent), on
the measurement error of the score (noise) and on its important change. Equality is tested with a tolerance of 1e-9 of
the reference, so that 20 % of 5.5 s is reached at 6.6 s whatever the last bit of the difference.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from math import inf
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from konectom.errors import FieldMissing

Direction = Literal["worsening", "improvement"]
Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]

TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Given:
    """What is known of one score: its smallest detectable change (MDC95, in its unit) and its important change."""

    noise: float | None = None
    important: Threshold | None = None


NOTHING = Given()


class Threshold(ABC):
    """The smallest change that counts."""

    __slots__ = ()
    kind: ClassVar[str]

    @property
    def needs_noise(self) -> bool:
        """Whether it can be applied only where the smallest detectable change of the score is known."""
        parts = [getattr(self, field.name) for field in fields(self)]  # type: ignore[arg-type]
        flat = [one for part in parts for one in (part if isinstance(part, tuple) else (part,))]
        return any(isinstance(one, Threshold) and one.needs_noise for one in flat)

    @abstractmethod
    def amount(self, reference: float, direction: Direction, given: Given = NOTHING) -> float:
        """Return the smallest change that counts from this reference, in the score's unit; ``inf`` where none does."""

    def reached(self, change: Floats, reference: float, direction: Direction, given: Given = NOTHING) -> Booleans:
        """Return which changes (shape (n,), positive in ``direction``) count; a change of nothing never does."""
        slack = TOLERANCE * max(1.0, abs(reference))
        least = max(self.amount(reference, direction, given) - slack, slack)
        result: Booleans = change >= least
        return result

    def as_dict(self) -> dict[str, Any]:
        """Return the threshold as JSON: its kind and all that decides."""
        return {"kind": self.kind} | {
            field.name: _as_json(getattr(self, field.name))
            for field in fields(self)  # type: ignore[arg-type]  # every kind is a dataclass
        }


def _as_json(value: Any) -> Any:
    if isinstance(value, Threshold):
        return value.as_dict()
    return [_as_json(part) for part in value] if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True)
class Absolute(Threshold):
    """A fixed amount in the score's unit; ``beyond`` asks for more than it."""

    size: float
    beyond: bool = False
    kind: ClassVar[str] = "absolute"

    def amount(self, reference: float, direction: Direction, given: Given = NOTHING) -> float:
        """Return the amount."""
        return self.size

    def reached(self, change: Floats, reference: float, direction: Direction, given: Given = NOTHING) -> Booleans:
        """Return which changes reach it, or exceed it where that is asked."""
        if not self.beyond:
            return Threshold.reached(self, change, reference, direction, given)
        result: Booleans = change > self.size + TOLERANCE * max(1.0, abs(reference))
        return result


@dataclass(frozen=True, slots=True)
class Share(Threshold):
    """A share of the reference: 0.2 is 20 %. From a reference of 0 or less there is no such change."""

    share: float
    kind: ClassVar[str] = "share"

    def amount(self, reference: float, direction: Direction, given: Given = NOTHING) -> float:
        """Return the share of the reference."""
        return self.share * reference if reference > 0 else inf


@dataclass(frozen=True, slots=True)
class Steps(Threshold):
    """An amount for each range of references: pairs of the highest reference (included) and the amount, upwards."""

    steps: tuple[tuple[float, float], ...]
    kind: ClassVar[str] = "steps"

    def amount(self, reference: float, direction: Direction, given: Given = NOTHING) -> float:
        """Return the amount for the range that the reference lies in; above the last range, the last amount."""
        return next((size for highest, size in self.steps if reference <= highest + TOLERANCE), self.steps[-1][1])


@dataclass(frozen=True, slots=True)
class Noise(Threshold):
    """The smallest detectable change (MDC95) of the score itself."""

    kind: ClassVar[str] = "noise"

    @property
    def needs_noise(self) -> bool:
        """It does."""
        return True

    def amount(self, reference: float, direction: Direction, given: Given = NOTHING) -> float:
        """Return the noise.

        Raises:
            FieldMissing: nobody said what the noise is.
        """
        if given.noise is None:
            raise FieldMissing("This definition needs the smallest detectable change of the score.", at="/noise")
        return given.noise


@dataclass(frozen=True, slots=True)
class Important(Threshold):
    """The important change of the score itself; where none is published, any change."""

    kind: ClassVar[str] = "important"

    def amount(self, reference: float, direction: Direction, given: Given = NOTHING) -> float:
        """Return the important change, 0 where none is known."""
        return 0.0 if given.important is None else given.important.amount(reference, direction)

    def reached(self, change: Floats, reference: float, direction: Direction, given: Given = NOTHING) -> Booleans:
        """Return which changes reach it."""
        if given.important is None:
            return Threshold.reached(self, change, reference, direction, given)
        return given.important.reached(change, reference, direction)


@dataclass(frozen=True, slots=True)
class Either(Threshold):
    """Whichever of several thresholds is reached first."""

    of: tuple[Threshold, ...]
    kind: ClassVar[str] = "either"

    def amount(self, reference: float, direction: Direction, given: Given = NOTHING) -> float:
        """Return the smallest amount."""
        return min(part.amount(reference, direction, given) for part in self.of)

    def reached(self, change: Floats, reference: float, direction: Direction, given: Given = NOTHING) -> Booleans:
        """Return which changes reach any of them."""
        parts = [part.reached(change, reference, direction, given) for part in self.of]
        result: Booleans = np.logical_or.reduce(parts)
        return result


@dataclass(frozen=True, slots=True)
class Both(Threshold):
    """All of several thresholds: the largest."""

    of: tuple[Threshold, ...]
    kind: ClassVar[str] = "both"

    def amount(self, reference: float, direction: Direction, given: Given = NOTHING) -> float:
        """Return the largest amount."""
        return max(part.amount(reference, direction, given) for part in self.of)

    def reached(self, change: Floats, reference: float, direction: Direction, given: Given = NOTHING) -> Booleans:
        """Return which changes reach all of them."""
        parts = [part.reached(change, reference, direction, given) for part in self.of]
        result: Booleans = np.logical_and.reduce(parts)
        return result


@dataclass(frozen=True, slots=True)
class ByDirection(Threshold):
    """One threshold for worsening and another for improvement."""

    worsening: Threshold
    improvement: Threshold
    kind: ClassVar[str] = "by_direction"

    def amount(self, reference: float, direction: Direction, given: Given = NOTHING) -> float:
        """Return the amount in this direction."""
        return self._side(direction).amount(reference, direction, given)

    def reached(self, change: Floats, reference: float, direction: Direction, given: Given = NOTHING) -> Booleans:
        """Return which changes reach it in this direction."""
        return self._side(direction).reached(change, reference, direction, given)

    def _side(self, direction: Direction) -> Threshold:
        return self.worsening if direction == "worsening" else self.improvement
