"""What a questionnaire is made of: items with their answers and points, and scales over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from konectom.recording import EMPTY


@dataclass(frozen=True, slots=True)
class Item:
    """A question: its number on the wire, a neutral name, the code of its first answer, and the points of each.

    ``alias`` is the item's abbreviation in the published library.
    """

    number: str
    name: str
    points: tuple[float, ...]
    first: int = 1
    alias: str = ""

    def offers(self, value: float) -> bool:
        """Tell whether a code is one of the item's answers."""
        return bool(value == np.floor(value)) and self.first <= value < self.first + len(self.points)


@dataclass(frozen=True, slots=True)
class Scale:
    """A score over items (by number), each with the same lowest and highest points.

    ``least`` is the share of items that must be answered; ``mean_of`` names scales of which this is the mean, in place
    of items.
    """

    quantity: str
    means: str
    items: tuple[str, ...] = ()
    form: Literal["sum", "percent"] = "percent"
    least: float = 1.0
    mean_of: tuple[str, ...] = ()
    better: Literal["higher", "lower"] = "lower"
    score: bool = True
    aliases: Mapping[str, str] = EMPTY
    evidence: str = ""


def numbered(count: int, points: tuple[float, ...], first: int = 1) -> tuple[Item, ...]:
    """Return items 1 to ``count`` that offer the same answers."""
    return tuple(Item(str(n), f"item_{n}", points, first, str(n)) for n in range(1, count + 1))


def span(start: int, stop: int) -> tuple[str, ...]:
    """Return the numbers of items from ``start`` to ``stop``, both included."""
    return tuple(map(str, range(start, stop + 1)))
