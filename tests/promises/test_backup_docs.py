"""What docs/backup.md tells an operator to type works, in its order, and ends with an installation that is whole."""

import os
import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from konectom.cli import cli
from konectom.commands.reference import every_command
from konectom.settings import SETTINGS
from konectom.workflows.erasing.erasure import erase_patient
from konectom.workflows.sessions.ingest import ingest_session
from tests.probe import session_body

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "backup.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PLACES = ("/mnt/backup", "/mnt/elsewhere", "/mnt/keys", "/srv/konectom-drill")
COMMANDS = {" ".join(words) for words, _ in every_command(cli, ("konectom",))}


def run(script, tmp_path, **environ):
    for place in PLACES:
        script = script.replace(place, f"{tmp_path}/{Path(place).name}")
    konectom = f'konectom() {{ "{sys.executable}" -m konectom.cli "$@"; }}\n'
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", konectom + script],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "KONECTOM_MODE": "development"} | environ,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.slow
def test_all_commands_work_in_their_order(services, people, probe, tmp_path, postgres):
    study = people.study("pilot")
    first, second = people.patient(study), people.patient(study)
    for patient in (first, second):
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=session_body())
    erase_patient(services, second, reason="withdrawn")
    services.close()
    for place in PLACES[:3]:
        (tmp_path / Path(place).name).mkdir()
    assert len(BLOCKS) == 5
    said = run(
        "\n".join(BLOCKS), tmp_path, KONECTOM_DATA_DIR=str(services.settings.data_dir),
        NEW_DATABASE_URL=postgres.url(postgres.new()), NEW_OBJECT_STORE_URL=f"file://{tmp_path}/objects-of-the-cluster",
    )  # fmt: skip
    assert "every byte as it was written\nseals: genuine\n" in said
    assert "rows put back and compared" in said
    assert "there already, and the same in both" in said
    assert said.count(": sound\n") == 2
    assert "pilot" in said


def test_every_command_and_option_that_is_named_exists():
    typed = "\n".join(re.findall(r"`[^`]+`", PAGE) + BLOCKS)
    for words in re.findall(r"(?<![/\w])konectom ((?:[a-z][a-z-]+ ?){1,2})", typed):
        first, *more = words.split()
        assert f"konectom {first}" in COMMANDS, words
        if any(name.startswith(f"konectom {first} ") for name in COMMANDS):
            assert f"konectom {first} {more[0]}" in COMMANDS, words
    options = {name for _, each in every_command(cli, ("konectom",)) for option in each.params for name in option.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)) <= options


def test_every_setting_that_is_named_exists():
    assert set(re.findall(r"KONECTOM_[A-Z_]+", PAGE)) <= {each.variable for each in SETTINGS}


def test_every_link_leads_somewhere():
    for link in re.findall(r"\]\(([^)]+)\)", PAGE):
        name, _, anchor = link.partition("#")
        text = (ROOT / "docs" / name).read_text() if name else PAGE
        headings = {
            re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
            for line in text.splitlines()
            if line.startswith("#")
        }
        assert not anchor or anchor in headings, link
