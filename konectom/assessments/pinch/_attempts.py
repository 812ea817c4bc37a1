"""From touches and bubbles to attempts: who pinched which bubble when, with which finger, and did it burst."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray, Part, Screen, Stream
from konectom.signals.responses import BoolArray
from konectom.signals.timebase import nanoseconds
from konectom.signals.touches import IntArray, Paths, Touches, gestures, interval_of, touch_paths


@dataclass(frozen=True, slots=True, eq=False)
class Bubbles:
    """n bubbles in order of appearance; places and ``radius`` in points, NaN where their unit is of no known length.

    ``gone_s`` is when a bubble burst or was taken away, NaN where the time ran out first. ``stated_radius`` is the
    radius as the app states it, whatever unit that is.
    """

    appeared_s: FloatArray
    gone_s: FloatArray
    burst: BoolArray
    size: NDArray[np.str_]
    x: FloatArray
    y: FloatArray
    radius: FloatArray
    stated_radius: FloatArray

    def __len__(self) -> int:
        return int(self.appeared_s.size)

    @property
    def ended(self) -> BoolArray:
        """Whether a bubble was gone before the time ran out."""
        return np.isfinite(self.gone_s)


@dataclass(frozen=True, slots=True, eq=False)
class Attempts:
    """k attempts in order of time: two contacts at once, ``top`` and ``bottom`` by where they began.

    ``path`` holds the samples of all contacts with bubbles; ``bubble``, ``top`` and ``bottom`` are numbers into it.
    ``squeezed_s`` (k, 2) is when both fingers were first and last inside the bubble, NaN where they never were.
    ``single`` counts gestures of another number of fingers than two; ``incomplete`` the bubbles that are left out
    since one of their touches was recorded in parts only.
    """

    path: Paths
    bubble: IntArray
    top: IntArray
    bottom: IntArray
    successful: BoolArray
    squeezed_s: FloatArray
    single: int
    incomplete: int

    def __len__(self) -> int:
        return int(self.bubble.size)

    @property
    def pair(self) -> IntArray:
        """The numbers (k, 2) of each attempt's contacts, top finger first."""
        return np.column_stack([self.top, self.bottom])

    @property
    def span(self) -> Touches:
        """When each attempt began, with its first finger, and ended, with its last."""
        touched = self.path.touches
        return Touches(touched.begin_s[self.pair].min(axis=1), touched.end_s[self.pair].max(axis=1))

    def where(self, keep: BoolArray) -> Attempts:
        """Return the attempts for which ``keep`` (k) is true."""
        kept = (self.bubble[keep], self.top[keep], self.bottom[keep], self.successful[keep], self.squeezed_s[keep])
        return Attempts(self.path, *kept, self.single, self.incomplete)


def points_per(unit: str | None, screen: Screen) -> float:
    """Return how many points a unit of position on the screen is, NaN where that is not known."""
    if unit == "pt":
        return 1.0
    if unit == "mm":
        return screen.pt_per_mm or np.nan
    if unit == "px" and screen.width_px and screen.width_pt:
        return screen.width_pt / screen.width_px
    return np.nan


def in_order(stream: Stream) -> Stream:
    """Return the rows in order of time."""
    order = np.argsort(stream.t_s, kind="stable")
    columns = {name: values[order] for name, values in stream.columns.items()}
    return Stream(stream.name, stream.t_s[order], columns, stream.units)


def bubbles_of(part: Part, screen: Screen) -> Bubbles:
    """Return the part's bubbles; where the app does not state their unit, it is that of the touches."""
    told = in_order(part.events["bubble"])
    touched_in = part.streams["touch"].units.get("x")
    per_unit = {name: points_per(told.units.get(name, touched_in), screen) for name in ("x", "y", "radius")}
    radius = told["radius"] * per_unit["radius"]
    # A bubble that the screen cannot hold was stated in another unit than the app says.
    radius = np.where(radius > (screen.width_pt or np.inf) / 2, np.nan, radius)
    in_points = told.units.get("radius", touched_in) == touched_in
    burst_s = told["burst_at_s"]
    gone_s = np.where(np.isfinite(burst_s), burst_s, told.columns.get("gone_at_s", np.nan))
    return Bubbles(
        appeared_s=told.t_s,
        gone_s=gone_s,
        burst=np.isfinite(burst_s),
        size=told["size"],
        x=told["x"] * per_unit["x"],
        y=told["y"] * per_unit["y"],
        radius=radius,
        stated_radius=told["radius"] * per_unit["x"] if in_points else told["radius"],
    )


def attempts_at(bubbles: Bubbles, touch: Stream, points: float) -> Attempts:
    """Return the attempts to pinch the bubbles; ``points`` is how many points the touches' unit is."""
    path, bubble = _on_bubbles(touch_paths(touch), bubbles)
    complete, incomplete = _complete(path, bubble, touch)
    number = gestures(path.touches, bubble)
    fingers = np.bincount(number)
    begins = np.diff(number, prepend=-1) != 0
    first = np.flatnonzero(begins & (fingers[number] == 2) & complete[bubble])
    y = path.y[path.first]
    top = np.where(y[first] < y[first + 1], first, first + 1) if first.size else first
    bottom = 2 * first + 1 - top
    successful = _successful(path, first, bubble, touch, bubbles)
    inside = _inside(path, top, bottom, bubble, touch, bubbles, points)
    squeezed_s = _squeezed_s(path, np.column_stack([top, bottom]), inside)
    single = int(np.count_nonzero(fingers != 2))
    return Attempts(path, bubble[first], top, bottom, successful, squeezed_s, single, incomplete)


