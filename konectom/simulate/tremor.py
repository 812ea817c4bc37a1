"""A phone in a trembling hand: its acceleration without gravity, and its rotation."""

from __future__ import annotations

from typing import Any

import numpy as np

from konectom.recording import STANDARD_GRAVITY_MPS2, FloatArray
from konectom.simulate.phone import stamps

NOISE_G, JITTER_S = 0.002, 0.001
ROTATION_PER_G = 5.0


def trembling_phone(
    start_s: float, duration_s: float, rate_hz: float, tremor_hz: float, tremor_g: float, rng: np.random.Generator
) -> dict[str, Any]:
    """Return the streams of a phone that trembles as one sine of this size along its x, and less along y and z."""
    t_s = stamps(duration_s, rate_hz, JITTER_S, rng)
    trembling = tremor_g * np.sin(2 * np.pi * tremor_hz * t_s)
    both = np.outer(trembling, [1.0, 0.5, 0.7]) + rng.normal(0, NOISE_G, (t_s.size, 3))
    return {
        "user_acceleration": _stream("m/s2", start_s + t_s, both * STANDARD_GRAVITY_MPS2),
        "gyroscope": _stream("rad/s", start_s + t_s, both * ROTATION_PER_G),
    }


def _stream(unit: str, t_s: FloatArray, values: FloatArray) -> dict[str, Any]:
    columns = {axis: np.round(values[:, i], 6).tolist() for i, axis in enumerate("xyz")}
    return {"unit": unit, "t": np.round(t_s, 6).tolist()} | columns
