"""What the clinic finds of a simulated patient every 24 weeks: EDSS, SDMT, the timed walk, and relapses.

All of it follows the course of the same patient's tests on the phone, so that both tell the same story. SDMT answers
are those that fit into its 90 seconds at the patient's own pace, practice left aside; the walk takes longer as the
U-turn gets slower. That the EDSS rises by a point for each 0.1 of burden, and the typical times, are assumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import exp
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from konectom.simulate.patients import Patient

EVERY_WEEKS = 24
EDSS_START, EDSS_PER_BURDEN, EDSS_MOST = 3.0, 10.0, 8.0
SDMT_S, ANSWER_S = 90.0, 1.75
WALK_S = 5.5
TRIAL_NOISE = 0.02
CLINIC_STREAM = 2_000_000
"""Behind the numbers of all weeks, so that a visit to the clinic takes nothing from the sittings' random numbers."""


@dataclass(frozen=True, slots=True)
class Found:
    """An observation: a scale's code, when, and its components."""

    code: str
    at: datetime
    values: dict[str, Any]


def clinic_findings(patient: Patient, *, start: date, weeks: int, time_zone: str = "Europe/Paris") -> Iterator[Found]:
    """Yield what the clinic finds in so many weeks from ``start`` on, oldest first."""
    zone = ZoneInfo(time_zone)
    relapse_week = patient.course.relapse_week
    for week in range(0, weeks, EVERY_WEEKS):
        if relapse_week is not None and week - EVERY_WEEKS < relapse_week <= week:
            onset = start + timedelta(weeks=relapse_week)
            yield Found("relapse", datetime.combine(onset, time(12), zone), {"onset": onset.isoformat()})
        yield from _visit(patient, week, datetime.combine(start, time(11), zone) + timedelta(weeks=week))


def _visit(patient: Patient, week: int, at: datetime) -> Iterator[Found]:
    seed = np.random.SeedSequence(patient.seed.entropy, spawn_key=(*patient.seed.spawn_key, CLINIC_STREAM, week))
    noise = np.random.default_rng(seed).standard_normal(3)
    burden = patient.course.burden(week)
    step = EDSS_START + round(2 * EDSS_PER_BURDEN * burden) / 2
    yield Found("edss", at, {"step": min(step, EDSS_MOST)})
    answer_s = ANSWER_S * exp(patient.own["cps.symbol_reaction_s"] + burden + TRIAL_NOISE * noise[0])
    yield Found("sdmt", at, {"correct": round(SDMT_S / answer_s)})
    walk_s = WALK_S * exp(burden - patient.own["u_turn.turn_speed_radps"])
    trials = {f"trial_{i}": {"value": round(walk_s * exp(TRIAL_NOISE * noise[i]), 1), "unit": "s"} for i in (1, 2)}
    yield Found("t25fw", at, trials)
