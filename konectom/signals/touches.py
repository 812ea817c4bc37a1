"""Touches on a screen: from rows of finger samples to one entry per contact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray, Stream
from konectom.signals.responses import BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Touches:
    """n contacts of a finger with the screen, in order of their beginning; every column has length n."""

    begin_s: FloatArray
    end_s: FloatArray

    def __len__(self) -> int:
        return int(self.begin_s.size)

    @property
    def duration_s(self) -> FloatArray:
        """How long the finger stayed on the screen."""
        return self.end_s - self.begin_s

    def intervals(self) -> FloatArray:
        """Return the n - 1 times from one beginning to the next, to the nanosecond, so that equal ones are equal."""
        return np.round(np.diff(self.begin_s), 9)

    def where(self, keep: BoolArray) -> Touches:
        """Return the contacts for which ``keep`` (n booleans) is true."""
        return Touches(self.begin_s[keep], self.end_s[keep])

    def overlapping(self) -> BoolArray:
        """Tell which contacts begin while an earlier one lasts: with another finger, therefore."""
        if not len(self):
            return np.zeros(0, dtype=np.bool_)
        latest_end_s = np.maximum.accumulate(self.end_s)
        return np.concatenate(([False], self.begin_s[1:] < latest_end_s[:-1]))


def split_touches(stream: Stream) -> Touches:
    """Return the contacts in a stream of finger samples: column ``phase``, and ``finger`` where fingers are told apart.

    A contact begins with the phase "down" and holds all samples of its finger until the next. Samples of a finger
    before its first "down" belong to a contact whose beginning was not seen and are left out.
    """
    finger = np.nan_to_num(stream["finger"], nan=-1.0) if "finger" in stream else np.zeros(len(stream))
    order = np.lexsort((stream.t_s, finger))
    t_s, finger, down = stream.t_s[order], finger[order], stream["phase"][order] == "down"
    other_finger = np.diff(finger, prepend=np.nan) != 0
    first = np.flatnonzero(down | other_finger)
    last = np.append(first[1:], t_s.size) - 1
    seen = down[first]
    begin_s, end_s = t_s[first[seen]], t_s[last[seen]]
    by_begin = np.argsort(begin_s, kind="stable")
    return Touches(begin_s[by_begin], end_s[by_begin])


def nearest(sorted_s: FloatArray, t_s: FloatArray) -> NDArray[np.intp]:
    """Return, for each of n times, the place of the nearest among sorted times (one or more); the earlier of equals."""
    after = np.clip(np.searchsorted(sorted_s, t_s), 1, max(sorted_s.size - 1, 1))
    before = after - 1
    after = np.minimum(after, sorted_s.size - 1)
    return np.where(t_s - sorted_s[before] <= sorted_s[after] - t_s, before, after)
