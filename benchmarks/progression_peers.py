"""Confirmed progression beside two published packages: the same courses, the same definitions, event by event.

    python -m venv peers && peers/bin/pip install msclinical==0.1.0 pymsprog==1.0.7
    PYTHONPATH=. peers/bin/python benchmarks/progression_peers.py [--courses 1000] [--seed 1]
    PYTHONPATH=. peers/bin/python benchmarks/progression_peers.py --courses 40 --record FILE

(tests/scoring/data/progression_peers.json was recorded so.)

Courses are simulated with relapses, missed visits, long gaps and visits between the scheduled ones. An event is the
tuple of direction, reference day, onset day and confirming day, with the kind where relapses count. A course on which
both sides tell the same events agrees. For the others each known difference is removed in turn (REMEDIES); what agrees
then is explained by it. Exit status 1: some course differs and is not explained.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
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
EPOCH = date(2015, 1, 1)

Event = tuple[str, int, int, int, str | None]


@dataclass(frozen=True)
class Course:
    """One simulated course: whole days, values, relapse onsets."""

    scale: str
    day: list[int]
    value: list[float]
    relapse: list[int]


# --- courses ---------------------------------------------------------------------------------------------------------


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


# --- the peers -------------------------------------------------------------------------------------------------------


def _whole(number: Any) -> int:
    return round(float(number))


def pymsprog_events(courses: list[Course], **options: Any) -> list[list[Event]]:
    """Return what pymsprog finds in each course."""
    import pandas as pd
    from pymsprog import MSprog

    outcome = options.pop("outcome", courses[0].scale)
    visits = pd.DataFrame(
        [(index, float(d), v) for index, one in enumerate(courses) for d, v in zip(one.day, one.value, strict=True)],
        columns=["id", "day", "value"],
    )
    relapses = pd.DataFrame(
        [(index, float(d)) for index, one in enumerate(courses) for d in one.relapse], columns=["id", "day"]
    )
    days = options.setdefault("conf_days", 84)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        _, found = MSprog(
            visits, "id", "value", "day", outcome, relapse=relapses, date_format="day", include_dates=True,
            include_stable=True, verbose=0, **options,
        )  # fmt: skip
    events: list[list[Event]] = [[] for _ in courses]
    for row in found[found["event_type"] != ""].to_dict("records"):
        direction = "improvement" if row["event_type"] == "CDI" else "worsening"
        kind = (row.get("CDW_type") or None) if options.get("RAW_PIRA") and direction == "worsening" else None
        told = tuple(_whole(row[name]) for name in ("bl_date", "date", f"conf{days}_date"))
        events[int(row["id"])].append((direction, *told, kind))
    return events


def _dated(day: int) -> str:
    return (EPOCH + timedelta(days=day)).isoformat()


def _since(day: Any) -> int:
    return (day - EPOCH).days


def msclinical_events(courses: list[Course], **rules: Any) -> list[list[Event]]:
    """Return what msclinical (edssplus, cogworse) finds in each course; it finds worsening only."""
    import pandas as pd

    scale = courses[0].scale
    column = {"edss": "edss", "sdmt": "sdmt", "nhpt": "hpt9_dom", "t25fw": "t25fw"}[scale]
    visits = pd.DataFrame(
        [(i, _dated(d), v) for i, one in enumerate(courses) for d, v in zip(one.day, one.value, strict=True)],
        columns=["patient", "date", column],
    )
    if scale == "sdmt":
        from msclinical.cogworse.core import Rules, events

        found = events(visits, Rules(baseline_visits=1, **rules))
    else:
        from msclinical.edssplus.core import Rules as EdssRules
        from msclinical.edssplus.core import events as edss_events

        found = edss_events(visits, EdssRules(**rules))
    told: list[list[Event]] = [[] for _ in courses]
    for row in found[found["status"] == "confirmed"].to_dict("records"):
        days = tuple(_since(row[name]) for name in ("reference_date", "onset_date", "confirmation_date"))
        told[int(row["patient"])].append(("worsening", *days, None))
    return told


# --- the same definitions, theirs and ours ---------------------------------------------------------------------------


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
        (one.direction, _whole(one.reference_day), _whole(one.onset_day), _whole(one.confirmed_day), one.kind)
        for one in found
    ]


def their_events(pair: Pair, courses: list[Course]) -> list[list[Event]]:
    """Return what the pair's peer finds."""
    run = pymsprog_events if pair.peer == "pymsprog" else msclinical_events
    return run(courses, **pair.theirs)


# --- what explains a difference --------------------------------------------------------------------------------------


class Exact(Share):
    """A share whose equality is decided by the last bit, as pymsprog does: x - reference >= reference / 5."""

    def reached(self, change: Any, reference: float, direction: Any, given: Any = None) -> Any:
        return change >= reference / 5


@dataclass(frozen=True)
class Remedy:
    """A known difference, and how to remove it: from our side, or from theirs."""

    name: str
    ours: Callable[[Course, Definition], list[Event]] | None = None
    theirs: Callable[[Pair, list[Course]], list[list[Event]]] | None = None


