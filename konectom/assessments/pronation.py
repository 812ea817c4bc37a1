"""Pronation and supination: turn the outstretched forearm to and fro, as far and as fast as possible, with each hand.

What each part of the recording carries:

* condition: ``hand`` (left, right).
* stream ``gyroscope``: the phone lies in the hand so that the forearm's axis is its z. A positive rotation is
  pronation of the right hand and supination of the left.

The last seven seconds of a part count; what comes before them is the start. A *movement* is the rotation between two
reversals, if it exceeds 30 degrees. A *cycle* is one to and fro; the first and the last movement, which start and end
in other postures, belong to none.

Source: the published definitions of Konectom (DISPEL 0.0.3, generic/tasks/ps), written afresh. Deviations: what the
library calls the decrement of speed is one of rotation, and is named so; the decrement of speed stands beside it. The
library gives the movement power of both hands one name; here that of the left, which the app records last, carries
the alias. At most the last minute of a part is looked at.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from konectom.assessments._outcome import Outcome
from konectom.assessments._parts import parts_by_condition
from konectom.assessments.base import (
    Condition,
    Measure,
    Rule,
    assessment,
    behavioural,
    invalid,
    limited,
    motion,
    technical,
)
from konectom.recording import FloatArray, Part, Recording
from konectom.signals.filters import low_pass
from konectom.signals.resample import REFERENCE_RATE_HZ, bin_means
from konectom.signals.statistics import LEAST_VALUES, describe
from konectom.signals.swings import Swings, find_swings
from konectom.signals.timebase import last_seconds, longest_gap_s, median_rate_hz, samples

GYROSCOPE = motion("gyroscope", "rad/s", means="Rotation of the phone in the hand, freed of bias where it does so.")

HAND = Condition("hand", ("left", "right"), means="The hand that held the phone.")
MOVEMENT = Condition(
    "movement", ("pronation", "supination", "both"), {"dispel": ("pro", "sup", "prosup")}, "The sense of the movement."
)

ACTIVE_S, LONGEST_S = 7.0, 60.0
LEAST_RAD = float(np.radians(30))
MOVEMENT_HZ, POWER_HZ = 10.0, 4.0

SIZE = ("mean", "median", "npcv")
UPDRS = "MDS-UPDRS item 3.6 rates speed, amplitude, halts and loss of amplitude: Goetz et al. 2008, 10.1002/mds.22340"


def told(quantity: str, unit: str, means: str, better: Literal["higher", "lower"], dispel: str = "") -> Measure:
    """Declare a measure of each hand, with the library's name of it."""
    aliases = {"dispel": dispel} if dispel else {}
    return Measure(quantity, unit, means, better, by=(HAND,), aliases=aliases, evidence=UPDRS)


MOVEMENTS = told("movements", "1", "Movements of more than 30 degrees in the last 7 seconds.", "higher", "ps-{hand}-ec")
ROTATION = told(
    *("rotation", "deg", "How far the forearm turns in a movement.", "higher"),
    "ps-{hand}_{movement}-abs_rotation-{statistic}",
)
SPEED = told(
    *("rotation_speed", "deg/s", "Mean speed within a movement.", "higher"),
    "ps-{hand}_{movement}-abs_rotation_speed-{statistic}",
)
CYCLE_ROTATION = told(
    *("cycle_rotation", "deg", "How far the forearm turns in one to and fro.", "higher"), "ps-{hand}-amp-{statistic}"
)
CYCLE_DURATION = told(*("cycle_duration", "s", "How long one to and fro takes.", "lower"), "ps-{hand}-dur-{statistic}")
IRREGULARITY = told("rhythm_irregularity", "1", "Coefficient of variation of the duration of cycles.", "lower")
CYCLE_DECREMENT = told(
    *("cycle_rotation_decrement", "deg", "Median rotation of the first quarter of cycles minus that of the last."),
    *("lower", "ps-{hand}-amp_simple_dec"),
)
ROTATION_DECREMENT = told(
    *("rotation_decrement", "deg", "Median rotation of the first quarter of movements minus that of the last."),
    *("lower", "ps-{hand}-speed_simple_dec"),
)
SPEED_DECREMENT = told(
    *("speed_decrement", "deg/s", "Median speed of the first quarter of movements minus that of the last.", "lower")
)
POWER = told(
    *("movement_power", "rad2/s2", "Mean square of the rotation slower than 4 Hz, over the whole part.", "higher"),
    "ps-ts_mvmt_power-mean",
)
ONE_WAY, BOTH_WAYS = MOVEMENT.only("pronation", "supination"), MOVEMENT.only("both")

