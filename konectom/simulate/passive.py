"""A day's walking as a phone's pedometer tells it: bouts at a known cadence and step length among minutes of rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

MINUTE_S = 60.0
CADENCE_SPREAD = 0.12
"""Coefficient of variation of the cadence between minutes."""


@dataclass(frozen=True, slots=True)
class PassiveTruth:
    """What is walked, and how long the phone watches.

    ``steps`` is exact; ``cadence_spm`` is the mean number of steps in a walking minute (to 2 % where there are 50 of
    them), and the pace follows from it and the step length.
    """

    steps: float = 6000.0
    cadence_spm: float = 80.0
    step_length_m: float = 0.62
    hours: float = 12.0


def simulate_passive(truth: PassiveTruth, rng: np.random.Generator) -> dict[str, Any]:
    """Return one day as ``konectom.session/1`` carries it."""
    minutes = round(truth.hours * 60)
    walking = min(max(1, round(truth.steps / truth.cadence_spm)), minutes)
    weight = np.clip(rng.normal(1.0, CADENCE_SPREAD, walking), 0.3, None)
    edges = np.round(np.append(0.0, np.cumsum(weight)) / weight.sum() * round(truth.steps))
    steps = np.zeros(minutes)
    steps[rng.choice(minutes, size=walking, replace=False)] = np.diff(edges)
    events = []
    for minute, count in enumerate(steps.tolist()):
        distance_m = count * truth.step_length_m
        event = {"type": "pedometer", "t": minute * MINUTE_S, "end_at": (minute + 1) * MINUTE_S, "steps": count}
        pace = round(MINUTE_S / distance_m, 6) if distance_m > 0 else None
        events.append(event | {"distance_m": round(distance_m, 3), "pace_s_per_m": pace})
    return {
        "assessment": "passive",
        "duration_s": minutes * MINUTE_S,
        "completion": "completed",
        "events": events,
    }
