"""``konectom extract``: what it tells of files that are good, bad, and mixed."""

import csv
import io
from pathlib import Path

import orjson
import pytest

from konectom import formats
from konectom.assessments import get_assessment
from konectom.recording import Recording
from tests.probe import probe_recording, session_body

pytestmark = pytest.mark.usefixtures("probe")

BROKEN = probe_recording() | {
    "streams": {"accelerometer": {"unit": "m/s2", "rate_hz": 100, "x": [1], "y": [0, 0], "z": [0]}}
}


def computed(body: bytes) -> dict[str, float]:
    (recording,) = formats.read(body).recordings
    assert isinstance(recording, Recording)
    result = get_assessment("probe").run(recording)
    return {entry.key: value for entry, value in result.measures()}


def test_the_json_form_is_the_one_that_was_agreed(offline, file_of):
    path = file_of(session_body())
    told = offline.json("extract", path)
    assert list(told) == ["recordings"]
    (recording,) = told["recordings"]
    assert set(recording) == {
        *("file", "index", "assessment", "version", "condition", "quality", "measures", "absent"),
    }
    assert recording["file"] == str(path)
    assert (recording["index"], recording["assessment"], recording["version"]) == (0, "probe", 1)
    assert recording["condition"] == {"hand": "left"}
    assert recording["quality"] == {"verdict": "valid", "flags": []}
    level = next(each for each in recording["measures"] if each["statistic"] == "mean")
    assert level == {
        "measure": "probe.level",
        "condition": {"hand": "left"},
        "statistic": "mean",
        "value": 2.5,
        "unit": "m/s2",
        "aliases": {"dispel": "pr-left-mean"},
    }


def test_every_measure_is_there_and_only_scores_if_asked(offline, file_of):
    path = file_of(session_body())
    (whole,) = offline.json("extract", path)["recordings"]
    (scores,) = offline.json("extract", "--scores", path)["recordings"]
    assert len(whole["measures"]) == len(computed(path.read_bytes())) == 3
    assert [(each["measure"], each["statistic"]) for each in scores["measures"]] == [
        ("probe.samples", None),
        ("probe.level", "mean"),
    ]


def test_what_is_absent_has_its_reason(offline, file_of):
    path = file_of(session_body(probe_recording(x=[2.0])))
    (recording,) = offline.json("extract", path)["recordings"]
    assert recording["absent"] == {"probe.level[left].sd": "too_few_values"}


def test_the_quality_is_told_with_its_message(offline, file_of):
    path = file_of(session_body(probe_recording(x=[2.0])))
    (recording,) = offline.json("extract", path)["recordings"]
    assert recording["quality"]["verdict"] == "limited"
    assert [flag["code"] for flag in recording["quality"]["flags"]] == ["probe.short"]
    table = offline("extract", path).stdout
    assert table.index("limited") < table.index("probe.short") < table.index("level[left].mean")


def test_a_bad_file_never_costs_the_others(offline, file_of, tmp_path):
    good, bad = file_of(session_body(), "good.json"), file_of(b"{", "bad.json")
    result = offline("extract", bad, tmp_path / "none.json", good, "--format", "json", status=1)
    first, second, third = orjson.loads(result.stdout)["recordings"]
    assert (first["file"], first["index"], first["error"]["code"]) == (str(bad), None, "not_json")
    assert second["error"] == {"code": "file_unreadable", "detail": "No such file or directory"}
    assert third["assessment"] == "probe"
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"{bad}: not_json: ")
    assert lines[1] == f"{tmp_path / 'none.json'}: file_unreadable: No such file or directory"
    assert len(lines) == 2


def test_a_bad_recording_never_costs_the_others(offline, file_of):
    path = file_of(session_body(BROKEN, probe_recording()))
    result = offline("extract", path, "--format", "json", status=1)
    refused, good = orjson.loads(result.stdout)["recordings"]
    assert (refused["index"], refused["error"]["code"]) == (0, "stream_length_mismatch")
    assert refused["error"]["at"].startswith("/recordings/0/streams/accelerometer/")
    assert (good["index"], good["quality"]["verdict"]) == (1, "valid")
    assert result.stderr.startswith(f"{path}: stream_length_mismatch /recordings/0/streams/accelerometer/")


def test_a_fault_of_ours_is_told_with_its_name_and_costs_one_recording(offline, file_of):
    path = file_of(session_body(probe_recording(x=[1e7]), probe_recording()))
    result = offline("extract", path, "--format", "json", status=1)
    failed, good = orjson.loads(result.stdout)["recordings"]
    assert failed["error"]["code"] == "extraction_failed"
    assert "ZeroDivisionError: a fault in the maths" in result.stderr
    assert good["quality"]["verdict"] == "valid"


@pytest.mark.parametrize("pack", [False, True])
def test_standard_input_is_read_plain_or_compressed(offline, pack):
    (recording,) = offline.json("extract", "-", stdin=session_body(pack=pack))["recordings"]
    assert recording["file"] == "-"
    assert recording["quality"]["verdict"] == "valid"


def test_the_csv_is_tidy_and_exact(offline, file_of):
    body = session_body(probe_recording(x=[0.1, 0.2, 0.3, 0.7]))
    path = file_of(body)
    rows = list(csv.DictReader(io.StringIO(offline("extract", path, "--format", "csv").stdout)))
    assert {row["key"]: float(row["value"]) for row in rows} == computed(body)
    level = next(row for row in rows if row["statistic"] == "mean")
    assert level["condition"] == "hand=left"
    assert level["unit"] == "m/s2"
    assert level["alias"] == "dispel:pr-left-mean"
    assert {row["verdict"] for row in rows} == {"valid"}


def test_the_table_shows_scores_and_counts_the_rest(offline, file_of):
    path = file_of(session_body())
    table = offline("extract", path).stdout
    assert "level[left].mean" in table
    assert "level[left].sd" not in table
    assert "1 further measures" in table
    assert "level[left].sd" in offline("extract", "--all", path).stdout
    assert "further" not in offline("extract", "--scores", path).stdout


def test_the_table_fits_a_narrow_terminal_and_keeps_brackets(offline, file_of, probe):
    probe(unit="m[g]")
    table = offline("extract", "--all", file_of(session_body())).stdout
    assert "m[g]" in table
    assert max(map(len, table.splitlines()[1:])) <= 80  # the first line carries the file's name, however long


def test_output_goes_to_a_file_that_is_whole(offline, file_of, tmp_path):
    path, target = file_of(session_body()), tmp_path / "out.json"
    result = offline("extract", path, "--format", "json", "--output", target)
    assert result.stdout == ""
    assert len(orjson.loads(target.read_bytes())["recordings"]) == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.json", "session.json"]


def test_an_interrupted_run_leaves_the_earlier_output(offline, file_of, tmp_path, monkeypatch):
    path, target = file_of(session_body()), tmp_path / "out.json"
    target.write_text("earlier")

    def interrupt(name: str) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("konectom.commands.extract.read_file", interrupt)
    offline("extract", path, "--format", "json", "--output", target, status=130)
    assert target.read_text() == "earlier"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.json", "session.json"]


def test_nothing_is_made_in_the_directory(offline, file_of):
    path = file_of(session_body())
    offline("extract", path)
    assert list(Path.cwd().iterdir()) == [path]


def test_scores_and_all_exclude_each_other(offline, file_of):
    offline("extract", "--scores", "--all", file_of(session_body()), status=2)


def test_without_a_file_it_is_called_wrongly(offline):
    assert "FILE" in offline("extract", status=2).stderr
