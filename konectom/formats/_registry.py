"""What a format is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from konectom.formats._limits import Limits
from konectom.recording import Session


@dataclass(frozen=True, slots=True)
class Format:
    """A wire format: its name, its media types, how a document of it is recognised, and its reader.

    A binary format has ``magic``, the bytes with which its files begin; its reader is given the bytes, and
    ``recognises`` tells whether the bytes are worth a try. The others are given the JSON document.
    """

    name: str
    title: str
    media_types: tuple[str, ...]
    recognises: Callable[[Any], bool]
    read: Callable[[Any, Limits], Session]
    magic: bytes = b""
