"""The figures of a worker, at an address of its own."""

import os
import subprocess
import sys

import pytest

from konectom.settings import load_settings
from konectom.workflows.exposition import exposition, told_at
from tests.backends import environ_of

WORKER = """
import os, sys, threading, urllib.request
from pathlib import Path
from konectom.settings import load_settings
from konectom.workflows.exposition import told_at
from konectom.workflows.services import Services

services = Services.open(load_settings())
with told_at(services, "127.0.0.1:0") as port:
    directory = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    for fork in (True, False):
        child = "from konectom.metrics import RECORDINGS; RECORDINGS.add(2, assessment='tap', outcome='extracted')"
        if not fork:
            import subprocess
            subprocess.run([sys.executable, "-c", child], check=True)
        elif os.fork() == 0:
            exec(child)
            os._exit(0)
        else:
            os.wait()
    print(urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode())
services.close()
print("left:", directory.exists(), threading.active_count())
"""


def test_a_worker_tells_what_its_processes_counted_forked_or_started(services):
    """In a process of its own: how it counts is settled when it begins."""
    run = [sys.executable, "-W", "ignore", "-c", WORKER]
    where = os.environ | environ_of(services.settings)
    done = subprocess.run(run, capture_output=True, text=True, check=False, env=where)
    assert done.returncode == 0, done.stderr
    assert "konectom_database_up 1.0" in done.stdout
    assert 'konectom_sessions{status="received"} 0.0' in done.stdout
    assert 'konectom_recordings_total{assessment="tap",outcome="extracted"} 4.0' in done.stdout
    assert "left: False 1" in done.stdout


def test_without_an_address_nothing_is_opened(services):
    with told_at(services, load_settings({}).metrics_address) as port:
        assert port is None


@pytest.mark.embedded
def test_a_database_that_does_not_answer_is_told(services):
    file = services.settings.data_dir / "konectom.sqlite3"
    services.db.close()
    file.unlink()
    file.mkdir()
    text = exposition(services).decode()
    assert "konectom_database_up 0.0" in text
    assert "konectom_sessions" not in text
    file.rmdir()


def test_no_figure_is_told_twice(services):
    types = [line for line in exposition(services).decode().splitlines() if line.startswith("# TYPE")]
    assert len(types) == len(set(types))
