import io
from uuid import UUID, uuid4

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sqlalchemy import event

from konectom.assessments import every_assessment
from konectom.errors import AssessmentUnknown, FieldInvalid, NotFound
from konectom.exports.features import FACTS
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.listing import get_session
from konectom.workflows.tables import export
from konectom.workflows.tables.export import dictionary_csv, feature_dictionary, feature_table
from tests.probe import probe_recording, recompute, session_body

KEYS = ["probe.samples", *(f"probe.level[{hand}].{name}" for hand in ("left", "right") for name in ("mean", "sd"))]


@pytest.fixture
def study(people):
    return people.study("S1")


@pytest.fixture
def sent(services, people, study, probe):
    """Sessions of two patients, in another order than that of the table, and one of another study."""
    ann, ben = people.patient(study, "A"), people.patient(study, "B")

    def send(patient, day, *recordings):
        body = session_body(*recordings, started_at=f"2026-10-0{day}T10:00:00+02:00")
        return ingest_session(services, session_id=uuid4(), patient_id=patient, body=body).receipt

    bad = probe_recording()
    bad["streams"]["accelerometer"]["y"].pop()
    third = 1 / 3
    sessions = [
        send(ben, 1, probe_recording(x=[0.1, third], hand="right")),
        send(ann, 2, probe_recording(offset_s=60.5), bad, probe_recording(x=[5.0])),
        send(ann, 1),
    ]
    send(people.patient(), 1)
    return [sessions[2], sessions[1], sessions[0]]


def frame(services, study, *args, form="csv"):
    body = io.BytesIO(b"".join(feature_table(services, study, *args, form=form)))
    return pd.read_csv(body) if form == "csv" else pd.read_parquet(body)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_table_has_a_row_for_each_result_in_order_of_patient_and_time(services, study, sent, form):
    table = frame(services, study, "probe", form=form)
    assert list(table.columns) == [column.name for column in FACTS] + KEYS
    assert list(zip(table["patient"], table["session"], table["recording"], strict=True)) == [
        ("A", sent[0]["id"], 0),
        ("A", sent[1]["id"], 0),
        ("A", sent[1]["id"], 2),
        ("B", sent[2]["id"], 0),
    ]
    assert set(table["study"]) == {"S1"}
    assert set(table["assessment"]) == {"probe"}
    assert set(table["version"]) == {1}
    assert list(table["verdict"]) == ["valid", "valid", "limited", "limited"]
    assert list(table["flags"].fillna("")) == ["", "", "probe.short", "probe.short"]
    started = pd.to_datetime(table["started_at"], utc=True, format="ISO8601")
    assert [str(at) for at in started][:2] == ["2026-10-01 08:00:00+00:00", "2026-10-02 08:01:00.500000+00:00"]
    assert set(table["utc_offset_s"]) == {7200}
    assert set(table["time_zone"]) == {"Europe/Paris"}


def told_by_api(services, sessions):
    """Every value that the API tells of these sessions, by session, recording and key."""
    values = {}
    for receipt in sessions:
        for recording in get_session(services, UUID(receipt["id"]), measures=True)["recordings"]:
            for each in recording.get("measures", ()):
                levels = ",".join(each["condition"].values())
                key = (
                    each["measure"]
                    + (f"[{levels}]" if levels else "")
                    + (f".{each['statistic']}" if each["statistic"] else "")
                )
                values[receipt["id"], recording["index"], key] = each["value"]
    return values


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_values_are_those_of_the_api_bit_by_bit(services, study, sent, form):
    table = frame(services, study, "probe", form=form)
    exported = {
        (row["session"], row["recording"], key): row[key]
        for _, row in table.iterrows()
        for key in KEYS
        if not np.isnan(row[key])
    }
    assert exported == told_by_api(services, sent)
    tidy = frame(services, study, form=form)
    values = zip(tidy["session"], tidy["recording"], tidy["key"], tidy["value"], strict=True)
    assert {(session, recording, key): value for session, recording, key, value in values} == exported


def test_without_an_assessment_there_is_a_row_for_each_value(services, study, sent):
    table = frame(services, study)
    row = table[(table["patient"] == "B") & (table["key"] == "probe.level[right].mean")].iloc[0]
    assert (row["measure"], row["condition"], row["statistic"], row["unit"]) == (
        "probe.level",
        "hand=right",
        "mean",
        "m/s2",
    )
    assert len(table) == 3 + 3 + 2 + 3
    assert table["value"].notna().all()


def test_parquet_carries_units_and_versions(services, study, sent):
    schema = pq.read_schema(io.BytesIO(b"".join(feature_table(services, study, "probe", form="parquet"))))
    assert schema.field("probe.level[left].mean").metadata[b"unit"] == b"m/s2"
    assert schema.metadata[b"konectom.versions"] == b"1"
    assert schema.metadata[b"konectom.study"] == b"S1"


