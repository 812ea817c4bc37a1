"""What is measured of U-turns."""

from __future__ import annotations

from dataclasses import replace

from konectom.assessments.base import CENTRE_AND_RANGE, Condition, Measure

ALL = "all"
SOME = {"first_5": slice(5), "first_4": slice(4), "second_to_fourth": slice(1, 4)}
TURNS = Condition(
    "turns", (ALL, *SOME), aliases={"dispel": ("all", "first5", "first4", "2to4")}, means="Which turns are counted."
)
ABOUT = Condition(
    "about", ("vertical", "any_axis"), aliases={"dispel": ("x", "norm")}, means="Axis about which the trunk rotates."
)
SENSE = Condition(
    "sense",
    ("positive", "negative"),
    aliases={"dispel": ("pos", "neg")},
    means="Positive is to the left where the phone reports gravity downwards (iOS), else to the right.",
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
    return Measure(
        quantity,
        unit,
        means,
        plausible=plausible,
        statistics=statistics,
        by=by,
        aliases={"dispel": dispel},
        evidence=LEE,
    )


TURN_SPEED = Measure(
    "turn_speed",
    "rad/s",
    "Speed of a U-turn: its angle over its duration.",
    better="higher",
    plausible=(0.1, 6),
    statistics=CENTRE_AND_RANGE,
    evidence=f"{EL_GOHARY}; {SPEED_IN_MS}",
)
TURN_DURATION = Measure(
    "turn_duration",
    "s",
    "How long a U-turn took.",
    better="lower",
    plausible=(0.5, 15),
    statistics=CENTRE_AND_RANGE,
    evidence=f"{EL_GOHARY}; {DURATION_IN_MS}",
)
TURN_ANGLE = Measure(
    "turn_angle",
    "rad",
    "By how much the trunk turned in a U-turn.",
    plausible=(1.5, 7),
    statistics=CENTRE_AND_RANGE,
    evidence=EL_GOHARY,
)
TURN_COUNT = Measure("turn_count", "1", "How many U-turns were made.", plausible=(0, 60), evidence=EL_GOHARY)
ROTATION = Measure(
    "rotation",
    "rad/s",
    "Mean speed at which the trunk rotated during a U-turn.",
    better="higher",
    plausible=(0.05, 8),
    statistics=CENTRE_AND_RANGE,
    by=(ABOUT,),
)
FAST_ROTATION = Measure(
    "fast_rotation",
    "rad/s",
    "Speed of the trunk's rotation exceeded in 5 % of a U-turn.",
    better="higher",
    plausible=(0.1, 15),
    statistics=CENTRE_AND_RANGE,
    by=(ABOUT,),
)

MEASURES = (
    *of_turns(TURN_SPEED, "ts-{statistic}", score=("median",)),
    *of_turns(TURN_DURATION, "dur-{statistic}", score=("median",)),
    *of_turns(TURN_ANGLE),
    *of_turns(TURN_COUNT, "turns"),
    *of_turns(ROTATION, "mean_abs_turn_speed_{about}-{statistic}"),
    *of_turns(FAST_ROTATION, "q95_abs_turn_speed_{about}-{statistic}"),
    Measure(
        "cadence",
        "/min",
        "Steps per minute, turns included and pauses left out.",
        better="higher",
        plausible=(30, 180),
        score=True,
        evidence="konectom's own method, checked on 36 walks of the Oxford step counter data set (2 % of steps).",
    ),
    Measure("step_count", "1", "How many steps were made.", plausible=(0, 1000)),
    # Steps by the method of Lee et al., which may take two for one: for comparison with others.
    by_lee("lee_step_count", "1", "Steps found by the method of Lee.", plausible=(0, 1000), dispel="utt-lee_nb-sc"),
    by_lee(
        "lee_step_rate", "/s", "Steps found by the method of Lee, per second.", plausible=(0, 5), dispel="utt-lee-ws"
    ),
    by_lee(
        "lee_step_duration",
        "s",
        "Time between steps found by the method of Lee.",
        plausible=(0.02, 60),
        dispel="utt-lee_nb-step_dur-{statistic}",
        statistics=CENTRE_AND_RANGE,
    ),
    by_lee(
        "lee_step_power",
        "[g]2.s",
        "Variation of the vertical acceleration for each step found.",
        plausible=(0, 5),
        dispel="utt-lee_nb-sp",
    ),
    by_lee(
        "pelvis_rotation",
        "rad",
        "Rotation of the pelvis between steps found by the method of Lee.",
        plausible=(0, 20),
        dispel="utt-lee_nb-hr_{sense}-{statistic}",
        statistics=CENTRE_AND_RANGE,
        by=(SENSE,),
    ),
)
