"""U-turns: walk to and fro over a few metres and turn around five times, the phone in landscape on a belt.

What the recording carries: ``gyroscope``, and ``accelerometer`` or ``user_acceleration`` and ``gravity``. Where it also
carries three or more ``instruction`` events the streams run through the spoken instructions: the test begins with the
third and is followed for two minutes. Otherwise it begins with the streams and is followed for five.

Source: the published definitions of Konectom (DISPEL 0.0.3, generic/tasks/sbt_utt and generic/activity/turning),
written afresh. Deviations: slow sampling and gaps are flagged here as well; the rotation of the pelvis between steps,
which the library names but does not compute for this test, is computed. Own additions: the angle of the turns, and
cadence and step count by a method that does not lose steps.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from konectom.assessments._belt import (
    ACCELEROMETER,
    GRAVITY,
    GYROSCOPE,
    INSTRUCTIONS,
    USER_ACCELERATION,
    cut,
    judge_motion,
    judge_placement,
    motion_rules,
    places,
)
from konectom.assessments._outcome import Outcome
from konectom.assessments.base import (
    CENTRE_AND_RANGE,
    Condition,
    Measure,
    Rule,
    assessment,
    behavioural,
    invalid,
    limited,
)
from konectom.recording import FloatArray, Part, Recording, Stream
from konectom.signals.filters import detrend, low_pass
from konectom.signals.inertial import Motion, motion
from konectom.signals.lee_steps import averaged, find_lee_steps
from konectom.signals.resample import Even
from konectom.signals.steps import find_steps
from konectom.signals.timebase import first_seconds, since
from konectom.signals.turns import Turn, find_turns, join_u_turns, rotation_between

INSTRUCTIONS_BEFORE = 2
INSTRUCTED_S, LONGEST_S = 120.0, 300.0
PLANNED_TURNS, FEWEST_TURNS = 5, 4
TURNING_HZ, TRUNK_HZ = 1.5, 5.0
LONGEST_STEP = 1.5  # times the usual; what lasts longer is a pause

ALL = "all"
SOME = {"first_5": slice(5), "first_4": slice(4), "second_to_fourth": slice(1, 4)}
TURNS = Condition("turns", (ALL, *SOME), {"dispel": ("all", "first5", "first4", "2to4")}, "Which turns are counted.")
ABOUT = Condition("about", ("vertical", "any_axis"), {"dispel": ("x", "norm")}, "Axis about which the trunk rotates.")
SENSE = Condition(
    *("sense", ("positive", "negative"), {"dispel": ("pos", "neg")}),
    "Positive is to the left where the phone reports gravity downwards (iOS), else to the right.",
)

EL_GOHARY = "El-Gohary et al. 2014, doi 10.3390/s140100356"
LEE = "Lee et al. 2015, doi 10.3390/s151027230; power of a step: Cheng et al. 2018, doi 10.1007/978-3-319-98551-0_2"
SPEED_IN_MS = "Cheng et al. 2021, Gait Posture 84:120; Plonka et al. 2025, arXiv 2512.04914 (multiple sclerosis)"
DURATION_IN_MS = "Spain et al. 2012, Gait Posture 35:573 (multiple sclerosis)"


def of_turns(measure: Measure, dispel: str = "", *, score: tuple[str, ...] = ()) -> tuple[Measure, ...]:
    """Return the measure of all turns, of which some statistics may be scores, and of the first ones."""
    aliases = {"dispel": f"utt-{{turns}}-{dispel}"} if dispel else {}
    here = replace(measure, aliases=aliases)
    return (
        replace(here, by=(TURNS.only(ALL), *measure.by), score=score),
        replace(here, by=(TURNS.only(*SOME), *measure.by)),
    )


def by_lee(
    quantity: str,
    unit: str,
    means: str,
    plausible: tuple[float, float],
    dispel: str,
    statistics: tuple[str, ...] = (),
    by: tuple[Condition, ...] = (),
) -> Measure:
    """Declare a measure of the steps that are found by the method of Lee et al."""
    return Measure(quantity, unit, means, None, plausible, statistics, by, aliases={"dispel": dispel}, evidence=LEE)


TURN_SPEED = Measure(
    *("turn_speed", "rad/s", "Speed of a U-turn: its angle over its duration.", "higher", (0.1, 6), CENTRE_AND_RANGE),
    evidence=f"{EL_GOHARY}; {SPEED_IN_MS}",
)
TURN_DURATION = Measure(
    *("turn_duration", "s", "How long a U-turn took.", "lower", (0.5, 15), CENTRE_AND_RANGE),
    evidence=f"{EL_GOHARY}; {DURATION_IN_MS}",
)
TURN_ANGLE = Measure(
    *("turn_angle", "rad", "By how much the trunk turned in a U-turn.", None, (1.5, 7), CENTRE_AND_RANGE),
    evidence=EL_GOHARY,
)
TURN_COUNT = Measure("turn_count", "1", "How many U-turns were made.", None, (0, 60), evidence=EL_GOHARY)
ROTATION = Measure(
    *("rotation", "rad/s", "Mean speed at which the trunk rotated during a U-turn.", "higher", (0.05, 8)),
    *(CENTRE_AND_RANGE, (ABOUT,)),
)
FAST_ROTATION = Measure(
    *("fast_rotation", "rad/s", "Speed of the trunk's rotation exceeded in 5 % of a U-turn.", "higher", (0.1, 15)),
    *(CENTRE_AND_RANGE, (ABOUT,)),
)

MEASURES = (
    *of_turns(TURN_SPEED, "ts-{statistic}", score=("median",)),
    *of_turns(TURN_DURATION, "dur-{statistic}", score=("median",)),
    *of_turns(TURN_ANGLE),
    *of_turns(TURN_COUNT, "turns"),
    *of_turns(ROTATION, "mean_abs_turn_speed_{about}-{statistic}"),
    *of_turns(FAST_ROTATION, "q95_abs_turn_speed_{about}-{statistic}"),
    Measure(
        "cadence", "/min", "Steps per minute, turns included and pauses left out.", "higher", (30, 180), score=True
    ),
    Measure("step_count", "1", "How many steps were made.", None, (0, 1000)),
    # Steps by the method of Lee et al., which may take two for one: for comparison with others.
    by_lee("lee_step_count", "1", "Steps found by the method of Lee.", (0, 1000), "utt-lee_nb-sc"),
    by_lee("lee_step_rate", "/s", "Steps found by the method of Lee, per second.", (0, 5), "utt-lee-ws"),
    by_lee(
        *("lee_step_duration", "s", "Time between steps found by the method of Lee.", (0.02, 60)),
        *("utt-lee_nb-step_dur-{statistic}", CENTRE_AND_RANGE),
    ),
    by_lee(
        *("lee_step_power", "[g]2.s", "Variation of the vertical acceleration for each step found.", (0, 5)),
        "utt-lee_nb-sp",
    ),
    by_lee(
        *("pelvis_rotation", "rad", "Rotation of the pelvis between steps found by the method of Lee.", (0, 20)),
        *("utt-lee_nb-hr_{sense}-{statistic}", CENTRE_AND_RANGE, (SENSE,)),
    ),
)

QUALITY = (
    *motion_rules("utt", slow=limited),
    Rule(
        *("off_belt", behavioural, limited, "The phone was not on your belt all the time. Please fasten it well."),
        {"dispel": "utt-behavioral-deviation-non_belt_greater_than_10_perc"},
    ),
    Rule(
        *("mostly_off_belt", behavioural, invalid, "The phone was not sideways on your belt. Please wear it there."),
        {"dispel": "utt-behavioral-deviation-non_belt_greater_than_30_perc"},
    ),
    Rule(
        *("no_turns", behavioural, invalid, "No turn was seen. Please walk to and fro and turn around five times."),
        {"dispel": "utt-behavioral-deviation-no_turns_detected"},
    ),
    Rule("few_turns", behavioural, limited, "Fewer than four turns were seen. Please turn around five times."),
)


@assessment(
    "u_turn",
    version=1,
    title="U-turns",
    domain="gait",
    inputs=(GYROSCOPE, ACCELEROMETER, USER_ACCELERATION, GRAVITY, INSTRUCTIONS),
    measures=MEASURES,
    quality=QUALITY,
    source="Konectom U-turn test (UTT)",
)
def extract(recording: Recording, out: Outcome) -> None:
    """Walk to and fro and turn around five times, the phone in landscape on a belt: how fast the turns are made."""
    streams = streams_of_test(recording.parts[-1])
    moved = motion(streams)
    judge_motion(moved, out)
    rotation = moved.rotation(streams["gyroscope"])
    if len(rotation) < 2:
        out.flag("no_turns")
        out.rest_absent("too_few_values" if len(rotation) else "no_data")
        return
    yaw = replace(rotation, values=low_pass(rotation.values[:, 0], TURNING_HZ, 5, rotation.rate_hz))
    turns = join_u_turns(find_turns(yaw.values, yaw.rate_hz), yaw.values, yaw.rate_hz)
    out.flag("no_turns", when=not turns)
    out.flag("few_turns", when=0 < len(turns) < FEWEST_TURNS, turns=len(turns))
    judge_where_worn(turns, yaw, moved, out)
    write_turns(turns, low_pass(rotation.values, TRUNK_HZ, 2, rotation.rate_hz), out)
    upright = moved.upright()
    upwards = replace(upright, values=-detrend(upright.values)[:, 0])
    write_steps(upwards, out)
    write_lee_steps(upwards, yaw, out)
    out.rest_absent("too_few_values")


def streams_of_test(part: Part) -> dict[str, Stream]:
    """Return the streams from the test's begin to its end."""
    spoken = part.events.get("instruction")
    if spoken is None or len(spoken) <= INSTRUCTIONS_BEFORE:
        return cut(part, lambda stream: first_seconds(stream, LONGEST_S))
    begin_s = float(spoken.t_s[INSTRUCTIONS_BEFORE])
    return cut(part, lambda stream: first_seconds(since(stream, begin_s), INSTRUCTED_S))


