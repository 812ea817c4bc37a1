"""The contract of norms: what one declares, and what a comparison with it says.

A norm is declared in one file of this package, the file of its quantity: where it comes from, whom it describes, within
which ages and heights, which scores it applies to, and its numbers as one of the forms of ``equations.py``
and ``tables.py``. From these
declarations follow the comparison, the catalogue and ``docs/norms.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal, Protocol

from konectom.recording import EMPTY
from konectom.scoring.norms.person import Person
from konectom.scoring.norms.spread import Spread

FEMALE, MALE = "female", "male"
SEXES = (FEMALE, MALE)

WOMEN_AND_MEN = {FEMALE: "Women", MALE: "Men"}

Beyond = Literal["above", "below"]
Ages = tuple[int, int | None]  # completed years, both ends included; None where open

PREDICTED = ("predicted", "share_of_predicted")
DISTRIBUTION = ("z", "percentile")

OUTSIDE: Mapping[str, str] = {
    "age_missing": "The age is not known.",
    "age_below": "The person is younger than the norm's population.",
    "age_above": "The person is older than the norm's population.",
    "sex_missing": "The sex is not known.",
    "sex_not_in_norm": "The norm describes women and men only.",
    "height_missing": "The height is not known.",
    "height_below": "The person is shorter than the norm's population.",
    "height_above": "The person is taller than the norm's population.",
    "mass_missing": "The body mass is not known.",
    "no_reference_cell": "The source gives no figure for this combination of age, sex and height.",
    "prediction_impossible": "The equation predicts nothing above zero for this age, height and mass.",
    "value_impossible": "The value lies below the least that is possible.",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of the norm: what lies beyond it, on the side ``beyond``, is what ``means`` says."""

    value: float
    beyond: Beyond
    means: str

    def passed_by(self, value: float) -> bool:
        """Return whether the value lies beyond the limit; the limit itself does not."""
        return value > self.value if self.beyond == "above" else value < self.value


@dataclass(frozen=True, slots=True)
class Expected:
    """What a norm says of people like the person: the value expected, how people spread about it, a limit."""

    predicted: float | None = None
    spread: Spread | None = None
    limit: Limit | None = None


class Form(Protocol):
    """The numbers of a norm, in one of the forms of ``equations.py`` and ``tables.py``."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The fields of the person that go into what is expected."""

    @property
    def gives(self) -> tuple[str, ...]:
        """What a comparison can say: some of predicted, share_of_predicted, z, percentile, limit."""

    @property
    def formula(self) -> tuple[str, ...]:
        """The numbers in words, one line each."""

    def expected(self, person: Person) -> Expected | str:
        """What is expected, or the code of :data:`OUTSIDE` that says why nothing is; age and sex are known."""

    def stratum(self, person: Person) -> str:
        """The age group of a table, in words; empty where the age enters an equation."""


@dataclass(frozen=True, slots=True)
class Norm:
    """One published norm.

    ``keys`` are the scores that it applies to; ``caveats`` says, for some of them, in what their measurement differs
    from the source's. ``ages`` are completed years, both ends included, None where open. ``confirmed`` says
    where the numbers were found again, ``lowest`` is the least possible value. The ``version`` counts up whenever a
    number or a range changes.
    """

    name: str
    version: int
    title: str
    unit: str
    keys: tuple[str, ...]
    form: Form
    _: KW_ONLY
    source: str
    population: str
    sample: str
    ages: Ages
    confirmed: str
    notes: tuple[str, ...] = ()
    caveats: Mapping[str, str] = EMPTY
    lowest: float | None = 0.0

    @property
    def id(self) -> str:
        """Return ``name/version``, as comparisons carry it."""
        return f"{self.name}/{self.version}"

    def outside(self, person: Person) -> str | None:
        """Return why the age or the sex is outside the norm's population, as a code of :data:`OUTSIDE`, or None."""
        return self.age_outside(person) or self._sex_outside(person)

    def age_outside(self, person: Person) -> str | None:
        """Return why the person's age is outside the norm's, as a code, or None."""
        if person.age_years is None:
            return "age_missing"
        low, high = self.ages
        if person.completed_years < low:
            return "age_below"
        return "age_above" if high is not None and person.completed_years > high else None

    def _sex_outside(self, person: Person) -> str | None:
        if "sex" not in self.form.needs:
            return None
        if person.sex is None:
            return "sex_missing"
        return None if person.sex in SEXES else "sex_not_in_norm"

    def as_dict(self) -> dict[str, Any]:
        """Return the norm as a row of the catalogue."""
        return {
            "norm": self.id,
            "title": self.title,
            "unit": self.unit,
            "keys": list(self.keys),
            "source": self.source,
            "population": self.population,
            "sample": self.sample,
            "ages": list(self.ages),
            "needs": list(self.form.needs),
            "gives": list(self.form.gives),
            "formula": list(self.form.formula),
            "notes": list(self.notes),
            "caveats": dict(self.caveats),
            "confirmed": self.confirmed,
        }


@dataclass(frozen=True, slots=True)
class Compared:
    """A value beside one norm; what is None the norm does not give, or ``outside`` says why nothing is given.

    ``z`` and ``percentile`` grow with the value: whether that is better is for the score to say. ``percentile`` runs
    from 0 to 100. ``share_of_predicted`` is value over predicted: 1 is 100 % predicted. ``passed`` says whether the
    value lies beyond ``limit``. ``outside`` is a code of :data:`OUTSIDE`; ``notes`` are sentences for people.
    """

    norm: str
    source: str
    z: float | None = None
    percentile: float | None = None
    predicted: float | None = None
    share_of_predicted: float | None = None
    limit: Limit | None = None
    passed: bool | None = None
    outside: str | None = None
    notes: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as it stands in an answer."""
        limit = self.limit
        return {
            "norm": self.norm,
            "source": self.source,
            "z": self.z,
            "percentile": self.percentile,
            "predicted": self.predicted,
            "share_of_predicted": self.share_of_predicted,
            "limit": None
            if limit is None
            else {"value": limit.value, "beyond": limit.beyond, "means": limit.means, "passed": self.passed},
            "outside": self.outside,
            "notes": list(self.notes),
        }


def ages_in_words(ages: Ages) -> str:
    """Return an age group as "20–29 years" or "71 years and older"."""
    low, high = ages
    return f"{low} years and older" if high is None else f"{low}–{high} years"
