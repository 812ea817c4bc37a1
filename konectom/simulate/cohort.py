"""The simulated study: which quantities its patients have, how much they vary, and who has which course.

Figures that come from a publication name it; the others are assumptions, and say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle, islice
from math import sqrt

from konectom.simulate.patients import COURSES, Patient, Quantity, half_way, simulate_patient

MISSED = 0.08
"""Share of sittings that do not take place: 92.1 % did in 4 weeks of Konectom's tests in SMA (doi:10.3233/JND-240004)."""


def noise_of(between: float, icc: float) -> float:
    """Return the spread between sessions that, beside a spread between patients, gives this ICC."""
    return between * sqrt((1.0 - icc) / icc)


SDMT_ICC = 0.87
"""Of a symbol-digit test on a phone, in people with MS (MS sherpa, PMC7573704)."""

UTT_ICC = 0.82
"""Of one U-turn test: two of them together exceed 0.90 (arXiv 2512.04914), by Spearman and Brown."""

SBT_ICC = 0.61
"""The least of Floodlight's tests (PubMed 34259588, 0.61 to 0.85): that of stance is taken to be it."""

QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        "balance",
        "sway_rms_mg",
        typical=6.0,
        higher_is_better=False,
        between=0.25,
        noise=noise_of(0.25, SBT_ICC),
        source="noise: SBT_ICC; typical, spread between patients and absence of practice are assumed",
    ),
    Quantity(
        "u_turn",
        "turn_speed_radps",
        typical=1.47,
        higher_is_better=True,
        between=0.18,
        noise=noise_of(0.18, UTT_ICC),
        source="typical: median of remote tests, arXiv 2512.04914; noise: UTT_ICC; spread between patients and absence of practice are assumed",
    ),
)

HEADLINES: Mapping[str, str] = {
    "balance.rms[after_5_s]": "sway",
    "u_turn.turn_speed[all].median": "turn speed",
}
"""Scores that are shown where only a few are, with a short name."""


def simulate_cohort(patients: int, seed: int) -> list[Patient]:
    """Return so many patients; the courses take turns."""
    names = islice(cycle(COURSES), patients)
    return [simulate_patient(number, COURSES[name], QUANTITIES, seed) for number, name in enumerate(names, start=1)]
