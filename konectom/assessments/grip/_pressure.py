"""One hand's pressure on an even grid, under its targets: the windows, and the transitions from target to target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, permutations

import numpy as np

from konectom.recording import FloatArray, Part
from konectom.signals.plateaus import RATE_HZ, IntArray, find_plateaus, runs, unrest
from konectom.signals.timebase import nanoseconds

TARGETS = ("low", "medium", "high", "very_high")
TRANSITIONS = tuple(f"{one}_to_{other}" for one, other in permutations(TARGETS, 2))
OFFSETS_S = {"middle_4_s": (1.0, 1.0), "middle_2_s": (2.0, 2.0), "last_5_s": (1.0, 0.0)}
"""How much of each target's time does not count, at its begin and at its end."""

PLATEAU = "plateau"
WINDOWS = (PLATEAU, *OFFSETS_S)
LONGEST_S, MARGIN_S = 300.0, 10.0
AS_PUBLISHED_LAST = 40
"""In so many last samples a plateau counts as a pressure of 1."""

_PERIOD_NS = round(1e9 / RATE_HZ)


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A window: the samples under a target (``of`` is its number, -1 outside) and the pressure that counts there."""

    of: IntArray
    pressure: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Transition:
    """From one target to the next: when the plateau ends and the next one begins, and how far it goes beyond."""

    number: int
    reaction_s: float
    duration_s: float
    overshoot: float


@dataclass(frozen=True, eq=False)
class Pressure:
    """The pressure (n) at ``grid_ns``, and the targets (k) in order of time: pressure asked for, begin and end."""

    grid_ns: IntArray
    values: FloatArray
    target: FloatArray
    begin_ns: IntArray
    end_ns: IntArray

    @classmethod
    def of(cls, part: Part) -> Pressure:
        """Return the pressure on a grid of 100 Hz: at each point the last that the phone told, NaN before the first.

        It is taken in single precision, as published: phones tell it in few steps, so that where a plateau ends can
        hang on the last digit.
        """
        target, begin_ns, end_ns = _targets(part)
        touch = part.streams["touch"]
        with np.errstate(over="ignore"):
            pressure = touch["pressure"].astype(np.float32).astype(np.float64)
        known = np.isfinite(pressure)
        if begin_ns.size:
            first_s, last_s = begin_ns[0] / 1e9, min(end_ns.max(), begin_ns[0] + LONGEST_S * 1e9) / 1e9
            known &= (touch.t_s >= first_s - MARGIN_S) & (touch.t_s <= last_s + MARGIN_S)
        t_ns, pressure = nanoseconds(touch.t_s[known]), pressure[known]
        order = np.argsort(t_ns, kind="stable")
        t_ns, pressure = t_ns[order], pressure[order]
        if not t_ns.size or not begin_ns.size:
            return cls(t_ns[:0], pressure[:0], target, begin_ns, end_ns)
        grid_ns = np.arange(t_ns[0] // _PERIOD_NS, t_ns[-1] // _PERIOD_NS + 1) * _PERIOD_NS
        last = np.searchsorted(t_ns, grid_ns, side="right") - 1
        return cls(grid_ns, np.where(last >= 0, pressure[last], np.nan), target, begin_ns, end_ns)

    @cached_property
    def ranks(self) -> IntArray | None:
        """Which of :data:`TARGETS` each target is (k), or None where there are not four different ones."""
        distinct, rank = np.unique(self.target, return_inverse=True)
        return rank if distinct.size == len(TARGETS) else None

    def spans(self, before_s: float = 0.0, after_s: float = 0.0) -> Iterator[tuple[int, slice]]:
        """Yield each target's number and samples, both ends included, without so much at its begin and end."""
        first = np.searchsorted(self.grid_ns, self.begin_ns + round(before_s * 1e9), side="left")
        after = np.searchsorted(self.grid_ns, self.end_ns - round(after_s * 1e9), side="right")
        for number, (start, stop) in enumerate(zip(first.tolist(), after.tolist(), strict=True)):
            yield number, slice(start, max(start, stop))

    @cached_property
    def under(self) -> IntArray:
        """The number of the target in force at each sample, -1 where there is none."""
        return self._numbered(self.spans())

    def window(self, name: str) -> Held:
        """Return one of :data:`WINDOWS`."""
        return self.plateaus if name == PLATEAU else Held(self._numbered(self.spans(*OFFSETS_S[name])), self.values)

    @cached_property
    def plateaus(self) -> Held:
        """The plateaus, each under the target that is in force for the most of it."""
        values = self.values
        restless, usual = unrest(values), np.zeros(values.size)
        for _, span in self.spans():
            known = restless[span][np.isfinite(restless[span])]
            usual[span] = known.mean() if known.size else 0.0
        found, bridged = find_plateaus(values, usual)
        pressure = np.where(found, values, 0.0)
        last = slice(max(0, values.size - AS_PUBLISHED_LAST), None)
        pressure[last][found[last] & ~bridged[last]] = 1.0
        of = np.full(values.size, -1)
        for first, after in zip(*runs(pressure != 0), strict=True):
            numbers = self.under[first:after]
            if (numbers >= 0).any():
                of[first:after] = np.bincount(numbers[numbers >= 0]).argmax()
        return Held(of, pressure)

    def transitions(self) -> Iterator[Transition]:
        """Yield how each target was left for the next."""
        of = self.plateaus.of
        on = np.where(of >= 0, self.target[of], 0.0) if self.target.size else np.zeros(of.size)
        last = [np.flatnonzero(self.under == number) for number in range(self.target.size)]
        for number, (now, following) in enumerate(pairwise(last)):
            if not now.size or not following.size:
                continue
            left, until = int(now[-1]), int(following[-1]) + 1
            changed = np.flatnonzero(on[left:until] != on[left])
            end = left + (int(changed[0]) if changed.size else 0)
            reached = np.flatnonzero(on[end:until] != 0)
            begin = end + int(reached[0]) if reached.size else None
            rising = self.target[number + 1] >= self.target[number]
            if begin is None:
                yield Transition(number, (end - left) / RATE_HZ, np.nan, np.nan)
                continue
            beyond = self.values[end : begin + 1] - self.target[number + 1]
            farthest = float(beyond.max() if rising else beyond.min())
            yield Transition(number, (end - left) / RATE_HZ, (begin - end) / RATE_HZ, farthest)

    def _numbered(self, spans: Iterator[tuple[int, slice]]) -> IntArray:
        of = np.full(self.values.size, -1)
        for number, span in spans:
            of[span] = number
        return of


def _targets(part: Part) -> tuple[FloatArray, IntArray, IntArray]:
    """Return the targets in order of time; one of unknown end lasts until the next, the last until the part ends."""
    told = part.events.get("target")
    if told is None or not len(told):
        return np.empty(0), np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    order = np.argsort(told.t_s, kind="stable")
    begin_s, end_s, asked = told.t_s[order], told["ends_at_s"][order], told["pressure"][order]
    part_end_s = part.end_s if part.end_s is not None else float(part.streams["touch"].t_s.max())
    end_s = np.where(np.isfinite(end_s), end_s, np.append(begin_s[1:], part_end_s))
    good = np.isfinite(asked) & (asked > 0) & (end_s > begin_s)
    return asked[good], nanoseconds(begin_s[good]), nanoseconds(end_s[good])
