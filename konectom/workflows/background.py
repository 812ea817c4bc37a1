"""Work that nobody waits for: one piece at a time, in a thread of this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import structlog

from konectom.metrics import BACKGROUND

log = structlog.get_logger()


class Background:
    """A thread that is there while there is work. Each process has its own: after a fork it begins anew.

    The process may end in the middle of it, so it is only for what can be left off at any point and done again.
    """

    _thread: threading.Thread | None
    _next: dict[str, Callable[[], object]]

    def __init__(self) -> None:
        self._begin()

    def start(self, name: str, work: Callable[[], object]) -> None:
        """Do ``work`` when what is under way is done; work of the same name that did not begin is not done."""
        if self._pid != os.getpid():
            self._begin()
        with self._lock:
            self._next[name] = work
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="background", daemon=True)
                self._thread.start()

    def join(self) -> None:
        """Wait until all is done."""
        thread = self._thread
        if thread is not None and self._pid == os.getpid():
            thread.join()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._thread = None
        self._next = {}

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._next:
                    self._thread = None
                    return
                name = next(iter(self._next))
                work = self._next.pop(name)
            try:
                work()
                BACKGROUND.add(work=name, outcome="done")
            except Exception:  # nobody waits for it who could be told
                BACKGROUND.add(work=name, outcome="failed")
                log.exception("background.failed", work=name)
