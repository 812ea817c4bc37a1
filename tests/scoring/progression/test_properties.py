"""What holds for every course and definition, and a search written plainly to compare with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from konectom.scoring.progression import (
    DEFINITIONS,
    FIXED,
    Confirmation,
    Definition,
    Distance,
    Event,
    Reference,
    Relapses,
    Span,
    confirmed_changes,
)
from konectom.scoring.thresholds import Absolute

Course = tuple[list[float], list[float]]

steps = st.lists(st.integers(1, 250), min_size=0, max_size=24)


@st.composite
def courses(draw: st.DrawFn) -> Course:
    """Return increasing whole days and values in halves, as the EDSS has them."""
    days = [0.0]
    for step in draw(steps):
        days.append(days[-1] + step)
    values = draw(st.lists(st.integers(0, 12), min_size=len(days), max_size=len(days)))
    return days, [value / 2 for value in values]


places = st.sampled_from((None, "onset", "confirmation"))
references = st.builds(
    Reference,
    places,
    places,
    places,
    confirmation=st.sampled_from((None, Confirmation(30.0))),
    held=st.sampled_from(("better", "onset_value")),
)
confirmations = st.builds(
    Confirmation,
    st.sampled_from((30.0, 84.0, 168.0)),
    earlier_days=st.sampled_from((0.0, 7.0)),
    later_days=st.sampled_from((None, 84.0, 365.0)),
    every_visit=st.booleans(),
)
SPANS = (Span("onset", 90.0, "onset", 30.0), Span("confirmation", 90.0, "confirmation", 30.0))
relapse_rules = st.sampled_from(
    (None, Relapses(reference=Distance(30.0), onset=Distance(5.0, 5.0), confirmation=Distance(30.0), pira=SPANS))
)


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """Return a definition with any combination of choices, without a requirement to last."""
    reference = draw(references)
    directions = draw(st.sampled_from((("worsening",), ("improvement",), ("worsening", "improvement"))))
    return Definition(
        name="drawn",
        version=1,
        title="drawn",
        source="drawn",
        threshold=Absolute(draw(st.sampled_from((0.5, 1.0)))),
        confirmation=draw(confirmations),
        reference=reference,
        repeats=all(map(reference.moves_after, directions)) and draw(st.booleans()),
        directions=directions,
        apart_days=draw(st.sampled_from((0.0, 100.0))),
        relapses=draw(relapse_rules),
    )


relapses = st.lists(st.integers(-200, 2000), max_size=4)


def found(course: Course, definition: Definition, relapse_day: list[int], **more: Any) -> tuple[Event, ...]:
    return confirmed_changes(*course, better="lower", definition=definition, relapse_day=relapse_day, **more)


@given(courses(), definitions(), relapses, st.integers(-20000, 20000))
def test_moving_everything_in_time_moves_the_days_only(
    course: Course, definition: Definition, relapse_day: list[int], by: int
) -> None:
    moved = found(([day + by for day in course[0]], course[1]), definition, [day + by for day in relapse_day])
    back = [
        replace(
            one,
            onset_day=one.onset_day - by,
            confirmed_day=one.confirmed_day - by,
            reference_day=one.reference_day - by,
            event_day=one.event_day - by,
            pira_confirmed_day=None if one.pira_confirmed_day is None else one.pira_confirmed_day - by,
        )
        for one in moved
    ]
    assert tuple(back) == found(course, definition, relapse_day)


@given(courses(), st.sampled_from(sorted(DEFINITIONS)), st.floats(0.1, 100), relapses)
def test_a_constant_course_has_no_event(course: Course, key: str, value: float, relapse_day: list[int]) -> None:
    flat = (course[0], [value] * len(course[0]))
    assert found(flat, DEFINITIONS[key], relapse_day, noise=0.0) == ()


@given(courses(), definitions(), relapses, st.data())
def test_later_values_take_no_event_away(
    course: Course, definition: Definition, relapse_day: list[int], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(course[0])))

    def essence(events: tuple[Event, ...]) -> list[tuple[str, float, float, float]]:
        return [(one.direction, one.reference_day, one.onset_day, one.confirmed_day) for one in events]

    early = essence(found((course[0][:cut], course[1][:cut]), definition, relapse_day))
    assert essence(found(course, definition, relapse_day))[: len(early)] == early


@given(courses(), definitions(), relapses)
def test_mirrored_values_improve_where_they_worsened(
    course: Course, definition: Definition, relapse_day: list[int]
) -> None:
    reference = definition.reference
    even = Reference(reference.after_worsening, reference.after_worsening)
    both = replace(
        definition,
        directions=("worsening", "improvement"),
        reference=even,
        repeats=definition.repeats and even.roving,
    )
    turned = {"worsening": "improvement", "improvement": "worsening"}
    mirrored = found((course[0], [20.0 - value for value in course[1]]), both, relapse_day)
    assert [(turned[one.direction], one.onset_day, one.confirmed_day, one.sustained) for one in mirrored] == [
        (one.direction, one.onset_day, one.confirmed_day, one.sustained) for one in found(course, both, relapse_day)
    ]


@given(courses(), definitions(), relapses)
def test_a_score_turned_round_has_the_same_events(
    course: Course, definition: Definition, relapse_day: list[int]
) -> None:
    turned = confirmed_changes(
        course[0], [-value for value in course[1]], better="higher", definition=definition, relapse_day=relapse_day
    )
    back = [
        replace(one, value=-one.value, reference_value=-one.reference_value, confirmed_value=-one.confirmed_value)
        for one in turned
    ]
    assert tuple(back) == found(course, definition, relapse_day)


@given(courses(), definitions(), relapses)
def test_events_are_in_order_and_what_they_claim_is_so(
    course: Course, definition: Definition, relapse_day: list[int]
) -> None:
    value = dict(zip(*course, strict=True))
    events = found(course, definition, relapse_day)
    for one in events:
        assert one.reference_day < one.onset_day < one.confirmed_day
        assert (value[one.reference_day], value[one.onset_day]) == (one.reference_value, one.value)
        towards = 1 if one.direction == "worsening" else -1
        assert towards * (one.value - one.reference_value) >= one.threshold
        assert towards * (one.confirmed_value - one.reference_value) >= one.threshold
        rule = definition.confirmation
        assert one.confirmed_day - one.onset_day >= rule.days - rule.earlier_days
        assert rule.later_days is None or one.confirmed_day - one.onset_day <= rule.days + rule.later_days
    assert [one.onset_day for one in events] == sorted({one.onset_day for one in events})


def first_worsening(
    days: list[float], values: list[float], rule: Confirmation, size: float
) -> tuple[float, float] | None:
    """Look for the first confirmed worsening as one would on paper."""
    for i in range(1, len(days)):
        for j in range(i + 1, len(days)):
            if days[j] - days[i] < rule.days - rule.earlier_days:
                continue
            in_time = rule.later_days is None or days[j] - days[i] <= rule.days + rule.later_days
            between = values[i : j + 1] if rule.every_visit else [values[i], values[j]]
            if in_time and all(value - values[0] >= size for value in between):
                return days[i], days[j]
            break
    return None


@given(courses(), confirmations, st.sampled_from((0.5, 1.0, 1.5)))
def test_the_search_agrees_with_one_written_plainly(course: Course, rule: Confirmation, size: float) -> None:
    definition = Definition(
        name="plain",
        version=1,
        title="plain",
        source="plain",
        threshold=Absolute(size),
        confirmation=rule,
        reference=FIXED,
        directions=("worsening",),
    )
    told = [(one.onset_day, one.confirmed_day) for one in found(course, definition, [])]
    expected = first_worsening(*course, rule, size)
    assert told == ([] if expected is None else [expected])
