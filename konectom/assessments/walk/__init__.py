"""Walking: for six or two minutes, or freely, the phone in landscape on a belt.

What the recording carries: ``accelerometer``, or ``user_acceleration`` and ``gravity``; ``gyroscope`` to tell turns,
``gps`` for the distance. Where it also carries three or more ``instruction`` events the streams run through the spoken
instructions: the test begins with the third and lasts six minutes. The protocol is told by the condition ``protocol``;
the patient's height by the answer ``height_m``.

Source: the published definitions of Konectom (DISPEL 0.0.3, generic/tasks/gait), written afresh. Deviations: what the
library calls step intensity is named a root mean; an unfinished walk, one off the belt, or one without turns or
positions is measured as far as it goes; a rate of 60 or 200 Hz is analysed at 50 Hz. Own additions: distance within
the test, stride variability, double support as a share of the stride, root mean square step intensity.
"""

from __future__ import annotations

from dataclasses import replace

from konectom.assessments._belt import (
    ACCELEROMETER,
    GRAVITY,
    GYROSCOPE,
    INSTRUCTIONS,
    USER_ACCELERATION,
    judge_motion,
    motion_rules,
)
from konectom.assessments._outcome import Outcome
from konectom.assessments.base import (
    CENTRE_AND_RANGE,
    Condition,
    Effect,
    Input,
    Measure,
    Rule,
    assessment,
    behavioural,
    invalid,
    limited,
    noted,
    technical,
)
from konectom.assessments.walk._recorded import ALL_BOUTS, FIRST_2_MIN, LONGEST_BOUT, WHOLE, Walk, walk_of
from konectom.assessments.walk._write import (
    write_gait,
    write_path,
    write_shares,
    write_spectrum,
    write_steps,
)
from konectom.recording import Part, Recording

SIX, TWO, FREE = "6mwt", "2mwt", "free"
PLANNED_S = {SIX: 360.0, TWO: 120.0, FREE: 30.0}
LEAST_DONE = 0.9
USUAL_HEIGHT_M = 1.7
HEIGHT_M = (0.5, 2.5)
OFF_BELT, STILL, NOT_WALKING = (0.1, 0.5), (10.0, 50.0), (10.0, 50.0)
TURNS_PER_MIN = (3.0, 5.0)

GPS = Input("gps", ("x", "y"), "m", optional=True, means="Position on the ground, in metres east and north.")

PROTOCOL = Condition(
    "protocol", (SIX, TWO, FREE), means="How the walk was done: for six or two minutes, or without a set time."
)
OTHERS = (FIRST_2_MIN, LONGEST_BOUT, WHOLE)
BOUTS = Condition(
    *("bouts", (FIRST_2_MIN, LONGEST_BOUT, ALL_BOUTS, WHOLE), {"dispel": ("2min", "lb", "ab", "nb")}),
    "Which bouts of walking count: up to two minutes, the longest, all; or the whole recording as it is.",
)
SENSOR = Condition("sensor", ("accelerometer", "gyroscope"), {"dispel": ("acc", "gyr")}, "What measured.")
AXIS = Condition(
    *("axis", ("vertical", "mediolateral", "anteroposterior"), {"dispel": ("x", "y", "z")}), "Axis of the body."
)
SENSE = Condition(
    *("sense", ("positive", "negative"), {"dispel": ("pos", "neg")}),
    "Positive is to the left where the phone reports gravity downwards (iOS), else to the right.",
)

ALL_STATISTICS = (*CENTRE_AND_RANGE, "p95", "cv")
ALREADY = {"dispel": ""}

DEL_DIN = "Del Din et al. 2016, doi 10.1109/JBHI.2015.2419317; McCamley et al. 2012, doi 10.1016/j.gaitpost.2012.02.019"
BOURKE = "Bourke et al. 2020, doi 10.3390/s20205906 (smartphone two-minute walk, multiple sclerosis)"
ZIJLSTRA = "Zijlstra & Hof 2003, doi 10.1016/S0966-6362(02)00190-X"
MOE_NILSSEN = "Moe-Nilssen & Helbostad 2004, doi 10.1016/S0021-9290(03)00233-1"
ANGELINI = "Angelini et al. 2020, doi 10.3390/s20010079"
CHENG = "Cheng et al. 2018, doi 10.1007/978-3-319-98551-0_2"
LEE = "Lee et al. 2015, doi 10.3390/s151027230"
LEE_HIP = "Lee et al. 2015, doi 10.3390/s151027230; El-Gohary et al. 2014, doi 10.3390/s140100356"
WALKED = "ATS 2002, doi 10.1164/ajrccm.166.1.at1102; Goldman et al. 2008, doi 10.1177/1352458507082607"


