"""What is measured of pinching."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from konectom.assessments._tremor import tremor_measures
from konectom.assessments.base import CENTRE_AND_RANGE, Condition, Measure

HAND = Condition("hand", ("left", "right"), means="The hand that pinched.")
SIZE = Condition("size", ("small", "medium", "large", "extra_large"), aliases={"dispel": ("s", "m", "l", "xl")})
FINGER = Condition("finger", ("top", "bottom"), aliases={"dispel": ("tf", "bf")})
OUTCOME = Condition("outcome", ("all", "successful", "failed"), aliases={"dispel": ("", "sp", "fp")})
ATTEMPTS = Condition(
    "attempts", ("first", "all"), aliases={"dispel": ("fa", "aa")}, means="First attempt at each bubble, or all."
)

FLOODLIGHT = "Montalban et al. 2022, doi 10.1177/13524585211028561 (pinching test in multiple sclerosis)"

SHORT = ("mean", "sd", "cv")
SPREAD = (*CENTRE_AND_RANGE, "cv")
WIDE = (*SPREAD, "p95")

Range = tuple[float, float]
Direction = Literal["higher", "lower"] | None


def dispel(alias: str) -> dict[str, str]:
    """Return the library's name of a measure."""
    return {"dispel": f"pinch-{alias}"}


def by_finger(measure: Measure, alias: str) -> Measure:
    """Return a measure of single fingers: by hand, size of the bubble, finger and outcome of the attempt."""
    aliases = dispel(f"{{hand}}_{{size}}_{{finger}}_{{outcome}}-{alias}-{{statistic}}")
    return replace(measure, by=(HAND, SIZE, FINGER, OUTCOME), aliases=aliases)


def by_outcome(name: str, means: str, alias: str) -> Measure:
    """Declare a duration by hand, size of the bubble and outcome of the attempt."""
    aliases = dispel(f"{{hand}}_{{size}}_{{outcome}}-{alias}-{{statistic}}")
    return Measure(
        name, "s", means, better="lower", plausible=(0, 40), statistics=SHORT, by=(HAND, SIZE, OUTCOME), aliases=aliases
    )


REACTION = Measure(
    "reaction_time",
    "ms",
    "From a bubble's appearance to the first attempt at it; not the first bubble.",
    better="lower",
    plausible=(0, 40_000),
    statistics=WIDE,
    evidence=FLOODLIGHT,
)
ASYNCHRONY = Measure(
    "double_touch_asynchrony",
    "ms",
    "Time between the two fingers' coming down.",
    better="lower",
    plausible=(0, 10_000),
    statistics=SPREAD,
    evidence=FLOODLIGHT,
)
BURSTS = Measure(
    "successes", "1", "Attempts that burst the bubble.", better="higher", plausible=(0, 200), evidence=FLOODLIGHT
)
TRIES = Measure("attempts", "1", "Attempts: two fingers at once.", plausible=(0, 400))
ACCURACY = Measure(
    "accuracy", "1", "Successful attempts among all; of a hand, the mean over sizes.", better="higher", plausible=(0, 1)
)
SINGLE_SHOT = Measure(
    "single_shot_duration",
    "s",
    "How long the attempt lasts at bubbles that burst at the only one.",
    better="lower",
    plausible=(0, 40),
    statistics=SHORT,
    by=(HAND,),
    score=("mean",),
    aliases=dispel("{hand}-dur1shot-{statistic}"),
    evidence="Definition: DISPEL 0.0.3 (MIT), generic/tasks/pinch.",
)

CONTACT_DISTANCE = Measure(
    "contact_distance",
    "pt",
    "Distance of a finger's first contact from the bubble's centre, less its radius.",
    plausible=(-1000, 2000),
    statistics=("mean", "sd", "cv", "median"),
)
FIRST_PRESSURE = Measure(
    "first_pressure",
    "1",
    "Pressure when a finger comes down, in the device's own unit.",
    plausible=(0, 20),
    statistics=("mean", "median", "cv"),
)
PRESSURE = Measure(
    "pressure",
    "1",
    "Pressure of a finger, in the device's own unit.",
    plausible=(0, 20),
    statistics=("mean", "median", "sd", "skew", "kurtosis", "cv"),
)
SPEED = Measure(
    "speed",
    "pt/ms",
    "Speed of a finger from sample to sample.",
    better="higher",
    plausible=(0, 100),
    statistics=("mean", "median", "sd", "p95"),
)
JERK = Measure(
    "jerk",
    "pt/ms3",
    "Rate of change of the rate of change of a finger's speed.",
    plausible=(-100, 100),
    statistics=("mean", "median", "sd"),
)
MEAN_SQUARED_JERK = Measure(
    "mean_squared_jerk",
    "pt2/ms6",
    "Mean over a touch of its squared jerk.",
    better="lower",
    plausible=(0, 1e4),
    statistics=("mean", "sd", "cv", "median"),
)
PRESSURE_JERK = Measure(
    "pressure_jerk",
    "/ms3",
    "Third rate of change of a finger's pressure.",
    plausible=(-100, 100),
    statistics=("mean", "sd", "cv", "median"),
)
MEAN_SQUARED_PRESSURE_JERK = Measure(
    "mean_squared_pressure_jerk",
    "/ms6",
    "Mean over a touch of its squared pressure jerk.",
    better="lower",
    plausible=(0, 1e4),
    statistics=("mean", "median", "sd"),
)

