"""Imports of observations: what is kept, what is told, and that an import may be repeated."""

import csv
import dataclasses
import gzip
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from konectom.errors import (
    BodyError,
    BodyTooLarge,
    FieldInvalid,
    FieldMissing,
    InflatedTooLarge,
    NotFound,
    StoreUnavailable,
)
from konectom.formats.observations import OWN_SYSTEM
from konectom.settings import load_settings
from konectom.storage.models import Observation, ObservedRow
from konectom.workflows.observations import importing as module
from konectom.workflows.observations.entering import enter_observation, list_observations, retract_observation
from konectom.workflows.observations.importing import AT_ONCE, PROBLEMS_TOLD, Imported, import_observations
from tests.backends import where_of

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "observations.csv"
HEADER = "patient,code,at,component,value,unit,id,source,note"


@pytest.fixture
def study(people):
    return people.study()


@pytest.fixture
def ada(people, study):
    """The patient P-001 of the study."""
    return people.patient(study, "P-001")


@pytest.fixture
def load(services, study, ada):
    def load(*lines, **how):
        body = "\n".join((HEADER, *lines)).encode()
        return import_observations(services, study, body, **how)

    return load


def stored(services, patient):
    return list_observations(services, patient, retracted=True, limit=500)["items"]


def everything(services):
    """All rows of both tables."""
    with services.db.read() as db:
        tables = (Observation.__table__, ObservedRow.__table__)
        return [sorted(map(str, db.execute(select(table)))) for table in tables]


def count(services):
    with services.db.read() as db:
        return db.scalar(select(func.count()).select_from(Observation))


def problems(imported):
    return [(each.at, each.code) for each in imported.problems]


def test_the_example_of_the_documentation_is_read_without_a_problem(services, study, ada):
    body = EXAMPLE.read_bytes()
    imported = import_observations(services, study, body, time_zone="Europe/Paris")
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    tests = {(row["code"], row["at"], row["id"]) for row in rows}
    assert imported == Imported(len(tests), 0, 0, (), {})
    assert {each["code"] for each in stored(services, ada)} == {row["code"] for row in rows}


def test_lines_become_observations_with_all_that_they_tell(services, load, ada):
    imported = load(
        "P-001,t25fw,2026-03-02T10:15:00+01:00,trial_1,5.1,s,V7-1,clinic,with a cane",
        "P-001,t25fw,2026-03-02T10:15:00+01:00,trial_2,4.9,s,V7-1,clinic,",
        "P-001,edss,2026-03-02,step,3.5,,V7-2,clinic,stable",
        time_zone="Europe/Paris",
    )
    assert imported == Imported(2, 0, 0, (), {})
    walk, step = stored(services, ada)
    assert (walk["at"], step["at"]) == ("2026-03-02T10:15:00+01:00", "2026-03-02T12:00:00+01:00")
    assert walk["values"] == {"trial_1": {"value": 5.1, "unit": "s"}, "trial_2": {"value": 4.9, "unit": "s"}}
    assert [(each["reference"], each["source"], each["note"]) for each in (walk, step)] == [
        ("V7-1", "clinic", "with a cane"),
        ("V7-2", "clinic", "stable"),
    ]


