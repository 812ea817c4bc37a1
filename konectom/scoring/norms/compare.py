"""Compare a value with every norm that applies to its score."""

from __future__ import annotations

import math
from collections.abc import Iterable

from konectom.errors import FieldInvalid
from konectom.scoring.norms.base import OUTSIDE, Compared, Expected, Norm
from konectom.scoring.norms.person import Person
from konectom.scoring.norms.spread import Normal, percentile_of

ASSUMES_NORMAL = "The percentile assumes that people spread normally about the value expected."


def compare_with(norms: Iterable[Norm], key: str, value: float, person: Person) -> tuple[Compared, ...]:
    """Compare the value of the score ``key`` with each of the norms that has it among its keys.

    Raises :class:`FieldInvalid` for a value that is not finite.
    """
    if not math.isfinite(value):
        raise FieldInvalid(f"the value of {key} must be a finite number, not {value!r}", at="/value")
    return tuple(_compared(norm, key, float(value), person) for norm in norms if key in norm.keys)


def _compared(norm: Norm, key: str, value: float, person: Person) -> Compared:
    expected = _expected(norm, value, person)
    notes = _of_age(norm, person)
    if isinstance(expected, str):
        return Compared(norm.id, norm.source, outside=expected, notes=(_why(norm, expected), *notes))
    z = share = None
    predicted = expected.predicted
    if predicted is not None and expected.spread is not None:
        z = expected.spread.z(value, predicted)
    if predicted is not None and "share_of_predicted" in norm.form.gives:
        share = value / predicted
    if key in norm.caveats:
        notes = (norm.caveats[key], *notes)
    if z is not None and isinstance(expected.spread, Normal):
        notes = (*notes, ASSUMES_NORMAL)
    return Compared(
        norm.id,
        norm.source,
        z=z,
        percentile=None if z is None else percentile_of(z),
        predicted=predicted,
        share_of_predicted=share,
        limit=expected.limit,
        passed=None if expected.limit is None else expected.limit.passed_by(value),
        notes=notes,
    )


def _expected(norm: Norm, value: float, person: Person) -> Expected | str:
    outside = norm.outside(person)
    if outside is not None:
        return outside
    if norm.lowest is not None and value < norm.lowest:
        return "value_impossible"
    return norm.form.expected(person)


def _why(norm: Norm, code: str) -> str:
    """Say why nothing is given, with the ages where it is for them."""
    if code in ("age_below", "age_above"):
        low, high = norm.ages
        covers = f"from {low} years on" if high is None else f"from {low} to {high} years"
        return f"{OUTSIDE[code]} It covers ages {covers}."
    return OUTSIDE[code]


def _of_age(norm: Norm, person: Person) -> tuple[str, ...]:
    """Say where it matters that the person may be a year younger than the year of birth alone tells."""
    younger = person.a_year_younger()
    if younger is None:
        return ()
    may_be = f"Only the year of birth is known: the person may still be {younger.completed_years} years old"
    here, there = norm.age_outside(person) is None, norm.age_outside(younger) is None
    if here != there:
        return (f"{may_be}, which is {'within' if there else 'outside'} the norm's ages.",)
    if here and norm.form.stratum(person) != norm.form.stratum(younger):
        return (f"{may_be} and belong to the group of {norm.form.stratum(younger)}.",)
    return ()