MEASURES = (
    replace(MOVEMENTS, plausible=(0, 100), score=True),
    replace(ROTATION, plausible=(30, 400), statistics=SIZE, by=(HAND, MOVEMENT)),
    replace(SPEED, plausible=(5, 3000), statistics=SIZE, by=(HAND, ONE_WAY)),
    replace(SPEED, plausible=(5, 3000), statistics=SIZE, by=(HAND, BOTH_WAYS), score=("median",)),
    replace(CYCLE_ROTATION, plausible=(60, 800), statistics=SIZE, score=("median",)),
    replace(CYCLE_DURATION, plausible=(0.08, 7), statistics=("mean",)),
    replace(IRREGULARITY, plausible=(0, 3), score=True),
    replace(CYCLE_DECREMENT, plausible=(-500, 500), score=True),
    replace(ROTATION_DECREMENT, plausible=(-300, 300)),
    replace(SPEED_DECREMENT, plausible=(-2000, 2000)),
    replace(POWER, plausible=(0, 1500), by=(HAND.only("left"),)),
    replace(POWER, plausible=(0, 1500), by=(HAND.only("right"),), aliases={}),
)

# The library judges nothing here; these limits are our own, set where undisturbed tests do not come.
FEWEST_MOVEMENTS, LONGEST_HALT_S = 4, 1.5
LEAST_ABOUT_AXIS = 0.5
LOWEST_RATE_HZ, LONGEST_GAP_S, LEAST_COVERED_S = 40.0, 0.5, 6.0

QUALITY = (
    Rule(
        "too_few_movements",
        behavioural,
        invalid,
        "The phone was hardly turned. Please turn your hand to and fro, as far and as fast as you can.",
    ),
    Rule(
        "halt",
        behavioural,
        limited,
        "You paused during the test. Please keep turning your hand until the phone tells you to stop.",
    ),
    Rule(
        "other_axis",
        behavioural,
        limited,
        "The phone was not turned as asked. Please hold it as the picture shows and turn your forearm.",
    ),
    Rule(
        "slow_sampling",
        technical,
        limited,
        "The phone measured your movement too rarely. Please close other apps, turn off power saving and repeat.",
    ),
    Rule(
        "gap",
        technical,
        limited,
        "The phone stopped measuring for a moment. Please repeat the test and leave the app open.",
    ),
    Rule("too_short", technical, limited, "The test was shorter than it should be. Please repeat it to the end."),
    Rule("hand_missing", technical, limited, "Only one hand was recorded. Please do the test with each hand."),
)


@assessment(
    "pronation",
    version=1,
    title="Pronation and supination",
    domain="upper limb",
    inputs=(GYROSCOPE,),
    measures=MEASURES,
    quality=QUALITY,
    source="Konectom pronation-supination test (PS); DISPEL 0.0.3 (MIT), generic/tasks/ps.py",
)
def extract(recording: Recording, out: Outcome) -> None:
    """Turn the outstretched forearm to and fro, as far and as fast as possible, for 7 s with each hand."""
    parts = parts_by_condition(recording, out, lambda _: (HAND,), size=lambda part: len(part.streams["gyroscope"]))
    hands = [(where, part) for where, part in parts if where]
    for where, part in hands:
        _of_hand(part, out.at(**where), where["hand"])
    out.flag("hand_missing", when=len(hands) < 2)


