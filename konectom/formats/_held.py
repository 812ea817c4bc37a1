"""Columns that a binary form holds: they are as long as they say, and are decoded when they are asked for.

They stand in a document where JSON has lists, so that one reader serves both, and are refused in the same words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from konectom.errors import ColumnInvalid
from konectom.recording import FloatArray

Texts = list[str | None]


class Piece(Protocol):
    """Values that follow each other in a column: all of them numbers, or all texts."""

    @property
    def worded(self) -> bool:
        """Tell whether they are texts."""

    def __len__(self) -> int:
        """Return how many they are, without decoding them."""

    def numbers(self) -> FloatArray:
        """Return them as float64, NaN where one is missing; of numbers only."""

    def texts(self) -> Texts:
        """Return them, None where one is missing; of texts only."""


class Held:
    """A column in pieces."""

    __slots__ = ("_pieces",)

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces

    def __len__(self) -> int:
        return sum(map(len, self._pieces))

    def numbers(self, at: str) -> FloatArray:
        """Return the numbers; raises :class:`ColumnInvalid` at the first text."""
        start, found = 0, []
        for piece in self._pieces:
            if piece.worded:
                _refuse([text is not None for text in piece.texts()], start, at, "a text stands where a number or null")
                found.append(np.full(len(piece), np.nan))
            else:
                found.append(piece.numbers())
            start += len(piece)
        return found[0] if len(found) == 1 else np.concatenate(found or [np.empty(0)])

    def texts(self, at: str) -> Texts:
        """Return the texts; raises :class:`ColumnInvalid` at the first number."""
        found: Texts = []
        for piece in self._pieces:
            if not piece.worded:
                _refuse(~np.isnan(piece.numbers()), len(found), at, "a number stands where a text")
                found += [None] * len(piece)
            else:
                found += piece.texts()
        return found


def _refuse(there: Sequence[bool] | np.ndarray, start: int, at: str, what: str) -> None:
    places = np.flatnonzero(there)
    if places.size:
        raise ColumnInvalid(f"{what} is due", at=f"{at}/{start + int(places[0])}")
