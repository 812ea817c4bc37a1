"""From the touches of a part to the curve that was drawn, beside the figure that was to be traced.

All positions are in points, y downwards, whatever the unit in which they came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from konectom.assessments.base import Input, events, find
from konectom.recording import Device, FloatArray, Part
from konectom.signals.paths import BoolArray, distances, distinct, evenly, length, steps
from konectom.signals.warping import Matches, warp

TOUCHES = Input(
    *("touch", ("x", "y", "phase")),
    texts=("phase",),
    means="The finger on the screen, from where the figure begins to where it ends.",
)
TARGET = events(
    "target",
    ("point", "x", "y"),
    optional=True,
    means="The figure, as points numbered in the order in which they are to be drawn, in the unit of the touches.",
)

INFINITY, SPIRAL = "infinity", "spiral"
POINTS = {"square_clockwise": 1038, "square_counter_clockwise": 1038, INFINITY: 1000, SPIRAL: 779}
"""How many points each figure is made to have."""

ZONE_PT = 44.0
"""Radius of the zones in which a drawing begins and ends: 40 points and a tolerance of a tenth."""

LARGEST_PT = 1e4
"""No screen is larger."""

DENSER = 5
"""By how much the drawn points are made more, evenly along the curve."""


@dataclass(eq=False)
class Trace:
    """What was drawn in one part.

    ``t_s`` (n) and ``drawn`` (n, 2) hold each sample once, in order of time; ``counts`` (n) tells which come after the
    finger was put down where the figure begins. ``figure`` (m, 2) is None where it is not known, ``drawn`` is NaN where
    points cannot be told from the unit. ``even`` (5 k, 2) is the curve that counts, evenly spaced; ``kept`` the stretch
    of it from its closest approach to the figure's begin to that to the figure's end, ``against`` the figure from there
    on. ``matches`` and ``own_matches`` warp ``kept`` onto ``against``, and the samples that count onto the figure.
    """

    where: Mapping[str, str]
    part: Part
    t_s: FloatArray
    drawn: FloatArray
    figure: FloatArray | None
    continuous: bool
    on_screen: bool
    counts: BoolArray
    even: FloatArray = field(default_factory=lambda: np.empty((0, 2)))
    kept: FloatArray = field(default_factory=lambda: np.empty((0, 2)))
    against: FloatArray = field(default_factory=lambda: np.empty((0, 2)))
    matches: Matches | None = None
    own_matches: Matches | None = None

    @property
    def shape(self) -> str:
        """Return the figure's name."""
        return self.where["shape"]

    @property
    def is_square(self) -> bool:
        """Tell whether the figure has corners."""
        return self.shape not in (INFINITY, SPIRAL)

    @property
    def usable(self) -> bool:
        """Tell whether it counts: drawn in one go on the screen and, where the figure is known, from end to end."""
        return self.continuous and self.on_screen and (self.figure is None or len(self.kept) > 0)

    @cached_property
    def length_ratio(self) -> float:
        """Return how long the drawn curve is beside the figure."""
        return length(self.even) / length(self.figure) if self.figure is not None else float("nan")


Figures = dict[tuple[str, bytes], FloatArray | None]
"""Figures by their name and the bytes of what the app told."""


def traces(parts: list[tuple[dict[str, str], Part]], device: Device) -> list[Trace]:
    """Return what was drawn in each part, warped onto its figure."""
    figures: Figures = {}
    found = [_trace(where, part, device, figures) for where, part in parts]
    warped = [trace for trace in found if trace.usable and trace.figure is not None]
    pairs = [(trace.kept, trace.against) for trace in warped]
    squares = [trace for trace in warped if trace.is_square]
    own = [(trace.drawn[trace.counts], trace.figure) for trace in squares if trace.figure is not None]
    told = warp(pairs + own)
    for trace, matches in zip(warped, told, strict=False):
        trace.matches = matches
    for trace, matches in zip(squares, told[len(pairs) :], strict=True):
        trace.own_matches = matches
    return found


def _trace(where: Mapping[str, str], part: Part, device: Device, figures: Figures) -> Trace:
    touch = part.streams["touch"]
    scale = points_per_unit(touch.units.get("x"), device)
    places = touch.matrix("x", "y")
    seen = np.isfinite(places).all(axis=1)
    order = np.flatnonzero(seen)[np.argsort(touch.t_s[seen], kind="stable")]
    t_s = touch.t_s[order]
    last = np.diff(t_s, append=np.inf) > 0  # of several samples at one time the last stands
    order, t_s = order[last], t_s[last]
    drawn, down = places.take(order, axis=0) * scale, touch["phase"][order] == "down"
    fingers = touch["finger"][seen] if "finger" in touch else np.empty(0)
    if fingers.size and np.isfinite(fingers).all():
        continuous = bool((fingers == fingers[0]).all())
    else:
        phases = touch["phase"]
        continuous = int((phases == "down").sum()) == 1 and int((phases == "up").sum()) <= 1
    figure = None if np.isnan(scale) else _figure(part, where["shape"], scale, figures)
    trace = Trace(where, part, t_s, drawn, figure, continuous, _on_screen(drawn, device), np.ones(t_s.size, np.bool_))
    if figure is not None:
        begun = np.flatnonzero(down & (distances(drawn, figure[0]) < ZONE_PT))
        trace.counts = np.arange(t_s.size) >= (begun[0] if begun.size else t_s.size)
    if trace.continuous and trace.on_screen:
        _even_out(trace)
    return trace


