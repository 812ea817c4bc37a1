"""Signs of life: a file for each worker of this host, written again every few seconds, for whoever watches over it."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

EVERY_S = 5.0
SILENT_S = 30.0
"""A worker that gave no sign for so long hangs, or is gone."""

FORGOTTEN_S = 86_400.0


class SignOfLife:
    """The file of this worker."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in _files(directory):
            with suppress(FileNotFoundError):
                if time.time() - old.stat().st_mtime > FORGOTTEN_S:
                    old.unlink()
        self.path = directory / f"{socket.gethostname()}.{os.getpid()}.json"

    def give(self, **told: Any) -> None:
        """Write it; the old one is there until the new one is whole."""
        coming = self.path.with_suffix(".new")
        coming.write_bytes(orjson.dumps({"pid": os.getpid()} | told))
        coming.replace(self.path)

    def end(self) -> None:
        """Remove it: this worker is no more."""
        self.path.unlink(missing_ok=True)


def signs_of_life(directory: Path) -> list[dict[str, Any]]:
    """Return what the workers of this host last said who are alive, with the seconds since."""
    found = []
    for path in _files(directory):
        with suppress(FileNotFoundError):
            age_s = time.time() - path.stat().st_mtime
            if age_s <= SILENT_S:
                found.append(orjson.loads(path.read_bytes()) | {"seconds_ago": round(age_s, 1)})
    return found


def _files(directory: Path) -> list[Path]:
    return sorted(directory.glob(f"{socket.gethostname()}.*.json"))
