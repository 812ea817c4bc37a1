"""What is measured on a drawing, on the drawings of a hand, and on all of them; and when they count."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from konectom.assessments._tremor import MOVING, write_tremor
from konectom.assessments.base import Outcome
from konectom.assessments.draw._trace import INFINITY, SPIRAL, Trace, corners
from konectom.recording import FloatArray, Stream
from konectom.signals.paths import IndexArray, crossings, distances, distinct, share_reached, spectral_arc_length, steps
from konectom.signals.resample import bin_means
from konectom.signals.spectrum import band_energy, power_spectrum, spectral_entropy_bit
from konectom.signals.statistics import describe

SPAN_MS = {"square_clockwise": 5699.0, "square_counter_clockwise": 5738.0, INFINITY: 6012.0, SPIRAL: 8671.0}
SPAN_PT = {"square_clockwise": 8.641, "square_counter_clockwise": 8.952, INFINITY: 8.096, SPIRAL: 6.674}
"""By how much durations, and median distances, of healthy people differ between their 5th and 95th centile."""

FINGERTIP_PT = 8.0
CORNER_PT = 44.0
SPARC_HZ = 60.0
LEAST_BETWEEN_CROSSINGS_S = 0.02
APPROACH_HZ, MOTION_HZ, TREMOR_LOW_HZ, TREMOR_HIGH_HZ = 60.0, 20.0, 2.0, 5.0
LONGEST_S = 3600.0
"""So long one does not draw with a hand: what a clock that leapt puts beyond is left aside."""

SPIRAL_LOW_HZ, SPIRAL_HIGH_HZ = 4.0, 12.0
HANN_NOISE_BANDWIDTH = 1.5
"""The power of a spectrum under a Hann window adds up to this many times the signal's."""

NEARING = {
    ("square_clockwise", "right"): (415, 472),
    ("square_clockwise", "left"): (415, 479),
    ("square_counter_clockwise", "right"): (422, 476),
    ("square_counter_clockwise", "left"): (386, 490),
}
"""Which points of a square healthy people pass while they slow down from a half to a fifth of their top speed."""

SPECTRAL = ("energy", "peak_frequency", "entropy", "peak_power")
NEED_FIGURE = ("distance", "accuracy_per_time", "time_and_distance", "length_ratio", "reached_share")
ON_SPIRAL = ("crossings", "crossing_rate", "crossing_frequency", "radial_error", "tremor")
ON_SQUARE = ("corner_distance", "side_overshoot")
NEED_POINTS = ("speed", "smoothness")
WITHOUT_FIGURE = ("duration", "reaction_time", "x_smoothness", "pressure", "pressure_cv")
SIGNALS = ("distance", "x", "y")