def points_per_unit(unit: str | None, device: Device) -> float:
    """Return how many points one unit of position is; NaN where the device does not tell."""
    screen = device.screen
    if unit == "pt":
        return 1.0
    if unit == "mm" and screen.pt_per_mm:
        return screen.pt_per_mm
    if unit == "px":
        for pixels, points in ((screen.height_px, screen.height_pt), (screen.width_px, screen.width_pt)):
            if pixels and points:
                return points / pixels
    return float("nan")


def _on_screen(drawn: FloatArray, device: Device) -> bool:
    high = np.array([device.screen.width_pt or LARGEST_PT, device.screen.height_pt or LARGEST_PT])
    return not bool(((drawn < 0) | (drawn > high)).any())


def _figure(part: Part, shape: str, scale: float, known: Figures) -> FloatArray | None:
    """Return the figure to trace with the number of points due; None where fewer than two came."""
    target = find(part, TARGET)
    if target is None or not len(target):
        return None
    told = target.matrix("point", "x", "y")
    key = shape, told.tobytes()
    if key not in known:
        known[key] = _completed(told, shape, scale)
    return known[key]


def _completed(told: FloatArray, shape: str, scale: float) -> FloatArray | None:
    told = told[np.isfinite(told).all(axis=1)]
    points = told[np.argsort(told[:, 0], kind="stable"), 1:] * scale
    if len(points) < 2 or not length(points):
        return None
    count = POINTS[shape]
    if len(points) != count:
        apart = np.append(True, steps(points) > 0)
        points = evenly(points[apart], count, smooth=shape in (INFINITY, SPIRAL))
    top = int(np.argmin(points[:, 1]))
    if shape == INFINITY and points[0, 1] - points[top, 1] > 1e-6:
        points = np.roll(points, -top, axis=0)  # some apps list the loop from elsewhere; it is drawn from its top
    return points


def _even_out(trace: Trace) -> None:
    """Set the even curve, and the stretch of it that is compared with the figure."""
    drawn = trace.drawn[trace.counts]
    if len(drawn) < 2 or np.isnan(drawn).any():
        return
    places = drawn[distinct(drawn)]
    if len(places) < 2:
        return
    trace.even = evenly(places, len(places) * DENSER, smooth=True)
    if trace.figure is not None:
        trace.kept = _between_zones(trace.even, trace.figure[0], trace.figure[-1])
    if len(trace.kept) and trace.figure is not None:
        trace.against = trace.figure[_start_near(trace.figure, trace.kept[0]) :]


def _between_zones(even: FloatArray, begin: FloatArray, end: FloatArray) -> FloatArray:
    """Return the curve from where it is nearest to ``begin`` before it first leaves that zone, to where it is nearest
    to ``end`` after it last enters that zone; empty where it does not go from the one to the other.
    """
    to_begin, to_end = distances(even, begin), distances(even, end)
    outside = np.flatnonzero(to_begin >= ZONE_PT)
    inside_end = np.flatnonzero(to_end < ZONE_PT)
    if not outside.size or not outside[0] or not inside_end.size:
        return even[:0]
    before_end = np.flatnonzero(to_end[: inside_end[-1]] >= ZONE_PT)
    if not before_end.size:
        return even[:0]
    start = int(np.argmin(to_begin[: outside[0]]))
    last = before_end[-1] + 1
    stop = last + int(np.argmin(to_end[last : inside_end[-1] + 1]))
    return even[start : stop + 1]


def _start_near(figure: FloatArray, place: FloatArray) -> int:
    """Return which of the figure's points, before it first leaves the start zone, is nearest to a place."""
    outside = np.flatnonzero(distances(figure, figure[0]) >= ZONE_PT)
    return int(np.argmin(distances(figure[: outside[0]] if outside.size else figure, place)))


def corners(figure: FloatArray) -> FloatArray:
    """Return the places (c, 2) where a figure of straight sides turns by more than 45 degrees."""
    places = figure[np.append(True, steps(figure) > 0)]
    way = np.diff(places, axis=0) / steps(places)[:, None]
    found: FloatArray = places[1:-1][(way[1:] * way[:-1]).sum(axis=1) < np.cos(np.pi / 4)]
    return found
