"""The real recordings beside the checkout; tests that need them are skipped where they are absent."""

from __future__ import annotations

import csv
import gzip
from functools import cache
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
KONECTOM = SHARED / "data" / "konectom"

needs_shared = pytest.mark.skipif(
    not KONECTOM.is_dir(), reason="the shared recordings are not beside this checkout (../shared/data)"
)


def recordings(*folders: str) -> list[Path]:
    """Return the files of recordings in the folders, in order of name; none where they are absent."""
    return sorted(path for folder in folders for path in (KONECTOM / folder).glob("*.json*"))


@cache
def inflated(path: Path) -> bytes:
    """Return a recording's JSON."""
    body = path.read_bytes()
    return gzip.decompress(body) if path.suffix == ".gz" else body


def expected(path: Path) -> list[dict[str, str]]:
    """Return the published library's values for a recording: rows with level, measure_id, value, flags.

    Those of its further processing steps (``.lee``, ``.gps``) lie in tables of their own, and so do those that it
    gives only when asked for one test by name (``.da``).
    """
    stem = path.name.split(".json")[0].split(".h5")[0]
    found: list[dict[str, str]] = []
    for table in (path.with_name(f"{stem}{more}.expected.csv") for more in ("", ".lee", ".gps", ".da")):
        if table.exists():
            with table.open(newline="") as rows:
                found += [row for row in csv.DictReader(rows) if row.get("measure_id") and row["value"]]
    return found
