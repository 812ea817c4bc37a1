"""Who computes for a campaign: any executor of :mod:`concurrent.futures`, a bounded number of chunks at a time.

On this machine it is a pool of processes that are started anew, not forked; with a Dask cluster, its executor. A
process that ends (out of memory, a fault in a library) costs only the session that it computed: what was under way is
computed again, session by session, and the one that ends the process again has no result.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import structlog

from konectom.errors import ExtraMissing, FieldInvalid, WorkersLost
from konectom.settings import Settings
from konectom.workflows.campaigns.recompute import Outcomes, Task, compute, lost
from konectom.workflows.sessions.memory import limit_memory

log = structlog.get_logger()

AHEAD = 2
"""Chunks for each worker that are under way or wait for it."""

NOT_ENCRYPTED_MAY_BE = ("tcp://127.0.0.1:", "tcp://localhost:", "tcp://[::1]:", "inproc://")
"""Addresses of clusters on this machine."""

Open = Callable[[], AbstractContextManager[Executor]]
Compute = Callable[[Sequence[Task]], list[Outcomes]]


class Chunk(Protocol):
    """What is computed at one time."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Return the sessions."""
        ...


ChunkT = TypeVar("ChunkT", bound=Chunk)


@dataclass(frozen=True, slots=True)
class Workers:
    """How the executor is opened, and how many workers it has."""

    open: Open
    width: int
    compute: Compute = compute

    def each(self, chunks: Iterator[ChunkT]) -> Generator[tuple[ChunkT, list[Outcomes]], None, None]:
        """Yield each chunk with what came of its tasks, in order; raises :class:`WorkersLost`."""
        with _Pool(self.open, self.compute) as pool:
            waiting: deque[tuple[ChunkT, Future[list[Outcomes]]]] = deque()
            try:
                for chunk in chunks:
                    waiting.append((chunk, pool.submit(chunk.tasks)))
                    if len(waiting) > AHEAD * self.width:
                        yield _taken(pool, *waiting.popleft())
                while waiting:
                    yield _taken(pool, *waiting.popleft())
            finally:
                for _, future in waiting:
                    future.cancel()


def on_this_machine(jobs: int, settings: Settings) -> Workers:
    """Return workers that are processes of their own on this machine.

    A session that takes longer than the settings allow ends its process, and so does memory that is asked for above
    what they allow, or is an error there: such a session was perhaps given up for that, and must not stop all others.
    """
    longest_s = settings.processing_time_limit.total_seconds()

    @contextmanager
    def open_pool() -> Iterator[Executor]:
        context = multiprocessing.get_context("spawn")
        limits = (settings.processing_memory_bytes,)
        with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=limits) as executor:
            try:
                yield executor
            finally:
                executor.shutdown(wait=True, cancel_futures=True)

    return Workers(open_pool, jobs, partial(_compute_in_time, longest_s))


def in_this_process() -> Workers:
    """Return a worker that is a thread of this process."""
    return Workers(lambda: ThreadPoolExecutor(1), 1)


def on_cluster(address: str, *, insecure: bool = False) -> Workers:
    """Return the workers of a Dask cluster, whose releases must be the same as here.

    What goes to them are recordings that nothing seals any more: raises :class:`FieldInvalid` for an address that is
    neither encrypted (``tls://``) nor on this machine, unless ``insecure``; :class:`ExtraMissing` without Dask.
    """
    if not (insecure or address.startswith(("tls://", *NOT_ENCRYPTED_MAY_BE))):
        raise FieldInvalid("recordings go to a cluster elsewhere only by tls://", at="/scheduler")
    try:
        from distributed import Client
    except ImportError:
        raise ExtraMissing("a Dask cluster needs: pip install 'konectom[dask]'") from None

    @contextmanager
    def open_client() -> Iterator[Executor]:
        try:
            client = Client(address, set_as_default=False)  # type: ignore[no-untyped-call]
        except (OSError, TimeoutError) as error:
            raise WorkersLost(f"the scheduler cannot be reached: {error}") from error
        with client, client.get_executor(pure=False) as executor:  # type: ignore[no-untyped-call]
            yield executor

    try:
        with Client(address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
            width = sum(client.nthreads().values())
    except (OSError, TimeoutError) as error:
        raise WorkersLost(f"the scheduler cannot be reached: {error}") from error
    return Workers(open_client, max(1, width))


class _Pool:
    """An executor that is opened again where it was lost."""

    def __init__(self, open_executor: Open, compute: Compute) -> None:
        self._open, self._compute = open_executor, compute
        self._opened: AbstractContextManager[Executor] | None = None

    def __enter__(self) -> _Pool:
        self._begin()
        return self

    def __exit__(self, *about: object) -> None:
        self._end()

    def submit(self, tasks: tuple[Task, ...]) -> Future[list[Outcomes]]:
        """Let the tasks be computed; where the executor was lost meanwhile, by a new one."""
        try:
            return self._executor.submit(self._compute, tasks)
        except RuntimeError:  # BrokenExecutor is one, and so is what one says that was shut down
            self.mend()
            return self._executor.submit(self._compute, tasks)

    def mend(self) -> None:
        """Open another executor where this one is lost; raises :class:`WorkersLost` where that one is, too."""
        if self._fault() is None:
            return
        self._end()
        self._begin()
        fault = self._fault()
        if fault is not None:
            raise WorkersLost(f"the workers end at once: {type(fault).__name__}") from fault

    def _fault(self) -> Exception | None:
        """Return what happens where nothing is to be computed."""
        try:
            self._executor.submit(self._compute, ()).result()
        except Exception as fault:
            return fault
        return None

    def _begin(self) -> None:
        self._opened = self._open()
        self._executor = self._opened.__enter__()

    def _end(self) -> None:
        if self._opened is not None:
            opened, self._opened = self._opened, None
            opened.__exit__(None, None, None)


def _taken(pool: _Pool, chunk: ChunkT, future: Future[list[Outcomes]]) -> tuple[ChunkT, list[Outcomes]]:
    """Return the chunk with what came of it, computed session by session where the worker was lost."""
    try:
        return chunk, future.result()
    except Exception as error:  # compute raises nothing: it is how the executor says that the worker is gone
        log.warning("campaign.worker_lost", reason=type(error).__name__)
    pool.mend()
    return chunk, [_alone(pool, task) for task in chunk.tasks]


def _alone(pool: _Pool, task: Task) -> Outcomes:
    try:
        return pool.submit((task,)).result()[0]
    except Exception as error:
        log.error("campaign.session_ends_worker", reason=type(error).__name__)
    pool.mend()
    return lost(task)


def _compute_in_time(longest_s: float, tasks: Sequence[Task]) -> list[Outcomes]:
    """Compute in a process that has nothing else to do; a session that takes longer ends it."""
    found: list[Outcomes] = []
    for task in tasks:
        # The default action of this signal ends the process, whatever holds the interpreter.
        signal.setitimer(signal.ITIMER_REAL, longest_s)
        found += compute((task,))
    signal.setitimer(signal.ITIMER_REAL, 0)
    return found


def _begin(memory_bytes: int) -> None:
    """Leave an interruption from the keyboard to the process that runs the campaign, and end when that one is gone."""
    limit_memory(memory_bytes)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # nobody takes what is computed here; the pool itself would wait for work without end
