"""Static balance: stand still for 30 seconds, the phone in landscape on a belt.

What is followed is the sway of the trunk as horizontal acceleration, in milli-g. The first five seconds, in which the
posture settles, are told apart from the rest.

What the recording carries: ``accelerometer``, or ``user_acceleration`` and ``gravity``. Where it also carries
``instruction`` events the streams run through the spoken instructions, and the test is their last 30 seconds.

Source: the published definitions of Konectom (DISPEL 0.0.3, generic/tasks/sbt_utt), written afresh. Deviations: the
rates of sway are per second of exact duration (the library's, per whole second, stands beside them); what it calls
energy is named a spectral norm; a rate of 60 or 200 Hz is analysed at 50 Hz; motion is excessive by its distance from
the median jerk, and flagged in the window in which it was. Own additions: root mean square, 95 % prediction ellipse,
mean frequency and jerk.
"""

from __future__ import annotations

from konectom.assessments._belt import (
    ACCELEROMETER,
    GRAVITY,
    INSTRUCTIONS,
    USER_ACCELERATION,
    cut,
    judge_motion,
    samples_of,
)
from konectom.assessments.balance._measures import MEASURES, SETTLED, SETTLING, WHOLE
from konectom.assessments.balance._quality import QUALITY, SETTLING_S, judge_stillness, judge_where_worn
from konectom.assessments.balance._write import write_spectrum, write_sway
from konectom.assessments.base import Outcome, assessment, fullest_part
from konectom.recording import Part, Recording
from konectom.signals.filters import detrend, high_pass, smooth
from konectom.signals.inertial import Motion, motion
from konectom.signals.timebase import first_seconds, last_seconds

PLANNED_S = 30.0
LONGEST_S = 300.0
SHORTEST_S = 20.0
BREATHING_HZ = 0.3


@assessment(
    "balance",
    version=1,
    title="Static balance",
    domain="balance",
    inputs=(ACCELEROMETER, USER_ACCELERATION, GRAVITY, INSTRUCTIONS),
    measures=MEASURES,
    quality=QUALITY,
    source="Konectom static balance test (SBT)",
)
def extract(recording: Recording, out: Outcome) -> None:
    """Stand still for 30 seconds with the phone in landscape on a belt: how much the trunk sways."""
    moved = test_of(fullest_part(recording, out, samples_of))
    judge_motion(moved, out)
    upright = moved.upright()
    if len(upright) < 2:
        out.rest_absent("too_few_values" if len(upright) else "no_data")
        return
    duration_s = len(upright) / upright.rate_hz
    out.flag("too_short", when=duration_s < SHORTEST_S, duration_s=round(duration_s, 1))
    judge_where_worn(moved, out)
    steady_g = detrend(upright.values)
    write_spectrum(steady_g, upright.rate_hz, out)
    # Smoothed against the sensor's noise, freed of breathing (Martinez-Mendez et al. 2012).
    sway_g = high_pass(smooth(steady_g), BREATHING_HZ, 2, upright.rate_hz)
    plane_g = sway_g[:, 1:]
    judge_stillness(plane_g, upright.rate_hz, out)
    settled = round(SETTLING_S * upright.rate_hz)
    for window, part in ((SETTLING, plane_g[:settled]), (SETTLED, plane_g[settled:]), (WHOLE, plane_g)):
        write_sway(window, part, upright.rate_hz, out)
    out.rest_absent("too_few_values")


def test_of(part: Part) -> Motion:
    """Return the motion of the test itself."""
    if len(part.events.get("instruction", ())):
        return motion(cut(part, lambda stream: last_seconds(stream, PLANNED_S)))
    return motion(cut(part, lambda stream: first_seconds(stream, LONGEST_S)))
