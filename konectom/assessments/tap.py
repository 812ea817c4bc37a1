"""Finger tapping: tap two buttons in turn, as fast as possible, for 20 seconds with each hand.

What each part of the recording carries:

* condition: ``hand`` (left, right; or dominant, non_dominant where the app tells no more).
* event ``tap``, at the time ``t`` at which the app noticed it: ``zone``, the button that was hit (left, right; none
  beside them).
* stream ``touch``, optional: when each finger went ``down`` and ``up``. It dates the taps better and tells how long
  they last. Without it the taps are dated by their events.

A tap is *valid* if it hits a button, and not the same one as the last tap on a button.

Source: the published definitions of Konectom (DISPEL 0.0.3, generic/tasks/ft and bdh/tasks/ft.py), written afresh.
Deviations: a finger seen only once is a tap like any other, where the library refuses the whole recording.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from konectom.assessments.base import (
    CENTRE_AND_RANGE,
    Condition,
    Input,
    Measure,
    Outcome,
    Rule,
    assessment,
    behavioural,
    clinician,
    events,
    find,
    limited,
    noted,
    parts_by_condition,
    technical,
)
from konectom.recording import Part, Recording
from konectom.signals.responses import BoolArray, longest_equal_run
from konectom.signals.statistics import LEAST_VALUES, describe
from konectom.signals.timebase import nearest
from konectom.signals.touches import Touches, split_touches

TAPS = events("tap", ("zone",), texts=("zone",), means="Each tap that the app noticed, and the button that it hit.")
TOUCHES = Input("touch", ("phase",), optional=True, texts=("phase",), means="When each finger went down and up.")

HAND = Condition(
    "hand",
    ("left", "right", "dominant", "non_dominant"),
    aliases={"dispel": ("left", "right", "domhand", "nondomhand")},
    means="The hand that tapped.",
)
BUTTON = Condition("button", ("left_button", "right_button"), aliases={"dispel": ("leftzone", "rightzone")})
ZONES = {"left_button": "left", "right_button": "right"}

SPREAD = (*CENTRE_AND_RANGE, "iqr")
VALID = "Taps on a button other than the one hit before."
OVERLAP = "Share of the time of valid taps that passed before the last one had ended."
BETWEEN_VALID = "Time from one valid tap to the next."
BETWEEN_ALL = "Time from one tap to the next, on whatever was hit."
IRREGULAR = "Coefficient of variation of the time between valid taps."
SLOWING = "Median time between valid taps late in the test (last third of them) minus early (first third)."

IN_TURN = (
    "PLoS One 2016, doi:10.1371/journal.pone.0158852 (57 people with Parkinson's disease, 87 without: right taps on two"
    " targets in turn, for 10 s, followed the motor score); Navarro-Lopez et al. 2024, Brain Sci 14:407 (13 people with"
    " MS: taps on one target agreed on repetition)."
)
VALID_TAPS = Measure("valid_taps", "1", VALID, better="higher", plausible=(0, 250), evidence=IN_TURN)

MEASURES = (
    replace(VALID_TAPS, plausible=(0, 500), score=True, aliases={"dispel": "ft-valtap"}),
    replace(VALID_TAPS, by=(HAND,), score=True, aliases={"dispel": "ft-{hand}-valtap"}),
    replace(VALID_TAPS, by=(HAND, BUTTON), aliases={"dispel": "ft-{hand}_{button}-valtap"}),
    Measure(
        "valid_tap_interval",
        "s",
        BETWEEN_VALID,
        better="lower",
        plausible=(0, 20),
        statistics=SPREAD,
        by=(HAND,),
        score=("median",),
        aliases={"dispel": "ft-{hand}-valid_tap_inter-{statistic}"},
        evidence="Definition: DISPEL 0.0.3 (MIT), generic/tasks/ft: the inverse of how many valid taps there are.",
    ),
    Measure(
        "irregularity",
        "1",
        IRREGULAR,
        better="lower",
        plausible=(0, 5),
        by=(HAND,),
        score=True,
        evidence="konectom's own definition; mhealthtools (Sage Bionetworks) has the same ratio over all taps.",
    ),
    Measure("slowing", "s", SLOWING, better="lower", plausible=(-5, 5), by=(HAND,)),
    Measure(
        "taps",
        "1",
        "All taps, on whatever was hit.",
        plausible=(0, 500),
        by=(HAND,),
        aliases={"dispel": "ft-{hand}-total_tap"},
    ),
    Measure(
        "tap_interval",
        "s",
        BETWEEN_ALL,
        better="lower",
        plausible=(0, 20),
        statistics=SPREAD,
        by=(HAND,),
        aliases={"dispel": "ft-{hand}-tap_inter-{statistic}"},
    ),
    Measure(
        "off_target_share", "%", "Taps beside the buttons among all.", better="lower", plausible=(0, 100), by=(HAND,)
    ),
    Measure(
        "contact_time", "s", "How long the finger stays on the screen.", plausible=(0, 5), statistics=SPREAD, by=(HAND,)
    ),
    Measure(
        "double_tap_share",
        "%",
        OVERLAP,
        better="lower",
        plausible=(0, 100),
        by=(HAND,),
        aliases={"dispel": "ft-{hand}-double_tap_percentage"},
    ),
)

# The first three limits are the published ones; the others are our own, set where undisturbed tests do not come.
LONGEST_PAUSE_S, LONGEST_RUN, FEWEST_VALID = 5.0, 7, 21
DUE_S, MOST_OFF_DUE = 20.0, 0.1
MOST_OVERLAPPING, MOST_OFF_TARGET = 0.1, 0.25
FASTEST_S, MOST_IRREGULAR = 0.05, 1.0

QUALITY = (
    Rule(
        "tapping_pause",
        behavioural,
        limited,
        "For some seconds you did not tap. Please repeat it without a pause.",
        aliases={"dispel": "ft-behavioral-deviation-tapping_pause"},
    ),
    Rule(
        "one_sided_tapping",
        behavioural,
        limited,
        "The same button was hit many times in a row. Please alternate.",
        aliases={"dispel": "ft-behavioral-deviation-one_sided_tapping"},
    ),
    Rule(
        "too_few_taps",
        behavioural,
        limited,
        "Few taps hit the two buttons in turn. Please tap left and right in turn, without stopping.",
        aliases={"dispel": "ft-behavioral-deviation-invalid_min_n_taps"},
    ),
    Rule(
        "several_fingers",
        behavioural,
        limited,
        "Several fingers touched at once. Please tap with one finger at a time.",
    ),
    Rule("off_target", behavioural, limited, "Many taps missed the buttons. Please aim at the buttons."),
    Rule(
        "too_fast",
        behavioural,
        limited,
        "Taps came faster than a finger can tap. Please tap with one finger at a time.",
    ),
    Rule("uneven", behavioural, noted, "The rhythm was very uneven.", to=clinician),
    Rule("wrong_duration", technical, limited, "The test was shorter or longer than it should be. Please repeat it."),
    Rule("hand_missing", technical, noted, "Only one hand was recorded. Please use both hands in turn if you can."),
)


@dataclass(frozen=True, slots=True, eq=False)
class Taps:
    """n taps in order of time: the contact (its end is NaN where touches are missing) and what it hit."""

    contact: Touches
    zone: NDArray[np.str_]
    valid: BoolArray
    off_target: BoolArray


@assessment(
    "tap",
    version=1,
    title="Finger tapping",
    domain="upper limb",
    inputs=(TAPS, TOUCHES),
    measures=MEASURES,
    quality=QUALITY,
    source="DISPEL 0.0.3 (MIT), generic/tasks/ft and bdh/tasks/ft.py",
)
def extract(recording: Recording, out: Outcome) -> None:
    """Tap two buttons in turn, as fast as possible, for 20 s with each hand."""
    parts = parts_by_condition(recording, out, lambda _: (HAND,), size=lambda part: len(part.events["tap"]))
    hands = [(where, part, _taps(part)) for where, part in parts if where]
    for where, part, taps in hands:
        _write(taps, out.at(**where))
        _judge(taps, part, out, where)
    out.flag("hand_missing", when=len(hands) < 2)
    if hands:
        out("valid_taps", sum(np.count_nonzero(taps.valid) for _, _, taps in hands))
    else:
        out.absent("valid_taps", "condition_not_recorded")


def _taps(part: Part) -> Taps:
    """Return the taps: each touch with what the app noticed it to hit, or else what the app noticed alone."""
    noticed, touched = part.events["tap"], find(part, TOUCHES)
    noticed_s, first = np.unique(noticed.t_s, return_index=True)
    zone = noticed["zone"][first]
    contact = split_touches(touched) if touched is not None else Touches(noticed_s[:0], noticed_s[:0])
    if not len(contact):
        contact = Touches(noticed_s, np.full(noticed_s.size, np.nan))
    elif len(contact) != noticed_s.size:
        zone = zone[nearest(noticed_s, contact.begin_s)]
    # Two fingers that come down at the same instant count once.
    apart = np.diff(contact.begin_s, prepend=-np.inf) > 0
    contact, zone = contact.where(apart), zone[apart]
    off_target = ~np.isin(zone, list(ZONES.values()))
    on_button = np.flatnonzero(~off_target)
    changed = np.ones(on_button.size, dtype=np.bool_)
    changed[1:] = zone[on_button[1:]] != zone[on_button[:-1]]
    valid = np.zeros(zone.size, dtype=np.bool_)
    valid[on_button[changed]] = True
    return Taps(contact, zone, valid, off_target)


def _write(taps: Taps, out: Outcome) -> None:
    valid, contact = taps.contact.where(taps.valid), taps.contact
    out("valid_taps", len(valid))
    for button, zone in ZONES.items():
        out("valid_taps", np.count_nonzero(taps.zone[taps.valid] == zone), button=button)
    out("taps", len(contact))
    out("off_target_share", 100.0 * taps.off_target.mean())
    out("tap_interval", contact.intervals())
    between_s = valid.intervals()
    out("valid_tap_interval", between_s)
    third = between_s.size // 3
    if third:
        out("slowing", np.median(between_s[-third:]) - np.median(between_s[:third]))
    else:
        out.absent("slowing", "too_few_values")
    if between_s.size < LEAST_VALUES["cv"]:
        out.absent("irregularity", "too_few_values")
    else:
        out("irregularity", describe(between_s, ("cv",))[0])
    if np.isnan(contact.end_s).any():
        out.absent("contact_time", "input_missing")
        out.absent("double_tap_share", "input_missing")
    else:
        out("contact_time", contact.duration_s)
        overlap_s, total_s = valid.begin_s[1:] - valid.end_s[:-1], valid.duration_s.sum()
        # Two decimals, as published.
        out("double_tap_share", round(100.0 * -overlap_s[overlap_s < 0].sum() / total_s, 2) if total_s else np.nan)


def _judge(taps: Taps, part: Part, out: Outcome, where: dict[str, str]) -> None:
    contact, valid = taps.contact, taps.contact.where(taps.valid)
    between_s, count = contact.intervals(), np.count_nonzero(taps.valid)
    longest_s, median_s = (describe(between_s, ("max", "median"))).tolist()
    out.flag("tapping_pause", when=longest_s >= LONGEST_PAUSE_S, longest_s=longest_s, **where)
    run = longest_equal_run(taps.zone)
    out.flag("one_sided_tapping", when=run >= LONGEST_RUN, longest_run=run, **where)
    out.flag("too_few_taps", when=count < FEWEST_VALID, valid_taps=count, **where)
    overlapping = contact.overlapping().mean()
    out.flag("several_fingers", when=overlapping > MOST_OVERLAPPING, share=overlapping, **where)
    beside = taps.off_target.mean()
    out.flag("off_target", when=beside > MOST_OFF_TARGET, share=beside, **where)
    out.flag("too_fast", when=median_s < FASTEST_S, median_interval_s=median_s, **where)
    (uneven,) = describe(valid.intervals(), ("cv",))
    out.flag("uneven", when=uneven > MOST_IRREGULAR, irregularity=uneven, **where)
    off = part.duration_s is not None and abs(part.duration_s - DUE_S) > MOST_OFF_DUE * DUE_S
    out.flag("wrong_duration", when=off, lasted_s=part.duration_s, due_s=DUE_S, **where)
