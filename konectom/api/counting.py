"""Requests counted within one process: two numbers for each name, and nothing that runs beside the requests.

The memory store of the ``limits`` package starts a thread with nearly every request, to forget what is over; where
others are at work that start waits for its turn, several milliseconds. Here what is over is forgotten once a minute, by
whichever request comes next.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from math import floor
from typing import NoReturn

from limits.storage import Storage
from limits.storage.base import SlidingWindowCounterSupport

SCHEME = "process"
FORGET_EVERY_S = 60.0


@dataclass(slots=True)
class _Count:
    """What came under a name in one span of time, and in the one before."""

    span_s: int
    index: int
    now: int = 0
    before: int = 0

    def roll(self, index: int) -> None:
        """Go on to another span."""
        if index != self.index:
            self.before = self.now if index == self.index + 1 else 0
            self.index, self.now = index, 0


class ProcessStorage(Storage, SlidingWindowCounterSupport):
    """Counts for :class:`limits.strategies.SlidingWindowCounterRateLimiter`, and for no other strategy."""

    STORAGE_SCHEME: list[str] | None = [SCHEME]  # noqa: RUF012  # so the registry of stores reads it

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **_: str) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self._lock = threading.Lock()
        self._counts: dict[str, _Count] = {}
        self._forget_at = 0.0

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count ``amount`` under ``key`` unless more than ``limit`` would have come in the last ``expiry`` seconds."""
        with self._lock:
            now = time.time()
            self._forget(now)
            index, passed_s = divmod(now, expiry)
            count = self._counts.get(key)
            if count is None:
                count = self._counts[key] = _Count(expiry, int(index))
            count.roll(int(index))
            if floor(count.before * (1 - passed_s / expiry) + count.now) + amount > limit:
                return False
            count.now += amount
            return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return the count of the span before, how long (s) it still weighs, that of this one, and how long it will."""
        with self._lock:
            index, passed_s = divmod(time.time(), expiry)
            left_s = expiry - passed_s
            count = self._counts.get(key)
            if count is None:
                return 0, 0.0, 0, left_s + expiry
            count.roll(int(index))
            return count.before, left_s if count.before else 0.0, count.now, left_s + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget what came under ``key``."""
        self.clear(key)

    def clear(self, key: str) -> None:
        """Forget what came under ``key``."""
        with self._lock:
            self._counts.pop(key, None)

    def reset(self) -> int:
        """Forget all; return how many names there were."""
        with self._lock:
            known = len(self._counts)
            self._counts.clear()
            return known

    def check(self) -> bool:
        """Tell that it can count."""
        return True

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return what may go wrong: nothing of its own."""
        return OSError

    def incr(self, key: str, expiry: int, amount: int = 1) -> NoReturn:
        """Refuse: no strategy but the one counts here."""
        raise NotImplementedError("this store counts in sliding windows only")

    def get(self, key: str) -> NoReturn:
        """Refuse: no strategy but the one counts here."""
        raise NotImplementedError("this store counts in sliding windows only")

    def get_expiry(self, key: str) -> NoReturn:
        """Refuse: no strategy but the one counts here."""
        raise NotImplementedError("this store counts in sliding windows only")

    def _forget(self, now: float) -> None:
        if now < self._forget_at:
            return
        self._forget_at = now + FORGET_EVERY_S
        for key in [key for key, each in self._counts.items() if now >= (each.index + 2) * each.span_s]:
            del self._counts[key]
