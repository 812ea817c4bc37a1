"""Turning the forearm to and fro: each movement by a known angle in a known time.

The speed of a movement rises and falls as half a wave of a sine, so that the movements follow each other without a
break.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from konectom.recording import FloatArray
from konectom.simulate.phone import stamps

BETWEEN_HANDS_S = 20.0


@dataclass(frozen=True, slots=True)
class PronationTruth:
    """What the patient does, and how the phone measures it.

    The right forearm turns ``rotation_deg`` with each movement and to and fro ``cycle_hz`` times a second; the left
    does ``left_share`` of either. The time of a movement varies by the coefficient ``irregularity``. From the first
    movement to the last the rotation falls by the share ``fading``. ``wobble_radps`` is the rotation about the other
    axes.
    """

    rotation_deg: float = 170.0
    cycle_hz: float = 1.8
    irregularity: float = 0.05
    fading: float = 0.06
    left_share: float = 0.95
    wobble_radps: float = 1.0
    duration_s: float = 7.1
    rate_hz: float = 50.0
    noise_radps: float = 0.02
    jitter_s: float = 0.0005

    def mean_rotation_deg(self, hand: str) -> float:
        """The mean rotation of a hand's movements."""
        return self.rotation_deg * self._share(hand) * (1 - self.fading / 2)

    def cycles_per_s(self, hand: str) -> float:
        """How often a second a hand goes to and fro."""
        return self.cycle_hz * self._share(hand)

    def _share(self, hand: str) -> float:
        return 1.0 if hand == "right" else self.left_share


def simulate_pronation(truth: PronationTruth, rng: np.random.Generator) -> dict[str, Any]:
    """Return a recording of both hands in the form of ``konectom.session/1``."""
    return {
        "assessment": "pronation",
        "condition": {},
        "duration_s": truth.duration_s + BETWEEN_HANDS_S,
        "completion": "completed",
        "parts": [_part(hand, start_s, truth, rng) for hand, start_s in (("right", 0.0), ("left", BETWEEN_HANDS_S))],
    }


def _part(hand: str, start_s: float, truth: PronationTruth, rng: np.random.Generator) -> dict[str, Any]:
    t_s = stamps(truth.duration_s, truth.rate_hz, truth.jitter_s, rng)
    sense = 1.0 if hand == "right" else -1.0
    rotation = np.column_stack(
        [
            truth.wobble_radps * np.sin(2 * np.pi * truth.cycles_per_s(hand) * t_s),
            0.5 * truth.wobble_radps * np.cos(2 * np.pi * truth.cycles_per_s(hand) * t_s),
            sense * _about_forearm_radps(t_s, hand, truth, rng),
        ]
    )
    measured = np.round(rotation + rng.normal(0.0, truth.noise_radps, rotation.shape), 6)
    columns: dict[str, Any] = {axis: measured[:, i].tolist() for i, axis in enumerate("xyz")}
    gyroscope = {"unit": "rad/s", "t": np.round(start_s + t_s, 6).tolist()} | columns
    return {
        "condition": {"hand": hand},
        "start_s": start_s,
        "duration_s": truth.duration_s,
        "streams": {"gyroscope": gyroscope},
    }


def _about_forearm_radps(t_s: FloatArray, hand: str, truth: PronationTruth, rng: np.random.Generator) -> FloatArray:
    """Return the rotation about the forearm's axis (n): the first movement is a pronation."""
    usual_s = 0.5 / truth.cycles_per_s(hand)
    count = int(np.ceil(truth.duration_s / usual_s)) + 1
    lasting = rng.normal(1.0, truth.irregularity, count).clip(0.5, 1.5)
    duration_s = usual_s * lasting * count / lasting.sum()
    begin_s = np.concatenate(([0.0], np.cumsum(duration_s)[:-1]))
    share = np.linspace(0.0, 1.0, count)
    angle_rad = np.radians(truth.mean_rotation_deg(hand) / (1 - truth.fading / 2)) * (1 - truth.fading * share)
    at = (np.searchsorted(begin_s, t_s, side="right") - 1).clip(0)
    phase = (t_s - begin_s[at]) / duration_s[at]
    speed_radps: FloatArray = angle_rad[at] * np.pi / 2 / duration_s[at] * np.sin(np.pi * phase.clip(0, 1))
    return np.where(at % 2, -speed_radps, speed_radps)
