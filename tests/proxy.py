"""A line between a program and a server that can be cut, or made to swallow what the server says."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PIECE = 65536


class Line:
    """Listens on a loopback port and hands everything on to the server's socket, both ways."""

    def __init__(self, server: Path) -> None:
        self.server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._swallow_after: bytes | None = None
        self.refusing = False
        self.swallowed = threading.Event()
        self._start(self._accept)

    def cut(self) -> None:
        """Break all connections that there are."""
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def swallow_answer_to(self, said: bytes) -> None:
        """Let the server hear what comes next with these bytes in it, and cut the line before its answer is heard."""
        self.swallowed.clear()
        self._swallow_after = said

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for each in self._threads:
            each.join(30)

    def _start(self, work: Callable[..., None], *what: object) -> None:
        thread = threading.Thread(target=work, args=what, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                if self.refusing:
                    raise ConnectionRefusedError
                far.connect(str(self.server))
            except OSError:
                near.close()
                far.close()
                continue
            with self._lock:
                self._open |= {near, far}
            heard = threading.Event()
            self._start(self._carry, near, far, heard, True)
            self._start(self._carry, far, near, heard, False)

    def _carry(self, source: socket.socket, sink: socket.socket, cut_next: threading.Event, asking: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(PIECE):
                if asking and self._swallow_after is not None and self._swallow_after in data:
                    self._swallow_after = None
                    cut_next.set()
                elif not asking and cut_next.is_set():
                    self.swallowed.set()
                    break
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open -= {source}
        source.close()


@contextmanager
def line_to(server: Path) -> Iterator[Line]:
    """A line to a server's socket."""
    line = Line(server)
    try:
        yield line
    finally:
        line.close()