def _on_bubbles(path: Paths, bubbles: Bubbles) -> tuple[Paths, IntArray]:
    """Return the contacts that began while a bubble was shown, and the bubble of each.

    Samples after the bubble was gone belong to the contact until another finger comes down: then they are aimed at
    what comes next.
    """
    next_s = np.append(bubbles.appeared_s[1:], np.inf)
    shown_until_s = np.where(bubbles.ended, bubbles.gone_s, next_s)
    bubble = interval_of(path.touches.begin_s, bubbles.appeared_s, shown_until_s)
    if not len(bubbles) or not len(path):
        return path.where(np.zeros(path.row.size, dtype=np.bool_)), bubble[:0]
    of = bubble[path.contact]
    keep = of >= 0
    keep[keep] = nanoseconds(path.t_s[keep]) <= nanoseconds(shown_until_s[of[keep]])
    late = np.flatnonzero((of >= 0) & ~keep)
    if late.size:
        # In order of time: from a bubble's end on, the unbroken run of its own fingers' samples still counts.
        order = np.lexsort((path.row, path.t_s))
        place = np.empty(order.size, dtype=np.intp)
        place[order] = np.arange(order.size)
        run_ends = np.append(np.flatnonzero(np.diff(of[order])), order.size - 1)
        ended_at = np.searchsorted(path.t_s[order], shown_until_s[of[late]], side="right")
        run_end = run_ends[np.searchsorted(run_ends, ended_at)]
        keep[late] = (of[order[ended_at]] == of[late]) & (place[late] <= run_end)
    kept = path.where(keep)
    return kept, bubble[bubble >= 0]


def _complete(path: Paths, bubble: IntArray, touch: Stream) -> tuple[BoolArray, int]:
    """Tell for each bubble whether all of its touches were recorded, and count those that were not.

    A touch has two samples or more, on the screen, and none after the finger was lifted.
    """
    lifted = touch["phase"][path.row] == "up"
    lifted[path.last] = False
    off = ~((path.x >= 0) & (path.y >= 0))
    broken = (path.count < 2) | path.any(lifted | off)
    complete = np.ones(int(bubble.max(initial=-1)) + 1, dtype=np.bool_)
    complete[bubble[broken]] = False
    return complete, int(np.count_nonzero(~complete))


def _successful(path: Paths, first: IntArray, bubble: IntArray, touch: Stream, bubbles: Bubbles) -> BoolArray:
    """Tell for each attempt (its first contact) whether it burst its bubble: as the app says, or else by the time."""
    if "led_to_success" in touch:
        led = path.any(touch["led_to_success"][path.row] == 1)
        return led[first] | led[first + 1] if first.size else led[first]
    of = bubble[first]
    begun_before = path.touches.begin_s[first] <= bubbles.gone_s[of]
    last_on_it = np.diff(of, append=-1) != 0
    successful: BoolArray = bubbles.burst[of] & begun_before & last_on_it
    return successful


def _inside(
    path: Paths,
    top: IntArray,
    bottom: IntArray,
    bubble: IntArray,
    touch: Stream,
    bubbles: Bubbles,
    points: float,
) -> BoolArray:
    """Tell for each sample whether both fingers are inside the bubble: as the app says, or else by their places.

    By place, both fingers began outside of the bubble, further apart than it is wide.
    """
    if "valid_pinch" in touch:
        told: BoolArray = touch["valid_pinch"][path.row] == 1
        return told
    found = np.zeros(path.row.size, dtype=np.bool_)
    x, y = path.x * points, path.y * points
    of = bubble[path.contact]
    near = np.hypot(x - bubbles.x[of], y - bubbles.y[of]) < bubbles.radius[of]
    start = path.first
    away = np.hypot(x[start] - bubbles.x[bubble], y[start] - bubbles.y[bubble]) > bubbles.radius[bubble]
    width = 2 * bubbles.radius[bubble[top]]
    apart = np.hypot(x[start[top]] - x[start[bottom]], y[start[top]] - y[start[bottom]]) > width
    begun = apart & away[top] & away[bottom]
    # Each sample with the other finger's latest: attempts are numbered, so that one search serves all.
    attempt = np.full(len(path), -1)
    attempt[top[begun]] = attempt[bottom[begun]] = np.flatnonzero(begun)
    times, rank = np.unique(path.t_s, return_inverse=True)
    key = attempt[path.contact] * times.size + rank
    for own, other in ((top, bottom), (bottom, top)):
        mine = np.flatnonzero(np.isin(path.contact, own[begun]))
        theirs = np.flatnonzero(np.isin(path.contact, other[begun]))
        theirs = theirs[np.argsort(key[theirs], kind="stable")]
        latest = np.searchsorted(key[theirs], key[mine], side="right") - 1
        partner = theirs[latest.clip(0)] if theirs.size else mine
        both = (latest >= 0) & (attempt[path.contact[partner]] == attempt[path.contact[mine]])
        found[mine] = both & near[mine] & near[partner]
    return found


def _squeezed_s(path: Paths, pair: IntArray, inside: BoolArray) -> FloatArray:
    """Return when (k, 2) either finger of each attempt is first and last inside the bubble, NaN where none is."""
    early, late = np.where(inside, path.t_s, np.inf), np.where(inside, path.t_s, -np.inf)
    if not len(path):
        return np.empty((0, 2))
    squeezed = np.column_stack(
        [
            np.minimum.reduceat(early, path.first)[pair].min(axis=1),
            np.maximum.reduceat(late, path.first)[pair].max(axis=1),
        ]
    )
    return np.where(np.isfinite(squeezed), squeezed, np.nan)
