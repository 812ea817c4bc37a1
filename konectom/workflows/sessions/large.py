"""Sessions that are larger than one request may be: read in pieces, computed apart from the server.

They come in forms whose parts can be found in a file (tables, archives), so that never more than one recording of them
is in memory. In an installation without workers a process of its own computes them, one after the other: what the
allocator does not give back then goes with it, and the server stays as it was.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import BinaryIO
from uuid import UUID

import structlog
from sqlalchemy import Select, select

from konectom import formats, logs
from konectom.errors import FormatUnknown, KonectomError
from konectom.formats import Limits
from konectom.recording import Session
from konectom.settings import Settings
from konectom.storage.models import Blob, SessionRow
from konectom.workflows.services import Services

log = structlog.get_logger()

BEGIN_BYTES = 16
"""By so many the form of a file is told."""

WORK = "compute large sessions"
LOCK = "large.lock"


def limits_of(services: Services) -> Limits:
    """Return the bounds on a large session; those on one recording of it are as of any other."""
    return replace(services.settings.limits, max_body_bytes=services.settings.max_upload_bytes)


def outline_large(services: Services, file: BinaryIO, media_type: str | None) -> Session:
    """Return what a large session tells of itself, without samples.

    Raises :class:`FormatUnknown` for a form that can only be read as a whole, and as :func:`konectom.formats.outline`.
    """
    begin = file.read(BEGIN_BYTES)
    if not any(known.open is not None and begin.startswith(known.magic) for known in formats.FORMATS):
        most = services.settings.max_body_bytes
        forms = ", ".join(known.name for known in formats.FORMATS if known.open is not None)
        raise FormatUnknown(f"what has more than {most} bytes must be in one of these forms: {forms}")
    file.seek(0)
    return formats.outline(file, encoding="identity", media_type=media_type, limits=limits_of(services))


def compute_large_soon(services: Services) -> None:
    """Have large sessions computed that wait: by the workers where there are any, else by a process of its own."""
    if services.settings.processing != "workers":
        services.background.start(WORK, partial(_in_a_process, services))


def large_waiting(services: Services) -> set[UUID]:
    """Return the large sessions that wait."""
    with services.db.read() as db:
        return set(db.scalars(_statement(services)))


def _in_a_process(services: Services) -> None:
    """Wait for a process that computes all that wait. If it is killed, what it was at counts as tried."""
    if not large_waiting(services):
        return
    process = multiprocessing.get_context("spawn").Process(
        target=compute_waiting, args=(services.settings,), name="large", daemon=True
    )
    process.start()
    process.join()
    if process.exitcode:
        log.error("large.ended", exit_status=process.exitcode)


def compute_waiting(settings: Settings) -> None:
    """Compute the large sessions that wait, in this process and none other of the machine at the same time."""
    from konectom.workflows.sessions.compute import compute_session

    logs.configure(settings.log_format)
    longest_s = settings.processing_time_limit.total_seconds()

    def limited(index: int | None) -> None:
        # The default action of this signal ends the process, whatever holds the interpreter; that counts as a try.
        signal.setitimer(signal.ITIMER_REAL, longest_s)

    services = Services.open(settings)
    try:
        with _alone(settings):
            for session_id in _waiting(services):
                try:
                    compute_session(services, session_id, begun=limited)
                except KonectomError as error:
                    log.warning("session.not_computed", code=error.code)
                except Exception:  # the session's fault tells it as well
                    log.exception("session.not_computed")
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        services.close()


def _waiting(services: Services) -> Iterator[UUID]:
    """Yield each large session that waits, those too that come meanwhile, and none twice."""
    seen: set[UUID] = set()
    while True:
        with services.db.read() as db:
            found = [each for each in db.scalars(_statement(services)) if each not in seen]
        if not found:
            return
        seen.add(found[0])
        yield found[0]


def _statement(services: Services) -> Select[UUID]:
    most = services.settings.max_body_bytes
    large = select(SessionRow.id).join(Blob, Blob.object == SessionRow.object).where(Blob.size_bytes > most)
    return large.where(SessionRow.status == "received").order_by(SessionRow.received_at, SessionRow.id)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Wait until no other process of this machine is at it."""
    directory = settings.data_dir / "temporary"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
