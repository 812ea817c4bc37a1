"""The assessment contract: what one test needs, what it measures, and when it counts.

A test is one file that reads in this order: what the recording must carry (:class:`Input`), under which conditions
(:class:`Condition`), what is measured (:class:`Measure`), when it counts (:class:`Rule`), and one function under
:func:`assessment` that computes. From the declarations follow the data dictionary, the API documentation and the
conformance tests; nothing else has to be edited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from typing import Literal

from konectom.assessments._catalogue import Catalogue, Entry
from konectom.assessments._outcome import REASONS, Flag, Outcome, Quality, Result
from konectom.assessments._parts import fullest_part, parts_by_condition
from konectom.assessments._rules import (
    GENERAL_RULES,
    Audience,
    Effect,
    Kind,
    Rule,
    behavioural,
    clinician,
    invalid,
    limited,
    noted,
    technical,
)
from konectom.assessments._run import find, run
from konectom.recording import EMPTY, Recording
from konectom.signals.statistics import LEAST_VALUES

__all__ = [
    "CENTRE_AND_RANGE",
    "GENERAL_RULES",
    "MOST_SCORES",
    "REASONS",
    "Assessment",
    "Audience",
    "Catalogue",
    "Condition",
    "Effect",
    "Entry",
    "Extract",
    "Flag",
    "Input",
    "Kind",
    "Measure",
    "Outcome",
    "Quality",
    "Result",
    "Rule",
    "assessment",
    "behavioural",
    "clinician",
    "events",
    "find",
    "fullest_part",
    "invalid",
    "limited",
    "motion",
    "noted",
    "parts_by_condition",
    "technical",
]

CENTRE_AND_RANGE = ("mean", "sd", "median", "min", "max")
MOST_SCORES = 15


@dataclass(frozen=True, slots=True)
class Input:
    """A stream (``of="stream"``) or a type of event (``of="event"``) that each part of the recording carries.

    ``columns`` are those that the maths reads; ``unit`` is the SI unit in which it reads them. A recording without a
    required input is refused; without an optional one the measures that need it are absent, with the reason.
    ``instead`` names streams that together do as well: a required input may be missing where all of them came.
    ``texts`` are the columns that hold texts; the others hold numbers.
    """

    name: str
    columns: tuple[str, ...]
    unit: str = ""
    of: Literal["stream", "event"] = "stream"
    optional: bool = False
    means: str = ""
    instead: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Return where the input stands in a part, as a JSON pointer."""
        return f"/streams/{self.name}" if self.of == "stream" else "/events"


def motion(name: str, unit: str, *, optional: bool = False, means: str = "", instead: tuple[str, ...] = ()) -> Input:
    """Declare a three-axis sensor stream (columns x, y, z)."""
    return Input(name, ("x", "y", "z"), unit, optional=optional, means=means, instead=instead)