def write_turns(turns: list[Turn], trunk_radps: FloatArray, out: Outcome) -> None:
    """Write what is measured of the turns; ``trunk_radps`` (n, 3) is the rotation, x about the vertical."""
    duration_s = [turn.duration_s for turn in turns]
    angle_rad = [abs(turn.angle_rad) for turn in turns]
    speed_radps = [turn.speed_radps for turn in turns]
    within = np.abs(np.column_stack([trunk_radps[:, 0], np.linalg.norm(trunk_radps, axis=1)]))
    stretches = [within[turn.first : turn.last + 1] for turn in turns]
    mean_radps = np.array([stretch.mean(axis=0) for stretch in stretches]).reshape(-1, 2)
    fast_radps = np.array([np.quantile(stretch, 0.95, axis=0) for stretch in stretches]).reshape(-1, 2)
    for name, counted in {ALL: slice(None), **SOME}.items():
        here = out.at(turns=name)
        here("turn_count", len(turns[counted]))
        here("turn_duration", duration_s[counted])
        here("turn_angle", angle_rad[counted])
        here("turn_speed", speed_radps[counted])
        for i, about in enumerate(ABOUT.levels):
            here("rotation", mean_radps[counted, i], about=about)
            here("fast_rotation", fast_radps[counted, i], about=about)


