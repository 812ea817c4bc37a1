"""What was entered: each component's declaration, and the reading of its value."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import date
from typing import Any, Literal

from konectom.errors import FieldInvalid, FieldMissing, UnitInvalid, UnitMissing, pointer_token
from konectom.scoring.scales._units import ONE

Kind = Literal["number", "whole", "choice", "yes_no", "text", "date"]

LONGEST_TEXT = 200
EARLIEST_YEAR = 1900
_WORDS = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True, slots=True)
class Component:
    """One thing that is entered.

    ``units`` gives each accepted unit with its factor to the kept one, which is the first; ``possible`` bounds what is
    accepted, in the kept unit, ``plausible`` what is accepted without a flag. ``among`` are the only values there are.
    """

    name: str
    means: str
    kind: Kind = "number"
    _: KW_ONLY
    units: Mapping[str, float] | None = None
    possible: tuple[float, float] | None = None
    plausible: tuple[float, float] | None = None
    among: tuple[float, ...] = ()
    choices: tuple[str, ...] = ()
    required: bool = False
    loinc: str = ""

    def __post_init__(self) -> None:
        if self.kind in ("number", "whole") and self.possible is None:
            raise ValueError(f"{self.name}: no bounds of what is possible")
        if (self.kind == "choice") != bool(self.choices):
            raise ValueError(f"{self.name}: choices belong to a choice")

    @property
    def unit(self) -> str:
        """Return the unit in which the number is kept; "1" where it has none."""
        return next(iter(self.units or ONE))

    @property
    def at(self) -> str:
        """Return the JSON pointer to the component's value."""
        return f"/values/{self.name}"


@dataclass(frozen=True, slots=True)
class Given:
    """Values that were checked: numbers in the kept units, and the rest by its kind."""

    numbers: dict[str, float]
    texts: dict[str, str]
    dates: dict[str, date]
    answers: dict[str, bool]
    on: date | None = None

    def number(self, name: str) -> float | None:
        """Return a number, None where it was not given."""
        return self.numbers.get(name)

    def those(self, *names: str) -> list[float]:
        """Return those of the numbers that were given, in this order."""
        return [self.numbers[name] for name in names if name in self.numbers]

    def yes(self, name: str) -> bool | None:
        """Return what was answered to a yes/no component, None where nothing was."""
        return self.answers.get(name)

    @property
    def plain(self) -> dict[str, Any]:
        """Return every value in one form, however it was told: numbers in the kept units, dates as texts."""
        days = {name: day.isoformat() for name, day in self.dates.items()}
        return {**self.numbers, **self.texts, **days, **self.answers}

    @property
    def facts(self) -> dict[str, str]:
        """Return what is no number, as texts."""
        told = {name: day.isoformat() for name, day in self.dates.items()}
        return {**self.texts, **told, **{name: "yes" if yes else "no" for name, yes in self.answers.items()}}


def read_values(components: Mapping[str, Component], values: Mapping[str, Any], on: date | None) -> Given:
    """Return the checked values; raise a :class:`~konectom.errors.DataError` that points to the first wrong one."""
    told = {name: value for name, value in values.items() if value is not None}
    for name in told:
        if name not in components:
            known = ", ".join(components)
            raise FieldInvalid(
                f"there is no value {name[:40]!r}; there are: {known}", at=f"/values/{pointer_token(name[:40])}"
            )
    if not told:
        raise FieldMissing(f"no value was given; there are: {', '.join(components)}", at="/values")
    held = Given({}, {}, {}, {}, on)
    for component in components.values():
        if component.name in told:
            _read_one(component, told[component.name], held)
        elif component.required:
            raise FieldMissing(f"{component.name} is missing: {component.means}", at=component.at)
    return held


