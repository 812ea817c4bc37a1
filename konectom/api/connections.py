"""Connections: a thread is given to a request once its head is there, and is taken from who does not read the answer.

gunicorn's worker with threads reads heads and sends answers in its threads, and waits for both without end: as many
idle connections as there are threads would stop the server. Here heads are collected by the loop that also accepts,
which waits for all connections at once; one on which nothing but a part of a head came costs no thread, and is closed
after ``header_time_limit``. While an answer is sent, each :data:`PIECE_BYTES` of it must be taken within
``send_time_limit``. How long a body may take is for :mod:`konectom.api.body`.
"""

from __future__ import annotations

import selectors
import socket
import time
from functools import partial
from typing import Any

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.errors import ConfigError  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from konectom.settings import load_settings

PIECE_BYTES = 64 * 1024
HEAD_BYTES = 64 * 1024
"""Longest head of a request; those that our clients send have one or two thousand bytes."""

LINGER_S = 2.0
"""How long a connection is kept after its last answer for the client to take it and close (RFC 9112 section 9.6)."""

DRAINED_BYTES = 64 * 1024
"""How much a client may go on sending meanwhile."""

END_OF_HEAD = b"\r\n\r\n"


class Connection(socket.socket):
    """The server's end of a connection: never waits without end.

    ``read_limit_s`` is for each wait for bytes, where nothing narrower is set; ``send_limit_s`` is how long each
    :data:`PIECE_BYTES` that are sent may take, whether they are sent at once or in many small pieces.
    """

    read_limit_s = send_limit_s = 60.0
    _waited_s = 0.0
    _taken = 0

    def setblocking(self, flag: bool) -> None:
        """Wait for no longer than ``read_limit_s``, or not at all."""
        self.settimeout(self.read_limit_s if flag else 0.0)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send all; raises :class:`TimeoutError` where it is not taken in time."""
        before = self.gettimeout()
        if before == 0.0:  # what does not go at once is not to be waited for
            super().sendall(data, flags)
            return
        whole = memoryview(data).cast("B")
        try:
            for start in range(0, len(whole), PIECE_BYTES):
                self._send_piece(whole[start : start + PIECE_BYTES], flags)
        finally:
            self.settimeout(before)

    def _send_piece(self, piece: memoryview, flags: int) -> None:
        # Python bounds the whole of a sendall by the time limit, not each of its waits.
        self.settimeout(max(self.send_limit_s - self._waited_s, 0.001))
        began = time.monotonic()
        super().sendall(piece, flags)
        self._waited_s += time.monotonic() - began
        self._taken += len(piece)
        if self._taken >= PIECE_BYTES:
            self._waited_s, self._taken = 0.0, 0


class Client(TConn):  # type: ignore[misc]
    """A connection as gunicorn knows it, with what has come of the next request's head and when it must be whole."""

    def __init__(self, worker: Worker, sock: Connection, address: Any, server: Any) -> None:
        super().__init__(worker.cfg, sock, address, server)
        self.worker = worker
        self.head = bytearray()
        self.due = 0.0
        self.drained = 0

    def init(self) -> None:
        """Make the parser, and give it what came."""
        super().init()
        self.parser.unreader.unread(bytes(self.head))
        self.head.clear()

    def close(self, graceful: bool = False) -> None:
        """Close at once, or as soon as the client has taken its answer; nobody waits for that."""
        if graceful:
            self.worker.linger(self)
        else:
            super().close()


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's worker with threads, which wait for no client's head.

    Beside :meth:`handle_request`, all of it runs in the one thread of the loop.
    """

    header_limit_s = send_limit_s = 60.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # By when each was due first, since all have the same time.
        self.unread: dict[Client, None] = {}
        self.lingering: dict[Client, None] = {}
        self.quitting = False

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Stop at once.

        A terminal's signal comes twice, from it and from the master. The second, in the middle of the first, would
        wait for ever for the lock that the first holds.
        """
        if not self.quitting:
            self.quitting = True
            super().handle_quit(sig, frame)

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse TLS: heads cannot be told in what is encrypted."""
        if cfg.is_ssl:
            raise ConfigError("TLS is left to a proxy before the server: start it without certificate")
        super().check_config(cfg, log)

    def load_wsgi(self) -> None:
        """Make the application, and read the limits of time."""
        super().load_wsgi()
        settings = load_settings()
        self.header_limit_s = settings.header_time_limit.total_seconds()
        self.send_limit_s = settings.send_time_limit.total_seconds()

    def accept(self, listener: Any) -> None:
        """Take a new connection, if another worker has not."""
        try:
            accepted, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        connection = Connection(fileno=accepted.detach())
        connection.read_limit_s, connection.send_limit_s = self.header_limit_s, self.send_limit_s
        self.nr_conns += 1
        self.enqueue_req(Client(self, connection, address, listener.getsockname()))

    def enqueue_req(self, client: Client) -> None:
        """Wait for the head of a connection's next request, then give it to a thread."""
        client.sock.setblocking(False)
        client.data_ready = True  # threads need not look for themselves
        if client.parser is not None:
            client.head += client.parser.unreader.take_buffered()
        client.due = time.monotonic() + self.header_limit_s
        self.unread[client] = None
        self.poller.register(client.sock, selectors.EVENT_READ, partial(self._read_head, client))
        if client.head:
            self._go_on(client)
        else:
            self._read_head(client)  # most requests are there with their connection

    def _read_head(self, client: Client, _ready: Any = None) -> None:
        try:
            piece = client.sock.recv(HEAD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self._end(client, self.unread)
            return
        client.head += piece
        self._go_on(client)

    def _go_on(self, client: Client) -> None:
        # One empty line before the request is allowed (RFC 9112 section 2.2), and no end.
        whole = client.head.find(END_OF_HEAD, 2 if client.head.startswith(b"\r\n") else 0) >= 0
        if not whole and len(client.head) < HEAD_BYTES:
            return
        self._leave(client, self.unread)
        if whole:
            super().enqueue_req(client)
        else:
            self._refuse(client)

    def _refuse(self, client: Client) -> None:
        self.nr_conns -= 1
        try:
            util.write_error(client.sock, 431, "Request Header Fields Too Large", "")
        except OSError:
            client.close()
        else:
            client.close(graceful=True)

    def handle_request(self, request: Any, client: Client) -> Any:
        """Answer in a thread; a client that does not take the answer in time loses its connection."""
        try:
            return super().handle_request(request, client)
        except TimeoutError:
            self.log.info("An answer was not taken within %d s: closed.", self.send_limit_s)
            client.sock.shutdown(socket.SHUT_RDWR)
            return False

    def linger(self, client: Client) -> None:
        """Let the client take its answer and close first, and close then."""
        try:
            client.sock.setblocking(False)
            client.sock.shutdown(socket.SHUT_WR)
        except OSError:  # it is gone
            client.close()
            return
        self.nr_conns += 1
        client.due = time.monotonic() + LINGER_S
        self.lingering[client] = None
        self.poller.register(client.sock, selectors.EVENT_READ, partial(self._drain, client))

    def _drain(self, client: Client, _ready: Any) -> None:
        try:
            more = len(client.sock.recv(HEAD_BYTES))
        except BlockingIOError:
            return
        except OSError:  # reset: it is gone
            more = 0
        client.drained += more
        if more == 0 or client.drained > DRAINED_BYTES:
            self._end(client, self.lingering)

    def murder_pending(self) -> None:
        """Close what had its time; called by the loop about once a second."""
        now = time.monotonic()
        for waiting in (self.unread, self.lingering):
            for client in [each for each in waiting if each.due <= now]:
                self._end(client, waiting)

    def _leave(self, client: Client, waiting: dict[Client, None]) -> None:
        del waiting[client]
        self.poller.unregister(client.sock)

    def _end(self, client: Client, waiting: dict[Client, None]) -> None:
        self._leave(client, waiting)
        self.nr_conns -= 1
        client.close()