def write(trace: Trace, out: Outcome) -> None:
    """Write what is measured on one drawing."""
    if not trace.usable or not trace.t_s.size:
        _absent(trace, out, (*WITHOUT_FIGURE, *NEED_POINTS, *NEED_FIGURE), "not_applicable", shaped=True)
        return
    touch = trace.part.streams["touch"]
    out("duration", duration_ms := 1e3 * np.ptp(trace.t_s))
    out("reaction_time", _reaction_ms(trace))
    if "pressure" in touch and np.isfinite(touch["pressure"]).any():
        out("pressure", touch["pressure"])
        out("pressure_cv", _variation(touch["pressure"]))
    else:
        _absent(trace, out, ("pressure", "pressure_cv"), "input_missing")
    even = trace.even if len(trace.even) else trace.drawn
    out("x_smoothness", spectral_arc_length(even[:, 0], SPARC_HZ) if np.isfinite(even).all() else np.nan)
    t_s, drawn = trace.t_s[trace.counts], trace.drawn[trace.counts]
    if np.isnan(drawn).any():
        _absent(trace, out, NEED_POINTS, "input_missing")
    else:
        speed = steps(drawn) / np.diff(t_s)
        out("speed", speed)
        out("smoothness", _speed_smoothness(t_s[1:], speed))
    if trace.figure is None or trace.matches is None:
        _absent(trace, out, NEED_FIGURE, "input_missing", shaped=True)
        return
    distance, matched = trace.matches.nearest()
    counted_ms = 1e3 * np.ptp(t_s) if t_s.size else duration_ms
    out("distance", distance)
    # A drawing that took no time, or does not leave the figure, has no such product.
    out.of_several("accuracy_per_time", [distance], lambda told: _inverse(counted_ms * told))
    median = out.statistic("distance", "median")
    out("time_and_distance", counted_ms / SPAN_MS[trace.shape] + median / SPAN_PT[trace.shape])
    out("length_ratio", trace.length_ratio)
    near = trace.matches.second[trace.matches.distance < FINGERTIP_PT] + len(trace.figure) - len(trace.against)
    out("reached_share", share_reached(trace.figure, trace.even, FINGERTIP_PT, near))
    if trace.shape == SPIRAL:
        _write_spiral(t_s, drawn, trace.figure, out)
    if trace.is_square:
        out("corner_distance", _corner_distance(trace, distance, matched))
        out("side_overshoot", _side_overshoot(trace))
        _write_approach(trace, t_s, drawn, out)


def _absent(trace: Trace, out: Outcome, names: Iterable[str], reason: str, *, shaped: bool = False) -> None:
    for name in names:
        out.absent(name, reason)
    if shaped and trace.shape == SPIRAL:
        for name in ON_SPIRAL:
            out.absent(name, reason)
    if shaped and trace.is_square:
        for name in ON_SQUARE:
            out.absent(name, reason)
        for name in SPECTRAL:
            for signal in SIGNALS:
                out.absent(f"approach_{name}", reason, signal=signal)


def _reaction_ms(trace: Trace) -> float:
    return 1e3 * (float(trace.part.streams["touch"].t_s.min()) - trace.part.start_s)


def _variation(values: FloatArray) -> float:
    """Return the coefficient of variation: 0 where the pressure never changes, be it 0."""
    mean, spread = describe(values, ("mean", "sd"))
    return 0.0 if spread == 0 else float(spread / mean) if mean else float("nan")


def _inverse(values: FloatArray) -> FloatArray:
    inverse: FloatArray = np.divide(1.0, values, out=np.full(values.shape, np.nan), where=values > 0)
    return inverse


def _grid_s(t_s: FloatArray, rate_hz: float) -> FloatArray:
    """Return even times from the first to the last, or for as long as one draws."""
    return np.asarray(np.arange(t_s[0], min(t_s[-1], t_s[0] + LONGEST_S), 1.0 / rate_hz))


def _speed_smoothness(t_s: FloatArray, speed: FloatArray) -> float:
    if t_s.size < 2:
        return float("nan")
    grid_s = _grid_s(t_s, SPARC_HZ)
    return spectral_arc_length(np.interp(grid_s, t_s, speed), SPARC_HZ)


def _write_spiral(t_s: FloatArray, drawn: FloatArray, figure: FloatArray, out: Outcome) -> None:
    last = distinct(drawn, last=True)
    places, times_s = drawn[last], t_s[last]
    crossed_s: list[float] = []
    for moment_s in times_s[crossings(places, figure)].tolist():
        if not crossed_s or round(moment_s - crossed_s[-1], 9) > LEAST_BETWEEN_CROSSINGS_S:
            crossed_s.append(moment_s)
    lasted_s = float(np.ptp(times_s))
    out("crossings", len(crossed_s))
    out("crossing_rate", len(crossed_s) / lasted_s if lasted_s > 0 else np.nan)
    out("crossing_frequency", 1.0 / np.diff(crossed_s) if len(crossed_s) > 1 else np.empty(0))
    across = _across(drawn, figure)
    out("radial_error", np.sqrt(np.mean(across**2)))
    grid_s = _grid_s(t_s, APPROACH_HZ)
    frequency_hz, power = power_spectrum(np.interp(grid_s, t_s, across)[:, None], APPROACH_HZ)
    band = (frequency_hz >= SPIRAL_LOW_HZ) & (frequency_hz <= SPIRAL_HIGH_HZ)
    out("tremor", np.sqrt(power[band].sum() / HANN_NOISE_BANDWIDTH) if band.any() else np.nan)


