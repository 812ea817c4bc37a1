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
    """Return the published library's values for a recording: rows with level, measure_id, value, flags."""
    table = path.with_name(path.name.split(".json")[0] + ".expected.csv")
    if not table.exists():
        return []
    with table.open(newline="") as rows:
        return [row for row in csv.DictReader(rows) if row.get("measure_id") and row["value"]]
