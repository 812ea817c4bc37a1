"""Bubble pinching as somebody does it with a known success rate, reaction time and asynchrony of the two fingers.

A bubble appears, both fingers come down outside of it, one after the other, rest a moment and close on it along a
minimum-jerk path (Flash & Hogan 1985). An attempt succeeds by a known chance: then both fingers end inside the bubble,
which bursts, and the next one appears; otherwise they stop short of its edge, lift, and try again. The phone trembles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from konectom.recording import STANDARD_GRAVITY_MPS2, FloatArray

DURATION_S = 30.0
BETWEEN_HANDS_S = 10.0
NEXT_BUBBLE_S = 0.22
DWELL_S = 0.05
TOUCH_RATE_HZ = 60.0
RADII_PT = {"small": (50, 64), "medium": (65, 79), "large": (80, 94), "extra_large": (95, 105)}
CENTRE_X_PT, CENTRE_Y_PT = 195.0, (200.0, 550.0)

Row = tuple[float, float, float, str, int, float]


@dataclass(frozen=True, slots=True)
class PinchTruth:
    """How the test is done.

    ``success_rate`` is the chance that an attempt bursts its bubble; ``left_reaction_s`` and ``right_reaction_s`` the
    median times from a bubble's appearance to the first finger's coming down, lognormal with ``reaction_spread``;
    ``asynchrony_s`` the mean time to the second finger's (exponential); ``closing_s`` how long the fingers close,
    ``retry_s`` the time between two attempts at a bubble. The phone trembles at ``tremor_hz`` by ``tremor_mg``.
    """

    success_rate: float = 0.88
    left_reaction_s: float = 0.40
    right_reaction_s: float = 0.36
    reaction_spread: float = 0.2
    asynchrony_s: float = 0.012
    closing_s: float = 0.25
    retry_s: float = 0.3
    tremor_hz: float = 4.0
    tremor_mg: float = 5.0
    rate_hz: float = 50.0


def simulate_pinch(truth: PinchTruth, rng: np.random.Generator) -> dict[str, Any]:
    """Return one recording of the test, the right hand first, as ``konectom.session/1`` carries it."""
    left_start_s = DURATION_S + BETWEEN_HANDS_S
    return {
        "assessment": "pinch",
        "duration_s": left_start_s + DURATION_S,
        "completion": "completed",
        "parts": [
            _hand("right", truth.right_reaction_s, 0.0, truth, rng),
            _hand("left", truth.left_reaction_s, left_start_s, truth, rng),
        ],
    }


def _hand(hand: str, reaction_s: float, start_s: float, truth: PinchTruth, rng: np.random.Generator) -> dict[str, Any]:
    rows: list[Row] = []
    bubbles: list[dict[str, Any]] = []
    appears_s, end_s = start_s + 0.1, start_s + DURATION_S
    while appears_s < end_s:
        bubble = _bubble(appears_s, rng)
        bubbles.append(bubble)
        begin_s = appears_s + reaction_s * float(np.exp(rng.normal(0.0, truth.reaction_spread)))
        while True:
            successful = bool(rng.random() < truth.success_rate)
            apart_s = float(rng.exponential(truth.asynchrony_s))
            lasting_s = apart_s + DWELL_S + truth.closing_s
            if begin_s + lasting_s + 0.05 > end_s:
                appears_s = end_s
                break
            rows += _attempt(bubble, begin_s, apart_s, successful, truth, rng)
            if successful:
                bubble["burst_at"] = round(begin_s + lasting_s, 3)
                appears_s = begin_s + lasting_s + NEXT_BUBBLE_S
                break
            begin_s += lasting_s + truth.retry_s
    return {
        "condition": {"hand": hand},
        "start_s": start_s,
        "duration_s": DURATION_S,
        "streams": {"touch": _touch(rows)} | _sensors(start_s, truth, rng),
        "events": bubbles,
    }


def _bubble(appears_s: float, rng: np.random.Generator) -> dict[str, Any]:
    size = str(rng.choice(list(RADII_PT)))
    return {
        "type": "bubble",
        "t": round(appears_s, 3),
        "x": CENTRE_X_PT,
        "y": round(float(rng.uniform(*CENTRE_Y_PT)), 1),
        "radius": float(rng.integers(*RADII_PT[size], endpoint=True)),
        "size": size,
        "burst_at": None,
    }


def _attempt(
    bubble: dict[str, Any],
    begin_s: float,
    apart_s: float,
    successful: bool,
    truth: PinchTruth,
    rng: np.random.Generator,
) -> list[Row]:
    """Return the samples of both fingers; both close on the bubble, and lift, at the same time."""
    rows: list[Row] = []
    close_s = begin_s + apart_s + DWELL_S
    later = int(rng.integers(2))
    for finger, above in ((0, -1.0), (1, 1.0)):
        down_s = begin_s + (apart_s if finger == later else 0.0)
        up_s = close_s + truth.closing_s
        from_pt = bubble["radius"] + rng.uniform(20.0, 60.0)
        to_pt = 0.2 * bubble["radius"] if successful else bubble["radius"] + 5.0
        t_s = np.append(np.arange(down_s, up_s - 0.5 / TOUCH_RATE_HZ, 1.0 / TOUCH_RATE_HZ), up_s)
        share = np.clip((t_s - close_s) / truth.closing_s, 0.0, 1.0)
        closed = share**3 * (10.0 - 15.0 * share + 6.0 * share**2)
        y = bubble["y"] + above * (from_pt + (to_pt - from_pt) * closed)
        x = bubble["x"] + rng.normal(0.0, 8.0) * (1.0 - closed)
        pressure = 0.2 + 0.6 * np.sin(np.pi * np.linspace(0.05, 0.95, t_s.size)) + rng.normal(0.0, 0.02, t_s.size)
        phase = ["down", *["move"] * (t_s.size - 2), "up"]
        columns = (np.round(t_s, 3).tolist(), np.round(x, 3).tolist(), np.round(y, 3).tolist(), phase)
        rows += zip(*columns, [finger] * t_s.size, np.round(pressure, 4).tolist(), strict=True)
    return rows


def _touch(rows: list[Row]) -> dict[str, Any]:
    names = ("t", "x", "y", "phase", "finger", "pressure")
    ordered = sorted(rows, key=lambda row: row[0])
    return {"unit": "pt"} | {name: [row[i] for row in ordered] for i, name in enumerate(names)}


def _sensors(start_s: float, truth: PinchTruth, rng: np.random.Generator) -> dict[str, Any]:
    """Return acceleration and rotation of a phone held upright, leaning back by 40 degrees."""
    t_s = start_s + np.arange(0.0, DURATION_S, 1.0 / truth.rate_hz)
    tremor_g = truth.tremor_mg / 1e3 * np.sin(2 * np.pi * truth.tremor_hz * t_s)
    lean_rad = np.radians(40.0)
    rest_g = np.array([0.0, np.cos(lean_rad), np.sin(lean_rad)])
    noise_g = rng.normal(0.0, 0.002, (t_s.size, 3))
    acceleration_g = rest_g + tremor_g[:, None] * np.array([0.5, 1.0, 0.7]) + noise_g
    rotation = 2.0 * tremor_g[:, None] * np.array([1.0, 0.4, 0.3]) + rng.normal(0.0, 0.005, (t_s.size, 3))
    return {
        "accelerometer": _motion("m/s2", t_s, acceleration_g * STANDARD_GRAVITY_MPS2),
        "gyroscope": _motion("rad/s", t_s, rotation),
    }


def _motion(unit: str, t_s: FloatArray, values: FloatArray) -> dict[str, Any]:
    rounded = np.round(values, 6)
    told = {"unit": unit, "t": np.round(t_s, 6).tolist()}
    return told | {axis: rounded[:, i].tolist() for i, axis in enumerate("xyz")}
