"""Clinical values from the command line."""

import gzip
from pathlib import Path
from uuid import UUID

import orjson
import pytest
from rich.progress import Progress

from konectom.errors import StoreUnavailable
from konectom.formats.observations import OWN_SYSTEM
from konectom.workflows.following.trends import patient_trends
from konectom.workflows.observations import importing as import_observations
from konectom.workflows.observations.entering import list_observations, retract_observation

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "observations.csv"
HEADER = "patient,code,at,component,value,unit,id,source,note\n"
GOOD = HEADER + "P-001,edss,2026-03-02T10:00Z,step,3.5,,,,\n"


@pytest.fixture
def ada(people):
    """The patient P-001 of the study pilot."""
    return people.patient(people.study("pilot"), "P-001")


def stored(services, patient):
    return list_observations(services, patient, limit=500)["items"]


def test_the_example_is_stored_and_becomes_trends(konectom, services, ada):
    result = konectom("observe", "--study", "pilot", "--time-zone", "Europe/Paris", EXAMPLE)
    assert result.stdout == f"{EXAMPLE}: {len(stored(services, ada))} entered, 0 were there\n"
    assert result.stderr == ""
    (edss,) = patient_trends(services, ada, measure="obs.edss.step")["trends"]
    assert [point["value"] for point in edss["points"]] == [3, 3.5, 3, 4, 4, 4]
    assert edss["verdict"]["code"] == "confirmed_worsening"
    (relapse,) = [each for each in stored(services, ada) if each["code"] == "relapse"]
    assert relapse["values"] == {"onset": "2025-02-27", "steroid_treated": True}


def test_again_everything_is_there(konectom, services, ada):
    words = ("observe", "--study", "pilot", "--time-zone", "Europe/Paris", EXAMPLE)
    konectom(*words)
    before = stored(services, ada)
    assert f"0 entered, {len(before)} were there" in konectom(*words).stdout
    assert stored(services, ada) == before


def test_problems_are_told_by_file_and_line_and_cost_the_others_nothing(konectom, services, ada, file_of, tmp_path):
    first = file_of(
        (
            GOOD
            + "P-001,edss,2026-03-03T10:00Z,step,3.6,,,,\n"
            + "P-002,edss,2026-03-03T10:00Z,step,3,,,,\n"
            + "P-001,edss,2026-03-04,step,3,,,,\n"
        ).encode(),
        "first.csv",
    )
    broken, none = file_of(b"{", "broken.json"), tmp_path / "none.csv"
    last = file_of((HEADER + "P-001,edss,2026-03-05T10:00Z,step,4,,,,\n").encode(), "last.csv")
    result = konectom("observe", "--study", "pilot", first, broken, none, last, status=1)
    lines = result.stderr.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        [f"{first}:3", "field_invalid value"],
        [f"{first}:4", "not_found"],
        [f"{first}:5", "field_invalid at"],
        [f"{broken}", "not_json"],
        [f"{none}", "file_unreadable"],
    ]
    assert "there are only: 0, 1, 1.5" in lines[0]
    assert result.stdout == f"{first}: 1 entered, 0 were there, 3 problems\n{last}: 1 entered, 0 were there\n"
    assert len(stored(services, ada)) == 2


def test_an_interrupted_import_goes_on(konectom, services, ada, file_of, monkeypatch):
    lines = [f"P-001,edss,2026-01-02T{n // 60:02d}:{n % 60:02d}Z,step,2,,,,\n" for n in range(450)]
    path = file_of((HEADER + "".join(lines)).encode(), "visits.csv")
    keep, done = import_observations.keep_findings, []

    def fail(*told, **how):
        done.append(1)
        if len(done) == 3:
            raise StoreUnavailable("the disk is full")
        return keep(*told, **how)

    monkeypatch.setattr(import_observations, "keep_findings", fail)
    assert "the disk is full [store_unavailable]" in konectom("observe", "--study", "pilot", path, status=1).stderr
    assert "50 entered, 400 were there" in konectom("observe", "--study", "pilot", path).stdout


def test_fhir_compressed_and_standard_input_are_read(konectom, services, ada, file_of, monkeypatch):
    found = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": OWN_SYSTEM, "code": "sdmt.correct"}]},
        "subject": {"identifier": {"value": "P-001"}},
        "effectiveDateTime": "2026-03-02T10:00:00Z",
        "valueInteger": 50,
    }
    bundle = {"resourceType": "Bundle", "entry": [{"resource": found}, {"resource": {"resourceType": "Patient"}}]}
    packed = file_of(gzip.compress(orjson.dumps(bundle)), "bundle.json.gz")
    assert "1 entered, 0 were there, 1 Patient skipped" in konectom("observe", "--study", "pilot", packed).stdout
    assert "-: 1 entered" in konectom("observe", "--study", "pilot", "-", stdin=GOOD.encode()).stdout
    assert {each["code"] for each in stored(services, ada)} == {"sdmt", "edss"}


def test_what_was_retracted_stays_so(konectom, services, ada, file_of):
    path = file_of(GOOD.encode(), "visits.csv")
    konectom("observe", "--study", "pilot", path)
    (wrong,) = stored(services, ada)
    retract_observation(services, ada, UUID(wrong["id"]), reason="another patient's")
    assert "1 were retracted and stay so" in konectom("observe", "--study", "pilot", path).stdout
    assert stored(services, ada) == []


def test_a_study_that_is_not_there_and_a_zone_that_is_none_are_told(konectom, ada, file_of):
    path = file_of(GOOD.encode(), "visits.csv")
    assert "there is no study 'x'" in konectom("observe", "--study", "x", path, status=1).stderr
    result = konectom("observe", "--study", "pilot", "--time-zone", "Mars/Olympus", path, status=1)
    assert "there is no such time zone" in result.stderr
    assert "--study" in konectom("observe", path, status=2).stderr


def test_the_progress_is_told(konectom, ada, file_of, monkeypatch):
    told, update = [], Progress.update

    def remember(bar, task, **how):
        told.append((how["completed"], how["total"]))
        update(bar, task, **how)

    monkeypatch.setattr(Progress, "update", remember)
    konectom("observe", "--study", "pilot", file_of(GOOD.encode(), "visits.csv"))
    assert told == [(1, 1)]
