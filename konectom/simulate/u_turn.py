"""Walking to and fro with U-turns: each turn by a known angle in a known time, steps at a known rate.

A turn's speed rises and falls as one wave of a cosine. Its duration is told as El-Gohary et al. 2014 tell it: from the
moment at which the trunk turns faster than 5 degrees a second to the moment at which it turns slower again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from konectom.recording import FloatArray
from konectom.simulate.phone import accelerometer, gyroscope, stamps

EDGE_RADPS = float(np.radians(5))


@dataclass(frozen=True, slots=True)
class UTurnTruth:
    """What the patient does, and how the phone measures it.

    ``turns`` U-turns of ``turn_angle_rad`` at a mean speed of ``turn_speed_radps``, by turns to the left and right or
    all to the left, with ``walk_s`` of straight walking before, between and after, ``step_rate_hz`` steps a second
    throughout; the time of a step varies by the coefficient ``step_cv``.
    """

    turn_speed_radps: float = 1.5
    turn_angle_rad: float = float(np.pi)
    turns: float = 5
    alternating: bool = True
    walk_s: float = 5.0
    step_rate_hz: float = 1.8
    step_cv: float = 0.05
    step_g: float = 0.2
    trunk_swing_radps: float = 0.06
    rate_hz: float = 50.0
    tilt_deg: float = 8.0
    noise_g: float = 0.01
    noise_radps: float = 0.01
    jitter_s: float = 0.001

    @property
    def turn_duration_s(self) -> float:
        """How long a turn takes."""
        return self.turn_angle_rad / self.turn_speed_radps

    @property
    def steps(self) -> float:
        """How many steps are made."""
        return self.step_rate_hz * self.duration_s

    @property
    def duration_s(self) -> float:
        """How long it all takes."""
        count = round(self.turns)
        return count * self.turn_duration_s + (count + 1) * self.walk_s


def simulate_u_turn(truth: UTurnTruth, rng: np.random.Generator) -> dict[str, Any]:
    """Return a recording of walking with U-turns in the form of ``konectom.session/1``."""
    t_s = stamps(truth.duration_s, truth.rate_hz, truth.jitter_s, rng)
    step = 2 * np.pi * _steps_made(t_s, truth, rng)
    trunk_g = np.column_stack(
        [
            truth.step_g * (np.sin(step) + 0.2 * np.sin(2 * step)),
            0.3 * truth.step_g * np.sin(step / 2),
            0.5 * truth.step_g * np.cos(step),
        ]
    )
    trunk_radps = np.column_stack(
        [
            yaw_radps(t_s, truth) + truth.trunk_swing_radps * np.sin(step / 2),
            0.1 * np.sin(step),
            0.1 * np.cos(step / 2),
        ]
    )
    tilt_rad = float(np.radians(truth.tilt_deg))
    return {
        "assessment": "u_turn",
        "condition": {"placement": "belt"},
        "duration_s": round(truth.duration_s, 3),
        "completion": "completed",
        "streams": {
            "accelerometer": accelerometer(t_s, trunk_g, tilt_rad, truth.noise_g, rng),
            "gyroscope": gyroscope(t_s, trunk_radps, tilt_rad, truth.noise_radps, rng),
        },
    }


def yaw_radps(t_s: FloatArray, truth: UTurnTruth) -> FloatArray:
    """Return the trunk's rotation about the vertical (n), positive to the left."""
    rotation = np.zeros(t_s.size)
    wave_s = _wave_s(truth.turn_angle_rad, truth.turn_duration_s)
    peak_radps = 2 * truth.turn_angle_rad / wave_s
    for turn in range(round(truth.turns)):
        middle_s = truth.walk_s * (turn + 1) + truth.turn_duration_s * (turn + 0.5)
        phase = (t_s - middle_s) / wave_s
        sense = -1.0 if truth.alternating and turn % 2 else 1.0
        rotation += np.where(np.abs(phase) < 0.5, sense * peak_radps * (0.5 + 0.5 * np.cos(2 * np.pi * phase)), 0.0)
    return rotation


def _steps_made(t_s: FloatArray, truth: UTurnTruth, rng: np.random.Generator) -> FloatArray:
    """Return how many steps were made by each time (n), counted in fractions."""
    count = round(truth.steps) + 1
    lasting = rng.normal(1.0, truth.step_cv, count).clip(0.5, 1.5)
    made_s = np.concatenate(([0.0], np.cumsum(lasting * (count / lasting.sum()) / truth.step_rate_hz)))
    steps: FloatArray = np.interp(t_s, made_s, np.arange(count + 1))
    return steps


def _wave_s(angle_rad: float, duration_s: float) -> float:
    """Return how long the wave lasts of which ``duration_s`` lie above 5 degrees a second."""
    wave_s = duration_s
    for _ in range(50):  # a contraction: the edges are a small part of the wave
        edge = min(1.0, EDGE_RADPS * wave_s / angle_rad)
        wave_s = duration_s * np.pi / np.arccos(edge - 1.0)
    return float(wave_s)
