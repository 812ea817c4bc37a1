"""Decoding and extraction of real recordings, beside the floor and beside the published library.

    python benchmarks/recordings.py [--runs 21] [--markdown] [DIRECTORY]

DIRECTORY holds Konectom's recordings (default: ../shared/data/konectom beside the checkout). Exit status 1 says that a
recording is over its budget. See benchmarks/README.md for what each column is.
"""

from __future__ import annotations

import argparse
import csv
import gc
import gzip
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time

import orjson

from konectom import formats
from konectom.assessments import get_assessment
from konectom.errors import KonectomError
from konectom.recording import Recording, Rejected, Session

SHARED = Path(__file__).resolve().parents[2] / "shared"
ALLOWANCE_MS = {
    **{"cps": 5.0, "tap": 5.0, "balance": 15.0, "u_turn": 15.0},
    **{"pinch": 60.0, "draw": 60.0, "voice": 150.0},
}
USUAL_ALLOWANCE_MS = 20.0
"""What an assessment may take on top of twice the floor. A file with several has the largest of theirs."""


@dataclass(frozen=True)
class Line:
    """One recording's times in milliseconds."""

    name: str
    size_bytes: int
    floor_ms: float
    decode_ms: float
    extract_ms: float
    total_ms: float
    budget_ms: float
    library_cpu_s: float | None

    @property
    def passes(self) -> bool:
        return self.total_ms <= self.budget_ms

    @property
    def cells(self) -> list[str]:
        library = self.library_cpu_s
        return [
            self.name,
            f"{self.size_bytes / 1e3:,.0f}",
            f"{self.floor_ms:.2f}",
            f"{self.decode_ms:.2f}",
            f"{self.extract_ms:.2f}",
            f"{self.total_ms:.2f}",
            f"{self.total_ms / self.floor_ms:.2f}",
            f"{self.budget_ms:.2f}",
            "pass" if self.passes else "OVER",
            "" if library is None else f"{library:.2f}",
            "" if library is None else f"{1e3 * library / self.total_ms:,.0f}",
        ]


WIDTH = 150
"""Columns that the table needs where names are long."""

HEADERS = (
    *("recording", "kB", "floor ms", "decode ms", "extract ms", "total ms", "x floor", "budget ms", ""),
    *("library CPU s", "times faster"),
)


def measure(path: Path, name: str, runs: int, library: dict[str, float]) -> Line | None:
    """Return the recording's line, or None where this version cannot read it."""
    body = path.read_bytes()
    plain = gzip.decompress(body) if path.suffix == ".gz" else body
    try:
        session = decode(plain)
        extract(session)
    except KonectomError as error:
        print(f"left out: {name} ({error.code})", file=sys.stderr)
        return None
    refused = [each.error["code"] for each in session.recordings if isinstance(each, Rejected)]
    if refused:
        print(f"left out: {name} ({', '.join(refused)})", file=sys.stderr)
        return None

    def whole() -> None:
        extract(decode(plain))

    strict = plain.replace(b"NaN", b"null")  # one format has words that are no JSON

    # Taken in turns, so that what else the machine does falls on all alike.
    steps: list[Callable[[], object]] = [
        lambda: orjson.loads(strict), lambda: decode(plain), lambda: extract(session), whole,
    ]  # fmt: skip
    floor_ms, decode_ms, extract_ms, total_ms = medians_ms(steps, runs)
    names = {each.assessment for each in session.recordings if each.assessment}
    allowance_ms = max(ALLOWANCE_MS.get(each, USUAL_ALLOWANCE_MS) for each in names)
    return Line(
        name, len(plain), floor_ms, decode_ms, extract_ms, total_ms, 2 * floor_ms + allowance_ms, library.get(name)
    )


def decode(plain: bytes) -> Session:
    return formats.read(plain, encoding="identity")


def extract(session: Session) -> None:
    for each in session.recordings:
        if isinstance(each, Recording):
            get_assessment(each.assessment).run(each)


def medians_ms(steps: list[Callable[[], object]], runs: int) -> list[float]:
    times: list[list[float]] = [[] for _ in steps]
    for _ in range(runs):
        for step, taken in zip(steps, times, strict=True):
            gc.collect()
            began = process_time()
            step()
            taken.append(process_time() - began)
    return [1e3 * median(taken) for taken in times]


def library_cpu_s() -> dict[str, float]:
    """Return the published library's CPU seconds by recording; the cheaper of its modes where it has several."""
    table = SHARED / "reference" / "konectom-library-cpu.csv"
    found: dict[str, float] = {}
    if table.exists():
        with table.open(newline="") as rows:
            for row in csv.DictReader(rows):
                if row["process_cpu_s"]:
                    seconds = float(row["process_cpu_s"])
                    found[row["recording"]] = min(seconds, found.get(row["recording"], seconds))
    return found


def as_markdown(lines: list[Line]) -> str:
    rows = [HEADERS, ["---"] + ["---:"] * (len(HEADERS) - 1), *(line.cells for line in lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def show(lines: list[Line]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, header in enumerate(HEADERS):
        table.add_column(header, justify="left" if index in (0, 8) else "right", no_wrap=index == 0)
    for line in lines:
        table.add_row(*line.cells, style=None if line.passes else "red")
    out = Console()
    out.width = max(out.width, WIDTH)
    out.print(table)


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("directory", nargs="?", type=Path, default=SHARED / "data" / "konectom")
    words.add_argument("--runs", type=int, default=21, help="median of this many (default 21)")
    words.add_argument("--markdown", action="store_true", help="print the table as markdown")
    asked = words.parse_args()
    library = library_cpu_s()
    lines = []
    for path in sorted(asked.directory.rglob("*.json*")):
        name = str(path.relative_to(asked.directory)).removesuffix(".gz")
        line = measure(path, name, asked.runs, library)
        if line is not None:
            lines.append(line)
    if not lines:
        print(f"there is no recording in {asked.directory} that this version reads", file=sys.stderr)
        return 1
    if asked.markdown:
        print(as_markdown(lines))
    else:
        show(lines)
    return 0 if all(line.passes for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
