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
    samples_of,
)
from konectom.assessments.base import (
    Effect,
    Input,
    Outcome,
    Rule,
    assessment,
    behavioural,
    clinician,
    fullest_part,
    invalid,
    limited,
    noted,
    technical,
)
from konectom.assessments.walk._conditions import FREE, PROTOCOL, SIX, TWO
from konectom.assessments.walk._cycles import CYCLE_COLUMNS
from konectom.assessments.walk._measures import MEASURES
from konectom.assessments.walk._recorded import Walk, walk_of
from konectom.assessments.walk._write import write_gait, write_lee_steps, write_path, write_shares, write_spectrum
from konectom.recording import Part, Recording

PLANNED_S = {SIX: 360.0, TWO: 120.0, FREE: 30.0}
LEAST_DONE = 0.9
USUAL_HEIGHT_M = 1.7
HEIGHT_M = (0.5, 2.5)
OFF_BELT, STILL, NOT_WALKING = (0.1, 0.5), (10.0, 50.0), (10.0, 50.0)
TURNS_PER_MIN = (3.0, 5.0)

GPS = Input("gps", ("x", "y"), "m", optional=True, means="Position on the ground, in metres east and north.")


def deviation(code: str, effect: Effect, message: str, dispel: str) -> Rule:
    """Declare a rule on what the patient did, with the library's name of it."""
    return Rule(code, behavioural, effect, message, aliases={"dispel": f"6mwt-behavioral-deviation-{dispel}"})


QUALITY = (
    *motion_rules("6mwt", slow=invalid),
    Rule("no_gyroscope", technical, limited, "Rotation was not measured: turns could not be left out.", to=clinician),
    Rule("no_position", technical, noted, "The phone did not record where you walked. Please allow it to."),
    Rule("poor_position", technical, noted, "The phone could not tell well where you walked. Please walk outdoors."),
    Rule(
        "height_assumed", technical, noted, "The height is not known: lengths of steps are approximate.", to=clinician
    ),
    Rule("too_short", behavioural, limited, "The walk was too short. Please walk until the phone tells you to stop."),
    Rule(
        "no_walking", behavioural, invalid, "No straight walking was seen. Please wear the phone on your belt and walk."
    ),
    deviation(
        "off_belt",
        limited,
        "The phone was not on your belt all the time. Please fasten it well.",
        "non_belt_greater_than_10_perc",
    ),
    deviation(
        "mostly_off_belt",
        invalid,
        "The phone was not sideways on your belt. Please wear it there.",
        "non_belt_greater_than_50_perc",
    ),
    deviation(
        "pauses",
        limited,
        "You stood still for a while. Please walk all the time if you can.",
        "non_movement_greater_than_10_perc",
    ),
    deviation(
        "mostly_still",
        invalid,
        "You stood still for more than half of the time. Please repeat the walk.",
        "non_movement_greater_than_50_perc",
    ),
    deviation(
        "many_turns",
        limited,
        "You turned often. Please choose a longer straight way.",
        "number_of_turns_per_min_greater_than_3",
    ),
    deviation(
        "too_many_turns",
        limited,
        "You turned very often. Please choose a longer straight way.",
        "number_of_turns_per_min_greater_than_5",
    ),
    deviation(
        "not_straight",
        limited,
        "You did not walk straight on all the time. Please choose a longer straight way.",
        "non_rectilinear_on_belt_walking_greater_than_10_perc",
    ),
    deviation(
        "mostly_not_straight",
        invalid,
        "You walked straight on for less than half of the time. Please repeat.",
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
    part = fullest_part(recording, out, samples_of)
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
    if protocol == SIX:
        write_lee_steps(walk, here)
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