def _of_hand(part: Part, out: Outcome, hand: str) -> None:
    t_s, rotation_radps = samples(last_seconds(part.streams["gyroscope"], LONGEST_S))
    end_s = part.end_s
    if end_s is None or (t_s.size and abs(end_s - t_s[-1]) > LONGEST_S):
        end_s = float(t_s[-1]) if t_s.size else 0.0
    _judge_measurement(t_s, rotation_radps, end_s, out)
    even = bin_means(t_s, rotation_radps, REFERENCE_RATE_HZ)
    about_axis = even.values[:, 2]
    filtered = low_pass(about_axis, MOVEMENT_HZ, 3, even.rate_hz)
    found = find_swings(float(even.t_s[:1].sum()), filtered, even.rate_hz, LEAST_RAD)
    movements = found.ending_after(end_s - ACTIVE_S)
    _judge_movements(movements, end_s, out)
    _write_movements(movements, out, hand)
    _write_cycles(movements, out)
    slow = low_pass(about_axis, POWER_HZ, 3, even.rate_hz)
    out("movement_power", np.mean(slow**2) if slow.size else np.nan)


def _write_movements(movements: Swings, out: Outcome, hand: str) -> None:
    out("movements", len(movements))
    rotation, speed = np.degrees(np.abs(movements.angle_rad)), np.degrees(movements.speed_radps)
    pronating = (movements.angle_rad > 0) == (hand == "right")
    for movement, rows in (("pronation", pronating), ("supination", ~pronating), ("both", np.ones_like(pronating))):
        out("rotation", rotation[rows], movement=movement)
        out("rotation_speed", speed[rows], movement=movement)
    _write_decrement("rotation_decrement", rotation, out)
    _write_decrement("speed_decrement", speed, out)


def _write_cycles(movements: Swings, out: Outcome) -> None:
    angle_rad, duration_s = movements.cycles()
    out("cycle_rotation", np.degrees(angle_rad))
    out("cycle_duration", duration_s)
    _write_decrement("cycle_rotation_decrement", np.degrees(angle_rad), out)
    if duration_s.size < LEAST_VALUES["cv"]:
        out.absent("rhythm_irregularity", "too_few_values")
    else:
        out("rhythm_irregularity", describe(duration_s, ("cv",))[0])


def _write_decrement(quantity: str, values: FloatArray, out: Outcome) -> None:
    """Write the median of the first quarter of the values minus that of the last."""
    quarter = values.size // 4
    if quarter:
        out(quantity, np.median(values[:quarter]) - np.median(values[-quarter:]))
    else:
        out.absent(quantity, "too_few_values")


def _judge_movements(movements: Swings, end_s: float, out: Outcome) -> None:
    out.flag("too_few_movements", when=len(movements) < FEWEST_MOVEMENTS, movements=len(movements))
    if len(movements):
        # Before the first and after the last movement too nothing was done.
        begins_s, ends_s = np.append(movements.begin_s, end_s), np.insert(movements.end_s, 0, end_s - ACTIVE_S)
        halt_s = float((begins_s - ends_s).max())
        out.flag("halt", when=halt_s > LONGEST_HALT_S, longest_s=round(halt_s, 3))


def _judge_measurement(t_s: FloatArray, rotation_radps: FloatArray, end_s: float, out: Outcome) -> None:
    """Flag what the phone measured too rarely, with gaps, for too short, or about another axis."""
    active = t_s > end_s - ACTIVE_S
    t_s, rotation_radps = t_s[active], rotation_radps[active]
    rate_hz, gap_s = median_rate_hz(t_s), longest_gap_s(t_s)
    out.flag("slow_sampling", when=rate_hz < LOWEST_RATE_HZ, rate_hz=round(rate_hz, 2))
    out.flag("gap", when=gap_s > LONGEST_GAP_S, gap_s=round(gap_s, 3))
    covered_s = float(np.ptp(t_s)) if t_s.size else 0.0
    out.flag("too_short", when=covered_s < LEAST_COVERED_S, covered_s=round(covered_s, 2))
    power = (rotation_radps**2).sum(axis=0)
    if power.sum() > t_s.size:  # slower than 1 rad/s there is no axis to speak of
        share = float(power[2] / power.sum())
        out.flag("other_axis", when=share < LEAST_ABOUT_AXIS, share=round(share, 3))
