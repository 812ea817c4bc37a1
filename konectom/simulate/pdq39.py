"""The PDQ-39 of somebody whose trouble in each of the eight domains is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from konectom.simulate.answering import fill_in, points_for, recording

ITEMS = {
    "mobility": 10,
    "activities_of_daily_living": 6,
    "emotional_well_being": 6,
    "stigma": 4,
    "social_support": 3,
    "cognition": 4,
    "communication": 3,
    "bodily_discomfort": 3,
}
MOST = 4
PARTNER = "28"
"""The item that offers an answer of its own to people without a partner, before the others."""


@dataclass(frozen=True, slots=True)
class Pdq39Truth:
    """The trouble in each domain, 0 to 100, and how the questions are answered.

    A domain of n items comes back to 12.5 / n: half a point of its sum. ``answer_s`` is the mean time of an answer; on
    ``doubts`` items another answer is tapped first, and to ``returns`` items the patient comes back.
    """

    mobility: float = 40.0
    activities_of_daily_living: float = 35.0
    emotional_well_being: float = 30.0
    stigma: float = 20.0
    social_support: float = 15.0
    cognition: float = 30.0
    communication: float = 25.0
    bodily_discomfort: float = 40.0
    answer_s: float = 4.0
    doubts: int = 2
    returns: int = 1


def simulate_pdq39(truth: Pdq39Truth, rng: np.random.Generator) -> dict[str, Any]:
    """Return one recording of the questionnaire as ``konectom.session/1`` carries it."""
    points = [
        point
        for domain, items in ITEMS.items()
        for point in points_for(round(getattr(truth, domain) / 100 * MOST * items), items, MOST, rng)
    ]
    final = {str(number): float(point) for number, point in enumerate(points, start=1)}
    events = fill_in(final, (0.0, 1.0, 2.0, 3.0, 4.0), truth.answer_s, truth.doubts, truth.returns, rng)
    for event in events:
        event["value"] += 2.0 if event["item"] == PARTNER else 1.0
    return recording("pdq39", events)
