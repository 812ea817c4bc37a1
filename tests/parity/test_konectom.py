"""Every value that Konectom's published library gives for the shared recordings, against ours.

A value counts as equal at a relative tolerance of 1e-6, or 1e-3 in tests whose signals are filtered or resampled.
Whatever is not equal, or not carried at all, must match a row of the table in docs/deviations.md; a row that no
recording needs is as wrong as a missing one. So it is with units, which have a table of their own. Of each file's
values 95 % must be equal, apart from those that the table calls corrected: there the library is at fault, and a right
value cannot be equal.
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
from tests.shared import KONECTOM, expected, inflated, needs_shared, recordings

BDH = (
    "6MWT",
    "ALSFRS",
    "CPS",
    "DRAW",
    "FINGERTAP",
    "MOOD",
    "MSIS29",
    "NEUROQOL",
    "PDQ39",
    "PINCH",
    "PS",
    "SBT-UTT",
    "TYPING",
)
ADS = ("6MWT", "CPS", "DRAW", "GRIP", "MOOD", "MSIS29", "PASSIVE", "PINCH", "SBT-UTT")
TASKS = (*(f"bdh/{task}" for task in BDH), *(f"ads/{task}" for task in ADS), "digital_artefacts/ft")
SAME_UNIT = {
    **{"G": "[g]", "G^2": "[g]2", "mG": "m[g]", "mG/s": "m[g]/s"},
    **{"point": "pt", "point.s-1": "pt/s", "point-1.ms-1": "/pt/ms"},
    **{"rad^2/s^2": "rad2/s2", "m^2/s^3": "m2/s3", "step/s": "/s"},
}
"""The library's way of writing units, and UCUM's."""

RELATIVE = dict.fromkeys(("balance", "draw", "grip", "pinch", "pronation", "typing", "u_turn", "walk"), 1e-3)
EXACT = 1e-6
LEAST_EQUAL = 0.95

pytestmark = needs_shared


@dataclass(frozen=True)
class Deviation:
    """A row of the table: which values (a pattern), and whether they differ, are not carried, or are corrected.

    The pattern may begin with the folder of the recordings of which it speaks.
    """

    pattern: str
    kind: str

    def covers(self, path: Path, name: str, kind: str) -> bool:
        """Tell whether a value that is not equal is one of the row's."""
        place = path.parent.relative_to(KONECTOM) / name
        matches = fnmatchcase(name, self.pattern) or fnmatchcase(str(place), self.pattern)
        return matches and kind != "equal" and self.kind in (kind, "corrected")


def deviations() -> list[Deviation]:
    page = (Path(__file__).resolve().parents[2] / "docs" / "deviations.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \| (differs|not carried|corrected) \|", page, flags=re.MULTILINE)
    return [Deviation(pattern, kind) for pattern, kind in rows]


@dataclass(frozen=True)
class UnitDeviation:
    """A row of the table of units: which values, and the units there and here, all as patterns."""

    patterns: tuple[str, ...]
    theirs: str
    ours: str

    def covers(self, name: str, theirs: str, ours: str) -> bool:
        """Tell whether these units of a value are those of the row."""
        matches = any(fnmatchcase(name, pattern) for pattern in self.patterns)
        return matches and ours == self.ours and self.theirs in (theirs, "any")


def unit_deviations() -> list[UnitDeviation]:
    page = (Path(__file__).resolve().parents[2] / "docs" / "deviations.md").read_text()
    table = page.partition("\n## Units\n")[2]
    rows = re.findall(r"^\| (`[^|]+`) \| `?([^|`]+)`? \| `([^|`]+)` \|", table, flags=re.MULTILINE)
    return [UnitDeviation(tuple(re.findall(r"`([^`]+)`", names)), theirs, ours) for names, theirs, ours in rows]


def units(path: Path) -> list[tuple[str, str, str]]:
    """Return each expected value's name, the unit that the library tells, where it tells one, and ours."""
    mine: dict[str, str] = {}
    for recording in formats.read(inflated(path)).recordings:
        assert isinstance(recording, Recording), recording
        catalogue = get_assessment(recording.assessment).catalogue
        mine |= {entry.aliases["dispel"]: entry.unit for entry in catalogue if "dispel" in entry.aliases}
    told = [(row["measure_id"], row.get("unit") or "") for row in expected(path)]
    return [(name, unit, mine[name]) for name, unit in told if unit and name in mine]


def ours(path: Path) -> dict[str, tuple[float, float]]:
    """Return our values by the library's names, each with the relative tolerance of its assessment."""
    found: dict[str, tuple[float, float]] = {}
    for recording in formats.read(inflated(path)).recordings:
        assert isinstance(recording, Recording), recording
        for entry, value in get_assessment(recording.assessment).run(recording).measures():
            if "dispel" in entry.aliases:
                assert entry.aliases["dispel"] not in found, entry.key
                found[entry.aliases["dispel"]] = (value, RELATIVE.get(recording.assessment, EXACT))
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
    rows = {name: [row for row in deviations() if row.covers(path, name, kind)] for name, kind in told.items()}
    assert not {name: kind for name, kind in told.items() if kind != "equal" and not rows[name]}
    equal = sum(kind == "equal" for kind in told.values())
    corrected = sum(any(row.kind == "corrected" for row in found) for found in rows.values())
    assert equal >= LEAST_EQUAL * (len(told) - corrected), f"{equal} of {len(told)}, {corrected} corrected"


def test_every_row_of_the_table_is_needed() -> None:
    told = [(path, name, kind) for path in FILES for name, kind in compare(path).items()]
    idle = [row.pattern for row in deviations() if not any(row.covers(*each) for each in told)]
    assert not idle


def test_units_are_the_same_or_their_difference_is_explained() -> None:
    rows = unit_deviations()
    told = {each for path in FILES for each in units(path)}
    assert len({name for name, _, _ in told}) > 2500
    other = [each for each in told if SAME_UNIT.get(each[1], each[1]) != each[2]]
    assert not [each for each in sorted(other) if not any(row.covers(*each) for row in rows)]
    assert not [row for row in rows if not any(row.covers(*each) for each in other)]


def test_the_published_example() -> None:
    (path,) = (path for path in FILES if path.name.startswith("uat_cps"))
    mine = {name: value for name, (value, _) in ours(path).items()}
    assert mine["cps-std_rand_key1-corr"] == 51
    assert mine["cps-std-rt-mean"] == pytest.approx(1.782372549, rel=1e-9)
    assert mine["cps-dtd-rt-mean"] == pytest.approx(0.9621, rel=1e-9)
    assert mine["cps-keyf-substitution_time"] == pytest.approx(0.820272549, rel=1e-9)
