"""Every setting is declared once, documented, and refused in so many words where it cannot be used."""

import os
import pickle
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from konectom.errors import SettingInvalid
from konectom.formats import Limits
from konectom.settings import SETTINGS, Settings, describe, load_settings, settings_page

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_in_the_documentation_is_the_one_that_the_settings_make():
    assert (ROOT / "docs" / "settings.md").read_text() == settings_page(), (
        "run: python -m konectom.settings > docs/settings.md"
    )


def test_the_module_prints_the_page():
    ran = subprocess.run([sys.executable, "-m", "konectom.settings"], capture_output=True, text=True, check=True)
    assert ran.stdout == settings_page()


def test_every_setting_says_what_it_is_for():
    for row in describe():
        assert row["help"].endswith("."), row["name"]
        assert row["variable"] == f"KONECTOM_{row['name'].upper()}"
        assert f"| `{row['variable']}` |" in settings_page()


def test_no_code_reads_ours_from_the_environment_past_the_settings():
    reads = re.compile(r"environ(\.get\(|\[)[\"'f]*KONECTOM_|getenv")
    assert [path for path in (ROOT / "konectom").rglob("*.py") if reads.search(path.read_text())] == []


def test_without_an_environment_the_defaults_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load_settings({})
    assert settings.log_format == "console"
    assert settings.data_dir == tmp_path / "konectom-data"
    assert settings.database_url == f"sqlite:///{tmp_path}/konectom-data/konectom.sqlite3"
    assert settings.object_store_url == f"file://{tmp_path}/konectom-data/objects"
    assert settings.keys_url == f"file://{tmp_path}/konectom-data/keys.json"
    assert settings.service_token_lifetime == timedelta(days=90)


def test_the_limits_are_those_of_the_readers():
    assert load_settings({}).limits == Limits()
    assert load_settings({}, max_parts=7).limits == Limits(max_parts=7)


def test_the_environment_stands_above_defaults_and_the_caller_above_both():
    environ = {"KONECTOM_PAGE_SIZE": "7", "KONECTOM_MAX_PARTS": "8", "KONECTOM_MAX_RECORDINGS": "", "PATH": "x"}
    settings = load_settings(environ, max_parts=9)
    assert (settings.page_size, settings.max_parts, settings.max_recordings) == (7, 9, 100)


def test_what_other_settings_are_made_of_follows_them():
    settings = load_settings({"KONECTOM_DATA_DIR": "/srv/{data}"})
    assert settings.database_url == "sqlite:////srv/{data}/konectom.sqlite3"


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("KONECTOM_DATABASE_URI", "x", "did you mean KONECTOM_DATABASE_URL"),
        ("KONECTOM_", "x", "is no setting"),
        ("KONECTOM_PAGE_SIZE", "many", "KONECTOM_PAGE_SIZE: must be a whole number of at least 1, not 'many'"),
        ("KONECTOM_PAGE_SIZE", "0", "at least 1"),
        ("KONECTOM_PAGE_SIZE", "-1", "at least 1"),
        ("KONECTOM_PAGE_SIZE", "1000", "must not exceed KONECTOM_PAGE_SIZE_MAX"),
        ("KONECTOM_LOG_FORMAT", "xml", "one of console, json"),
        ("KONECTOM_SERVICE_TOKEN_LIFETIME", "90", "such as 30 s"),
        ("KONECTOM_SERVICE_TOKEN_LIFETIME", "0 d", "such as 30 s"),
        ("KONECTOM_OBJECT_STORE_URL", "https://bucket", "must begin with file:// or s3://"),
        ("KONECTOM_KEYS_URL", "keys.json", "must be an address"),
        ("KONECTOM_DATABASE_URL", "mysql://host/name", "must begin with sqlite:// or postgresql+psycopg://"),
        ("KONECTOM_DATABASE_URL", "sqlite://", "must name a file"),
        ("KONECTOM_DATABASE_URL", "sqlite:///:memory:", "must name a file"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(variable, value, says):
    with pytest.raises(SettingInvalid) as refused:
        load_settings({variable: value})
    assert variable in refused.value.detail
    assert says in refused.value.detail


def test_a_caller_cannot_misspell_one_either():
    with pytest.raises(SettingInvalid, match="page_sice"):
        load_settings({}, page_sice=3)
    with pytest.raises(SettingInvalid, match="PAGE_SIZE"):
        load_settings({}, page_size="many")


@pytest.mark.parametrize(
    ("text", "value"),
    [("30 s", timedelta(seconds=30)), ("10min", timedelta(minutes=10)), ("12 h", timedelta(hours=12))],
)
def test_durations(text, value):
    assert load_settings({}, service_token_lifetime=text).service_token_lifetime == value
    assert load_settings({}, service_token_lifetime=value).service_token_lifetime == value


def test_secrets_are_not_shown():
    url = "postgresql+psycopg://user:hunter2@host/name"
    settings = load_settings({}, database_url=url)
    assert settings.database_url == url
    assert "hunter2" not in repr(settings)
    with pytest.raises(SettingInvalid) as refused:
        load_settings({}, database_url="postgres://user:hunter2@host/name")
    assert "hunter2" not in refused.value.detail
    secrets = [each.name for each in SETTINGS if each.secret]
    assert secrets == ["database_url", "object_store_secret", "keys_url", "oidc_client_secret", "rate_limit_storage"]


def test_settings_cannot_be_changed_and_go_from_process_to_process():
    settings = load_settings({})
    with pytest.raises(AttributeError, match="page_size"):
        settings.page_size = 3
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert hash(settings) == hash(load_settings({}))
    assert settings != load_settings({}, page_size=3)


def test_a_setting_is_found_on_the_class():
    assert Settings.page_size.help.startswith("Rows on one page")


def test_the_process_environment_is_the_default(monkeypatch):
    monkeypatch.setitem(os.environ, "KONECTOM_PAGE_SIZE", "11")
    assert load_settings().page_size == 11


def test_a_secret_may_stand_in_a_file(tmp_path):
    file = tmp_path / "database"
    file.write_text("postgresql+psycopg://konectom:a word@db/konectom\n")
    read = load_settings({"KONECTOM_DATABASE_URL_FILE": str(file)})
    assert read.database_url == "postgresql+psycopg://konectom:a word@db/konectom"
    assert load_settings({"KONECTOM_DATABASE_URL_FILE": ""}) == load_settings({})


def test_a_secret_is_told_once_and_its_file_can_be_read(tmp_path):
    file = tmp_path / "database"
    file.write_text("sqlite:////srv/a.sqlite3")
    both = {"KONECTOM_DATABASE_URL_FILE": str(file), "KONECTOM_DATABASE_URL": "sqlite:////srv/b.sqlite3"}
    with pytest.raises(SettingInvalid, match="both set"):
        load_settings(both)
    with pytest.raises(SettingInvalid, match="cannot be read"):
        load_settings({"KONECTOM_DATABASE_URL_FILE": str(tmp_path / "nothing")})
    with pytest.raises(SettingInvalid, match="is no setting"):
        load_settings({"KONECTOM_MODE_FILE": str(file)})