def named(measure: Measure, dispel: str = "", within: tuple[str, ...] = (SIX, TWO)) -> tuple[Measure, ...]:
    """Return the measure of each protocol, with the library's name where the library has it (``within``)."""
    groups = (within, tuple(level for level in PROTOCOL.levels if level not in within)) if dispel else (PROTOCOL.levels,)
    return tuple(
        replace(
            measure,
            by=(PROTOCOL.only(*levels), *measure.by),
            aliases={"dispel": f"{{protocol}}-{dispel}"} if dispel and levels == within else {},
        )
        for levels in groups
    )


def in_bouts(
    measure: Measure, dispel: str = "", within: tuple[str, ...] = (SIX, TWO), score: str = ""
) -> tuple[Measure, ...]:
    """Return the measure in each selection of bouts; one statistic of all bouts may be a score."""
    followed = replace(measure, by=(BOUTS.only(ALL_BOUTS), *measure.by), score=(score,) if score else False)
    others = replace(measure, by=(BOUTS.only(*OTHERS), *measure.by))
    return (*named(followed, dispel, within), *named(others, dispel, within))


def cycle(
    quantity: str,
    unit: str,
    means: str,
    better: str | None,
    plausible: tuple[float, float],
    dispel: str,
    *,
    asymmetry: float = 0.0,
    ratio: bool = False,
    score: str = "",
) -> tuple[Measure, ...]:
    """Return a measure of each gait cycle, and how far it differs from one step or stride to the next.

    ``asymmetry`` is the largest plausible difference, 0 where there is none; ``ratio`` asks for its logarithm as well.
    """
    evidence = f"{DEL_DIN}; {ZIJLSTRA}" if unit in ("m", "m/s") else f"{DEL_DIN}; {BOURKE}"
    base = Measure(quantity, unit, means, better, plausible, ALL_STATISTICS, evidence=evidence)  # type: ignore[arg-type]
    found = in_bouts(base, f"gp_{{bouts}}-{dispel}-{{statistic}}", score=score)
    what = quantity.replace("_", " ")
    if asymmetry:
        difference = replace(
            base,
            quantity=f"{quantity}_asymmetry",
            means=f"By how much the {what} differs from one to the next.",
            better="lower",
            plausible=(0, asymmetry),
        )
        found += in_bouts(difference, f"gp_{{bouts}}-{dispel}_asym-{{statistic}}")
    if ratio:
        logarithm = replace(
            *(base,),
            quantity=f"{quantity}_asymmetry_ln",
            unit="1",
            means=f"Logarithm of the smaller {what} over the larger of two in a row: 0 where they are equal.",
            better="higher",
            plausible=(-4, 0),
        )
        found += in_bouts(logarithm, f"gp_{{bouts}}-{dispel}_asym_ln-{{statistic}}")
    return found


CYCLES = (
    *cycle(
        *("stride_duration", "s", "Time from a foot's contact with the ground to its next.", "lower", (0.4, 2.25)),
        *("stride_dur",),
        asymmetry=2.25,
        ratio=True,
    ),
    *cycle(
        *("step_duration", "s", "Time from one foot's contact with the ground to the other's.", "lower", (0.1, 2)),
        *("step_dur",),
        asymmetry=2.25,
        ratio=True,
    ),
    *cycle(
        *("cadence", "/min", "Steps per minute while walking.", "higher", (25, 600), "cadence"),
        score="mean",
    ),
    *cycle(
        *("initial_double_support", "s", "Time with both feet on the ground, the leading one just set down.", "lower"),
        *((0, 0.45), "init_double_supp"),
        asymmetry=0.5,
    ),
    *cycle(
        *("terminal_double_support", "s", "Time with both feet on the ground, the trailing one about to leave."),
        *("lower", (-2, 1.6), "term_double_supp"),
        asymmetry=3.6,
    ),
    *cycle(
        *("double_support", "s", "Time with both feet on the ground during a stride.", "lower", (-2, 2)),
        *("double_supp",),
        asymmetry=4,
    ),
    *cycle(
        *("single_support", "s", "Time with one foot on the ground, the other swinging.", None, (-1.6, 2.5)),
        *("single_limb_supp",),
        asymmetry=4,
    ),
    *cycle(
        *("stance", "s", "Time for which a foot stays on the ground.", "lower", (0, 1.6), "stance"), asymmetry=1.6
    ),
    *cycle(
        *("swing", "s", "Time for which a foot is in the air.", None, (-1.6, 2.25), "swing"), asymmetry=4
    ),
    *cycle(
        *("step_length", "m", "Way from one foot's contact to the other's, from the rise of the trunk.", "higher"),
        *((0, 1.9), "step_len"),
        asymmetry=1.9,
        ratio=True,
    ),
    *cycle(
        *("stride_length", "m", "Way from a foot's contact to its next, from the rise of the trunk.", "higher"),
        *((0, 3.8), "stride_len"),
        asymmetry=3.8,
        ratio=True,
    ),
    *cycle(
        *("gait_speed", "m/s", "Length of a stride over its duration.", "higher", (0, 6), "gait_speed"), score="mean"
    ),
)
"""The 26 measures of a gait cycle, each in four selections of bouts."""

