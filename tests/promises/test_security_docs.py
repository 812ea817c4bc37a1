"""What the pages on security name exists: each file, each setting, each command."""

import re
from pathlib import Path

import pytest

from konectom.cli import cli
from konectom.commands.reference import every_command
from konectom.security.safety import LOUD
from konectom.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("SECURITY.md", "docs/threat-model.md", "docs/compliance.md")
FILE = re.compile(r"`((?:konectom|tests|docs|\.ci)/[\w./-]+|[\w.-]+\.(?:lock|sh|md|toml))`")
COMMANDS = {" ".join(words) for words, _ in every_command(cli, ("konectom",))}


def text_of(page):
    return (ROOT / page).read_text()


def rows_of(page):
    """The rows of the tables that name code and tests, each with its heading."""
    heading = ""
    for line in text_of(page).splitlines():
        if line.startswith("#"):
            heading = line
        if line.startswith("|") and "konectom/" in line:
            yield heading, [cell.strip() for cell in line.strip("|").split(" | ")]


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_exists(page):
    named = set(FILE.findall(text_of(page)))
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    place = (ROOT / page).parent
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text_of(page))}
    assert sorted(link for link in links if not (place / link).exists()) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_that_is_named_exists(page):
    named = set(re.findall(r"KONECTOM_[A-Z_]+", text_of(page)))
    assert named - {each.variable for each in SETTINGS} == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_named_exists(page):
    named = set(re.findall(r"`konectom ((?:[a-z]+ ?){1,2})", text_of(page)))
    assert sorted(name for name in named if f"konectom {name.strip()}" not in COMMANDS) == []


@pytest.mark.parametrize("page", PAGES[1:])
def test_every_row_names_code_and_a_test_of_it(page):
    rows = list(rows_of(page))
    assert len(rows) > 20
    assert [cells[:2] for _, cells in rows if not any("tests/" in cell for cell in cells)] == []


def test_every_boundary_has_its_threats_and_says_what_remains():
    sections = re.split(r"^## (?=[①-⑩])", text_of("docs/threat-model.md"), flags=re.MULTILINE)[1:]
    assert len(sections) == 10
    for section in sections:
        rows = [line for line in section.splitlines() if re.match(r"\| [STRIDE]", line)]
        assert len(rows) >= 2, section[:30]
        assert all(len(row.strip("|").split(" | ")) == 6 for row in rows), section[:30]


def test_every_setting_that_a_server_refuses_to_start_with_is_explained():
    source = (ROOT / "konectom" / "security" / "safety.py").read_text()
    told = text_of("docs/threat-model.md") + text_of("docs/compliance.md")
    variables = set(re.findall(r"KONECTOM_[A-Z_]+", source)) - {"KONECTOM_OBJECT_STORE_URL"}
    assert [name for name in sorted(variables) if name not in told] == []
    assert LOUD


def test_no_line_of_the_rules_is_left_out():
    page = text_of("docs/compliance.md")
    part11 = page.partition("## 21 CFR 11.10")[2].partition("\n## ")[0]
    assert re.findall(r"^\| \(([a-k])\) ", part11, re.MULTILINE) == list("abcdefghijk")
    hipaa = page.partition("## HIPAA")[2].partition("\n## ")[0]
    assert sorted(set(re.findall(r"^\| \(([a-e])\)", hipaa, re.MULTILINE))) == list("abcde")
    gdpr = page.partition("## GDPR")[2]
    assert {"15", "16", "17", "18", "19", "20", "25", "32"} <= set(re.findall(r"^\| (\d+)", gdpr, re.MULTILINE))
