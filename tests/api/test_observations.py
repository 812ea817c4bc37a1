"""Observations over HTTP: entering, reading, retracting, importing."""

import gzip
from uuid import uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from konectom.app import METADATA_MAX_BYTES
from konectom.scoring.scales import every_scale
from tests.api.client import first_error

AT = "2026-03-02T10:15:00+01:00"
EDSS = {"code": "edss", "at": AT, "values": {"step": 3.5}}
HEADER = "patient,code,at,component,value,unit,id,source,note\n"
CSV = {"Content-Type": "text/csv"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def study(people):
    return people.study()


@pytest.fixture
def ada(people, study):
    return people.patient(study, "P-001")


@pytest.fixture
def enter(staff, ada):
    def enter(**change):
        return staff.post(f"/patients/{ada}/observations", json=EDSS | change)

    return enter


@pytest.fixture
def load(staff, study, ada):
    def load(body, query="", **headers):
        body = body if isinstance(body, bytes) else (HEADER + body).encode()
        return staff.post(f"/studies/{study}/observations{query}", data=body, headers=CSV | headers)

    return load


def test_an_observation_is_entered_once_and_shown(enter, staff, ada):
    made, again = enter(), enter()
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json == again.json
    assert made.json["at"] == AT
    assert made.headers["Location"] == again.headers["Location"]
    assert staff.get(made.headers["Location"]).json == made.json
    assert staff.get(f"/patients/{ada}/observations").json == {"items": [made.json], "next": None, "withheld": []}


def test_another_value_is_a_conflict_that_names_the_one_that_is_there(enter):
    made = enter().json
    refused = enter(values={"step": 4})
    assert first_error(refused) == (409, "observation_conflict", "/at")
    assert refused.json["observation"] == made["id"]


def test_one_is_retracted_and_stays_to_be_seen(enter, staff, ada):
    place = enter().headers["Location"]
    taken = staff("PUT", f"{place}/retraction", json={"reason": "another patient's"})
    assert taken.status_code == 200
    assert taken.json["retracted_for"] == "another patient's"
    assert staff("PUT", f"{place}/retraction", json={"reason": "again"}).json == taken.json
    assert staff.get(place).json == taken.json
    assert staff.get(f"/patients/{ada}/observations").json["items"] == []
    assert staff.get(f"/patients/{ada}/observations?retracted=true").json["items"] == [taken.json]
    assert enter(values={"step": 4}).status_code == 201


@pytest.mark.parametrize(
    ("change", "code", "at"),
    [
        ({"code": None}, "field_invalid", "/code"),
        ({"code": "EDSS"}, "scale_unknown", "/code"),
        ({"at": "2026-03-02T10:15:00"}, "field_invalid", "/at"),
        ({"at": "2026-03-02"}, "field_invalid", "/at"),
        ({"at": "2036-03-02T10:15:00Z"}, "field_invalid", "/at"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "field_invalid", "/at"),
        ({"at": 1772442900}, "field_invalid", "/at"),
        ({"values": []}, "field_invalid", "/values"),
        ({"values": None}, "field_invalid", "/values"),
        ({"values": {}}, "field_missing", "/values"),
        ({"values": {"step": 3.25}}, "field_invalid", "/values/step"),
        ({"values": {"a/b": 1}}, "field_invalid", "/values/a~1b"),
        ({"code": "t25fw", "values": {"trial_1": 5.1}}, "unit_missing", "/values/trial_1"),
        ({"code": "t25fw", "values": {"trial_1": {"value": 5, "unit": "kg"}}}, "unit_invalid", "/values/trial_1"),
        ({"note": "x" * 2001}, "field_invalid", "/note"),
        ({"source": "a\0"}, "field_invalid", "/source"),
        ({"name": "Jane Doe"}, "field_invalid", "/name"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(enter, change, code, at):
    assert first_error(enter(**change)) == (422, code, at)


def test_values_as_deep_as_json_allows_are_refused(staff, ada):
    for depth in (1_000, 100_000):
        deep = b'{"code": "edss", "at": "%s", "values": {"step": %s}}' % (AT.encode(), b"[" * depth + b"]" * depth)
        answer = staff.post(f"/patients/{ada}/observations", data=deep, content_type="application/json")
        assert answer.status_code in (400, 422)


@pytest.mark.parametrize("reason", ["", " ", "x" * 201, None, 7, "a\0"])
def test_a_retraction_needs_a_reason(enter, staff, reason):
    place = enter().headers["Location"]
    answer = staff("PUT", f"{place}/retraction", json={"reason": reason})
    assert first_error(answer) == (422, "field_invalid", "/reason")


def test_lists_are_narrowed_and_paged(enter, staff, ada):
    for day in (3, 1, 2):
        enter(at=f"2026-03-0{day}T10:00:00Z")
    enter(code="sdmt", values={"correct": 50})
    path = f"/patients/{ada}/observations?code=edss&limit=2"
    first = staff.get(path).json
    second = staff.get(f"{path}&cursor={first['next']}").json
    days = [each["at"][8:10] for each in first["items"] + second["items"]]
    assert (days, second["next"]) == (["01", "02", "03"], None)
    assert first_error(staff.get(f"/patients/{ada}/observations?code=x")) == (422, "scale_unknown", "/query/code")


def test_another_patients_observation_is_not_found_by_this_ones_address(enter, staff, people, study):
    made = enter().json
    other = f"/patients/{people.patient(study)}/observations/{made['id']}"
    assert first_error(staff.get(other))[:2] == (404, "not_found")
    assert first_error(staff("PUT", f"{other}/retraction", json={"reason": "x"}))[:2] == (404, "not_found")


def test_who_may_and_who_may_not(enter, callers, people, study, ada):
    place = enter().headers["Location"]
    own, stranger, phone = callers.staff(study), callers.staff(people.study()), callers.phone(ada)
    calls = [
        ("GET", f"/patients/{ada}/observations", {}),
        ("POST", f"/patients/{ada}/observations", {"json": EDSS}),
        ("GET", place, {}),
        ("PUT", f"{place}/retraction", {"json": {"reason": "x"}}),
        ("POST", f"/studies/{study}/observations", {"data": HEADER.encode(), "headers": CSV}),
    ]
    for method, path, how in calls:
        assert phone(method, path, **how).status_code == 403
        assert stranger(method, path, **how).status_code == 404
        assert own(method, path, **how).status_code == 200
    assert phone.get("/scales").status_code == 403


def test_scales_are_listed_with_what_they_take_and_give(staff):
    items = staff.get("/scales").json["items"]
    assert [each["code"] for each in items] == list(every_scale())
    by_code = {each["code"]: each for each in items}
    trial = by_code["t25fw"]["components"][0]
    assert (trial["name"], trial["units"][0], trial["possible"]) == ("trial_1", "s", [0.8, 180.0])
    assert by_code["edss"]["components"][0]["choices"][:3] == ["0", "1", "1.5"]
    assert [each["key"] for each in by_code["sdmt"]["quantities"] if each["score"]] == ["obs.sdmt.correct"]


def test_a_table_is_imported_and_may_be_sent_again(load, staff, ada):
    body = (
        "P-001,edss,2026-03-02,step,3.5,,V1,,\nP-001,edss,2026-03-03,step,3.6,,V1,,\nP-009,edss,2026-03-02,step,1,,,,\n"
    )
    answer = load(body, "?time_zone=Europe/Paris")
    assert answer.status_code == 200
    told = answer.json
    assert (told["entered"], told["already_there"], told["retracted"], told["problem_count"]) == (1, 0, 0, 2)
    assert [(each["at"], each["code"]) for each in told["problems"]] == [
        ("/lines/3/value", "field_invalid"),
        ("/lines/4", "not_found"),
    ]
    again = load(body, "?time_zone=Europe/Paris").json
    assert again == told | {"entered": 0, "already_there": 1}
    assert len(staff.get(f"/patients/{ada}/observations").json["items"]) == 1


@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_an_import_may_be_compressed(load, encoding):
    body = gzip.compress((HEADER + "P-001,edss,2026-03-02T10:00Z,step,3.5,,,,\n").encode())
    headers = {} if encoding is None else {"Content-Encoding": encoding}
    assert load(body, **headers).json["entered"] == 1


def test_fhir_is_imported(load):
    found = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "urn:konectom:observation", "code": "edss.step"}]},
        "subject": {"identifier": {"value": "P-001"}},
        "effectiveDateTime": AT,
        "valueQuantity": {"value": 3.5},
    }
    for media_type, entered in (("application/fhir+json", 1), ("application/json", 0)):
        answer = load(orjson.dumps(found), **{"Content-Type": media_type})
        assert (answer.status_code, answer.json["entered"]) == (200, entered)


