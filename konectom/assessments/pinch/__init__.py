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

from konectom.assessments._pressure import NO_PRESSURE, with_sensed_pressure
from konectom.assessments._tremor import write_tremor
from konectom.assessments.base import (
    Input,
    Outcome,
    Rule,
    assessment,
    behavioural,
    clinician,
    events,
    limited,
    motion,
    noted,
    parts_by_condition,
    technical,
)
from konectom.assessments.pinch._hand import Hand
from konectom.assessments.pinch._judge import judge
from konectom.assessments.pinch._measures import HAND, MEASURES
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
    "bubble", ("x", "y", "radius", "size", "burst_at_s"), texts=("size",), means="When, where and how large."
)
ACCELEROMETER = motion("accelerometer", "m/s2", optional=True, means="Total acceleration.")
USER_ACCELERATION = motion("user_acceleration", "m/s2", optional=True, means="Acceleration without gravity.")
GRAVITY = motion("gravity", "m/s2", optional=True, means="Gravity as the phone estimates it.")
GYROSCOPE = motion("gyroscope", "rad/s", optional=True, means="Rotation.")

QUALITY = (
    Rule(
        "no_attempts",
        technical,
        limited,
        "For some bubbles no pinch was seen. Please pinch with two fingers.",
        aliases={"dispel": "pinch-technical-deviation-ma"},
    ),
    Rule(
        "hand_missing",
        technical,
        noted,
        "Only one hand was recorded. Please use both hands in turn if you can.",
        aliases={"dispel": "pinch-technical-deviation-1hand"},
    ),
    Rule(
        "not_upright",
        behavioural,
        limited,
        "Please hold the phone upright in front of you, without turning it.",
        aliases={"dispel": "pinch-behavioral-deviation-upmo"},
    ),
    Rule("none_burst", behavioural, limited, "No bubble burst. Please put two fingers around it and close them on it."),
    Rule("one_finger", behavioural, limited, "Often not two fingers touched. Please use thumb and one finger only."),
    Rule("long_pause", behavioural, limited, "For some seconds you did not pinch. Please repeat it without a pause."),
    Rule("wrong_duration", technical, limited, "The test was shorter or longer than it should be. Please repeat it."),
    Rule("touch_incomplete", technical, noted, "Some touches were recorded only in part.", to=clinician),
    Rule("position_unit_unknown", technical, noted, "How long a unit of the screen is was not told.", to=clinician),
    Rule(
        "radius_unknown", technical, noted, "How large the bubbles were is not told, or cannot be right.", to=clinician
    ),
    NO_PRESSURE,
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
    recording = with_sensed_pressure(recording, out)
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
