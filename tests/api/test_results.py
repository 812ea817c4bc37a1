"""What comes out: trends, features, the dictionary, the catalogue."""

import csv
import io
from uuid import uuid4

import pyarrow.parquet as pq
import pytest

from konectom.assessments import every_assessment
from tests.api.client import first_error
from tests.probe import probe_recording, session_body

pytestmark = pytest.mark.usefixtures("probe")


@pytest.fixture
def study(people):
    return people.study()


@pytest.fixture
def sender(callers, people, study):
    return callers.phone(people.patient(study, "P-1"))


def rows_of(answer):
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_a_trend_is_oldest_first_whatever_came_first(sender):
    days = ("2026-11-03", "2026-11-01", "2026-11-02")
    for day in days:
        recording = probe_recording(x=(float(day[-1]),) * 4)
        sender.put(session_body(recording, started_at=f"{day}T09:00:00+01:00"))
    told = sender.get(f"/patients/{sender.patient}/trends?measure=probe.level").json
    assert told["patient"] == str(sender.patient)
    (trend,) = told["trends"]
    assert (trend["key"], trend["unit"], trend["better"]) == ("probe.level[left].mean", "m/s2", "lower")
    assert [point["value"] for point in trend["points"]] == [1.0, 2.0, 3.0]
    assert trend["points"][0]["at"] == "2026-11-01T09:00:00+01:00"


def test_a_trend_is_bounded_by_from_and_to(sender):
    for day in (1, 2, 3):
        sender.put(session_body(started_at=f"2026-11-0{day}T09:00:00+00:00"))
    query = {"measure": "probe.samples", "from": "2026-11-02T00:00:00Z", "to": "2026-11-02T23:00:00Z"}
    (trend,) = sender.get(f"/patients/{sender.patient}/trends", query_string=query).json["trends"]
    assert len(trend["points"]) == 1


def test_a_score_that_does_not_exist_is_refused(sender):
    answer = sender.get(f"/patients/{sender.patient}/trends?measure=probe.luck")
    assert first_error(answer) == (422, "field_invalid", "/query/measure")


def test_a_patients_sessions_are_listed(sender, staff):
    session = uuid4()
    sender.put(session_body(), session)
    for caller in (sender, staff):
        (item,) = caller.get(f"/patients/{sender.patient}/sessions").json["items"]
        assert item["id"] == str(session)


def test_features_come_as_a_row_for_each_result(sender, staff, study):
    sender.put(session_body(probe_recording(), probe_recording(hand="right")))
    answer = staff.get(f"/studies/{study}/features?assessment=probe")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="features-probe.csv"'
    rows = rows_of(answer)
    assert [row["probe.samples"] for row in rows] == ["4.0", "4.0"]
    assert {row["patient"] for row in rows} == {"P-1"}


def test_features_come_as_a_row_for_each_value(sender, staff, study):
    sender.put(session_body())
    rows = rows_of(staff.get(f"/studies/{study}/features"))
    assert {row["key"] for row in rows} >= {"probe.samples", "probe.level[left].mean"}


@pytest.mark.parametrize(
    "asked",
    [
        {"query_string": {"format": "parquet", "assessment": "probe"}},
        {"query_string": {"assessment": "probe"}, "headers": {"Accept": "application/vnd.apache.parquet"}},
        {
            "query_string": {"assessment": "probe"},
            "headers": {"Accept": "text/csv;q=0.3, application/vnd.apache.parquet"},
        },
    ],
)
def test_features_come_as_parquet_when_wanted(sender, staff, study, asked):
    sender.put(session_body())
    answer = staff.get(f"/studies/{study}/features", **asked)
    assert answer.mimetype == "application/vnd.apache.parquet"
    table = pq.read_table(io.BytesIO(answer.data))
    assert table["probe.samples"].to_pylist() == [4.0]


def test_the_query_stands_above_the_accept_header(staff, study):
    headers = {"Accept": "application/vnd.apache.parquet"}
    assert staff.get(f"/studies/{study}/features?format=csv", headers=headers).mimetype == "text/csv"


def test_an_accept_header_that_names_neither_gets_csv(staff, study):
    assert staff.get(f"/studies/{study}/features", headers={"Accept": "image/png"}).mimetype == "text/csv"


@pytest.mark.parametrize(
    ("query", "code", "at"),
    [
        ("assessment=luck", "assessment_unknown", "/query/assessment"),
        ("assessment=probe&version=9", "field_invalid", "/query/version"),
        ("version=1", "field_invalid", "/query/version"),
        ("format=xlsx", "field_invalid", "/query/format"),
        ("assessment=%00", "field_invalid", "/query/assessment"),
    ],
)
def test_a_table_that_cannot_be_made_is_refused_before_it_begins(staff, study, query, code, at):
    assert first_error(staff.get(f"/studies/{study}/features?{query}")) == (422, code, at)


def test_the_dictionary_explains_every_column(sender, staff, study):
    sender.put(session_body())
    columns = rows_of(staff.get(f"/studies/{study}/features?assessment=probe"))[0].keys()
    explained = {row["key"] for row in rows_of(staff.get(f"/studies/{study}/dictionary"))}
    assert columns <= explained
    as_json = staff.get(f"/studies/{study}/dictionary?format=json")
    assert {row["key"] for row in as_json.json["items"]} == explained


def test_every_assessment_is_described(phone):
    names = [each["name"] for each in phone.get("/assessments").json["items"]]
    assert set(names) == set(every_assessment())
    for name in names:
        told = phone.get(f"/assessments/{name}").json
        assert told["measure_count"] == len(told["measures"])
    assert first_error(phone.get("/assessments/luck"))[:2] == (404, "not_found")


def test_the_measures_can_be_narrowed(phone):
    everything = phone.get("/measures").json["items"]
    assert len(everything) == sum(len(each.catalogue) for each in every_assessment().values())
    assert {each["assessment"] for each in phone.get("/measures?assessment=probe").json["items"]} == {"probe"}
    scores = phone.get("/measures?assessment=probe&score=true").json["items"]
    assert [each["key"] for each in scores] == [
        "probe.samples",
        "probe.level[left].mean",
        "probe.level[right].mean",
    ]
    assert first_error(phone.get("/measures?assessment=luck")) == (422, "field_invalid", "/query/assessment")
    assert first_error(phone.get("/measures?score=perhaps")) == (422, "field_invalid", "/query/score")
