"""How much a score changed since the baseline, and whether that is more than noise.

``SEM = SD * sqrt(1 - ICC)`` is the noise of one value; ``MDC95 = 1.96 * sqrt(2) * SEM`` the smallest change between two
values that chance alone exceeds in 5 % of steady patients; a reliable change index is the change over
``sqrt(2) * SEM`` (Jacobson & Truax 1991 as corrected by Christensen & Mendoza 1986,
doi:10.1016/S0005-7894(86)80060-0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import pi, sqrt
from typing import Any, Literal

import numpy as np

from konectom.recording import EMPTY
from konectom.scoring.series import Score
from konectom.scoring.thresholds import Threshold
from konectom.scoring.windows import MAD_TO_SD, Aggregates, median

Basis = Literal["study", "published", "patient"]
Direction = Literal["worse", "better", "same", "changed"]

Z95, Z90 = 1.959963984540054, 1.6448536269514722

NEAR_ZERO_SEMS = 2.0
"""A baseline within so many standard errors of zero carries no per cent."""

LEAST_CHANGES = 6
"""Fewest changes between windows from which a patient's own noise is taken."""

SLOW_DAYS = 56.0
"""Windows so far apart share no good or bad weeks any more."""

MEDIAN_SD = sqrt(pi / 2)
"""The sd of the median of many normal values over that of their mean."""


@dataclass(frozen=True, slots=True)
class Noise:
    """The standard error of measurement of a value that is compared, and where it is from.

    ``sem`` is in the score's unit; or, where ``relative``, a share of the baseline. ``source`` is one sentence. ``n``
    counts the people behind it, or the windows where the patient's own.
    """

    sem: float
    basis: Basis
    source: str
    relative: bool = False
    icc: float | None = None
    sd: float | None = None
    n: int | None = None

    @classmethod
    def of_icc(cls, sd: float, icc: float, basis: Basis, source: str, n: int | None = None) -> Noise:
        """Return the noise that a spread between people and an intraclass correlation tell."""
        return cls(standard_error(sd, icc), basis, source, icc=icc, sd=sd, n=n)

    def sem_at(self, reference: float) -> float:
        """Return the standard error beside a reference value, in the score's unit."""
        return self.sem * abs(reference) if self.relative else self.sem

    def mdc95_at(self, reference: float) -> float:
        """Return the smallest detectable change beside a reference value, in the score's unit."""
        return detectable_change(self.sem_at(reference))

    def as_dict(self) -> dict[str, Any]:
        """Return the noise as JSON."""
        return {name: getattr(self, name) for name in ("sem", "relative", "basis", "source", "icc", "sd", "n")}


@dataclass(frozen=True, slots=True)
class Practice:
    """What people gain between baseline and later by practice alone, in the score's unit, signed as the score is."""

    gain: float
    source: str


PUBLISHED: Mapping[str, Noise] = {
    "obs.t25fw.time": Noise(
        0.23 / (Z95 * sqrt(2.0)),
        "published",
        "Smallest detectable change of 23 % of the mean over a year in people with stable MS (PubMed 38924934).",
        relative=True,
        icc=0.895,
    ),
}
"""Noise by key of a score, only where the published quantity is the one that is scored here."""


@dataclass(frozen=True, slots=True)
class Point:
    """An aggregate that is compared: the baseline, or the value now. Times are days, ``n`` its number of tests."""

    index: int
    at_day: float
    start_day: float
    end_day: float
    value: float
    n: int


@dataclass(frozen=True, slots=True)
class Change:
    """The change from baseline to the last value.

    ``amount`` is signed as the score is, in its unit; ``share`` is over the baseline (0.1 is 10 %). ``reliable`` says
    whether it exceeds ``mdc95``; ``rci`` and ``rci_practised`` are the plain and the practice-corrected reliable change
    index. ``important`` says whether it reaches the clinically important change of this score. What is None has its
    reason in ``absent``.
    """

    direction: Direction
    amount: float
    share: float | None
    sem: float | None
    mdc95: float | None
    mdc90: float | None
    reliable: bool | None
    rci: float | None
    rci_practised: float | None
    important: bool | None
    absent: Mapping[str, str] = EMPTY


def standard_error(sd: float, icc: float) -> float:
    """Return the standard error of measurement ``sd * sqrt(1 - icc)``.

    An ICC below 0, which small samples give by chance, counts as 0. Raises ValueError for one above 1.
    """
    if not icc <= 1.0 or not sd >= 0.0:
        raise ValueError(f"no spread and ICC are {sd} and {icc}")
    return sd * sqrt(1.0 - max(0.0, icc))


def detectable_change(sem: float, z: float = Z95) -> float:
    """Return the smallest detectable change ``z * sqrt(2) * sem``; ``z`` 1.96 for 95 %, 1.645 for 90 %."""
    return z * sqrt(2.0) * sem


