"""JSON documents; and those that are JSON but for the words NaN and Infinity, as Python and pandas write them."""

from __future__ import annotations

import re
from typing import Any

import orjson

from konectom.errors import NotJson

MOST_WORDS = 1_000_000
"""No document with more of these words is mended: that bounds the time."""

_WORDS = re.compile(rb"NaN|-?Infinity")


def parse(plain: bytes) -> tuple[Any, NotJson | None]:
    """Return the document, and why it is no JSON where that is only for the words NaN and Infinity: there, None stands.

    JSON (RFC 8259) has no such numbers. Whether a format accepts them is its own affair. Raises :class:`NotJson`.
    """
    try:
        return orjson.loads(plain), None
    except orjson.JSONDecodeError as error:
        refused = NotJson(f"the body is not a JSON document: {error}")
    mended = _without_words(plain)
    if mended is not None:
        try:
            return orjson.loads(mended), refused
        except orjson.JSONDecodeError:
            pass  # something else is wrong, too; the first fault is told
    raise refused from None


def _without_words(plain: bytes) -> bytes | None:
    """Return the text with ``null`` for each such word outside of texts; None where there are none, or too many."""
    # Escapes are blanked, each by as many bytes, so that every quotation mark left opens or closes a text.
    marks = plain.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    pieces: list[bytes] = []
    seen = kept = quotes = 0
    for count, found in enumerate(_WORDS.finditer(marks)):
        if count == MOST_WORDS:
            return None
        quotes += marks.count(b'"', seen, found.start())
        seen = found.start()
        if quotes % 2 == 0:
            pieces += (plain[kept : found.start()], b"null")
            kept = found.end()
    return b"".join((*pieces, plain[kept:])) if pieces else None
