"""An adaptive Neuro-QoL of somebody whose standing in each subtest is known, up to the error that the app states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from konectom.simulate.answering import FIRST_SHOWN_S, show

FUNCTIONS = (
    "upper_extremity",
    "lower_extremity",
    "cognitive_function",
    "ability_participate_social_roles",
    "satisfaction_social_roles",
)
SYMPTOMS = ("sleep", "fatigue", "anxiety", "depression", "stigma")
BETWEEN_SUBTESTS_S = 3.0


@dataclass(frozen=True, slots=True)
class NeuroqolTruth:
    """The T-scores of functions and of symptoms, how sure the app becomes, and how the questions are answered.

    Each subtest's T-score comes back with a normal error of 10 ``standard_error``.
    """

    function_t: float = 44.0
    symptom_t: float = 54.0
    standard_error: float = 0.25
    items: int = 6
    answer_s: float = 4.0


def simulate_neuroqol(truth: NeuroqolTruth, rng: np.random.Generator) -> dict[str, Any]:
    """Return one recording of the ten subtests as ``konectom.session/1`` carries it."""
    parts = []
    start_s = 0.0
    for subtest in (*FUNCTIONS, *SYMPTOMS):
        t_score = truth.function_t if subtest in FUNCTIONS else truth.symptom_t
        items = [f"{subtest}-{number}" for number in range(1, truth.items + 1)]
        events = show(items, round(start_s + FIRST_SHOWN_S, 3), truth.answer_s, rng)
        end_s = events[-1]["t"] if events else start_s
        theta = (t_score - 50.0) / 10.0 + float(rng.normal(0.0, truth.standard_error))
        error = float(truth.standard_error * rng.uniform(0.9, 1.1))
        events.append({"type": "estimate", "t": end_s, "theta": round(theta, 6), "standard_error": round(error, 6)})
        duration_s = round(end_s - start_s, 3)
        parts.append(
            {"condition": {"subtest": subtest}, "start_s": start_s, "duration_s": duration_s, "events": events}
        )
        start_s = round(end_s + BETWEEN_SUBTESTS_S, 3)
    return {"assessment": "neuroqol", "duration_s": start_s, "completion": "completed", "parts": parts}
