"""What one hand did: its bubbles, its attempts, and how the phone moved meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from konectom.assessments.pinch._attempts import Attempts, Bubbles, attempts_at, bubbles_of, points_per
from konectom.recording import FloatArray, Part, Screen, Stream
from konectom.signals.touches import IntArray, interval_of

SIZES = ("small", "medium", "large", "extra_large")
MEASURED = ("x", "y", "pressure")


def single_precision(touch: Stream) -> Stream:
    """Return the touches with places and pressure rounded to what a touch screen's single precision holds.

    The library reckons with that. Where a finger scarcely moves, jerk hangs on the last digits.
    """
    columns = {name: touch[name].astype(np.float32).astype(np.float64) for name in MEASURED if name in touch}
    return Stream(touch.name, touch.t_s, dict(touch.columns) | columns, touch.units)


@dataclass(frozen=True, slots=True, eq=False)
class Hand:
    """One hand's part of the test.

    ``tried`` are all attempts, ``attempts`` those at bubbles that were gone before the time ran out. ``size`` (n) is
    each bubble's place in :data:`SIZES`, -1 for another; ``points`` is how many points the touches' unit is.
    ``pressure`` is that of the attempts' samples, NaN where a touch begins without; None where the phone senses none.
    """

    name: str
    part: Part
    bubbles: Bubbles
    tried: Attempts
    attempts: Attempts
    size: IntArray
    points: float
    pressure: FloatArray | None

    @classmethod
    def of(cls, name: str, part: Part, screen: Screen) -> Hand:
        """Return what the part holds of the hand."""
        touch = single_precision(part.streams["touch"])
        bubbles, points = bubbles_of(part, screen), points_per(touch.units.get("x"), screen)
        tried = attempts_at(bubbles, touch, points)
        size = np.full(len(bubbles), -1)
        for number, word in enumerate(SIZES):
            size[bubbles.size == word] = number
        pressure = None
        if "pressure" in touch:
            pressure = touch["pressure"][tried.path.row]  # a copy
            # Some phones sense a touch before its pressure.
            unsensed = tried.path.first[pressure[tried.path.first] == 0]
            pressure[unsensed] = np.nan
        attempts = tried.where(bubbles.ended[tried.bubble])
        return cls(name, part, bubbles, tried, attempts, size, points, pressure)

    @property
    def first_attempt(self) -> IntArray:
        """The number (n) of the first attempt at each bubble, -1 where there is none."""
        number = np.full(len(self.bubbles), -1)
        of = self.attempts.bubble
        number[of[::-1]] = np.arange(of.size)[::-1]
        return number

    @property
    def reaction_ms(self) -> FloatArray:
        """From each bubble's appearance (n) to the first attempt at it, NaN where there is none."""
        first = self.first_attempt
        begin_s = np.append(self.attempts.span.begin_s, np.nan)[first]
        reaction: FloatArray = np.round((begin_s - self.bubbles.appeared_s) * 1e3, 6)
        return reaction

    def while_shown(self, t_s: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the samples that were taken while a bubble was shown that was gone before the time ran out."""
        shown = interval_of(t_s, self.bubbles.appeared_s, self.bubbles.gone_s) >= 0
        return t_s[shown], values[shown]
