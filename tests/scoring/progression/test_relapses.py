"""Worsening and relapses, worked out by hand: exclusions, RAW, and each definition of PIRA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from konectom.scoring.progression import (
    DEFINITIONS,
    Distance,
    Event,
    Reference,
    Relapses,
    Span,
    confirmed_changes,
)

VISITS = [0, 200, 300, 400]
WORSE = [2.0, 2.0, 3.0, 3.0]
"""Reference on day 0, the visit before on 200, onset on 300, confirmation on 400."""

VARIANTS = ("kappos-2020", "cagol-2022", "mueller-2023", "mueller-2023-specific", "mueller-2025")
P, R, U = "PIRA", "RAW", "undefined"


def found(variant: str, relapses: Sequence[float], visits: Sequence[float] = VISITS, **more: float) -> list[Event]:
    definition = DEFINITIONS[f"edss-pira-{variant}-12w/1"]
    values = [*WORSE, *[3.0] * (len(visits) - len(WORSE))]
    return list(confirmed_changes(visits, values, better="lower", definition=definition, relapse_day=relapses, **more))


@pytest.mark.parametrize(
    ("relapse", "kinds"),
    [
        (-40, (P, P, P, P, P)),
        (100, (U, P, P, U, P)),
        (199, (U, P, P, U, P)),
        (205, (U, P, P, U, U)),
        (209, (U, P, P, U, U)),
        (210, (R, R, R, R, R)),
        (300, (R, R, R, R, R)),
        (301, (U, U, U, U, P)),
        (320, (U, U, U, U, P)),
        (340, (P, U, U, U, P)),
        (369, (P, U, U, U, P)),
        (420, (U, P, U, P, P)),
        (430, (U, P, U, P, P)),
        (431, (P, P, P, P, P)),
    ],
)
def test_one_relapse_on_one_day(relapse: float, kinds: tuple[str, ...]) -> None:
    assert tuple(found(variant, [relapse])[0].kind for variant in VARIANTS) == kinds


def test_a_relapse_before_the_first_visit_counts() -> None:
    definition = DEFINITIONS["edss-pira-cagol-2022-12w/1"]
    for relapse, kind in ((-35, R), (-50, R), (-51, P)):
        (event,) = confirmed_changes(
            [0, 40, 140], [2.0, 3.0, 3.0], better="lower", definition=definition, relapse_day=[relapse]
        )
        assert event.kind == kind


def test_without_relapses_worsening_is_pira() -> None:
    for variant in VARIANTS:
        (event,) = found(variant, [])
        assert (event.kind, event.pira_confirmed_day) == (P, 400.0)


def test_a_visit_soon_after_a_relapse_does_not_confirm() -> None:
    assert found("mueller-2025", [371]) == []
    (event,) = found("mueller-2025", [371], [*VISITS, 500])
    assert (event.confirmed_day, event.kind) == (500.0, P)
    assert [one.confirmed_day for one in found("mueller-2025", [370])] == [400.0], "30 days later it does"


def test_but_it_has_to_show_the_change() -> None:
    definition = DEFINITIONS["edss-pira-mueller-2025-12w/1"]
    days, values = [0, 200, 300, 400, 500], [2.0, 2.0, 3.0, 2.0, 3.0]
    assert confirmed_changes(days, values, better="lower", definition=definition, relapse_day=[371]) == ()


def test_a_visit_soon_after_a_relapse_is_no_reference() -> None:
    definition = DEFINITIONS["edss-pira-mueller-2025-12w/1"]
    days, values = [0, 100, 200, 300], [4.0, 2.0, 3.0, 3.0]
    for relapse, reference in ((-29, 100.0), (-30, None)):
        events = confirmed_changes(days, values, better="lower", definition=definition, relapse_day=[relapse])
        worse = [one.reference_day for one in events if one.direction == "worsening"]
        assert worse == ([] if reference is None else [reference])


def test_where_no_visit_can_be_the_reference_nothing_is_found() -> None:
    definition = DEFINITIONS["edss-pira-mueller-2025-12w/1"]
    days, relapses = [0, 100, 200], [-5, 95, 195]
    assert confirmed_changes(days, [2.0, 4.0, 4.0], better="lower", definition=definition, relapse_day=relapses) == ()


def test_an_onset_may_have_to_keep_away_from_relapses_on_both_sides() -> None:
    away = replace(DEFINITIONS["edss-cdw-12w/1"], relapses=Relapses(onset=Distance(after_days=30.0, before_days=10.0)))
    days, values = [0, 100, 200, 300], [2.0, 3.0, 3.0, 3.0]
    for relapse, onset in ((70, 100), (71, 200), (100, 200), (109, 200), (110, 100)):
        (event,) = confirmed_changes(days, values, better="lower", definition=away, relapse_day=[relapse])
        assert (event.onset_day, event.kind) == (onset, None), relapse


def test_a_relapse_on_the_day_of_a_visit_is_near_it() -> None:
    for near in (Distance(after_days=1.0), Distance(before_days=1.0)):
        away = replace(DEFINITIONS["edss-cdw-12w/1"], relapses=Relapses(onset=near))
        days, values = [0, 100, 200, 300], [2.0, 3.0, 3.0, 3.0]
        (event,) = confirmed_changes(days, values, better="lower", definition=away, relapse_day=[100])
        assert event.onset_day == 200


def test_no_improvement_near_a_relapse_moves_the_reference() -> None:
    moving = replace(
        DEFINITIONS["edss-cdw-12w/1"],
        reference=Reference("confirmation", None, "onset"),
        relapses=Relapses(onset=Distance(after_days=30.0)),
    )
    days, values = [0, 100, 200, 300, 400], [3.0, 2.5, 2.5, 3.5, 3.5]
    for relapse, reference in (([], 100), ([90], None)):
        events = confirmed_changes(days, values, better="lower", definition=moving, relapse_day=relapse)
        assert [one.reference_day for one in events] == ([] if reference is None else [reference]), relapse


def test_spans_are_counted_in_whole_days() -> None:
    for variant, relapse, kind in (
        ("mueller-2025", 209.6, R),
        ("cagol-2022", 209.4, P),
        ("cagol-2022", 209.6, R),
        ("kappos-2020", 430.4, U),
        ("kappos-2020", 430.6, P),
    ):
        assert found(variant, [relapse])[0].kind == kind, (variant, relapse)


def test_pira_is_confirmed_by_visits_in_time_and_away_from_relapses_only() -> None:
    """The first confirmation, 400, is too soon after the relapse on 350 for PIRA; the next has to qualify itself."""
    (event,) = found("mueller-2023", [350], [*VISITS, 1114])
    assert (event.kind, event.pira_confirmed_day) == (P, 1114.0)
    (event,) = found("mueller-2023", [350], [*VISITS, 1115])
    assert event.kind == U, "815 days after the onset is too late"
    spans = (Span("confirmation", 0.0, "confirmation", 5.0),)
    near = replace(DEFINITIONS["edss-cdw-12w/1"], relapses=Relapses(confirmation=Distance(after_days=30.0), pira=spans))
    days, values = [*VISITS, 420, 440], [*WORSE, 3.0, 3.0]
    (event,) = confirmed_changes(days, values, better="lower", definition=near, relapse_day=[402])
    assert (event.kind, event.pira_confirmed_day) == (P, 440.0), "420 is 18 days after a relapse"


def test_pira_may_be_confirmed_later_than_the_worsening() -> None:
    (event,) = found("mueller-2023", [350], [*VISITS, 470, 540])
    assert (event.kind, event.confirmed_day, event.pira_confirmed_day) == (P, 400.0, 470.0)
    definition = DEFINITIONS["edss-pira-mueller-2023-12w/1"]
    assert definition.relapses is not None
    first = replace(definition, relapses=replace(definition.relapses, pira_confirmed="first"))
    days, values = [*VISITS, 470, 540], [*WORSE, 3.0, 3.0]
    (event,) = confirmed_changes(days, values, better="lower", definition=first, relapse_day=[350])
    assert (event.kind, event.pira_confirmed_day) == (U, None)


def test_what_came_before_the_records_cannot_be_pira() -> None:
    assert found("cagol-2022", [], relapses_since_day=210.0)[0].kind == P
    assert found("cagol-2022", [], relapses_since_day=211.0)[0].kind == U
    assert found("cagol-2022", [250], relapses_since_day=240.0)[0].kind == R, "a relapse on record is one"


def test_improvement_has_no_kind() -> None:
    definition = DEFINITIONS["edss-pira-cagol-2022-12w/1"]
    (event,) = confirmed_changes([0, 100, 200], [4.0, 3.0, 3.0], better="lower", definition=definition)
    assert (event.direction, event.kind) == ("improvement", None)


def test_definitions_without_relapses_leave_them_alone() -> None:
    definition = DEFINITIONS["edss-cdw-12w/1"]
    (event,) = confirmed_changes(VISITS, WORSE, better="lower", definition=definition, relapse_day=[295, 395])
    assert (event.confirmed_day, event.kind) == (400.0, None)


def test_raw_alone_leaves_the_others_undefined() -> None:
    raw_only = replace(
        DEFINITIONS["edss-cdw-12w/1"], relapses=Relapses(raw=(Span("onset", 90.0, "confirmation", 0.0),))
    )
    for relapse, kind in ((350, R), (100, U)):
        (event,) = confirmed_changes(VISITS, WORSE, better="lower", definition=raw_only, relapse_day=[relapse])
        assert event.kind == kind


def test_the_order_of_relapses_does_not_matter() -> None:
    assert found("kappos-2020", [250, -100, 320]) == found("kappos-2020", [320, 250, -100])
