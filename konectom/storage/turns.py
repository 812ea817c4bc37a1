"""Whose turn it is to write to a file of SQLite: asked by all threads and processes of a machine before they begin.

SQLite lets whoever finds its lock taken sleep in steps that grow to a tenth of a second, and whoever comes just then
goes first: under load some wait for seconds while others never do. Here threads of a process go in the order in which
they came, and the first of them stands in front with those of other processes: only one of all stands at the very
front (``FILE-next``), and it is the one that goes when the turn (``FILE-turn``) is given back, so that no process can
go twice past another that stands there.

Both are locks of the operating system (flock), which gives them back where a process is killed. It knows no limit of
time for waiting, so that the first of each process looks again and again, twice in a millisecond, unless its own
process tells it sooner; a thread that waited inside of flock could not be told that its time is over. flock alone,
without a front, was measured as well: who gives the turn back takes it again before the one that was woken is there.

The turn is a courtesy, and SQLite's own lock what counts: who has waited too long, or where no file of locks can be
made, goes without.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakSet

from sqlalchemy import Connection

LOOK_EVERY_S = 0.0005

GONE = -1
"""In place of the handle of a lock that was given back."""

TURN = "konectom_turn"
"""Where a connection keeps its turn."""

_held: WeakSet[Held] = WeakSet()
"""What this process has locked at the moment."""


class Held:
    """A lock of the operating system. One that a fork inherits is its parent's alone."""

    _handle = GONE

    def __init__(self, name: str) -> None:
        self._handle = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        _held.add(self)

    def lock(self) -> bool:
        """Tell whether nobody else holds it, and it is held from now on."""
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def give_back(self) -> None:
        """Give it back; a second time does nothing."""
        if self._handle != GONE:
            fcntl.flock(self._handle, fcntl.LOCK_UN)  # closing would not do while a fork has inherited it
            self.forget()

    def __del__(self) -> None:
        """Give it back where whoever took it was interrupted before it could be told."""
        self.give_back()

    def forget(self) -> None:
        """Let go of what the parent of this process holds, which stays locked until the parent gives it back."""
        handle, self._handle = self._handle, GONE
        _held.discard(self)
        if handle != GONE:
            os.close(handle)


def _forget_all() -> None:
    for each in tuple(_held):
        each.forget()


os.register_at_fork(after_in_child=_forget_all)


class Line:
    """A lock that threads are given in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.taken = False
        self._waiting: deque[threading.Lock] = deque()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def take(self, until: float) -> bool:
        """Wait for it until this instant; tell whether it was given."""
        with self._lock:
            if not self.taken:
                self.taken = True
                return True
            called = threading.Lock()
            called.acquire()
            self._waiting.append(called)
        try:
            called.acquire(timeout=max(0.0, until - time.monotonic()))
        except BaseException:  # the process is interrupted: those behind must not wait for this one
            if not self._left(called):
                self.give_back()
            raise
        return not self._left(called)

    def give_back(self) -> None:
        """Call the next."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self.taken = False

    def _left(self, called: threading.Lock) -> bool:
        """Leave the line; tell whether it was left before one's place was called."""
        with self._lock:
            if called not in self._waiting:
                return False
            self._waiting.remove(called)
            return True


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn that came, to be ended."""

    _lock: Held
    _ended: threading.Event

    def end(self) -> None:
        """Let the next one go; a second time does nothing."""
        self._lock.give_back()
        self._ended.set()


class Turns:
    """The turns of one file, as one process asks for them. Shared by threads, not by processes."""

    def __init__(self, file: Path) -> None:
        self.line = Line()
        self.next, self.turn = (f"{file.resolve()}-{name}" for name in ("next", "turn"))
        self._ended = threading.Event()

    def take(self, within_s: float) -> Turn | None:
        """Wait for a turn; None where it did not come in time, or there are no locks to be had."""
        until = time.monotonic() + within_s
        with self._first_of_the_process(until) as first:
            if not first or (front := self._locked(self.next, until)) is None:
                return None
            try:
                turn = self._locked(self.turn, until)
            finally:
                front.give_back()
        return None if turn is None else Turn(turn, self._ended)

    @contextmanager
    def taken(self, within_s: float) -> Iterator[None]:
        """Do something in turn, or without where it did not come in time."""
        turn = self.take(within_s)
        try:
            yield
        finally:
            if turn is not None:
                turn.end()

    @contextmanager
    def _first_of_the_process(self, until: float) -> Iterator[bool]:
        first = self.line.take(until)
        try:
            yield first
        finally:
            if first:
                self.line.give_back()

    def _locked(self, name: str, until: float) -> Held | None:
        try:
            held = Held(name)
        except OSError:  # nothing can be made in this directory, or no handle is left: goes without
            return None
        locked = False
        try:
            while not (locked := held.lock()) and time.monotonic() < until:
                self._ended.wait(LOOK_EVERY_S)
                self._ended.clear()
        except OSError:  # a file system that has no such locks: goes without
            return None
        finally:
            if not locked:
                held.forget()
        return held if locked else None


def begin_in_turn(connection: Connection, turns: Turns, within_ms: int) -> None:
    """Begin a write when its turn has come; the whole waiting is limited, also that for who writes out of turn."""
    began = time.monotonic()
    if connection.info.get(TURN) is None:
        connection.info[TURN] = turns.take(within_ms / 1000)
    waited_ms = round(1000 * (time.monotonic() - began))
    driver = connection.connection.cursor()
    driver.execute(f"PRAGMA busy_timeout = {max(0, within_ms - waited_ms)}")
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        if not connection.invalidated:  # as it is where the process is interrupted: closed by then
            driver.execute(f"PRAGMA busy_timeout = {within_ms}")
            driver.close()


def end_turn(info: MutableMapping[Any, Any]) -> None:
    """Let the next one go, if this connection had a turn."""
    turn: Turn | None = info.pop(TURN, None)
    if turn is not None:
        turn.end()
