"""The ALSFRS-R of somebody whose bulbar, hand, leg and breathing function is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from konectom.simulate.answering import fill_in, points_for, recording

ITEMS_IN_PART, MOST = 3, 4
CUTTING = 5


@dataclass(frozen=True, slots=True)
class AlsfrsRTruth:
    """The points of each part of the scale, 0 to 12 (whole numbers), and how the questions are answered.

    With a ``gastrostomy`` the cutting item is answered in its other variant. ``answer_s`` is the mean time of an
    answer; on ``doubts`` items another answer is tapped first, and to ``returns`` items the patient comes back.
    """

    bulbar: float = 10.0
    fine_motor: float = 8.0
    gross_motor: float = 7.0
    respiratory: float = 11.0
    gastrostomy: bool = False
    answer_s: float = 6.0
    doubts: int = 1
    returns: int = 1

    @property
    def total(self) -> int:
        """The sum of the parts, as it comes back."""
        return sum(round(part) for part in (self.bulbar, self.fine_motor, self.gross_motor, self.respiratory))


def simulate_alsfrs_r(truth: AlsfrsRTruth, rng: np.random.Generator) -> dict[str, Any]:
    """Return one recording of the scale as ``konectom.session/1`` carries it."""
    parts = (truth.bulbar, truth.fine_motor, truth.gross_motor, truth.respiratory)
    points = [point for part in parts for point in points_for(round(part), ITEMS_IN_PART, MOST, rng)]
    cutting = "5b" if truth.gastrostomy else "5a"
    final = {
        cutting if number == CUTTING else str(number): float(point) for number, point in enumerate(points, start=1)
    }
    events = fill_in(final, (0.0, 1.0, 2.0, 3.0, 4.0), truth.answer_s, truth.doubts, truth.returns, rng)
    return recording("alsfrs_r", events)