def test_only_current_results_unless_a_version_is_asked_for(services, study, sent, probe):
    probe(version=2, extra=True)
    recompute(services, sent[0]["id"])
    current = frame(services, study, "probe")
    assert list(current["version"]) == [2, 1, 1, 1]
    assert list(current["probe.peak[left]"].notna()) == [True, False, False, False]
    assert current["probe.level[left].mean"][0] == 5.0  # version 2 doubles
    assert list(frame(services, study, "probe", 1)["version"]) == [1, 1, 1, 1]
    assert list(frame(services, study, "probe", 2)["version"]) == [2]
    assert len(frame(services, study)) == 4 + 3 + 2 + 3


def test_columns_are_those_of_the_versions_in_the_table(services, study, sent, probe):
    assert "probe.peak[left]" not in frame(services, study, "probe").columns
    probe(version=2, extra=True)
    for receipt in (sent[0], sent[2]):
        recompute(services, receipt["id"])
    assert "probe.peak[left]" not in frame(services, study, "probe", 1).columns
    assert "probe.peak[left]" in frame(services, study, "probe").columns


def test_a_study_without_results_has_a_table_without_rows(services, people, probe):
    table = frame(services, people.study(), "probe")
    assert list(table.columns)[-5:] == KEYS
    assert len(table) == 0
    assert len(frame(services, people.study())) == 0


def test_results_of_an_assessment_that_is_gone_can_still_be_taken_home(services, study, sent, monkeypatch):
    before = frame(services, study, "probe")
    monkeypatch.delitem(every_assessment(), "probe")
    pd.testing.assert_frame_equal(frame(services, study, "probe"), before)


def test_what_can_be_wrong_is_said_before_the_first_byte(services, study, sent):
    for error, at, ask in (
        (NotFound, None, lambda: feature_table(services, uuid4(), "probe")),
        (AssessmentUnknown, "/query/assessment", lambda: feature_table(services, study, "no such test")),
        (FieldInvalid, "/query/version", lambda: feature_table(services, study, "probe", 7)),
        (FieldInvalid, "/query/version", lambda: feature_table(services, study, None, 1)),
        (FieldInvalid, "/query/format", lambda: feature_table(services, study, "probe", form="xlsx")),
        (NotFound, None, lambda: feature_dictionary(services, uuid4())),
    ):
        with pytest.raises(error) as refused:
            ask()
        assert refused.value.at == at


def test_memory_holds_some_rows_and_never_all(services, people, study, sent, monkeypatch):
    monkeypatch.setattr(export, "ROWS", 2)
    kept = []
    rows = export.Wide.rows
    monkeypatch.setattr(export.Wide, "rows", lambda self, vectors: (kept.append(len(vectors)), rows(self, vectors))[1])
    pieces = feature_table(services, study, "probe")
    assert kept == []  # the header alone
    next(pieces), next(pieces)
    assert kept == [2]
    b"".join(pieces)
    assert kept == [2, 2]


def test_the_table_is_of_one_moment(services, people, study, sent):
    pieces = feature_table(services, study, "probe")
    body = session_body(probe_recording())
    ingest_session(services, session_id=uuid4(), patient_id=people.patient(study, "0"), body=body)
    assert b"".join(pieces).count(b"\r\n") == 1 + 4
    assert b"".join(feature_table(services, study, "probe")).count(b"\r\n") == 1 + 5


def test_a_table_that_is_given_up_half_way_lets_go_of_the_database(services, study, sent):
    returned = []
    event.listen(services.db.engine, "checkin", lambda *given: returned.append(given))
    pieces = feature_table(services, study, "probe")
    next(pieces)
    assert returned == []
    pieces.close()
    assert len(returned) == 1


def test_the_dictionary_tells_every_column_of_the_tables(services, study, sent, probe):
    rows = feature_dictionary(services, study)
    wide, tidy = frame(services, study, "probe"), frame(services, study)
    assert {row["column"] for row in rows} == set(wide.columns) | set(tidy.columns)
    told = pd.DataFrame(rows)
    joined = tidy.merge(told, on=["key", "assessment", "version", "measure", "unit"], how="left")
    assert len(joined) == len(tidy)
    assert joined["means"].notna().all()
    probe(version=2, extra=True)
    recompute(services, sent[0]["id"])
    rows = feature_dictionary(services, study)
    assert {row["version"] for row in rows} == {None, 1, 2}
    read = pd.read_csv(io.BytesIO(dictionary_csv(rows)))
    assert list(read["key"]) == [row["key"] for row in rows]
