"""Walking to and fro on a straight way: known steps at known times, known turns, a known distance.

The trunk rises and falls with each step as an inverted pendulum on legs of known length does, so that the length of
the step can be told from it. Feet touch the ground when the trunk is lowest. The phone knows its place to some metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from konectom.recording import STANDARD_GRAVITY_MPS2, FloatArray
from konectom.simulate.phone import accelerometer, gyroscope, stamps

PENDULUM_PER_HEIGHT = 0.53
GPS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class WalkTruth:
    """What the patient does, and how the phone measures it.

    ``cadence`` steps a minute of ``step_length_m`` for ``duration_s``; the time of a step varies by the coefficient
    ``step_cv`` about a mean that differs between left and right by ``asymmetry_s``. After each ``way_m`` metres a turn
    by half a round, taken in ``turn_s`` while stepping on. ``standing_s`` seconds of standing come first.
    """

    cadence: float = 110.0
    step_length_m: float = 0.65
    duration_s: float = 120.0
    step_cv: float = 0.02
    asymmetry_s: float = 0.0
    way_m: float = 50.0
    turn_s: float = 2.0
    standing_s: float = 0.0
    height_m: float = 1.7
    protocol: str = "2mwt"
    placement: str = "belt"
    rate_hz: float = 50.0
    tilt_deg: float = 8.0
    sway_g: float = 0.1
    impact_g: float = 0.08
    trunk_swing_radps: float = 0.15
    noise_g: float = 0.01
    noise_radps: float = 0.01
    jitter_s: float = 0.001
    gps_error_m: float = 0.1
    gps_accuracy_m: float = 5.0

    @property
    def step_s(self) -> float:
        """How long a step lasts on average."""
        return 60.0 / self.cadence

    @property
    def speed_mps(self) -> float:
        """How fast the patient walks."""
        return self.step_length_m / self.step_s

    @property
    def distance_m(self) -> float:
        """How far the patient walks."""
        return self.speed_mps * (self.duration_s - self.standing_s)

    @property
    def turns(self) -> int:
        """How many turns are completed."""
        return len(turn_times_s(self))

    @property
    def rise_m(self) -> float:
        """By how much the trunk rises in each step."""
        leg_m = PENDULUM_PER_HEIGHT * self.height_m
        return leg_m - float(np.sqrt(leg_m**2 - self.step_length_m**2 / 4))


def simulate_walk(truth: WalkTruth, rng: np.random.Generator) -> dict[str, Any]:
    """Return a recording of walking in the form of ``konectom.session/1``."""
    t_s = stamps(truth.duration_s, truth.rate_hz, truth.jitter_s, rng)
    made = _steps_made(t_s, truth, rng)
    going = (t_s >= truth.standing_s).astype(np.float64)
    trunk_g = np.column_stack(
        [
            _vertical_g(made, truth) * going,
            truth.sway_g * np.sin(np.pi * made) * going,
            2 * truth.sway_g * np.sin(2 * np.pi * made) * going,
        ]
    )
    swing = truth.trunk_swing_radps * np.cos(np.pi * made) * going
    trunk_radps = np.column_stack([yaw_radps(t_s, truth) + swing, 0.1 * swing, 0.1 * swing])
    tilt_rad = float(np.radians(truth.tilt_deg))
    return {
        "assessment": "walk",
        "condition": {"protocol": truth.protocol, "placement": truth.placement},
        "duration_s": round(truth.duration_s, 3),
        "completion": "completed",
        "answers": {"height_m": truth.height_m},
        "streams": {
            "accelerometer": accelerometer(t_s, trunk_g, tilt_rad, truth.noise_g, rng),
            "gyroscope": gyroscope(t_s, trunk_radps, tilt_rad, truth.noise_radps, rng),
            "gps": _positions(truth, rng),
        },
    }


def turn_times_s(truth: WalkTruth) -> FloatArray:
    """Return the middles of the turns, each after a way walked."""
    way_s = truth.way_m / truth.speed_mps
    middles = truth.standing_s + way_s * np.arange(1.0, int(truth.duration_s / way_s) + 1)
    done: FloatArray = middles[middles + truth.turn_s / 2 < truth.duration_s]
    return done


def yaw_radps(t_s: FloatArray, truth: WalkTruth) -> FloatArray:
    """Return the trunk's rotation about the vertical (n) in turns by half a round, to the left."""
    rotation = np.zeros(t_s.size)
    for middle_s in turn_times_s(truth):
        phase = (t_s - middle_s) / truth.turn_s
        wave = np.pi / truth.turn_s * (1 + np.cos(2 * np.pi * phase))
        rotation += np.where(np.abs(phase) < 0.5, wave, 0.0)
    return rotation


def _vertical_g(made: FloatArray, truth: WalkTruth) -> FloatArray:
    """Return the upward acceleration (n): rise and fall once a step, lowest at whole steps, and the impact there."""
    angular = 2 * np.pi / truth.step_s
    swing_g = truth.rise_m / 2 * angular**2 / STANDARD_GRAVITY_MPS2
    return swing_g * np.cos(2 * np.pi * made) + truth.impact_g * np.sin(4 * np.pi * made)


def _steps_made(t_s: FloatArray, truth: WalkTruth, rng: np.random.Generator) -> FloatArray:
    """Return how many steps were made by each time (n), counted in fractions; 0 while standing."""
    walking_s = truth.duration_s - truth.standing_s
    count = max(2, round(walking_s / truth.step_s) + 1)
    lasting = truth.step_s * rng.normal(1.0, truth.step_cv, count).clip(0.5, 1.5)
    lasting += truth.asymmetry_s / 2 * np.where(np.arange(count) % 2, -1.0, 1.0)
    made_s = truth.standing_s + np.concatenate(([0.0], np.cumsum(lasting * (count * truth.step_s / lasting.sum()))))
    steps: FloatArray = np.interp(t_s, made_s, np.arange(count + 1.0))
    return steps


def _positions(truth: WalkTruth, rng: np.random.Generator) -> dict[str, Any]:
    """Return the positions that the phone was told by satellite, once a second."""
    t_s = np.arange(0.0, truth.duration_s, GPS_EVERY_S)
    walked_m = truth.speed_mps * (t_s - truth.standing_s).clip(0)
    way = (walked_m / truth.way_m) % 2
    east_m = truth.way_m * np.where(way < 1, way, 2 - way)
    north_m = np.zeros(t_s.size)
    error_m = rng.normal(0.0, truth.gps_error_m, (2, t_s.size))
    return {
        "unit": "m",
        "t": t_s.tolist(),
        "x": np.round(east_m + error_m[0], 3).tolist(),
        "y": np.round(north_m + error_m[1], 3).tolist(),
        "accuracy_m": [truth.gps_accuracy_m] * t_s.size,
    }
