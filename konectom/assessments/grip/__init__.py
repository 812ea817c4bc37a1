"""Grip: press the thumb on the screen so that a ball stays on a target, eight targets of 6 s with each hand.

What each part of the recording carries:

* condition: ``hand`` (left, right).
* stream ``touch``: where the thumb is and its ``pressure``, in the phone's own units. Phones tell it when it changes.
* event ``target`` for each of the eight: the ``pressure`` asked for, from ``t`` on until ``ends_at``.
* optional: ``user_acceleration`` or ``accelerometer``, and ``gyroscope``, for tremor.

The four different targets are called low to very high. Under each the pressure is looked at in four windows: the
*plateau*, which is found in the pressure itself, or the target's middle four or two seconds or all but its first.

Source: the published definitions of Konectom (DISPEL 0.0.3, ads/tasks/grip.py), written afresh. Deviations: a hand
with fewer than eight targets is measured and flagged, not left out; a target that was never reached leaves the times
to and from it absent, where the library fails. Kept as published: the last 0.4 s of the last plateau count as a
pressure of 1, since no look-ahead covers them; our scores use the windows told by the clock instead.
"""

from __future__ import annotations

from dataclasses import replace

from konectom.assessments._tremor import MOTION_INPUTS, tremor_measures
from konectom.assessments.base import (
    CENTRE_AND_RANGE,
    Condition,
    Input,
    Measure,
    Outcome,
    Rule,
    assessment,
    behavioural,
    events,
    invalid,
    limited,
    noted,
    parts_by_condition,
    technical,
)
from konectom.assessments.grip._hand import measure
from konectom.assessments.grip._pressure import TARGETS, TRANSITIONS, WINDOWS
from konectom.recording import Recording

THUMB = Input("touch", ("x", "y", "pressure"), means="Where the thumb is and how hard it presses.")
TARGET = events("target", ("pressure", "ends_at_s"), means="Each pressure asked for, and until when.")

HAND = Condition("hand", ("left", "right"), means="The hand whose thumb pressed.")
LEVEL = Condition("target", TARGETS, means="The pressure asked for, among the four that are.")
WINDOW = Condition(
    "window", WINDOWS, aliases={"dispel": ("", "s4m", "s2m", "s5l")}, means="The samples that count under each target."
)
CHANGE = Condition("change", TRANSITIONS, means="From which target to which.")
SIDE = Condition("side", ("x", "y"), aliases={"dispel": ("xpos", "ypos")}, means="Direction on the screen.")

LIBRARY = "Definition: DISPEL 0.0.3 (MIT), ads/tasks/grip.py"

ERROR = Measure(
    "pressure_error",
    "1",
    "Root mean square of pressure minus target, in the phone's units.",
    better="lower",
    plausible=(0, 10),
    by=(HAND, WINDOW),
    aliases={"dispel": "grip-{hand}_{window}-pressure-rmse"},
)
APPLIED = Measure(
    "applied_force",
    "1",
    "Pressure over target.",
    plausible=(0, 10),
    by=(HAND, WINDOW),
    statistics=(*CENTRE_AND_RANGE, "cv", "p90"),
    aliases={"dispel": "grip-{hand}_{window}-applied_force-{statistic}"},
)

