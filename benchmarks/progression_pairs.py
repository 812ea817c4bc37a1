"""Simulated clinical courses, and definitions of confirmed change given in the words of two packages and in ours.

For progression_peers.py, and for the tests that compare with what it recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from konectom.scoring.progression import (
    FIXED,
    Confirmation,
    Definition,
    Distance,
    Reference,
    Relapses,
    Span,
    confirmed_changes,
)
from konectom.scoring.thresholds import Absolute, Both, Either, Share, Threshold, edss_steps

SCALES = ("edss", "sdmt", "nhpt", "t25fw")
BETTER: dict[str, Literal["higher", "lower"]] = {"edss": "lower", "sdmt": "higher", "nhpt": "lower", "t25fw": "lower"}

Event = tuple[str, int, int, int, str | None]
"""Direction, reference day, onset day, confirming day, kind."""


@dataclass(frozen=True)
class Course:
    """One simulated course: whole days, values, relapse onsets."""

    scale: str
    day: list[int]
    value: list[float]
    relapse: list[int]


def simulate(scale: str, rng: np.random.Generator) -> Course:
    """Return a course of two to eight years with visits about every twelve weeks."""
    count = int(rng.integers(3, 34))
    steps = np.where(rng.random(count) < 0.12, rng.integers(150, 1000, count), 84 + rng.integers(-10, 11, count))
    steps = np.where(rng.random(count) < 0.08, rng.integers(5, 45, count), steps)
    day = np.concatenate([[0], np.cumsum(steps)])
    relapse = np.sort(rng.integers(-200, int(day[-1]) + 1, rng.poisson(0.35 * (day[-1] + 200) / 365.25)))
    badness = _badness(day, relapse, rng)
    return Course(scale, day.tolist(), _values(scale, badness, rng).tolist(), sorted(set(relapse.tolist())))


def _badness(day: np.ndarray, relapse: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return how much worse than at the start, in steps of clinical importance: drift, relapses, fluctuation."""
    years = day / 365.25
    drift = rng.choice([-0.3, 0.0, 0.2, 0.6]) * years
    attacks = sum(
        (rng.uniform(0.5, 2.5) * np.exp(-(day - at) / rng.choice([60.0, 2000.0])) * (day >= at) for at in relapse),
        np.zeros(len(day)),
    )
    return drift + attacks + np.cumsum(rng.normal(0.0, 0.15, len(day))) + rng.normal(0.0, 0.35, len(day))


