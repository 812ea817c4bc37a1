"""``konectom serve`` and ``konectom simulate``."""

import shlex
import sys
from pathlib import Path

import orjson
import pytest

from konectom.app import create_app
from konectom.commands._server import ServerFailed, free_port, running
from konectom.settings import load_settings

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def executed(monkeypatch):
    """What the command would become."""
    calls = []
    monkeypatch.setattr("konectom.commands.serve.os.execv", lambda path, words: calls.append((path, words)))
    return calls


def test_it_becomes_gunicorn_with_what_was_asked_for(konectom, executed):
    konectom("serve", "--host", "0.0.0.0", "--port", 9000, "--workers", 3, "--threads", 5)
    ((path, words),) = executed
    assert path == words[0] == sys.executable
    text = " ".join(words)
    assert "--bind 0.0.0.0:9000 --workers 3 --threads 5" in text
    assert "konectom.api.server" in text


def test_by_default_only_this_machine_is_served(konectom, executed):
    konectom("serve")
    assert "--bind 127.0.0.1:8000" in " ".join(executed[0][1])


def test_an_ipv6_address_is_bracketed(konectom, executed):
    konectom("serve", "--host", "::1")
    assert "--bind [::1]:8000" in " ".join(executed[0][1])


def test_it_does_not_start_on_a_database_that_is_not_set_up(offline, tmp_path, executed):
    offline.environ["KONECTOM_DATA_DIR"] = str(tmp_path)
    said = offline("serve", status=1).stderr
    assert said == "konectom: the database is not set up yet; run: konectom db upgrade [migration_needed]\n"
    assert executed == []


def test_it_does_not_start_with_what_is_not_fit_for_patients(konectom, executed):
    konectom.environ["KONECTOM_MODE"] = "production"
    said = konectom("serve", status=1).stderr
    assert said.startswith("konectom: not fit for patients' data: KONECTOM_PUBLIC_URL: must begin with https://")
    assert said.endswith("[setting_unsafe]\n")
    assert executed == []
    konectom.environ["KONECTOM_PUBLIC_URL"] = "https://konectom.hospital.example"
    konectom("serve")
    assert len(executed) == 1


def test_the_catalogues_are_checked_once_by_the_application_itself(konectom, executed, monkeypatch):
    checks = []
    monkeypatch.setattr("konectom.workflows.services.require_same_catalogues", checks.append)
    konectom("serve")
    assert len(executed) == 1
    assert checks == []
    create_app(load_settings({}, mode="development", data_dir=Path(konectom.environ["KONECTOM_DATA_DIR"])))
    assert len(checks) == 1


@pytest.mark.parametrize("page", ["commands.md", "http.md"])
def test_the_first_steps_of_the_page_lead_to_a_server(offline, tmp_path, executed, page):
    section = (DOCS / page).read_text().partition("## First steps\n")[2]
    lines = section.split("```\n")[1].splitlines()
    assert lines.pop(0) == "export KONECTOM_MODE=development KONECTOM_DATA_DIR=./konectom-data"
    offline.environ["KONECTOM_DATA_DIR"] = "./konectom-data"
    said = ""
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "konectom"
        said += offline(*words).stdout
    assert all(prefix in said for prefix in ("ke_", "ks_", "ki_"))
    assert len(executed) == 1
    assert (tmp_path / "konectom-data" / "konectom.sqlite3").is_file()


def test_consent_is_recorded_as_the_page_says(konectom, tmp_path):
    section = (DOCS / "commands.md").read_text().partition("## First steps\n")[2]
    text = tmp_path / "consent.txt"
    text.write_text("What we ask you to agree to ...")
    konectom("study", "create", "pilot")
    konectom("patient", "create", "P-001", "--study", "pilot")
    for line in section.split("```\n")[3].splitlines():
        konectom(*[text if word == text.name else word for word in shlex.split(line)[1:]])
    (shown,) = konectom.json("consent", "show", "P-001", "--study", "pilot")["current"]
    assert (shown["data_type"], shown["state"], shown["form"]) == ("touch", "given", "2026-1")


def test_a_server_that_cannot_start_is_told_with_its_log(tmp_path):
    log = tmp_path / "server.log"
    wrong = {"KONECTOM_DATABASE_URL": "nonsense"}
    with (
        pytest.raises(ServerFailed, match="stopped by itself") as raised,
        running(wrong, free_port(0), workers=1, log=log),
    ):
        pass
    assert str(log) in str(raised.value)
    assert "KONECTOM_DATABASE_URL" in log.read_text()


def test_simulated_sessions_are_files_with_their_truth(offline, tmp_path):
    words = ("--course", "worsening", "--weeks", 2, "--seed", 5)
    assert "2 sessions of 1 patient " in offline("simulate", *words, "--output", tmp_path / "one").stdout
    told = orjson.loads((tmp_path / "one" / "truth.json").read_bytes())
    files = sorted((tmp_path / "one").glob("*.json.gz"))
    assert sorted(each["session"] for each in told["sessions"]) == [path.name.split(".")[0] for path in files]
    assert told["log_slope_per_year"]["u_turn.turn_speed_radps"] < 0 < told["log_slope_per_year"]["balance.sway_rms_mg"]
    for each in told["sessions"]:
        extracted = offline.json("extract", tmp_path / "one" / f"{each['session']}.json.gz")["recordings"]
        done = ["cps", "tap", "balance", "u_turn"] + ["walk", "pinch", "draw", "msis29"] * (each["week"] == 0)
        assert [recording["assessment"] for recording in extracted] == done
        assert list(dict.fromkeys(name.partition(".")[0] for name in each["truth"])) == done

    for form, ending in (("arrow", "arrow"), ("parquet", "parquet"), ("archive", "zip")):
        offline("simulate", *words, "--format", form, "--output", tmp_path / form)
        for path in files:
            other = tmp_path / form / f"{path.name.split('.')[0]}.{ending}"
            tables, plain = (offline.json("extract", file)["recordings"] for file in (other, path))
            assert [each | {"file": ""} for each in tables] == [each | {"file": ""} for each in plain]

    offline("simulate", *words, "--output", tmp_path / "two")
    again = sorted((tmp_path / "two").glob("*.json.gz"))
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in files]
