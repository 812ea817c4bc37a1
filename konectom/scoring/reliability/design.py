"""The design of a reliability study, declared: which values are repeats of each other, which groups and references
there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Literal

from konectom.errors import FieldInvalid
from konectom.scoring.reliability.estimate import check_level

REPEATS_MAX = 50
"""Most repeats that a design may compare."""

Statistic = Literal["median", "mean"]


@dataclass(frozen=True, slots=True)
class Windows:
    """The first windows of each patient, one after the other from half a day before the first value that counts.

    A window with fewer than ``tests_min`` values is a missing repeat; the next one does not take its place, so that
    the time between repeats is the same in all patients.
    """

    count: int = 2
    window_days: float = 14.0
    tests_min: int = 3

    def __post_init__(self) -> None:
        _check_count(self.count)
        _check_tests(self.tests_min)
        if not 0 < self.window_days < float("inf"):
            raise FieldInvalid("a window lasts more than 0 days", at="/window_days")

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the repeats."""
        return tuple(f"window {number}" for number in range(1, self.count + 1))


@dataclass(frozen=True, slots=True)
class Values:
    """The first values of each patient, each a repeat."""

    count: int = 2

    def __post_init__(self) -> None:
        _check_count(self.count)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the repeats."""
        return tuple(f"value {number}" for number in range(1, self.count + 1))


@dataclass(frozen=True, slots=True)
class Period:
    """A named stretch of time: days since 1970-01-01T00:00Z, the end not included."""

    name: str
    start_day: float
    end_day: float

    def __post_init__(self) -> None:
        if not self.start_day < self.end_day:
            raise FieldInvalid(f"the period {self.name!r} does not end after it starts", at="/periods")


@dataclass(frozen=True, slots=True)
class Periods:
    """Named periods, the same for all patients; the values within each give one repeat."""

    periods: tuple[Period, ...]
    tests_min: int = 1

    def __post_init__(self) -> None:
        _check_names(self.names, "/periods")
        _check_tests(self.tests_min)
        ordered = sorted(self.periods, key=lambda period: period.start_day)
        for before, after in pairwise(ordered):
            if after.start_day < before.end_day:
                raise FieldInvalid(f"the periods {before.name!r} and {after.name!r} overlap", at="/periods")

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the repeats."""
        return tuple(period.name for period in self.periods)


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels that values carry, such as supervised and remote; the values of each give one repeat."""

    names: tuple[str, ...]
    tests_min: int = 1

    def __post_init__(self) -> None:
        _check_names(self.names, "/labels")
        _check_tests(self.tests_min)


Repeats = Windows | Values | Periods | Labels


@dataclass(frozen=True, slots=True)
class ByAttribute:
    """Two groups of patients by what is known of them: those with the level ``first``, those with ``second``."""

    attribute: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class ByThreshold:
    """Two groups of patients by a reference: at ``threshold`` or above, and below."""

    reference: str
    threshold: float


Grouping = ByAttribute | ByThreshold


@dataclass(frozen=True, slots=True)
class Design:
    """What is compared with what.

    Attributes:
        repeats: which values are repeats of each other.
        run_in: how many tests at the start of each patient's series do not count, of practice; a number for every
            score, or one for each score's key (0 where it has none). References have none.
        statistic: how several values become one.
        groups: known groups.
        references: keys of the observations with which scores are correlated.
        match_days: a reference is compared with the values that lie within so many days of it.
        confidence: of all intervals.
        mixed: whether a linear mixed model of the values over the years is fitted as well.
    """

    repeats: Repeats = field(default_factory=Windows)
    run_in: int | Mapping[str, int] = 0
    statistic: Statistic = "median"
    groups: tuple[Grouping, ...] = ()
    references: tuple[str, ...] = ()
    match_days: float = 30.0
    confidence: float = 0.95
    mixed: bool = False

    def __post_init__(self) -> None:
        check_level(self.confidence)
        if self.statistic not in ("median", "mean"):
            raise FieldInvalid(f"the statistic is median or mean, not {self.statistic!r}", at="/statistic")
        if not 0 <= self.match_days < float("inf"):
            raise FieldInvalid("match_days is 0 or above", at="/match_days")
        told = (self.run_in,) if isinstance(self.run_in, int) else tuple(self.run_in.values())
        if any(number < 0 for number in told):
            raise FieldInvalid("a run-in is 0 tests or more", at="/run_in")

    def run_in_of(self, key: str) -> int:
        """Return how many values at the start do not count."""
        if key in self.every_reference:
            return 0
        return self.run_in if isinstance(self.run_in, int) else self.run_in.get(key, 0)

    @property
    def every_reference(self) -> tuple[str, ...]:
        """Return the keys of all observations that the design needs, each once."""
        by = (group.reference for group in self.groups if isinstance(group, ByThreshold))
        return tuple(dict.fromkeys((*self.references, *by)))

    def as_dict(self) -> dict[str, Any]:
        """Return the design as plain data, with the kind of its repeats."""
        return asdict(self) | {"repeats": {"kind": type(self.repeats).__name__.lower(), **asdict(self.repeats)}}


def _check_count(count: int) -> None:
    if not 2 <= count <= REPEATS_MAX:
        raise FieldInvalid(f"a study compares 2 to {REPEATS_MAX} repeats, not {count}", at="/count")


def _check_tests(tests_min: int) -> None:
    if tests_min < 1:
        raise FieldInvalid("a repeat needs at least 1 value", at="/tests_min")


def _check_names(names: tuple[str, ...], at: str) -> None:
    if not 2 <= len(names) <= REPEATS_MAX:
        raise FieldInvalid(f"a study compares 2 to {REPEATS_MAX} repeats, not {len(names)}", at=at)
    if len(set(names)) < len(names):
        raise FieldInvalid("two repeats have the same name", at=at)
