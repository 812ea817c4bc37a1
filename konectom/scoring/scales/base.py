"""What a clinical scale declares, and what comes of the values that somebody entered.

A scale is one function under :func:`scale`, after its declarations:

* :class:`Component`: what is entered (a trial in seconds, an item's points, a date), with its kind, its units, the
  values that are possible (others are refused) and those that are likely (others are flagged);
* :class:`Quantity`: what comes out, with unit, direction, range, cut-offs and evidence. Its key among scores is
  ``obs.<code>.<quantity>``, such as ``obs.t25fw.time``;
* :class:`Notice`: what may be worth a second look, :class:`Alarm`: what somebody has to see now.

``scale.score(values, on=date)`` takes a mapping of component to value and returns :class:`Scored`:

* a number with a unit is ``{"value": 5.1, "unit": "s"}``: units are never guessed. A number without a unit (points, a
  count) is the number itself; a choice or a text is a text, yes/no is true/false or "yes"/"no", a date is ISO 8601;
  None is as if the component were not there;
* ``on`` is the day of the observation, which only rates since an onset need;
* what is impossible raises :class:`~konectom.errors.DataError` with ``at="/values/<component>"``;
* what cannot be computed stands in ``absent`` with its reason (one of :data:`REASONS`), never as NaN;
* ``flags`` have the shape of an assessment's: ``kind`` is "entry" or "alarm".

No wording of any licensed item is kept: components have neutral names and numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Literal

from konectom.assessments.base import Flag
from konectom.recording import EMPTY
from konectom.scoring.scales._given import Component, Given, as_told, read_values

__all__ = [
    "GENERAL_NOTICES",
    "REASONS",
    "Alarm",
    "Band",
    "Component",
    "Given",
    "Notice",
    "Outcome",
    "Quantity",
    "Scale",
    "Scored",
    "scale",
]

Domain = Literal["clinician-rated", "performance", "patient-reported", "laboratory", "imaging", "event"]

REASONS = {
    "not_given": "The values that this needs were not given.",
    "items_missing": "Too many items are without an answer.",
    "unable": "The patient was not able to do the test.",
    "education_unknown": "The years of education are not known.",
    "onset_unknown": "The date of the first symptoms is not known.",
    "too_soon": "Too little time has passed since the first symptoms.",
    "no_conversion": "There is no table here that converts this form's raw score.",
}
"""Why a quantity can be absent."""


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of a quantity that has a name, from ``start`` (included) to the start of the next."""

    start: float
    name: str


@dataclass(frozen=True, slots=True)
class Quantity:
    """One figure that a scale gives.

    ``better`` is the direction of better health, None where neither is. ``score`` is false for what is kept but not
    followed over time. ``bands`` are published cut-offs, in rising order.
    """

    name: str
    unit: str
    means: str
    _: KW_ONLY
    better: Literal["higher", "lower"] | None = None
    plausible: tuple[float, float]
    score: bool = True
    evidence: str = ""
    bands: tuple[Band, ...] = ()
    loinc: str = ""

    def __post_init__(self) -> None:
        if not self.plausible[0] < self.plausible[1]:
            raise ValueError(f"{self.name}: plausible range {self.plausible} is empty")
        if [band.start for band in self.bands] != sorted({band.start for band in self.bands}):
            raise ValueError(f"{self.name}: bands do not rise")

    def band_of(self, value: float) -> str | None:
        """Return the name of the band that ``value`` falls into, None where there is none."""
        names = [band.name for band in self.bands if value >= band.start]
        return names[-1] if names else None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that may be worth a second look, declared as data and raised by the rule."""

    code: str
    message: str
    severity: Literal["info", "warning"] = "warning"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that somebody has to see now: the component or quantity ``of`` is above ``above``."""

    code: str
    message: str
    of: str
    above: float


GENERAL_NOTICES = (
    Notice("unlikely_value", "A value is possible but unlikely. Please check it."),
    Notice("items_imputed", "Items without an answer count as the mean of the others.", "info"),
    Notice("total_disagrees", "The total that was given is not the sum of the items. The sum counts."),
)
"""Notices that every scale may raise."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What came of an observation's values.

    ``values`` holds each quantity that could be computed, ``absent`` the reason for each of the others; ``bands`` names
    the band of those that have cut-offs; ``facts`` holds the texts, choices and dates that were given. ``given`` holds
    every checked value in one form, however it was told (numbers in the kept units), ``told`` as it was told.
    """

    values: Mapping[str, float]
    absent: Mapping[str, str] = EMPTY
    flags: tuple[Flag, ...] = ()
    bands: Mapping[str, str] = EMPTY
    facts: Mapping[str, str] = EMPTY
    given: Mapping[str, Any] = EMPTY
    told: Mapping[str, Any] = EMPTY

    @property
    def alarms(self) -> tuple[Flag, ...]:
        """Return the flags that somebody has to see now."""
        return tuple(flag for flag in self.flags if flag.kind == "alarm")