def test_what_cannot_be_used_is_told_by_line_and_costs_the_others_nothing(services, load, ada):
    imported = load(
        "P-001,edss,2026-03-01T10:00Z,step,3,,,,",
        "P-001,edss,2026-03-02T10:00Z,step,3.25,,,,",
        "P-001,edss,2026-03-03T10:00Z,stop,3,,,,",
        "P-001,esdd,2026-03-04T10:00Z,step,3,,,,",
        "P-001,t25fw,2026-03-05T10:00Z,trial_1,5.1,s,,,",
        "P-001,t25fw,2026-03-05T10:00Z,trial_2,5.1,,,,",
        "P-001,t25fw,2026-03-06T10:00Z,trial_1,5.1,m,,,",
        "P-001,t25fw,2026-03-07T10:00Z,trial_1,900,s,,,",
        "P-002,edss,2026-03-08T10:00Z,step,3,,,,",
        "P-001\0,edss,2026-03-08T10:00Z,step,3,,,,",
        "P-001,edss,2036-03-09T10:00Z,step,3,,,,",
        "P-001,edss,2026-03-10T10:00,step,3,,,,",
        "P-001,edss,2026-03-11T10:00Z,step,three,,,,",
        "P-001,edss,2026-03-12T10:00Z,step,1e999,,,,",
        "P-001,edss,2026-03-13T10:00Z,step,3,,,a\0b,",
        "P-001,edss,2026-03-14T10:00Z,step,3,,,,",
    )
    assert problems(imported) == [
        ("/lines/3/value", "field_invalid"),
        ("/lines/4/value", "field_invalid"),
        ("/lines/5", "scale_unknown"),
        ("/lines/7/value", "unit_missing"),
        ("/lines/8/value", "unit_invalid"),
        ("/lines/9/value", "field_invalid"),
        ("/lines/10", "not_found"),
        ("/lines/11", "not_found"),
        ("/lines/12", "field_invalid"),
        ("/lines/13/at", "field_invalid"),
        ("/lines/14/value", "field_invalid"),
        ("/lines/15/value", "field_invalid"),
        ("/lines/16", "field_invalid"),
    ]
    assert imported.entered == count(services) == 2
    assert [each["at"][:10] for each in stored(services, ada)] == ["2026-03-01", "2026-03-14"]


def test_an_import_again_changes_nothing(services, study, ada):
    body = EXAMPLE.read_bytes()
    first = import_observations(services, study, body, time_zone="Europe/Paris")
    before = everything(services)
    again = import_observations(services, study, body, time_zone="Europe/Paris")
    assert again == Imported(0, first.entered, 0, (), {})
    assert everything(services) == before


def test_what_was_entered_by_hand_is_there_already(services, load, ada):
    at = datetime(2026, 3, 2, 10, tzinfo=UTC)
    enter_observation(services, ada, code="sdmt", at=at, values={"correct": 50}, source="clinic")
    line = "P-001,sdmt,2026-03-02T11:00+01:00,correct,{},,V1,clinic,"
    assert load(line.format("50")) == load(line.format("5e1")) == Imported(0, 1, 0, (), {})
    assert problems(load(line.format("51"))) == [("/lines/2", "observation_conflict")]


def test_the_same_twice_in_one_table_is_one_and_contradictions_are_told(services, load, ada):
    line = "P-001,edss,2026-03-02T10:00Z,step,{},,{},,"
    imported = load(line.format(3, "a"), line.format(3, "b"), line.format(4, "c"))
    assert (imported.entered, imported.already_there) == (1, 1)
    assert problems(imported) == [("/lines/4", "observation_conflict")]
    (kept,) = stored(services, ada)
    assert kept["values"] == {"step": 3}


def test_what_was_retracted_does_not_come_back_by_an_import(services, load, ada):
    line = "P-001,edss,2026-03-02T10:00Z,step,3,,,,"
    load(line)
    (wrong,) = stored(services, ada)
    retract_observation(services, ada, UUID(wrong["id"]), reason="another patient's")
    assert load(line) == Imported(0, 0, 1, (), {})
    assert load(line.replace(",3,", ",4,")).entered == 1
    assert [each["values"]["step"] for each in list_observations(services, ada)["items"]] == [4]


def test_days_and_local_times_need_a_zone_and_keep_to_its_clock(services, load, ada):
    lines = [f"P-001,edss,{at},step,3,,,," for at in ("2026-03-28", "2026-03-29", "2026-03-29T03:30", "2026-10-25")]
    assert problems(load(*lines)) == [(f"/lines/{line}/at", "field_invalid") for line in (2, 3, 4, 5)]
    load(*lines, time_zone="Europe/Paris")
    assert [each["at"] for each in stored(services, ada)] == [
        "2026-03-28T12:00:00+01:00",
        "2026-03-29T03:30:00+02:00",
        "2026-03-29T12:00:00+02:00",
        "2026-10-25T12:00:00+01:00",
    ]


def test_local_times_that_were_not_or_were_twice_are_told(load):
    lines = [f"P-001,edss,{at},step,3,,,," for at in ("2026-03-29T02:30", "2026-10-25T02:30")]
    imported = load(*lines, time_zone="Europe/Paris")
    assert problems(imported) == [("/lines/2/at", "field_invalid"), ("/lines/3/at", "field_invalid")]
    assert ["never" in each.detail for each in imported.problems] == [True, False]


