"""Whether the server can do its work: each thing that it needs is looked at, in bounded time, once a second at most.

A check that hangs, as on a host that answers nothing, counts as failed when its time is over, and is not begun again
before it has ended: however often somebody asks, there is one thread for each check.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from konectom.errors import KonectomError, StoreFull, StoreUnavailable
from konectom.storage.writable import require_writable
from konectom.workflows.sessions.room import require_room

if TYPE_CHECKING:
    from konectom.workflows.services import Services

Probe = Callable[["Services"], None]

PROBES: dict[str, Probe] = {
    "database": lambda services: require_writable(services.db),
    "schema": lambda services: services.db.ping(),
    "objects": lambda services: services.objects.ping(),
    "keys": lambda services: services.require_keys(),
    "catalogues": lambda services: services.require_same_catalogues(),
    "room": require_room,
}
"""What is needed, by name, in the order in which a lack of it is told."""

NOT_NEEDED = frozenset({"room"})
"""What costs uploads alone, each of which is told so: reading goes on, and no server should be taken away for it."""

WITHIN_S = 2.0
KEPT_S = 1.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; ``error`` says what is wrong."""

    name: str
    error: KonectomError | None = None

    @property
    def fatal(self) -> bool:
        """Tell whether the server cannot work like this."""
        return self.error is not None and not (self.name in NOT_NEEDED and isinstance(self.error, StoreFull))


@dataclass(slots=True)
class _Look:
    """A check that is under way: the thread ends by setting what came of it."""

    began: float = field(default_factory=time.monotonic)
    done: threading.Event = field(default_factory=threading.Event)
    error: KonectomError | None = None


class Readiness:
    """The checks of one process, and what they last said."""

    _last: tuple[Check, ...] | None
    _looked: float

    def __init__(self, *, within_s: float = WITHIN_S, kept_s: float = KEPT_S) -> None:
        self._within_s, self._kept_s = within_s, kept_s
        self._begin()

    def look(self, services: Services) -> tuple[Check, ...]:
        """Return what each check says now, or said less than a second ago."""
        if self._pid != os.getpid():  # after a fork there are no threads
            self._begin()
        with self._lock:
            if self._last is None or time.monotonic() - self._looked >= self._kept_s:
                self._last = self._look(services)
                self._looked = time.monotonic()
            return self._last

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._looks: dict[str, _Look] = {}
        self._last = None
        self._looked = 0.0

    def _look(self, services: Services) -> tuple[Check, ...]:
        for name, probe in PROBES.items():
            if name not in self._looks:
                self._looks[name] = _started(name, probe, services)
        until = time.monotonic() + self._within_s
        return tuple(self._told(name, until) for name in PROBES)

    def _told(self, name: str, until: float) -> Check:
        look = self._looks[name]
        if not look.done.wait(max(until - time.monotonic(), 0.0)):
            waited = time.monotonic() - look.began
            return Check(name, StoreUnavailable(f"{name}: no answer for {waited:.0f} s"))
        del self._looks[name]
        return Check(name, look.error)


def _started(name: str, probe: Probe, services: Services) -> _Look:
    look = _Look()

    def run() -> None:
        try:
            probe(services)
        except KonectomError as error:
            look.error = error
        except Exception as fault:  # told like any failure: whoever asks has to learn of it
            look.error = StoreUnavailable(f"{name}: {type(fault).__name__}")
            look.error.__cause__ = fault
        finally:
            look.done.set()

    threading.Thread(target=run, name=f"ready-{name}", daemon=True).start()
    return look
