"""What is done when a time is over: one thread for all requests of a process, which sleeps while none is late."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(order=True, slots=True)
class Deadline:
    """When something is to be done; None once that is not wanted any more."""

    at: float
    number: int
    act: Callable[[], None] | None = field(compare=False)

    def cancel(self) -> None:
        """Let nothing be done."""
        self.act = None


class Deadlines:
    """Deadlines that were set and are not over. Starting a thread for each would cost more than it watches over."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: list[Deadline] = []
        self._numbers = 0
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._due)

    def set(self, within_s: float, act: Callable[[], None]) -> Deadline:
        """Do ``act``, in the thread of the deadlines, after ``within_s`` seconds unless it is cancelled before."""
        with self._changed:
            while self._due and self._due[0].act is None:
                heapq.heappop(self._due)
            self._numbers += 1
            deadline = Deadline(time.monotonic() + within_s, self._numbers, act)
            heapq.heappush(self._due, deadline)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            elif self._due[0] is deadline:
                self._changed.notify()
        return deadline

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0].at > time.monotonic():
                    self._changed.wait(self._due[0].at - time.monotonic() if self._due else None)
                act = heapq.heappop(self._due).act
            if act is not None:
                act()


DEADLINES = Deadlines()
"""Those of this process."""
