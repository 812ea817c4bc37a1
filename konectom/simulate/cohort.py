"""The simulated study: which quantities its patients have, how much they vary, and who has which course.

Figures that come from a publication name it; the others are assumptions, and say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle, islice
from math import log, sqrt

from konectom.simulate.patients import COURSES, Patient, Quantity, half_way, simulate_patient

MISSED = 0.08
"""Share of sittings that do not take place: in SMA, 92.1 % of those with Konectom did (doi:10.3233/JND-240004)."""


def noise_of(between: float, icc: float) -> float:
    """Return the spread between sessions that, beside a spread between patients, gives this ICC."""
    return between * sqrt((1.0 - icc) / icc)


SDMT_ICC = 0.87
"""Of a symbol-digit test on a phone, in people with MS (MS sherpa, PMC7573704)."""

UTT_ICC = 0.82
"""Of one U-turn test: two of them together exceed 0.90 (arXiv 2512.04914), by Spearman and Brown."""

SBT_ICC = 0.61
"""The least of Floodlight's tests (PubMed 34259588, 0.61 to 0.85): that of stance is taken to be it."""

SDMT_GAIN, SDMT_RUNS = log(1.408), half_way(11)
"""Practice of a symbol-digit test on a phone, in people with MS: in the end 40.8 % more, half of it after 11 runs
(Floodlight Open, doi:10.2196/30394)."""

PINCH_GAIN, PINCH_RUNS = log(1.862), half_way(28)
"""Practice of pinching, in people with MS: in the end 86.2 % more pinches, half of that after 28 runs (as above). It is
taken to be that of the time before a pinch."""

QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        *("cps", "symbol_reaction_s", 1.75, False),
        between=0.20,
        noise=noise_of(0.20, SDMT_ICC),
        practice_gain=SDMT_GAIN,
        practice_runs=SDMT_RUNS,
        source="noise: SDMT_ICC; practice: SDMT_GAIN; typical and spread between patients are assumed",
    ),
    Quantity(
        *("cps", "digit_reaction_s", 0.9, False), between=0.12, noise=0.05, source="all of it assumed; no practice"
    ),
    Quantity(*("tap", "left_interval_s", 0.21, False), between=0.15, noise=0.06, source="all of it assumed"),
    Quantity(*("tap", "right_interval_s", 0.19, False), between=0.15, noise=0.06, source="all of it assumed"),
    Quantity(
        *("balance", "sway_rms_mg", 6.0, False),
        between=0.25,
        noise=noise_of(0.25, SBT_ICC),
        source="noise: SBT_ICC; typical, spread between patients and absence of practice are assumed",
    ),
    Quantity(
        *("u_turn", "turn_speed_radps", 1.47, True),
        between=0.18,
        noise=noise_of(0.18, UTT_ICC),
        source="typical: median of remote tests (arXiv 2512.04914); noise: UTT_ICC; the rest is assumed",
    ),
    Quantity(*("walk", "cadence", 108.0, True), between=0.08, noise=0.03, source="all of it assumed", every_weeks=2),
    Quantity(
        *("pinch", "right_reaction_s", 0.42, False),
        between=0.15,
        noise=0.08,
        practice_gain=PINCH_GAIN,
        practice_runs=PINCH_RUNS,
        source="practice: PINCH_GAIN; the rest is assumed",
        every_weeks=2,
    ),
    Quantity(
        *("draw", "speed_ptps", 360.0, True),
        between=0.15,
        noise=0.08,
        source="all of it assumed; no practice, since it is done once a month",
        every_weeks=4,
    ),
    Quantity(
        *("msis29", "physical_impact", 30.0, False),
        between=0.35,
        noise=0.06,
        source="all of it assumed",
        every_weeks=4,
    ),
)

HEADLINES: Mapping[str, str] = {
    "cps.correct[symbol_to_digit]": "symbols right",
    "cps.substitution_time": "substitution",
    "tap.valid_taps[left]": "taps, left",
    "tap.valid_taps[right]": "taps, right",
    "balance.rms[after_5_s]": "sway",
    "u_turn.turn_speed[all].median": "turn speed",
    "walk.cadence[2mwt,all_bouts].mean": "cadence",
    "pinch.reaction_time[right].median": "pinching, right",
    "draw.mean_duration[right]": "drawing, right",
    "msis29.physical_impact": "impact of MS",
}
"""Scores that are shown where only a few are, with a short name."""


def simulate_cohort(patients: int, seed: int) -> list[Patient]:
    """Return so many patients; the courses take turns."""
    names = islice(cycle(COURSES), patients)
    return [simulate_patient(number, COURSES[name], QUANTITIES, seed) for number, name in enumerate(names, start=1)]
