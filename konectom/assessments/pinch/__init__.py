"""Bubble pinching: burst bubbles between thumb and finger, as many as possible in 30 seconds with each hand.

What each part of the recording carries, one part for each hand:

* condition: ``hand``.
* stream ``touch``: the samples of every finger on the screen; optional columns ``pressure``, and ``led_to_success`` and
  ``valid_pinch`` (1 or 0) where the app itself judges which touches burst the bubble and when both fingers were inside.
* event ``bubble``, at the time ``t`` at which it appeared: its centre ``x``, ``y`` and ``radius`` in the touches' unit,
  its ``size`` (small to extra_large), ``burst_at`` (null where it did not burst) and, optional, ``gone_at``.
* optional: ``user_acceleration`` or ``accelerometer``, ``gravity``, ``gyroscope``: tremor, and how the phone is held.

An *attempt* is a gesture of two fingers. The top finger is the one that comes down higher on the screen. A bubble still
shown when the time ran out is left out, but for the success rate: how it would have ended is not known.

Source: the published definitions of Konectom (DISPEL 0.0.3, generic/tasks/pinch), written afresh. Deviations: a bubble
that nobody touched has no duration (there: 0 s); how unsteady reaction becomes is taken in order of time (there: of
size, then time), and so has no alias. ``contact_distance`` takes the radius as a number, whatever its unit, as the
library does: Konectom 2 states it in millimetres, older versions in points that it calls millimetres.
``edge_distance`` is the one to use.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from konectom.assessments._outcome import Outcome
from konectom.assessments._parts import parts_by_condition
from konectom.assessments._tremor import tremor_measures, write_tremor
from konectom.assessments.base import (
    CENTRE_AND_RANGE,
    Condition,
    Input,
    Measure,
    Rule,
    assessment,
    behavioural,
    events,
    limited,
    motion,
    noted,
    technical,
)
from konectom.assessments.pinch._hand import Hand
from konectom.assessments.pinch._judge import judge
from konectom.assessments.pinch._write import (
    TREMOR_RATE_HZ,
    write_counts,
    write_fingers,
    write_peaks,
    write_reaction,
    write_times,
)
from konectom.recording import Recording

TOUCH = Input("touch", ("x", "y", "phase", "finger"), texts=("phase",), means="Every finger on the screen.")
BUBBLES = events(
    *("bubble", ("x", "y", "radius", "size", "burst_at_s")), texts=("size",), means="When, where and how large."
)
ACCELEROMETER = motion("accelerometer", "m/s2", optional=True, means="Total acceleration.")
USER_ACCELERATION = motion("user_acceleration", "m/s2", optional=True, means="Acceleration without gravity.")
GRAVITY = motion("gravity", "m/s2", optional=True, means="Gravity as the phone estimates it.")
GYROSCOPE = motion("gyroscope", "rad/s", optional=True, means="Rotation.")

HAND = Condition("hand", ("left", "right"), means="The hand that pinched.")
SIZE = Condition("size", ("small", "medium", "large", "extra_large"), {"dispel": ("s", "m", "l", "xl")})
FINGER = Condition("finger", ("top", "bottom"), {"dispel": ("tf", "bf")})
OUTCOME = Condition("outcome", ("all", "successful", "failed"), {"dispel": ("", "sp", "fp")})
ATTEMPTS = Condition("attempts", ("first", "all"), {"dispel": ("fa", "aa")}, "First attempt at each bubble, or all.")

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
    return Measure(name, "s", means, "lower", (0, 40), SHORT, (HAND, SIZE, OUTCOME), aliases=aliases)


REACTION = Measure(
    *("reaction_time", "ms", "From a bubble's appearance to the first attempt at it; not the first bubble.", "lower"),
    plausible=(0, 40_000),
    statistics=WIDE,
    evidence=FLOODLIGHT,
)
ASYNCHRONY = Measure(
    *("double_touch_asynchrony", "ms", "Time between the two fingers' coming down.", "lower", (0, 10_000), SPREAD),
    evidence=FLOODLIGHT,
)
BURSTS = Measure("successes", "1", "Attempts that burst the bubble.", "higher", (0, 200), evidence=FLOODLIGHT)
TRIES = Measure("attempts", "1", "Attempts: two fingers at once.", None, (0, 400))
ACCURACY = Measure("accuracy", "1", "Successful attempts among all; of a hand, the mean over sizes.", "higher", (0, 1))
SINGLE_SHOT = Measure(
    *("single_shot_duration", "s", "How long the attempt lasts at bubbles that burst at the only one.", "lower"),
    plausible=(0, 40),
    statistics=SHORT,
    by=(HAND,),
    score=("mean",),
    aliases=dispel("{hand}-dur1shot-{statistic}"),
)

CONTACT_DISTANCE = Measure(
    *("contact_distance", "pt", "Distance of a finger's first contact from the bubble's centre, less its radius."),
    plausible=(-1000, 2000),
    statistics=("mean", "sd", "cv", "median"),
)
FIRST_PRESSURE = Measure(
    *("first_pressure", "1", "Pressure when a finger comes down, in the device's own unit."),
    plausible=(0, 20),
    statistics=("mean", "median", "cv"),
)
PRESSURE = Measure(
    *("pressure", "1", "Pressure of a finger, in the device's own unit."),
    plausible=(0, 20),
    statistics=("mean", "median", "sd", "skew", "kurtosis", "cv"),
)
SPEED = Measure(
    *("speed", "pt/ms", "Speed of a finger from sample to sample.", "higher", (0, 100)),
    statistics=("mean", "median", "sd", "p95"),
)
JERK = Measure(
    *("jerk", "pt/ms3", "Rate of change of the rate of change of a finger's speed."),
    plausible=(-100, 100),
    statistics=("mean", "median", "sd"),
)
MEAN_SQUARED_JERK = Measure(
    *("mean_squared_jerk", "pt2/ms6", "Mean over a touch of its squared jerk.", "lower", (0, 1e4)),
    statistics=("mean", "sd", "cv", "median"),
)
PRESSURE_JERK = Measure(
    *("pressure_jerk", "/ms3", "Third rate of change of a finger's pressure."),
    plausible=(-100, 100),
    statistics=("mean", "sd", "cv", "median"),
)
MEAN_SQUARED_PRESSURE_JERK = Measure(
    *("mean_squared_pressure_jerk", "/ms6", "Mean over a touch of its squared pressure jerk.", "lower", (0, 1e4)),
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
        *("success_rate", "1", "Bursts among all attempts, with those that the end of the time cut off.", "higher"),
        plausible=(0, 1),
        by=(HAND,),
        score=True,
        evidence=FLOODLIGHT,
    ),
    replace(REACTION, aliases=dispel("rt-{statistic}")),
    replace(REACTION, by=(HAND,), score=("median",), aliases=dispel("{hand}-rt-{statistic}")),
    replace(REACTION, by=(SIZE,), statistics=SHORT, aliases=dispel("{size}-rt-{statistic}")),
    Measure(
        *("first_reaction_time", "ms", "From the first bubble's appearance to the first attempt at it.", "lower"),
        plausible=(0, 40_000),
        by=(HAND,),
        aliases=dispel("{hand}-fprt"),
    ),
    Measure(
        *("reaction_unsteadiness_change", "1", "Variation of reaction times in the second half less the first."),
        better="lower",
        plausible=(-10, 10),
        by=(HAND,),
    ),
    replace(ASYNCHRONY, by=(HAND, SIZE, ATTEMPTS), aliases=dispel("{hand}_{size}_{attempts}-dta-{statistic}")),
    Measure(
        *("typical_double_touch_asynchrony", "ms", "Mean over sizes of the time between the fingers' coming down."),
        better="lower",
        plausible=(0, 10_000),
        by=(HAND, ATTEMPTS),
        aliases=dispel("{hand}_{attempts}-dta-mean"),
    ),
    Measure(
        *("touch_asynchrony", "ms", "Time between the two fingers' coming down, over all attempts.", "lower"),
        plausible=(0, 10_000),
        statistics=("mean", "median", "sd"),
        by=(HAND,),
        score=("median",),
        evidence=FLOODLIGHT,
    ),
    Measure(
        *("lift_asynchrony", "ms", "Time between the two fingers' last being seen.", "lower", (0, 10_000)),
        statistics=("mean", "median", "sd"),
        by=(HAND,),
        evidence=FLOODLIGHT,
    ),
    Measure(
        *("gap", "s", "From the end of an attempt to the beginning of the next.", "lower", (0, 40)),
        statistics=("mean", "median", "sd"),
        by=(HAND,),
        evidence=FLOODLIGHT,
    ),
    Measure(
        *("dwell_time", "ms", "From the first finger's coming down to the first movement.", None, (0, 10_000)),
        statistics=SPREAD,
        by=(HAND, SIZE, ATTEMPTS),
        aliases=dispel("{hand}_{size}_{attempts}-dt-{statistic}"),
    ),
    Measure(
        *("bubble_duration", "s", "From the first attempt at a bubble to the end of the last.", "lower", (0, 40)),
        statistics=SHORT,
        by=(HAND, SIZE),
        aliases=dispel("{hand}_{size}-dur-{statistic}"),
    ),
    SINGLE_SHOT,
    by_outcome("time_to_squeeze", "From the begin of an attempt to both fingers' being inside the bubble.", "sd"),
    by_outcome("squeeze_duration", "How long both fingers are inside the bubble.", "pd"),
    Measure(
        *("edge_distance", "pt", "How far from the bubble's edge a finger comes down.", None, (-1000, 2000)),
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
        *("time_to_peak_speed", "s", "To the first peak of a finger's speed, in successful attempts.", None, (0, 40)),
        statistics=WIDE,
        by=(HAND, FINGER),
        aliases=dispel("{hand}_{finger}_sp-peaktime-{statistic}"),
    ),
    Measure(
        *("peak_speed_asynchrony", "ms", "First peak of the top finger's speed less that of the bottom finger's."),
        plausible=(-40_000, 40_000),
        statistics=WIDE,
        by=(HAND,),
        aliases=dispel("{hand}_sp-peak_speed_async-{statistic}"),
    ),
    *tremor_measures("pinch-{hand}", (HAND,)),
)

QUALITY = (
    Rule(
        *("no_attempts", technical, limited, "For some bubbles no pinch was seen. Please pinch with two fingers."),
        {"dispel": "pinch-technical-deviation-ma"},
    ),
    Rule(
        *("hand_missing", technical, limited, "Only one hand was recorded. Please do the test with each hand."),
        {"dispel": "pinch-technical-deviation-1hand"},
    ),
    Rule(
        *("not_upright", behavioural, limited, "Please hold the phone upright in front of you, without turning it."),
        {"dispel": "pinch-behavioral-deviation-upmo"},
    ),
    Rule("none_burst", behavioural, limited, "No bubble burst. Please put two fingers around it and close them on it."),
    Rule("one_finger", behavioural, limited, "Often not two fingers touched. Please use thumb and one finger only."),
    Rule("long_pause", behavioural, limited, "For some seconds you did not pinch. Please repeat it without a pause."),
    Rule("wrong_duration", technical, limited, "The test was shorter or longer than it should be. Please repeat it."),
    Rule("touch_incomplete", technical, noted, "Some touches were recorded only in part."),
    Rule("position_unit_unknown", technical, noted, "How long a unit of the screen is was not told."),
    Rule("radius_unknown", technical, noted, "How large the bubbles were is not told, or cannot be right."),
)


@assessment(
    "pinch",
    version=1,
    title="Bubble pinching",
    domain="upper limb",
    inputs=(TOUCH, BUBBLES, ACCELEROMETER, USER_ACCELERATION, GRAVITY, GYROSCOPE),
    measures=MEASURES,
    quality=QUALITY,
    source="DISPEL 0.0.3 (MIT), generic/tasks/pinch, generic/touch.py and bdh/io/pinch.py",
)
def pinch(recording: Recording, out: Outcome) -> None:
    """Burst bubbles between thumb and finger, as many as possible in 30 seconds with each hand."""
    parts = parts_by_condition(recording, out, lambda _: (HAND,), size=lambda part: len(part.streams["touch"]))
    hands = [Hand.of(where["hand"], part, recording.device.screen) for where, part in parts if where]
    for hand in hands:
        here = out.at(hand=hand.name)
        write_counts(hand, here)
        write_times(hand, here)
        write_peaks(hand, here)
        write_fingers(hand, here)
        write_tremor(hand.part.streams, here, rate_hz=TREMOR_RATE_HZ, within=hand.while_shown)
        judge(hand, out)
    write_reaction(hands, out)
    out.flag("hand_missing", when=len(hands) < 2)
    out.rest_absent("condition_not_recorded")
