"""What an extract function writes into, and the result that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from konectom.recording import EMPTY, FloatArray
from konectom.signals.statistics import LEAST_VALUES, describe, mean_of_known

if TYPE_CHECKING:
    from konectom.assessments._catalogue import Block, Catalogue, Entry
    from konectom.assessments.base import Rule

Verdict = Literal["valid", "limited", "invalid"]
SEVERITY = {"none": "info", "limited": "warning", "invalid": "error"}

REASONS = {
    "condition_not_recorded": "The recording has no part under this condition.",
    "input_missing": "The stream that this needs was not recorded.",
    "no_data": "Nothing was recorded.",
    "too_few_values": "There were too few values to compute this.",
    "undefined": "The value is not defined for these data, such as a ratio to zero.",
    "not_applicable": "The measure does not apply to what was recorded.",
    "not_answered": "A question that this needs was not answered.",
}
"""Why a measure can be absent."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A quality rule that was met, with the numbers that show it."""

    code: str
    kind: str
    severity: str
    message: str
    evidence: Mapping[str, Any] = EMPTY
    aliases: Mapping[str, str] = EMPTY
    to: str = "patient"

    def as_dict(self) -> dict[str, Any]:
        """Return the flag as it stands in an answer."""
        told = {"code": self.code, "kind": self.kind, "severity": self.severity}
        told |= {"to": self.to, "message": self.message}
        return told | {"evidence": dict(self.evidence), "aliases": dict(self.aliases)}


