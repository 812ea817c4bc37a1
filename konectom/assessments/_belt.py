"""What the tests share that are done with the phone in landscape on a belt: inputs, and when the motion counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from konectom.assessments.base import Effect, Outcome, Rule, events, invalid, motion, technical
from konectom.recording import Part, Stream
from konectom.signals.inertial import Motion
from konectom.signals.orientation import STEP_S, placements
from konectom.signals.resample import REFERENCE_RATE_HZ
from konectom.signals.timebase import longest_gap_s, median_rate_hz

ACCELEROMETER = motion(
    "accelerometer",
    "m/s2",
    instead=("user_acceleration", "gravity"),
    means="Total acceleration; not needed where the phone tells user acceleration and gravity apart.",
)
USER_ACCELERATION = motion("user_acceleration", "m/s2", optional=True, means="Acceleration without gravity.")
GRAVITY = motion("gravity", "m/s2", optional=True, means="Gravity as the phone estimates it.")
GYROSCOPE = motion("gyroscope", "rad/s", means="Rotation, freed of bias where the phone does so.")
INSTRUCTIONS = events(
    "instruction",
    (),  # only when they were spoken matters
    optional=True,
    means="Spoken instructions; sent only where the streams run through them, before the test itself.",
)

MOTION = tuple(wanted.name for wanted in (ACCELEROMETER, USER_ACCELERATION, GRAVITY, GYROSCOPE))

LOWEST_RATE_HZ = 40.0
LONGEST_GAP_S = 2.0
GRAVITY_G = (0.8, 1.2)


def motion_rules(task: str, slow: Effect) -> tuple[Rule, Rule, Rule]:
    """Return the rules on how well a task's motion was measured; ``slow`` is the effect of a low sampling rate."""
    return (
        Rule(
            "slow_sampling",
            technical,
            slow,
            "The phone measured your movement too rarely. Please close other apps, turn off power saving and repeat.",
            aliases={"dispel": f"{task}-technical-invalidation-freq_low_40hz"},
        ),
        Rule(
            "gap",
            technical,
            invalid,
            "The phone stopped measuring for a while. Please repeat the test and leave the app open.",
            aliases={"dispel": f"{task}-technical-invalidation-max_time_inc_greater_than_2_sec"},
        ),
        Rule(
            "no_gravity",
            technical,
            invalid,
            "The phone could not tell which way is down. Please restart it and repeat the test.",
        ),
    )


def judge_motion(moved: Motion, out: Outcome) -> None:
    """Flag no motion at all, a low sampling rate, long gaps, and what is called gravity but is not one g long."""
    out.flag("no_data", when=not len(moved))
    rate_hz, gap_s = median_rate_hz(moved.t_s), longest_gap_s(moved.t_s)
    out.flag("slow_sampling", when=rate_hz <= LOWEST_RATE_HZ, rate_hz=round(rate_hz, 2))
    out.flag("gap", when=gap_s >= LONGEST_GAP_S, gap_s=round(gap_s, 3))
    if len(moved):
        gravity_g = float(np.median(np.linalg.norm(moved.gravity_g, axis=1)))
        out.flag("no_gravity", when=not GRAVITY_G[0] <= gravity_g <= GRAVITY_G[1], gravity_g=round(gravity_g, 4))


def samples_of(part: Part) -> int:
    """Return how many samples the fullest of a part's streams of motion has."""
    return max((len(part.streams[name]) for name in MOTION if name in part.streams), default=0)


def cut(part: Part, window: Callable[[Stream], Stream]) -> dict[str, Stream]:
    """Return the part's streams of motion, each cut to the test."""
    return {name: window(part.streams[name]) for name in MOTION if name in part.streams}


def places(moved: Motion) -> NDArray[np.str_]:
    """Return where the phone was in each 0.1 s from the first sample on."""
    even = moved.even(np.hstack([moved.gravity_g, moved.user_g]), REFERENCE_RATE_HZ)
    return placements(even.values[:, :3], even.values[:, 3:], REFERENCE_RATE_HZ)


def judge_placement(
    code: str, where: NDArray[np.str_], out: Outcome, *, from_s: float = 0.0, to_s: float = np.inf, most: float = 0.0
) -> None:
    """Flag ``code`` if the phone was off the belt for more than a share of the time between two instants."""
    within = where[round(from_s / STEP_S) : None if np.isinf(to_s) else max(1, round(to_s / STEP_S))]
    if within.size:
        off = within != "belt"
        seen = ", ".join(sorted(set(within[off].tolist())))
        out.flag(code, when=off.mean() > most, share=round(float(off.mean()), 3), placements=seen)
