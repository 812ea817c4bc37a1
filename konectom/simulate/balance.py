"""Quiet stance: a trunk that sways as a band of random motion of known size, shape and speed.

The sway is a sum of many sines of random phase around one frequency, so that its acceleration is close to normal. Once
settled it has exactly the stated root mean square, and sideways and forward are uncorrelated. From that follow the area
that holds 95 % of it and, up to chance, how fast it changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from konectom.recording import FloatArray
from konectom.simulate.phone import accelerometer, stamps

COMPONENTS = 48
BANDWIDTH = 0.35
"""Half the width of the band of frequencies, relative to its centre."""

SETTLING_S = 5.0


@dataclass(frozen=True, slots=True)
class BalanceTruth:
    """What the patient does, and how the phone measures it.

    ``sway_rms_mg`` is the root mean square of the horizontal acceleration, ``sway_hz`` how often a second the trunk
    sways, ``elongation`` the ratio of the sway forward and back to that sideways. In the first five seconds the sway
    is larger by ``settling`` and fades to its usual size.
    """

    sway_rms_mg: float = 2.0
    sway_hz: float = 0.8
    elongation: float = 1.6
    settling: float = 1.3
    duration_s: float = 30.0
    rate_hz: float = 50.0
    tilt_deg: float = 8.0
    noise_mg: float = 0.3
    jitter_s: float = 0.001

    @property
    def forward_mg(self) -> float:
        """The root mean square forward and back."""
        return float(self.sway_rms_mg * self.elongation / np.hypot(1.0, self.elongation))

    @property
    def sideways_mg(self) -> float:
        """The root mean square sideways."""
        return float(self.sway_rms_mg / np.hypot(1.0, self.elongation))

    @property
    def area_mg2(self) -> float:
        """The area of the ellipse that holds 95 % of a normal distribution of this size."""
        return float(np.pi * -2.0 * np.log(0.05) * self.forward_mg * self.sideways_mg)

    @property
    def path_rate_mgps(self) -> float:
        """The mean speed at which the acceleration changes: the mean length of a normal vector of its derivative."""
        angle = np.linspace(0.0, np.pi, 400, endpoint=False)
        spread = np.hypot(self.forward_mg * np.cos(angle), self.sideways_mg * np.sin(angle))
        # The mean length of a two-dimensional normal vector is the mean over all directions of its spread, times this.
        rms_hz = self.sway_hz * np.sqrt(1.0 + BANDWIDTH**2 / 3.0)
        return float(2 * np.pi * rms_hz * np.sqrt(np.pi / 2) * spread.mean())


def simulate_balance(truth: BalanceTruth, rng: np.random.Generator) -> dict[str, Any]:
    """Return a recording of quiet stance in the form of ``konectom.session/1``."""
    t_s = stamps(truth.duration_s, truth.rate_hz, truth.jitter_s, rng)
    settled = t_s >= min(SETTLING_S, truth.duration_s / 2)
    up, left, forward = (_band(t_s, hz, rng) for hz in (2 * truth.sway_hz, truth.sway_hz, truth.sway_hz))
    forward = forward - left * (forward[settled] @ left[settled]) / (left[settled] @ left[settled])
    size_mg = np.array([0.3 * truth.sideways_mg, truth.sideways_mg, truth.forward_mg])
    trunk = np.column_stack([up, left, forward])
    trunk_mg = trunk / np.sqrt(np.mean(trunk[settled] ** 2, axis=0)) * size_mg
    trunk_mg *= 1.0 + (truth.settling - 1.0) * np.clip(1.0 - t_s[:, None] / SETTLING_S, 0.0, 1.0)
    tilt_rad = float(np.radians(truth.tilt_deg))
    return {
        "assessment": "balance",
        "condition": {"placement": "belt"},
        "duration_s": truth.duration_s,
        "completion": "completed",
        "streams": {"accelerometer": accelerometer(t_s, trunk_mg / 1e3, tilt_rad, truth.noise_mg / 1e3, rng)},
    }


def _band(t_s: FloatArray, centre_hz: float, rng: np.random.Generator) -> FloatArray:
    """Return random motion (n) around a frequency."""
    frequency_hz = centre_hz * (1.0 + BANDWIDTH * np.linspace(-1.0, 1.0, COMPONENTS))
    phase_rad = rng.uniform(0.0, 2 * np.pi, COMPONENTS)
    motion: FloatArray = np.sin(2 * np.pi * np.multiply.outer(t_s, frequency_hz) + phase_rad).sum(axis=1)
    return motion