def _across(drawn: FloatArray, figure: FloatArray) -> FloatArray:
    """Return how far each point is to one side of the figure, at its nearest point there."""
    from scipy.spatial import cKDTree

    _, nearest = cKDTree(figure).query(drawn)
    ahead = figure.take(np.minimum(nearest + 1, len(figure) - 1), axis=0)
    ahead -= figure.take(np.maximum(nearest - 1, 0), axis=0)
    away = drawn - figure.take(nearest, axis=0)
    told: FloatArray = (ahead[:, 0] * away[:, 1] - ahead[:, 1] * away[:, 0]) / np.sqrt((ahead**2).sum(axis=1))
    return told


def _corner_distance(trace: Trace, distance: FloatArray, matched: IndexArray) -> float:
    """Return the mean over the corners of the largest distance near each, negative where that is inside."""
    figure, against, kept = trace.figure, trace.against, trace.kept
    assert figure is not None  # noqa: S101 - the caller saw to it
    low, high = figure.min(axis=0), figure.max(axis=0)
    top = float(figure[0, 1])
    largest = []
    for corner in corners(figure):
        near = np.flatnonzero((distances(against, corner) < CORNER_PT)[matched])
        if not near.size:
            return float("nan")
        worst = near[np.argmax(distance[near])]
        x, y = kept[worst]
        inside = low[0] < x < high[0] and top < y < high[1]
        largest.append(-distance[worst] if inside else distance[worst])
    return float(np.mean(largest)) if largest else float("nan")


def _side_overshoot(trace: Trace) -> float:
    """Return the mean over three sides of how far the curve went beyond them: the far one, the lower, the near one."""
    figure, against, kept = trace.figure, trace.against, trace.kept
    assert figure is not None  # noqa: S101 - the caller saw to it
    low, high = figure.min(axis=0), figure.max(axis=0)
    middle = (low + high) / 2
    # Mirrored where needed so that the figure goes to the right, down, to the left.
    mirror = 1.0 if trace.shape == "square_clockwise" else -1.0

    def beyond(side: int, right: bool, lower: bool, axis: int) -> float:
        reached = []
        for curve in (kept, against):
            x, y = mirror * (curve[:, 0] - middle[0]), curve[:, 1] - middle[1]
            here = ((x > 0) if right else (x < 0)) & ((y > 0) if lower else (y < 0))
            values = side * (x if axis == 0 else y)[here]
            if not values.size:
                return float("nan")
            reached.append(float(values.max()))
        return reached[0] - reached[1]

    first, second, third = beyond(1, True, False, 0), beyond(1, True, True, 1), beyond(-1, False, True, 0)
    return float(np.mean([first, second, third]))


