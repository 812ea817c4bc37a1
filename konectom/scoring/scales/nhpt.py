"""9HPT, the Nine-Hole Peg Test: two trials with each hand.

A hand's time is the mean of its trials; the test's time is the mean of both hands. For the MSFC the mean of the hands'
reciprocals counts (1/s), in which a hand that cannot do the test counts next to nothing (1/777 s, by the manual).

A trial ends at 300 seconds: longer times are refused. A hand that cannot do it is entered as ``left_unable`` or
``right_unable``; then there is no mean time of both hands, but a mean reciprocal. One trial of a hand counts alone.

Source: MSFC Administration and Scoring Manual, revised 2001 (National Multiple Sclerosis Society); 777 s as in a
published script of the EPIC cohort that follows it.
"""

from __future__ import annotations

from konectom.scoring.scales._units import SECONDS
from konectom.scoring.scales.base import Component, Given, Notice, Outcome, Quantity, scale

UNABLE_S = 777.0
POSSIBLE_S, PLAUSIBLE_S = (5.0, 300.0), (10.0, 180.0)
HANDS = ("left", "right")
EVIDENCE = "A change by 20 % is beyond day-to-day variation (Schwid et al. 2002, Neurology 58:1294-1296)."


def mean_reciprocal(hands_s: tuple[float | None, float | None]) -> float:
    """Return the mean of both hands' reciprocals in 1/s; None stands for a hand that cannot do the test."""
    return sum(1.0 / (UNABLE_S if hand_s is None else hand_s) for hand_s in hands_s) / len(hands_s)


def _trials(hand: str) -> tuple[str, str]:
    return f"{hand}_trial_1", f"{hand}_trial_2"


def _time(name: str, means: str) -> Quantity:
    return Quantity(name, "s", means, better="lower", plausible=PLAUSIBLE_S, evidence=EVIDENCE)


@scale(
    "nhpt",
    title="Nine-Hole Peg Test (9HPT)",
    domain="performance",
    components=(
        *(
            Component(name, f"Time of a trial, {hand} hand.", units=SECONDS, possible=POSSIBLE_S, plausible=PLAUSIBLE_S)
            for hand in HANDS
            for name in _trials(hand)
        ),
        *(Component(f"{hand}_unable", f"The {hand} hand cannot do the test.", "yes_no") for hand in HANDS),
        Component("dominant_hand", "The hand that the patient prefers.", "choice", choices=HANDS),
    ),
    quantities=(
        _time("left", "Mean time of the left hand's trials."),
        _time("right", "Mean time of the right hand's trials."),
        _time("dominant", "Time of the preferred hand."),
        _time("non_dominant", "Time of the other hand."),
        _time("mean", "Mean time of both hands."),
        Quantity(
            "mean_reciprocal",
            "1/s",
            "Mean of both hands' reciprocals, as the MSFC counts it.",
            better="higher",
            plausible=(0.001, 0.1),
            score=False,
        ),
    ),
    notices=(
        Notice("one_trial", "One of two trials of a hand was done. It counts alone.", "info"),
        Notice("unable_with_time", "A hand is said to be unable, and there is a time. The time counts."),
    ),
    source="MSFC Administration and Scoring Manual, revised 2001 (NMSS)",
)
def nhpt(given: Given, out: Outcome) -> None:
    """Dexterity: nine pegs into nine holes and out again, each hand twice."""
    times_s: dict[str, float | None] = {}
    unable = {hand: bool(given.yes(f"{hand}_unable")) for hand in HANDS}
    for hand in HANDS:
        trials_s = given.those(*_trials(hand))
        times_s[hand] = sum(trials_s) / len(trials_s) if trials_s else None
        out(hand, times_s[hand], "unable" if unable[hand] else "not_given")
        out.flag("one_trial", when=len(trials_s) == 1, hand=hand)
        out.flag("unable_with_time", when=unable[hand] and bool(trials_s), hand=hand)
    dominant = given.texts.get("dominant_hand")
    for hand in HANDS:
        if dominant is not None:
            role = "dominant" if hand == dominant else "non_dominant"
            out(role, times_s[hand], "unable" if unable[hand] else "not_given")
    left_s, right_s = times_s["left"], times_s["right"]
    mean_s = None if left_s is None or right_s is None else (left_s + right_s) / 2
    out("mean", mean_s, "unable" if any(unable.values()) else "not_given")
    known = all(times_s[hand] is not None or unable[hand] for hand in HANDS)
    out("mean_reciprocal", mean_reciprocal((left_s, right_s)) if known else None)
