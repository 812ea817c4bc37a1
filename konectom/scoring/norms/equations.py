"""Norms in the form of equations: linear regressions, LMS curves, and the T-score.

Each says what it needs of the person, what a comparison with it can say, and its own numbers in words, so that the
documentation cannot differ from what is computed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from konectom.scoring.norms.base import DISTRIBUTION, PREDICTED, WOMEN_AND_MEN, Expected, Limit
from konectom.scoring.norms.person import Person
from konectom.scoring.norms.spread import FIFTH_CENTILE, Lms, Normal

_MISSING = {"height_cm": "height_missing", "mass_kg": "mass_missing"}


@dataclass(frozen=True, slots=True)
class Line:
    """Coefficients of a linear equation in age (years), height (cm), mass (kg) and body mass index (kg/m2)."""

    constant: float
    age: float = 0.0
    height_cm: float = 0.0
    mass_kg: float = 0.0
    bmi: float = 0.0

    def at(self, person: Person) -> float:
        """Return the value that the equation gives for the person."""
        value = self.constant + self.age * person.age
        if self.height_cm:
            value += self.height_cm * person.given("height_cm")
        if self.mass_kg:
            value += self.mass_kg * person.given("mass_kg")
        return value + (self.bmi * person.bmi if self.bmi else 0.0)

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the fields of the person that the equation needs besides age and sex."""
        height = ("height_cm",) if self.height_cm or self.bmi else ()
        return height + (("mass_kg",) if self.mass_kg or self.bmi else ())

    def __str__(self) -> str:
        terms = (
            (self.height_cm, "height"),
            (self.age, "age"),
            (self.mass_kg, "mass"),
            (self.bmi, "BMI"),
        )
        return f"{self.constant:g}" + "".join(
            f" {'-' if factor < 0 else '+'} {abs(factor):g}·{name}" for factor, name in terms if factor
        )


@dataclass(frozen=True)
class Equation:
    """An equation for each sex; ``down_to_limit`` is how far the 5th centile lies below what is predicted.

    Where the source gives that distance, a standard deviation follows from it under a normal distribution.
    """

    by_sex: Mapping[str, Line]
    down_to_limit: Mapping[str, float] | None = None

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """Age, sex, and whatever one of the equations needs."""
        body = [name for line in self.by_sex.values() for name in line.needs]
        return ("age_years", "sex", *dict.fromkeys(body))

    @property
    def gives(self) -> tuple[str, ...]:
        """Predicted and share; with the 5th centile also z, percentile and limit."""
        return PREDICTED if self.down_to_limit is None else (*PREDICTED, *DISTRIBUTION, "limit")

    @property
    def formula(self) -> tuple[str, ...]:
        """The equation of each sex."""
        down = self.down_to_limit
        return tuple(
            f"{WOMEN_AND_MEN[sex]}: {line}" + (f"; lower limit of normal {down[sex]:g} below" if down else "")
            for sex, line in self.by_sex.items()
        )

    def expected(self, person: Person) -> Expected | str:
        """Return what the equation of the person's sex predicts."""
        line = self.by_sex[str(person.sex)]
        missing = missing_of(person, line.needs)
        if missing is not None:
            return missing
        predicted = line.at(person)
        if predicted <= 0:
            return "prediction_impossible"
        if self.down_to_limit is None:
            return Expected(predicted)
        down = self.down_to_limit[str(person.sex)]
        limit = Limit(predicted - down, "below", "below the lower limit of normal (5th centile)")
        return Expected(predicted, Normal(down / -FIFTH_CENTILE), limit)

    def stratum(self, person: Person) -> str:
        """Return "": the age enters the equation."""
        return ""


@dataclass(frozen=True, slots=True)
class LmsCurve:
    """L, M and S of one sex over age.

    M = exp(m0 + m_height ln(height in cm) + m_age ln(age) + spline), S = exp(s0 + s_age ln(age) + its spline).

    ``splines`` maps the age in whole years to the two splines; between whole years they are interpolated.
    """

    l: float  # noqa: E741 - the letter of the method
    m0: float
    m_height: float
    m_age: float
    s0: float
    s_age: float
    splines: Mapping[int, tuple[float, float]]

    def at(self, age: float, height_cm: float) -> tuple[float, Lms]:
        """Return the median and the spread about it; heights in cm, ages within the splines."""
        low = min(math.floor(age), max(self.splines) - 1)
        share = age - low
        m_spline, s_spline = (
            (1 - share) * before + share * after
            for before, after in zip(self.splines[low], self.splines[low + 1], strict=True)
        )
        median = math.exp(self.m0 + self.m_height * math.log(height_cm) + self.m_age * math.log(age) + m_spline)
        return median, Lms(self.l, math.exp(self.s0 + self.s_age * math.log(age) + s_spline))


@dataclass(frozen=True, slots=True)
class LmsSplines:
    """An LMS curve over age for each sex, scaled by height."""

    by_sex: Mapping[str, LmsCurve]

    @property
    def needs(self) -> tuple[str, ...]:
        """Age, sex and height."""
        return ("age_years", "sex", "height_cm")

    @property
    def gives(self) -> tuple[str, ...]:
        """Everything: the distribution is known."""
        return (*PREDICTED, *DISTRIBUTION, "limit")

    @property
    def formula(self) -> tuple[str, ...]:
        """The three curves of each sex; the splines stay in the data."""
        return tuple(
            f"{WOMEN_AND_MEN[sex]}: M = exp({c.m0} + {c.m_height}·ln height + ({c.m_age})·ln age + spline), "
            f"S = exp({c.s0} + {c.s_age}·ln age + spline), L = {c.l}"
            for sex, c in self.by_sex.items()
        )

    def expected(self, person: Person) -> Expected | str:
        """Return median, spread and 5th centile."""
        if person.height_cm is None:
            return "height_missing"
        median, spread = self.by_sex[str(person.sex)].at(person.age, person.height_cm)
        limit = Limit(spread.at(FIFTH_CENTILE, median), "below", "below the lower limit of normal (5th centile)")
        return Expected(median, spread, limit)

    def stratum(self, person: Person) -> str:
        """Return "": the age enters the curves."""
        return ""


@dataclass(frozen=True, slots=True)
class TScore:
    """A score that is standardised already: mean and standard deviation of its reference population."""

    mean: float = 50.0
    sd: float = 10.0

    @property
    def needs(self) -> tuple[str, ...]:
        """Only the age, to tell adults."""
        return ("age_years",)

    @property
    def gives(self) -> tuple[str, ...]:
        """The distribution; a share of a T-score would say nothing."""
        return ("predicted", *DISTRIBUTION)

    @property
    def formula(self) -> tuple[str, ...]:
        """The one line there is."""
        return (f"z = (T - {self.mean:g}) / {self.sd:g}",)

    def expected(self, person: Person) -> Expected | str:
        """Return mean and standard deviation, the same for everybody."""
        return Expected(self.mean, Normal(self.sd))

    def stratum(self, person: Person) -> str:
        """Return "": there are no age groups."""
        return ""


def missing_of(person: Person, needs: tuple[str, ...]) -> str | None:
    """Return the code for the first of the body's measures that is needed and not known, or None."""
    return next((_MISSING[name] for name in needs if getattr(person, name) is None), None)
