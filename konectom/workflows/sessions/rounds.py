"""The rounds of a server that computes: now and again, beside its requests, it sees to what was left behind."""

from __future__ import annotations

import threading
from uuid import UUID

import structlog

from konectom.errors import MigrationNeeded, StoreUnavailable
from konectom.workflows.services import Services
from konectom.workflows.sessions.large import compute_large_soon, large_waiting
from konectom.workflows.sessions.left_behind import MOST, compute_or_log, waiting_sessions
from konectom.workflows.sessions.tries import give_back
from konectom.workflows.uploads.clearing import sweep_uploads

log = structlog.get_logger()


class Rounds:
    """A thread that computes one session at a time, as long as there are any, and looks again after a while."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._stopping = threading.Event()
        self._computing: UUID | None = None
        self._thread = threading.Thread(target=self._go, name="rounds", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, *, within_s: float) -> None:
        """Begin nothing more, and wait for what is under way; what does not end in time is no try."""
        self._stopping.set()
        self._thread.join(within_s)
        if self._thread.is_alive() and self._computing is not None:
            give_back(self.services, self._computing)

    def _go(self) -> None:
        every_s = self.services.settings.processing_sweep.total_seconds()
        while True:
            try:
                self._round()
            except (StoreUnavailable, MigrationNeeded) as error:
                log.warning("sessions.unswept", reason=error.detail)
            except Exception:  # nobody else would be told
                log.exception("sessions.unswept")
            if self._stopping.wait(every_s):
                return

    def _round(self) -> None:
        sweep_uploads(self.services)
        apart = large_waiting(self.services)
        if apart:
            compute_large_soon(self.services)
        for session_id in waiting_sessions(self.services, most=MOST):
            if self._stopping.is_set():
                return
            if session_id in apart:
                continue
            self._computing = session_id
            try:
                compute_or_log(self.services, session_id)
            finally:
                self._computing = None