class Outcome:
    """What a scale's rule writes into."""

    def __init__(self, owner: Scale) -> None:
        self._owner = owner
        self.values: dict[str, float] = {}
        self.reasons: dict[str, str] = {}
        self.flags: list[Flag] = []

    def __call__(self, quantity: str, value: float | None, reason: str = "not_given") -> None:
        """Write a quantity, or, where ``value`` is None, that it is absent and why."""
        if quantity not in self._owner.quantity:
            raise KeyError(f"{self._owner.code} declares no quantity {quantity}")
        if value is None:
            self.reasons[quantity] = _known(reason)
        else:
            self.values[quantity] = float(value)

    def flag(self, code: str, *, when: bool = True, **evidence: Any) -> None:
        """Raise a declared notice."""
        notice = self._owner.notice[code]
        if when:
            self.flags.append(Flag(code, "entry", notice.severity, notice.message, evidence))


Rule = Callable[[Given, Outcome], None]


@dataclass(frozen=True, eq=False)
class Scale:
    """A clinical scale: declarations, and the rule that computes; :meth:`score` is the only way in.

    ``version`` counts up whenever a value may change. ``licence`` says what a user has to mind.
    """

    code: str
    version: int
    title: str
    domain: Domain
    components: tuple[Component, ...]
    quantities: tuple[Quantity, ...]
    rule: Rule = field(repr=False)
    source: str
    notices: tuple[Notice, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    licence: str = ""
    loinc: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        for what, names in (("component", self.components), ("quantity", self.quantities)):
            if len({each.name for each in names}) != len(names):
                raise ValueError(f"{self.code}: a {what} is declared twice")
        if unknown := {alarm.of for alarm in self.alarms} - self.component.keys() - self.quantity.keys():
            raise ValueError(f"{self.code}: an alarm looks at what is not there: {sorted(unknown)}")

    @cached_property
    def component(self) -> dict[str, Component]:
        """Return the components by name."""
        return {each.name: each for each in self.components}

    @cached_property
    def quantity(self) -> dict[str, Quantity]:
        """Return the quantities by name."""
        return {each.name: each for each in self.quantities}

    @cached_property
    def notice(self) -> dict[str, Notice]:
        """Return every notice by code, the general ones included."""
        return {each.code: each for each in (*GENERAL_NOTICES, *self.notices)}

    def key(self, quantity: str) -> str:
        """Return a quantity's key among scores."""
        return f"obs.{self.code}.{self.quantity[quantity].name}"

    def score(self, values: Mapping[str, Any], *, on: date | None = None) -> Scored:
        """Check the values, convert their units, compute.

        Raises :class:`~konectom.errors.DataError` where a value is unknown, of the wrong kind or unit, or impossible.
        """
        given = read_values(self.component, values, on)
        out = Outcome(self)
        self.rule(given, out)
        unlikely = self._unlikely(given, out.values)
        missing = {name: out.reasons.get(name, "not_given") for name in self.quantity if name not in out.values}
        bands = {name: band for name, value in out.values.items() if (band := self.quantity[name].band_of(value))}
        flags = (*unlikely, *out.flags, *self._alarmed(given, out.values))
        told = as_told(self.component, given, values)
        return Scored(out.values, missing, flags, bands, given.facts, given.plain, told)

    def _unlikely(self, given: Given, values: Mapping[str, float]) -> list[Flag]:
        """Flag what is unlikely among the components; among the quantities only where no component tells it."""
        held = {name: (given.numbers[name], self.component[name].plausible) for name in given.numbers}
        out = Outcome(self)
        for at in (held, {name: (value, self.quantity[name].plausible) for name, value in values.items()}):
            for name, (value, plausible) in at.items():
                if plausible is not None and not plausible[0] <= value <= plausible[1]:
                    out.flag("unlikely_value", of=name, value=value, plausible=list(plausible))
            if out.flags:
                break
        return out.flags

    def _alarmed(self, given: Given, values: Mapping[str, float]) -> list[Flag]:
        held = {**values, **given.numbers}
        return [
            Flag(alarm.code, "alarm", "error", alarm.message, {"of": alarm.of, "value": held[alarm.of]})
            for alarm in self.alarms
            if alarm.of in held and held[alarm.of] > alarm.above
        ]


def scale(
    code: str,
    *,
    title: str,
    domain: Domain,
    components: tuple[Component, ...],
    quantities: tuple[Quantity, ...],
    source: str,
    version: int = 1,
    notices: tuple[Notice, ...] = (),
    alarms: tuple[Alarm, ...] = (),
    licence: str = "",
    loinc: str = "",
) -> Callable[[Rule], Scale]:
    """Turn a rule into the scale ``code``; its docstring becomes the description."""

    def declare(rule: Rule) -> Scale:
        about = (rule.__doc__ or "").strip()
        return Scale(
            code, version, title, domain, components, quantities, rule, source, notices, alarms, licence, loinc, about
        )

    return declare


def _known(reason: str) -> str:
    if reason not in REASONS:
        raise KeyError(f"no such reason: {reason}")
    return reason
