"""The catalogue of one assessment version: every measure entry, in the order of the feature vector."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from konectom.recording import FloatArray

if TYPE_CHECKING:
    from konectom.assessments.base import Measure

STATISTIC_TITLES = {
    "mean": "mean",
    "sd": "standard deviation",
    "median": "median",
    "min": "smallest value",
    "max": "largest value",
    "p05": "5th centile",
    "p90": "90th centile",
    "p95": "95th centile",
    "iqr": "interquartile range",
    "npcv": "mean distance from the mean, over the mean size",
    "skew": "skewness",
    "kurtosis": "excess kurtosis",
    "cv": "coefficient of variation",
}

STATISTIC_ALIASES: Mapping[str, Mapping[str, str]] = {
    "dispel": {"sd": "std", "p05": "q05", "p90": "90th", "p95": "q95"}
}
"""How public libraries abbreviate the statistics, where not as here."""

_LOCATION = frozenset({"", "mean", "median", "min", "max", "p05", "p90", "p95"})
_SPREAD = frozenset({"sd", "iqr"})
_DIMENSIONLESS = frozenset({"cv", "npcv", "skew", "kurtosis"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One number that an assessment can produce; ``statistic`` is "" where the quantity is a single value."""

    index: int
    assessment: str
    quantity: str
    condition: Mapping[str, str]
    statistic: str
    unit: str
    better: str | None
    plausible: tuple[float, float] | None
    means: str
    aliases: Mapping[str, str]
    evidence: str
    score: bool

    @property
    def measure(self) -> str:
        """Return ``assessment.quantity``."""
        return f"{self.assessment}.{self.quantity}"

    @property
    def key(self) -> str:
        """Return the text form, such as ``tap.inter_tap_interval[left].mean``."""
        within = f"[{','.join(self.condition.values())}]" if self.condition else ""
        return self.measure + within + (f".{self.statistic}" if self.statistic else "")

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as a row of the data dictionary."""
        return {
            "key": self.key,
            "measure": self.measure,
            "condition": dict(self.condition),
            "statistic": self.statistic or None,
            "unit": self.unit,
            "better": self.better,
            "plausible": list(self.plausible) if self.plausible else None,
            "means": self.means,
            "evidence": self.evidence,
            "aliases": dict(self.aliases),
            "score": self.score,
        }


@dataclass(frozen=True, slots=True)
class Block:
    """The consecutive entries of one quantity under one condition: one for each statistic, or a single value."""

    start: int
    statistics: tuple[str, ...]
    quantity: str
    condition: Mapping[str, str]

    @property
    def stop(self) -> int:
        """Return the index after the block's last entry."""
        return self.start + max(1, len(self.statistics))


@dataclass(frozen=True)
class Catalogue:
    """All entries of one assessment version, and the blocks through which they are written."""

    assessment: str
    version: int
    entries: tuple[Entry, ...]
    blocks: Mapping[tuple[str, frozenset[tuple[str, str]]], Block]

    @classmethod
    def of(cls, assessment: str, version: int, measures: tuple[Measure, ...]) -> Catalogue:
        """Expand declarations: each measure times the levels of its conditions times its statistics."""
        entries: list[Entry] = []
        blocks: dict[tuple[str, frozenset[tuple[str, str]]], Block] = {}
        for measure in measures:
            for levels in product(*(condition.levels for condition in measure.by)):
                where = {condition.name: level for condition, level in zip(measure.by, levels, strict=True)}
                block = Block(len(entries), measure.statistics, measure.quantity, where)
                key = (measure.quantity, frozenset(where.items()))
                if key in blocks:
                    raise ValueError(f"{assessment}: {measure.quantity} {where} is declared twice")
                blocks[key] = block
                for statistic in measure.statistics or ("",):
                    entries.append(_entry(len(entries), assessment, measure, where, statistic))
        keys = {entry.key for entry in entries}
        if len(keys) != len(entries):
            raise ValueError(f"{assessment}: two entries share one key")
        return cls(assessment, version, tuple(entries), blocks)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    @cached_property
    def scores(self) -> tuple[Entry, ...]:
        """Return the entries that clinicians follow over time."""
        return tuple(entry for entry in self.entries if entry.score)

    @cached_property
    def score_by_key(self) -> Mapping[str, Entry]:
        """Return the entries that clinicians follow, by key."""
        return {entry.key: entry for entry in self.scores}

    @cached_property
    def plausible_bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the lower and upper plausible bound of each entry, infinite where there is none."""
        bounds = np.array([entry.plausible or (-np.inf, np.inf) for entry in self.entries], dtype=np.float64)
        return bounds[:, 0], bounds[:, 1]

    @cached_property
    def unconditional(self) -> tuple[Block, ...]:
        """Return the blocks that are declared without a condition."""
        return tuple(block for block in self.blocks.values() if not block.condition)

    @cached_property
    def _under(self) -> dict[frozenset[tuple[str, str]], tuple[Block, ...]]:
        return {}

    def under(self, condition: frozenset[tuple[str, str]]) -> tuple[Block, ...]:
        """Return the blocks declared under a condition, or under it and further ones; remembered, for speed."""
        if condition not in self._under:
            self._under[condition] = tuple(block for (_, where), block in self.blocks.items() if condition <= where)
        return self._under[condition]

    @cached_property
    def digest(self) -> str:
        """Return a hash over keys, units, directions, bounds and scores: whatever a stored result depends on."""
        told = [(entry.key, entry.unit, entry.better, entry.plausible, entry.score) for entry in self.entries]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _entry(index: int, assessment: str, measure: Measure, where: dict[str, str], statistic: str) -> Entry:
    return Entry(
        index=index,
        assessment=assessment,
        quantity=measure.quantity,
        condition=where,
        statistic=statistic,
        unit="1" if statistic in _DIMENSIONLESS else measure.unit,
        better=measure.better if statistic in _LOCATION else None,
        plausible=_plausible(measure, statistic),
        means=_sentence(measure.means, where, statistic),
        aliases={library: _alias(measure, library, where, statistic) for library in measure.aliases},
        evidence=measure.evidence,
        score=measure.score is True or (measure.score is not False and statistic in measure.score),
    )


def _plausible(measure: Measure, statistic: str) -> tuple[float, float] | None:
    if measure.plausible is None or statistic in _LOCATION:
        return measure.plausible
    if statistic in _SPREAD:
        width = measure.plausible[1] - measure.plausible[0]
        return (-width if measure.difference else 0.0, width)
    return None


def _sentence(means: str, where: Mapping[str, str], statistic: str) -> str:
    asides = [STATISTIC_TITLES[statistic]] if statistic else []
    asides += [f"{name} {level}".replace("_", " ") for name, level in where.items()]
    return f"{means.rstrip('.')} ({'; '.join(asides)})." if asides else means


def _alias(measure: Measure, library: str, where: Mapping[str, str], statistic: str) -> str:
    """Fill the template; an abbreviation that is empty takes the underscore beside it along."""
    short = dict(where)
    for condition in measure.by:
        if library in condition.aliases:
            at = condition.levels.index(where[condition.name])
            short[condition.name] = condition.aliases[library][at]
    name = STATISTIC_ALIASES.get(library, {}).get(statistic, statistic)
    filled = measure.aliases[library].format(**short, statistic=name)
    return re.sub(r"_(?=[_-]|$)|(?<=-)_", "", filled)
