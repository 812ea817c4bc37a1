"""Clinical values from tables: what is read, where a fault lies, and times with their zones."""

import tracemalloc
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from konectom.errors import BodyError, BodyTooLarge, DataError, FieldInvalid, FieldMissing, FormatUnknown
from konectom.formats.observations import ObservationLimits, Observations, read_csv

PARIS = ZoneInfo("Europe/Paris")
HEADER = "patient,code,at,component,value,unit,id,source,note\n"


def read(*lines: str, **how: object) -> Observations:
    return read_csv((HEADER + "".join(f"{line}\n" for line in lines)).encode(), **how)  # type: ignore[arg-type]


def at_of(told: str, zone: ZoneInfo | None = PARIS) -> datetime:
    found = read(f"P1,pdds,{told},step,1,,,,", zone=zone)
    assert not found.problems, found.problems
    return found.rows[0].at


def problem(*lines: str, **how: object) -> tuple[str | None, str]:
    found = read(*lines, **how)
    assert len(found.problems) == 1
    return found.problems[0].at, found.problems[0].detail


def test_lines_of_one_observation_come_together() -> None:
    found = read(
        "P1,t25fw,2026-03-02T10:15:00+01:00,trial_1,5.1,s,V7,clinic,",
        "P2,edss,2026-03-02T11:00:00Z,step,3.5,,V8,clinic,stable",
        "P1,t25fw,2026-03-02T09:15:00Z,trial_2,4.9,s,V7,clinic,",
        "P1,t25fw,2026-03-02T10:15:00+01:00,aid,cane,,V7,,with a dog",
    )
    walk, step = found.rows
    assert found.problems == ()
    assert walk.values == {
        "trial_1": {"value": 5.1, "unit": "s"},
        "trial_2": {"value": 4.9, "unit": "s"},
        "aid": "cane",
    }
    assert (walk.patient, walk.code, walk.external_id, walk.source, walk.note) == (
        "P1",
        "t25fw",
        "V7",
        "clinic",
        "with a dog",
    )
    assert walk.at == datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
    assert (walk.place, walk.places["trial_2"]) == ("/lines/2", "/lines/4/value")
    assert (step.values, step.day) == ({"step": 3.5}, date(2026, 3, 2))


def test_columns_in_any_order_separator_and_with_a_byte_order_mark() -> None:
    lines = ("\ufeffvalue;component;at;code;patient", "3,5;step;2026-03-02T10:00Z;edss;P1", "4;step;2026-03-03;edss;P1")
    table = "".join(f"{line}\r\n" for line in lines)
    found = read_csv(table.encode(), zone=PARIS)
    assert [row.values for row in found.rows] == [{"step": "3,5"}, {"step": 4.0}]  # a comma is no decimal point
    assert read_csv(table.replace("3,5", "3.5").replace(";", "\t").encode(), zone=PARIS).rows[0].values == {"step": 3.5}


def test_quoted_texts_may_run_over_lines_and_lines_count_as_editors_do() -> None:
    found = read(
        'P1,treatment,2026-03-02T10:00Z,name,"ocrelizumab, ""second"" course",,,,"first line',
        'second line"',
        "",
        "P1,treatment,2026-03-02T10:00Z,start,2026-02-30x,,,,",
        "P1,edss,when,step,2,,,,",
    )
    assert found.rows[0].values["name"] == 'ocrelizumab, "second" course'
    assert found.rows[0].note == "first line\nsecond line"
    assert found.rows[0].places["start"] == "/lines/5/value"
    assert [each.at for each in found.problems] == ["/lines/6/at"]


@pytest.mark.parametrize(
    ("line", "where"),
    [
        (",edss,2026-03-02T10:00Z,step,2,,,,", "/lines/3/patient"),
        ("P1,,2026-03-04T10:00Z,step,2,,,,", "/lines/3/code"),
        ("P1,edss,,step,2,,,,", "/lines/3/at"),
        ("P1,edss,2026-03-02T10:00Z,,2,,,,", "/lines/3/component"),
        ("P1,edss,2026-03-02T10:00Z,step,,,,,", "/lines/3/value"),
        ("P1,edss,2026-03-02T10:00Z,step,2", "/lines/3"),
        (f"{'P' * 300},edss,2026-03-02T10:00Z,step,2,,,,", "/lines/3/patient"),
    ],
)
def test_a_bad_line_is_told_and_the_others_are_read(line: str, where: str) -> None:
    found = read("P1,pdds,2026-03-02T10:00Z,step,1,,,,", line, "P1,pdds,2026-03-03T10:00Z,step,1,,,,")
    assert [each.at for each in found.problems] == [where]
    assert [row.code for row in found.rows] == ["pdds", "pdds"]


