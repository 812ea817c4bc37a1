from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from konectom.errors import DataError
from konectom.scoring.adherence import Adherence, Schedule, adherence

PARIS = ZoneInfo("Europe/Paris")


def day(year: int, month: int, of_month: int, hour: int = 10, minute: int = 0, zone: ZoneInfo = PARIS) -> float:
    return datetime(year, month, of_month, hour, minute, tzinfo=zone).timestamp() / 86_400


def of(schedule: Schedule, tests: list[float], today: float) -> Adherence:
    return adherence(schedule, tests, today)


WEEKLY = Schedule(date(2026, 3, 2), times=1, per_days=7, time_zone="Europe/Paris")
THRICE = Schedule(date(2026, 3, 2), times=3, per_days=7, time_zone="Europe/Paris")


def test_counts_days_not_tests() -> None:
    tests = [day(2026, 3, 2, 9), day(2026, 3, 2, 10), day(2026, 3, 2, 11), day(2026, 3, 4)]
    found = of(THRICE, tests, day(2026, 3, 9))
    assert (found.due, found.done, found.missed, found.share) == (3, 2, 1, pytest.approx(2 / 3))


def test_a_running_week_is_not_missed_yet() -> None:
    found = of(THRICE, [day(2026, 3, 2)], day(2026, 3, 8, 23, 59))
    assert (found.due, found.share) == (0, None)
    assert found.periods[0].open
    found = of(THRICE, [day(2026, 3, 2)], day(2026, 3, 9, 0, 1))
    assert (found.due, found.done, found.missed) == (3, 1, 2)


def test_what_is_made_up_for_in_time_is_late() -> None:
    tolerant = Schedule(date(2026, 3, 2), times=1, per_days=7, tolerance_days=2, time_zone="Europe/Paris")
    # Nothing in the first week, made up for on Monday; the second week's own on Thursday.
    tests = [day(2026, 3, 9), day(2026, 3, 12)]
    found = of(tolerant, tests, day(2026, 3, 20))
    assert [(each.done, each.late, each.missed) for each in found.periods] == [(0, 1, 0), (1, 0, 0), (0, 0, 0)]
    assert found.share == 1
    # On Wednesday it is too late for the first week.
    found = of(tolerant, [day(2026, 3, 11)], day(2026, 3, 20))
    assert [(each.done, each.late, each.missed) for each in found.periods[:2]] == [(0, 0, 1), (1, 0, 0)]


def test_more_does_not_make_up_for_less_elsewhere() -> None:
    tests = [day(2026, 3, d) for d in (2, 3, 4, 5, 6)]
    found = of(THRICE, tests, day(2026, 3, 16))
    assert (found.due, found.done, found.extra, found.missed) == (6, 3, 2, 3)


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York", "Pacific/Auckland", "Asia/Kathmandu"])
def test_days_are_the_patients_when_clocks_change(zone: str) -> None:
    """A test just after midnight and one just before, each day of a year with both changes of the clocks."""
    here = ZoneInfo(zone)
    schedule = Schedule(date(2026, 1, 1), times=1, per_days=1, time_zone=zone)
    dates = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    tests = [day(d.year, d.month, d.day, 0, 5, here) for d in dates]
    tests += [day(d.year, d.month, d.day, 23, 55, here) for d in dates]
    found = of(schedule, tests, day(2027, 1, 1, 0, 1, here))
    assert (found.due, found.done, found.missed, found.extra) == (365, 365, 0, 0)


def test_the_same_instant_is_another_day_elsewhere() -> None:
    late = day(2026, 3, 2, 23, 30)
    auckland = Schedule(date(2026, 3, 2), times=1, per_days=1, time_zone="Pacific/Auckland")
    paris = Schedule(date(2026, 3, 2), times=1, per_days=1, time_zone="Europe/Paris")
    today = day(2026, 3, 6)
    assert of(paris, [late], today).periods[0].done == 1
    assert [each.done for each in of(auckland, [late], today).periods[:2]] == [0, 1]


