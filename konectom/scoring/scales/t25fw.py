"""T25FW, the Timed 25-Foot Walk: two trials over 25 feet (7.62 m), as fast as is safe; the score is their mean.

A trial ends at 180 seconds: longer times are refused. A patient who cannot walk the distance is entered as ``unable``.
One trial alone counts, with a notice.

Source: MSFC Administration and Scoring Manual, revised 2001 (National Multiple Sclerosis Society).
"""

from __future__ import annotations

from konectom.scoring.scales._units import FOOT_M, SECONDS
from konectom.scoring.scales.base import Component, Given, Notice, Outcome, Quantity, scale

DISTANCE_M = 25 * FOOT_M
POSSIBLE_S, PLAUSIBLE_S = (0.8, 180.0), (2.5, 60.0)
TRIALS = ("trial_1", "trial_2")
AIDS = ("none", "cane", "crutch", "walker", "two canes", "two crutches", "orthosis", "other")


@scale(
    "t25fw",
    title="Timed 25-Foot Walk (T25FW)",
    domain="performance",
    components=(
        *(
            Component(name, "Time of a trial.", units=SECONDS, possible=POSSIBLE_S, plausible=PLAUSIBLE_S)
            for name in TRIALS
        ),
        Component("unable", "The patient cannot walk the distance.", "yes_no"),
        Component("aid", "The walking aid.", "choice", choices=AIDS),
    ),
    quantities=(
        Quantity(
            "time",
            "s",
            "Mean time of the trials over 25 feet.",
            better="lower",
            plausible=PLAUSIBLE_S,
            evidence="A change by 20 % is beyond day-to-day variation (Schwid et al. 2002, Neurology 58:1294-1296).",
        ),
        Quantity("speed", "m/s", "Mean speed, 7.62 m by the time.", better="higher", plausible=(0.1, 3.1), score=False),
    ),
    notices=(
        Notice("one_trial", "One of two trials was done. It counts alone.", "info"),
        Notice("unable_with_time", "The patient is said to be unable, and there is a time. The time counts."),
    ),
    source="MSFC Administration and Scoring Manual, revised 2001 (NMSS)",
)
def t25fw(given: Given, out: Outcome) -> None:
    """Walking speed over 25 feet, as fast as is safe."""
    trials_s = given.those(*TRIALS)
    time_s = sum(trials_s) / len(trials_s) if trials_s else None
    reason = "unable" if given.yes("unable") else "not_given"
    out("time", time_s, reason)
    out("speed", None if time_s is None else DISTANCE_M / time_s, reason)
    out.flag("one_trial", when=len(trials_s) == 1)
    out.flag("unable_with_time", when=bool(given.yes("unable")) and bool(trials_s))