def test_an_import_has_a_limit_of_its_own(load, services):
    lines = [f"P-001,edss,2026-03-02T{n // 60:02d}:{n % 60:02d}Z,step,3.5,,,,{'x' * 1990}\n" for n in range(550)]
    larger_than_other_bodies = HEADER + "".join(lines)
    assert len(larger_than_other_bodies) > METADATA_MAX_BYTES
    answer = load(larger_than_other_bodies.encode())
    assert (answer.status_code, answer.json["entered"]) == (200, 550)
    too_large = b"x" * (services.settings.max_import_bytes + 1)
    refused = load(too_large)
    assert first_error(refused)[:2] == (413, "body_too_large")
    assert refused.json["limit_bytes"] == services.settings.max_import_bytes
    assert first_error(load(gzip.compress(too_large)))[:2] == (413, "inflation_ratio_exceeded")


@pytest.mark.parametrize(
    ("body", "query", "headers", "told"),
    [
        (b"", "", {}, (422, "field_missing", "/lines/1")),
        (b"a,b\n", "", {}, (422, "field_missing", "/lines/1")),
        (b"\xff\xfe", "", {}, (415, "format_unknown", None)),
        (b"{}", "", {"Content-Type": "application/fhir+json"}, (415, "format_unknown", "/resourceType")),
        (b"{", "", {"Content-Type": "application/fhir+json"}, (400, "not_json", None)),
        (b"x", "", {"Content-Type": "application/vnd.ms-excel"}, (415, "format_unknown", None)),
        (b"x", "", {"Content-Encoding": "br"}, (415, "encoding_unsupported", None)),
        (b"x", "", {"Content-Encoding": "gzip"}, (400, "compression_corrupt", None)),
        (HEADER.encode(), "?time_zone=Mars/Olympus", {}, (422, "field_invalid", "/query/time_zone")),
        (HEADER.encode(), "?zone=Europe/Paris", {}, (422, "field_invalid", "/query/zone")),
    ],
)
def test_what_cannot_be_imported_is_refused(load, body, query, headers, told):
    assert first_error(load(body, query, **headers)) == told