def test_lapsed_since_the_last_test() -> None:
    tests = [day(2026, 3, 2), day(2026, 3, 10)]
    assert of(WEEKLY, tests, day(2026, 3, 29)).lapsed_since is None
    assert of(WEEKLY, tests, day(2026, 3, 30)).lapsed_since == date(2026, 3, 10)
    assert of(WEEKLY, [*tests, day(2026, 4, 1)], day(2026, 4, 2)).lapsed_since is None
    assert of(WEEKLY, [], day(2026, 3, 16)).lapsed_since == date(2026, 3, 2)
    # Two missed days are not yet a lapse where every day is due.
    daily = Schedule(date(2026, 3, 2), times=1, per_days=1, time_zone="Europe/Paris")
    assert of(daily, [day(2026, 3, 2)], day(2026, 3, 6)).lapsed_since is None
    assert of(daily, [day(2026, 3, 2)], day(2026, 3, 17)).lapsed_since == date(2026, 3, 2)


def test_nothing_is_due_after_the_end_or_before_the_start() -> None:
    ended = Schedule(date(2026, 3, 2), times=3, per_days=7, until=date(2026, 3, 11), time_zone="Europe/Paris")
    found = of(ended, [day(2026, 3, 1), day(2026, 3, 12)], day(2026, 12, 1))
    assert [(each.days, each.due) for each in found.periods] == [(7, 3), (3, 1)]
    assert (found.done, found.late, found.due, found.extra) == (0, 0, 4, 1)
    assert of(ended, [], day(2026, 3, 1)).periods == ()


def test_tests_of_the_future_are_not_counted() -> None:
    found = of(WEEKLY, [day(2026, 3, 3), day(2031, 3, 3)], day(2026, 3, 10))
    assert (found.done, found.extra) == (1, 0)


@given(
    st.lists(st.floats(20_000, 20_120), max_size=80),
    st.integers(1, 14),
    st.integers(0, 5),
    st.integers(1, 14),
)
def test_the_sums_are_right(tests: list[float], per_days: int, tolerance: int, times: int) -> None:
    schedule = Schedule(date(2024, 10, 10), min(times, per_days), per_days, min(tolerance, per_days))
    found = adherence(schedule, tests, 20_100.5)
    for each in found.periods:
        assert 0 <= each.done <= each.due
        assert 0 <= each.late <= each.due - each.done
        assert each.missed == (0 if each.open else each.due - each.done - each.late)
    days = {int(at) for at in tests if int(at) <= 20_100 and int(at) >= date(2024, 10, 10).toordinal() - 719_163}
    assert sum(each.done + each.late for each in found.periods) + found.extra == len(days)
    assert found.due == found.done + found.late + found.missed


def test_reads_back_what_it_wrote() -> None:
    schedule = Schedule.of(
        {
            "start": "2026-03-02",
            "times": 3,
            "per_days": 7,
            "tolerance_days": 1,
            "until": "2026-12-31",
            "time_zone": "Europe/Paris",
        }
    )
    assert Schedule.of(schedule.as_dict()) == schedule


@pytest.mark.parametrize(
    ("document", "error", "at"),
    [
        ([], "field_invalid", "/s"),
        ({}, "field_missing", "/s/start"),
        ({"start": "2.3.2026"}, "field_invalid", "/s/start"),
        ({"start": 20260302}, "field_invalid", "/s/start"),
        ({"start": "2026-03-02", "every": 3}, "field_invalid", "/s/every"),
        ({"start": "2026-03-02", "times": 8}, "field_invalid", "/s/times"),
        ({"start": "2026-03-02", "per_days": 0}, "field_invalid", "/s/per_days"),
        ({"start": "2026-03-02", "tolerance_days": 8}, "field_invalid", "/s/tolerance_days"),
        ({"start": "2026-03-02", "until": "2026-03-01"}, "field_invalid", "/s/until"),
        ({"start": "2026-03-02", "time_zone": "Mars/Olympus"}, "field_invalid", "/s/time_zone"),
        ({"start": "2026-03-02", "time_zone": "../etc/passwd"}, "field_invalid", "/s/time_zone"),
        ({"start": "2026-03-02", "time_zone": 1}, "field_invalid", "/s/time_zone"),
    ],
)
def test_says_what_is_wrong(document: Any, error: str, at: str) -> None:
    with pytest.raises(DataError) as refused:
        Schedule.of(document, at="/s")
    assert (refused.value.code, refused.value.at) == (error, at)
