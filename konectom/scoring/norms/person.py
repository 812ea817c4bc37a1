"""Who is compared: what norms ask of a person, and the age that a year of birth gives."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date

from konectom.errors import FieldInvalid, FieldMissing

BOUNDS = {
    "age_years": (0.0, 130.0),
    "height_cm": (30.0, 260.0),
    "mass_kg": (2.0, 500.0),
    "education_years": (0.0, 40.0),
}
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a person on the day of the value; None is not known.

    ``sex`` is "female", "male" or "other". ``birth_year_only`` says that ``age_years`` is a difference of calendar
    years, so that the person may be one year younger. Raises :class:`FieldInvalid` outside :data:`BOUNDS`: a height in
    metres does not pass for one in centimetres.
    """

    age_years: float | None = None
    sex: str | None = None
    height_cm: float | None = None
    mass_kg: float | None = None
    education_years: float | None = None
    birth_year_only: bool = True

    def __post_init__(self) -> None:
        for name, (low, high) in BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise FieldInvalid(f"{name} must lie between {low:g} and {high:g}, not {value!r}", at=f"/person/{name}")

    def given(self, name: str) -> float:
        """Return a number that a norm needs; raises :class:`FieldMissing` where it is not known."""
        value = getattr(self, name)
        if value is None:
            raise FieldMissing(f"{name} is not known", at=f"/person/{name}")
        return float(value)

    @property
    def age(self) -> float:
        """Return the age in years."""
        return self.given("age_years")

    @property
    def completed_years(self) -> int:
        """Return the years completed: tables go by them."""
        return math.floor(self.age)

    @property
    def bmi(self) -> float:
        """Return the body mass index in kg/m2."""
        return self.given("mass_kg") / (self.given("height_cm") / 100) ** 2

    def a_year_younger(self) -> Person | None:
        """Return the person as they may be as well where only the year of birth is known, else None."""
        if self.age_years is None or not self.birth_year_only or self.age_years < 1:
            return None
        return replace(self, age_years=self.age_years - 1)


def person_on(
    at_day: float,
    *,
    birth_year: int | None,
    sex: str | None = None,
    height_m: float | None = None,
    mass_kg: float | None = None,
    education_years: float | None = None,
) -> Person:
    """Return the person of a record on the day of a value.

    ``at_day`` is in days since 1970-01-01T00:00Z; ``height_m`` is in metres, as records hold it. The age is the year of
    ``at_day`` (in UTC) less the year of birth. Raises :class:`FieldInvalid` for a value from before the birth.
    """
    age = None
    if birth_year is not None:
        age = float(date.fromordinal(_EPOCH + math.floor(at_day)).year - birth_year)
    return Person(
        age_years=age,
        sex=sex,
        height_cm=None if height_m is None else 100 * height_m,
        mass_kg=mass_kg,
        education_years=education_years,
    )