def test_an_import_into_a_study_that_is_not_there(staff):
    answer = staff.post(f"/studies/{uuid4()}/observations", data=HEADER.encode(), headers=CSV)
    assert first_error(answer)[:2] == (404, "not_found")


FUZZ = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@FUZZ
@given(
    place=st.sampled_from(["code", "at", "values", "source", "reference", "note", "other", ("values", "step")]),
    value=JSON,
)
def test_no_value_anywhere_makes_the_server_fail(enter, place, value):
    answer = enter(**({"values": {place[1]: value}} if isinstance(place, tuple) else {place: value}))
    assert answer.status_code in (200, 201, 400, 409, 422), answer.text


@FUZZ
@given(
    body=st.binary(max_size=200)
    | JSON.map(orjson.dumps)
    | st.text(max_size=200).map(lambda text: (HEADER + text).encode()),
    media_type=st.sampled_from(["text/csv", "application/fhir+json", "application/json", "", "text/html"]),
    encoding=st.sampled_from([None, "gzip", "zstd", "identity", "br"]),
)
def test_no_bytes_make_an_import_fail(load, body, media_type, encoding):
    headers = {"Content-Type": media_type} | ({"Content-Encoding": encoding} if encoding else {})
    assert load(body, "?time_zone=Europe/Paris", **headers).status_code in (200, 400, 413, 415, 422)
