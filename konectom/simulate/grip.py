"""Pressing the thumb on the screen: each target reached after a known time, missed by a known share.

The pressure wanders slowly around where the thumb holds it, and the phone tells it in steps, as phones do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from konectom.recording import FloatArray
from konectom.simulate.tremor import trembling_phone

TARGETS = (1.0, 4.2, 5.8, 2.6, 4.2, 2.6, 5.8, 1.0)
TARGET_S = 6.0
STEP = 1 / 60
"""The smallest change of pressure that the phone tells."""

BETWEEN_HANDS_S = 60.0
FIRST_TOUCH_S = 0.5
TOUCH_HZ, MOTION_HZ = 60.0, 20.0
SINES = 8


@dataclass(frozen=True, slots=True)
class GripTruth:
    """What the patient does, and how the phone measures it.

    ``reaction_s`` after a new target the thumb leaves the old pressure and takes ``transition_s`` to the new one, which
    it misses by the share ``bias`` and holds with the coefficient of variation ``unsteadiness``. The hand trembles
    ``tremor_hz`` times a second.
    """

    reaction_s: float = 0.4
    transition_s: float = 0.5
    bias: float = 0.03
    unsteadiness: float = 0.04
    tremor_hz: float = 4.0
    tremor_g: float = 0.01

    @property
    def relative_error(self) -> float:
        """The root mean square of pressure over target minus 1."""
        return float(np.hypot(self.bias, (1 + self.bias) * self.unsteadiness))


def simulate_grip(truth: GripTruth, rng: np.random.Generator) -> dict[str, Any]:
    """Return a recording of both hands in the form of ``konectom.session/1``."""
    duration_s = TARGET_S * len(TARGETS)
    return {
        "assessment": "grip",
        "condition": {},
        "duration_s": BETWEEN_HANDS_S + duration_s,
        "completion": "completed",
        "parts": [
            {
                "condition": {"hand": hand},
                "start_s": start_s,
                "duration_s": duration_s,
                "streams": _streams(start_s, duration_s, truth, rng),
                "events": [
                    {"type": "target", "t": start_s + at_s, "ends_at": start_s + at_s + TARGET_S, "pressure": target}
                    for at_s, target in zip(np.arange(len(TARGETS)) * TARGET_S, TARGETS, strict=True)
                ],
            }
            for hand, start_s in (("right", 0.0), ("left", BETWEEN_HANDS_S))
        ],
    }


def _streams(start_s: float, duration_s: float, truth: GripTruth, rng: np.random.Generator) -> dict[str, Any]:
    t_s = np.arange(FIRST_TOUCH_S, duration_s, 1 / TOUCH_HZ)
    pressure = np.maximum(np.round(_pressure(t_s, truth, rng) / STEP), 1) * STEP
    place_pt = np.round(rng.normal([[187.5], [720.0]], 1.0, (2, t_s.size)), 3)
    touch = {
        "unit": "pt",
        "t": np.round(start_s + t_s, 6).tolist(),
        "x": place_pt[0].tolist(),
        "y": place_pt[1].tolist(),
        "phase": ["down", *["move"] * (t_s.size - 2), "up"],
        "finger": [0] * t_s.size,
        "pressure": np.round(pressure, 6).tolist(),
    }
    return {"touch": touch} | trembling_phone(start_s, duration_s, MOTION_HZ, truth.tremor_hz, truth.tremor_g, rng)


def _pressure(t_s: FloatArray, truth: GripTruth, rng: np.random.Generator) -> FloatArray:
    """Return the pressure of the thumb (n) before the phone rounds it."""
    held = np.array(TARGETS) * (1 + truth.bias)
    leave_s = np.arange(1, held.size) * TARGET_S + truth.reaction_s
    corners_s = np.column_stack([leave_s, leave_s + truth.transition_s]).ravel()
    level = np.interp(t_s, corners_s, np.column_stack([held[:-1], held[1:]]).ravel())
    hz = rng.uniform(0.3, 0.9, SINES)
    wander = np.sin(2 * np.pi * np.outer(t_s, hz) + rng.uniform(0, 2 * np.pi, SINES)).sum(axis=1)
    pressure: FloatArray = level * (1 + truth.unsteadiness * wander / wander.std())
    return pressure
