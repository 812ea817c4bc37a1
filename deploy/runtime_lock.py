"""The part of requirements.lock that a server needs: what konectom itself asks for, and what that asks for in turn.

The lock holds the tools of development and of tests as well. Each package in it names who asked for it ("# via"), so
that the others can be left out; versions and hashes stay as they are::

    python deploy/runtime_lock.py [--extra postgres] [--also hatchling] > runtime.lock
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def name_of(requirement: str) -> str:
    """Return the package that a requirement is about, as the lock writes it."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
    if found is None:
        raise ValueError(f"no requirement: {requirement}")
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def blocks(lock: str) -> dict[str, list[str]]:
    """Return the lines of each package: with its versions for every Python and system, hashes and who asked for it."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in lock.splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            lines = found.setdefault(name_of(line), [])
        if line[:1] not in ("#", ""):
            lines.append(line)
    return found


def asked_by(lines: Iterable[str]) -> set[str]:
    """Return who asked for a package."""
    told = [line.strip().removeprefix("#").strip().removeprefix("via").strip() for line in lines if "#" in line]
    return {name_of(each) for each in told if each}


def runtime(lock: str, wanted: Iterable[str]) -> list[str]:
    """Return the lines of the packages that are wanted, and of all that these ask for."""
    packages = blocks(lock)
    needed = {name_of(each) for each in wanted}
    absent = needed - packages.keys()
    if absent:
        raise SystemExit(f"not in the lock: {', '.join(sorted(absent))}")
    while more := {name for name, lines in packages.items() if asked_by(lines) & needed} - needed:
        needed |= more
    return [line for name, lines in packages.items() if name in needed for line in lines]


def main() -> None:
    """Print the lock."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--extra", action="append", default=[], help="an extra of konectom")
    parser.add_argument("--also", action="append", default=[], help="a further package of the lock")
    parser.add_argument("--only", action="store_true", help="nothing but what --also names")
    given = parser.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [] if given.only else list(project["dependencies"])
    for extra in given.extra:
        wanted += project["optional-dependencies"][extra]
    lines = runtime((ROOT / "requirements.lock").read_text(), [*wanted, *given.also])
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
