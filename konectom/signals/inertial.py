"""A phone's motion from whichever streams it recorded, in g and rad/s, on one even grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from konectom.recording import STANDARD_GRAVITY_MPS2, FloatArray, Stream
from konectom.signals.orientation import Upright, split_gravity
from konectom.signals.resample import Bins, Even, grid_rate_hz
from konectom.signals.timebase import median_rate_hz, nanoseconds, nearest, samples


@dataclass(frozen=True, eq=False)
class Motion:
    """Acceleration as it was sampled: times (n), user acceleration and gravity (n, 3) in g, in the phone's axes."""

    t_s: FloatArray
    user_g: FloatArray
    gravity_g: FloatArray
    _bins: dict[float, Bins] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return int(self.t_s.size)

    @cached_property
    def grid_rate_hz(self) -> float:
        """Return the rate of the even grid on which the recording is analysed, unless told otherwise."""
        return grid_rate_hz(median_rate_hz(self.t_s))

    def upright(self, rate_hz: float | None = None) -> Even:
        """Return the user acceleration (m, 3) in g, x vertical, on an even grid."""
        return self.even(self._upright.turned(self.user_g), rate_hz)

    def total_upright(self, rate_hz: float | None = None) -> Even:
        """Return the acceleration with gravity (m, 3) in g, x vertical, on an even grid."""
        return self.even(self._upright.turned(self.user_g + self.gravity_g), rate_hz)

    def even(self, values: FloatArray, rate_hz: float | None = None) -> Even:
        """Return what was measured with the acceleration (n, k) on an even grid."""
        rate_hz = rate_hz or self.grid_rate_hz
        if rate_hz not in self._bins:
            self._bins[rate_hz] = Bins.of(self.t_s, rate_hz)
        return self._bins[rate_hz].means(values)

    @cached_property
    def _upright(self) -> Upright:
        return Upright(self.gravity_g)

    def rotation(self, gyroscope: Stream, rate_hz: float | None = None) -> Even:
        """Return the rotation (m, 3) in rad/s, x about the vertical, on an even grid.

        Each acceleration sample takes the gyroscope's nearest in time. Where most time stamps of the two are equal
        they were read together, and only samples that are stamped alike are paired.
        """
        t_s, rotation_radps = samples(gyroscope)
        if not t_s.size or not len(self):
            return Even(np.empty(0), np.empty((0, 3)), rate_hz or grid_rate_hz(float("nan")))
        partner = nearest(t_s, self.t_s)
        alike = nanoseconds(t_s[partner]) == nanoseconds(self.t_s)
        if alike.all() or alike.mean() <= 0.5:
            return self.even(self._upright.turned(rotation_radps[partner]), rate_hz)
        own = Motion(self.t_s[alike], self.user_g[alike], self.gravity_g[alike])
        return own.even(own._upright.turned(rotation_radps[partner[alike]]), rate_hz)


def motion(streams: Mapping[str, Stream]) -> Motion:
    """Return the motion from ``user_acceleration`` and ``gravity``, or else from ``accelerometer`` (total), all m/s2.

    Each user acceleration takes the gravity nearest in time; those before the first or after the last gravity are
    left out, and so are samples without a direction of gravity (a sensor that reports zeros).
    """
    if len(streams.get("user_acceleration", ())) and len(streams.get("gravity", ())):
        t_s, user = samples(streams["user_acceleration"])
        gravity_t_s, gravity = samples(streams["gravity"])
        covered = (t_s >= gravity_t_s[:1].sum()) & (t_s <= gravity_t_s[-1:].sum()) & bool(gravity_t_s.size)
        t_s, user = t_s[covered], user[covered]
        gravity = gravity[nearest(gravity_t_s, t_s)]
    elif "accelerometer" in streams:
        t_s, total = samples(streams["accelerometer"])
        user, gravity = split_gravity(t_s, total)
    else:
        t_s, user, gravity = np.empty(0), np.empty((0, 3)), np.empty((0, 3))
    directed = np.linalg.norm(gravity, axis=1) > 0
    if not directed.all():
        t_s, user, gravity = t_s[directed], user[directed], gravity[directed]
    return Motion(t_s, user / STANDARD_GRAVITY_MPS2, gravity / STANDARD_GRAVITY_MPS2)
