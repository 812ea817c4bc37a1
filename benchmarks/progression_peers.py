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
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from progression_pairs import PAIRS, SCALES, Course, Event, Pair, cohort, our_events, to_the_last_bit

from konectom.scoring.progression import Definition

EPOCH = date(2015, 1, 1)


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


def their_events(pair: Pair, courses: list[Course]) -> list[list[Event]]:
    """Return what the pair's peer finds."""
    run = pymsprog_events if pair.peer == "pymsprog" else msclinical_events
    return run(courses, **pair.theirs)


@dataclass(frozen=True)
class Remedy:
    """A known difference, and how to remove it: from our side, or from theirs."""

    name: str
    ours: Callable[[Course, Definition], list[Event]] | None = None
    theirs: Callable[[Pair, list[Course]], list[list[Event]]] | None = None


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
    Remedy("equality decided by rounding: pymsprog compares to the last bit", ours=to_the_last_bit),
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
