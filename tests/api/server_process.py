"""The real server as a process of its own, on a loopback port that nobody else can take."""

import http.client
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from konectom.api import server
from konectom.settings import Settings
from tests.backends import environ_of

TOLD = ("rate_limits", "rate_limit_device", "header_time_limit", "send_time_limit")
"""What the server is told of the settings beside where everything is."""

PATIENCE_S = 120
"""How long an answer may take before the test gives up."""


@dataclass
class Server:
    """A server on ``listener``: the socket is ours, so that it outlives the process and needs no waiting for."""

    settings: Settings
    listener: socket.socket
    process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        port: int = self.listener.getsockname()[1]
        return port

    def start(self, workers: int = 1, threads: int = 4) -> None:
        fd = self.listener.fileno()
        environ = {name: value for name, value in os.environ.items() if not name.startswith("KONECTOM_")}
        environ |= environ_of(self.settings)
        environ |= {f"KONECTOM_{name.upper()}": _written(getattr(self.settings, name)) for name in TOLD}
        self.process = subprocess.Popen(
            server.command(bind=f"fd://{fd}", workers=workers, threads=threads),
            pass_fds=(fd,),
            env=environ,
            cwd=self.settings.data_dir,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill(self) -> None:
        """Stop master and workers at once, as a power cut would."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection; the listener keeps it until a worker takes it."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)

    def ask(self, method: str, path: str, token: str, body: bytes | None = None) -> tuple[int, Any]:
        """Return status and JSON of an answer."""
        connection = self.connect()
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            return answer.status, orjson.loads(answer.read())
        finally:
            connection.close()


def _written(value: object) -> str:
    return f"{value.total_seconds():.0f} s" if isinstance(value, timedelta) else str(value)


@contextmanager
def serving(settings: Settings, workers: int = 1, threads: int = 4) -> Iterator[Server]:
    """Run a server on the installation that ``settings`` describe."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        running = Server(settings, listener)
        running.start(workers, threads)
        try:
            yield running
        finally:
            running.kill()
