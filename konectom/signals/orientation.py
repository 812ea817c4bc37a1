"""Which way the phone points: gravity, axes turned onto it, and where the phone is worn.

Gravity here is whatever the phone reports as such, in g: towards the ground on iOS, away from it on Android and in
konectom's own format. The maths is the same for both; only the sense of rotation about the vertical is mirrored.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray
from konectom.signals.filters import slow_part
from konectom.signals.timebase import median_rate_hz

GRAVITY_CUTOFF_HZ = 0.1
"""Slower than sway and steps, faster than a phone that slips on the belt."""

WINDOW_S = 4.0
STEP_S = 0.1
_STILL_G = 0.01


def split_gravity(t_s: FloatArray, total_g: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return user acceleration and gravity, both (n, 3), from the total acceleration.

    Gravity is what is slower than 0.1 Hz, or the mean of a recording too short to tell. Unlike a phone's own fusion
    with the gyroscope this leaves the change of gravity through fast tilt in the user acceleration.
    """
    rate_hz = median_rate_hz(t_s)
    if t_s.size < 2 or t_s[-1] - t_s[0] < 1 / GRAVITY_CUTOFF_HZ:
        gravity = np.broadcast_to(total_g.mean(axis=0), total_g.shape) if t_s.size else total_g
    else:
        gravity = slow_part(total_g, GRAVITY_CUTOFF_HZ, rate_hz)
    return total_g - gravity, gravity


class Upright:
    """Axes turned, sample by sample, the shortest way that takes gravity to -x.

    So x is the vertical of a phone worn in landscape on the belt; y and z lie in the horizontal plane, along the
    phone's own as far as its tilt allows. Where gravity points to +x the shortest way is not unique and the phone is
    turned about its y; near that, y and z mix by the direction of the tilt, which neither lengths nor areas in the
    plane notice.

    ``gravity`` (n, 3), of any unit, is taken relative to its root mean square: a sample at which the phone reports
    more or less than usual is turned by more or less. A phone that reports gravity rightly does not.
    """

    def __init__(self, gravity: FloatArray) -> None:
        usual = np.sqrt(np.einsum("ij,ij->", gravity, gravity) / max(1, len(gravity)))
        gx, gy, gz = (gravity / usual).T
        # The quaternion (w, 0, y, z) half-way between gravity and -x.
        w, y, z = gx * gx + gy * gy + gz * gz - gx, -gz, gy
        norm = np.sqrt(w * w + y * y + z * z)
        opposite = norm < 1e-9
        turns = ((w, 0), (y, 1), (z, 0))
        w, y, z = (np.where(opposite, other, q / np.where(opposite, 1.0, norm)) for q, other in turns)
        yy, zz, self._wy, self._wz, self._yz = 2 * y * y, 2 * z * z, 2 * w * y, 2 * w * z, 2 * y * z
        self._xx, self._yy, self._zz = 1 - yy - zz, 1 - zz, 1 - yy

    def turned(self, vectors: FloatArray) -> FloatArray:
        """Return ``vectors`` (n, 3) in these axes."""
        vx, vy, vz = vectors.T
        upright: FloatArray = np.column_stack(
            [
                self._xx * vx - self._wz * vy + self._wy * vz,
                self._wz * vx + self._yy * vy + self._yz * vz,
                self._yz * vy - self._wy * vx + self._zz * vz,
            ]
        )
        return upright


def turned_upright(vectors: FloatArray, gravity: FloatArray) -> FloatArray:
    """Return ``vectors`` (n, 3) in the axes of :class:`Upright`."""
    return Upright(gravity).turned(vectors)


def placements(
    gravity_g: FloatArray, user_g: FloatArray, rate_hz: float, at: NDArray[np.intp] | None = None
) -> NDArray[np.str_]:
    """Return where the phone was in each 0.1 s, or at the samples ``at``: belt, pants, table, handheld or else.

    ``gravity_g`` and ``user_g`` (n, 3) are evenly sampled. Each time is judged by the mean of gravity and the
    standard deviation of the user acceleration's norm over the 4 s around it: belt is landscape within 53 degrees,
    pants upright within 45 degrees, table flat and still within 18 degrees or flat within 8, handheld facing up.
    """
    if not len(gravity_g):
        return np.empty(0, dtype="<U8")
    if at is None:
        at = np.unique((np.arange(0, len(gravity_g) / rate_hz, STEP_S) * rate_hz).round().astype(np.intp))
        at = at[at < len(gravity_g)]
    norm = np.linalg.norm(user_g, axis=1)
    norm = norm - norm.mean()  # sums of squares stay exact
    columns = np.column_stack([gravity_g, norm, norm**2])
    summed = np.concatenate([np.zeros((1, 5)), np.cumsum(columns, axis=0)])
    half = round(WINDOW_S / 2 * rate_hz)
    first, last = (at - half + 1).clip(0), (at + half + 1).clip(None, len(gravity_g))
    n = (last - first)[:, None]
    mean = (summed[last] - summed[first]) / n
    spread = np.sqrt(((mean[:, 4] - mean[:, 3] ** 2) * n[:, 0] / np.maximum(n[:, 0] - 1, 1)).clip(0))
    x, y, z = np.abs(mean[:, :3]).T
    near = np.cos(np.radians([53, 45, 18, 8, 50]))
    rules = (x > near[0], y > near[1], (z > near[2]) & (spread < _STILL_G), z > near[3], mean[:, 2] < -near[4])
    return np.select(rules, ("belt", "pants", "table", "table", "handheld"), "else")
