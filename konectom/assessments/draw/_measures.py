"""What is measured of the drawings, of the hand that draws, and under which conditions."""

from __future__ import annotations

from dataclasses import replace

from konectom.assessments._tremor import tremor_measures
from konectom.assessments.base import CENTRE_AND_RANGE, Condition, Measure
from konectom.assessments.draw._trace import INFINITY, SPIRAL

HAND = Condition("hand", ("left", "right"), means="The hand that drew.")
SQUARES = ("square_clockwise", "square_counter_clockwise")
SHAPE = Condition("shape", (*SQUARES, INFINITY, SPIRAL), {"dispel": ("sc", "scc", "inf", "spi")}, "The figure.")
ATTEMPT = Condition("attempt", ("first", "second"), {"dispel": ("first", "sec")}, "Each figure is drawn twice.")
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
LIBRARY = "Definition of each drawing's value: DISPEL 0.0.3 (MIT), generic/tasks/draw"
WARPING = "Salvador & Chan 2007, Intell. Data Anal. 11:561"


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
    "duration",
    "ms",
    "From the first to the last touch of a drawing.",
    better="lower",
    plausible=(100, 120000),
    evidence=LIBRARY,
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
    "reached_share",
    "1",
    "Share of the figure that was drawn within 8 pt.",
    better="higher",
    plausible=(0, 1),
    evidence=LIBRARY,
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


APPROACH = tuple(
    each(replace(measure, by=(SIGNAL,)), f"itrem_ps_{short}_{{signal}}", EACH_SQUARE)
    for measure, short in spectral("approach", "pt", "the movement up to the second corner")
)


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
    *tremor_measures("draw-{hand}", (HAND,)),
)
