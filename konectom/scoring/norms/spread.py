"""How people spread about what is expected of them: normally, or by the LMS method; z and percentiles from either."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

FIFTH_CENTILE = -1.645  # z of the 5th centile, rounded as the sources have it


class Spread(Protocol):
    """A distribution about an expected value."""

    def z(self, value: float, predicted: float) -> float | None:
        """Return how many standard deviations the value lies above the one expected; None where it has no z."""


@dataclass(frozen=True, slots=True)
class Normal:
    """A normal distribution with the standard deviation ``sd``, in the unit of the value."""

    sd: float

    def z(self, value: float, predicted: float) -> float:
        """Return (value - predicted) / sd."""
        return (value - predicted) / self.sd


@dataclass(frozen=True, slots=True)
class Lms:
    """A distribution that a power of the value makes normal: ``l`` is the power, ``s`` the coefficient of variation.

    Source: Cole & Green 1992, doi 10.1002/sim.4780111005: z = ((x / M)^L - 1) / (L S), and ln(x / M) / S for L = 0.
    """

    l: float  # noqa: E741 - the letter of the method
    s: float

    def z(self, value: float, predicted: float) -> float | None:
        """Return the z of the value; None at or below zero, where no power of it need exist."""
        if value <= 0:
            return None
        if abs(self.l) < 1e-9:
            return math.log(value / predicted) / self.s
        return (math.expm1(self.l * math.log(value / predicted))) / (self.l * self.s)

    def at(self, z: float, predicted: float) -> float:
        """Return the value whose z is given: the inverse of :meth:`z`; raises ValueError where no value has that z."""
        if abs(self.l) < 1e-9:
            return predicted * math.exp(self.s * z)
        power = 1 + self.l * self.s * z
        if power <= 0:
            raise ValueError(f"with L {self.l:g} and S {self.s:g} no value has the z {z:g}")
        return float(predicted * power ** (1 / self.l))


def percentile_of(z: float) -> float:
    """Return the share of a normal distribution below ``z``, from 0 to 100."""
    return 50 * math.erfc(-z / math.sqrt(2))
