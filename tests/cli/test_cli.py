"""The command as a whole: exit statuses, and one line for what goes wrong."""

import pytest

import konectom as package
from konectom.errors import FieldInvalid


def test_the_version_is_told(offline):
    assert offline("--version").stdout.split()[-1] == package.__version__


def test_an_unknown_command_is_a_wrong_call(offline):
    assert "frobnicate" in offline("frobnicate", status=2).stderr


def test_a_refusal_is_one_line_with_place_and_code(offline, monkeypatch):
    def refuse(*_: object) -> None:
        raise FieldInvalid("that is wrong", at="/query/assessment")

    monkeypatch.setattr("konectom.workflows.catalogue.list_measures", refuse)
    result = offline("catalogue", "--format", "json", status=1)
    assert result.stderr == "konectom: that is wrong [field_invalid at /query/assessment]\n"
    assert result.stdout == ""


def test_an_interruption_ends_with_130_and_no_trace(offline, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("konectom.workflows.catalogue.list_measures", interrupt)
    result = offline("catalogue", "--format", "json", status=130)
    assert result.stderr == "konectom: interrupted\n"


def test_a_file_that_cannot_be_written_is_one_line(konectom, tmp_path):
    konectom("study", "create", "S1")
    result = konectom("export", "features", "--study", "S1", "--output", tmp_path / "none" / "x.csv", status=1)
    assert result.stderr.startswith("konectom: No such file or directory: ")


def test_a_misspelt_setting_is_refused(konectom):
    konectom.environ["KONECTOM_DATA_DIRECTORY"] = "x"
    assert "KONECTOM_DATA_DIRECTORY" in konectom("study", "list", status=1).stderr


@pytest.mark.parametrize("words", [("study", "list"), ("patient", "list"), ("user", "list")])
def test_without_a_database_the_way_out_is_told(offline, tmp_path, words):
    offline.environ["KONECTOM_DATA_DIR"] = str(tmp_path)
    assert "konectom db upgrade" in offline(*words, status=1).stderr
