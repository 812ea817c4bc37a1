"""Campaigns that somebody decided over HTTP: taken up by workers, one at a time in an installation.

A process of its own carries them out, which has processes for itself that compute: half as many as the worker has, so
that uploads go on. Where it ends, whatever ended it, the campaign goes on from where it had come, here or elsewhere.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from contextlib import suppress
from typing import Any

import structlog

from konectom import logs, metrics
from konectom.errors import KonectomError
from konectom.security.acting import Acting, act_as
from konectom.settings import Settings
from konectom.workflows.campaigns.decisions import waiting_campaigns
from konectom.workflows.campaigns.pool import on_this_machine
from konectom.workflows.campaigns.runs import carry_out_next
from konectom.workflows.services import Services

log = structlog.get_logger()

LOOK_EVERY_S = 5.0
"""How often it is looked for a campaign that asks for work."""


async def take_campaigns(services: Services, processes: int, stopping: asyncio.Event, now: asyncio.Event) -> None:
    """Have campaigns carried out until told to stop; one under way is left at its next step, or at once when ``now``.

    Whoever takes it up next goes on with it.
    """
    while not stopping.is_set():
        if await asyncio.to_thread(_is_asked_for, services):
            await _in_a_process(services.settings, max(1, processes // 2), stopping, now)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), LOOK_EVERY_S)


def carry_out_waiting(settings: Settings, jobs: int) -> None:
    """Carry out the campaigns that ask for work, until none does, or SIGTERM; for a process of its own."""
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()
    logs.configure(settings.log_format)
    act_as(Acting(kind="server", action="reprocess"))
    services = Services.open(settings)
    try:
        workers = on_this_machine(jobs, settings)
        while not stop.is_set() and carry_out_next(services, workers, stop=stop.is_set):
            pass
    except KonectomError as error:
        log.warning("campaign.interrupted", reason=error.code)
    finally:
        services.close()


def _is_asked_for(services: Services) -> bool:
    try:
        return bool(waiting_campaigns(services))
    except KonectomError as error:
        log.warning("worker.waits", reason=error.detail)
        return False


async def _in_a_process(settings: Settings, jobs: int, stopping: asyncio.Event, now: asyncio.Event) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=carry_out_waiting, args=(settings, jobs), name="campaigns"
    )
    process.start()
    telling = [asyncio.create_task(_when(stopping, process.terminate)), asyncio.create_task(_when(now, process.kill))]
    try:
        await asyncio.to_thread(process.join)
    finally:
        for each in telling:
            each.cancel()
    metrics.forget(process.pid or 0)
    if process.exitcode:
        log.error("campaign.process_ended", exit=process.exitcode)


async def _when(event: asyncio.Event, do: Any) -> None:
    await event.wait()
    do()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # its processes see that this one is gone, and end as well
