"""What only computes must not pay for the server: what a command imports, and what it leaves alone."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from konectom.simulate.cohort import QUANTITIES, simulate_cohort
from konectom.simulate.patients import visits
from konectom.simulate.sessions import upload
from tests.shared import KONECTOM, needs_shared

ROOT = Path(__file__).resolve().parents[2]
SERVER = {"flask", "sqlalchemy", "alembic", "pyarrow", "structlog", "gunicorn", "flask_smorest", "konectom.app"}
RUN = """
import sys
from konectom.cli import cli
try:
    cli.main(sys.argv[1:], prog_name="konectom")
finally:
    print("IMPORTED", *sys.modules)
"""


def imported_by(*words: object) -> set[str]:
    """Return the modules that a command imports, run in a process of its own without any setting."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("IMPORTED")[2].split())


def body_of_each_test(tmp_path: Path) -> Path:
    """Write a session with every simulated assessment."""
    (patient,) = simulate_cohort(1, seed=1)
    visit = next(visits(patient, QUANTITIES, start=date(2025, 1, 6), weeks=1))
    path = tmp_path / "session.json.gz"
    path.write_bytes(upload(patient, visit, QUANTITIES).body)
    return path


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_extract_imports_no_server_and_no_database(tmp_path, form):
    assert imported_by("extract", "--format", form, body_of_each_test(tmp_path)) & SERVER == set()


@needs_shared
def test_extract_of_a_symbol_digit_test_needs_no_scipy():
    modules = imported_by("extract", "--format", "json", KONECTOM / "bdh" / "CPS" / "uat_cps.json.gz")
    assert modules & ({"scipy", "rich"} | SERVER) == set()


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("extract", "--help"), ("demo", "--help")])
def test_help_imports_neither_maths_nor_server(words):
    assert imported_by(*words) & ({"numpy", "scipy", "rich", "orjson", "marshmallow"} | SERVER) == set()


def test_the_catalogue_needs_no_server():
    assert imported_by("catalogue", "--format", "csv") & ({"scipy"} | SERVER) == set()


def test_importing_the_package_imports_nothing_else():
    done = subprocess.run(
        [sys.executable, "-c", "import konectom, sys; print(*sys.modules)"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert set(done.stdout.split()) & ({"numpy", "click"} | SERVER) == set()