def _to_the_last_bit(course: Course, definition: Definition) -> list[Event]:
    if not isinstance(definition.threshold, Share):
        return our_events(course, definition)
    return our_events(course, replace(definition, threshold=Exact(definition.threshold.share)))


def _without_early_relapses(course: Course, definition: Definition) -> list[Event]:
    return our_events(replace(course, relapse=[at for at in course.relapse if at >= course.day[0] - 30]), definition)


def _mirrored(pair: Pair, courses: list[Course]) -> list[list[Event]]:
    """Give pymsprog the SDMT as points lost of 110, so that more is worse."""
    if pair.peer != "pymsprog" or courses[0].scale != "sdmt":
        return their_events(pair, courses)
    turned = [replace(one, value=[110.0 - v for v in one.value]) for one in courses]
    custom = {"outcome": "custom", "worsening": "increase", "delta_fun": lambda lost: min((110.0 - lost) / 5, 4.0)}
    return pymsprog_events(turned, **pair.theirs, **custom)


REMEDIES = (
    Remedy("equality decided by rounding: pymsprog compares to the last bit", ours=_to_the_last_bit),
    Remedy("pymsprog forgets relapses more than 30 days before the first visit", ours=_without_early_relapses),
    Remedy("pymsprog takes any lower value for a smaller improvement, of the SDMT too", theirs=_mirrored),
)


@dataclass(frozen=True)
class Compared:
    """One definition on the courses of one scale."""

    pair: Pair
    scale: str
    courses: int
    theirs: int
    ours: int
    agree: int
    explained: dict[str, int]

    @property
    def unexplained(self) -> int:
        return self.courses - self.agree - sum(self.explained.values())


def compare(pair: Pair, courses: list[Course]) -> Compared:
    """Return how many courses have the same events on both sides, and what explains the others."""
    definition = pair.ours(courses[0].scale)
    theirs = their_events(pair, courses)
    ours = [our_events(course, definition) for course in courses]
    differ = [index for index, mine in enumerate(ours) if mine != theirs[index]]
    explained: Counter[str] = Counter()
    for remedy in REMEDIES:
        left = [courses[index] for index in differ]
        new_theirs = remedy.theirs(pair, left) if remedy.theirs and left else [theirs[index] for index in differ]
        new_ours = [(remedy.ours or our_events)(course, definition) for course in left]
        solved = {index for index, a, b in zip(differ, new_ours, new_theirs, strict=True) if a == b}
        explained[remedy.name] += len(solved)
        differ = [index for index in differ if index not in solved]
    for index in differ:
        print(f"unexplained: {pair.name}: {courses[index]}\n  theirs {theirs[index]}\n  ours {ours[index]}")
    agree = len(courses) - len(differ) - explained.total()
    return Compared(pair, courses[0].scale, len(courses), sum(map(len, theirs)), sum(map(len, ours)), agree, +explained)


def cohort(scale: str, count: int, seed: int) -> list[Course]:
    """Return the same courses for the same seed."""
    rng = np.random.default_rng([seed, SCALES.index(scale)])
    return [simulate(scale, rng) for _ in range(count)]


# --- telling ---------------------------------------------------------------------------------------------------------


def table(lines: list[Compared]) -> str:
    head = "| peer | definition | scale | courses | their events | our events | same events | explained |\n"
    rows = [
        f"| {one.pair.peer} | {one.pair.name} | {one.scale} | {one.courses} | {one.theirs} | {one.ours} | {one.agree} |"
        f" {'; '.join(f'{count}: {name}' for name, count in one.explained.items())} |"
        for one in lines
    ]
    return head + "|---|---|---|---|---|---|---|---|\n" + "\n".join(rows)


def record(file: Path, count: int, seed: int) -> None:
    """Write some courses and what the peers find in them, for tests that run without the peers."""
    from importlib.metadata import version

    found: dict[str, Any] = {
        "command": f"benchmarks/progression_peers.py --courses {count} --seed {seed} --record",
        "versions": {peer: version(peer) for peer in ("msclinical", "pymsprog", "numpy", "pandas")},
        "courses": {},
        "events": [],
    }
    for scale in SCALES:
        courses = cohort(scale, count, seed)
        found["courses"][scale] = [[one.day, one.value, one.relapse] for one in courses]
        for pair in (pair for pair in PAIRS if scale in pair.scales):
            run = _mirrored if "any improvement" in pair.name else their_events
            found["events"].append({"pair": pair.name, "peer": pair.peer, "scale": scale, "found": run(pair, courses)})
    file.write_text(json.dumps(found, separators=(",", ":")).replace("],[[", "],\n[[").replace("},{", "},\n{") + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--courses", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", type=Path, help="write the courses and the peers' events to this file")
    asked = parser.parse_args()
    if asked.record:
        record(asked.record, asked.courses, asked.seed)
        return 0
    lines = [
        compare(pair, cohort(scale, asked.courses, asked.seed))
        for scale in SCALES
        for pair in PAIRS
        if scale in pair.scales
    ]
    print(table(lines))
    return int(any(one.unexplained for one in lines))


if __name__ == "__main__":
    sys.exit(main())
