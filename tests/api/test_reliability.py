"""A study's reliability over HTTP."""

import csv
import io

import pytest

from tests.api.client import first_error
from tests.probe import probe_recording, session_body

pytestmark = pytest.mark.usefixtures("probe")

LEFT = "probe.level[left].mean"


@pytest.fixture
def study(people):
    return people.study()


@pytest.fixture
def address(study, people, callers):
    """The address, for a study in which three patients did the probe three times."""
    for number in range(3):
        phone = callers.phone(people.patient(study, sex="female" if number else "male"))
        for day in range(1, 4):
            recording = probe_recording(x=(10.0 * number + day % 2,) * 4)
            phone.put(session_body(recording, started_at=f"2026-11-0{day}T09:00:00+00:00"))
    return f"/studies/{study}/reliability"


def test_the_answer_is_what_it_says_it_is(staff, address, study):
    query = {
        "measure": LEFT,
        "repeats": "values",
        "count": 3,
        "run_in": 0,
        "groups": "sex:female/male,probe.samples>=1",
    }
    told = staff.get(address, query_string=query | {"references": "probe.samples"}).json
    assert told["study"] == str(study)
    assert told["design"]["repeats"] == {"kind": "values", "count": 3}
    (score,) = told["scores"]
    assert (score["key"], score["unit"], score["better"], score["versions"]) == (LEFT, "m/s2", "lower", [1])
    assert [each["patients"] for each in score["repeats"]] == [3, 3, 3]
    assert score["icc"]["two_way"]["ms_error"] == 0
    assert score["icc"]["forms"][2]["value"] == 1.0
    assert score["correlations"][0]["pearson"]["r"]["reason"] == "one of the two does not vary"
    assert [each["by"] for each in score["groups"]] == ["sex", "probe.samples"]
    assert score["mixed"] is None


def test_it_comes_as_csv(staff, address):
    query = {"measure": f"{LEFT},probe.samples", "repeats": "values", "run_in": 0}
    for more, headers in (({"format": "csv"}, {}), ({}, {"Accept": "text/csv"})):
        answer = staff.get(address, query_string=query | more, headers=headers)
        assert answer.mimetype == "text/csv"
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert {row["score"] for row in rows} == {LEFT, "probe.samples"}
        assert next(row["value"] for row in rows if row["statistic"] == "bias" and row["score"] == LEFT) == "-1.0"


@pytest.mark.parametrize(
    ("query", "code", "at"),
    [
        ({}, "field_missing", "/query/measure"),
        ({"measure": "probe.luck"}, "field_invalid", "/query/measure"),
        ({"measure": ","}, "field_invalid", "/query/measure"),
        ({"measure": LEFT, "count": "many"}, "field_invalid", "/query/count"),
        ({"measure": LEFT, "count": 1000}, "field_invalid", "/query/count"),
        ({"measure": LEFT, "window_days": "nan"}, "field_invalid", "/query/window_days"),
        ({"measure": LEFT, "tests_min": 0}, "field_invalid", "/query/tests_min"),
        ({"measure": LEFT, "run_in": -1}, "field_invalid", "/query/run_in"),
        ({"measure": LEFT, "confidence": 2}, "field_invalid", "/query/confidence"),
        ({"measure": LEFT, "repeats": "periods", "periods": "a=2026-01-01"}, "field_invalid", "/query/periods"),
        ({"measure": LEFT, "groups": "sex"}, "field_invalid", "/query/groups"),
        ({"measure": LEFT, "references": "obs.luck.x"}, "field_invalid", "/query/references"),
        ({"measure": LEFT, "verdict": "invalid"}, "field_invalid", "/query/verdict"),
        ({"measure": LEFT, "mixed": "true"}, "field_invalid", "/query/mixed"),
    ],
)
def test_what_makes_no_study_is_refused(staff, address, query, code, at):
    assert first_error(staff.get(address, query_string=query)) == (422, code, at)


def test_it_is_for_the_staff_of_the_study(callers, address, study, people, anybody, phone):
    query = {"measure": LEFT}
    assert callers.staff(study).get(address, query_string=query).status_code == 200
    assert callers.staff(people.study()).get(address, query_string=query).status_code == 404
    assert phone.get(address, query_string=query).status_code == 403
    assert anybody.get(address, query_string=query).status_code == 401
