"""MSFC, the Multiple Sclerosis Functional Composite: the mean of three z-scores, of arm, leg and cognition.

``z_arm``: (mean of both hands' 1/9HPT - 0.0439) / 0.0101, ``z_leg``: -(T25FW - 9.5353) / 11.4058, ``z_cognition``:
(PASAT-3 - 45.0311) / 12.0771; times in seconds. The reference is the pooled set of the Task Force of the National
MS Society, people with MS: 0 is their mean, higher is better. Values against another reference cannot be compared
with these.

Unable because of MS: a hand counts 777 s, the walk the worst z of the Task Force's set, -13.7; for the PASAT one
enters 0.

Source: MSFC Administration and Scoring Manual, revised 2001 (National Multiple Sclerosis Society); its constants as in
the published scoring script of the EPIC cohort, which follows the manual.
"""

from __future__ import annotations

from konectom.scoring.scales import nhpt, t25fw
from konectom.scoring.scales._units import SECONDS
from konectom.scoring.scales.base import Component, Given, Outcome, Quantity, scale

REFERENCE = {"arm": (0.0439, 0.0101), "leg": (9.5353, 11.4058), "cognition": (45.0311, 12.0771)}
"""Mean and standard deviation of the Task Force's set: 1/s, s, correct sums."""

WORST_LEG_Z = -13.7


def z_arm(mean_reciprocal_per_s: float) -> float:
    """Return the z of the mean of both hands' reciprocals."""
    mean, sd = REFERENCE["arm"]
    return (mean_reciprocal_per_s - mean) / sd


def z_leg(time_s: float) -> float:
    """Return the z of a walking time, which is no worse than that of those who cannot walk."""
    mean, sd = REFERENCE["leg"]
    return max(-(time_s - mean) / sd, WORST_LEG_Z)


def z_cognition(correct: float) -> float:
    """Return the z of the correct sums."""
    mean, sd = REFERENCE["cognition"]
    return (correct - mean) / sd


def _z(name: str, of: str, *, score: bool = False) -> Quantity:
    return Quantity(
        name,
        "1",
        f"Standing {of} among the Task Force's patients.",
        better="higher",
        plausible=(-14.0, 4.0),
        score=score,
    )


HANDS = {"nhpt_left": "left", "nhpt_right": "right"}


@scale(
    "msfc",
    title="Multiple Sclerosis Functional Composite (MSFC)",
    domain="performance",
    components=(
        *(
            Component(
                name,
                f"9HPT, mean time of the {hand} hand.",
                units=SECONDS,
                possible=nhpt.POSSIBLE_S,
                plausible=nhpt.PLAUSIBLE_S,
            )
            for name, hand in HANDS.items()
        ),
        *(
            Component(f"{name}_unable", f"The {hand} hand cannot do the 9HPT.", "yes_no")
            for name, hand in HANDS.items()
        ),
        Component("t25fw", "T25FW, mean time.", units=SECONDS, possible=t25fw.POSSIBLE_S, plausible=t25fw.PLAUSIBLE_S),
        Component("t25fw_unable", "The patient cannot walk the distance.", "yes_no"),
        Component("pasat3", "PASAT-3, correct sums.", "whole", possible=(0.0, 60.0)),
    ),
    quantities=(
        _z("z", "on the whole", score=True),
        _z("z_arm", "in dexterity"),
        _z("z_leg", "in walking"),
        _z("z_cognition", "in attention"),
    ),
    source="MSFC Administration and Scoring Manual, revised 2001 (NMSS)",
)
def msfc(given: Given, out: Outcome) -> None:
    """Arm, leg and cognition in one figure."""
    parts = (_arm(given), _leg(given), _cognition(given))
    for name, z in zip(("z_arm", "z_leg", "z_cognition"), parts, strict=True):
        out(name, z)
    known = [z for z in parts if z is not None]
    out("z", sum(known) / len(parts) if len(known) == len(parts) else None)


def _arm(given: Given) -> float | None:
    hands_s = tuple(given.number(name) for name in HANDS)
    if any(time_s is None and not given.yes(f"{name}_unable") for name, time_s in zip(HANDS, hands_s, strict=True)):
        return None
    return z_arm(nhpt.mean_reciprocal((hands_s[0], hands_s[1])))


def _leg(given: Given) -> float | None:
    time_s = given.number("t25fw")
    if time_s is None:
        return WORST_LEG_Z if given.yes("t25fw_unable") else None
    return z_leg(time_s)


def _cognition(given: Given) -> float | None:
    correct = given.number("pasat3")
    return None if correct is None else z_cognition(correct)