DIFFERENCE = Measure(
    "applied_force_difference",
    "1",
    "Mean applied force on high and on very high targets, how far apart.",
    better="lower",
    plausible=(0, 10),
    by=(HAND, WINDOW),
    aliases={"dispel": "grip-{hand}_high_very_high_{window}-maf_diff"},
)
REACTION = Measure(
    "reaction_time",
    "s",
    "From a new target to the end of the plateau on the last.",
    better="lower",
    plausible=(0, 48),
    by=(HAND,),
    statistics=CENTRE_AND_RANGE,
    score=("mean",),
    evidence=f"{LIBRARY}.",
    aliases={"dispel": "grip-{hand}-rt-{statistic}"},
)
TRANSITION = Measure(
    "transition_time",
    "s",
    "From the end of a plateau to the begin of the next.",
    better="lower",
    plausible=(0, 48),
    by=(HAND,),
    statistics=CENTRE_AND_RANGE,
    score=("median",),
    evidence=f"{LIBRARY}, for each change of target; of all changes together: konectom's own.",
)
OVERSHOOT = Measure(
    "overshoot",
    "1",
    "How far the pressure goes beyond the next target, below it where that is lower.",
    plausible=(-10, 10),
    by=(HAND,),
    statistics=CENTRE_AND_RANGE,
    aliases={"dispel": "grip-{hand}-pressure_overshoot-{statistic}"},
)
THUMB_POSITION = Measure(
    "thumb_position",
    "1",
    "Position of the thumb on the screen.",
    better="lower",
    plausible=(0, 5),
    by=(HAND, SIDE),
    statistics=("cv",),
    aliases={"dispel": "grip-{hand}_{side}-{statistic}"},
)
RELATIVE_ERROR = Measure(
    "relative_error",
    "1",
    "Root mean square of pressure over target minus 1, in the middle four seconds.",
    better="lower",
    plausible=(0, 5),
    by=(HAND,),
    score=True,
    evidence="konectom's own definition, so that phones of different pressure units can be compared.",
)
UNSTEADINESS = Measure(
    "unsteadiness",
    "1",
    "Coefficient of variation of pressure in a target's middle four seconds, mean.",
    better="lower",
    plausible=(0, 2),
    by=(HAND,),
    score=True,
    evidence="konectom's own definition: how steady a pressure is held, apart from how near to the target.",
)

MEASURES = (
    RELATIVE_ERROR,
    UNSTEADINESS,
    ERROR,
    replace(ERROR, by=(HAND, LEVEL, WINDOW), aliases={"dispel": "grip-{hand}_{target}_{window}-pressure-rmse"}),
    APPLIED,
    replace(
        APPLIED,
        by=(HAND, LEVEL, WINDOW),
        aliases={"dispel": "grip-{hand}_{target}_{window}-applied_force-{statistic}"},
    ),
    DIFFERENCE,
    REACTION,
    TRANSITION,
    replace(
        TRANSITION,
        by=(HAND, CHANGE),
        statistics=("mean",),
        score=False,
        aliases={"dispel": "grip-{hand}_{change}-tt-{statistic}"},
    ),
    OVERSHOOT,
    THUMB_POSITION,
    *tremor_measures("grip-{hand}", (HAND,)),
)

QUALITY = (
    Rule(
        "no_pressure",
        technical,
        invalid,
        "This phone did not sense how hard you pressed. Please do this test on a phone that does.",
    ),
    Rule(
        "too_few_targets",
        technical,
        limited,
        "Not all eight targets were recorded. Please repeat the test to its end.",
    ),
    Rule("hand_missing", technical, noted, "Only one hand was recorded. Please use both hands in turn if you can."),
    Rule(
        "thumb_lifted",
        behavioural,
        limited,
        "Your thumb left the screen. Please keep it on the button until the phone tells you to stop.",
    ),
    Rule(
        "off_target",
        behavioural,
        limited,
        "The ball was far from the target for much of the time. Please keep it on the target.",
    ),
)


@assessment(
    "grip",
    version=1,
    title="Grip (thumb pressure)",
    domain="upper limb",
    inputs=(THUMB, TARGET, *MOTION_INPUTS),
    measures=MEASURES,
    quality=QUALITY,
    source="Konectom grip force test (GRIP); DISPEL 0.0.3 (MIT), ads/tasks/grip.py",
)
def extract(recording: Recording, out: Outcome) -> None:
    """Press the thumb on the screen so that a ball stays on a target, eight targets with each hand."""
    parts = parts_by_condition(recording, out, lambda _: (HAND,), size=lambda part: len(part.streams["touch"]))
    hands = [(where, part) for where, part in parts if where]
    for where, part in hands:
        measure(part, out.at(**where))
    out.flag("hand_missing", when=len(hands) < 2)
