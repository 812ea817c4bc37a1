"""A reliability study's design in words, as a command line or a query says it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from konectom.errors import FieldInvalid, NotPermitted
from konectom.scoring.reliability.design import (
    ByAttribute,
    ByThreshold,
    Design,
    Grouping,
    Labels,
    Period,
    Periods,
    Repeats,
    Statistic,
    Values,
    Windows,
)
from konectom.workflows.following.histories import OBSERVED

REPEATS = ("windows", "values", "periods", "labels")
"""How repeats can be declared."""

DEFAULT_LABELS = ("supervised", "unsupervised")

PERIOD = re.compile(r"(?P<name>[^=]+)=(?P<start>[^/]+)/(?P<end>[^/]+)")
ATTRIBUTE = re.compile(r"(?P<attribute>[^:]+):(?P<first>[^/]+)/(?P<second>[^/]+)")
THRESHOLD = re.compile(r"(?P<reference>.+?)\s*>=\s*(?P<threshold>[^>=]+)")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def design_of(
    *,
    repeats: str = "windows",
    count: int = 2,
    window_days: float = 14.0,
    tests_min: int | None = None,
    run_in: int | Mapping[str, int] = 0,
    periods: Sequence[str] = (),
    labels: Sequence[str] = (),
    groups: Sequence[str] = (),
    references: Sequence[str] = (),
    match_days: float = 30.0,
    statistic: Statistic = "median",
    confidence: float = 0.95,
    mixed: bool = False,
) -> Design:
    """Return the design that these words declare.

    ``periods`` are ``NAME=START/END``, each a date or an instant (ISO 8601, UTC where it says no offset), the end not
    included; ``groups`` are ``ATTRIBUTE:FIRST/SECOND`` or ``SCORE>=NUMBER``. Raises :class:`FieldInvalid`, at
    ``/query/…``, for words that cannot be understood or make no design.
    """
    try:
        return Design(
            repeats=_repeats(repeats, count, window_days, tests_min, periods, labels),
            run_in=run_in,
            statistic=statistic,
            groups=tuple(map(_group, groups)),
            references=tuple(references),
            match_days=match_days,
            confidence=confidence,
            mixed=mixed,
        )
    except FieldInvalid as error:
        raise FieldInvalid(error.detail, at=f"/query{error.at or ''}") from None


def refuse_observed(keys: Iterable[str], design: Design) -> None:
    """Raise :class:`NotPermitted` where scores or what they are compared with are what clinicians have found."""
    places = {"measure": keys, "references": design.references, "groups": design.every_reference}
    for at, named in places.items():
        if any(key.startswith(OBSERVED) for key in named):
            told = "what clinicians and laboratories found needs the permission observation.read"
            raise NotPermitted(told, at=f"/query/{at}")


def split(text: str) -> list[str]:
    """Return the parts of a list that commas separate; those within brackets belong to a score's key."""
    parts = re.split(r",(?![^\[\]]*\])", text)
    return [part.strip() for part in parts if part.strip()]


def _repeats(
    kind: str, count: int, window_days: float, tests_min: int | None, periods: Sequence[str], labels: Sequence[str]
) -> Repeats:
    for name, told in (("periods", periods), ("labels", labels)):
        if told and kind != name:
            raise FieldInvalid(f"{name} belong to a design whose repeats are {name}, not {kind}", at=f"/{name}")
    if kind == "windows":
        return Windows(count, window_days, **_unless_none(tests_min=tests_min))
    if kind == "values":
        return Values(count)
    if kind == "periods":
        return Periods(tuple(map(_period, periods)), **_unless_none(tests_min=tests_min))
    if kind == "labels":
        return Labels(tuple(labels) or DEFAULT_LABELS, **_unless_none(tests_min=tests_min))
    raise FieldInvalid(f"repeats are one of {', '.join(REPEATS)}, not {kind!r}", at="/repeats")


def _unless_none(**told: Any) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value is not None}


def _period(text: str) -> Period:
    found = PERIOD.fullmatch(text)
    if found is None:
        raise FieldInvalid(f"a period is NAME=START/END, not {text!r}", at="/periods")
    return Period(found["name"].strip(), day_of(found["start"], "/periods"), day_of(found["end"], "/periods"))


def day_of(text: str, at: str) -> float:
    """Return an instant in days since 1970-01-01T00:00Z; raises :class:`FieldInvalid` at ``at``."""
    try:
        told = datetime.fromisoformat(text.strip())
        return ((told if told.tzinfo else told.replace(tzinfo=UTC)) - EPOCH).total_seconds() / 86400
    except (ValueError, OverflowError):
        raise FieldInvalid(f"{text.strip()!r} is neither a date nor an instant (ISO 8601)", at=at) from None


def _group(text: str) -> Grouping:
    found = THRESHOLD.fullmatch(text)
    if found is not None:
        try:
            threshold = float(found["threshold"])
        except ValueError:
            threshold = float("nan")
        if abs(threshold) < float("inf"):
            return ByThreshold(found["reference"].strip(), threshold)
        raise FieldInvalid(f"{found['threshold']!r} is no number", at="/groups")
    found = ATTRIBUTE.fullmatch(text)
    if found is None:
        raise FieldInvalid(f"groups are ATTRIBUTE:FIRST/SECOND or SCORE>=NUMBER, not {text!r}", at="/groups")
    return ByAttribute(*(found[name].strip() for name in ("attribute", "first", "second")))
