"""Wire formats: bytes in, :class:`~konectom.recording.Session` out. One file per format.

A reader takes what the app declared: it never guesses a unit, an order or a clock. What it cannot read it names with a
JSON pointer. One recording that cannot be read never costs the others: it stands in the session as
:class:`~konectom.recording.Rejected`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

from konectom.errors import BodyTooLarge, FormatUnknown, InflatedTooLarge, NotJson
from konectom.formats import ads, apdm, archive, arrow, digital_artefacts, konectom2, parquet, sensorlog, session1
from konectom.formats._inflate import encoding_of, inflate
from konectom.formats._json import parse, without_samples
from konectom.formats._limits import Limits
from konectom.formats._registry import Format
from konectom.formats._source import Body, Source
from konectom.formats._streams import KINDS
from konectom.recording import Recording, Rejected, Session

__all__ = ["FORMATS", "KINDS", "Format", "Limits", "outline", "read", "recordings"]

BEGIN_BYTES = 16

FORMATS: tuple[Format, ...] = (
    session1.FORMAT,
    arrow.FORMAT,
    parquet.FORMAT,
    archive.FORMAT,
    konectom2.FORMAT,
    ads.FORMAT,
    digital_artefacts.FORMAT,
    sensorlog.FORMAT,
    apdm.FORMAT,
)
"""Every format there is; what was sent belongs to the first that recognises it."""


def read(
    body: Body | BinaryIO,
    *,
    encoding: str | None = None,
    media_type: str | None = None,
    limits: Limits | None = None,
) -> Session:
    """Return the session in ``body``, bytes or a file that can be gone about in.

    ``encoding`` is the Content-Encoding (``gzip``, ``zstd``, ``identity``); where it is None the body's first bytes
    tell. ``media_type`` chooses the format; where it names none, the document's own marks do. Raises a
    :class:`~konectom.errors.KonectomError` that says where and what.
    """
    limits = limits or Limits()
    source, known = _unpacked(body, encoding, media_type, limits)
    if known is not None and known.open is not None:
        return known.open(source, limits).read()
    return _read_whole(source, known, media_type, limits)


def outline(
    body: Body | BinaryIO,
    *,
    encoding: str | None = None,
    media_type: str | None = None,
    limits: Limits | None = None,
) -> Session:
    """Return the session as :func:`read` does, but without samples: what it tells of itself, and names of streams.

    A recording here names in ``beside`` the streams that it carries, in all its parts, and notes those that nobody
    knows; its parts are not told apart. It may be one that :func:`read` rejects; one that is rejected here is rejected
    there as well. Of a format that has no cheaper way, it is what :func:`read` returns. Raises as :func:`read`, but for
    what is wrong with the samples alone, such as a number that JSON does not write so.
    """
    limits = limits or Limits()
    source, known = _unpacked(body, encoding, media_type, limits)
    if known is not None and known.open is not None:
        return known.open(source, limits).outline()
    if known is not None:
        return known.read(source.whole(), limits)
    return _outlined(source.whole(), media_type, limits)


def recordings(
    body: Body | BinaryIO,
    *,
    encoding: str | None = None,
    media_type: str | None = None,
    limits: Limits | None = None,
) -> Iterator[Recording | Rejected]:
    """Yield the recordings that :func:`read` returns, in a table or an archive each read when it is asked for.

    What is in memory is then bounded by the largest, and so is ``max_inflated_bytes``, as far as the body itself is not
    packed. Raises as :func:`read`, for what lies further back only when it is reached.
    """
    limits = limits or Limits()
    source, known = _unpacked(body, encoding, media_type, limits)
    if known is not None and known.open is not None:
        yield from known.open(source, limits).recordings()
    else:
        yield from _read_whole(source, known, media_type, limits).recordings


def _unpacked(
    body: Body | BinaryIO, encoding: str | None, media_type: str | None, limits: Limits
) -> tuple[Source, Format | None]:
    """Return the body without its Content-Encoding, and the binary format that its first bytes tell, if any."""
    source = Source(body)
    if source.size > limits.max_body_bytes:
        raise BodyTooLarge(f"the body has {source.size} bytes; at most {limits.max_body_bytes} are accepted")
    begin = bytes(source.take(0, min(BEGIN_BYTES, source.size)))
    encoding = encoding_of(begin) if encoding is None else encoding.strip().lower() or "identity"
    if encoding != "identity":
        source = Source(inflate(source.whole(), encoding, limits))
        begin = bytes(source.take(0, min(BEGIN_BYTES, source.size)))
    known = next((each for each in FORMATS if each.magic and begin.startswith(each.magic)), None)
    if (known is None or known.open is None) and source.size > limits.max_inflated_bytes:
        raise InflatedTooLarge(f"the body has {source.size} bytes; at most {limits.max_inflated_bytes} are accepted")
    told = next((each for each in FORMATS if each.magic and _essence(media_type) in each.media_types), None)
    if told is not None and known is None:
        raise FormatUnknown(f"the body is not {told.name}, as its media type says")
    return source, known


def _read_whole(source: Source, known: Format | None, media_type: str | None, limits: Limits) -> Session:
    if known is not None:
        return known.read(source.whole(), limits)
    chosen, document = _document(source.whole(), media_type)
    return chosen.read(document, limits)


def _outlined(plain: bytes, media_type: str | None, limits: Limits) -> Session:
    """Return the outline of a JSON document; its samples are parsed only where there is no telling without them."""
    brief = without_samples(plain)
    if brief is not plain:
        with suppress(NotJson, FormatUnknown):
            chosen, document = _document(brief, media_type)
            if chosen.outline is not None:
                return chosen.outline(document, limits)
    chosen, document = _document(plain, media_type)
    return (chosen.outline or chosen.read)(document, limits)


def _document(plain: bytes, media_type: str | None) -> tuple[Format, Any]:
    """Return the format of a JSON document, and the document."""
    document, flaw = parse(plain)
    chosen = _format_of(document, media_type, flaw)
    if flaw is not None and not chosen.takes_nan:
        raise flaw
    return chosen, document


def _essence(media_type: str | None) -> str:
    return (media_type or "").split(";", 1)[0].strip().lower()


def _format_of(document: Any, media_type: str | None, flaw: NotJson | None) -> Format:
    essence = _essence(media_type)
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