def test_one_bad_line_leaves_the_whole_observation_out() -> None:
    found = read(
        "P1,nhpt,2026-03-02T10:00Z,left_trial_1,20,s,,,",
        "P1,nhpt,2026-03-02T10:00Z,left_trial_2,,s,,,",
        "P1,nhpt,2026-03-02T10:00Z,right_trial_1,20,s,,,",
    )
    assert found.rows == ()
    assert found.problems[0].at == "/lines/3/value"
    assert "the observation of /lines/2 is left out" in found.problems[0].detail


WALK = "P1,t25fw,2026-03-02T10:15Z,{},{},s,V7,,"


@pytest.mark.parametrize(
    "line",
    [
        "P1,t25fw,2026-13-02T10:15Z,trial_2,4.9,s,V7,,",
        "P1,t25fw,,trial_2,4.9,s,V7,,",
        ",t25fw,2026-03-02T10:15Z,trial_2,4.9,s,V7,,",
        "P1,,2026-03-02T10:15Z,trial_2,4.9,s,V7,,",
        "P1,t25fw,2026-03-02T10:15Z,trial_2,4.9",
        "P1,t25fw,2026-03-02T10:15Z,trial_2,4.9,s,V7,,said, and not quoted",
        "P1,t25fw,2026-03-02T10:15Z,trial_2,4,9,s,V7,,",
        f"P1,t25fw,2026-03-02T10:15Z,trial_2,{'9' * 300},s,V7,,",
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_no_half_of_a_test_is_read_where_a_wrong_line_may_be_its_other_half(line: str, first: bool) -> None:
    lines = [line, WALK.format("trial_1", 5.1)] if first else [WALK.format("trial_1", 5.1), line]
    found = read("P2,t25fw,2026-03-09T10:15Z,trial_1,7,s,,,", *lines, "P1,edss,2026-03-09T10:15Z,step,2,,,,")
    assert [row.place for row in found.rows] == ["/lines/2", "/lines/5"]
    assert len(found.problems) == 1
    assert f"the observation of /lines/{4 if first else 3} is left out" in found.problems[0].detail


def test_a_wrong_line_of_another_test_costs_its_neighbours_nothing() -> None:
    found = read(
        WALK.format("trial_1", 5.1),
        "P1,t25fw,2026-04-02T10:15Z,,4.9,s,V8,,",
        WALK.format("trial_2", 4.9),
        "P2,t25fw,x",
        "P1,edss,2026-03-02T10:15Z,step,3,,,,",
        "P1,edss,soon,step,3,,,,",
        "P1,edss,2026-03-03T10:15Z,step,3,,,,",
    )
    walk, *steps = found.rows
    assert dict(walk.places) == {"trial_1": "/lines/2/value", "trial_2": "/lines/4/value"}
    assert [row.place for row in steps] == ["/lines/6", "/lines/8"]  # one observation has one step
    assert [each.at for each in found.problems] == ["/lines/3/component", "/lines/5", "/lines/7/at"]


def test_very_many_wrong_lines_leave_no_more_than_what_is_told_of_them() -> None:
    tracemalloc.start()
    found = read(*["P1,edss,nonsense,step,1,,,,"] * 20_000)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.problems) == 20_000
    assert held < 25e6


def test_a_component_twice_is_a_fault_and_two_ids_are_two_observations() -> None:
    line = "P1,edss,2026-03-02T10:00Z,step,{},,{},,"
    where, detail = problem(line.format(2, "a"), line.format(3, "a"))
    assert where == "/lines/3/component"
    assert "/lines/2/value" in detail
    assert len(read(line.format(2, "a"), line.format(3, "b")).rows) == 2


def test_two_sources_for_one_observation_are_a_fault() -> None:
    where, _ = problem("P1,edss,2026-03-02T10:00Z,step,2,,,a,", "P1,edss,2026-03-02T10:00Z,visual,2,,,b,")
    assert where == "/lines/3/source"


# times


def test_an_offset_says_the_instant() -> None:
    assert at_of("2026-07-01T23:30:00-05:00", None) == datetime(2026, 7, 2, 4, 30, tzinfo=UTC)
    assert at_of("2026-07-01 12:00:00.25Z", None) == datetime(2026, 7, 1, 12, 0, 0, 250_000, tzinfo=UTC)
    assert at_of("2026-07-01T12:00+0530", None).utcoffset() == timedelta(hours=5.5)


def test_the_day_is_that_of_the_patient() -> None:
    line = "P1,pdds,2026-07-01T23:30:00Z,step,1,,,,"
    assert read(line).rows[0].day == date(2026, 7, 1)
    assert read(line, zone=PARIS).rows[0].day == date(2026, 7, 2)


def test_a_local_time_and_a_day_need_a_zone() -> None:
    for told in ("2026-03-02T10:00", "2026-03-02"):
        where, detail = problem(f"P1,pdds,{told},step,1,,,,")
        assert where == "/lines/2/at"
        assert "no time zone was stated" in detail
    assert at_of("2026-03-02T10:00") == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    assert at_of("2026-07-02T10:00") == datetime(2026, 7, 2, 8, 0, tzinfo=UTC)
    assert at_of("2026-07-02T10:00", timezone(timedelta(hours=-3))).hour == 10  # type: ignore[arg-type]


def test_a_day_is_its_noon_on_the_days_of_the_clock_change_too() -> None:
    assert at_of("2026-03-29") == datetime(2026, 3, 29, 10, 0, tzinfo=UTC)
    assert at_of("2026-10-25") == datetime(2026, 10, 25, 11, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "zone", "why"),
    [
        ("2026-03-29T02:30:00", "Europe/Paris", "never"),
        ("2026-10-25T02:30:00", "Europe/Paris", "twice"),
        ("2026-03-08T02:00", "America/New_York", "never"),
        ("2026-11-01T01:59:59", "America/New_York", "twice"),
        ("2026-04-05T01:45", "Australia/Lord_Howe", "twice"),
        ("2011-12-30T12:00", "Pacific/Apia", "never"),
    ],
)
def test_a_time_that_clocks_skipped_or_showed_twice_is_refused(told: str, zone: str, why: str) -> None:
    where, detail = problem(f"P1,pdds,{told},step,1,,,,", zone=ZoneInfo(zone))
    assert where == "/lines/2/at"
    assert f"was shown {why}" in detail
    assert "say its offset" in detail


