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
    ``recognises`` tells whether the bytes are worth a try. The others are given the JSON document. Where ``takes_nan``,
    senders write the words NaN and Infinity, which are no JSON: they are read as null.
    """

    name: str
    title: str
    media_types: tuple[str, ...]
    recognises: Callable[[Any], bool]
    read: Callable[[Any, Limits], Session]
    magic: bytes = b""
    takes_nan: bool = False
