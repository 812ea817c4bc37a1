"""Wire formats: bytes in, :class:`~konectom.recording.Session` out. One file per format.

A reader takes what the app declared: it never guesses a unit, an order or a clock. What it cannot read it names with a
JSON pointer. One recording that cannot be read never costs the others: it stands in the session as
:class:`~konectom.recording.Rejected`.
"""

from __future__ import annotations

from typing import Any

from konectom.errors import FormatUnknown, NotJson
from konectom.formats import ads, apdm, digital_artefacts, konectom2, sensorlog, session1
from konectom.formats._inflate import encoding_of, inflate
from konectom.formats._json import parse
from konectom.formats._limits import Limits
from konectom.formats._registry import Format
from konectom.formats._streams import KINDS
from konectom.recording import Session

__all__ = ["FORMATS", "KINDS", "Format", "Limits", "outline", "read"]

FORMATS: tuple[Format, ...] = (
    session1.FORMAT,
    konectom2.FORMAT,
    ads.FORMAT,
    digital_artefacts.FORMAT,
    sensorlog.FORMAT,
    apdm.FORMAT,
)
"""Every format there is; what was sent belongs to the first that recognises it."""


def read(
    body: bytes, *, encoding: str | None = None, media_type: str | None = None, limits: Limits | None = None
) -> Session:
    """Return the session in ``body``.

    ``encoding`` is the Content-Encoding (``gzip``, ``zstd``, ``identity``); where it is None the body's first bytes
    tell. ``media_type`` chooses the format; where it names none, the document's own marks do. Raises a
    :class:`~konectom.errors.KonectomError` that says where and what.
    """
    limits = limits or Limits()
    plain = inflate(body, encoding_of(body) if encoding is None else encoding, limits)
    for known in FORMATS:
        if known.magic and plain.startswith(known.magic) and known.recognises(plain):
            return known.read(plain, limits)
    document, flaw = parse(plain)
    del plain
    chosen = _format_of(document, media_type, flaw)
    if flaw is not None and not chosen.takes_nan:
        raise flaw
    return chosen.read(document, limits)


def outline(
    body: bytes, *, encoding: str | None = None, media_type: str | None = None, limits: Limits | None = None
) -> Session:
    """Return the session in ``body`` as far as it can be told without its samples; else as :func:`read` does.

    Every recording is there, with its condition and the names of all its streams; what is wrong with the samples is
    not found.
    """
    return read(body, encoding=encoding, media_type=media_type, limits=limits)


def _format_of(document: Any, media_type: str | None, flaw: NotJson | None) -> Format:
    essence = (media_type or "").split(";", 1)[0].strip().lower()
    documents = [known for known in FORMATS if not known.magic]
    for known in documents:
        if essence and essence in known.media_types:
            if not known.recognises(document):
                raise FormatUnknown(f"the document is not {known.name}, as its media type says")
            return known
    for known in documents:
        if known.recognises(document):
            return known
    if flaw is not None:
        raise flaw
    names = ", ".join(known.name for known in FORMATS)
    raise FormatUnknown(f"the document is none of the formats known here: {names}", at="/schema")
