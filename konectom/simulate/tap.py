"""Finger tapping as somebody does it who alternates two buttons at a known pace, evenness and aim.

Intervals are lognormal. A tap that goes beside the buttons, or hits the same button again, takes its time like any
other; the next tap goes on from there. One finger taps: a contact ends before the next begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

DURATION_S = 20.0
BETWEEN_HANDS_S = 10.0
FIRST_TAP_S = 0.4
NOTICED_AFTER_S = 0.003
"""How long after the touch the app notices the tap."""

CENTRES = {"left": (110.0, 400.0), "right": (280.0, 400.0), "none": (195.0, 520.0)}


@dataclass(frozen=True, slots=True)
class TapTruth:
    """How the test is done.

    ``left_interval_s`` and ``right_interval_s`` are the mean times from tap to tap of each hand, ``irregularity`` their
    coefficient of variation, ``contact_s`` how long the finger stays down, ``miss_share`` the chance that a tap goes
    beside the buttons, and ``repeat_share`` that it hits the same button again.
    """

    left_interval_s: float = 0.21
    right_interval_s: float = 0.19
    irregularity: float = 0.15
    contact_s: float = 0.08
    miss_share: float = 0.02
    repeat_share: float = 0.02


def simulate_tap(truth: TapTruth, rng: np.random.Generator) -> dict[str, Any]:
    """Return one recording of the test, the right hand first, as ``konectom.session/1`` carries it."""
    left_start_s = DURATION_S + BETWEEN_HANDS_S
    return {
        "assessment": "tap",
        "duration_s": left_start_s + DURATION_S,
        "completion": "completed",
        "parts": [
            _hand("right", truth.right_interval_s, 0.0, truth, rng),
            _hand("left", truth.left_interval_s, left_start_s, truth, rng),
        ],
    }


def _hand(hand: str, interval_s: float, start_s: float, truth: TapTruth, rng: np.random.Generator) -> dict[str, Any]:
    sigma = float(np.sqrt(np.log1p(truth.irregularity**2)))
    most = int(DURATION_S / interval_s * 2) + 50
    between_s = rng.lognormal(np.log(interval_s) - sigma**2 / 2, sigma, most)
    begin_s = start_s + FIRST_TAP_S + np.append(0.0, np.cumsum(between_s))
    begin_s = np.round(begin_s[begin_s < start_s + DURATION_S - truth.contact_s], 3)
    contact_s = np.minimum(rng.normal(truth.contact_s, truth.contact_s / 10, begin_s.size), 0.9 * interval_s)
    end_s = np.round(begin_s + np.clip(contact_s, 0.01, None), 3)
    end_s[:-1] = np.minimum(end_s[:-1], begin_s[1:] - 0.001)
    zones = _zones(begin_s.size, truth, rng)
    return {
        "condition": {"hand": hand},
        "start_s": start_s,
        "duration_s": DURATION_S,
        "events": [
            {"type": "tap", "t": round(float(t_s) + NOTICED_AFTER_S, 3), "zone": zone}
            for t_s, zone in zip(begin_s, zones, strict=True)
        ],
        "streams": {"touch": _touch(begin_s.tolist(), end_s.tolist(), zones, rng)},
    }


def _zones(count: int, truth: TapTruth, rng: np.random.Generator) -> list[str]:
    zones: list[str] = []
    aim = "left"
    for _ in range(count):
        zones.append("none" if rng.random() < truth.miss_share else aim)
        if rng.random() >= truth.repeat_share:
            aim = "right" if aim == "left" else "left"
    return zones


def _touch(begin_s: list[float], end_s: list[float], zones: list[str], rng: np.random.Generator) -> dict[str, Any]:
    centres = np.array([CENTRES[zone] for zone in zones]).reshape(-1, 2)
    at = np.repeat(np.round(centres + rng.normal(0.0, 6.0, centres.shape), 1), 2, axis=0)
    return {
        "unit": "pt",
        "t": [t_s for both in zip(begin_s, end_s, strict=True) for t_s in both],
        "x": at[:, 0].tolist(),
        "y": at[:, 1].tolist(),
        "phase": ["down", "up"] * len(begin_s),
        "finger": [0] * (2 * len(begin_s)),
    }