def test_the_hours_around_a_change_are_read() -> None:
    assert at_of("2026-03-29T01:59:59") == datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)
    assert at_of("2026-03-29T03:00:00") == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert at_of("2026-10-25T02:30:00+01:00") - at_of("2026-10-25T02:30:00+02:00") == timedelta(hours=1)


@pytest.mark.parametrize(
    "told",
    [
        "2026",
        "2026-03",
        "02.03.2026",
        "2026-W10-1",
        "20260302",
        "2026-02-30",
        "2026-03-02T25:00Z",
        "0001-01-01",
        "soon",
    ],
)
def test_what_is_no_time_is_refused(told: str) -> None:
    assert problem(f"P1,pdds,{told},step,1,,,,", zone=PARIS)[0] == "/lines/2/at"


# the table as a whole


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", FieldMissing),
        (b"patient,code,at,component\n", FieldMissing),
        (b"patient,code,at,component,value,colour\n", FieldInvalid),
        (b"patient,code,at,component,value,value\n", FieldInvalid),
        (b"patient,code,at,component,value\n\xff", FormatUnknown),
    ],
)
def test_a_table_without_a_usable_header_is_refused(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_csv(body)


def test_the_size_is_bounded() -> None:
    line = "P1,pdds,2026-03-02T10:00Z,step,1,,{},,"
    limits = ObservationLimits(max_body_bytes=200)
    with pytest.raises(BodyTooLarge):
        read(*(line.format(n) for n in range(10)), limits=limits)
    read(*(line.format(n) for n in range(10)), limits=ObservationLimits(max_rows=10))
    with pytest.raises(BodyTooLarge):
        read(*(line.format(n) for n in range(11)), limits=ObservationLimits(max_rows=10))


def test_a_quote_that_never_closes_is_told() -> None:
    found = read(
        "P1,pdds,2026-03-01T10:00Z,step,1,,,,",
        "P1,pdds,2026-03-02T10:00Z,step,1,,,,",
        'P1,pdds,2026-03-03T10:00Z,step,"1,,,,',
        "P1,pdds,2026-03-04T10:00Z,step,1,,,,",
    )
    # What cannot be read may have begun with more of the line before.
    assert [row.place for row in found.rows] == ["/lines/2"]
    assert [each.at for each in found.problems] == ["/lines/4"]
    assert "the observation of /lines/3 is left out" in found.problems[0].detail


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        found = read_csv(HEADER.encode() + body, zone=PARIS)
    except (BodyError, DataError):
        return
    assert all(row.patient and row.code and row.values for row in found.rows)
