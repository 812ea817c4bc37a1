"""Touches on a screen: from rows of finger samples to one entry per contact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray, Stream
from konectom.signals.filters import low_pass_rows
from konectom.signals.responses import BoolArray
from konectom.signals.timebase import nanoseconds

IntArray = NDArray[np.intp]

PEAK_STEP_NS = 5_000_000
FEWEST_PEAK_STEPS, MOST_PEAK_STEPS = 12, 1000
_AT_ONCE = 1000
"""Contacts that are searched for peaks at once: that bounds the memory."""

_FAR = 1 << 34
"""Nanoseconds beyond what is searched of a contact (17 seconds): keys this far apart do not mix."""


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
    order, first, seen = _contacts(stream)
    last = np.append(first[1:], order.size) - 1
    begin_s, end_s = stream.t_s[order[first[seen]]], stream.t_s[order[last[seen]]]
    by_begin = np.argsort(begin_s, kind="stable")
    return Touches(begin_s[by_begin], end_s[by_begin])


def _contacts(stream: Stream) -> tuple[IntArray, IntArray, BoolArray]:
    """Return the rows finger by finger in order of time, where each contact begins, and whether that was seen."""
    finger = np.nan_to_num(stream["finger"], nan=-1.0) if "finger" in stream else np.zeros(len(stream))
    order = np.lexsort((stream.t_s, finger))
    down = stream["phase"][order] == "down"
    first = np.flatnonzero(down | (np.diff(finger[order], prepend=np.nan) != 0))
    return order, first, down[first]


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """The m samples of n contacts: contact after contact in order of beginning, each in order of time.

    ``contact`` (m) counts from 0, ``first`` (n) is where each contact's samples begin, ``row`` (m) is each sample's
    place in the stream that it came from. Positions are in the stream's unit. No contact has two samples at one time.
    """

    row: IntArray
    contact: IntArray
    first: IntArray
    t_s: FloatArray
    x: FloatArray
    y: FloatArray

    def __len__(self) -> int:
        return int(self.first.size)

    @property
    def count(self) -> IntArray:
        """How many samples each contact has."""
        return np.diff(self.first, append=self.contact.size)

    @property
    def last(self) -> IntArray:
        """Where each contact's samples end."""
        return self.first + self.count - 1

    @property
    def touches(self) -> Touches:
        """When each contact began and ended."""
        return Touches(self.t_s[self.first], self.t_s[self.last])

    def where(self, keep: BoolArray) -> Paths:
        """Return the samples for which ``keep`` (m) is true; contacts that lose all of theirs fall away."""
        kept = self.contact[keep]
        new = np.diff(kept, prepend=-1) != 0
        contact = np.cumsum(new, dtype=np.intp) - 1
        return Paths(self.row[keep], contact, np.flatnonzero(new), self.t_s[keep], self.x[keep], self.y[keep])

    def change(self, values: FloatArray) -> FloatArray:
        """Return each sample's value less that of the sample before, NaN at the first of a contact."""
        changed = np.diff(values, prepend=np.nan)
        changed[self.first] = np.nan
        return changed

    def per_ms(self, values: FloatArray) -> FloatArray:
        """Return the rate of change (m) of a value per millisecond since the sample before; of NaN it is NaN."""
        rate: FloatArray = self.change(values) / self.change(nanoseconds(self.t_s) / 1e6)
        return rate

    def speed_per_ms(self) -> FloatArray:
        """Return how fast the finger came from the sample before (m), per millisecond."""
        way, lasted_ms = np.hypot(self.change(self.x), self.change(self.y)), self.change(nanoseconds(self.t_s) / 1e6)
        speed: FloatArray = way / lasted_ms
        return speed

    def moved_s(self) -> FloatArray:
        """Return when each contact (n) is first seen elsewhere than just before; NaN where it never is."""
        moved = np.nan_to_num(self.speed_per_ms()) > 0
        moved_s = np.where(moved, self.t_s, np.inf)
        first_s = np.minimum.reduceat(moved_s, self.first) if len(self) else moved_s
        return np.where(np.isfinite(first_s), first_s, np.nan)

    def mean(self, values: FloatArray) -> FloatArray:
        """Return the mean of each contact's known values (n), NaN where it has none."""
        known = np.isfinite(values)
        count = np.bincount(self.contact[known], minlength=len(self))
        total = np.bincount(self.contact[known], weights=values[known], minlength=len(self))
        mean: FloatArray = np.divide(total, count, out=np.full(len(self), np.nan), where=count > 0)
        return mean

    def any(self, flags: BoolArray) -> BoolArray:
        """Tell for each contact (n) whether a flag of its samples (m) is set."""
        found: BoolArray = np.bincount(self.contact[flags], minlength=len(self)) > 0
        return found


