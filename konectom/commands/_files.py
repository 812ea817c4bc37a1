"""Files named on the command line."""

from __future__ import annotations

import sys
from pathlib import Path

STDIN = "-"


class FileUnreadable(Exception):
    """A file that cannot be opened or read; told as the refusals of konectom itself are."""

    code = "file_unreadable"
    at = None

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def as_dict(self) -> dict[str, str]:
        """Return code and detail as they stand beside a recording."""
        return {"code": self.code, "detail": self.detail}


def read_file(name: str) -> bytes:
    """Return a file's bytes, or those of standard input for ``-``; raises :class:`FileUnreadable`."""
    try:
        return sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    except OSError as error:
        raise FileUnreadable(error.strerror or str(error)) from None
