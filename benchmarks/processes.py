"""What is measured in processes of their own: memory, start-up, and the published library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

STARTS = 9

# A process's peak counts what its parent held when it began, so that a small one stands between.
LAUNCHER = """
import os, subprocess, sys
quiet = subprocess.DEVNULL
process = subprocess.Popen(sys.argv[1:], stdout=quiet, stderr=quiet)
_, status, used = os.wait4(process.pid, 0)
print(status, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


@dataclass(frozen=True)
class Run:
    """The CPU seconds of a process, and the most memory that it held, in MB."""

    cpu_s: float
    peak_mb: float


def extracting(path: Path, compiled: Path) -> Run:
    """Return what ``konectom extract`` takes for a file, with Python's bytecode kept in ``compiled``."""
    words = [sys.executable, "-c", LAUNCHER, sys.executable]
    words += ["-m", "konectom.cli", "extract", "--format", "json", str(path)]
    # Bytecode is compiled when a package is installed, not whenever it runs.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    checkout = str(Path(__file__).resolve().parents[1])
    environment |= {"PYTHONPYCACHEPREFIX": str(compiled), "PYTHONPATH": checkout}
    told = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    if told[0] != "0":
        raise RuntimeError(f"konectom extract {path} ended with status {told[0]}")
    return Run(float(told[1]), float(told[2]) / (1024 if sys.platform != "darwin" else 1024**2))


def start_and_memory(smallest: Path, largest: Iterable[Path]) -> tuple[Run, list[Run]]:
    """Return what the command takes for the smallest file (the median of some), and for some large ones."""
    with tempfile.TemporaryDirectory() as held:
        compiled = Path(held)
        extracting(smallest, compiled)
        starts = [extracting(smallest, compiled) for _ in range(STARTS)]
        start = Run(median(run.cpu_s for run in starts), max(run.peak_mb for run in starts))
        return start, [extracting(path, compiled) for path in largest]


@dataclass(frozen=True)
class Processed:
    """What the library told of a recording: CPU seconds and measures, and those without Lee's steps, or an error."""

    cpu_s: float | None = None
    measures: int = 0
    usual_cpu_s: float | None = None
    error: str = ""


class Library:
    """The published library in a process of its own, to which recordings are given one after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, path: Path) -> Processed:
        """Return what the library makes of a recording."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(path, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the library's process has ended; does it have dispel 0.0.3?")
        return Processed(**json.loads(answer))


@contextmanager
def library(python: str | None) -> Iterator[Library | None]:
    """Provide the library under a Python 3.10 that has it; None where none is named."""
    if python is None:
        yield None
        return
    words = [python, str(Path(__file__).with_name("published_library.py"))]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    process = subprocess.Popen(
        words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with process:
        yield Library(process)