def _values(scale: str, badness: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if scale == "edss":
        return np.clip(np.round(2 * (rng.choice([0.0, 1.0, 2.0, 3.5, 5.0, 5.5, 6.0]) + badness)) / 2, 0.0, 9.5)
    if scale == "sdmt":
        return np.clip(np.round(rng.uniform(15.0, 70.0) - 4.0 * badness), 1.0, 110.0)
    start, most = (rng.uniform(14.0, 40.0), 300.0) if scale == "nhpt" else (rng.uniform(3.5, 15.0), 180.0)
    return np.clip(np.round(start * 1.15**badness, 1), 1.0, most)


def cohort(scale: str, count: int, seed: int) -> list[Course]:
    """Return the same courses for the same seed."""
    rng = np.random.default_rng([seed, SCALES.index(scale)])
    return [simulate(scale, rng) for _ in range(count)]


@dataclass(frozen=True)
class Pair:
    """One definition on both sides."""

    name: str
    peer: str
    scales: tuple[str, ...]
    theirs: dict[str, Any]
    ours: Callable[[str], Definition]


def _definition(name: str, threshold: Threshold, confirmation: Confirmation, **more: Any) -> Definition:
    return Definition(
        name=name, version=1, title=name, source="benchmark", threshold=threshold, confirmation=confirmation, **more
    )


def _msprog_threshold(scale: str) -> Threshold:
    sdmt = Either((Absolute(4.0), Share(0.2)))
    return {"edss": edss_steps(one_point_to=5.0), "sdmt": sdmt, "nhpt": Share(0.2), "t25fw": Share(0.2)}[scale]


NEAR = Relapses(reference=Distance(after_days=30.0), confirmation=Distance(after_days=30.0))
PIRA: dict[str, tuple[dict[str, Any], tuple[Span, ...]]] = {
    "kappos-2020": (
        {"prec": (0, None), "event": (None, 30), "conf": (30, 30)},
        (Span("reference", 0.0, "onset", 30.0), Span("confirmation", 30.0, "confirmation", 30.0)),
    ),
    "cagol-2022": (
        {"prec": (0, 0), "event": (90, None), "conf": (None, 0)},
        (Span("onset", 90.0, "confirmation", 0.0),),
    ),
    "mueller-2023": (
        {"prec": (0, 0), "event": (90, 30), "conf": (90, 30)},
        (Span("onset", 90.0, "onset", 30.0), Span("confirmation", 90.0, "confirmation", 30.0)),
    ),
    "mueller-2023-specific": (
        {"prec": (0, None), "event": (None, None), "conf": (None, 0)},
        (Span("reference", 0.0, "confirmation", 0.0),),
    ),
    "mueller-2025": (
        {"prec": (0, None), "event": (None, 0), "conf": (30, 0), "prec_type": "last"},
        (Span("previous", 0.0, "onset", 0.0), Span("confirmation", 30.0, "confirmation", 0.0)),
    ),
}


def _msprog_pairs() -> Iterator[Pair]:
    def ours(name: str, days: float = 84.0, *, every_visit: bool = True, **more: Any) -> Callable[[str], Definition]:
        confirmation = Confirmation(days, earlier_days=7.0, later_days=730.5, every_visit=every_visit)
        return lambda scale: _definition(name, _msprog_threshold(scale), confirmation, **({"relapses": NEAR} | more))

    worse: Any = {"directions": ("worsening",)}
    better: Any = {"directions": ("improvement",)}
    both = Reference("confirmation", "confirmation")
    yield Pair("fixed, first worsening, 12 w", "pymsprog", SCALES, {"event": "firstCDW"}, ours("a", **worse))
    yield Pair("fixed, first improvement, 12 w", "pymsprog", SCALES, {"event": "firstCDI"}, ours("b", **better))
    yield Pair(
        "fixed, first worsening, 24 w, kept 48 w", "pymsprog", SCALES,
        {"event": "firstCDW", "conf_days": 168, "require_sust_days": 336},
        ours("c", 168.0, sustained_days=336.0, **worse),
    )  # fmt: skip
    yield Pair(
        "fixed, first worsening, at confirmation only", "pymsprog", SCALES,
        {"event": "firstCDW", "check_intermediate": False}, ours("d", every_visit=False, **worse),
    )  # fmt: skip
    yield Pair(
        "roving at confirmation, all events, 12 w", "pymsprog", SCALES,
        {"event": "multiple", "baseline": "roving"}, ours("e", reference=both, repeats=True),
    )  # fmt: skip
    yield Pair(
        "roving at onset, all events, 24 w", "pymsprog", SCALES,
        {"event": "multiple", "baseline": "roving", "proceed_from": "event", "conf_days": 168},
        ours("f", 168.0, reference=Reference("onset", "onset"), repeats=True),
    )  # fmt: skip
    yield Pair(
        "roving after any improvement, first worsening", "pymsprog", SCALES,
        {"event": "firstCDW", "baseline": "roving_impr", "sub_threshold_rebl": "improvement"},
        ours("g", reference=Reference(None, "confirmation", "confirmation"), **worse),
    )  # fmt: skip
    for name, (theirs, spans) in PIRA.items():
        rules = replace(NEAR, raw=(Span("onset", 90.0, "onset", 0.0),), pira=spans)
        yield Pair(
            f"roving, RAW and PIRA, {name}", "pymsprog", ("edss",),
            {"event": "multiple", "baseline": "roving", "RAW_PIRA": True, "relapse_indep": theirs},
            ours(name, reference=both, repeats=True, relapses=rules),
        )  # fmt: skip


def _msclinical_pairs() -> Iterator[Pair]:
    def ours(days: float, **more: Any) -> Callable[[str], Definition]:
        def for_scale(scale: str) -> Definition:
            threshold = edss_steps(one_point_to=5.5) if scale == "edss" else Share(0.2)
            return _definition("m", threshold, Confirmation(days), directions=("worsening",), **more)

        return for_scale

    timed = ("edss", "nhpt", "t25fw")
    for days in (84, 168):
        yield Pair(
            f"fixed, first worsening, {days // 7} w", "msclinical", timed,
            {"confirm_days": days, "reference": "fixed"}, ours(float(days)),
        )  # fmt: skip
        yield Pair(
            f"roving, all worsening, {days // 7} w", "msclinical", timed, {"confirm_days": days},
            ours(float(days), reference=Reference("confirmation", None, "onset", held="onset_value"), repeats=True),
        )  # fmt: skip

    def sdmt(threshold: Threshold, reference: Reference) -> Callable[[str], Definition]:
        more: Any = {"directions": ("worsening",), "reference": reference, "repeats": reference.roving}
        return lambda _: _definition("s", threshold, Confirmation(84.0), **more)

    points_or, points_and = Either((Absolute(4.0), Share(0.1))), Both((Absolute(4.0), Share(0.1)))
    yield Pair("fixed, 4 points or 10 %, 12 w", "msclinical", ("sdmt",), {"roving": False}, sdmt(points_or, FIXED))
    yield Pair(
        "roving, 4 points and 10 %, 12 w", "msclinical", ("sdmt",), {"combine": "and"},
        sdmt(points_and, Reference("confirmation")),
    )  # fmt: skip
    yield Pair(
        "fixed, 8 points, 12 w", "msclinical", ("sdmt",),
        {"roving": False, "points": 8.0, "pct": 0.0, "combine": "and"}, sdmt(Absolute(8.0), FIXED),
    )  # fmt: skip


PAIRS = (*_msprog_pairs(), *_msclinical_pairs())


def our_events(course: Course, definition: Definition) -> list[Event]:
    """Return what konectom finds."""
    found = confirmed_changes(
        course.day, course.value, better=BETTER[course.scale], definition=definition, relapse_day=course.relapse
    )
    return [
        (one.direction, round(one.reference_day), round(one.onset_day), round(one.confirmed_day), one.kind)
        for one in found
    ]


class Exact(Share):
    """A share whose equality is decided by the last bit, as pymsprog does: x - reference >= reference / 5."""

    def reached(self, change: Any, reference: float, direction: Any, given: Any = None) -> Any:
        return change >= reference / 5


def to_the_last_bit(course: Course, definition: Definition) -> list[Event]:
    """Return what konectom would find if it left equality to rounding, as pymsprog does."""
    if not isinstance(definition.threshold, Share):
        return our_events(course, definition)
    return our_events(course, replace(definition, threshold=Exact(definition.threshold.share)))
