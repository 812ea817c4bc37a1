"""The mood scale of somebody whose mood and physical state are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from konectom.simulate.answering import fill_in, recording


@dataclass(frozen=True, slots=True)
class MoodTruth:
    """The states, 0 to 100 with the best at 100 (in steps of 25), and how the questions are answered.

    ``answer_s`` is the mean time of an answer; on ``doubts`` items another answer is tapped first, and to ``returns``
    items the patient comes back.
    """

    psychological_state: float = 75.0
    physical_state: float = 50.0
    answer_s: float = 2.5
    doubts: int = 0
    returns: int = 0


def simulate_mood(truth: MoodTruth, rng: np.random.Generator) -> dict[str, Any]:
    """Return one recording of the scale as ``konectom.session/1`` carries it."""
    states = {"1": truth.psychological_state, "2": truth.physical_state}
    final = {item: float(5 - np.clip(round(state / 25), 0, 4)) for item, state in states.items()}
    return recording(
        "mood", fill_in(final, (1.0, 2.0, 3.0, 4.0, 5.0), truth.answer_s, truth.doubts, truth.returns, rng)
    )