def events(
    name: str, columns: tuple[str, ...], *, optional: bool = False, means: str = "", texts: tuple[str, ...] = ()
) -> Input:
    """Declare a type of event with its attributes."""
    return Input(name, columns, of="event", optional=optional, means=means, texts=texts)


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that was varied within the test, with its levels.

    ``aliases`` gives, for each public library, its abbreviation of each level, in the order of ``levels``; a level
    without one abbreviates to itself, and an empty abbreviation drops out of the alias.
    """

    name: str
    levels: tuple[str, ...]
    aliases: Mapping[str, tuple[str, ...]] = EMPTY
    means: str = ""

    def only(self, *levels: str) -> Condition:
        """Return the condition with just these levels, for measures that not all levels have."""
        at = [self.levels.index(level) for level in levels]
        return replace(
            self,
            levels=levels,
            aliases={lib: tuple(short[i] for i in at) for lib, short in self.aliases.items()},
        )


@dataclass(frozen=True, slots=True)
class Measure:
    """One base quantity; times its conditions (``by``) and ``statistics`` it becomes entries of the catalogue.

    ``better`` is the direction of better function, None where neither is. ``plausible`` bounds single values and
    statistics of location; a value outside is flagged, not dropped. ``score`` marks what clinicians follow: True for
    all entries, or the names of the statistics. An alias is a template over the names of the conditions and
    ``{statistic}``. ``difference`` says that what stands under a statistic is the difference of that statistic between
    two series: that of a spread may be negative. ``evidence`` is a paper, a standard, or whose definition it is; see
    :func:`with_evidence`. ``stream`` is the optional input without which there is no value: where that tells where the
    patient was, so does the value.
    """

    quantity: str
    unit: str
    means: str
    _: KW_ONLY
    better: Literal["higher", "lower"] | None = None
    plausible: tuple[float, float] | None = None
    statistics: tuple[str, ...] = ()
    by: tuple[Condition, ...] = ()
    score: bool | tuple[str, ...] = False
    aliases: Mapping[str, str] = EMPTY
    evidence: str = ""
    difference: bool = False
    stream: str = ""

    def __post_init__(self) -> None:
        unknown = set(self.statistics) - set(LEAST_VALUES)
        if unknown:
            raise ValueError(f"{self.quantity}: no such statistic: {', '.join(sorted(unknown))}")
        if self.plausible is not None and not self.plausible[0] < self.plausible[1]:
            raise ValueError(f"{self.quantity}: plausible range {self.plausible} is empty")


Extract = Callable[[Recording, Outcome], None]

OWN_DEFINITION = "konectom's own definition."


def with_evidence(measures: tuple[Measure, ...], source: str) -> tuple[Measure, ...]:
    """Return the measures, each with evidence: its own, or where its definition comes from."""
    published = {measure.quantity for measure in measures if measure.aliases}
    return tuple(
        measure
        if measure.evidence
        else replace(measure, evidence=f"Definition: {source}." if measure.quantity in published else OWN_DEFINITION)
        for measure in measures
    )


@dataclass(frozen=True, eq=False)
class Assessment:
    """A test's declaration with the function that computes it; :meth:`run` is the only way in."""

    name: str
    version: int
    title: str
    domain: str
    inputs: tuple[Input, ...]
    measures: tuple[Measure, ...]
    quality: tuple[Rule, ...]
    extract: Extract = field(repr=False)
    description: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        codes = [rule.code for rule in self.rules.values()]
        if len(codes) < len(GENERAL_RULES) + len(self.quality):
            raise ValueError(f"{self.name}: a quality rule is declared twice")

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """Return every quality rule by its code, the general ones included."""
        return {rule.code: rule for rule in (*GENERAL_RULES, *self.quality)}

    @cached_property
    def catalogue(self) -> Catalogue:
        """Return every entry that this version can produce, in the order of the feature vector."""
        return Catalogue.of(self.name, self.version, self.measures)

    def run(self, recording: Recording) -> Result:
        """Check the inputs, extract, judge.

        Raises :class:`~konectom.errors.StreamError` where no part of the recording carries a required input.
        """
        return run(self, recording)


def assessment(
    name: str,
    *,
    version: int,
    title: str,
    domain: str,
    inputs: tuple[Input, ...],
    measures: tuple[Measure, ...],
    quality: tuple[Rule, ...],
    source: str = "",
) -> Callable[[Extract], Assessment]:
    """Turn an extract function into the assessment ``name``.

    ``version`` counts up whenever a value or the catalogue may change. A measure without evidence of its own has the
    assessment's ``source`` where that is a library which defines it too. The function takes the recording, whose parts
    each carry every required input with at least one row, and the :class:`Outcome` into which it writes.
    """

    def declare(extract: Extract) -> Assessment:
        about = (extract.__doc__ or "").strip()
        told = with_evidence(measures, source)
        return Assessment(name, version, title, domain, inputs, told, quality, extract, about, source)

    return declare
