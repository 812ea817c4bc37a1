"""Data in and out: import, export, the database, the catalogue."""

import csv
import io
from uuid import UUID

import orjson
import pyarrow.parquet
import pytest

from konectom.assessments import every_assessment
from konectom.commands.import_ import id_of
from konectom.storage import migrate
from konectom.workflows.sessions.listing import get_session, list_sessions
from tests.probe import probe_recording, session_body


@pytest.fixture(autouse=True)
def _probe(probe):
    """All of these tests use the probe."""


@pytest.fixture
def pilot(people):
    """A patient P1 of the study pilot."""
    return people.patient(people.study("pilot"), "P1")


def test_imported_files_are_sessions_of_the_patient(konectom, services, file_of, pilot):
    body = session_body(pack=True)
    result = konectom("import", "--patient", "P1", file_of(body))
    (listed,) = list_sessions(services, patient_id=pilot)["items"]
    assert UUID(listed["id"]) == id_of(body)
    assert "stored" in result.stdout
    assert "probe valid" in result.stdout
    assert "1 of 1 files are stored" in result.stderr


def test_importing_again_changes_nothing(konectom, services, file_of, pilot):
    path = file_of(session_body())
    konectom("import", "--patient", "P1", path)
    assert "was there" in konectom("import", "--patient", "P1", path).stdout
    assert len(list_sessions(services, patient_id=pilot)["items"]) == 1


def test_a_bad_file_never_costs_the_import_of_others(konectom, services, file_of, pilot, tmp_path):
    bad, good = file_of(b"{", "bad.json"), file_of(session_body(), "good.json")
    result = konectom("import", "--patient", "P1", bad, tmp_path / "none", good, status=1)
    assert len(list_sessions(services, patient_id=pilot)["items"]) == 1
    assert f"{bad}: not_json: " in result.stderr
    assert "file_unreadable: No such file" in result.stderr
    assert "1 of 3 files are stored" in result.stderr


def test_a_recording_without_result_is_counted(konectom, file_of, pilot):
    body = session_body(probe_recording(x=[1e7]), probe_recording())
    result = konectom("import", "--patient", "P1", file_of(body))
    assert "probe failed, probe valid" in result.stdout
    assert "1 of them with recordings that have no result" in result.stderr


def test_an_import_into_another_patient_is_refused(konectom, file_of, people, pilot):
    people.patient(code="P2")
    path = file_of(session_body())
    konectom("import", "--patient", "P1", path)
    assert "session_id_taken" in konectom("import", "--patient", "P2", path, status=1).stderr


def test_the_feature_table_comes_as_csv_and_parquet(konectom, services, file_of, pilot, tmp_path):
    path = file_of(session_body())
    konectom("import", "--patient", "P1", path)
    words = ("export", "features", "--study", "pilot", "--assessment", "probe")
    (row,) = csv.DictReader(io.StringIO(konectom(*words).stdout))
    receipt = get_session(services, id_of(path.read_bytes()))
    assert (row["patient"], row["session"], float(row["probe.level[left].mean"])) == ("P1", receipt["id"], 2.5)
    target = tmp_path / "features.parquet"
    konectom(*words, "--format", "parquet", "--output", target)
    table = pyarrow.parquet.read_table(target)
    assert table.column("probe.level[left].mean").to_pylist() == [2.5]


def test_without_an_assessment_there_is_a_row_for_each_value(konectom, file_of, pilot):
    konectom("import", "--patient", "P1", file_of(session_body()))
    rows = list(csv.DictReader(io.StringIO(konectom("export", "features", "--study", "pilot").stdout)))
    assert len(rows) == 3
    assert {row["patient"] for row in rows} == {"P1"}


def test_a_refused_export_leaves_no_file(konectom, pilot, tmp_path):
    target = tmp_path / "x.csv"
    konectom("export", "features", "--study", "pilot", "--assessment", "none", "--output", target, status=1)
    assert not target.exists()


def test_the_dictionary_explains_the_columns(konectom, file_of, pilot):
    konectom("import", "--patient", "P1", file_of(session_body()))
    rows = konectom.json("export", "dictionary", "--study", "pilot")
    keys = {row["key"] for row in rows}
    assert {"patient", "probe.level[left].mean"} <= keys
    listed = csv.DictReader(io.StringIO(konectom("export", "dictionary", "--study", "pilot").stdout))
    assert {row["key"] for row in listed} == keys


def test_db_check_makes_no_database(offline, tmp_path):
    offline.environ["KONECTOM_DATA_DIR"] = str(tmp_path / "data")
    assert "not set up yet" in offline("db", "check").stdout
    assert "not set up yet" in offline("db", "current").stdout
    assert not (tmp_path / "data").exists()


def test_db_upgrade_sets_up_and_repeats(offline, tmp_path):
    offline.environ["KONECTOM_DATA_DIR"] = str(tmp_path / "data")
    head = migrate.head_revision()
    first, keys = offline("db", "upgrade").stdout.splitlines()
    assert first == f"empty -> {head}"
    assert keys.startswith("keys: made ")
    assert offline("db", "upgrade").stdout == f"{head}: up to date\n"
    assert f"database: {head}, up to date" in offline("db", "check").stdout
    assert head in offline("db", "current").stdout


def test_db_check_fails_on_a_database_that_differs(konectom, services):
    with services.db.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE score")
    assert "migration_needed" in konectom("db", "check", status=1).stderr


def test_the_catalogue_lists_every_entry(offline):
    keys = [entry.key for each in every_assessment().values() for entry in each.catalogue]
    assert [row["key"] for row in offline.json("catalogue")] == keys
    rows = list(csv.DictReader(io.StringIO(offline("catalogue", "--format", "csv").stdout)))
    assert [row["key"] for row in rows] == keys
    assert all(row["unit"] and row["means"] for row in rows)


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_the_catalogue_shows_every_measure_once(offline, form):
    text = offline("catalogue", "--assessment", "probe", "--format", form).stdout
    assert text.count("level[<hand>]") == 1
    assert "samples" in text
    assert "hand" in text
    assert "left, right" in text
    assert "0 to 100" in text
    assert "pr-{hand}-{statistic}" in text
    assert "mean|sd" in text.replace("\\|", "|")


def test_the_catalogue_of_scores_leaves_out_the_rest(offline):
    rows = offline.json("catalogue", "--assessment", "probe", "--scores")
    assert [row["key"] for row in rows] == [
        "probe.samples",
        "probe.level[left].mean",
        "probe.level[right].mean",
    ]


def test_an_unknown_assessment_is_told(offline):
    assert "no assessment 'none'" in offline("catalogue", "--assessment", "none", status=1).stderr
    orjson.loads(offline("catalogue", "--assessment", "probe", "--format", "json").stdout)