CYCLE_COLUMNS = tuple(dict.fromkeys(measure.quantity for measure in CYCLES))

STEPS = (
    *in_bouts(
        Measure(
            "step_count", "1", "How many steps were seen as part of a regular gait.", None, (0, 20000), evidence=DEL_DIN
        ),
        "gp_{bouts}-sc",
    ),
    *in_bouts(
        Measure(
            *("step_power", "m2/s3", "Variation of the acceleration's size that goes into a step.", None, (0, 1e3)),
            *((*CENTRE_AND_RANGE, "p95"),),
            evidence=CHENG,
        ),
        "gp_{bouts}-sp-{statistic}",
    ),
    *in_bouts(
        Measure(
            *("step_root_mean", "1", "Square root of the acceleration's mean size in m/s2, gravity included.", None),
            *((0, 20), CENTRE_AND_RANGE),
        ),
        "gp_{bouts}-si-{statistic}",
    ),
    *in_bouts(
        Measure(
            *("step_intensity", "m/s2", "Root mean square of the acceleration's size about its mean.", None, (0, 50)),
            *(CENTRE_AND_RANGE,),
            evidence=ANGELINI,
        )
    ),
    *in_bouts(
        Measure(
            *("step_regularity", "1", "How alike a step is to the next: 1 where they are equal.", "higher", (-1, 1)),
            *(CENTRE_AND_RANGE,),
            evidence=f"{MOE_NILSSEN}; {ANGELINI}",
        ),
        "gp_{bouts}-step_regularity-{statistic}",
    ),
    *in_bouts(
        Measure(
            *("stride_regularity", "1", "How alike a stride is to the next: 1 where they are equal.", "higher"),
            *((-1, 1), CENTRE_AND_RANGE),
            evidence=f"{MOE_NILSSEN}; {ANGELINI}",
        ),
        "gp_{bouts}-stride_regularity-{statistic}",
    ),
    *in_bouts(
        Measure("lee_step_count", "1", "How many peaks of the upward acceleration are steps.", None, (0, 20000)),
        *("lee_{bouts}-sc", (SIX,)),
    ),
    *in_bouts(
        Measure(
            *("lee_step_power", "[g]2.s", "Variation of the upward acceleration that goes into a step.", None, (0, 5)),
            evidence=f"{LEE}; {CHENG}",
        ),
        *("lee_{bouts}-sp", (SIX,)),
    ),
    *in_bouts(
        Measure(
            *("lee_step_duration", "s", "Time from one peak of the upward acceleration to the next.", "lower"),
            *((0.05, 400), CENTRE_AND_RANGE),
            evidence=LEE,
        ),
        *("lee_{bouts}-step_dur-{statistic}", (SIX,)),
    ),
    *in_bouts(
        Measure(
            *("pelvis_rotation", "rad", "Rotation of the pelvis from one peak to the next.", None, (0, 200)),
            *(CENTRE_AND_RANGE, (SENSE,)),
            evidence=LEE_HIP,
        ),
        *("lee_{bouts}-hr_{sense}-{statistic}", (SIX,)),
    ),
)

