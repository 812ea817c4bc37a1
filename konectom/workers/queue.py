"""Work from a PostgreSQL database: jobs of Procrastinate, of which it tells the workers as they are committed.

Its worker takes the jobs, shows that it is alive, and forgets jobs that are done. That its connection is lost ends it;
here another is begun, as often as needed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from uuid import UUID

import structlog
from sqlalchemy import make_url

from konectom.errors import ExtraMissing, KonectomError
from konectom.storage import jobs
from konectom.workers.crew import Crew
from konectom.workflows.services import Services
from konectom.workflows.sessions.left_behind import sweep_sessions
from konectom.workflows.uploads.clearing import sweep_uploads

try:
    import procrastinate
    from procrastinate.worker import Worker
except ImportError:
    raise ExtraMissing("workers on PostgreSQL need the extra: pip install 'konectom[postgres]'") from None

log = structlog.get_logger()

AGAIN_AFTER_S = 2.0
LOOK_EVERY_S = 5.0
"""How often jobs are looked for of which nobody told: those that were to wait, and those of a lost connection."""

AHEAD = 1
"""So many jobs more than there are processes are taken, so that none of these waits for the database."""


async def take_jobs(services: Services, crew: Crew, stopping: asyncio.Event) -> None:
    """Give the crew what jobs name, until it is told to stop; return when all that was given is done."""
    _mute()
    sweeping = asyncio.create_task(_sweep(services, stopping))
    while not stopping.is_set():
        try:
            await _take(services, crew, stopping)
        except Exception as error:  # of the library, or of the driver below it: the database cannot be reached
            log.warning("worker.waits", reason=type(error).__name__)
        await _wait(stopping, AGAIN_AFTER_S)
    await sweeping


async def _take(services: Services, crew: Crew, stopping: asyncio.Event) -> None:
    connector = procrastinate.PsycopgConnector(
        conninfo=_conninfo(services), min_size=1, max_size=crew.size + 3, timeout=10
    )
    app = procrastinate.App(connector=connector)

    @app.task(name=jobs.TASK, queue=jobs.QUEUE)
    async def compute(session: str | None = None) -> None:
        if session is not None:  # else the session was erased
            await crew.compute(UUID(session))

    async with app.open_async():
        worker = Worker(
            app,
            queues=[jobs.QUEUE],
            name=None,
            concurrency=crew.size + AHEAD,
            fetch_job_polling_interval=LOOK_EVERY_S,
            delete_jobs="always",
            install_signal_handlers=False,
            stalled_worker_timeout=jobs.SILENT_S,
        )
        stop = asyncio.create_task(_when(stopping, worker.stop))
        try:
            await worker.run()  # type: ignore[no-untyped-call]
        finally:
            stop.cancel()


async def _sweep(services: Services, stopping: asyncio.Event) -> None:
    """See to what was left behind, now and again."""
    while not stopping.is_set():
        try:
            await asyncio.to_thread(sweep_sessions, services)
            await asyncio.to_thread(sweep_uploads, services)
        except KonectomError as error:
            log.warning("sessions.unswept", reason=error.detail)
        except Exception:  # the next round may do better, and nobody else would be told
            log.exception("sessions.unswept")
        await _wait(stopping, services.settings.processing_sweep.total_seconds())


async def _when(event: asyncio.Event, do: Callable[[], None]) -> None:
    await event.wait()
    do()


async def _wait(event: asyncio.Event, within_s: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), within_s)
    except TimeoutError:
        return


def _conninfo(services: Services) -> str:
    """Return the address of the database as the driver takes it."""
    from psycopg.conninfo import make_conninfo

    _, said = services.db.engine.dialect.create_connect_args(make_url(services.db.url))
    said.pop("context", None)
    return make_conninfo(**said)


class _Told(logging.Handler):
    """What the library tells of faults, without the words of jobs, which are ids of sessions."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the log which kind of fault it was."""
        error = record.exc_info[0] if record.exc_info else None
        action = getattr(record, "action", record.funcName)
        log.error("queue.fault", action=action, reason=None if error is None else error.__name__)


def _mute() -> None:
    for name in ("procrastinate", "psycopg.pool"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [_Told(logging.ERROR)], False
