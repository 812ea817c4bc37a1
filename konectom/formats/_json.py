"""JSON documents; and those that are JSON but for the words NaN and Infinity, as Python and pandas write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson

from konectom.errors import NotJson

MOST_WORDS = 1_000_000
"""No document with more of these words is mended: that bounds the time."""

LONG_BYTES = 1024
MOST_ARRAYS = 10_000
"""Shorter arrays are parsed as fast as they are left out; behind so many others, long ones are parsed as well."""

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


def without_samples(plain: bytes) -> bytes:
    """Return the text with a 0 alone in its long arrays of numbers and nulls: who wants no samples need not parse them.

    Not with nothing in them: an array that stands where something else is due must not look like one that was left out.
    Whether they are numbers as JSON writes them is not looked at. All else stands as it was; a text that has no such
    array is itself.
    """
    pieces: list[bytes] = []
    kept = seen = quotes = 0
    for start, end in _long_arrays(plain):
        # Escapes are blanked, so that every quotation mark left opens or closes a text.
        before = plain[seen:start].replace(b"\\\\", b"__").replace(b'\\"', b"__")
        quotes, seen = quotes + before.count(b'"'), start
        if quotes % 2 == 0 and _is_numbers(plain, start, end):
            pieces += plain[kept:start], b"0"
            kept = seen = end
    return b"".join((*pieces, plain[kept:])) if pieces else plain


def _long_arrays(plain: bytes) -> Iterator[tuple[int, int]]:
    """Yield where long arrays begin and end that hold no other, or what looks like one, in the order of the text."""
    end = -1
    for _ in range(MOST_ARRAYS):
        last, end = end, plain.find(b"]", end + 1)
        if end < 0:
            return
        start = plain.rfind(b"[", last + 1, end) + 1
        if start and end - start >= LONG_BYTES:
            yield start, end


def _is_numbers(plain: bytes, start: int, end: int) -> bool:
    """Tell whether nothing but what numbers and nulls are written with stands between, as far as a glance shows."""
    written = np.frombuffer(plain, np.uint8, end - start, start)
    letters = written[written > ord("9")].tobytes()
    return not letters.translate(None, b"eEnul") and plain.find(b'"', start, end) < 0


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
