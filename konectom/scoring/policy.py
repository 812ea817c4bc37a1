"""How a study wants its scores followed: every choice of the pipeline, as one versioned JSON object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from math import inf
from typing import Any

from konectom.errors import FieldInvalid, pointer_token
from konectom.recording import EMPTY
from konectom.scoring.runs import OBSERVED, RUN_INS, UNDECLARED, RunIn
from konectom.scoring.series import VERDICTS, Score

POLICY_VERSION = 1
STATISTICS = ("median", "mean")
BASES = ("study", "published", "patient")
TAKEN = ("window", "each")


@dataclass(frozen=True, slots=True)
class Policy:
    """The choices behind a trend. Each has a default; a study may set any of them.

    ``window_days``       length of a window; from ``tests_min`` usable tests on it has a value, their ``statistic``.
    ``widest_days``       windows are widened, in whole multiples, up to this length where tests come so rarely that a
                          window would hold fewer than ``tests_min`` of them; equal to ``window_days``: never.
    ``verdicts``          which verdicts on a recording count.
    ``run_in``            runs before the first that counts, by assessment, instead of the declared ones.
    ``taken``             "window" or "each" (every value stands alone), by assessment or code of an observation.
    ``definition``        name/version of the definition of confirmed change for scores of assessments; None: the first
                          that is known for the score. docs/scoring.md says how the default was chosen.
    ``definitions``       the same by key of a score, or by its assessment or code, where another one is wanted.
    ``noise``             where the smallest detectable change is taken from: the first of these that is known.
    ``trend_min``         fewest aggregates for a slope.
    ``lapse_days``        after so many days without a test, and twice the patient's usual gap, the verdict says so;
                          observations are not held to it.
    ``relapses_since``    the day from which on every relapse of the study's patients is on record. Without it, or
                          before it, no worsening is said to be independent of relapses: nobody knows.
    """

    window_days: float = 14.0
    tests_min: int = 3
    widest_days: float = 56.0
    statistic: str = "median"
    verdicts: tuple[str, ...] = ("valid", "limited")
    run_in: Mapping[str, int] = EMPTY
    taken: Mapping[str, str] = EMPTY
    definition: str | None = "digital-rising-24w/1"
    definitions: Mapping[str, str] = EMPTY
    noise: tuple[str, ...] = BASES
    trend_min: int = 5
    lapse_days: float = 28.0
    relapses_since: str | None = None

    @classmethod
    def of(cls, document: Any, *, at: str = "") -> Policy:
        """Read a policy from JSON; what it does not name has its default.

        Raises :class:`~konectom.errors.FieldInvalid` at the first member that is unknown or wrong, under the pointer
        ``at``.
        """
        if not isinstance(document, Mapping):
            raise FieldInvalid("a policy is an object", at=at or "/")
        given = dict(document)
        version = given.pop("version", POLICY_VERSION)
        if version != POLICY_VERSION or isinstance(version, bool):
            raise FieldInvalid(f"only version {POLICY_VERSION} of a policy is known here", at=f"{at}/version")
        read = {}
        for name, value in given.items():
            if name not in _READERS:
                known = ", ".join(_READERS)
                raise FieldInvalid(f"a policy has no {name!r}; it has: {known}", at=f"{at}/{name}")
            read[name] = _READERS[name](value, f"{at}/{name}")
        policy = cls(**read)
        if policy.widest_days < policy.window_days:
            if "widest_days" in read:
                raise FieldInvalid("widest_days is shorter than window_days", at=f"{at}/widest_days")
            return cls(**{**read, "widest_days": policy.window_days})
        return policy

    def as_dict(self) -> dict[str, Any]:
        """Return the policy as JSON; :meth:`of` reads it back."""
        told: dict[str, Any] = {"version": POLICY_VERSION}
        for each in fields(self):
            value = getattr(self, each.name)
            told[each.name] = (
                dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple) else value
            )
        return told

    def run_in_of(self, score: Score) -> RunIn:
        """Return the run-in of a score, and how its values are taken."""
        declared = OBSERVED if score.source == "observation" else RUN_INS.get(score.of, UNDECLARED)
        runs, taken = self.run_in.get(score.of), self.taken.get(score.of)
        if runs is None and taken is None:
            return declared
        source = declared.source if runs is None else "set by the study"
        return RunIn(declared.runs if runs is None else runs, source, taken or declared.taken)  # type: ignore[arg-type]

    def definition_of(self, score: Score) -> str | None:
        """Return the name of the definition that a policy gives for a score, None where it leaves it to the default."""
        chosen = self.definitions.get(score.key) or self.definitions.get(score.of)
        return chosen or (self.definition if score.source == "assessment" else None)

    @property
    def relapses_since_day(self) -> float:
        """Return from when on relapses are on record, in days since 1970; infinite where they are not."""
        if self.relapses_since is None:
            return inf
        day = datetime.fromisoformat(self.relapses_since).replace(tzinfo=UTC)
        return day.timestamp() / 86_400

    def accepts(self) -> tuple[bool, ...]:
        """Return for each of :data:`VERDICTS` whether it counts."""
        return tuple(verdict in self.verdicts for verdict in VERDICTS)


def _number(least: float, most: float) -> Callable[[Any, str], float]:
    def read(value: Any, at: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise FieldInvalid(f"must be a number from {least:g} to {most:g}", at=at)
        return float(value)

    return read


def _count(least: int, most: int) -> Callable[[Any, str], int]:
    def read(value: Any, at: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise FieldInvalid(f"must be a whole number from {least} to {most}", at=at)
        return value

    return read


def _one_of(known: tuple[str, ...]) -> Callable[[Any, str], str]:
    def read(value: Any, at: str) -> str:
        if not isinstance(value, str) or value not in known:
            raise FieldInvalid(f"must be one of {', '.join(known)}", at=at)
        return value

    return read


def _some_of(known: tuple[str, ...]) -> Callable[[Any, str], tuple[str, ...]]:
    read_one = _one_of(known)

    def read(value: Any, at: str) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or not value or len(set(map(str, value))) != len(value):
            raise FieldInvalid(f"must be a list of some of {', '.join(known)}, each once", at=at)
        return tuple(read_one(each, f"{at}/{index}") for index, each in enumerate(value))

    return read


def _by_name(read_one: Callable[[Any, str], Any]) -> Callable[[Any, str], dict[str, Any]]:
    def read(value: Any, at: str) -> dict[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise FieldInvalid("must be an object", at=at)
        return {name: read_one(each, f"{at}/{pointer_token(name)}") for name, each in value.items()}

    return read


def _text(value: Any, at: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise FieldInvalid("must be a name", at=at)
    return value


def _text_or_none(value: Any, at: str) -> str | None:
    return None if value is None else _text(value, at)


def _day_or_none(value: Any, at: str) -> str | None:
    try:
        return None if value is None else date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise FieldInvalid("must be a date such as 2026-11-22", at=at) from None


_READERS: Mapping[str, Callable[[Any, str], Any]] = {
    "window_days": _number(1, 366),
    "tests_min": _count(1, 1000),
    "widest_days": _number(1, 366),
    "statistic": _one_of(STATISTICS),
    "verdicts": _some_of(("valid", "limited")),
    "run_in": _by_name(_count(0, 1000)),
    "taken": _by_name(_one_of(TAKEN)),
    "definition": _text_or_none,
    "definitions": _by_name(_text),
    "noise": _some_of(BASES),
    "trend_min": _count(3, 1000),
    "lapse_days": _number(1, 3660),
    "relapses_since": _day_or_none,
}
