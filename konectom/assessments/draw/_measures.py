"""What is measured of the drawings, of the hand that draws, and under which conditions."""

from __future__ import annotations

from dataclasses import replace

from konectom.assessments.base import CENTRE_AND_RANGE, Condition, Measure
from konectom.assessments.draw._trace import INFINITY, SPIRAL

<<<<<<< HEAD
HAND = Condition("hand", ("left", "right"), means="The hand that drew.")
SQUARES = ("square_clockwise", "square_counter_clockwise")
SHAPE = Condition("shape", (*SQUARES, INFINITY, SPIRAL), {"dispel": ("sc", "scc", "inf", "spi")}, "The figure.")
ATTEMPT = Condition("attempt", ("first", "second"), {"dispel": ("first", "sec")}, "Each figure is drawn twice.")
SENSOR = Condition("sensor", ("user_acceleration", "gyroscope"), {"dispel": ("acc", "gyr")}, "What moved.")
AXIS = Condition("axis", ("x", "y", "z", "norm"), {"dispel": ("x", "y", "z", "xyz")}, "Along which axis.")
SIGNAL = Condition(
    "signal",
    ("distance", "x", "y"),
    {"dispel": ("diss", "x_traj", "y_traj")},
    "Distance from the figure, or position on the screen.",
)
EACH = (HAND, SHAPE, ATTEMPT)
EACH_SQUARE = (HAND, SHAPE.only(*SQUARES), ATTEMPT)
EACH_SPIRAL = (HAND, SHAPE.only(SPIRAL), ATTEMPT)
DRAWN = "draw-{hand}_{shape}_{attempt}-"

CREAGH = "Creagh et al. 2020, doi 10.1088/1361-6579/ab8771 (multiple sclerosis)"
SPARC = "Balasubramanian et al. 2012, doi 10.1109/TBME.2011.2179545"
WARPING = "Salvador & Chan 2007, Intell. Data Anal. 11:561"
=======
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
>>>>>>> wt-mends


def each(measure: Measure, dispel: str = "", by: tuple[Condition, ...] = EACH) -> Measure:
    """Return a measure of every drawing."""
    return replace(measure, by=(*by, *measure.by), aliases={"dispel": DRAWN + dispel} if dispel else {})


def mean_of(measure: Measure, dispel: str = "", *, score: bool = False) -> tuple[Measure, ...]:
    """Return the mean of a measure over the drawings: of each hand, and of both."""
    told = replace(measure, quantity=f"mean_{measure.quantity}", by=(), statistics=())
    told = replace(told, means=f"Mean over the drawings: {measure.means}")
    hand, both = ({"dispel": f"draw-{who}{dispel}"} if dispel else {} for who in ("{hand}-", ""))
    return replace(told, by=(HAND,), aliases=hand, score=score), replace(told, aliases=both)


DURATION = Measure(
    "duration", "ms", "From the first to the last touch of a drawing.", better="lower", plausible=(100, 120000)
)
REACTION = Measure(
    "reaction_time", "ms", "From when the figure came up to the first touch.", better="lower", plausible=(0, 60000)
)
SPEED = Measure(
    "speed",
    "pt/s",
    "Speed of the finger from one sample to the next.",
    plausible=(0, 50000),
    statistics=(*CENTRE_AND_RANGE, "p95", "cv"),
)
DISTANCE = Measure(
    "distance",
    "pt",
    "How far the drawn curve is from the figure, point by matching point.",
    better="lower",
    plausible=(0, 500),
    statistics=("mean", "median"),
    evidence=f"{WARPING}; {CREAGH}",
)
ACCURACY_PER_TIME = Measure(
    "accuracy_per_time",
    "/pt/ms",
    "One over duration times distance from the figure.",
    better="higher",
    plausible=(0, 1),
    statistics=("mean", "median"),
)
TIME_AND_DISTANCE = Measure(
    "time_and_distance",
    "1",
    "Duration and median distance, each as a share of what 90 % of healthy people span, added.",
    better="lower",
    plausible=(0, 100),
)
X_SMOOTHNESS = Measure(
    "x_smoothness",
    "1",
    "Spectral arc length of the way left and right along the curve.",
    better="higher",
    plausible=(-30, 0),
    evidence=SPARC,
)
SMOOTHNESS = Measure(
    "smoothness",
    "1",
    "Spectral arc length of the finger's speed over time.",
    better="higher",
    plausible=(-50, 0),
    evidence=SPARC,
)
LENGTH_RATIO = Measure("length_ratio", "1", "Length of the drawn curve over that of the figure.", plausible=(0, 20))
REACHED = Measure(
    "reached_share", "1", "Share of the figure that was drawn within 8 pt.", better="higher", plausible=(0, 1)
)
PRESSURE = Measure(
    "pressure", "1", "Pressure on the screen, in the phone's own unit.", plausible=(0, 10), statistics=("mean",)
)
PRESSURE_CV = Measure("pressure_cv", "1", "Coefficient of variation of the pressure on the screen.", plausible=(0, 20))
CROSSINGS = Measure("crossings", "1", "How often the drawn curve crossed the figure.", plausible=(0, 1000))
CROSSING_RATE = Measure(
    "crossing_rate", "/s", "Crossings of the figure over the drawing's duration.", plausible=(0, 60)
)
CROSSING_FREQUENCY = Measure(
    "crossing_frequency",
    "Hz",
    "One over the time between two crossings.",
    plausible=(0, 60),
    statistics=("mean", "sd", "cv"),
)
ERROR = Measure(
    "radial_error",
    "pt",
    "Root mean square of the distance across a spiral.",
    better="lower",
    plausible=(0, 500),
    evidence=CREAGH,
)
TREMOR = Measure(
    "tremor",
    "pt",
    "Root mean square of the finger's movement across a spiral from 4 to 12 Hz.",
    better="lower",
    plausible=(0, 100),
    evidence="Kraus & Hoffmann 2010, doi 10.1002/mds.23193",
)
CORNER = Measure(
    "corner_distance",
    "pt",
    "Largest distance near each corner, negative inside the square; mean of three.",
    plausible=(-500, 500),
)
OVERSHOOT = Measure(
    "side_overshoot", "pt", "By how far the curve went beyond each side; mean of three.", plausible=(-500, 500)
)


