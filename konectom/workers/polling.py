"""Work from a database that tells nobody: it is looked for, again and again. For SQLite, and so for one host."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from uuid import UUID

import structlog

from konectom.errors import StoreUnavailable
from konectom.workers.crew import Crew
from konectom.workflows.services import Services
from konectom.workflows.sessions.left_behind import waiting_sessions

log = structlog.get_logger()

LOOK_EVERY_S = 0.5


async def poll(services: Services, crew: Crew, stopping: asyncio.Event) -> None:
    """Give the crew what waits, until it is told to stop; return when all that was given is done."""
    under_way: dict[UUID, asyncio.Task[None]] = {}
    while not stopping.is_set():
        for session_id in await _look(services, under_way.keys(), crew.size):
            under_way[session_id] = asyncio.create_task(crew.compute(session_id))
        await _wait(under_way, crew.size, stopping)
        under_way = {each: task for each, task in under_way.items() if not _is_over(task)}
    if under_way:
        await asyncio.wait(under_way.values())
        any(_is_over(task) for task in under_way.values())


async def _look(services: Services, under_way: Collection[UUID], size: int) -> list[UUID]:
    """Return as many sessions as can be taken."""
    room = size - len(under_way)
    if room <= 0:
        return []
    try:
        found = await asyncio.to_thread(waiting_sessions, services, most=size + room)
    except StoreUnavailable as error:
        log.warning("worker.waits", reason=error.detail)
        return []
    return [each for each in found if each not in under_way][:room]


async def _wait(under_way: dict[UUID, asyncio.Task[None]], size: int, stopping: asyncio.Event) -> None:
    """Wait until something ended, or it is time to look again, or to stop."""
    stop = asyncio.create_task(stopping.wait())
    timeout = LOOK_EVERY_S if len(under_way) < size else None
    await asyncio.wait({stop, *under_way.values()}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()


def _is_over(task: asyncio.Task[None]) -> bool:
    """Tell whether a task is over; a fault of it is told to the log."""
    if not task.done():
        return False
    if task.exception() is not None:
        log.error("session.not_computed", exc_info=task.exception())
    return True
