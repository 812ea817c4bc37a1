"""Simulated patients: how a few clinical quantities go over weeks and years, with known truth.

A quantity is a typical value times what is the patient's own, times what the course does, times the noise between
sessions. All of it multiplies, so that it adds up on a logarithmic scale: a *burden* of 0.1 is a performance about 10 %
worse, whichever way worse is. The course's burden is::

    practice(run)   gain * exp(-run / runs)             the patient does not yet know the test
    worsening(week) rate per year * years
    relapse(week)   rises within days, recovers over weeks, may leave a rest

Random numbers come from one seed through :class:`numpy.random.SeedSequence`, by patient and visit: a patient is the
same whoever is simulated beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import exp, log
from zoneinfo import ZoneInfo

import numpy as np

WEEKS_PER_YEAR = 365.25 / 7


@dataclass(frozen=True, slots=True)
class Quantity:
    """A clinical quantity that a simulator takes as its truth: ``field`` of the truth of ``assessment``.

    ``between`` and ``noise`` are standard deviations on the logarithmic scale, between patients and between the
    sessions of one patient. A practised patient is better than a beginner by ``practice_gain``, approached with the
    constant ``practice_runs``. The test is part of the sittings of each ``every_weeks``-th week.
    """

    assessment: str
    field: str
    typical: float
    higher_is_better: bool
    between: float
    noise: float
    practice_gain: float = 0.0
    practice_runs: float = 1.0
    source: str = ""
    every_weeks: int = 1

    @property
    def name(self) -> str:
        """Return ``assessment.field``."""
        return f"{self.assessment}.{self.field}"

    def is_due(self, week: int) -> bool:
        """Tell whether the test is part of a sitting of the week (0 at the start)."""
        return week % self.every_weeks == 0

    def value(self, own: float, burden: float) -> float:
        """Return the quantity for a patient whose own best is ``typical * exp(own)``, under a burden."""
        return self.typical * exp(own - burden if self.higher_is_better else own + burden)


@dataclass(frozen=True, slots=True)
class Course:
    """What happens to a patient's function. Rates and depths are burdens: 0.1 is about 10 % worse."""

    name: str
    worsening_per_year: float = 0.0
    practised: bool = True
    relapse_week: float | None = None
    relapse_depth: float = 0.0
    relapse_onset_weeks: float = 0.5
    recovery_weeks: float = 6.0
    remains: float = 0.0

    def burden(self, week: float) -> float:
        """Return the burden of worsening and relapse in a week (0 at the start)."""
        return self.worsening_per_year * week / WEEKS_PER_YEAR + self.relapse(week)

    def relapse(self, week: float) -> float:
        """Return the relapse's part: an exponential rise, an exponential recovery towards what remains."""
        if self.relapse_week is None or week < self.relapse_week:
            return 0.0
        since = week - self.relapse_week
        rise = 1.0 - exp(-since / self.relapse_onset_weeks)
        left = self.remains + (1.0 - self.remains) * exp(-since / self.recovery_weeks)
        return self.relapse_depth * rise * left

    def practice(self, quantity: Quantity, run: int) -> float:
        """Return the burden of a beginner at the ``run``-th session (from 0)."""
        return 0.0 if self.practised else quantity.practice_gain * exp(-run / quantity.practice_runs)


COURSES: Mapping[str, Course] = {
    "steady": Course("steady"),
    "improving": Course("improving", practised=False),
    "worsening": Course("worsening", worsening_per_year=0.2),
    "relapse": Course("relapse", relapse_week=20.0, relapse_depth=0.35, remains=0.15),
}
"""The courses that can be asked for by name."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One sitting: when, which run of the tests it is, and the truth of each quantity.

    ``expected`` is the truth without the noise between sessions, ``truth`` what is performed on that day.
    """

    week: int
    run: int
    at: datetime
    expected: Mapping[str, float]
    truth: Mapping[str, float]
    seed: np.random.SeedSequence


@dataclass(frozen=True, slots=True)
class Patient:
    """A simulated patient: a course, and how far from typical each quantity is at its best (logarithmic)."""

    code: str
    course: Course
    own: Mapping[str, float]
    seed: np.random.SeedSequence


def simulate_patient(number: int, course: Course, quantities: tuple[Quantity, ...], seed: int) -> Patient:
    """Return the patient ``number`` (from 1) of a simulation; it does not depend on the others.

    The quantities of one assessment go together: who is quick with symbols is quick with digits.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(number,))
    rng = np.random.default_rng(sequence)
    drawn = {name: rng.standard_normal() for name in dict.fromkeys(each.assessment for each in quantities)}
    own = {
        each.name: (-1 if each.higher_is_better else 1) * each.between * drawn[each.assessment] for each in quantities
    }
    return Patient(f"SIM-{number:03}", course, own, sequence)


def visits(
    patient: Patient,
    quantities: tuple[Quantity, ...],
    *,
    start: date,
    weeks: int,
    every_weeks: int = 1,
    missed: float = 0.0,
    time_zone: str = "Europe/Paris",
) -> Iterator[Visit]:
    """Yield the patient's sittings: one in every so many weeks, at about the same time of a changing day.

    ``missed`` is the share of them that did not take place.
    """
    run = 0
    for week in range(0, weeks, every_weeks):
        # Spawned by week, not in turn: a sitting is the same whichever others take place.
        seed = np.random.SeedSequence(patient.seed.entropy, spawn_key=(*patient.seed.spawn_key, week))
        rng = np.random.default_rng(seed)
        day, minute, took_place = int(rng.integers(0, 5)), int(rng.integers(-90, 90)), rng.random() >= missed
        noise = rng.standard_normal(len(quantities))
        if not took_place:
            continue
        at = datetime.combine(start, time(10), ZoneInfo(time_zone)) + timedelta(weeks=week, days=day, minutes=minute)
        expected, truth = {}, {}
        for each, z in zip(quantities, noise, strict=True):
            burden = patient.course.burden(week + day / 7) + patient.course.practice(each, run // each.every_weeks)
            expected[each.name] = each.value(patient.own[each.name], burden)
            truth[each.name] = expected[each.name] * exp(float(z) * each.noise)
        yield Visit(week, run, at, expected, truth, seed)
        run += 1


def annual_slope(course: Course, quantity: Quantity) -> float:
    """Return the planted change per year on the logarithmic scale, relapse and practice left aside."""
    return -course.worsening_per_year if quantity.higher_is_better else course.worsening_per_year


def half_way(runs: float) -> float:
    """Return the practice constant of a gain that is half made after ``runs`` sessions."""
    return runs / log(2)
