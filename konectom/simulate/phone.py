"""A phone worn in landscape on a belt, as a sensor of the trunk's motion.

Trunk axes: up, left, forward. The phone lies on the belly with its screen outwards: its x points down, its y to the
left and its z forward, up to a fixed tilt. The accelerometer gives specific force: at rest +1 g along what is up.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from konectom.recording import STANDARD_GRAVITY_MPS2, FloatArray


def stamps(duration_s: float, rate_hz: float, jitter_s: float, rng: np.random.Generator) -> FloatArray:
    """Return the times of samples from 0 on, each off by a normal error, in order."""
    t_s = np.arange(0.0, duration_s, 1.0 / rate_hz)
    return np.sort(np.abs(t_s + rng.normal(0.0, jitter_s, t_s.size)))


def on_belt(trunk: FloatArray, tilt_rad: float) -> FloatArray:
    """Return vectors (n, 3: up, left, forward) in the phone's axes, the phone leaning back by ``tilt_rad``."""
    up, left, forward = trunk.T
    return np.column_stack(
        [
            -up * np.cos(tilt_rad) + forward * np.sin(tilt_rad),
            left,
            up * np.sin(tilt_rad) + forward * np.cos(tilt_rad),
        ]
    )


def accelerometer(
    t_s: FloatArray, trunk_g: FloatArray, tilt_rad: float, noise_g: float, rng: np.random.Generator
) -> Any:
    """Return the stream of total acceleration for the trunk's own acceleration (n, 3: up, left, forward) in g."""
    specific_force_g = trunk_g + np.array([1.0, 0.0, 0.0])
    measured_g = on_belt(specific_force_g, tilt_rad) + rng.normal(0.0, noise_g, trunk_g.shape)
    return _stream("m/s2", t_s, measured_g * STANDARD_GRAVITY_MPS2)


def gyroscope(
    t_s: FloatArray, trunk_radps: FloatArray, tilt_rad: float, noise_radps: float, rng: np.random.Generator
) -> Any:
    """Return the stream of rotation for the trunk's (n, 3: about up, left, forward) in rad/s."""
    return _stream("rad/s", t_s, on_belt(trunk_radps, tilt_rad) + rng.normal(0.0, noise_radps, trunk_radps.shape))


def _stream(unit: str, t_s: FloatArray, values: FloatArray) -> dict[str, Any]:
    rounded = np.round(values, 6)
    return {"unit": unit, "t": np.round(t_s, 6).tolist()} | {
        axis: rounded[:, i].tolist() for i, axis in enumerate("xyz")
    }
