"""Norms: what is usual for people of the same age, sex and size, as published, with source and range of validity.

One file for each quantity; a new norm is a :class:`Norm` more in ``NORMS`` of its file, or a new file that is named
here. ``compare`` sets a value beside every norm of its score; whoever is outside a norm's population gets the reason
and no number. What was left out, and why, stands in ``_left_out.py``; all of it is told in ``docs/norms.md``.
"""

from __future__ import annotations

from konectom.scoring.norms import fvc, gait_speed, grip, neuroqol, nfl, sixmwt, tug
from konectom.scoring.norms._left_out import LEFT_OUT
from konectom.scoring.norms.base import OUTSIDE, Compared, Limit, Norm
from konectom.scoring.norms.compare import compare_with
from konectom.scoring.norms.person import Person, person_on

__all__ = [
    "LEFT_OUT",
    "OUTSIDE",
    "Compared",
    "Limit",
    "Norm",
    "Person",
    "compare",
    "every_norm",
    "person_on",
]

_FILES = (sixmwt, gait_speed, tug, grip, fvc, nfl, neuroqol)
_NORMS = {norm.id: norm for file in _FILES for norm in file.NORMS}


def every_norm() -> dict[str, Norm]:
    """Return all norms by ``name/version``."""
    return dict(_NORMS)


def compare(key: str, value: float, person: Person) -> tuple[Compared, ...]:
    """Compare a value of the score ``key`` with every norm of that score; empty where there is none.

    ``value`` is in the norm's unit, which is the score's. Raises :class:`~konectom.errors.FieldInvalid` for a value
    that is not finite.
    """
    return compare_with(_NORMS.values(), key, value, person)
