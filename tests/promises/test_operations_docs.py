"""docs/operations.md names every finding, every figure and every command as they are."""

import re
from pathlib import Path

from konectom.metrics import EVERY
from konectom.settings import IN_FILE, SETTINGS
from konectom.workflows.checkup import FINDINGS
from konectom.workflows.standing import figures

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "operations.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| `")]


def test_every_finding_stands_there_with_what_to_do():
    told = {row[0].strip("`"): tuple(row[1:]) for row in ROWS if len(row) == 3}
    assert told == {kind.code: (kind.severity, kind.remedy) for kind in FINDINGS.values()}


def test_every_figure_stands_there(services):
    told = {row[0].strip("`"): row for row in ROWS if len(row) == 4}
    counted = {each.name + ("_total" if each.kind == "counter" else ""): each for each in EVERY}
    for name, each in counted.items():
        assert told[name][1:] == [each.kind, ", ".join(f"`{label}`" for label in each.labels), each.means]
    read = {each.name: each for each in figures(services)}
    for name, figure in read.items():
        assert told[name][1:] == ["gauge", ", ".join(f"`{label}`" for label, _ in figure.labels), figure.means]
    assert set(told) == {*counted, *read, "konectom_info"}


def test_what_wakes_somebody_up_is_counted():
    known = {row[0].strip("`") for row in ROWS if len(row) == 4}
    assert set(re.findall(r"\bkonectom_[a-z_]+(?=[{ )=])", PAGE)) <= known | {"konectom_info"}


def test_variables_and_links_are_there():
    variables = {each.variable for each in SETTINGS} | {"KONECTOM_HOST"}
    told = {name.removesuffix(IN_FILE) for name in re.findall(r"KONECTOM_[A-Z_]+[A-Z]", PAGE)}
    assert told <= variables
    for page in (PAGE, (DOCS / "capacity.md").read_text()):
        for target in re.findall(r"\]\(([a-z-]+\.md)", page):
            assert (DOCS / target).is_file(), target
