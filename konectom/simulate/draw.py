"""Tracing figures as somebody does it who moves at a known speed, strays by a known distance, and trembles.

The finger goes along the figure at an even speed. Across it, it strays slowly (below 1 Hz) and trembles at one
frequency. The phone leans back in the other hand, and shakes a little with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from konectom.recording import STANDARD_GRAVITY_MPS2, FloatArray
from konectom.signals.figures import infinity, rectangle, spiral
from konectom.signals.paths import evenly, steps

SHAPES = ("square_clockwise", "square_counter_clockwise", "infinity", "spiral")
TOUCH_HZ, SENSOR_HZ = 60.0, 50.0
PAUSE_S = 1.5
"""Time from the end of a drawing to the next figure."""

TOLD_POINTS = 120
"""How many points of a curved figure the app tells; of a square it tells its corners."""

SLOW_HZ = (0.25, 0.45, 0.7, 0.95)
ROUNDING = 15
"""Points on either side over which the direction across the figure is averaged, so that corners are gone round."""


@dataclass(frozen=True, slots=True)
class DrawTruth:
    """How the test is done.

    ``speed_ptps`` is the finger's speed along the figure, ``stray_pt`` and ``tremor_pt`` the root mean square of its
    slow and its trembling movement across it, ``tremor_hz`` how fast it trembles, ``reaction_s`` the time from when a
    figure comes up to the first touch. The left hand is slower by the factor ``left_slower``, and strays and trembles
    more by the factor ``left_worse``.
    """

    speed_ptps: float = 420.0
    stray_pt: float = 3.0
    tremor_pt: float = 0.4
    tremor_hz: float = 6.0
    reaction_s: float = 0.9
    left_slower: float = 1.15
    left_worse: float = 1.3
    shake_mps2: float = 0.15


def simulate_draw(truth: DrawTruth, rng: np.random.Generator) -> dict[str, Any]:
    """Return one recording of the test, the right hand first, as ``konectom.session/1`` carries it."""
    parts = []
    start_s = 0.0
    for hand, shape, attempt in product(("right", "left"), SHAPES, ("first", "second")):
        parts.append(_part(hand, shape, attempt, start_s, truth, rng))
        start_s = round(start_s + parts[-1]["duration_s"] + PAUSE_S, 3)
    return {"assessment": "draw", "duration_s": start_s, "completion": "completed", "parts": parts}


def _part(
    hand: str, shape: str, attempt: str, start_s: float, truth: DrawTruth, rng: np.random.Generator
) -> dict[str, Any]:
    is_left = hand == "left"
    speed_ptps = truth.speed_ptps / (truth.left_slower if is_left else 1.0)
    worse = truth.left_worse if is_left else 1.0
    figure = _figure(shape)
    step_pt = float(steps(figure).mean())
    lasts_s = (len(figure) - 1) * step_pt / speed_ptps
    since_s = np.append(np.arange(0.0, lasts_s, 1.0 / TOUCH_HZ), lasts_s)
    along = since_s * speed_ptps / step_pt
    across = _stray(since_s, rng) * truth.stray_pt * worse
    across += (
        np.sqrt(2) * truth.tremor_pt * worse * np.sin(2 * np.pi * truth.tremor_hz * since_s + rng.uniform(0, 6.28))
    )
    numbers = np.arange(len(figure))
    x, y = (
        np.interp(along, numbers, figure[:, i]) + across * np.interp(along, numbers, _across(shape)[:, i])
        for i in (0, 1)
    )
    t_s = np.round(start_s + truth.reaction_s + since_s, 3)
    pressure = 0.3 * np.minimum(1.0, 0.2 + since_s / 0.3) + rng.normal(0.0, 0.01, t_s.size)
    duration_s = round(truth.reaction_s + lasts_s + 0.5, 3)
    told = [{"type": "target", "t": start_s, "point": i, "x": x, "y": y} for i, (x, y) in enumerate(_told(shape))]
    return {
        "condition": {"hand": hand, "shape": shape, "attempt": attempt},
        "start_s": start_s,
        "duration_s": duration_s,
        "events": [*told, {"type": "finish", "t": float(t_s[-1])}],
        "streams": {
            "touch": {
                "unit": "pt",
                "t": t_s.tolist(),
                "x": np.round(x, 3).tolist(),
                "y": np.round(y, 3).tolist(),
                "phase": ["down", *["move"] * (t_s.size - 2), "up"],
                "finger": [0] * t_s.size,
                "pressure": np.round(pressure.clip(0.0), 4).tolist(),
            },
            **_phone(start_s, duration_s, truth, worse, rng),
        },
    }


@cache
def _figure(shape: str) -> FloatArray:
    """Return a figure at even distances."""
    if shape in ("infinity", "spiral"):
        return evenly(infinity() if shape == "infinity" else spiral(), 1000, smooth=True)
    corners = rectangle(clockwise=shape == "square_clockwise")
    return evenly(corners[np.append(True, steps(corners) > 0)], 1000, smooth=False)


@cache
def _across(shape: str) -> FloatArray:
    """Return the direction across the figure at each of its points, gone round at corners."""
    ahead = np.gradient(_figure(shape), axis=0)
    kernel = np.full(2 * ROUNDING + 1, 1.0 / (2 * ROUNDING + 1))
    mean = np.column_stack([np.convolve(np.pad(ahead[:, i], ROUNDING, "edge"), kernel, "valid") for i in (1, 0)])
    mean[:, 0] *= -1.0
    across: FloatArray = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return across


@cache
def _told(shape: str) -> list[tuple[float, float]]:
    """Return the points of a figure that the app tells."""
    figure = _figure(shape)
    if shape in ("infinity", "spiral"):
        at = np.linspace(0, len(figure) - 1, TOLD_POINTS).astype(np.intp)
    else:
        heading = np.arctan2(*np.diff(figure, axis=0).T)
        turns = np.flatnonzero(np.abs(np.diff(heading)) > 1e-6)
        at = np.unique([0, *turns, *(turns + 1), *(turns + 2), len(figure) - 1])
    return [(round(float(x), 4), round(float(y), 4)) for x, y in figure[at]]


def _stray(since_s: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return slow movement with the root mean square 1."""
    phase = rng.uniform(0.0, 2 * np.pi, len(SLOW_HZ))
    slow = np.sin(2 * np.pi * np.multiply.outer(since_s, SLOW_HZ) + phase).sum(axis=1)
    stray: FloatArray = slow / np.sqrt(np.mean(slow**2))
    return stray


def _phone(start_s: float, lasts_s: float, truth: DrawTruth, worse: float, rng: np.random.Generator) -> dict[str, Any]:
    t_s = np.arange(start_s, start_s + lasts_s, 1.0 / SENSOR_HZ)
    shake = np.sin(2 * np.pi * truth.tremor_hz * t_s)[:, None] * truth.shake_mps2 * worse
    lean_rad = np.radians(40.0)
    gravity = np.array([0.0, np.cos(lean_rad), np.sin(lean_rad)]) * STANDARD_GRAVITY_MPS2
    values = {
        "user_acceleration": ("m/s2", shake * [0.5, 0.3, 1.0] + rng.normal(0.0, 0.05, (t_s.size, 3))),
        "gravity": ("m/s2", gravity + rng.normal(0.0, 0.05, (t_s.size, 3))),
        "gyroscope": ("rad/s", shake * [0.3, 0.1, 0.1] + rng.normal(0.0, 0.01, (t_s.size, 3))),
    }
    return {
        name: {"unit": unit, "t": np.round(t_s, 4).tolist()}
        | {axis: np.round(columns[:, i], 5).tolist() for i, axis in enumerate("xyz")}
        for name, (unit, columns) in values.items()
    }
