"""The walk of docs/uploads.md is one that can be gone: its commands, run by a shell against a real server."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from konectom.settings import SETTINGS
from tests.api.server_process import serving
from tests.assessments.examples import example

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "uploads.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

needs_curl = pytest.mark.skipif(not (shutil.which("curl") and shutil.which("sh")), reason="curl is not here")


@needs_curl
def test_the_commands_hand_a_session_over(settings, phone, tmp_path):
    session = {"schema": "konectom.session/1", "started_at": "2026-11-21T09:12:03+01:00"}
    body = orjson.dumps(session | {"recordings": [example("balance")]}, option=orjson.OPT_SERIALIZE_NUMPY)
    place = tmp_path / "phone"
    place.mkdir()
    (place / "session.json").write_bytes(body)
    session_id = str(uuid4())
    with serving(settings) as running:
        known = {"SERVER": f"http://127.0.0.1:{running.port}", "DEVICE_TOKEN": phone.token, "SESSION": session_id}
        subprocess.run(
            ["sh", "-eu", "-c", "".join(BLOCKS)], cwd=place, env=os.environ | known, check=True, timeout=120
        )  # fmt: skip
    receipt = orjson.loads((place / "receipt.json").read_bytes())
    assert receipt["id"] == session_id
    assert receipt["digest"] == f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert receipt["status"] == "processed"


def test_the_settings_of_the_page_are_settings():
    named = set(re.findall(r"KONECTOM_[A-Z_]+", PAGE))
    assert len(named) >= 6
    assert named <= {each.variable for each in SETTINGS}


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+\.md)", PAGE):
        assert (ROOT / "docs" / target).is_file()