def reliable_change(change: float, sem: float, *, retest_sem: float | None = None, gain: float = 0.0) -> float:
    """Return a reliable change index: the change, less what practice explains, over its standard error.

    Plain (Jacobson & Truax, Christensen & Mendoza) without a gain; with ``gain``, the mean change of people who did not
    change, the practice-corrected one of Chelune et al. (1993, doi:10.1037/0894-4105.7.1.41), whose standard error is
    ``sqrt(2) * sem``; with ``retest_sem`` as well that of Iverson (2001, doi:10.1016/S0887-6177(00)00060-3),
    ``sqrt(sem^2 + retest_sem^2)``.
    """
    error = sqrt(sem * sem + (sem if retest_sem is None else retest_sem) ** 2)
    if error == 0.0:
        raise ValueError("without noise there is no index")
    return (change - gain) / error


def own_noise(aggregates: Aggregates) -> Noise | None:
    """Return the noise of a window's value as the patient's own values tell it, None from too few.

    The greatest of three estimates counts, for each alone can be small by chance or blind to something:

    * the changes between neighbouring windows (their median size, so that a relapse or a slow loss hardly counts; von
      Neumann 1941's idea, made robust) hold what differs from one window to the next;
    * those between windows 8 weeks apart hold good and bad weeks as well;
    * the spread of the tests within windows, over the root of their number and times 1.2533 for the median.

    It is never less than rounding makes it: the smallest step between values that occur, over the root of 12. So a
    count that mostly stays at its ceiling has a noise all the same.

    Of few changes the median is uncertain; it is enlarged by ``1 + 1 / n`` for n of them. At least 6 changes over 8
    weeks are needed.
    """
    if not aggregates.window_days or aggregates.known.size <= LEAST_CHANGES:
        return None
    known = aggregates.known
    window = np.rint((aggregates.start_day - aggregates.start_day[0]) / aggregates.window_days).astype(np.int64)[known]
    value = np.full(int(window[-1]) + 1, np.nan)
    value[window] = aggregates.value[known]
    apart = max(1, round(SLOW_DAYS / aggregates.window_days))
    between = 0.0
    for lag in {1, apart}:
        changes = np.abs(value[lag:] - value[:-lag])
        changes = changes[np.isfinite(changes)]
        if lag == apart and changes.size < LEAST_CHANGES:
            return None
        if changes.size:
            change = MAD_TO_SD * median(changes) * (1.0 + 1.0 / changes.size)
            between = max(between, change / sqrt(2.0))
    inside = aggregates.spread[known]
    inside = inside[np.isfinite(inside)]
    within = MEDIAN_SD * sqrt(
        float(inside @ inside) / max(1, inside.size) / median(aggregates.n[known].astype(np.float64))
    )
    steps = np.diff(np.unique(aggregates.value[known]))
    resolution = float(steps.min()) if steps.size else 0.0
    sem = max(between, within, resolution / sqrt(12.0))
    if not sem > 0.0:
        return None
    return Noise(sem, "patient", f"This patient's own spread over {known.size} windows.", n=int(known.size))


def chosen_noise(score: Score, given: Sequence[Noise], own: Noise | None, order: Sequence[str]) -> Noise | None:
    """Return the noise from the first basis of ``order`` that is known: of the study, published, of the patient."""
    known: dict[str, Noise] = {each.basis: each for each in reversed(given)}
    if score.key in PUBLISHED:
        known.setdefault("published", PUBLISHED[score.key])
    if own is not None:
        known.setdefault("patient", own)
    return next((known[basis] for basis in order if basis in known), None)


def direction_of(score: Score, amount: float) -> Direction:
    """Return which way a change goes."""
    if amount == 0.0:
        return "same"
    if score.better is None:
        return "changed"
    return "better" if (amount > 0) == (score.better == "higher") else "worse"


def change_between(
    score: Score,
    baseline: float,
    now: float,
    noise: Noise | None,
    practice: Practice | None = None,
    important: Threshold | None = None,
) -> Change:
    """Compare two values of a score."""
    amount, absent = now - baseline, {}
    direction = direction_of(score, amount)
    sem = None if noise is None else noise.sem_at(baseline)
    share = None
    if not score.ratio:
        absent["share"] = "not_a_ratio"
    elif baseline <= (NEAR_ZERO_SEMS * sem if sem else 0.0):
        absent["share"] = "baseline_near_zero"
    else:
        share = amount / baseline
    mdc95 = mdc90 = rci = practised = reliable = None
    if not sem:
        absent |= dict.fromkeys(("sem", "mdc95", "mdc90", "reliable", "rci", "rci_practised"), "noise_unknown")
    else:
        mdc95, mdc90 = detectable_change(sem), detectable_change(sem, Z90)
        reliable, rci = abs(amount) > mdc95, reliable_change(amount, sem)
        if practice is None:
            absent["rci_practised"] = "practice_unknown"
        else:
            practised = reliable_change(amount, sem, gain=practice.gain)
    reached = None
    if important is None or score.better is None:
        absent["important"] = "no_threshold" if important is None else "no_direction"
    elif direction == "same":
        reached = False
    else:
        way: Literal["worsening", "improvement"] = "worsening" if direction == "worse" else "improvement"
        reached = bool(important.reached(np.array([abs(amount)]), baseline, way)[0])
    return Change(direction, amount, share, sem or None, mdc95, mdc90, reliable, rci, practised, reached, absent)