def as_told(components: Mapping[str, Component], given: Given, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that were checked as they were told, numbers in their own units, and nothing beside them."""
    told: dict[str, Any] = {}
    for name, plain in given.plain.items():
        value = values[name]
        if name in given.numbers:
            number, unit = (value["value"], value.get("unit")) if isinstance(value, Mapping) else (value, None)
            plain = number if components[name].units is None else {"value": number, "unit": unit}
        told[name] = plain
    return told


def _read_one(component: Component, value: Any, held: Given) -> None:
    if component.kind in ("number", "whole"):
        held.numbers[component.name] = _number(component, value)
    elif component.kind == "date":
        held.dates[component.name] = _date(component, value)
    elif component.kind == "yes_no":
        held.answers[component.name] = _yes_no(component, value)
    else:
        held.texts[component.name] = _text(component, value)


def _number(component: Component, value: Any) -> float:
    unit = None
    if isinstance(value, Mapping):
        unit, value = value.get("unit"), value.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FieldInvalid(f"{component.name} is no number: {_shown(value)}", at=component.at)
    kept = _as_float(component, value) * _factor(component, unit)
    low, high = component.possible or (-math.inf, math.inf)
    if not low <= kept <= high:
        span = f"{low:g} to {high:g}" + (f" {component.unit}" if component.units else "")
        raise FieldInvalid(f"{component.name} is {kept:g}; possible is {span}", at=component.at)
    if component.kind == "whole" and kept != math.floor(kept):
        raise FieldInvalid(f"{component.name} is {kept:g}, which is no whole number", at=component.at)
    if component.among and kept not in component.among:
        known = ", ".join(f"{each:g}" for each in component.among)
        raise FieldInvalid(f"{component.name} is {kept:g}; there are only: {known}", at=component.at)
    return kept


def _as_float(component: Component, value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise FieldInvalid(f"{component.name} is no finite number", at=component.at)
    return number


def _factor(component: Component, unit: Any) -> float:
    if component.units is None:
        if unit in (None, "", "1") or (isinstance(unit, str) and unit.startswith("{") and unit.endswith("}")):
            return 1.0
        raise UnitInvalid(f"{component.name} has no unit, not {_shown(unit)}", at=component.at)
    known = ", ".join(component.units)
    if unit is None or unit == "":
        raise UnitMissing(f"the unit of {component.name} is missing; say one of: {known}", at=component.at)
    if not isinstance(unit, str) or unit not in component.units:
        raise UnitInvalid(f"{_shown(unit)} is no unit of {component.name}; use one of: {known}", at=component.at)
    return component.units[unit]


def _date(component: Component, value: Any) -> date:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value.strip()):
        try:
            day = date.fromisoformat(value.strip())
        except ValueError as error:
            raise FieldInvalid(f"{component.name} is no date: {error}", at=component.at) from None
        if day.year < EARLIEST_YEAR:
            raise FieldInvalid(f"{component.name} is {day}, before {EARLIEST_YEAR}", at=component.at)
        return day
    raise FieldInvalid(f"{component.name} is no date like 2026-03-31: {_shown(value)}", at=component.at)


def _yes_no(component: Component, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _WORDS:
        return _WORDS[value.strip().lower()]
    raise FieldInvalid(f"{component.name} is neither yes nor no: {_shown(value)}", at=component.at)


def _text(component: Component, value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value:g}"
    if not isinstance(value, str) or not value.strip():
        raise FieldInvalid(f"{component.name} is no text: {_shown(value)}", at=component.at)
    text = value.strip()
    if "\0" in text:
        raise FieldInvalid(f"{component.name} holds a NUL character", at=component.at)
    if len(text) > LONGEST_TEXT:
        raise FieldInvalid(f"{component.name} has {len(text)} characters, more than {LONGEST_TEXT}", at=component.at)
    if component.choices:
        text = text.lower()
        if text not in component.choices:
            raise FieldInvalid(
                f"{component.name} is {_shown(value)}; possible are: {', '.join(component.choices)}", at=component.at
            )
    return text


def _shown(value: Any) -> str:
    if isinstance(value, Mapping | list | tuple):
        return "an object" if isinstance(value, Mapping) else "a list"
    return repr(value[:40] if isinstance(value, str) else value)[:60]
