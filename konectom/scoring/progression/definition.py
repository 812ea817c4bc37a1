"""What a confirmed change is: everything that decides, in one named and versioned object.

Published definitions differ in so many places that the same patients gave between 15.7 % and 41.6 % of disability
accrual (Bsteh et al. 2025, doi:10.1177/13524585251396283, 1,440 variants). So every choice is a field here, and the
whole definition is stored with each event.

Days are counted to the nearest whole day between two instants: a visit at 9:00, 84 days after one at 15:00, is 84 days
later, and so is one across a change to summer time.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields, is_dataclass
from math import isfinite
from typing import Any, Literal

from konectom.errors import FieldInvalid
from konectom.scoring.thresholds import Direction, Threshold

Anchor = Literal["reference", "previous", "onset", "confirmation"]
Place = Literal["onset", "confirmation"]

BOTH: tuple[Direction, ...] = ("worsening", "improvement")


def _not_negative(days: float | None, at: str) -> None:
    if days is not None and not (isfinite(days) and days >= 0):
        raise FieldInvalid("This must be a number of days, 0 or more.", at=at)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """When a change is confirmed: at the first visit ``days`` after its onset, or up to ``earlier_days`` before that.

    Attributes:
        days: distance from the onset at which the change must still be there.
        earlier_days: how much earlier the confirming visit may be.
        later_days: how much later it may be; ``None`` is without end. Where the first visit that comes late enough
            comes later than that, the change stays unconfirmed: after so long a gap nothing says when it began to hold.
        every_visit: whether the change must be there at all visits from the onset to the confirming one, too.
    """

    days: float
    earlier_days: float = 0.0
    later_days: float | None = None
    every_visit: bool = True

    def __post_init__(self) -> None:
        for name in ("days", "earlier_days", "later_days"):
            _not_negative(getattr(self, name), f"/confirmation/{name}")


@dataclass(frozen=True, slots=True)
class Reference:
    """What values are compared with: the first usable visit for ever (fixed), or one that moves (roving).

    Attributes:
        after_worsening: where the reference moves after a confirmed worsening: to the visit of its onset, to the
            confirming visit, or nowhere (``None``).
        after_improvement: the same after a confirmed improvement.
        after_any_improvement: the same after an improvement of any size, be it below the threshold.
        confirmation: how an improvement of any size is confirmed; ``None``: as the events are.
        held: what an improvement of any size must hold until then: being better than the old reference, or being no
            worse than the value at its onset.
    """

    after_worsening: Place | None = None
    after_improvement: Place | None = None
    after_any_improvement: Place | None = None
    _: KW_ONLY
    confirmation: Confirmation | None = None
    held: Literal["better", "onset_value"] = "better"

    @property
    def roving(self) -> bool:
        """Whether it ever moves."""
        return any((self.after_worsening, self.after_improvement, self.after_any_improvement))

    def moves_after(self, direction: Direction) -> bool:
        """Return whether it moves after events of this direction."""
        if direction == "worsening":
            return self.after_worsening is not None
        return self.after_improvement is not None


FIXED = Reference()


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a visit must be from relapses: so many days after the last one's onset, and before the next one's."""

    after_days: float = 0.0
    before_days: float = 0.0

    def __post_init__(self) -> None:
        _not_negative(self.after_days, "/relapses/after_days")
        _not_negative(self.before_days, "/relapses/before_days")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, both ends included: from ``before_days`` before one visit to ``after_days`` after another.

    ``previous`` is the last visit before the onset.
    """

    start: Anchor
    before_days: float
    end: Anchor
    after_days: float


@dataclass(frozen=True, slots=True)
class Relapses:
    """How relapses (the days of their onset) bear on a change.

    A worsening is relapse-associated (RAW) if a relapse falls into one of the spans ``raw``; else it is progression
    independent of relapse activity (PIRA) if none falls into the spans ``pira``; else it is undefined.

    Attributes:
        reference: how far from relapses a visit must be to serve as the reference; else the next visit does.
        onset: how far to be the onset of a change.
        confirmation: how far to confirm one; visits too near still have to show the change.
        raw: spans that a relapse makes the worsening RAW in.
        pira: spans that must be free of relapses for PIRA.
        pira_confirmed: whether the spans around the confirmation must be free for the first confirming visit, or for
            any later one within the window of confirmation up to which the worsening held.
    """

    _: KW_ONLY
    reference: Distance = Distance()
    onset: Distance = Distance()
    confirmation: Distance = Distance()
    raw: tuple[Span, ...] = ()
    pira: tuple[Span, ...] = ()
    pira_confirmed: Literal["first", "any"] = "any"

    @property
    def classify(self) -> bool:
        """Whether worsening is told apart by relapses; without any span it is not, and events have no kind."""
        return bool(self.raw or self.pira)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What counts as a confirmed change.

    The search goes through the visits once: after a confirmed change it goes on behind the confirming visit, or behind
    the onset where the reference moves there.

    Attributes:
        name: of the definition, without its version.
        version: counted up when anything changes; stored events keep theirs.
        title: for people.
        source: where the rule comes from, and what was added to it.
        scores: keys of the scores that it was made for; empty: any.
        threshold: the change that counts.
        confirmation: when it is confirmed.
        directions: which events are told.
        reference: what values are compared with.
        repeats: whether later events are told, or only the first in each direction. Needs a reference that moves after
            events of each direction told: against one that stays the same change would count again and again.
        apart_days: the least distance from the confirmation of one event to the onset of the next.
        sustained_days: how long from its onset the change must not be interrupted; ``inf``: to the last value; a change
            that lasts to the last value always qualifies. ``None``: no such requirement.
        dated: whether an event happened (``event_day``) at its onset or at its confirmation.
        relapses: how relapses bear on it; ``None``: not at all, and events have no kind.
    """

    name: str
    version: int
    title: str
    source: str
    threshold: Threshold
    confirmation: Confirmation
    scores: tuple[str, ...] = ()
    directions: tuple[Direction, ...] = BOTH
    reference: Reference = FIXED
    repeats: bool = False
    apart_days: float = 0.0
    sustained_days: float | None = None
    dated: Place = "onset"
    relapses: Relapses | None = None

    def __post_init__(self) -> None:
        _not_negative(self.apart_days, "/apart_days")
        if not self.directions or set(self.directions) - set(BOTH):
            raise FieldInvalid("Directions are worsening, improvement or both.", at="/directions")
        if self.repeats and not all(map(self.reference.moves_after, self.directions)):
            raise FieldInvalid("Repeated events need a reference that moves after each of them.", at="/repeats")
        if self.sustained_days is not None and not self.sustained_days >= 0:
            raise FieldInvalid("This must be a number of days, 0 or more.", at="/sustained_days")

    @property
    def key(self) -> str:
        """The definition's name and version, as events carry it."""
        return f"{self.name}/{self.version}"

    def suits(self, key: str) -> bool:
        """Return whether it was made for the score of this key."""
        return not self.scores or key in self.scores

    @property
    def needs_noise(self) -> bool:
        """Whether it can be applied only where the smallest detectable change of the score is known."""
        return self.threshold.needs_noise

    def as_dict(self) -> dict[str, Any]:
        """Return everything that decides as JSON; without end is the string ``"always"``."""
        return {field.name: _as_json(getattr(self, field.name)) for field in fields(self)}


def _as_json(value: Any) -> Any:
    if isinstance(value, Threshold):
        return value.as_dict()
    if is_dataclass(value):
        return {field.name: _as_json(getattr(value, field.name)) for field in fields(value) if field.name != "_"}
    if isinstance(value, tuple):
        return [_as_json(part) for part in value]
    return "always" if isinstance(value, float) and not isfinite(value) else value
