"""Clinical values from FHIR R4: what is read, and where a fault lies."""

import json
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from konectom.errors import BodyTooLarge, FormatUnknown, NotJson
from konectom.formats.observations import OWN_SYSTEM, ObservationLimits, Observations, read_fhir
from konectom.scoring.scales import find_scale, loinc_codes


def code(name: str, system: str = OWN_SYSTEM) -> dict[str, Any]:
    return {"coding": [{"system": "http://example.org/local", "code": "x"}, {"system": system, "code": name}]}


def quantity(value: float, unit: str = "s") -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}


def observation(name: str = "t25fw", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": code(name),
        "subject": {"identifier": {"system": "urn:study", "value": "P-001"}},
        "effectiveDateTime": "2026-03-02T10:15:00+01:00",
    } | more


def walk(**more: Any) -> dict[str, Any]:
    parts = [{"code": code(f"trial_{n}"), "valueQuantity": quantity(value)} for n, value in ((1, 5.1), (2, 4.9))]
    return observation(**({"component": parts} | more))


def bundle(*resources: Any, **more: Any) -> Observations:
    entries = [{"resource": each} for each in resources]
    return read({"resourceType": "Bundle", "type": "collection", "entry": entries}, **more)


def read(document: Any, **more: Any) -> Observations:
    return read_fhir(json.dumps(document).encode(), loinc=loinc_codes(), **more)


def only_problem(found: Observations) -> tuple[str | None, str, str]:
    assert len(found.problems) == 1
    return found.problems[0].at, found.problems[0].code, found.problems[0].detail


def test_a_walk_with_two_trials() -> None:
    found = bundle(walk(note=[{"text": "with cane"}], performer=[{"display": "Dr. X"}], identifier=[{"value": "V7"}]))
    row = found.rows[0]
    assert found.problems == ()
    assert (row.patient, row.code, row.external_id, row.source, row.note) == (
        "P-001",
        "t25fw",
        "V7",
        "Dr. X",
        "with cane",
    )
    assert (row.at, row.day) == (datetime(2026, 3, 2, 9, 15, tzinfo=UTC), date(2026, 3, 2))
    assert row.places["trial_2"] == "/entry/0/resource/component/1/valueQuantity"
    assert find_scale(row.code).score(row.values).values["time"] == pytest.approx(5.0)


def test_a_single_observation_and_a_value_by_code_and_component() -> None:
    row = read(observation("edss.step", valueQuantity=quantity(3.5, "{score}"))).rows[0]
    assert (row.code, row.external_id, row.places) == ("edss", "o1", {"step": "/valueQuantity"})
    assert find_scale("edss").score(row.values).values == {"step": 3.5}
    assert read(observation("edss.step", valueQuantity={"value": 3.5})).rows[0].values == {"step": 3.5}


def test_loinc_codes_lead_to_scale_and_component() -> None:
    total = observation(code=code("44261-6", "http://loinc.org"), valueInteger=12)
    item = {"code": code("44260-8", "http://loinc.org"), "valueInteger": 2}
    panel = observation(code=code("44249-1", "http://loinc.org"), component=[item])
    walked = observation(code=code("64098-7", "http://loinc.org"), valueQuantity=quantity(420, "m"))
    rows = bundle(total, panel, walked).rows
    assert [(row.code, dict(row.values)) for row in rows] == [
        ("phq9", {"total": 12}),
        ("phq9", {"item_9": 2}),
        ("sixmwt", {"distance": {"value": 420, "unit": "m"}}),
    ]
    assert find_scale("phq9").score(rows[1].values).alarms


def test_a_component_of_another_scale_is_refused() -> None:
    item = {"code": code("70274-6", "http://loinc.org"), "valueInteger": 2}
    where, _, detail = only_problem(bundle(observation(code=code("44249-1", "http://loinc.org"), component=[item])))
    assert where == "/entry/0/resource/component/0/code"
    assert "gad7" in detail


def test_the_subject_may_be_a_patient_of_the_bundle() -> None:
    person = {"resourceType": "Patient", "id": "7", "identifier": [{"system": "urn:study", "value": "P-9"}]}
    found = bundle(person, walk(subject={"reference": "Patient/7"}), {"resourceType": "Encounter"})
    assert [row.patient for row in found.rows] == ["P-9"]
    assert found.skipped == {"Patient": 1, "Encounter": 1}
    person["identifier"].append({"system": "urn:hospital", "value": "H-1"})  # type: ignore[attr-defined]
    unclear = bundle(person, walk(subject={"reference": "Patient/7"}))
    assert only_problem(unclear)[:2] == ("/entry/1/resource/subject", "field_invalid")
    known = bundle(person, walk(subject={"reference": "Patient/7"}), patient_system="urn:hospital")
    assert [row.patient for row in known.rows] == ["H-1"]


