"""When a test of balance counts."""

from __future__ import annotations

from konectom.assessments._belt import judge_placement, motion_rules, places
from konectom.assessments.base import Effect, Outcome, Rule, behavioural, invalid, limited
from konectom.recording import FloatArray
from konectom.signals import sway
from konectom.signals.inertial import Motion

SETTLING_S = 5.0
LEAST_QUIET = 0.8


def deviation(code: str, effect: Effect, message: str, dispel: str = "") -> Rule:
    """Declare a rule on what the patient did, with the library's name of it."""
    return Rule(code, behavioural, effect, message, aliases={"dispel": f"sbt-behavioral-{dispel}"} if dispel else {})


QUALITY = (
    *motion_rules("sbt", slow=invalid),
    deviation("too_short", limited, "The test was too short. Please stand still until the phone tells you to stop."),
    deviation(
        "off_belt",
        limited,
        "The phone was not on your belt all the time. Please fasten it before you start.",
        "deviation-non_belt_greater_than_0_perc",
    ),
    deviation(
        "off_belt_after_5_s",
        invalid,
        "The phone was not sideways on your belt. Please wear it there and repeat.",
        "invalidation-non_belt_post_adjustment_greater_than_0_perc",
    ),
    deviation(
        "excessive_motion",
        limited,
        "There was a large movement. Please repeat the test and stand still.",
        "deviation-excessive_motion",
    ),
    deviation(
        "excessive_motion_after_5_s",
        limited,
        "You moved a lot after the start. Please repeat and stand still.",
        "deviation-excessive_post_adjustment_motion",
    ),
    deviation(
        "sway_too_short",
        limited,
        "You stood still for too little of the time. Please repeat, next to a wall.",
        "deviation-sway_too_short",
    ),
)


def judge_where_worn(moved: Motion, out: Outcome) -> None:
    """Flag a phone off the belt."""
    where = places(moved)
    judge_placement("off_belt", where, out)
    judge_placement("off_belt_after_5_s", where, out, from_s=SETTLING_S)


def judge_stillness(plane_g: FloatArray, rate_hz: float, out: Outcome) -> None:
    """Write the share of quiet stance, and flag movement that is none."""
    restless = sway.restless(plane_g, rate_hz)
    quiet = round(1.0 - float(restless.mean()), 2)
    out("quiet_share", quiet)
    out.flag("excessive_motion", when=restless.any(), share=round(float(restless.mean()), 3))
    later = restless[round(SETTLING_S * rate_hz) :]
    if later.any():
        out.flag("excessive_motion_after_5_s", share=round(float(later.mean()), 3))
    out.flag("sway_too_short", when=quiet < LEAST_QUIET, share=quiet)