@pytest.mark.parametrize("written", ["2026-03-02T04:30Z", "2026-03-01T23:30-05:00", "2026-03-01T23:30"])
def test_the_day_of_a_relapse_is_that_of_the_stated_zone(load, written):
    line = f"P-001,relapse,{written},onset,{{}},,,,"
    zone = {"time_zone": "America/New_York"}
    assert problems(load(line.format("2026-03-02"), **zone)) == [("/lines/2/value", "field_invalid")]
    assert load(line.format("2026-03-01"), **zone).entered == 1


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "/etc/passwd", "x" * 5000, "Europe", "\ud800"])
def test_a_zone_that_is_none_is_refused(load, zone):
    with pytest.raises(FieldInvalid) as refused:
        load("P-001,edss,2026-03-02,step,3,,,,", time_zone=zone)
    assert refused.value.at == "/query/time_zone"


def test_only_patients_of_the_study_are_known(services, people, study, ada):
    body = f"{HEADER}\nP-009,edss,2026-03-02T10:00Z,step,3,,,,\n".encode()
    elsewhere = people.patient(code="P-009")
    assert problems(import_observations(services, study, body)) == [("/lines/2", "not_found")]
    assert stored(services, elsewhere) == []
    with pytest.raises(NotFound):
        import_observations(services, uuid4(), body)


def test_what_cannot_be_read_at_all_is_refused(services, study):
    for body, media_type, refusal in (
        (b"", "text/csv", FieldMissing),
        (b"\xff", "text/csv", BodyError),
        (b"a,b\n", "text/csv", FieldMissing),
        (b"{", "application/fhir+json", BodyError),
        (b"[]", "application/json", BodyError),
        (b'{"resourceType": "Patient"}', None, BodyError),
        (b"[" * 100_000, "application/json", BodyError),
        (HEADER.encode(), "text/html", BodyError),
    ):
        with pytest.raises(refusal):
            import_observations(services, study, body, media_type=media_type)


def test_limits_are_settings(services, study, tmp_path):
    def bounded(**limits):
        chosen = load_settings({}, **where_of(services.settings), **limits)
        return dataclasses.replace(services, settings=chosen)

    body = "\n".join((HEADER, *[f"P-001,edss,2026-03-{day:02d},step,3,,,," for day in range(1, 11)])).encode()
    import_observations(bounded(max_import_bytes=len(body), max_import_rows=10), study, body)
    for limits, sent, refusal in (
        ({"max_import_bytes": len(body) - 1}, body, BodyTooLarge),
        ({"max_import_bytes": len(body) - 1}, gzip.compress(body), InflatedTooLarge),
        ({"max_import_rows": 9}, body, BodyTooLarge),
    ):
        with pytest.raises(refusal):
            import_observations(bounded(**limits), study, sent)


def fhir(*found):
    return orjson.dumps(
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in found]}
    )


def fhir_of(code, value, at="2026-03-02T10:15:00+01:00", patient="P-001", **more):
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": OWN_SYSTEM, "code": code}]},
        "subject": {"identifier": {"value": patient}},
        "effectiveDateTime": at,
        "valueQuantity": {"value": value},
        **more,
    }


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("media_type", ["application/fhir+json", "application/json", None])
def test_fhir_is_imported_like_a_table(services, study, ada, load, media_type, packed):
    body = fhir(
        fhir_of("edss.step", 3.5),
        {"resourceType": "Patient", "id": "x"},
        fhir_of("edss.step", 3.75, at="2026-03-03"),
        fhir_of("edss.step", 11, at="2026-03-04T10:00:00Z"),
        fhir_of("edss.step", 3, patient="nobody"),
    )
    imported = import_observations(services, study, gzip.compress(body) if packed else body, media_type=media_type)
    assert imported.entered == 1
    assert dict(imported.skipped) == {"Patient": 1}
    assert problems(imported) == [
        ("/entry/2/resource/effectiveDateTime", "field_invalid"),
        ("/entry/3/resource/valueQuantity", "field_invalid"),
        ("/entry/4/resource", "not_found"),
    ]
    # The same in the other form is there already.
    assert load("P-001,edss,2026-03-02T09:15:00Z,step,3.5,,,,") == Imported(0, 1, 0, (), {})


