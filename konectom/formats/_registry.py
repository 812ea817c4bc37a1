"""What a format is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from konectom.formats._limits import Limits
from konectom.formats._source import Source
from konectom.recording import Recording, Rejected, Session


class Opened(Protocol):
    """A session of which parts are read when they are asked for."""

    head: Session
    """The session without its recordings."""

    def outline(self) -> Session:
        """Return the session with recordings that name their streams and hold none."""

    def read(self) -> Session:
        """Return the session with all its recordings."""

    def recordings(self) -> Iterator[Recording | Rejected]:
        """Yield the recordings, one in memory after the other."""


@dataclass(frozen=True, slots=True)
class Format:
    """A wire format: its name, its media types, how a document of it is recognised, and its reader.

    A binary format has ``magic``, the bytes with which its files begin; its reader is given the bytes, and
    ``recognises`` tells whether the bytes are worth a try. The others are given the JSON document. Where ``takes_nan``,
    senders write the words NaN and Infinity, which are no JSON: they are read as null.

    ``outline`` reads what is told of the recordings and leaves their samples; a format without it is read whole. A
    binary format that has ``open`` in place of both can be read in pieces, from a file as well.
    """

    name: str
    title: str
    media_types: tuple[str, ...]
    recognises: Callable[[Any], bool]
    read: Callable[[Any, Limits], Session]
    magic: tuple[bytes, ...] = ()
    takes_nan: bool = False
    outline: Callable[[Any, Limits], Session] | None = None
    open: Callable[[Source, Limits], Opened] | None = None