def write_steps(upwards: Even, out: Outcome) -> None:
    """Write what is measured of the steps, turns included."""
    steps = find_steps(upwards.values, upwards.rate_hz)
    out("step_count", steps.size)
    if steps.size > 1:
        step_s = np.diff(steps) / upwards.rate_hz
        out("cadence", 60.0 / step_s[step_s < LONGEST_STEP * np.median(step_s)].mean())


def write_lee_steps(upwards: Even, yaw: Even, out: Outcome) -> None:
    """Write what is measured of the steps by the method of Lee et al., and the rotation between them."""
    vertical_g = averaged(upwards.values)
    steps = find_lee_steps(vertical_g, upwards.rate_hz)
    if not steps.size:
        return
    out("lee_step_count", steps.size)
    out("lee_step_rate", steps.size / ((len(upwards) - 1) / upwards.rate_hz))
    out("lee_step_duration", np.diff(steps) / upwards.rate_hz)
    strength_g = np.abs(vertical_g[steps[0] : steps[-1] + 1])
    strength_g = strength_g[np.isfinite(strength_g)]
    if strength_g.size:
        out("lee_step_power", np.trapezoid((strength_g - strength_g.mean()) ** 2) / upwards.rate_hz / steps.size)
    rotated_rad = rotation_between(upwards.t_s[steps], yaw)
    out("pelvis_rotation", rotated_rad[rotated_rad > 0], sense="positive")
    out("pelvis_rotation", -rotated_rad[rotated_rad <= 0], sense="negative")


def judge_where_worn(turns: list[Turn], yaw: Even, moved: Motion, out: Outcome) -> None:
    """Flag a phone off the belt up to the end of the fifth turn, or of the last."""
    last = turns[:PLANNED_TURNS][-1].last if turns else len(yaw) - 1
    where, end_s = places(moved), float(yaw.t_s[last] - moved.t_s[0])
    judge_placement("off_belt", where, out, to_s=end_s, most=0.1)
    judge_placement("mostly_off_belt", where, out, to_s=end_s, most=0.3)