<<<<<<< HEAD
def spectral(prefix: str, unit: str, what: str) -> tuple[tuple[Measure, str], ...]:
    """Return what is read off a spectrum, each with the library's abbreviation."""
    power = f"Power of {what} from 2 to 5 Hz, weighted by frequency."
    peak, even = f"Frequency of the strongest part of {what}.", f"How evenly {what} spreads over frequency."
    return (
        (Measure(f"{prefix}_energy", f"{unit}2.Hz", power, better="lower", plausible=(0, 1000000.0)), "ene"),
        (Measure(f"{prefix}_peak_frequency", "Hz", peak, plausible=(0, 31)), "peak"),
        (Measure(f"{prefix}_entropy", "bit", even, plausible=(0, 8)), "ent"),
        (
            Measure(f"{prefix}_peak_power", f"{unit}2", f"Power of that part of {what}.", plausible=(0, 1000000.0)),
            "amp",
        ),
    )
=======
def _variation(values: FloatArray) -> float:
    """Return the coefficient of variation: 0 where the pressure never changes, be it 0."""
    mean, spread = describe(values, ("mean", "sd"))
    return 0.0 if spread == 0 else float(spread / mean) if mean else float("nan")
>>>>>>> wt-mends


APPROACH = tuple(
    each(replace(measure, by=(SIGNAL,)), f"itrem_ps_{short}_{{signal}}", EACH_SQUARE)
    for measure, short in spectral("approach", "pt", "the movement up to the second corner")
)


def phone(sensor: str, unit: str) -> tuple[Measure, ...]:
    """Return what is measured on the phone's movement in the other hand, or with the hand that draws."""
    by = (HAND, SENSOR.only(sensor))
    norm = "Largest singular value of the phone's movement: grows with its size and duration."
    alias = "draw-{hand}-{sensor}_"
    return (
        Measure(
            "spectral_norm",
            unit,
            norm,
            better="lower",
            plausible=(0, 10000.0),
            by=by,
            aliases={"dispel": f"{alias}sig_ene"},
        ),
        *(
            replace(measure, by=(*by, AXIS), aliases={"dispel": f"{alias}ps_{short}_{{axis}}"})
            for measure, short in spectral("motion", unit, "the phone's movement")
        ),
    )


<<<<<<< HEAD
MEASURES = (
    *mean_of(DISTANCE, "sim-mean", score=True),
    *mean_of(DURATION, "user_dur-mean", score=True),
    *mean_of(REACHED, score=True),
    *mean_of(SMOOTHNESS, score=True),
    *mean_of(TREMOR, score=True),
    *mean_of(ACCURACY_PER_TIME, "dur_acc-mean"),
    *mean_of(X_SMOOTHNESS, "smooth-mean"),
    *mean_of(CROSSINGS, "cross-mean"),
    *mean_of(CROSSING_RATE, "cross_per_sec-mean"),
    mean_of(CORNER, "corner-mean")[1],
    mean_of(OVERSHOOT, "axes_over-mean")[1],
    replace(REACTION, statistics=CENTRE_AND_RANGE, aliases={"dispel": "draw-rt-{statistic}"}),
    replace(PRESSURE, statistics=CENTRE_AND_RANGE, aliases={"dispel": "draw-press-{statistic}"}),
    replace(PRESSURE_CV, aliases={"dispel": "draw-press-cv"}),
    each(DURATION, "user_dur"),
    each(REACTION, "rt"),
    each(SPEED, "speed-{statistic}"),
    each(DISTANCE, "sim-{statistic}"),
    each(ACCURACY_PER_TIME, "dur_acc-{statistic}"),
    each(TIME_AND_DISTANCE, "dur_acc_normed_combined"),
    each(SMOOTHNESS),
    each(X_SMOOTHNESS, "smooth"),
    each(LENGTH_RATIO, "c_ratio"),
    each(REACHED, "raw_pacman_score"),
    each(PRESSURE, "press-{statistic}"),
    each(PRESSURE_CV, "press-cv"),
    each(CROSSINGS, "cross", EACH_SPIRAL),
    each(CROSSING_RATE, "cross_per_sec", EACH_SPIRAL),
    each(CROSSING_FREQUENCY, "cross_freq-{statistic}", EACH_SPIRAL),
    each(ERROR, by=EACH_SPIRAL),
    each(TREMOR, by=EACH_SPIRAL),
    each(CORNER, "corner", EACH_SQUARE),
    each(OVERSHOOT, "axes_over", EACH_SQUARE),
    *APPROACH,
    *phone("user_acceleration", "[g]"),
    *phone("gyroscope", "rad/s"),
)
=======
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
    grid_s = np.arange(t_s[0], t_s[-1], 1.0 / APPROACH_HZ)
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
>>>>>>> wt-mends
