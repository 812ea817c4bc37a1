"""When one hand's part of the test counts."""

from __future__ import annotations

import numpy as np

from konectom.assessments._outcome import Outcome
from konectom.assessments.pinch._hand import SIZES, Hand
from konectom.recording import FloatArray
from konectom.signals.inertial import motion

LEAST_UPRIGHT = 0.7
MOST_ONE_FINGER = 0.5
LONGEST_PAUSE_S = 8.0
DUE_S, MOST_OFF_DUE = 30.0, 0.2


def judge(hand: Hand, out: Outcome) -> None:
    """Raise what a hand's part of the test shows; all limits but that on holding the phone upright are our own."""
    told = {"hand": hand.name}
    judge_attempts(hand, out, told)
    judge_hold(hand, out, told)
    lasted_s = hand.part.duration_s
    off_due = lasted_s is not None and abs(lasted_s - DUE_S) > MOST_OFF_DUE * DUE_S
    out.flag("wrong_duration", when=off_due, lasted_s=lasted_s, due_s=DUE_S, **told)
    out.flag("position_unit_unknown", when=not np.isfinite(hand.points), **told)
    unknown = np.count_nonzero(~np.isfinite(hand.bubbles.radius))
    out.flag("radius_unknown", when=unknown > 0, bubbles=unknown, **told)


def judge_attempts(hand: Hand, out: Outcome, told: dict[str, str]) -> None:
    """Raise what the attempts show."""
    bubbles, tried = hand.bubbles, hand.tried
    touched = np.bincount(hand.size[hand.attempts.bubble] + 1, minlength=len(SIZES) + 1)[1:]
    for number, word in enumerate(SIZES):
        due = (hand.size == number) & bubbles.ended
        out.flag("no_attempts", when=due.any() and not touched[number], size=word, **told)
    out.flag("none_burst", when=not tried.successful.any(), attempts=len(tried), **told)
    gestures = tried.single + len(tried)
    share = tried.single / gestures if gestures else 0.0
    out.flag("one_finger", when=share > MOST_ONE_FINGER, share=round(share, 3), **told)
    begin_s = np.sort(np.concatenate([tried.path.touches.begin_s, bubbles.appeared_s[:1]]))
    pause_s = np.diff(begin_s).max(initial=0.0)
    out.flag("long_pause", when=pause_s > LONGEST_PAUSE_S, longest_s=round(float(pause_s), 3), **told)
    out.flag("touch_incomplete", when=tried.incomplete > 0, bubbles=tried.incomplete, **told)


def judge_hold(hand: Hand, out: Outcome, told: dict[str, str]) -> None:
    """Raise a phone that was not held upright while bubbles were shown."""
    held = motion(hand.part.streams)
    _, gravity_g = hand.while_shown(held.t_s, held.gravity_g)
    if len(gravity_g):
        share = max(upright_share(gravity_g), upright_share(-gravity_g))
        out.flag("not_upright", when=share < LEAST_UPRIGHT, share=round(share, 3), **told)


def upright_share(gravity_g: FloatArray) -> float:
    """Return the share of samples (n, 3) of gravity in a phone held upright: within 20 degrees sideways, leaning
    back as far as it will and forwards by 10 degrees. Gravity points down; the phone's y up, its z to the viewer.
    """
    x, y, z = gravity_g.T
    side, forward = np.sin(np.radians([20.0, 10.0]))
    return float(((y <= 0) & (np.abs(x) <= side) & (z <= forward) & (z >= -1.0)).mean())