@dataclass(frozen=True, slots=True)
class Quality:
    """The verdict on a recording and the flags behind it."""

    verdict: Verdict
    flags: tuple[Flag, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict and flags as they stand in an answer."""
        return {"verdict": self.verdict, "flags": [flag.as_dict() for flag in self.flags]}


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Quality and features of one recording under one assessment version.

    ``features`` has one float64 per catalogue entry, NaN where the measure is absent; ``absent`` says why, by entry
    key, for every entry that the recorded conditions led one to expect.
    """

    catalogue: Catalogue
    quality: Quality
    features: FloatArray
    absent: Mapping[str, str]

    def measures(self) -> Iterator[tuple[Entry, float]]:
        """Yield each entry that has a value, in catalogue order."""
        for index in np.flatnonzero(np.isfinite(self.features)):
            yield self.catalogue.entries[index], float(self.features[index])

    def scores(self) -> Iterator[tuple[Entry, float]]:
        """Yield each score that has a value."""
        for entry in self.catalogue.scores:
            if np.isfinite(self.features[entry.index]):
                yield entry, float(self.features[entry.index])


@dataclass(eq=False)
class _Sheet:
    """The state that an outcome and the outcomes narrowed from it share."""

    catalogue: Catalogue
    rules: Mapping[str, Rule]
    features: FloatArray
    seen: list[frozenset[tuple[str, str]]] = field(default_factory=list)
    written: set[int] = field(default_factory=set)
    reasons: dict[int, str] = field(default_factory=dict)
    flags: dict[str, Flag] = field(default_factory=dict)


class Outcome:
    """Takes the measures and flags of one recording.

    ``out("quantity", value)`` writes a value, or all declared statistics of a series. ``out.at(hand="left")`` is the
    same outcome under a condition; from then on every declared measure under it is expected to come, or to be said
    absent with a reason of :data:`REASONS`.
    """

    __slots__ = ("_condition", "_sheet", "_where")

    def __init__(self, sheet: _Sheet, condition: Mapping[str, str] = EMPTY) -> None:
        self._sheet = sheet
        self._condition = dict(condition)
        self._where = frozenset(self._condition.items())

    @classmethod
    def blank(cls, catalogue: Catalogue, rules: Mapping[str, Rule]) -> Outcome:
        """Return an outcome with nothing in it."""
        return cls(_Sheet(catalogue, rules, np.full(len(catalogue), np.nan)))

    @property
    def condition(self) -> Mapping[str, str]:
        """Return the condition under which this outcome is written."""
        return self._condition

    def at(self, **condition: str) -> Outcome:
        """Return this outcome under a further condition, and note that the condition was recorded."""
        narrowed = Outcome(self._sheet, self._condition | condition)
        self._sheet.seen.append(narrowed._where)
        return narrowed

    def __call__(self, quantity: str, value: ArrayLike, **condition: str) -> None:
        """Write a quantity: a single value, or a series from which the declared statistics are taken."""
        block = self._block(quantity, condition)
        self._claim(block)
        features, reasons = self._sheet.features, self._sheet.reasons
        if not block.statistics:
            single = float(np.asarray(value, dtype=np.float64))
            if isfinite(single):
                features[block.start] = single
            else:
                reasons[block.start] = "undefined"
            return
        series = np.asarray(value, dtype=np.float64)
        self._put(block, describe(series, block.statistics), (series,))

    def of_several(
        self, quantity: str, series: Sequence[ArrayLike], combine: Callable[..., FloatArray], **condition: str
    ) -> None:
        """Write what ``combine`` makes of the statistics of several series, such as the difference of their means.

        ``combine`` is given one array per series, each with the declared statistics, and returns one array.
        """
        block = self._block(quantity, condition)
        self._claim(block)
        told = tuple(np.asarray(each, dtype=np.float64) for each in series)
        self._put(block, combine(*(describe(each, block.statistics) for each in told)), told)

    def mean_over(self, condition: str, levels: Collection[str], into: str) -> None:
        """Write the mean over some levels of a condition, for each measure that is declared under the level ``into``.

        Taken are the levels under which the measure has been written; where there is none, nothing is written.
        """
        sheet, blocks = self._sheet, self._sheet.catalogue.blocks
        for block in sheet.catalogue.under(self._where | {(condition, into)}):
            of_level = ({**block.condition, condition: level} for level in levels)
            sources = (blocks.get((block.quantity, frozenset(where.items()))) for where in of_level)
            taken = [source for source in sources if source is not None and source.start in sheet.written]
            if taken:
                self._claim(block)
                rows = [sheet.features[source.start : source.stop] for source in taken]
                sheet.features[block.start : block.stop] = mean_of_known(*rows)
                for offset in np.flatnonzero(np.isnan(sheet.features[block.start : block.stop])):
                    sheet.reasons[block.start + int(offset)] = sheet.reasons[taken[0].start + int(offset)]

    def _put(self, block: Block, values: FloatArray, series: tuple[FloatArray, ...]) -> None:
        """Store the statistics of a block; say of each that is not a number why."""
        missing = ~np.isfinite(values)
        if not missing.any():
            self._sheet.features[block.start : block.stop] = values
            return
        self._sheet.features[block.start : block.stop] = np.where(missing, np.nan, values)
        fewest = min((int(np.count_nonzero(np.isfinite(each))) for each in series), default=0)
        for offset in np.flatnonzero(missing):
            few = fewest < LEAST_VALUES[block.statistics[offset]]
            self._sheet.reasons[block.start + int(offset)] = "too_few_values" if few else "undefined"

    def absent(self, quantity: str, reason: str, **condition: str) -> None:
        """Say that a quantity has no value, and why."""
        if reason not in REASONS:
            raise ValueError(f"no such reason: {reason}")
        block = self._block(quantity, condition)
        self._claim(block)
        self._sheet.reasons.update(dict.fromkeys(range(block.start, block.stop), reason))

    def rest_absent(self, reason: str) -> None:
        """Say why whatever has not been written yet, under this outcome's condition or further ones, has no value."""
        if reason not in REASONS:
            raise ValueError(f"no such reason: {reason}")
        for block in self._sheet.catalogue.under(self._where):
            if block.start not in self._sheet.written:
                self._claim(block)
                self._sheet.reasons.update(dict.fromkeys(range(block.start, block.stop), reason))

    def statistic(self, quantity: str, statistic: str, **condition: str) -> float:
        """Return a statistic that was written before, NaN where it is absent."""
        block = self._block(quantity, condition)
        offset = block.statistics.index(statistic) if statistic else 0
        return float(self._sheet.features[block.start + offset])

    def flag(self, code: str, /, when: bool | np.bool_ = True, **evidence: Any) -> None:
        """Raise the quality rule ``code`` if ``when``; the evidence carries the outcome's condition as well."""
        if not when:
            return
        rule = self._sheet.rules[code]
        told = self._condition | {name: _plain(value) for name, value in evidence.items()}
        name = f"{self._sheet.catalogue.assessment}.{code}"
        earlier = self._sheet.flags.get(code)
        if earlier is not None:
            # One flag per rule: what a second part shows is listed beside the first.
            further = [*earlier.evidence.get("further", ()), told]
            told = dict(earlier.evidence) | {"further": further}
        self._sheet.flags[code] = Flag(
            name, rule.kind, SEVERITY[rule.effect], rule.message, told, rule.aliases, rule.to
        )

    def _block(self, quantity: str, condition: Mapping[str, str]) -> Block:
        where = self._where.union(condition.items()) if condition else self._where
        try:
            return self._sheet.catalogue.blocks[quantity, where]
        except KeyError:
            raise KeyError(f"{quantity} is not declared under {dict(where)}") from None

    def _claim(self, block: Block) -> None:
        if block.start in self._sheet.written:
            raise ValueError(f"{block.quantity} {dict(block.condition)} was written twice")
        self._sheet.written.add(block.start)


def _plain(value: Any) -> Any:
    """Return a value that JSON can carry."""
    return value.item() if isinstance(value, np.generic) else value


def unexplained(sheet: _Sheet) -> list[Block]:
    """Return the blocks that were due and neither came nor have a reason.

    Due are those without a condition, and those under a condition that was recorded.
    """
    catalogue = sheet.catalogue
    due = (catalogue.unconditional, *map(catalogue.under, dict.fromkeys(sheet.seen)))
    return [block for blocks in due for block in blocks if block.start not in sheet.written]
