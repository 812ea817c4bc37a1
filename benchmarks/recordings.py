"""Decoding and extraction of real recordings, beside the floor and beside the published library.

    python benchmarks/recordings.py [--runs 21] [--library PYTHON3.10] [--markdown] [DIRECTORY]

DIRECTORY holds Konectom's recordings (default: ../shared/data/konectom beside the checkout). Exit status 1 says that a
target was missed. See benchmarks/README.md for what each figure is.
"""

from __future__ import annotations

import argparse
import csv
import gc
import gzip
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import process_time

import orjson
from processes import Library, library, start_and_memory

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

MOST_PEAK_MB, MOST_START_S, LEAST_TIMES = 300.0, 0.5, 300.0
LARGE = 5
"""So many of the largest files are looked at for their memory: it depends on more than the size."""


@dataclass(frozen=True)
class Line:
    """One recording's times in milliseconds; those of the library in seconds."""

    path: Path
    name: str
    tests: str
    size_bytes: int
    floor_ms: float
    decode_ms: float
    extract_ms: float
    total_ms: float
    budget_ms: float
    library_cpu_s: float | None = None
    usual_cpu_s: float | None = None

    @property
    def passes(self) -> bool:
        return self.total_ms <= self.budget_ms

    @property
    def cells(self) -> list[str]:
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
            *compared(self.extract_ms, self.library_cpu_s),
        ]


WIDTH = 150
"""Columns that the table needs where names are long."""

HEADERS = (
    *("recording", "kB", "floor ms", "decode ms", "extract ms", "total ms", "x floor", "budget ms", ""),
    *("library CPU s", "times faster"),
)
TEST_HEADERS = ("tests", "recordings", "extract ms", "library CPU s", "times faster")


def compared(extract_ms: float, library_cpu_s: float | None) -> list[str]:
    """Return the library's time and by how much ours is less, or blanks where it has none."""
    return ["", ""] if library_cpu_s is None else [f"{library_cpu_s:.2f}", f"{1e3 * library_cpu_s / extract_ms:,.0f}"]


def measure(path: Path, name: str, runs: int) -> Line | None:
    """Return the recording's line, or None where this version cannot read it."""
    body = path.read_bytes()
    plain = gzip.decompress(body) if path.suffix == ".gz" else body
    try:
        session = decode(plain)
        extract(session)
        floor = orjson.loads
        floor(plain)
    except KonectomError as error:
        print(f"left out: {name} ({error.code})", file=sys.stderr)
        return None
    except orjson.JSONDecodeError:
        print(f"left out: {name} (no JSON, so without a floor)", file=sys.stderr)
        return None
    refused = [each.error["code"] for each in session.recordings if isinstance(each, Rejected)]
    if refused:
        print(f"left out: {name} ({', '.join(refused)})", file=sys.stderr)
        return None

    def whole() -> None:
        extract(decode(plain))

    strict = plain.replace(b"NaN", b"null")  # one format has words that are no JSON

    # Taken in turns, so that what else the machine does falls on all alike.
    steps: list[Callable[[], object]] = [lambda: floor(strict), lambda: decode(plain), lambda: extract(session), whole]
    floor_ms, decode_ms, extract_ms, total_ms = medians_ms(steps, runs)
    names = {each.assessment for each in session.recordings if each.assessment}
    budget_ms = 2 * floor_ms + max(ALLOWANCE_MS.get(each, USUAL_ALLOWANCE_MS) for each in names)
    tests = ", ".join(sorted(names))
    return Line(path, name, tests, len(plain), floor_ms, decode_ms, extract_ms, total_ms, budget_ms)


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


def recorded_cpu_s() -> dict[str, float]:
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


def beside_library(line: Line, run: Library | None, recorded: dict[str, float]) -> Line:
    """Return the line with the library's time: of this run where it runs, else as recorded."""
    if run is None:
        told = recorded.get(line.name)
        return replace(line, library_cpu_s=told, usual_cpu_s=told)
    print(f"the library on {line.name} ...", file=sys.stderr, end=" ", flush=True)
    done = run(line.path)
    said = done.error if done.cpu_s is None else f"{done.cpu_s:.2f} s, {done.measures} measures {done.error}"
    print(said, file=sys.stderr)
    return replace(line, library_cpu_s=done.cpu_s, usual_cpu_s=done.usual_cpu_s)


