"""The MSIS-29 of somebody on whom the physical and psychological impact of MS is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from konectom.simulate.answering import fill_in, points_for, recording

PHYSICAL, PSYCHOLOGICAL = 20, 9
MOST = 3
"""Points above the least that an item can give."""


@dataclass(frozen=True, slots=True)
class Msis29Truth:
    """The impact, 0 to 100 each, and how the questions are answered.

    The physical impact comes back to 0.84, the psychological to 1.86: half a point of the sum. ``answer_s`` is the mean
    time of an answer; on ``doubts`` items another answer is tapped first, and to ``returns`` items the patient comes
    back.
    """

    physical_impact: float = 35.0
    psychological_impact: float = 30.0
    answer_s: float = 4.0
    doubts: int = 2
    returns: int = 1


def simulate_msis29(truth: Msis29Truth, rng: np.random.Generator) -> dict[str, Any]:
    """Return one recording of the questionnaire as ``konectom.session/1`` carries it."""
    points = [
        point
        for impact, items in ((truth.physical_impact, PHYSICAL), (truth.psychological_impact, PSYCHOLOGICAL))
        for point in points_for(round(impact / 100 * MOST * items), items, MOST, rng)
    ]
    final = {str(number): 1.0 + point for number, point in enumerate(points, start=1)}
    return recording("msis29", fill_in(final, (1.0, 2.0, 3.0, 4.0), truth.answer_s, truth.doubts, truth.returns, rng))
