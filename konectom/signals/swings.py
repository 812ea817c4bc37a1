"""Swings of a repeated rotation: the stretches between two reversals, each with its angle and its duration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray
from konectom.signals.timebase import nanoseconds

FINE = 20
"""Points by which each sampling interval is divided to find reversals: 1 ms at 50 Hz."""


@dataclass(frozen=True, slots=True, eq=False)
class Swings:
    """n swings in order of time; the sign of ``angle_rad`` is the sense of the rotation."""

    begin_s: FloatArray
    end_s: FloatArray
    angle_rad: FloatArray

    def __len__(self) -> int:
        return int(self.angle_rad.size)

    @property
    def duration_s(self) -> FloatArray:
        """How long each swing took."""
        return self.end_s - self.begin_s

    @property
    def speed_radps(self) -> FloatArray:
        """The mean speed of each swing, without its sense."""
        return np.abs(self.angle_rad) / self.duration_s

    def where(self, keep: NDArray[np.bool_]) -> Swings:
        """Return the swings for which ``keep`` (n booleans) is true."""
        return Swings(self.begin_s[keep], self.end_s[keep], self.angle_rad[keep])

    def ending_after(self, t_s: float) -> Swings:
        """Return the swings that end after an instant."""
        return self.where(nanoseconds(self.end_s) > nanoseconds(t_s))

    def cycles(self) -> tuple[FloatArray, FloatArray]:
        """Return angle and duration of each to and fro: the swings by twos, without the first and the last of all.

        The angle is the sum of both ways. A swing that is left without a partner does not count.
        """
        inner = slice(1, 1 + max(0, len(self) - 2) // 2 * 2)
        angle_rad = np.abs(self.angle_rad[inner]).reshape(-1, 2).sum(axis=1)
        return angle_rad, self.duration_s[inner].reshape(-1, 2).sum(axis=1)


def find_swings(begin_s: float, rotation_radps: FloatArray, rate_hz: float, least_rad: float) -> Swings:
    """Return the swings of more than ``least_rad`` in a rotation about one axis (n), evenly sampled from ``begin_s``.

    Between samples the rotation is taken as a straight line. A swing lasts from one change of sign to the next, both
    told to the next twentieth of the sampling interval.
    """
    if rotation_radps.size < 2:
        return Swings(*np.empty((3, 0)))
    between = np.arange(FINE) / FINE
    fine = (rotation_radps[:-1, None] + np.diff(rotation_radps)[:, None] * between).ravel()
    fine = np.append(fine, rotation_radps[-1])
    step_s = 1.0 / (rate_hz * FINE)
    turned_rad = np.concatenate(([0.0], np.cumsum(fine[1:] + fine[:-1]))) * (step_s / 2)
    reversals = np.flatnonzero(np.diff(fine > 0)) + 1
    at_s = begin_s + reversals.astype(np.float64) * step_s
    found = Swings(at_s[:-1], at_s[1:], np.diff(turned_rad[reversals]))
    return found.where(np.abs(found.angle_rad) > least_rad)
