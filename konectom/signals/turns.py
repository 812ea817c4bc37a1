"""Turns while walking, from the rotation about the vertical.

El-Gohary et al. 2014, Continuous monitoring of turning in patients with movement disability, Sensors 14:356
(doi 10.3390/s140100356). Deviations: the caller filters, so any cutoff may be used; a turn of at least 45 degrees
counts; turns of the same sense are joined first only over gaps below 0.05 s, and then, by :func:`join_u_turns`, where
together they make about half a round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from konectom.recording import FloatArray
from konectom.signals.resample import Even

PEAK_RADPS = np.radians(15)
EDGE_RADPS = np.radians(5)
JOIN_WITHIN_S = 0.05
SHORTEST_S, LONGEST_S = 0.5, 10.0
SMALLEST_RAD = np.radians(45)

U_JOIN_WITHIN_S = 3.0
U_LARGEST_PIECE_RAD = np.radians(170)
U_LARGEST_SUM_RAD = np.radians(270)
U_SMALLEST_RAD = np.radians(90)


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn: its first and last sample, how long it took, and by how much (the sign is the sense)."""

    first: int
    last: int
    duration_s: float
    angle_rad: float

    @property
    def speed_radps(self) -> float:
        """Return the mean speed of the turn."""
        return abs(self.angle_rad / self.duration_s)


def find_turns(yaw_radps: FloatArray, rate_hz: float) -> list[Turn]:
    """Return the turns in an evenly sampled rotation about the vertical (n), low-pass filtered, in order of time.

    A turn is a peak above 15 deg/s with all around it above 5 deg/s, 0.5 to 10 s long and of at least 45 degrees.
    """
    from scipy.signal import find_peaks

    peaks, _ = find_peaks(np.abs(yaw_radps), height=PEAK_RADPS)
    sense = np.sign(yaw_radps) * (np.abs(yaw_radps) >= EDGE_RADPS)
    borders = np.flatnonzero(np.diff(sense)) + 1
    run = np.unique(np.searchsorted(borders, peaks, side="right"))  # the stretches of one sense that have a peak
    edges = np.concatenate(([0], borders, [yaw_radps.size]))
    turned = _Turned(yaw_radps, rate_hz)
    found: list[Turn] = []
    for first, last in zip(edges[run].tolist(), (edges[run + 1] - 1).tolist(), strict=True):
        turn = turned(first, last)
        if found and _same_sense(found[-1], turn) and (first - found[-1].last) / rate_hz < JOIN_WITHIN_S:
            found[-1] = turned(found[-1].first, last)
        else:
            found.append(turn)
    return [turn for turn in found if SHORTEST_S < turn.duration_s < LONGEST_S and abs(turn.angle_rad) >= SMALLEST_RAD]


def join_u_turns(turns: list[Turn], yaw_radps: FloatArray, rate_hz: float) -> list[Turn]:
    """Return turns of more than 90 degrees after joining the pieces of one U-turn.

    Pieces have the same sense, follow each other within 3 s, are each below 170 degrees and together below 270.
    """
    turned = _Turned(yaw_radps, rate_hz)
    joined: list[Turn] = []
    for turn in turns:
        if joined and _pieces(joined[-1], turn, rate_hz):
            joined[-1] = turned(joined[-1].first, turn.last)
        else:
            joined.append(turn)
    return [turn for turn in joined if abs(turn.angle_rad) > U_SMALLEST_RAD]


def rotation_between(t_s: FloatArray, yaw: Even) -> FloatArray:
    """Return the angle in rad by which the trunk turned from each time to the next, from the last to the end.

    NaN where the rotation about the vertical (n), ``yaw``, was not recorded.
    """
    if len(yaw) < 2:
        return np.full(t_s.size, np.nan)
    turned_rad = np.concatenate(([0.0], np.cumsum(yaw.values[1:] + yaw.values[:-1]) / 2 / yaw.rate_hz))
    at = np.rint((t_s - yaw.t_s[0]) * yaw.rate_hz).astype(np.intp).clip(0, len(yaw) - 1)
    angle_rad: FloatArray = np.diff(turned_rad[at], append=turned_rad[-1])
    if at.size and at[-1] == len(yaw) - 1:
        angle_rad[-1] = np.nan
    return angle_rad


def _pieces(before: Turn, turn: Turn, rate_hz: float) -> bool:
    angles = abs(before.angle_rad), abs(turn.angle_rad)
    return (
        _same_sense(before, turn)
        and (turn.first - before.last) / rate_hz < U_JOIN_WITHIN_S
        and max(angles) < U_LARGEST_PIECE_RAD
        and sum(angles) < U_LARGEST_SUM_RAD
    )


def _same_sense(one: Turn, other: Turn) -> bool:
    return (one.angle_rad > 0) == (other.angle_rad > 0)


class _Turned:
    """Makes a turn of two samples: the angle is the sum of all rotation from the first to the last."""

    def __init__(self, yaw_radps: FloatArray, rate_hz: float) -> None:
        self._summed = np.concatenate(([0.0], np.cumsum(yaw_radps))) / rate_hz
        self._rate_hz = rate_hz

    def __call__(self, first: int, last: int) -> Turn:
        angle_rad = float(self._summed[last + 1] - self._summed[first])
        return Turn(first, last, (last - first) / self._rate_hz, angle_rad)
