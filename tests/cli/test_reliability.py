"""``konectom reliability``."""

import csv
import io
from importlib.util import find_spec

import numpy as np
import pytest

from konectom.scoring.reliability.icc import icc
from tests.probe import probe_recording, session_body

LEFT = "probe.level[left].mean"


@pytest.fixture
def values():
    """Two values each of eight patients."""
    rng = np.random.default_rng(3)
    return np.round(rng.normal(50, 8, (8, 1)) + rng.normal(0, 3, (8, 2)), 2)


@pytest.fixture
def long_file(values, file_of):
    rows = ["patient,score,at,value,sex"]
    for number, own in enumerate(values):
        sex = "female" if number % 2 else "male"
        rows += [f"P{number},cps.correct,{day},{value},{sex}" for day, value in enumerate(own)]
    return file_of("\n".join(rows).encode(), "values.csv")


def test_a_file_needs_no_installation(offline, long_file, values):
    told = offline.json("reliability", "--file", long_file, "--repeats", "values", "--group", "sex:female/male")
    (score,) = told["scores"]
    expected = icc(values)
    assert [form["value"] for form in score["icc"]["forms"]] == [form.value for form in expected.forms]
    assert score["groups"][0]["compared"]["first"]["n"] == 4
    assert told["design"]["repeats"] == {"kind": "values", "count": 2}


def test_the_table_for_people_and_for_programs(offline, long_file, values, tmp_path):
    words = ("reliability", "--file", long_file, "--repeats", "values")
    shown = offline(*words).stdout
    assert "cps.correct" in shown
    assert f"{icc(values)['ICC(2,1)'].value:.4g}" in shown
    target = tmp_path / "table.csv"
    offline(*words, "--format", "csv", "-o", target)
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    row = next(row for row in rows if row["statistic"] == "ICC(2,1)")
    assert float(row["high"]) == icc(values)["ICC(2,1)"].high
    assert (row["score"], row["n"], row["reason"]) == ("cps.correct", "8", "")


def test_what_is_missing_says_why(offline, file_of):
    path = file_of(b"patient,score,at,value\nP1,a,0,1\nP1,a,1,2\n", "one.csv")
    shown = offline("reliability", "--file", path, "--repeats", "values").stdout
    assert "fewer than 2 patients have at least 2 repeats" in shown


def test_standard_input_and_unreadable_files(offline, long_file):
    shown = offline("reliability", "--file", "-", "--repeats", "values", stdin=long_file.read_bytes()).stdout
    assert "MDC95" in shown
    assert "No such file" in offline("reliability", "--file", "nowhere.csv", status=1).stderr


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ((), 2, "either --study or --file"),
        (("--study", "a", "--file", "b"), 2, "either --study or --file"),
        (("--study", "a"), 2, "--measure"),
        (("--file", "FILE", "--keep"), 2, "belong to a --study"),
        (("--file", "FILE", "--count", "1"), 1, "2 to 50 repeats"),
        (("--file", "FILE", "--group", "sex"), 1, "ATTRIBUTE:FIRST/SECOND"),
    ],
)
def test_what_makes_no_study_is_refused(offline, long_file, words, status, told):
    words = [str(long_file) if word == "FILE" else word for word in words]
    assert told in offline("reliability", *words, status=status).stderr


def test_a_study_of_the_installation_and_its_noise(konectom, people, probe, file_of):
    study = people.study("pilot")
    for number in range(3):
        people.patient(study, f"P{number}")
        for day in (1, 2, 20, 21):
            recording = probe_recording(x=(10.0 * number + day,) * 4)
            body = session_body(recording, started_at=f"2026-10-{day:02d}T09:00:00+00:00")
            konectom("import", "--patient", f"P{number}", file_of(body, f"{number}-{day}.json"))
    words = ("reliability", "--study", "pilot", "--measure", LEFT, "--run-in", 0, "--tests-min", 1, "--window-days", 15)
    told = konectom.json(*words)
    assert told["scores"][0]["bland_altman"]["bias"]["value"] == 19.0
    assert told["scores"][0]["patients"] == 3
    assert "1 of 1 scores" in konectom(*words, "--keep").stderr
    assert "field_invalid" in konectom(*words, "--keep", "--repeats", "values", status=1).stderr


@pytest.mark.skipif(find_spec("statsmodels") is not None, reason="statsmodels is installed")
def test_without_statsmodels_a_mixed_model_names_the_extra(offline, file_of):
    rows = "\n".join(f"P{p},a,{day},{p + day % 3}" for p in range(4) for day in range(6))
    path = file_of(f"patient,score,at,value\n{rows}\n".encode(), "v.csv")
    assert "konectom[stats]" in offline("reliability", "--file", path, "--mixed", status=1).stderr


@pytest.mark.skipif(find_spec("statsmodels") is None, reason="statsmodels (the extra stats) is not installed")
def test_a_mixed_model_tells_the_slope_per_year(offline, file_of):
    rng = np.random.default_rng(2)
    rows = [
        f"P{p},a,{day},{50 + 5 * (p % 4) - 2 * day / 365.25 + rng.normal()}"
        for p in range(12)
        for day in range(0, 730, 90)
    ]
    path = file_of(("patient,score,at,value\n" + "\n".join(rows)).encode(), "v.csv")
    told = offline.json("reliability", "--file", path, "--mixed")["scores"][0]["mixed"]
    assert told["slope"]["low"] < -2 < told["slope"]["high"]
