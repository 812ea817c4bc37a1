"""Every value that Konectom's published library gives for the shared recordings, against ours.

A value counts as equal at a relative tolerance of 1e-6, or 1e-3 in tests whose signals are filtered or resampled.
Whatever is not equal, or not carried at all, must match a row of the table in docs/deviations.md; a row that no
recording needs is as wrong as a missing one.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from konectom import formats
from konectom.assessments import get_assessment
from konectom.recording import Recording
from tests.shared import expected, inflated, needs_shared, recordings

TASKS = ("bdh/CPS", "bdh/FINGERTAP", "bdh/SBT-UTT", "ads/CPS", "ads/SBT-UTT", "bdh/DRAW", "ads/DRAW")
RELATIVE = {"cps": 1e-6, "tap": 1e-6, "balance": 1e-3, "u_turn": 1e-3, "draw": 1e-3}
LEAST_EQUAL = 0.95

pytestmark = needs_shared


@dataclass(frozen=True)
class Deviation:
    """A row of the table: which values (a pattern), and whether they differ or are not carried."""

    pattern: str
    kind: str


def deviations() -> list[Deviation]:
    page = (Path(__file__).resolve().parents[2] / "docs" / "deviations.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \| (differs|not carried) \|", page, flags=re.MULTILINE)
    return [Deviation(pattern, kind) for pattern, kind in rows]


def ours(path: Path) -> dict[str, tuple[float, float]]:
    """Return our values by the library's names, each with the relative tolerance of its assessment."""
    found: dict[str, tuple[float, float]] = {}
    for recording in formats.read(inflated(path)).recordings:
        assert isinstance(recording, Recording), recording
        for entry, value in get_assessment(recording.assessment).run(recording).measures():
            if "dispel" in entry.aliases:
                assert entry.aliases["dispel"] not in found, entry.key
                found[entry.aliases["dispel"]] = (value, RELATIVE[recording.assessment])
    return found


def compare(path: Path) -> dict[str, str]:
    """Return for each expected value: equal, differs or not carried."""
    mine = ours(path)
    told = {}
    for row in expected(path):
        name, theirs = row["measure_id"], float(row["value"])
        if name not in mine:
            told[name] = "not carried"
            continue
        value, relative = mine[name]
        close = math.isclose(value, theirs, rel_tol=relative, abs_tol=1e-12)
        told[name] = "equal" if close else "differs"
    return told


FILES = [path for path in recordings(*TASKS) if expected(path)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_at_least_95_percent_are_equal_and_the_rest_is_explained(path: Path) -> None:
    told = compare(path)
    unexplained = {
        name: kind
        for name, kind in told.items()
        if kind != "equal" and not any(row.kind == kind and fnmatchcase(name, row.pattern) for row in deviations())
    }
    assert not unexplained
    equal = sum(kind == "equal" for kind in told.values())
    assert equal >= LEAST_EQUAL * len(told), f"{equal} of {len(told)}"


def test_every_row_of_the_table_is_needed() -> None:
    told = [item for path in FILES for item in compare(path).items()]
    idle = [
        row.pattern
        for row in deviations()
        if not any(row.kind == kind and fnmatchcase(name, row.pattern) for name, kind in told)
    ]
    assert not idle


def test_the_published_example() -> None:
    (path,) = (path for path in FILES if path.name.startswith("uat_cps"))
    mine = {name: value for name, (value, _) in ours(path).items()}
    assert mine["cps-std_rand_key1-corr"] == 51
    assert mine["cps-std-rt-mean"] == pytest.approx(1.782372549, rel=1e-9)
    assert mine["cps-dtd-rt-mean"] == pytest.approx(0.9621, rel=1e-9)
    assert mine["cps-keyf-substitution_time"] == pytest.approx(0.820272549, rel=1e-9)