MEASURES = (
    replace(BURSTS, by=(HAND,), score=True, aliases=dispel("{hand}-succ")),
    replace(BURSTS, by=(HAND, SIZE), aliases=dispel("{hand}_{size}-succ")),
    replace(TRIES, by=(HAND,), aliases=dispel("{hand}-att")),
    replace(TRIES, by=(HAND, SIZE), aliases=dispel("{hand}_{size}-att")),
    replace(ACCURACY, by=(HAND,), aliases=dispel("{hand}-acc")),
    replace(ACCURACY, by=(HAND, SIZE), aliases=dispel("{hand}_{size}-acc")),
    Measure(
        "success_rate",
        "1",
        "Bursts among all attempts, with those that the end of the time cut off.",
        better="higher",
        plausible=(0, 1),
        by=(HAND,),
        score=True,
        evidence=FLOODLIGHT,
    ),
    replace(REACTION, aliases=dispel("rt-{statistic}")),
    replace(REACTION, by=(HAND,), score=("median",), aliases=dispel("{hand}-rt-{statistic}")),
    replace(REACTION, by=(SIZE,), statistics=SHORT, aliases=dispel("{size}-rt-{statistic}")),
    Measure(
        "first_reaction_time",
        "ms",
        "From the first bubble's appearance to the first attempt at it.",
        better="lower",
        plausible=(0, 40_000),
        by=(HAND,),
        aliases=dispel("{hand}-fprt"),
    ),
    Measure(
        "reaction_unsteadiness_change",
        "1",
        "Variation of reaction times in the second half less the first.",
        better="lower",
        plausible=(-10, 10),
        by=(HAND,),
    ),
    replace(ASYNCHRONY, by=(HAND, SIZE, ATTEMPTS), aliases=dispel("{hand}_{size}_{attempts}-dta-{statistic}")),
    Measure(
        "typical_double_touch_asynchrony",
        "ms",
        "Mean over sizes of the time between the fingers' coming down.",
        better="lower",
        plausible=(0, 10_000),
        by=(HAND, ATTEMPTS),
        aliases=dispel("{hand}_{attempts}-dta-mean"),
    ),
    Measure(
        "touch_asynchrony",
        "ms",
        "Time between the two fingers' coming down, over all attempts.",
        better="lower",
        plausible=(0, 10_000),
        statistics=("mean", "median", "sd"),
        by=(HAND,),
        score=("median",),
        evidence=FLOODLIGHT,
    ),
    Measure(
        "lift_asynchrony",
        "ms",
        "Time between the two fingers' last being seen.",
        better="lower",
        plausible=(0, 10_000),
        statistics=("mean", "median", "sd"),
        by=(HAND,),
        evidence=FLOODLIGHT,
    ),
    Measure(
        "gap",
        "s",
        "From the end of an attempt to the beginning of the next.",
        better="lower",
        plausible=(0, 40),
        statistics=("mean", "median", "sd"),
        by=(HAND,),
        evidence=FLOODLIGHT,
    ),
    Measure(
        "dwell_time",
        "ms",
        "From the first finger's coming down to the first movement.",
        plausible=(0, 10_000),
        statistics=SPREAD,
        by=(HAND, SIZE, ATTEMPTS),
        aliases=dispel("{hand}_{size}_{attempts}-dt-{statistic}"),
    ),
    Measure(
        "bubble_duration",
        "s",
        "From the first attempt at a bubble to the end of the last.",
        better="lower",
        plausible=(0, 40),
        statistics=SHORT,
        by=(HAND, SIZE),
        aliases=dispel("{hand}_{size}-dur-{statistic}"),
    ),
    SINGLE_SHOT,
    by_outcome("time_to_squeeze", "From the begin of an attempt to both fingers' being inside the bubble.", "sd"),
    by_outcome("squeeze_duration", "How long both fingers are inside the bubble.", "pd"),
    Measure(
        "edge_distance",
        "pt",
        "How far from the bubble's edge a finger comes down.",
        plausible=(-1000, 2000),
        statistics=("mean", "median", "sd"),
        by=(HAND, FINGER),
    ),
    by_finger(CONTACT_DISTANCE, "cd"),
    by_finger(FIRST_PRESSURE, "fp"),
    by_finger(PRESSURE, "press"),
    by_finger(SPEED, "speed"),
    by_finger(JERK, "jerk"),
    by_finger(MEAN_SQUARED_JERK, "msj"),
    by_finger(PRESSURE_JERK, "press_jerk"),
    by_finger(MEAN_SQUARED_PRESSURE_JERK, "mspj"),
    Measure(
        "time_to_peak_speed",
        "s",
        "To the first peak of a finger's speed, in successful attempts.",
        plausible=(0, 40),
        statistics=WIDE,
        by=(HAND, FINGER),
        aliases=dispel("{hand}_{finger}_sp-peaktime-{statistic}"),
    ),
    Measure(
        "peak_speed_asynchrony",
        "ms",
        "First peak of the top finger's speed less that of the bottom finger's.",
        plausible=(-40_000, 40_000),
        statistics=WIDE,
        by=(HAND,),
        aliases=dispel("{hand}_sp-peak_speed_async-{statistic}"),
    ),
    *tremor_measures("pinch-{hand}", (HAND,)),
)
