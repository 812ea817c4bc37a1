"""Strength of the hand (grip) and of single muscle groups (hand-held dynamometry).

Grip is kept in kilograms, as its norms are, and takes the best of up to three trials with each hand (Roberts et al.
2011, Age Ageing 40:423-429). Dynamometry is kept in newtons, one value for each movement and side.
Where a dynamometer shows kg or lb it means the weight of that mass under standard gravity.

A summary over muscles needs a reference for each of them (a mean of z-scores), and none was found that could be
confirmed: there is no summary here.
"""

from __future__ import annotations

from konectom.scoring.scales._units import KILOGRAMS, NEWTONS
from konectom.scoring.scales.base import Component, Given, Outcome, Quantity, scale

SIDES = ("left", "right")
GRIP_PLAUSIBLE_KG = (1.0, 80.0)
TRIALS = {side: tuple(f"{side}_trial_{n}" for n in (1, 2, 3)) for side in SIDES}

MUSCLES = {
    "shoulder_abduction": 900.0,
    "shoulder_flexion": 900.0,
    "elbow_flexion": 900.0,
    "elbow_extension": 900.0,
    "wrist_extension": 600.0,
    "first_dorsal_interosseous": 200.0,
    "thumb_abduction": 300.0,
    "little_finger_abduction": 200.0,
    "hip_flexion": 1200.0,
    "knee_extension": 2000.0,
    "knee_flexion": 1200.0,
    "ankle_dorsiflexion": 1200.0,
}
"""Movements that are tested, each with the largest force in newtons that is possible."""


def _best(name: str, means: str) -> Quantity:
    return Quantity(name, "kg", means, better="higher", plausible=GRIP_PLAUSIBLE_KG)


@scale(
    "grip",
    title="Grip strength",
    domain="performance",
    components=(
        *(
            Component(
                name, f"A trial, {side} hand.", units=KILOGRAMS, possible=(0.0, 150.0), plausible=GRIP_PLAUSIBLE_KG
            )
            for side in SIDES
            for name in TRIALS[side]
        ),
        Component("dominant_hand", "The hand that the patient prefers.", "choice", choices=SIDES),
        Component("device", "The dynamometer.", "text"),
    ),
    quantities=(
        _best("left", "Best trial of the left hand."),
        _best("right", "Best trial of the right hand."),
        _best("best", "Best trial of both hands."),
    ),
    source="Roberts et al. 2011, Age Ageing 40:423-429",
)
def grip(given: Given, out: Outcome) -> None:
    """How hard one can press a dynamometer, each hand up to three times."""
    best_kg = {side: max(given.those(*TRIALS[side]), default=None) for side in SIDES}
    for side in SIDES:
        out(side, best_kg[side])
    both_kg = [value for value in best_kg.values() if value is not None]
    out("best", max(both_kg) if len(both_kg) == len(SIDES) else None)


GROUPS = {f"{muscle}_{side}": most_n for muscle, most_n in MUSCLES.items() for side in SIDES}


@scale(
    "hhd",
    title="Hand-held dynamometry",
    domain="performance",
    components=(
        *(
            Component(name, "Largest force of the movement.", units=NEWTONS, possible=(0.0, most_n))
            for name, most_n in GROUPS.items()
        ),
        Component("device", "The dynamometer.", "text"),
    ),
    quantities=tuple(
        Quantity(name, "N", "Largest force of the movement.", better="higher", plausible=(0.0, most_n / 2))
        for name, most_n in GROUPS.items()
    ),
    source="Measured force; no scoring rule",
)
def hhd(given: Given, out: Outcome) -> None:
    """The force of single movements against a dynamometer in the examiner's hand."""
    for name in GROUPS:
        out(name, given.number(name))
