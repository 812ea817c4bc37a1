"""Processes that compute, and what is done where one of them ends or takes too long: another takes its place.

Extraction holds Python's interpreter, so that threads would wait for each other; and a recording that ends a process
must cost no more than a try of its session.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from uuid import UUID

import structlog

from konectom import metrics
from konectom.errors import KonectomError
from konectom.settings import Settings
from konectom.workers.process import BEGUN, READY, serve
from konectom.workflows.services import Services
from konectom.workflows.sessions.tries import OUT_OF_TIME, PROCESS_ENDED, Fault, end, give_back, tell_again

log = structlog.get_logger()

STARTS_WITHIN_S = 120.0
"""How long a process may take to be ready."""

STOPPED, NOT_READY = "stopped", "not_ready"
"""How the computation of a session ended, beside what the process says."""


class Child:
    """One process, and the end of the pipe to it."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.stopped = settings, False
        self.begun, self.index = False, None
        self._begin()

    begun: bool
    """Whether the process has begun a try of the session, which is so its own."""

    index: int | None
    """Which of its recordings is tried alone."""

    def _begin(self) -> None:
        # Spawned: a fork would share connections, and the threads of libraries would be missing.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._ready = False
        self._process = context.Process(target=serve, args=(self.settings, theirs), name="compute")
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int | None:
        """Return the number of the process."""
        return self._process.pid

    def compute(self, session_id: UUID) -> tuple[str, Fault | None]:
        """Have a session computed, however long that takes; return how it ended, and the fault of a process that died.

        Whatever happened, the next session finds a process.
        """
        self.begun, self.index = False, None
        if not self._ready and not self._wait_until_ready():
            return NOT_READY, None
        try:
            self._pipe.send(session_id)
            return self._hear()
        except (EOFError, OSError):  # the process ended
            return self._ended(PROCESS_ENDED)

    def _hear(self) -> tuple[str, Fault | None]:
        limit_s = self.settings.processing_time_limit.total_seconds()
        until = monotonic() + limit_s
        while True:
            if not self._pipe.poll(max(0.0, until - monotonic())):
                return self._ended(OUT_OF_TIME)
            word, said = self._pipe.recv()
            if word != BEGUN:
                return word, None
            self.begun, self.index, until = True, said, monotonic() + limit_s

    def _wait_until_ready(self) -> bool:
        try:
            self._ready = self._pipe.poll(STARTS_WITHIN_S) and self._pipe.recv()[0] == READY
        except (EOFError, OSError):
            self._ready = False
        if not self._ready and not self.stopped:
            log.error("process.not_ready", exit=self._process.exitcode)
            self._replace()
        return self._ready

    def _ended(self, fault: Fault) -> tuple[str, Fault | None]:
        self._process.kill()
        self._process.join()
        if self.stopped:
            return STOPPED, None
        log.error("process.ended", reason=fault["code"], exit=self._process.exitcode)
        self._replace()
        return str(fault["code"]), fault

    def _replace(self) -> None:
        self._process.kill()
        self._process.join()
        metrics.forget(self._process.pid or 0)
        self._pipe.close()
        self._begin()

    def stop(self) -> None:
        """End the process at once."""
        self.stopped = True
        self._process.kill()

    def close(self) -> None:
        """Let the process end, which has nothing to do."""
        self._pipe.close()
        self._process.join(STARTS_WITHIN_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


class Crew:
    """So many processes. Sessions that come while all are busy wait."""

    def __init__(self, services: Services, size: int) -> None:
        self.services, self.size, self.busy, self.done = services, size, 0, 0
        self._leaving = False
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="crew")
        self._children = [Child(services.settings) for _ in range(size)]
        self._free: asyncio.Queue[Child] = asyncio.Queue()
        for child in self._children:
            self._free.put_nowait(child)

    async def compute(self, session_id: UUID) -> None:
        """Have a session computed; whatever becomes of it, its row tells."""
        child = await self._free.get()
        self.busy += 1
        try:
            work = self._threads.submit(self._compute, child, session_id)
            await asyncio.wrap_future(work)
            self.done += 1
        finally:
            self.busy -= 1
            self._free.put_nowait(child)

    def _compute(self, child: Child, session_id: UUID) -> None:
        if self._leaving:
            ended, fault, begun = STOPPED, None, False
        else:
            ended, fault = child.compute(session_id)
            begun = child.begun
        try:
            if not begun and (fault is not None or ended in (STOPPED, NOT_READY)):
                tell_again(self.services, session_id)
            elif fault is not None:
                end(self.services, session_id, fault)
            elif ended == STOPPED:
                give_back(self.services, session_id, index=child.index)
        except KonectomError as error:  # then it is found when its time is over
            log.warning("session.try_untold", reason=error.detail)

    def leave(self) -> None:
        """Begin nothing more: sessions that wait for a process are left to others."""
        self._leaving = True

    def stop(self) -> None:
        """End all processes at once; what they were computing is given back."""
        self.leave()
        for child in self._children:
            child.stop()

    async def close(self) -> None:
        """End the processes, which have nothing to do any more."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        for child in self._children:
            child.close()
        self._threads.shutdown()