SPECTRUM = (
    *named(
        Measure("tremor_energy", "1", "Power from 2 to 5 Hz, weighted by frequency.", None, (0, 1e3), by=(SENSOR, AXIS)),
        "{sensor}_ps_ene_{axis}",
    ),
    *named(
        Measure("peak_frequency", "Hz", "Frequency of the strongest movement.", None, (0, 25), by=(SENSOR, AXIS)),
        "{sensor}_ps_peak_{axis}",
    ),
    *named(
        Measure(
            *("spectral_entropy", "bit", "How evenly the movement spreads over all frequencies.", None, (0, 8)),
            by=(SENSOR, AXIS),
        ),
        "{sensor}_ps_ent_{axis}",
    ),
    *named(
        Measure(
            *("peak_power", "1", "Power at the frequency of the strongest movement.", None, (0, 1e3)),
            by=(SENSOR, AXIS),
        ),
        "{sensor}_ps_amp_{axis}",
    ),
    *named(
        Measure(
            *("spectral_norm", "1", "Largest singular value of the signal: grows with its size and duration.", None),
            plausible=(0, 1e4),
            by=(SENSOR,),
        ),
        "{sensor}_sig_ene",
    ),
)
"""Of the accelerometer in powers of g, of the gyroscope in powers of rad/s."""

DISTANCE = Measure(
    *("distance", "m", "Distance walked in the test, by satellite, poor positions left out.", "higher", (0, 5000)),
    evidence=WALKED,
)
OVERALL = (
    replace(DISTANCE, by=(PROTOCOL.only(SIX, TWO),), score=True),
    replace(DISTANCE, by=(PROTOCOL.only(FREE),), plausible=(0, 1e5)),
    *named(
        Measure(
            *("stride_variability", "%", "By how much strides differ in duration, relative to it.", "lower", (0, 60)),
            score=True,
            evidence=BOURKE,
        )
    ),
    *named(
        Measure(
            *("double_support_share", "%", "Part of a stride with both feet on the ground.", "lower", (0, 70)),
            score=True,
            evidence=f"{DEL_DIN}; {BOURKE}",
        )
    ),
    *named(
        Measure("path_length", "m", "Length of the way through all positions recorded.", "higher", (0, 1e5)),
        *("distance_walked", (SIX,)),
    ),
    *named(
        Measure("position_speed", "m/s", "Mean of the speeds from each position to the next.", "higher", (0, 10)),
        *("walking_speed_non_stop-mean", (SIX,)),
    ),
    *named(
        Measure("distance_by_steps", "m", "Steps times a usual length of step for the height.", "higher", (0, 20000)),
        "distance_walked_sc_hbsl",
    ),
    *named(
        Measure("time_not_walking", "%", "Part of the time without straight walking.", "lower", (0, 100)),
        "perc_not_walking",
    ),
    *named(
        Measure("time_not_moving", "%", "Part of the time without movement.", "lower", (0, 100)), "perc_not_moving"
    ),
    *named(
        Measure("large_turn_rate", "/min", "Turns of more than 60 degrees a minute.", None, (0, 60)),
        "large_turns_per_min",
    ),
)

MEASURES = (*OVERALL, *CYCLES, *STEPS, *SPECTRUM)


def deviation(code: str, effect: Effect, message: str, dispel: str) -> Rule:
    """Declare a rule on what the patient did, with the library's name of it."""
    return Rule(code, behavioural, effect, message, {"dispel": f"6mwt-behavioral-deviation-{dispel}"})


