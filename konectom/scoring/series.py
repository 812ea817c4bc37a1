"""What the scoring pipeline takes in: one score of one patient over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from konectom.assessments.base import Entry
from konectom.errors import FieldInvalid
from konectom.recording import FloatArray
from konectom.scoring.scales.base import Scale

IntArray = NDArray[np.int64]
Better = Literal["higher", "lower"]
Source = Literal["assessment", "observation"]

VERDICTS = ("valid", "limited", "invalid")
"""What an assessment says of a recording; ``Series.verdict`` holds the index into this."""

DAYS_PER_YEAR = 365.25

_NOT_RATIO_UNITS = frozenset({"%"})
_ORDINAL_DOMAINS = frozenset({"patient-reported"})
_RATIO_SCALES = frozenset({"performance", "laboratory", "imaging"})


@dataclass(frozen=True, slots=True)
class Score:
    """A number that clinicians follow. ``of`` is the assessment's name, or the code of the observed scale.

    ``ratio`` says that zero means none of it, so that a change may be told in per cent: a time, a distance, a count. A
    sum of questionnaire items, a T score, a step of EDSS, a difference or a percentage is not of that kind.
    """

    key: str
    title: str
    unit: str
    better: Better | None
    source: Source
    of: str
    plausible: tuple[float, float] | None = None
    means: str = ""
    ratio: bool = False

    @classmethod
    def of_entry(cls, entry: Entry, *, title: str, domain: str) -> Score:
        """Return the score that a catalogue entry declares, of the assessment of this title and domain."""
        ratio = entry.plausible is not None and entry.plausible[0] >= 0 and domain not in _ORDINAL_DOMAINS
        return cls(
            key=entry.key,
            title=f"{title}: {entry.means}",
            unit=entry.unit,
            better=_better(entry.better),
            source="assessment",
            of=entry.assessment,
            plausible=entry.plausible,
            means=entry.means,
            ratio=ratio and entry.unit not in _NOT_RATIO_UNITS,
        )

    @classmethod
    def of_scale(cls, scale: Scale, quantity: str) -> Score:
        """Return the score that a quantity of a clinical scale is."""
        declared = scale.quantity[quantity]
        ratio = scale.domain in _RATIO_SCALES and declared.plausible[0] >= 0
        return cls(
            key=scale.key(quantity),
            title=f"{scale.title}: {declared.means}",
            unit=declared.unit,
            better=_better(declared.better),
            source="observation",
            of=scale.code,
            plausible=declared.plausible,
            means=declared.means,
            ratio=ratio and declared.unit not in _NOT_RATIO_UNITS,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One score of one patient, oldest first: five arrays of one length.

    ``at_day`` are finite and do not decrease. ``value`` is NaN where the test was done but the score is absent.
    ``verdict`` indexes :data:`VERDICTS`. ``run`` says the how many-th test of this assessment by this patient it was
    (from 1), counting every performed one, usable or not. ``version`` is the assessment's version that computed the
    value, 1 for observations.

    Raises :class:`~konectom.errors.FieldInvalid` at the array, or at the first element, that does not fit.
    """

    score: Score
    at_day: FloatArray
    value: FloatArray
    verdict: IntArray
    run: IntArray
    version: IntArray

    def __post_init__(self) -> None:
        n = self.at_day.size
        for name in ("at_day", "value", "verdict", "run", "version"):
            shape = getattr(self, name).shape
            if shape != (n,):
                raise FieldInvalid(f"{name} has shape {shape}, but there are {n} times", at=f"/{name}")
        if n == 0:
            return
        if not np.isfinite(self.at_day).all():
            wrong = int(np.argmin(np.isfinite(self.at_day)))
            raise FieldInvalid("a time is not a finite number", at=f"/at_day/{wrong}")
        if np.isinf(self.value).any():
            raise FieldInvalid("a value is infinite", at=f"/value/{int(np.argmax(np.isinf(self.value)))}")
        steps = self.at_day[1:] < self.at_day[:-1]
        if steps.any():
            raise FieldInvalid("the times are not in order", at=f"/at_day/{int(np.argmax(steps)) + 1}")
        steps = self.run[1:] < self.run[:-1]
        if self.run[0] < 1 or steps.any():
            wrong = 0 if self.run[0] < 1 else int(np.argmax(steps)) + 1
            raise FieldInvalid("runs count up from 1", at=f"/run/{wrong}")
        if self.verdict.min() < 0 or self.verdict.max() >= len(VERDICTS):
            raise FieldInvalid(f"a verdict is none of {', '.join(VERDICTS)}", at="/verdict")

    def __len__(self) -> int:
        return int(self.at_day.size)

    @classmethod
    def of(
        cls,
        score: Score,
        at_day: ArrayLike,
        value: ArrayLike,
        *,
        verdict: Sequence[str] | None = None,
        run: ArrayLike | None = None,
        version: ArrayLike | int = 1,
    ) -> Series:
        """Make a series of what a caller has, in any order; times that are equal keep theirs.

        Without ``verdict`` every value is valid; without ``run`` the tests given are all that the patient has done.
        A None among the values is an absent one.
        """
        at = np.asarray(at_day, dtype=np.float64)
        values = np.asarray(value, dtype=np.float64)
        if at.ndim != 1:
            raise FieldInvalid("times must be a plain list", at="/at_day")
        n = at.size
        codes = np.zeros(n, dtype=np.int64) if verdict is None else _codes(verdict)
        runs = np.arange(1, n + 1) if run is None else np.asarray(run, dtype=np.int64)
        versions = np.asarray(version, dtype=np.int64)
        if versions.ndim == 0:
            versions = np.full(n, versions)
        columns = [at, values, codes, runs, versions]
        if n and np.isfinite(at).all() and (at[1:] < at[:-1]).any() and all(each.shape == (n,) for each in columns):
            order = np.argsort(at, kind="stable")
            at, values, codes, versions = at[order], values[order], codes[order], versions[order]
            runs = runs if run is None else runs[order]
        return cls(score, at, values, codes, runs, versions)


def _better(told: str | None) -> Better | None:
    return "higher" if told == "higher" else "lower" if told == "lower" else None


def _codes(verdict: Sequence[str]) -> IntArray:
    known = {name: code for code, name in enumerate(VERDICTS)}
    try:
        return np.array([known[each] for each in verdict], dtype=np.int64)
    except KeyError as unknown:
        at = list(verdict).index(unknown.args[0])
        raise FieldInvalid(f"a verdict is none of {', '.join(VERDICTS)}", at=f"/verdict/{at}") from None
