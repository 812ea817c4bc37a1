"""A TCP proxy on loopback that can be cut: what lies between two parts of an installation, misbehaving on demand."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

PIECE = 16 * 1024
RESET = struct.pack("ii", 1, 0)
"""Closing a socket that lingers for no time sends a reset, as a router does that lost its state."""

CUTS = ("reset", "refuse", "stall", "truncate")
"""All connections are reset; those and new ones, until healed; nothing passes, until healed; cut after some bytes."""


class Proxy:
    """Forwards connections on ``port`` to ``target``; :meth:`cut` and :meth:`heal` may be called from any thread."""

    def __init__(self, name: str, target: int, seed: int) -> None:
        self.name, self.target, self.cuts = name, target, 0
        self._random = random.Random(seed)
        self._links: set[Link] = set()
        self._refusing = False
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name=f"proxy {name}", daemon=True)
        self._thread.start()

    def cut(self, kind: str) -> None:
        """Cut in one of the ways of :data:`CUTS`."""
        self.cuts += 1
        self._call(lambda: self._cut(kind))

    def heal(self) -> None:
        """Let everything pass again."""
        self._call(self._heal)

    def close(self) -> None:
        """Stop; all connections are reset."""
        self._call(lambda: self._cut("refuse"))
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _call(self, what: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(what)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._open.set()
        self._loop.run_until_complete(asyncio.start_server(self._accept, sock=self._listener))
        self._loop.run_forever()

    def _cut(self, kind: str) -> None:
        if kind == "stall":
            self._open.clear()
            return
        self._refusing = kind == "refuse"
        for link in list(self._links):
            if kind == "truncate":
                link.left = self._random.randrange(4 * PIECE)
            else:
                link.reset()

    def _heal(self) -> None:
        self._refusing = False
        self._open.set()

    async def _accept(self, near_in: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        if self._refusing:
            reset(near)
            return
        try:
            far_in, far = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:  # what is behind is not there
            reset(near)
            return
        link = Link(near, far)
        self._links.add(link)
        try:
            await asyncio.gather(self._pass(link, near_in, far), self._pass(link, far_in, near))
        except asyncio.CancelledError:  # the proxy is closed; streams of Python 3.11 would tell of it as of a fault
            link.reset()
        finally:
            self._links.discard(link)
            link.close()

    async def _pass(self, link: Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while piece := await source.read(PIECE):
                await self._open.wait()
                if link.left is not None:
                    piece = piece[: link.left]
                    link.left -= len(piece)
                sink.write(piece)
                await sink.drain()
                if link.left == 0:
                    link.reset()
                    return
            sink.write_eof()
        except OSError:  # one side is gone; the other would not be told otherwise
            link.reset()


class Link:
    """Both sides of one connection; ``left`` is how many bytes may still pass before it is cut, None for any number."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.near, self.far = near, far
        self.left: int | None = None

    def reset(self) -> None:
        reset(self.near)
        reset(self.far)

    def close(self) -> None:
        self.near.close()
        self.far.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection as if its other side had vanished."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
