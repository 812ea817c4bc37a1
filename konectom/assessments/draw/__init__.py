"""Drawing: trace a square clockwise and counter-clockwise, an infinity and a spiral, twice with each hand.

What each part of the recording carries:

* condition: ``hand`` (left, right), ``shape`` (square_clockwise, square_counter_clockwise, infinity, spiral) and
  ``attempt`` (first, second).
* stream ``touch``: the finger from its first touch to its last, y downwards. Positions in px or mm become points by the
  screen's size; where that is not told, all that is measured in points is absent.
* event ``target``, optional: the figure (x, y) as points numbered by ``point`` in the order in which they are to be
  drawn, in the unit of the touches. Without it, all that compares with the figure is absent.
* event ``finish``, optional: when the figure's end was reached; an app that tells so sends no such event otherwise.
* streams ``user_acceleration`` or ``accelerometer``, and ``gyroscope``, optional: the hand's tremor; ``gravity`` or
  ``accelerometer``: how the phone was held.
* answer ``clock_utc_s``, optional: the time of day at which the recording's clock starts, on which the grid of 60 Hz
  stands. Without it the grid stands on that start.

A drawing counts if the finger was put down where the figure begins and stayed on the screen to where it ends.

Source: the published definitions of Konectom (DISPEL 0.0.3, generic/tasks/draw), written afresh. Deviations: corners,
and what is inside, are those of the figure, not fixed places on one phone's screen; crossings are sought wherever the
curves are, at any screen size; a spiral that never crosses its figure has 0 crossings, not 1. Own additions: smoothness
of the speed, and tremor and error across a spiral.
"""

from __future__ import annotations

from konectom.assessments._pressure import NO_PRESSURE, with_sensed_pressure
from konectom.assessments._tremor import MOTION_INPUTS
from konectom.assessments.base import (
    Outcome,
    Rule,
    assessment,
    behavioural,
    clinician,
    limited,
    motion,
    noted,
    parts_by_condition,
    technical,
)
from konectom.assessments.draw._measures import ATTEMPT, HAND, MEASURES, SHAPE
from konectom.assessments.draw._quality import judge, judge_hands
from konectom.assessments.draw._trace import TARGET, TOUCHES, traces
from konectom.assessments.draw._write import write, write_hand, write_overall
from konectom.recording import Recording

GRAVITY = motion("gravity", "m/s2", optional=True, means="Gravity, for how the phone was held.")

T, B = "draw-technical-deviation-", "draw-behavioral-deviation-"
QUALITY = (
    Rule(
        "incomplete",
        technical,
        limited,
        "A figure was not drawn to its end. Please trace each one to its end.",
        {"dispel": f"{T}complete_drawing"},
    ),
    Rule(
        "off_screen",
        technical,
        limited,
        "The finger was seen beside the screen. Please update the app.",
        {"dispel": f"{T}draw_creatable_shape"},
    ),
    Rule(
        "path_missed",
        technical,
        limited,
        "A drawing did not go from mark to mark. Please begin and end on them.",
        {"dispel": f"{T}val_user_path"},
    ),
    Rule(
        "lifted",
        behavioural,
        limited,
        "The finger was lifted. Please draw each figure in one go.",
        {"dispel": f"{B}continuous_drawing"},
    ),
    Rule(
        "overshoot",
        technical,
        limited,
        "A drawing went on past the mark. Please stop where the figure ends.",
        {"dispel": f"{T}excessive_overshoot_removal"},
    ),
    Rule(
        "opposite_direction",
        behavioural,
        limited,
        "The loop was drawn the wrong way. Please follow the arrow.",
        {"dispel": f"{B}opp_direction"},
    ),
    Rule(
        "wrong_length",
        behavioural,
        limited,
        "A drawing was too short or too long. Please trace the figure.",
        {"dispel": f"{B}dist_thresh"},
    ),
    Rule(
        "not_upright",
        behavioural,
        limited,
        "The phone was tilted. Please hold it upright while you draw.",
        {"dispel": f"{B}upmo"},
    ),
    Rule(
        "hand_missing",
        technical,
        limited,
        "Only one hand was recorded. Please do the test with each hand.",
        {"dispel": f"{T}1hand"},
    ),
    Rule("figure_unknown", technical, limited, "The app did not say which figure to trace. Please update the app."),
    Rule("screen_unknown", technical, limited, "The app did not say how large the screen is. Please update the app."),
    Rule("slow_sampling", technical, limited, "The phone followed the finger too slowly. Please close other apps."),
    Rule("paused", behavioural, noted, "The finger stood still for some seconds.", to=clinician),
    NO_PRESSURE,
)


@assessment(
    "draw",
    version=1,
    title="Drawing",
    domain="upper limb",
    inputs=(TOUCHES, TARGET, *MOTION_INPUTS, GRAVITY),
    measures=MEASURES,
    quality=QUALITY,
    source="DISPEL 0.0.3 (MIT), generic/tasks/draw",
)
def extract(recording: Recording, out: Outcome) -> None:
    """Trace two squares, an infinity and a spiral with each hand."""
    recording = with_sensed_pressure(recording, out)
    conditions = (HAND, SHAPE, ATTEMPT)
    parts = parts_by_condition(recording, out, lambda _: conditions, size=lambda part: len(part.streams["touch"]))
    drawings = traces([(where, part) for where, part in parts if len(where) == len(conditions)], recording.device)
    for trace in drawings:
        judge(trace, out)
        write(trace, out.at(**trace.where))
    judge_hands(drawings, out)
    for hand in HAND.levels:
        held = [trace for trace in drawings if trace.where["hand"] == hand]
        if held:
            write_hand(held, out.at(hand=hand))
    write_overall(drawings, out)
    out.rest_absent("condition_not_recorded")