def by_test(lines: list[Line]) -> Iterator[list[str]]:
    """Yield for each test, and for all: how many recordings the library processed as well, and both times."""
    known = [line for line in lines if line.library_cpu_s is not None]
    tests = sorted({line.tests for line in known})
    for name, chosen in (*((test, [each for each in known if each.tests == test]) for test in tests), ("all", known)):
        ours_ms = sum(line.extract_ms for line in chosen)
        yield [name, str(len(chosen)), f"{ours_ms:.2f}", *compared(ours_ms, total_s(chosen, "library_cpu_s"))]


def total_s(lines: Iterable[Line], which: str) -> float:
    return float(sum(getattr(line, which) or 0.0 for line in lines))


def targets(lines: list[Line]) -> list[tuple[str, bool]]:
    """Return what was aimed at, in words, and whether it was reached."""
    within = sum(line.passes for line in lines)
    told = [(f"{within} of {len(lines)} recordings within their budget", within == len(lines))]
    known = [line for line in lines if line.library_cpu_s is not None]
    ours_s = sum(line.extract_ms for line in known) / 1e3
    if known:
        full, usual = (total_s(known, which) for which in ("library_cpu_s", "usual_cpu_s"))
        lee = "" if full == usual else f"; {usual / ours_s:,.0f} times less than without Lee's steps ({usual:.0f} s)"
        told.append(
            (
                f"extraction of {len(known)} recordings: {ours_s:.3f} s of CPU, {full / ours_s:,.0f} times less than "
                f"the library's {full:.0f} s{lee}",
                full / ours_s >= LEAST_TIMES,
            )
        )
    by_size = sorted(lines, key=lambda line: line.size_bytes)
    smallest, largest = by_size[0], by_size[-LARGE:]
    start, runs = start_and_memory(smallest.path, [line.path for line in largest])
    told.append((f"konectom extract {smallest.name}: {start.cpu_s:.2f} s of CPU in all", start.cpu_s < MOST_START_S))
    peak_mb, most = max((each.peak_mb, line.name) for each, line in zip(runs, largest, strict=True))
    told.append((f"konectom extract {most}: {peak_mb:.0f} MB, the most of the largest files", peak_mb < MOST_PEAK_MB))
    return told


def as_markdown(headers: Iterable[str], rows: Iterable[list[str]]) -> str:
    told = list(headers)
    table = [told, ["---"] + ["---:"] * (len(told) - 1), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in table) + "\n"


def show(headers: Iterable[str], rows: Iterable[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, header in enumerate(headers):
        table.add_column(header, justify="left" if not (index and header) else "right", no_wrap=index == 0)
    for row in rows:
        table.add_row(*row, style="red" if "OVER" in row else None)
    out = Console()
    out.width = max(out.width, WIDTH)
    out.print(table)
    out.print()


def measured(asked: argparse.Namespace) -> Iterator[Line]:
    recorded = recorded_cpu_s()
    files = [path for path in sorted(asked.directory.rglob("*")) if path.is_file() and ".csv" not in path.suffixes]
    with library(asked.library) as run:
        for path in files:
            name = str(path.relative_to(asked.directory)).removesuffix(".gz")
            line = measure(path, name, asked.runs)
            if line is not None:
                yield beside_library(line, run, recorded)


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("directory", nargs="?", type=Path, default=SHARED / "data" / "konectom")
    words.add_argument("--runs", type=int, default=21, help="median of this many (default 21)")
    words.add_argument("--library", metavar="PYTHON", help="a Python 3.10 with dispel 0.0.3, to run beside ours")
    words.add_argument("--markdown", action="store_true", help="print the tables as markdown")
    asked = words.parse_args()
    lines = list(measured(asked))
    if not lines:
        print(f"there is no recording in {asked.directory} that this version reads", file=sys.stderr)
        return 1
    for headers, rows in ((HEADERS, [line.cells for line in lines]), (TEST_HEADERS, list(by_test(lines)))):
        if asked.markdown:
            print(as_markdown(headers, rows))
        else:
            show(headers, rows)
    reached = targets(lines)
    for what, good in reached:
        print(f"{'- ' if asked.markdown else ''}{what}{'' if good else ' - MISSED'}")
    return 0 if all(good for _, good in reached) else 1


if __name__ == "__main__":
    sys.exit(main())