QUALITY = (
    *motion_rules("6mwt", slow=invalid),
    Rule("no_gyroscope", technical, limited, "The phone did not measure rotation: turns could not be left out."),
    Rule("no_position", technical, noted, "The phone did not record where you walked. Please allow it to."),
    Rule("poor_position", technical, noted, "The phone could not tell well where you walked. Please walk outdoors."),
    Rule("height_assumed", technical, noted, "Your height is not known, so lengths of steps are approximate."),
    Rule("too_short", behavioural, limited, "The walk was too short. Please walk until the phone tells you to stop."),
    Rule("no_walking", behavioural, invalid, "No straight walking was seen. Please wear the phone on your belt and walk."),
    deviation(
        *("off_belt", limited, "The phone was not on your belt all the time. Please fasten it well."),
        "non_belt_greater_than_10_perc",
    ),
    deviation(
        *("mostly_off_belt", invalid, "The phone was not sideways on your belt. Please wear it there."),
        "non_belt_greater_than_50_perc",
    ),
    deviation(
        *("pauses", limited, "You stood still for a while. Please walk all the time if you can."),
        "non_movement_greater_than_10_perc",
    ),
    deviation(
        *("mostly_still", invalid, "You stood still for more than half of the time. Please repeat the walk."),
        "non_movement_greater_than_50_perc",
    ),
    deviation(
        *("many_turns", limited, "You turned often. Please choose a longer straight way."),
        "number_of_turns_per_min_greater_than_3",
    ),
    deviation(
        *("too_many_turns", limited, "You turned very often. Please choose a longer straight way."),
        "number_of_turns_per_min_greater_than_5",
    ),
    deviation(
        *("not_straight", limited, "You did not walk straight on all the time. Please choose a longer straight way."),
        "non_rectilinear_on_belt_walking_greater_than_10_perc",
    ),
    deviation(
        *("mostly_not_straight", invalid, "You walked straight on for less than half of the time. Please repeat."),
        "non_rectilinear_on_belt_walking_greater_than_50_perc",
    ),
)


@assessment(
    "walk",
    version=1,
    title="Walking",
    domain="gait",
    inputs=(ACCELEROMETER, USER_ACCELERATION, GRAVITY, replace(GYROSCOPE, optional=True), GPS, INSTRUCTIONS),
    measures=MEASURES,
    quality=QUALITY,
    source="Konectom six-minute walk test (6MWT) and two-minute walk test (2MWT)",
)
def extract(recording: Recording, out: Outcome) -> None:
    """Walk with the phone in landscape on a belt, for six or two minutes or freely: how far, how fast, how evenly."""
    part = recording.parts[-1]
    told = part.condition.get("protocol")
    out.flag("condition_unknown", when=told not in PROTOCOL.levels, condition="protocol", told=told)
    protocol = told if told in PROTOCOL.levels else FREE
    walk, here = walk_of(part), out.at(protocol=protocol)
    judge_motion(walk.moved, out)
    write_path(part.streams.get("gps"), walk, here)
    if len(walk.user) < 2:
        here.rest_absent("too_few_values")
        return
    judge(walk, protocol, here)
    write_gait(walk, CYCLE_COLUMNS, height_m(part, out), here)
    write_steps(walk, here)
    write_spectrum("accelerometer", walk.user, here)
    write_spectrum("gyroscope", walk.rotation, here)
    here.rest_absent("too_few_values")


def height_m(part: Part, out: Outcome) -> float:
    """Return the patient's height as answered, or a usual one."""
    told = part.answers.get("height_m")
    known = isinstance(told, int | float) and HEIGHT_M[0] <= told <= HEIGHT_M[1]
    out.flag("height_assumed", when=not known, height_m=USUAL_HEIGHT_M)
    return float(told) if known and told is not None else USUAL_HEIGHT_M


def judge(walk: Walk, protocol: str, out: Outcome) -> None:
    """Write how much of the time was walking; flag a walk that was too short, off the belt, or not straight."""
    lasting_s = len(walk.user) / walk.user.rate_hz
    out.flag("too_short", when=lasting_s < LEAST_DONE * PLANNED_S[protocol], duration_s=round(lasting_s, 1))
    out.flag("no_gyroscope", when=not len(walk.rotation))
    write_shares(walk, out)
    out.flag("no_walking", when=walk.walking.longest() is None)
    where = walk.placed[1]
    off = float((where != "belt").mean()) if where.size else 1.0
    seen = ", ".join(sorted(set(where[where != "belt"].tolist())))
    for code, most in zip(("off_belt", "mostly_off_belt"), OFF_BELT, strict=True):
        out.flag(code, when=off > most, share=round(off, 3), placements=seen)
    straight = (
        ("large_turn_rate", ("many_turns", "too_many_turns"), TURNS_PER_MIN),
        ("time_not_walking", ("not_straight", "mostly_not_straight"), NOT_WALKING),
    )
    # Shorter walks are made where there is room for them, and their start is a larger part of them.
    asked = (("time_not_moving", ("pauses", "mostly_still"), STILL), *(straight if protocol == SIX else ()))
    for quantity, codes, limits in asked:
        value = out.statistic(quantity, "")
        for code, most in zip(codes, limits, strict=True):
            out.flag(code, when=value >= most, **{quantity: round(value, 2)})
