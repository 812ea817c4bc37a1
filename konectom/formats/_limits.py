"""How much one body may hold. Each limit is checked before the memory is spent."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one session.

    ``max_values`` counts every number and text in the streams and events of a recording. Events of one type share
    their attributes: one that an event leaves out counts. Free texts take together at most four characters a value,
    each as wide as the longest of its column.

    ``max_inflated_bytes`` bounds what is unpacked at a time: a body, or what one recording takes of a table or archive
    that is read one after the other; ``max_inflation_ratio`` bounds what is unpacked in all.
    """

    max_body_bytes: int = 32 * MEBIBYTE
    max_inflated_bytes: int = 128 * MEBIBYTE
    max_inflation_ratio: int = 100
    max_recordings: int = 100
    max_parts: int = 1000
    max_values: int = 20_000_000
