"""Norms in the form of tables: by age group, sex, and height.

Each says what it needs of the person, what a comparison with it can say, and its own numbers in words, so that the
documentation cannot differ from what is computed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from konectom.scoring.norms.base import (
    DISTRIBUTION,
    PREDICTED,
    SEXES,
    WOMEN_AND_MEN,
    Ages,
    Beyond,
    Expected,
    Limit,
    ages_in_words,
)
from konectom.scoring.norms.person import Person
from konectom.scoring.norms.spread import Normal


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table: the mean, its standard deviation, the limit; whatever the source gives."""

    mean: float | None = None
    sd: float | None = None
    limit: float | None = None

    def __str__(self) -> str:
        mean = "" if self.mean is None else f"{self.mean:g}"
        sd = "" if self.sd is None else f" (SD {self.sd:g})"
        limit = "" if self.limit is None else f"{', ' if mean else ''}limit {self.limit:g}"
        return mean + sd + limit


@dataclass(frozen=True)
class AgeTable:
    """Cells by age group, and by sex where the source tells the sexes apart.

    ``rows`` maps completed years, both ends included, to a cell, or to a cell for each sex. Where cells have limits,
    ``beyond`` is the side on which a value is what ``limit_means`` says.
    """

    rows: Mapping[Ages, Cell | Mapping[str, Cell]]
    beyond: Beyond = "above"
    limit_means: str = ""

    @property
    def _cells(self) -> list[Cell]:
        return [cell for row in self.rows.values() for cell in ([row] if isinstance(row, Cell) else row.values())]

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """The age, and the sex where the source tells the sexes apart."""
        by_sex = any(not isinstance(row, Cell) for row in self.rows.values())
        return ("age_years", "sex") if by_sex else ("age_years",)

    @cached_property
    def gives(self) -> tuple[str, ...]:
        """Whatever the cells hold."""
        mean = PREDICTED if any(cell.mean is not None for cell in self._cells) else ()
        sd = DISTRIBUTION if any(cell.sd is not None for cell in self._cells) else ()
        limit = ("limit",) if any(cell.limit is not None for cell in self._cells) else ()
        return (*mean, *sd, *limit)

    @property
    def formula(self) -> tuple[str, ...]:
        """One line for each age group."""
        lines = []
        for ages, row in self.rows.items():
            cells = {"": row} if isinstance(row, Cell) else row
            text = "; ".join(
                f"{WOMEN_AND_MEN[sex].lower()} {cell}" if sex else str(cell) for sex, cell in cells.items()
            )
            lines.append(f"{ages_in_words(ages)}: {text}")
        return tuple(lines)

    def expected(self, person: Person) -> Expected | str:
        """Return the cell of the person's age group and sex."""
        ages = age_group(tuple(self.rows), person)
        if ages is None:
            return "no_reference_cell"
        row = self.rows[ages]
        cell = row if isinstance(row, Cell) else row[str(person.sex)]
        limit = None if cell.limit is None else Limit(cell.limit, self.beyond, self.limit_means)
        return Expected(cell.mean, None if cell.sd is None else Normal(cell.sd), limit)

    def stratum(self, person: Person) -> str:
        """Return the person's age group in words."""
        ages = age_group(tuple(self.rows), person)
        return "" if ages is None else ages_in_words(ages)


@dataclass(frozen=True)
class AgeHeightTable:
    """Means by age group, sex and height, with a standard deviation for each age group and sex.

    ``heights_cm`` gives for each sex the lowest height of each column, in whole cm, and the height after the last (None
    where open). ``means`` has for each sex a row for each age group, None where the source has no figure. One standard
    deviation below the mean the source draws its limit, of which ``limit_means`` says what lies below.
    """

    ages: tuple[Ages, ...]
    heights_cm: Mapping[str, tuple[int | None, ...]]
    means: Mapping[str, tuple[tuple[float | None, ...], ...]]
    sds: Mapping[str, tuple[float, ...]]
    limit_means: str

    needs = ("age_years", "sex", "height_cm")
    gives = (*PREDICTED, *DISTRIBUTION, "limit")

    @property
    def formula(self) -> tuple[str, ...]:
        """One line for each sex and age group: the means from the shortest to the tallest."""
        lines = []
        for sex in SEXES:
            edges = self.heights_cm[sex]
            columns = ", ".join(
                f"{low}–{high - 1}" if low is not None and high is not None else f"{low} and more"
                for low, high in itertools.pairwise(edges)
            )
            lines.append(f"{WOMEN_AND_MEN[sex]}, heights {columns} cm")
            lines += [
                f"{ages_in_words(ages)}: {', '.join(_or_none(mean) for mean in row)} (SD {sd:g})"
                for ages, row, sd in zip(self.ages, self.means[sex], self.sds[sex], strict=True)
            ]
        return tuple(lines)

    def expected(self, person: Person) -> Expected | str:
        """Return the mean of the person's age group, sex and height, the height taken to the nearest cm."""
        if person.height_cm is None:
            return "height_missing"
        sex, height = str(person.sex), math.floor(person.height_cm + 0.5)
        *lows, end = self.heights_cm[sex]
        starts = [low for low in lows if low is not None]
        if height < starts[0]:
            return "height_below"
        if end is not None and height >= end:
            return "height_above"
        ages = age_group(self.ages, person)
        if ages is None:
            return "no_reference_cell"
        at = self.ages.index(ages)
        mean = self.means[sex][at][sum(start <= height for start in starts) - 1]
        if mean is None:
            return "no_reference_cell"
        sd = self.sds[sex][at]
        return Expected(mean, Normal(sd), Limit(mean - sd, "below", self.limit_means))

    def stratum(self, person: Person) -> str:
        """Return the person's age group in words."""
        ages = age_group(self.ages, person)
        return "" if ages is None else ages_in_words(ages)


def age_group(groups: tuple[Ages, ...], person: Person) -> Ages | None:
    """Return the group that holds the person's completed years, or None."""
    years = person.completed_years
    return next((each for each in groups if each[0] <= years and (each[1] is None or years <= each[1])), None)


def _or_none(mean: float | None) -> str:
    return "none" if mean is None else f"{mean:g}"