@pytest.mark.parametrize(
    ("change", "where", "code_of_error"),
    [
        ({"status": "entered-in-error"}, "/status", "field_invalid"),
        ({"status": None}, "/status", "field_invalid"),
        ({"code": {}}, "/code/coding", "field_missing"),
        ({"code": code("1-8", "http://loinc.org")}, "/code/coding", "field_invalid"),
        ({"subject": {"reference": "Patient/1"}}, "/subject", "field_missing"),
        ({"subject": None}, "/subject", "field_missing"),
        ({"subject": {"identifier": {"value": "P" * 300}}}, "/subject", "field_invalid"),
        ({"effectiveDateTime": None}, "/effectiveDateTime", "field_missing"),
        ({"effectiveDateTime": "2026-03"}, "/effectiveDateTime", "field_invalid"),
        ({"effectiveDateTime": "2026-03-02"}, "/effectiveDateTime", "field_invalid"),
        ({"component": []}, "", "field_missing"),
        ({"component": [7]}, "/component/0/code/coding", "field_missing"),
        ({"component": [{"code": code("trial_1")}]}, "/component/0", "field_missing"),
        ({"valueInteger": 5}, "/code", "field_invalid"),
    ],
)
def test_a_fault_is_told_with_its_place_and_the_others_are_read(
    change: dict[str, Any], where: str, code_of_error: str
) -> None:
    found = bundle(walk(), walk(**change), walk())
    assert len(found.rows) == 2
    assert only_problem(found)[:2] == (f"/entry/1/resource{where}", code_of_error)


@pytest.mark.parametrize(
    ("value", "where", "code_of_error"),
    [
        ({"valueQuantity": quantity(5) | {"comparator": "<"}}, "/valueQuantity/comparator", "field_invalid"),
        ({"valueQuantity": {"value": 5, "unit": "seconds"}}, "/valueQuantity", "unit_missing"),
        ({"valueQuantity": quantity(5) | {"system": "urn:other"}}, "/valueQuantity", "unit_missing"),
        ({"valueQuantity": {}}, "/valueQuantity/value", "field_invalid"),
        ({"valueQuantity": quantity(5) | {"value": "5"}}, "/valueQuantity/value", "field_invalid"),
        ({"valueInteger": None}, "/valueInteger", "field_invalid"),
        ({"valueInteger": 5.5}, "/valueInteger", "field_invalid"),
        ({"valueBoolean": "yes"}, "/valueBoolean", "field_invalid"),
        ({"valueRatio": {}}, "/valueRatio", "field_invalid"),
        ({"valueCodeableConcept": {"coding": []}}, "/valueCodeableConcept/coding", "field_invalid"),
        ({"valueInteger": 5, "valueString": "5"}, "", "field_invalid"),
    ],
)
def test_a_value_that_cannot_be_taken_is_told(value: dict[str, Any], where: str, code_of_error: str) -> None:
    found = bundle(observation(component=[{"code": code("trial_1")} | value]))
    assert only_problem(found)[:2] == (f"/entry/0/resource/component/0{where}", code_of_error)


def test_a_component_twice_is_a_fault() -> None:
    part = {"code": code("trial_1"), "valueQuantity": quantity(5)}
    assert only_problem(bundle(observation(component=[part, part])))[0] == "/entry/0/resource/component/1"


def test_kinds_of_values() -> None:
    parts = [
        {"code": code("trial_1"), "dataAbsentReason": {"text": "not done"}},
        {"code": code("unable"), "valueBoolean": True},
        {"code": code("aid"), "valueCodeableConcept": code("cane")},
    ]
    row = bundle(observation(component=parts)).rows[0]
    assert row.values == {"unable": True, "aid": "cane"}
    relapse = [
        {"code": code("onset"), "valueDateTime": "2026-02-01"},
        {"code": code("systems"), "valueString": "visual"},
    ]
    row = bundle(observation("relapse", component=relapse)).rows[0]
    assert find_scale("relapse").score(row.values, on=row.day).facts == {"onset": "2026-02-01", "systems": "visual"}


def test_a_day_takes_the_stated_zone() -> None:
    row = bundle(walk(effectiveDateTime="2026-03-29"), zone=ZoneInfo("Europe/Berlin")).rows[0]
    assert (row.at.astimezone(UTC).hour, row.day) == (10, date(2026, 3, 29))


def test_what_is_no_bundle_is_refused_and_its_size_is_bounded() -> None:
    with pytest.raises(NotJson):
        read_fhir(b"{")
    for document in ([], {"resourceType": "Patient"}, {"resourceType": "Bundle", "entry": 5}):
        with pytest.raises(FormatUnknown):
            read(document)
    with pytest.raises(BodyTooLarge):
        bundle(walk(), walk(), limits=ObservationLimits(max_rows=1))
    with pytest.raises(BodyTooLarge):
        read_fhir(b" " * 100, limits=ObservationLimits(max_body_bytes=99))
    crowd = [{"code": code(f"c{n}"), "valueInteger": n} for n in range(4)]
    found = bundle(observation(component=crowd), limits=ObservationLimits(max_components=3))
    assert only_problem(found)[0] == "/entry/0/resource/component"


@pytest.mark.parametrize("junk", [None, 5, "x", [], {}, [[]], {"a": 1}])
def test_junk_in_any_place_is_a_problem_and_no_crash(junk: Any) -> None:
    for key in ("status", "code", "subject", "effectiveDateTime", "component", "identifier", "performer", "note"):
        found = bundle(walk(**{key: junk}), walk())
        assert len(found.rows) >= 1
        assert len(found.rows) + len(found.problems) == 2
    assert bundle(junk).rows == ()
