"""What computing again would change: per measure, verdicts, failures. One result after the other, in bounded memory.

Values of a measure are compared where both versions give it in the same unit: numbers of different units never are. A
change is told relative to the larger of the two values, so that it lies between 0 and 2 and no zero divides. Medians
are those of the values that change, within 1 % (:mod:`konectom.signals.quantiles`); largest changes and counts are
exact.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from konectom.assessments.base import Entry
from konectom.recording import FloatArray
from konectom.signals.quantiles import Medians

BEYOND = 1e-9
"""Relative changes beyond this are more than another order of the same additions."""

COUNTED = ("compared", "changed", "changed_beyond_rounding", "appeared", "vanished")
"""Of each measure: values that both give, those that differ, or by more; that only the new, that only the old gives."""

Pair = tuple[str, int, int]
"""An assessment, the version that is stored, and the one that computes again."""


@dataclass(slots=True, eq=False)
class Compared:
    """The measures of two versions of an assessment, n in all, and what was counted of each."""

    measures: list[tuple[str, str]]
    results: int = 0
    counts: np.ndarray[Any, np.dtype[np.int64]] = field(init=False)
    largest: FloatArray = field(init=False)
    medians: tuple[Medians, Medians] = field(default_factory=lambda: (Medians(), Medians()))
    places: tuple[Any, Any] | None = None

    def __post_init__(self) -> None:
        self.counts = np.zeros((len(COUNTED), len(self.measures)), dtype=np.int64)
        self.largest = np.zeros((2, len(self.measures)))

    @classmethod
    def of(cls, old: Sequence[Entry], new: Sequence[Entry]) -> Compared:
        """Lay out the measures: the new version's, then what only the old one has."""
        before, after = ({(each.key, each.unit): each.index for each in entries} for entries in (old, new))
        found = cls(list(dict.fromkeys((*after, *before))))
        found.find(before, after)
        return found

    def find(self, before: dict[tuple[str, str], int], after: dict[tuple[str, str], int]) -> None:
        """Remember where each measure stands in the vectors; -1 where it does not."""
        old, new = (np.array([at.get(each, -1) for each in self.measures], dtype=np.intp) for at in (before, after))
        self.places = (old, new)

    def add(self, old: FloatArray, new: FloatArray) -> None:
        """Compare two vectors of the same recording."""
        assert self.places is not None  # noqa: S101  # a draft that was read finds them first
        before, after = (np.append(v, np.nan)[at] for v, at in zip((old, new), self.places, strict=True))
        has, gives = np.isfinite(before), np.isfinite(after)
        both = has & gives
        changed = np.flatnonzero(both & (before != after))
        with np.errstate(over="ignore"):
            absolute = np.abs(after[changed] - before[changed])
        relative = absolute / np.maximum(np.abs(before[changed]), np.abs(after[changed]))
        self.results += 1
        self.counts[0] += both
        self.counts[1, changed] += 1
        self.counts[2, changed] += relative > BEYOND
        self.counts[3] += gives & ~has
        self.counts[4] += has & ~gives
        for number, change in enumerate((absolute, relative)):
            self.largest[number, changed] = np.maximum(self.largest[number, changed], change)
            self.medians[number].add(changed.astype(np.int64), change)

    def told(self) -> list[dict[str, Any]]:
        """Return what is told of each measure of which anything changes."""
        medians = [each.all() for each in self.medians]
        lines = []
        for index in np.flatnonzero(self.counts[1:].any(axis=0)).tolist():
            key, unit = self.measures[index]
            changes = {
                name: {"median": medians[number].get(index), "largest": float(self.largest[number, index])}
                for number, name in enumerate(("absolute", "relative"))
            }
            counts = dict(zip(COUNTED, self.counts[:, index].tolist(), strict=True))
            lines.append({"key": key, "unit": unit} | counts | (changes if counts["changed"] else _NO_CHANGE))
        return lines


_NO_CHANGE = {name: {"median": None, "largest": None} for name in ("absolute", "relative")}


class Differences:
    """What is counted over the whole of a dry run."""

    def __init__(self) -> None:
        self.compared: dict[Pair, Compared] = {}
        self.verdicts: Counter[tuple[str, str, str]] = Counter()
        self.failures: Counter[tuple[str, str, str]] = Counter()
        self.recovered: Counter[tuple[str, str]] = Counter()

    def results(
        self, pair: Pair, old: tuple[Sequence[Entry], FloatArray, str], new: tuple[Sequence[Entry], FloatArray, str]
    ) -> None:
        """Count a recording that has a result and gets another: entries, vector and verdict of both."""
        found = self.compared.get(pair)
        if found is None:
            found = self.compared[pair] = Compared.of(old[0], new[0])
        elif found.places is None:
            places = ({(each.key, each.unit): each.index for each in entries} for entries in (old[0], new[0]))
            found.find(*places)
        found.add(old[1], new[1])
        self.verdicts[pair[0], old[2], new[2]] += 1

    def fails(self, assessment: str, status: str, code: str) -> None:
        """Count a recording that has a result and would get none any more."""
        self.failures[assessment, status, code] += 1

    def recovers(self, assessment: str, status: str) -> None:
        """Count a recording that has no result, being of this status, and would get one."""
        self.recovered[assessment, status] += 1

    def report(self) -> dict[str, Any]:
        """Return what is told in the end: measures of which nothing changes are only counted."""
        assessments = []
        for (name, before, after), found in sorted(self.compared.items()):
            measures = found.told()
            assessments.append(
                {
                    "assessment": name,
                    "from_version": before,
                    "to_version": after,
                    "results": found.results,
                    "unchanged": len(found.measures) - len(measures),
                    "measures": measures,
                }
            )
        return {
            "assessments": assessments,
            "verdicts": _told(self.verdicts, ("assessment", "from", "to")),
            "failures": _told(self.failures, ("assessment", "status", "code")),
            "recovered": _told(self.recovered, ("assessment", "status")),
        }

    def pack(self) -> bytes:
        """Return all of it as bytes, to be gone on with by another process."""
        told = {
            "compared": [
                {
                    "pair": pair,
                    "measures": found.measures,
                    "results": found.results,
                    "counts": found.counts.tolist(),
                    "largest": found.largest.tolist(),
                    "medians": [[*each.counts.items()] for each in found.medians],
                }
                for pair, found in self.compared.items()
            ],
            **{name: [[*key, count] for key, count in getattr(self, name).items()] for name in _COUNTERS},
        }
        return zlib.compress(orjson.dumps(told), 1)

    @classmethod
    def unpack(cls, data: bytes | None) -> Differences:
        """Return what :meth:`pack` made into bytes; of nothing, nothing."""
        made = cls()
        if data is None:
            return made
        told = orjson.loads(zlib.decompress(data))
        for each in told["compared"]:
            found = Compared([(key, unit) for key, unit in each["measures"]], each["results"])
            found.counts = np.array(each["counts"], dtype=np.int64).reshape(found.counts.shape)
            found.largest = np.array(each["largest"], dtype=np.float64).reshape(found.largest.shape)
            first, second = (Medians(dict(counts)) for counts in each["medians"])
            found.medians = (first, second)
            name, before, after = each["pair"]
            made.compared[name, before, after] = found
        for name in _COUNTERS:
            getattr(made, name).update({tuple(key): count for *key, count in told[name]})
        return made


_COUNTERS = ("verdicts", "failures", "recovered")


def _told(counter: Counter[Any], names: Sequence[str]) -> list[dict[str, Any]]:
    return [dict(zip(names, key, strict=True)) | {"recordings": count} for key, count in sorted(counter.items())]
