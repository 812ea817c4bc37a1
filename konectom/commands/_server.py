"""A real server in a process of its own, for as long as it is needed."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from konectom.commands._client import Client
from konectom.commands._output import Refusal

HOST = "127.0.0.1"
START_TRIES = 300
TRY_EVERY_S = 0.1
STOP_WITHIN_S = 20.0


class ServerFailed(Refusal):
    """The server did not start, stopped by itself, or refused what it should have taken."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Return where it answers."""
        return f"http://{HOST}:{self.port}"

    def client(self) -> Client:
        """Return a new connection."""
        return Client(HOST, self.port)

    def wait(self) -> None:
        """Wait until the server stops; raise :class:`ServerFailed`, since it was not told to."""
        code = self.process.wait()
        raise ServerFailed(f"the server stopped by itself (exit status {code}); its log: {self.log}")


@contextmanager
def running(settings: Mapping[str, str], port: int, *, workers: int, log: Path) -> Iterator[Server]:
    """Yield a server that is ready, on ``port`` or, if that is taken, another; it stops at the end.

    ``settings`` (KONECTOM_* variables) are all that it gets of them: those of the environment are left out.
    """
    from konectom.api import server

    port = free_port(port)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KONECTOM_")}
    command = server.command(bind=f"{HOST}:{port}", workers=workers, threads=server.threads)
    with log.open("ab") as sink:
        process = subprocess.Popen(  # noqa: S603  # our own command
            command, env=environ | dict(settings), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
        )
        try:
            started = Server(process, port, log)
            _await(started)
            yield started
        finally:
            _stop(process)


def free_port(wanted: int) -> int:
    """Return ``wanted`` if nobody listens there, else a port that is free."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServerFailed("there is no free port")


def _await(server: Server) -> None:
    told = "no answer"
    for _ in range(START_TRIES):
        try:
            with server.client() as client:
                answer = client.get("/readyz")
        except OSError:
            pass
        else:
            if answer.status == 200:
                return
            told = f"{answer.status} {answer.body}"
        try:
            server.process.wait(TRY_EVERY_S)
        except subprocess.TimeoutExpired:
            continue
        server.wait()
    raise ServerFailed(
        f"the server is not ready after {START_TRIES * TRY_EVERY_S:.0f} s: {told}; its log: {server.log}"
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
