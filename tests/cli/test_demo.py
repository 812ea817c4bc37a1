"""``konectom demo``: a real server, real uploads, and a directory that is left as it should be."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from konectom.commands._client import Client
from konectom.commands._demo_data import MARK, open_settings
from konectom.commands._demo_report import sparkline
from konectom.commands._server import HOST, free_port
from konectom.settings import load_settings
from konectom.workflows.services import Services
from konectom.workflows.sessions.listing import list_sessions

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--patients", "3", "--weeks", "4")


def start(directory: Path, port: int, *words: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "konectom.cli", "demo", "--data-dir", str(directory), "--port", str(port)]
    # A setting of another installation must not lead the demonstration there.
    other = {"KONECTOM_DATABASE_URL": f"sqlite:///{directory.parent}/other.sqlite3"}
    return subprocess.Popen(
        [*command, *SMALL, *words], cwd=ROOT, env=os.environ | other, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=heed_interrupts,
    )  # fmt: skip


def heed_interrupts() -> None:
    """Let Ctrl-C work in the new process even where the tests run in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run_once(directory: Path, *words: str) -> str:
    port = free_port(0)
    process = start(directory, port, "--once", *words)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert not answers(port)
    return out


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def stored(directory: Path) -> dict[str, str]:
    services = Services.open(open_settings(directory))
    try:
        return {row["id"]: row["digest"] for row in list_sessions(services, limit=500)["items"]}
    finally:
        services.close()


@pytest.mark.slow
def test_it_runs_through_once_goes_on_where_it_was_and_begins_anew_for_others(tmp_path):
    directory = tmp_path / "demo"
    out = run_once(directory)
    first = stored(directory)
    assert f"{len(first)} sessions of 3 patients over 4 weeks were uploaded" in out
    assert 8 <= len(first) <= 12
    assert "SIM-003 (course: worsening" in out
    assert "turn speed" in out
    assert "9 observations of the clinic" in out
    assert re.search(r"EDSS +3 +3 +One value: nothing to compare with", out)
    assert re.search(r"Done of what was due: balance \d+ %", out)
    # What has stopped is not offered; what is said about how to go on is true.
    assert "curl" not in out
    assert f"konectom demo --data-dir {directory}" in out
    assert f"KONECTOM_MODE=development KONECTOM_DATA_DIR={directory} konectom serve" in out
    services = Services.open(load_settings({"KONECTOM_DATA_DIR": str(directory)}))
    services.ping()
    services.close()
    assert out.rstrip().endswith("The server has stopped.")
    assert not (tmp_path / "other.sqlite3").exists()

    out = run_once(directory)
    assert "are there already" in out
    assert stored(directory) == first

    plan = orjson.loads((directory / MARK).read_bytes())
    (directory / MARK).write_bytes(orjson.dumps(plan | {"complete": False}))
    assert "were uploaded" in run_once(directory)
    assert stored(directory) == first

    assert "Starting anew" in run_once(directory, "--seed", "2")
    assert not stored(directory).keys() & first.keys()


@pytest.mark.slow
def test_it_serves_until_it_is_told_to_stop(tmp_path):
    port = free_port(0)
    process = start(tmp_path / "demo", port)
    told = ""
    for line in process.stdout:
        told += line
        if "until Ctrl-C" in line:
            break
    with Client(HOST, port) as client:
        assert client.get("/docs").status == 200
        # What it says about where to look next is true.
        token = told.partition("Bearer ")[2].partition("'")[0]
        addresses = [line.strip() for line in told.splitlines() if line.strip().startswith("http://")]
        assert len(addresses) == 5
        for address in addresses:
            assert client.get(address.removeprefix(f"http://{HOST}:{port}"), token).status == 200
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.rstrip().endswith("The server has stopped.")
    assert not answers(port)


@pytest.mark.slow
def test_ctrl_c_while_it_uploads_stops_all_and_the_next_run_goes_on(tmp_path):
    directory, port = tmp_path / "demo", free_port(0)
    process = start(directory, port, "--weeks", "30")
    while "A server answers" not in process.stdout.readline():
        assert process.poll() is None
    while not (directory / "objects" / "sha256").is_dir():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the server as well
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "konectom: interrupted\n")
    assert not answers(port)
    kept = stored(directory)
    assert "were uploaded" in run_once(directory, "--weeks", "30")
    assert stored(directory).items() > kept.items()


def test_a_directory_that_holds_something_else_is_left_alone(offline, tmp_path):
    directory = tmp_path / "precious"
    directory.mkdir()
    (directory / "konectom.sqlite3").write_text("mine")
    result = offline("demo", "--once", "--data-dir", directory, status=1)
    assert "not a demonstration" in result.stderr
    assert [(each.name, each.read_text()) for each in directory.iterdir()] == [("konectom.sqlite3", "mine")]


def test_a_port_that_is_taken_is_replaced():
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        holder.listen()
        taken = holder.getsockname()[1]
        assert free_port(taken) != taken


@pytest.mark.parametrize(
    ("values", "bars"),
    [([0, 1], "▁█"), ([1, None, 0], "█ ▁"), ([3, 3], "▁▁"), ([], ""), ([None], " "), ([0, 0.5, 1], "▁▅█")],
)
def test_a_sparkline_rises_with_its_values(values, bars):
    assert sparkline(values) == bars