def _write_approach(trace: Trace, t_s: FloatArray, drawn: FloatArray, out: Outcome) -> None:
    """Write the tremor while the finger nears the second corner."""
    assert trace.own_matches is not None  # noqa: S101 - squares that count have been warped
    distance, matched = trace.own_matches.nearest()
    begin, end = NEARING[trace.shape, trace.where["hand"]]
    near = (matched >= begin) & (matched < end)
    clock_s = trace.part.answers.get("clock_utc_s", 0.0)
    offset_s = float(clock_s) if isinstance(clock_s, int | float) and 0 <= clock_s < 86_400 else 0.0
    values = np.column_stack([distance, drawn])[near]
    even = bin_means(t_s[near] + offset_s, values, APPROACH_HZ)
    told = _spectral(even.values, 1e6 / (1e6 // APPROACH_HZ))  # the published frequencies take the period in whole µs
    for name in SPECTRAL:
        for index, signal in enumerate(SIGNALS):
            out(f"approach_{name}", told[name][index], signal=signal)


def _spectral(values: FloatArray, rate_hz: float) -> dict[str, FloatArray]:
    """Return energy from 2 to 5 Hz, peak frequency, entropy and peak power of each column of a signal (n, k)."""
    if not len(values):
        return dict.fromkeys(SPECTRAL, np.full(values.shape[1], np.nan))
    frequency_hz, power = power_spectrum(values, rate_hz)
    return {
        "energy": band_energy(frequency_hz, power, TREMOR_LOW_HZ, TREMOR_HIGH_HZ),
        "peak_frequency": frequency_hz[power.argmax(axis=0)],
        "entropy": spectral_entropy_bit(power),
        "peak_power": power.max(axis=0),
    }


MEANS: dict[str, str] = {
    "distance": "mean",
    "duration": "",
    "reached_share": "",
    "smoothness": "",
    "accuracy_per_time": "mean",
    "x_smoothness": "",
}
SPIRAL_MEANS = {"tremor": "", "crossings": "", "crossing_rate": ""}
SQUARE_MEANS = {"corner_distance": "", "side_overshoot": ""}


def _write_means(drawings: list[Trace], out: Outcome, *, squares: bool) -> None:
    kinds: list[tuple[dict[str, str], Callable[[Trace], bool]]] = [
        (MEANS, lambda _: True),
        (SPIRAL_MEANS, lambda trace: trace.shape == SPIRAL),
    ]
    if squares:
        kinds.append((SQUARE_MEANS, lambda trace: trace.is_square))
    for quantities, wanted in kinds:
        where = [
            {k: v for k, v in trace.where.items() if k not in out.condition} for trace in drawings if wanted(trace)
        ]
        for quantity, statistic in quantities.items():
            values = np.array([out.statistic(quantity, statistic, **each) for each in where])
            values = values[np.isfinite(values)]
            if values.size:
                out(f"mean_{quantity}", values.mean())
            else:
                out.absent(f"mean_{quantity}", "too_few_values")


def write_hand(drawings: list[Trace], out: Outcome) -> None:
    """Write what is measured on the drawings of one hand together."""
    _write_means(drawings, out, squares=False)
    counted = sorted((trace for trace in drawings if trace.usable), key=lambda trace: trace.part.start_s)
    write_tremor(_joined(counted), out, rate_hz=MOTION_HZ, longest_s=LONGEST_S)


def _joined(drawings: list[Trace]) -> dict[str, Stream]:
    """Return how the phone moved in several drawings, one after the other."""
    joined = {}
    for name in MOVING:
        held = [trace.part.streams[name] for trace in drawings if len(trace.part.streams.get(name) or ())]
        if held:
            columns = {axis: np.concatenate([stream[axis] for stream in held]) for axis in "xyz"}
            joined[name] = Stream(name, np.concatenate([stream.t_s for stream in held]), columns)
    return joined


def write_overall(drawings: list[Trace], out: Outcome) -> None:
    """Write what is measured on all drawings together."""
    _write_means(drawings, out, squares=True)
    counted = [trace for trace in drawings if trace.usable]
    out("reaction_time", np.array([_reaction_ms(trace) for trace in counted]))
    touches = [trace.part.streams["touch"] for trace in counted]
    pressure = np.concatenate([np.empty(0), *(touch["pressure"] for touch in touches if "pressure" in touch)])
    if np.isfinite(pressure).any():
        out("pressure", pressure)
        out("pressure_cv", _variation(pressure))
    else:
        out.absent("pressure", "input_missing")
        out.absent("pressure_cv", "input_missing")
