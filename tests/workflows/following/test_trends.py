from datetime import UTC, datetime
from uuid import uuid4

import pytest

from konectom.assessments import every_assessment
from konectom.errors import CatalogueChanged, FieldInvalid, NotFound
from konectom.workflows.following.trends import patient_trends
from konectom.workflows.sessions.ingest import ingest_session
from tests.probe import probe_recording, recompute, session_body

LEFT = "probe.level[left].mean"


@pytest.fixture
def walk(services, patient, probe):
    """Three days of the probe, sent in another order than recorded."""

    def send(day, *levels, hand="left", patient_id=patient):
        body = session_body(
            probe_recording(x=levels or [day] * 5, hand=hand), started_at=f"2026-10-0{day}T10:00:00+02:00"
        )
        return ingest_session(services, session_id=uuid4(), patient_id=patient_id, body=body).receipt

    return {day: send(day) for day in (2, 1, 3)} | {"send": send}


def values(trend):
    return [point["value"] for point in trend["points"]]


def test_a_trend_is_oldest_first_with_all_that_a_chart_needs(services, patient, walk):
    answer = patient_trends(services, patient, measure=LEFT)
    (trend,) = answer["trends"]
    first = trend["points"][0]
    assert values(trend) == [1.0, 2.0, 3.0]
    assert first == {
        "session": walk[1]["id"],
        "recording": 0,
        "observation": None,
        "source": None,
        "at": "2026-10-01T10:00:00+02:00",
        "value": 1.0,
        "verdict": "valid",
        "flags": [],
        "version": 1,
        "run": 1,
        "fate": "run_in",
        "aggregate": None,
    }
    declared = ("key", "measure", "condition", "statistic", "unit", "better", "title", "source", "assessment")
    assert {name: trend[name] for name in (*declared, "assessment_title", "versions")} == {
        "key": LEFT,
        "measure": "probe.level",
        "condition": {"hand": "left"},
        "statistic": "mean",
        "unit": "m/s2",
        "better": "lower",
        "title": "Magnitude (mean; hand left).",
        "source": "assessment",
        "assessment": "probe",
        "assessment_title": "Probe",
        "versions": [1],
    }


def test_without_a_measure_all_scores_come_in_the_order_declared(services, patient, walk):
    walk["send"](4, hand="right")
    trends = patient_trends(services, patient)["trends"]
    assert [trend["key"] for trend in trends] == ["probe.samples", LEFT, "probe.level[right].mean"]
    assert [len(trend["points"]) for trend in trends] == [4, 3, 1]


def test_a_quantity_asks_for_all_its_scores(services, patient, walk):
    walk["send"](4, hand="right")
    trends = patient_trends(services, patient, measure="probe.level")["trends"]
    assert [trend["key"] for trend in trends] == [LEFT, "probe.level[right].mean"]


@pytest.mark.parametrize("measure", ["probe", "probe.leve", "probe.level[left].sd", "", "%", "probe.level[left]"])
def test_what_is_no_score_is_refused(services, patient, walk, measure):
    with pytest.raises(FieldInvalid) as refused:
        patient_trends(services, patient, measure=measure)
    assert refused.value.at == "/query/measure"


def test_a_score_of_which_the_patient_has_none_is_no_trend(services, people, walk):
    assert patient_trends(services, people.patient(), measure=LEFT)["trends"] == []


def test_both_bounds_are_included(services, patient, walk):
    start, end = datetime(2026, 10, 2, 8, tzinfo=UTC), datetime(2026, 10, 3, 8, tzinfo=UTC)
    (trend,) = patient_trends(services, patient, measure=LEFT, start=start, end=end)["trends"]
    assert values(trend) == [2.0, 3.0]
    (trend,) = patient_trends(services, patient, measure=LEFT, end=start)["trends"]
    assert values(trend) == [1.0, 2.0]
    assert patient_trends(services, patient, start=datetime(2027, 1, 1, tzinfo=UTC))["trends"] == []


def test_a_patient_sees_only_what_is_the_patients(services, people, walk):
    other = people.patient()
    walk["send"](5, patient_id=other)
    (trend,) = patient_trends(services, other, measure=LEFT)["trends"]
    assert values(trend) == [5.0]


def test_a_patient_who_is_not_there_is_not_found(services):
    with pytest.raises(NotFound):
        patient_trends(services, uuid4())


def test_quality_goes_with_each_point(services, patient, walk):
    walk["send"](9, 4.0, 4.0)
    (trend,) = patient_trends(services, patient, measure=LEFT)["trends"]
    assert (trend["points"][-1]["verdict"], trend["points"][-1]["flags"]) == ("limited", ["probe.short"])


def test_versions_are_told_and_each_recording_stands_once_under_its_newest(services, patient, walk, probe):
    probe(version=2)  # its values are twice as large
    recompute(services, walk[2]["id"])
    (trend,) = patient_trends(services, patient, measure=LEFT)["trends"]
    assert [(point["value"], point["version"]) for point in trend["points"]] == [(1.0, 1), (4.0, 2), (3.0, 1)]
    assert trend["versions"] == [1, 2]
    walk["send"](5)
    (trend,) = patient_trends(services, patient, measure=LEFT)["trends"]
    assert values(trend) == [1.0, 4.0, 3.0, 10.0]


def test_results_of_an_older_release_do_not_replace_newer_ones(services, patient, walk, probe):
    probe(version=3)
    recompute(services, walk[1]["id"])
    probe(version=2)
    recompute(services, walk[1]["id"])
    (trend,) = patient_trends(services, patient, measure=LEFT)["trends"]
    assert trend["points"][0]["version"] == 3


def test_scores_of_an_assessment_that_is_gone_are_still_told(services, patient, walk, monkeypatch):
    before = patient_trends(services, patient)
    monkeypatch.delitem(every_assessment(), "probe")
    after = patient_trends(services, patient)
    by_key = {trend["key"]: trend for trend in after["trends"]}
    assert set(by_key) == {trend["key"] for trend in before["trends"]}
    assert by_key[LEFT] == before["trends"][1] | {"assessment_title": "probe"}


def test_a_changed_declaration_is_not_applied_to_what_is_stored(services, patient, walk, probe):
    probe(version=1, unit="g")
    with pytest.raises(CatalogueChanged):
        patient_trends(services, patient)
