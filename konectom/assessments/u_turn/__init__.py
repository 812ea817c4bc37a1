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
    samples_of,
)
from konectom.assessments.base import (
    Outcome,
    Rule,
    assessment,
    behavioural,
    fullest_part,
    invalid,
    limited,
)
from konectom.assessments.u_turn._measures import MEASURES
from konectom.assessments.u_turn._write import write_lee_steps, write_steps, write_turns
from konectom.recording import Part, Recording, Stream
from konectom.signals.filters import detrend, low_pass
from konectom.signals.inertial import Motion, motion
from konectom.signals.resample import Even
from konectom.signals.timebase import first_seconds, since
from konectom.signals.turns import Turn, find_turns, join_u_turns

INSTRUCTIONS_BEFORE = 2
INSTRUCTED_S, LONGEST_S = 120.0, 300.0
PLANNED_TURNS, FEWEST_TURNS = 5, 4
TURNING_HZ, TRUNK_HZ = 1.5, 5.0

QUALITY = (
    *motion_rules("utt", slow=limited),
    Rule(
        "off_belt",
        behavioural,
        limited,
        "The phone was not on your belt all the time. Please fasten it well.",
        aliases={"dispel": "utt-behavioral-deviation-non_belt_greater_than_10_perc"},
    ),
    Rule(
        "mostly_off_belt",
        behavioural,
        invalid,
        "The phone was not sideways on your belt. Please wear it there.",
        aliases={"dispel": "utt-behavioral-deviation-non_belt_greater_than_30_perc"},
    ),
    Rule(
        "no_turns",
        behavioural,
        invalid,
        "No turn was seen. Please walk to and fro and turn around five times.",
        aliases={"dispel": "utt-behavioral-deviation-no_turns_detected"},
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
    streams = streams_of_test(fullest_part(recording, out, samples_of))
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


def judge_where_worn(turns: list[Turn], yaw: Even, moved: Motion, out: Outcome) -> None:
    """Flag a phone off the belt up to the end of the fifth turn, or of the last."""
    last = turns[:PLANNED_TURNS][-1].last if turns else len(yaw) - 1
    where, end_s = places(moved), float(yaw.t_s[last] - moved.t_s[0])
    judge_placement("off_belt", where, out, to_s=end_s, most=0.1)
    judge_placement("mostly_off_belt", where, out, to_s=end_s, most=0.3)
