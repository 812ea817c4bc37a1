"""Tests of walking beside the T25FW: distance in six minutes (6MWT), Timed Up and Go (TUG).

6MWT: metres walked in six minutes (American Thoracic Society 2002, Am J Respir Crit Care Med 166:111-117).
TUG: seconds to rise, walk 3 m, turn, come back and sit (Podsiadlo and Richardson 1991, J Am Geriatr Soc 39:142-148, who
time one trial); where several were timed their mean counts.
"""

from __future__ import annotations

from konectom.scoring.scales._units import METRES, SECONDS
from konectom.scoring.scales.base import Component, Given, Outcome, Quantity, scale

AID = Component("aid", "The walking aid.", "text")
UNABLE = Component("unable", "The patient is not able to do the test.", "yes_no")
TRIALS = ("trial_1", "trial_2", "trial_3")
TUG_PLAUSIBLE_S = (4.0, 90.0)


@scale(
    "sixmwt",
    title="Six-minute walk test (6MWT)",
    domain="performance",
    components=(
        Component(
            "distance",
            "Distance walked in six minutes.",
            units=METRES,
            possible=(0.0, 1300.0),
            plausible=(20.0, 850.0),
            loinc="64098-7",
        ),
        UNABLE,
        AID,
    ),
    quantities=(
        Quantity(
            "distance",
            "m",
            "Distance walked in six minutes.",
            better="higher",
            plausible=(20.0, 850.0),
            evidence="In MS a change by 20 % is important (PMC8857110, table 1).",
            loinc="64098-7",
        ),
    ),
    source="American Thoracic Society 2002, Am J Respir Crit Care Med 166:111-117",
)
def sixmwt(given: Given, out: Outcome) -> None:
    """Walking endurance: how far one comes in six minutes."""
    out("distance", given.number("distance"), "unable" if given.yes("unable") else "not_given")


@scale(
    "tug",
    title="Timed Up and Go (TUG)",
    domain="performance",
    components=(
        *(
            Component(name, "Time of a trial.", units=SECONDS, possible=(2.0, 600.0), plausible=TUG_PLAUSIBLE_S)
            for name in TRIALS
        ),
        UNABLE,
        AID,
    ),
    quantities=(
        Quantity(
            "time",
            "s",
            "Mean time of the trials.",
            better="lower",
            plausible=TUG_PLAUSIBLE_S,
            evidence="In MS improvement is a change by 23 to 24 %, worsening by 30 to 31 % (PMC8857110, table 1).",
        ),
    ),
    source="Podsiadlo and Richardson 1991, J Am Geriatr Soc 39:142-148",
)
def tug(given: Given, out: Outcome) -> None:
    """Rising from a chair, walking 3 m, turning, walking back, sitting down."""
    trials_s = given.those(*TRIALS)
    mean_s = sum(trials_s) / len(trials_s) if trials_s else None
    out("time", mean_s, "unable" if given.yes("unable") else "not_given")
