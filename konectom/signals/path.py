"""The way on the ground, from positions in metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from konectom.recording import FloatArray, Stream

EAST_NORTH = ("x", "y")


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """n positions in order of time: times (n), metres to the east and north (n, 2)."""

    t_s: FloatArray
    position_m: FloatArray

    def __len__(self) -> int:
        return int(self.t_s.size)

    def legs_m(self) -> FloatArray:
        """Return the distances (n - 1) from each position to the next."""
        return np.hypot(*np.diff(self.position_m, axis=0).T) if len(self) > 1 else np.empty(0)

    def speeds_mps(self) -> FloatArray:
        """Return the speeds (n - 1) from each position to the next."""
        return self.legs_m() / np.diff(self.t_s)


def path_of(gps: Stream) -> Path:
    """Return the positions in order of time; of several at one time the last recorded, without those that are NaN."""
    position_m = gps.matrix(*EAST_NORTH)
    t_s = gps.t_s
    order = np.argsort(t_s, kind="stable")
    t_s, position_m = t_s[order], position_m[order]
    last = np.append(np.diff(t_s) > 0, True)[: t_s.size]
    t_s, position_m = t_s[last], position_m[last]
    known = np.isfinite(position_m).all(axis=1)
    return Path(t_s[known], position_m[known])
