"""Batches as an app writes them, byte by byte: no library of ours or others has a hand in it."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

BOUNDARY = b"konectom-batch-7f3a"
HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}


def part(name: UUID | str, body: bytes, boundary: bytes = BOUNDARY, **declared: str) -> bytes:
    """One session in its part; ``declared`` are headers, with _ for -."""
    told: dict[str, Any] = {"Content-Type": "application/json"}
    told |= {key.replace("_", "-").title(): value for key, value in declared.items()}
    lines = [f'Content-Disposition: form-data; name="{name}"', *(f"{key}: {value}" for key, value in told.items())]
    head = "".join(f"{line}\r\n" for line in lines)
    return b"--" + boundary + b"\r\n" + head.encode() + b"\r\n" + body + b"\r\n"


def batch(parts: Iterable[bytes], boundary: bytes = BOUNDARY) -> bytes:
    """The parts and the last boundary."""
    return b"".join(parts) + b"--" + boundary + b"--\r\n"