@pytest.fixture
def table():
    lines = [
        f"P-001,sdmt,2026-01-02T{k // 60 % 24:02d}:{k % 60:02d}Z,correct,{k % 90},,{k},," for k in range(3 * AT_ONCE)
    ]
    return "\n".join((HEADER, *lines)).encode()


def test_an_import_that_was_interrupted_goes_on(services, study, ada, table, monkeypatch):
    done, keep = [], module.keep_findings

    def fail_in_the_third(*told, **how):
        done.append(1)
        if len(done) == 3:
            raise StoreUnavailable("the disk is full")
        return keep(*told, **how)

    monkeypatch.setattr(module, "keep_findings", fail_in_the_third)
    with pytest.raises(StoreUnavailable):
        import_observations(services, study, table)
    assert count(services) == 2 * AT_ONCE
    assert import_observations(services, study, table) == Imported(AT_ONCE, 2 * AT_ONCE, 0, (), {})


def test_progress_is_told(services, study, ada, table):
    told = []
    import_observations(services, study, table, progress=lambda *at: told.append(at))
    assert told == [(k * AT_ONCE, 3 * AT_ONCE) for k in (1, 2, 3)]


def test_two_imports_of_the_same_at_once_enter_everything_once(services, study, ada, table, monkeypatch):
    barrier, read = threading.Barrier(4), module.read

    def meet(*told, **how):
        found = read(*told, **how)
        barrier.wait(60)
        return found

    monkeypatch.setattr(module, "read", meet)
    with ThreadPoolExecutor(4) as pool:
        imported = list(pool.map(lambda _: import_observations(services, study, table), range(4)))
    assert sum(each.entered for each in imported) == count(services) == 3 * AT_ONCE
    assert all(each.entered + each.already_there == 3 * AT_ONCE for each in imported)


def test_of_very_many_problems_the_answer_tells_the_first_and_counts_all(load):
    told = load(*["P-001,edss,nonsense,step,1,,,,"] * (PROBLEMS_TOLD + 5)).as_dict()
    assert (told["problem_count"], len(told["problems"])) == (PROBLEMS_TOLD + 5, PROBLEMS_TOLD)
    assert [each["at"] for each in told["problems"][:2]] == ["/lines/2/at", "/lines/3/at"]


CELLS = {
    "patient": st.sampled_from(["P-001", "P-002", "P-003", "", "P-001 "]),
    "code": st.sampled_from(["edss", "sdmt", "t25fw", "relapse", "x"]),
    "at": st.sampled_from(["2026-03-02", "2026-03-02T10:00", "2026-03-02T09:00Z", "2026-03-29T02:30", "soon"]),
    "component": st.sampled_from(["step", "correct", "trial_1", "trial_2", "onset", "visual", ""]),
    "value": st.sampled_from(["3", "3.0", "3.5", "50", "2026-01-01", "4.9", "", "x"]),
    "unit": st.sampled_from(["", "s", "ms", "m"]),
    "id": st.sampled_from(["", "a", "b"]),
    "source": st.sampled_from(["", "clinic"]),
    "note": st.text(max_size=5),
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.fixed_dictionaries(CELLS), max_size=12), separator=st.sampled_from(",;\t"))
def test_importing_any_table_twice_changes_nothing(services, people, rows, separator):
    study = people.study()
    for code in ("P-001", "P-002"):
        people.patient(study, code)
    file = io.StringIO()
    writer = csv.DictWriter(file, CELLS, delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    body = file.getvalue().encode()
    first = import_observations(services, study, body, media_type="text/csv", time_zone="Europe/Paris")
    before = everything(services)
    again = import_observations(services, study, body, media_type="text/csv", time_zone="Europe/Paris")
    assert everything(services) == before
    assert (again.entered, again.already_there) == (0, first.entered + first.already_there)
    assert again.problems == first.problems


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"{HEADER}\n{text}".encode()),
    media_type=st.sampled_from(["text/csv", "application/fhir+json", None]),
)
def test_no_bytes_make_an_import_fail(services, study, ada, body, media_type):
    try:
        imported = import_observations(services, study, body, media_type=media_type, time_zone="Europe/Paris")
    except (BodyError, FieldMissing, FieldInvalid):
        return
    orjson.dumps(imported.as_dict())