def touch_paths(stream: Stream) -> Paths:
    """Return the paths of the contacts that :func:`split_touches` finds; of samples at one time the last counts."""
    order, first, seen = _contacts(stream)
    begin_s = stream.t_s[order[first]]
    rank = np.empty(first.size, dtype=np.intp)
    rank[np.argsort(np.where(seen, begin_s, np.inf), kind="stable")] = np.arange(first.size)
    contact = np.repeat(rank, np.diff(first, append=order.size))
    by_begin = np.argsort(contact, kind="stable")
    row, contact = order[by_begin], contact[by_begin]
    t_s = stream.t_s[row]
    last_at_its_time = np.append((np.diff(t_s) != 0) | (np.diff(contact) != 0), True)[: row.size]
    keep = last_at_its_time & (contact < np.count_nonzero(seen))
    row = row[keep]
    every = Paths(row, contact[keep], np.empty(0, dtype=np.intp), t_s[keep], stream["x"][row], stream["y"][row])
    return every.where(np.ones(row.size, dtype=np.bool_))


def gestures(touched: Touches, of: IntArray | None = None) -> IntArray:
    """Return for each of n contacts the number of its gesture: contacts of which each overlaps the one before it.

    ``of`` (n) tells what a contact belongs to, such as a target: a gesture does not reach over two of them. The
    contacts stand in order of ``of``, then of beginning.
    """
    apart = np.ones(len(touched), dtype=np.bool_)
    apart[1:] = touched.begin_s[1:] > touched.end_s[:-1]
    if of is not None:
        apart[1:] |= np.diff(of) != 0
    number: IntArray = np.cumsum(apart, dtype=np.intp) - 1
    return number


def first_peaks_s(path: Paths, contacts: IntArray) -> FloatArray:
    """Return, for k contacts, where the search began and the first peak of the finger's speed (k, 2); else NaN.

    The speed is held from sample to sample on a grid of 5 ms, smoothed below 10 Hz (Butterworth, order 3, forwards
    and backwards), and has a peak where it is higher than 5 ms before and after. A contact of less than 13 steps is
    too short for that; of a long one the first 5 seconds count. The search begins at the step that holds the contact's
    second sample: the first with a speed.
    """
    found = np.full((contacts.size, 2), np.nan)
    if not contacts.size:
        return found
    now = nanoseconds(path.t_s)
    second, last = np.minimum(path.first + 1, path.last)[contacts], path.last[contacts]
    # The first step at which a speed is known: at the sample, or the next one after.
    start, stop = -(-now[second] // PEAK_STEP_NS), now[last] // PEAK_STEP_NS
    steps = np.where(path.count[contacts] > 1, stop - start + 1, 0).clip(None, MOST_PEAK_STEPS)
    begin = now[path.first]
    since_begin = np.minimum(now - begin[path.contact], _FAR - 1)
    speed, key = path.speed_per_ms(), path.contact.astype(np.int64) * _FAR + since_begin
    long = np.flatnonzero(steps > FEWEST_PEAK_STEPS)
    for some in np.split(long, np.arange(_AT_ONCE, long.size, _AT_ONCE)) if long.size else ():
        number = np.arange(int(steps[some].max(initial=0)))
        at = (start[some, None] + number) * PEAK_STEP_NS - begin[contacts[some], None]
        held = np.searchsorted(key, contacts[some, None] * _FAR + np.minimum(at, _FAR - 1), side="right") - 1
        smooth = low_pass_rows(speed[held], steps[some], 10.0, 3, 1e9 / PEAK_STEP_NS)
        rise = np.diff(smooth, axis=1)
        peak = (rise[:, :-1] > 0) & (rise[:, 1:] < 0) & (number[2:] < steps[some, None])
        found[some, 0] = now[second[some]] // PEAK_STEP_NS
        found[some, 1] = np.where(peak.any(axis=1), start[some] + 1 + peak.argmax(axis=1), np.nan)
    seconds: FloatArray = found * (PEAK_STEP_NS / 1e9)
    return seconds


def interval_of(t_s: FloatArray, starts_s: FloatArray, ends_s: FloatArray) -> IntArray:
    """Return for each time the number of the interval that holds it, both ends included, or -1.

    The intervals stand in order of time. One whose end is NaN holds nothing.
    """
    number = np.searchsorted(starts_s, t_s, side="right") - 1
    inside = (number >= 0) & (t_s <= ends_s[number]) if starts_s.size else np.zeros(t_s.size, dtype=np.bool_)
    return np.where(inside, number, -1)


def nearest(sorted_s: FloatArray, t_s: FloatArray) -> NDArray[np.intp]:
    """Return, for each of n times, the place of the nearest among sorted times (one or more); the earlier of equals."""
    after = np.clip(np.searchsorted(sorted_s, t_s), 1, max(sorted_s.size - 1, 1))
    before = after - 1
    after = np.minimum(after, sorted_s.size - 1)
    return np.where(t_s - sorted_s[before] <= sorted_s[after] - t_s, before, after)
