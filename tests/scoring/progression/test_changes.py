"""Confirmed changes, worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import inf, nan
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from konectom.errors import FieldInvalid, FieldMissing, KonectomError
from konectom.scoring.progression import (
    DEFINITIONS,
    Confirmation,
    Definition,
    Event,
    Reference,
    confirmed_changes,
)
from konectom.scoring.thresholds import Absolute, Share

EDSS = DEFINITIONS["edss-cdw-12w/1"]
ROVING = DEFINITIONS["edss-roving-cdw-12w/1"]
SDMT = DEFINITIONS["sdmt-4-12w/1"]
DIGITAL = DEFINITIONS["digital-12w/1"]


def edss(day: Sequence[float], value: Sequence[float], definition: Definition = EDSS, **more: Any) -> list[Event]:
    return list(confirmed_changes(day, value, better="lower", definition=definition, **more))


def told(events: Sequence[Event]) -> list[tuple[str, float, float, float]]:
    return [(one.direction, one.reference_day, one.onset_day, one.confirmed_day) for one in events]


def test_an_event_tells_all_about_itself() -> None:
    (event,) = edss([0, 90, 180, 270], [2.0, 3.5, 3.0, 2.0])
    assert event == Event(
        direction="worsening",
        onset_day=90.0,
        confirmed_day=180.0,
        reference_day=0.0,
        reference_value=2.0,
        value=3.5,
        sustained=False,
        kind=None,
        definition="edss-cdw-12w/1",
        threshold=1.0,
        confirmed_value=3.0,
        event_day=90.0,
    )
    assert event.as_dict()["definition"] == "edss-cdw-12w/1"


@pytest.mark.parametrize(("later", "confirmed"), [(83, False), (84, True), (85, True), (814, True), (815, False)])
def test_the_confirming_visit_comes_84_days_later_or_up_to_two_years_after_that(later: int, confirmed: bool) -> None:
    assert bool(edss([0, 100, 100 + later], [2.0, 3.0, 3.0])) is confirmed


@pytest.mark.parametrize(("later", "confirmed"), [(167, False), (168, True)])
def test_24_weeks(later: int, confirmed: bool) -> None:
    assert bool(edss([0, 100, 100 + later], [2.0, 3.0, 3.0], DEFINITIONS["edss-cdw-24w/1"])) is confirmed


def test_a_visit_that_comes_too_early_does_not_hinder_the_next() -> None:
    assert told(edss([0, 100, 183, 200], [2.0, 3.0, 3.0, 3.0])) == [("worsening", 0, 100, 200)]


def test_days_are_whole_days_whatever_the_hour_and_the_clock_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    visits = [(2025, 1, 10, 15), (2025, 2, 3, 15), (2025, 4, 28, 9)]
    instants = [datetime(*visit, tzinfo=berlin).astimezone(UTC).timestamp() / 86400 for visit in visits]
    assert instants[2] - instants[1] == pytest.approx(83.708, abs=1e-3)
    assert len(edss(instants, [2.0, 3.0, 3.0])) == 1
    assert edss([instants[0], instants[1], instants[1] + 83.4], [2.0, 3.0, 3.0]) == []


def test_a_visit_in_between_without_the_change_ends_it() -> None:
    assert edss([0, 100, 150, 200], [2.0, 3.0, 2.5, 3.0]) == []
    at_the_end_only = replace(EDSS, confirmation=replace(EDSS.confirmation, every_visit=False))
    assert told(edss([0, 100, 150, 200], [2.0, 3.0, 2.5, 3.0], at_the_end_only)) == [("worsening", 0, 100, 200)]


def test_after_a_visit_without_the_change_it_may_begin_anew() -> None:
    days, values = [0, 100, 150, 200, 290], [2.0, 3.0, 2.5, 3.0, 3.0]
    assert told(edss(days, values)) == [("worsening", 0, 200, 290)]


@pytest.mark.parametrize(
    ("reference", "value", "half_from_5_5", "whole_at_5_5"),
    [
        (0.0, 1.0, False, False),
        (0.0, 1.5, True, True),
        (1.0, 1.5, False, False),
        (1.0, 2.0, True, True),
        (5.0, 5.5, False, False),
        (5.0, 6.0, True, True),
        (5.5, 6.0, True, False),
        (5.5, 6.5, True, True),
        (6.0, 6.5, True, True),
    ],
)
def test_edss_steps_and_the_reference_of_5_5(
    reference: float, value: float, half_from_5_5: bool, whole_at_5_5: bool
) -> None:
    course = ([0, 100, 200], [reference, value, value])
    assert bool(edss(*course)) is half_from_5_5
    assert bool(edss(*course, DEFINITIONS["edss-5.5-cdw-12w/1"])) is whole_at_5_5


def test_a_change_at_the_last_visit_is_not_confirmed() -> None:
    assert edss([0, 100, 200], [2.0, 2.0, 4.0]) == []


@pytest.mark.parametrize("values", [[], [3.0]])
def test_none_or_one_value_gives_none(values: list[float]) -> None:
    assert edss(list(range(len(values))), values) == []


def test_improvement_is_found_as_worsening_is() -> None:
    assert told(edss([0, 100, 200, 300], [4.0, 3.0, 3.0, 3.0])) == [("improvement", 0, 100, 200)]
    assert told(
        list(confirmed_changes([0, 100, 200], [40, 45, 44], better="higher", definition=SDMT))
    ) == [("improvement", 0, 100, 200)]  # fmt: skip


def test_against_a_fixed_reference_only_the_first_of_each_direction_is_told() -> None:
    days = [100 * index for index in range(9)]
    values = [3.0, 4.0, 4.0, 4.0, 5.0, 5.0, 2.0, 2.0, 2.0]
    assert told(edss(days, values)) == [("worsening", 0, 100, 200), ("improvement", 0, 600, 700)]


def test_a_roving_reference_moves_down_after_improvement() -> None:
    days = [100 * index for index in range(6)]
    values = [4.0, 3.0, 3.0, 4.0, 4.0, 4.0]
    assert told(edss(days, values)) == [("improvement", 0, 100, 200)]
    assert told(edss(days, values, ROVING)) == [("improvement", 0, 100, 200), ("worsening", 200, 300, 400)]


def test_a_roving_reference_moves_up_after_worsening() -> None:
    days = [100 * index for index in range(6)]
    values = [2.0, 3.0, 3.5, 4.0, 4.5, 4.5]
    assert told(edss(days, values, ROVING)) == [("worsening", 0, 100, 200), ("worsening", 200, 400, 500)]
    at_onset = replace(ROVING, reference=Reference("onset", "onset"))
    assert told(edss(days, values, at_onset)) == [("worsening", 0, 100, 200), ("worsening", 100, 300, 400)]


def test_an_improvement_below_the_threshold_moves_the_reference_where_asked() -> None:
    days = [100 * index for index in range(5)]
    values = [3.0, 2.5, 2.5, 3.5, 3.5]
    assert edss(days, values, ROVING) == []
    any_size = replace(ROVING, reference=Reference("confirmation", "confirmation", "confirmation"))
    assert told(edss(days, values, any_size)) == [("worsening", 200, 300, 400)]


def test_a_moved_reference_may_have_to_hold_its_own_value() -> None:
    days = [100 * index for index in range(5)]
    values = [4.0, 3.0, 3.5, 4.0, 4.0]
    better = Reference("confirmation", None, "onset")
    worse_only = replace(ROVING, directions=("worsening",), reference=better)
    assert told(edss(days, values, worse_only)) == [("worsening", 100, 300, 400)]
    strict = replace(worse_only, reference=replace(better, held="onset_value"))
    assert edss(days, values, strict) == []


def test_the_moved_reference_has_a_confirmation_of_its_own() -> None:
    days, values = [0, 100, 135, 150, 260], [4.0, 3.5, 3.5, 4.5, 4.5]
    reference = Reference("confirmation", None, "onset")
    definition = replace(ROVING, directions=("worsening",), reference=reference)
    assert edss(days, values, definition) == []
    soon = replace(definition, reference=replace(reference, confirmation=Confirmation(30.0)))
    assert told(edss(days, values, soon)) == [("worsening", 100, 150, 260)]


def test_an_event_may_move_the_reference_as_any_improvement_does() -> None:
    days = [100 * index for index in range(6)]
    values = [4.0, 3.0, 2.5, 3.0, 3.5, 3.5]
    either = Reference("confirmation", None, "confirmation")
    first = replace(ROVING, reference=either, repeats=False)
    assert told(edss(days, values, first)) == [("improvement", 0, 100, 200), ("worsening", 200, 400, 500)]
    stays = replace(first, reference=Reference("confirmation"))
    assert told(edss(days, values, stays)) == [("improvement", 0, 100, 200)]


def test_the_search_goes_on_behind_the_confirming_visit() -> None:
    at_the_end_only = replace(EDSS, confirmation=Confirmation(84.0, every_visit=False))
    days, values = [0, 100, 150, 200, 250], [3.0, 4.0, 2.0, 4.0, 2.0]
    assert told(edss(days, values, at_the_end_only)) == [("worsening", 0, 100, 200)]


@pytest.mark.parametrize(("asked", "found"), [(None, 1), (300.0, 1), (301.0, 0), (inf, 0)])
def test_a_change_may_have_to_last(asked: float | None, found: int) -> None:
    lasting = replace(EDSS, sustained_days=asked)
    assert len(edss([0, 100, 200, 300, 400, 500], [2.0, 3.0, 3.0, 3.0, 2.0, 2.0], lasting)) == found
    assert len(edss([0, 100, 200], [2.0, 3.0, 3.0], lasting)) == 1, "kept to the last value"


def test_sustained_says_whether_it_was_lost_again() -> None:
    assert [one.sustained for one in edss([0, 100, 200, 300], [2.0, 3.0, 3.0, 3.0])] == [True]
    assert [one.sustained for one in edss([0, 100, 200, 300, 400], [2.0, 3.0, 3.0, 2.0, 3.0])] == [False]


def test_events_may_have_to_lie_apart() -> None:
    days = [100 * index for index in range(8)]
    values = [2.0, 3.0, 3.0, 4.0, 4.0, 4.0, 4.0, 4.0]
    assert [one.onset_day for one in edss(days, values, ROVING)] == [100, 300]
    assert [one.onset_day for one in edss(days, values, replace(ROVING, apart_days=101.0))] == [100, 400]


def test_an_event_is_dated_as_the_definition_says() -> None:
    course = ([0, 100, 200], [2.0, 3.0, 3.0])
    assert [one.event_day for one in edss(*course)] == [100.0]
    assert [one.event_day for one in edss(*course, replace(EDSS, dated="confirmation"))] == [200.0]


def test_only_the_directions_asked_for_are_told() -> None:
    course = ([0, 100, 200, 300, 400], [3.0, 2.0, 2.0, 4.0, 4.0])
    assert [one.direction for one in edss(*course)] == ["improvement", "worsening"]
    assert [one.direction for one in edss(*course, replace(EDSS, directions=("worsening",)))] == ["worsening"]


def test_sdmt_falls_by_four_points_or_by_eight() -> None:
    course: tuple[list[float], list[float]] = ([0, 100, 200], [50, 46, 45])
    assert len(confirmed_changes(*course, better="higher", definition=SDMT)) == 1
    assert confirmed_changes(*course, better="higher", definition=DEFINITIONS["sdmt-8-12w/1"]) == ()
    assert confirmed_changes(*course, better="lower", definition=SDMT)[0].direction == "improvement"


def test_timed_tests_slow_by_a_fifth() -> None:
    walk = DEFINITIONS["t25fw-20-12w/1"]
    (event,) = confirmed_changes([0, 100, 200], [5.5, 6.6, 6.6], better="lower", definition=walk)
    assert event.threshold == pytest.approx(1.1)
    assert confirmed_changes([0, 100, 200], [5.5, 6.5, 6.6], better="lower", definition=walk) == ()
    distance = DEFINITIONS["sixmwt-20-12w/1"]
    (event,) = confirmed_changes([0, 100, 200], [500.0, 400.0, 390.0], better="higher", definition=distance)
    assert event.direction == "worsening"


def digital(day: Sequence[float], value: Sequence[float], **more: Any) -> list[Event]:
    return list(confirmed_changes(day, value, better="higher", definition=DIGITAL, **more))


def test_a_digital_score_must_change_by_more_than_its_noise() -> None:
    days, values = [14.0 * index for index in range(9)], [50.0, 50.0, 45, 45, 44, 45, 45, 45, 45]
    (event,) = digital(days, values, noise=5.0)
    assert (event.onset_day, event.confirmed_day, event.threshold) == (28.0, 112.0, 5.0)
    assert digital(days, values, noise=5.5) == []
    assert digital(days, values, noise=5.0, important=Absolute(6.0)) == []
    assert digital(days, values, noise=5.0, important=Share(0.1)) == [event]


def test_without_its_noise_a_digital_score_cannot_be_judged() -> None:
    with pytest.raises(FieldMissing) as refused:
        digital([0.0, 14.0], [50.0, 50.0])
    assert refused.value.at == "/noise"


@pytest.mark.parametrize(("gap", "confirmed"), [(168, True), (169, False), (365, False)])
def test_a_window_after_a_gap_of_a_year_confirms_nothing(gap: float, confirmed: bool) -> None:
    assert bool(digital([0, 14, 28, 28 + gap], [50.0, 50, 40, 40], noise=5.0)) is confirmed


def test_a_change_that_holds_on_both_sides_of_a_gap_is_dated_after_it() -> None:
    days = [0, 14, 28, *(400 + 14 * index for index in range(7))]
    assert [one.onset_day for one in digital(days, [50.0, 50, *[40] * 8], noise=5.0)] == [400]


@pytest.mark.parametrize(
    ("day", "value", "more", "at"),
    [
        ([0, 100, 50], [1, 2, 3], {}, "/at_day/2"),
        ([0, 100, 100], [1, 2, 3], {}, "/at_day/2"),
        ([0, nan], [1, 2], {}, "/at_day/1"),
        ([0, 1], [1, inf], {}, "/value/1"),
        ([0, 1], [1, 2, 3], {}, "/value"),
        ([[0, 1]], [1, 2], {}, "/at_day"),
        ([0, 1], [1, 2], {"relapse_day": [3, nan]}, "/relapse_day/1"),
        ([0, 1], [1, 2], {"noise": -1.0}, "/noise"),
        ([0, 1], [1, 2], {"noise": nan}, "/noise"),
    ],
)
def test_bad_input_is_refused_where_it_is_bad(day: Any, value: Any, more: Any, at: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        edss(day, value, **more)
    assert refused.value.at == at


def test_a_score_without_a_better_direction_cannot_worsen() -> None:
    with pytest.raises(KonectomError) as refused:
        confirmed_changes([0, 1], [1, 2], better=None, definition=EDSS)
    assert refused.value.as_dict()["at"] == "/better"
