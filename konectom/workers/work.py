"""One worker, from its start until it is told to stop.

The first signal (SIGTERM, SIGINT) lets what is under way end, within the time that the settings give; what does not end
in time, and all at the second signal, is given back and counts as no try.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
from sqlalchemy import make_url

from konectom.errors import SettingInvalid, StoreUnavailable
from konectom.settings import Settings
from konectom.workers.campaigns import take_campaigns
from konectom.workers.crew import Crew
from konectom.workers.health import EVERY_S, SignOfLife
from konectom.workflows.services import Services
from konectom.workflows.sessions.left_behind import any_waits

log = structlog.get_logger()

LOOK_EVERY_S = 0.5
"""How often it is looked whether anything waits, where that is to be the end."""

Source = Callable[[Services, Crew, asyncio.Event], Awaitable[None]]


def work(services: Services, *, processes: int, until_done: bool = False) -> None:
    """Compute what waits, with so many processes, until told to stop, or (``until_done``) nothing waits any more.

    Raises :class:`SettingInvalid` where servers compute by themselves, :class:`~konectom.errors.ExtraMissing` where
    PostgreSQL's needs are not installed.
    """
    if services.settings.processing != "workers":
        raise SettingInvalid("KONECTOM_PROCESSING is request: servers compute by themselves", setting="processing")
    source = source_of(services)
    asyncio.run(_Work(services, processes).run(source, until_done=until_done))


def source_of(services: Services) -> Source:
    """Return where a worker on this database takes its work from."""
    if make_url(services.settings.database_url).get_backend_name() == "postgresql":
        from konectom.workers.queue import take_jobs

        return take_jobs
    from konectom.workers.polling import poll

    return poll


def directory_of_signs(settings: Settings) -> Path:
    """Return where the workers of this installation, on this host, show that they are alive."""
    return settings.data_dir / "workers"


class _Work:
    """A worker and how far it is with stopping."""

    def __init__(self, services: Services, processes: int) -> None:
        self.services, self.processes = services, processes
        self.stopping, self.now, self.out_of_time = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def run(self, source: Source, *, until_done: bool) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        crew = Crew(self.services, self.processes)
        sign = SignOfLife(directory_of_signs(self.services.settings))
        beside = [asyncio.create_task(self._live(sign, crew)), asyncio.create_task(self._drain(crew))]
        campaigns = None
        if until_done:
            beside.append(asyncio.create_task(self._see_whether_done()))
        else:
            campaigns = asyncio.create_task(
                take_campaigns(self.services, self.processes, self.stopping, self.out_of_time)
            )
        log.info("worker.started", processes=self.processes)
        try:
            await source(self.services, crew, self.stopping)
            if campaigns is not None:
                await campaigns
        finally:
            for task in beside:
                task.cancel()
            await crew.close()
            sign.end()
        log.info("worker.stopped", sessions=crew.done)

    def _told_to_stop(self) -> None:
        (self.now if self.stopping.is_set() else self.stopping).set()

    async def _live(self, sign: SignOfLife, crew: Crew) -> None:
        while True:
            state = "stopping" if self.stopping.is_set() else "working"
            sign.give(state=state, processes=crew.size, busy=crew.busy, sessions=crew.done)
            await asyncio.sleep(EVERY_S)

    async def _see_whether_done(self) -> None:
        while True:
            try:
                if not await asyncio.to_thread(any_waits, self.services):
                    self.stopping.set()
                    return
            except StoreUnavailable as error:
                log.warning("worker.waits", reason=error.detail)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _drain(self, crew: Crew) -> None:
        """Once told to stop, end what takes too long to end."""
        await self.stopping.wait()
        crew.leave()
        log.info("worker.stopping", busy=crew.busy)
        try:
            await asyncio.wait_for(self.now.wait(), self.services.settings.worker_drain_time.total_seconds())
        except TimeoutError:
            log.warning("worker.out_of_time", busy=crew.busy)
        self.out_of_time.set()
        crew.stop()
