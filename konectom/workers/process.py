"""A process that computes one session after the other, as its parent tells it through a pipe.

Nothing that a recording does to it reaches others: it may end at any point, and is ended where it takes too long or too
much memory. Signals that stop a worker are its parent's affair. When the parent is gone, it ends with its work.
"""

from __future__ import annotations

import signal
from datetime import timedelta
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any
from uuid import UUID

import structlog

from konectom import logs
from konectom.errors import StoreUnavailable
from konectom.security.acting import Acting, act_as
from konectom.settings import Settings
from konectom.workflows.services import Services
from konectom.workflows.sessions.compute import compute_session
from konectom.workflows.sessions.memory import limit_memory

log = structlog.get_logger()

LATER = timedelta(seconds=10)
"""How much later than its parent the process ends itself, should the parent be gone."""

READY, BEGUN, DONE, FAILED = "ready", "begun", "done", "failed"
"""What it says: the first word; behind ``begun`` stands the recording's index, behind ``done`` the session's status."""


def serve(settings: Settings, pipe: Connection) -> None:
    """Compute the sessions whose ids come through the pipe, until it is closed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    logs.configure(settings.log_format)
    limit_memory(settings.processing_memory_bytes)
    _warm()
    act_as(Acting(kind="server", action="compute"))
    services = Services.open(settings)
    try:
        pipe.send((READY, None))
        while True:
            pipe.send(_compute(services, pipe.recv(), pipe))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    finally:
        services.close()


def _compute(services: Services, session_id: UUID, pipe: Connection) -> tuple[str, Any]:
    longest = services.settings.processing_time_limit + LATER

    def begun(index: int | None) -> None:
        # The default action of this signal ends the process, whatever holds the interpreter.
        signal.setitimer(signal.ITIMER_REAL, longest.total_seconds())
        pipe.send((BEGUN, index))

    try:
        return DONE, compute_session(services, session_id, begun=begun)
    except StoreUnavailable as error:
        log.warning("session.not_computed", code=error.code, reason=error.title)
        return FAILED, error.code
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except Exception as fault:  # the session's fault tells it as well
        log.exception("session.not_computed")
        return FAILED, type(fault).__name__
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _warm() -> None:
    """Import the maths before the first session comes."""
    for module in ("konectom.formats", "konectom.assessments", "scipy.signal"):
        import_module(module)
