"""Timed answers to items shown one after another: how fast, how right, in what runs, with what trend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray

BoolArray = NDArray[np.bool_]

TIME_TOLERANCE_S = 1e-6
"""What the arithmetic on seconds may be off; phones tell whole milliseconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """n answers in order of time; every column has length n.

    ``reaction_s`` is NaN where the answer is dated before its item. ``taken_as`` is the item that the answer would have
    been right for, NaN where unknown.
    """

    t_s: FloatArray
    reaction_s: FloatArray
    shown: FloatArray
    taken_as: FloatArray
    right: BoolArray

    @classmethod
    def of(
        cls,
        t_s: FloatArray,
        shown_at_s: FloatArray,
        shown: FloatArray,
        expected: FloatArray,
        answered: FloatArray,
        taken_as: FloatArray,
    ) -> Responses:
        """Return the answers sorted by time; rows in which a time, the item or the answer is missing are left out."""
        kept = np.isfinite(t_s + shown_at_s + shown + expected + answered)
        order = np.flatnonzero(kept)[np.argsort(t_s[kept], kind="stable")]
        # Nanoseconds: times that were equal as sent are equal again after subtraction.
        reaction_s = np.round(t_s[order] - shown_at_s[order], 9)
        return cls(
            t_s=t_s[order],
            reaction_s=np.where(reaction_s >= 0, reaction_s, np.nan),
            shown=shown[order],
            taken_as=taken_as[order],
            right=answered[order] == expected[order],
        )

    def __len__(self) -> int:
        return int(self.t_s.size)

    def times(self, rows: BoolArray | None = None) -> FloatArray:
        """Return the reaction times of the right answers, of those among ``rows`` (n booleans) where given."""
        timed = self.right & np.isfinite(self.reaction_s)
        return self.reaction_s[timed if rows is None else timed & rows]

    def spans(self, due_s: float) -> dict[str, BoolArray]:
        """Return which answers lie in each stretch: five at either end, and thirds of ``due_s`` from the first answer.

        An answer on the border of two thirds belongs to both. There must be an answer.
        """
        place, start_s, third_s = np.arange(len(self)), float(self.t_s[0]), due_s / 3
        return {
            "first_5": place < 5,
            "last_5": place >= len(self) - 5,
            "first_third": within(self.t_s, start_s, start_s + third_s),
            "second_third": within(self.t_s, start_s + third_s, start_s + 2 * third_s),
            "last_third": within(self.t_s, start_s + 2 * third_s, start_s + due_s),
            "after_first_third": within(self.t_s, start_s + third_s, start_s + due_s),
        }

    def mix_ups(self, most: int = 9) -> tuple[FloatArray, FloatArray]:
        """Return how often each item was taken for each other, and as a share of the wrong answers to it.

        Both have shape (most + 1, most + 1), indexed by the number of the item shown and of that it was taken for.
        An item without wrong answers has shares of 0.
        """
        size = most + 1
        known = _numbered(self.shown, most) & _numbered(self.taken_as, most)
        cells = (self.shown[known] * size + self.taken_as[known]).astype(np.intp)
        counts = np.bincount(cells, minlength=size * size).reshape(size, size).astype(np.float64)
        wrong = self.shown[~self.right & _numbered(self.shown, most)].astype(np.intp)
        return counts, counts / np.maximum(np.bincount(wrong, minlength=size), 1)[:, None]

    def change_on_repetition(self, back: int) -> FloatArray:
        """Return, among right answers, the reaction time to each item that came ``back`` places before, minus that."""
        timed = self.right & np.isfinite(self.reaction_s)
        shown, reaction_s = self.shown[timed], self.reaction_s[timed]
        change: FloatArray = (reaction_s[back:] - reaction_s[:-back])[shown[back:] == shown[:-back]]
        return change

    def trend(self, left_out: int) -> tuple[float, float]:
        """Return slope (s per answer) and fit of the straight line through the reaction times of right answers.

        The first ``left_out`` of them do not count; the others move up to their places, as published.
        """
        reaction_s = self.times()
        place = np.flatnonzero(self.right & np.isfinite(self.reaction_s)).astype(np.float64)
        return straight_line(place[: max(0, place.size - left_out)], reaction_s[left_out:])


def _numbered(items: FloatArray, most: int) -> BoolArray:
    numbered: BoolArray = (items >= 0) & (items <= most) & (items == np.floor(items))
    return numbered


def longest_run(flags: BoolArray) -> int:
    """Return the length of the longest unbroken run of true values in n booleans; 0 where there is none."""
    edges = np.concatenate(([-1], np.flatnonzero(~flags), [flags.size]))
    return int(np.diff(edges).max()) - 1


def longest_equal_run(values: NDArray[np.str_] | FloatArray) -> int:
    """Return the length of the longest run of equal neighbours among n values; 0 for an empty series."""
    return longest_run(values[1:] == values[:-1]) + 1 if values.size else 0


def within(t_s: FloatArray, start_s: float, end_s: float) -> BoolArray:
    """Tell which of n times lie between two others, both included."""
    inside: BoolArray = (t_s >= start_s - TIME_TOLERANCE_S) & (t_s <= end_s + TIME_TOLERANCE_S)
    return inside


def straight_line(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Return slope and coefficient of determination of the least-squares line of y (n values) on x.

    Both are NaN below two points or where x does not vary; the latter also where y does not vary.
    """
    if x.size < 2 or np.ptp(x) == 0:
        return np.nan, np.nan
    dx, dy = x - x.mean(), y - y.mean()
    sxx, sxy, syy = float(dx @ dx), float(dx @ dy), float(dy @ dy)
    return sxy / sxx, (sxy * sxy / (sxx * syy) if np.ptp(y) > 0 else np.nan)
