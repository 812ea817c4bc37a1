"""What the server counts of itself, for Prometheus. No label names a person, a session, or anything that was sent.

Counting begins with :func:`turn_on`. Before, as in a command that works offline, nothing is counted and nothing is
imported for it. The processes of one server, or one worker, count into files of one private directory (the multiprocess
mode of prometheus_client), from which whichever is asked adds them up. Who starts them makes the directory
(:func:`begin_together`) and removes it; one that a server which was killed left behind is removed by the next one.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

P = ParamSpec("P")
T = TypeVar("T")

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that tells where the processes of one server count together."""

FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_NAME = "konectom-metrics-"

_on = bool(os.environ.get(DIRECTORY))  # one of several processes, that were started to count together


@dataclass(frozen=True, slots=True)
class Metric:
    """One thing that is counted or measured, by its labels."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    means: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = FAST

    def add(self, amount: float = 1.0, **labels: str) -> None:
        """Count ``amount`` more; a gauge may go down as well."""
        if _on:
            self._of(labels).inc(amount)

    def observe(self, seconds: float, **labels: str) -> None:
        """Take in how long something took."""
        if _on:
            self._of(labels).observe(seconds)

    @contextmanager
    def timed(self, **labels: str) -> Iterator[None]:
        """Take in how long the block takes, also where it fails."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.observe(time.perf_counter() - began, **labels)

    def _of(self, labels: dict[str, str]) -> Any:
        made = _made(self)
        return made.labels(**labels) if labels else made


REQUESTS = Metric("counter", "konectom_requests", "Requests that were answered.", ("method", "route", "status"))
REQUEST_SECONDS = Metric(
    "histogram", "konectom_request_seconds", "How long answers took, until they began to leave.", ("method", "route"),
    SLOW,
)  # fmt: skip
UPLOADS = Metric("counter", "konectom_uploads", "Sessions handed over, by what they were answered.", ("outcome",))
REFUSALS = Metric("counter", "konectom_refusals", "What was answered with an error, by its code.", ("error",))
UPLOAD_BYTES = Metric("counter", "konectom_upload_bytes", "Bytes of sessions that were kept, as they came.")
RECORDINGS = Metric(
    "counter", "konectom_recordings", "Recordings that were looked at, by what came of them.", ("assessment", "outcome")
)
EXTRACTION_SECONDS = Metric(
    "histogram", "konectom_extraction_seconds", "How long the measures of a recording took.", ("assessment",), SLOW
)
STORE_SECONDS = Metric(
    "histogram", "konectom_store_seconds", "How long the object store took, by what it did.", ("operation",)
)
STORE_ERRORS = Metric(
    "counter", "konectom_store_errors", "What the object store could not do, or did not have.", ("operation", "error")
)
CONNECTIONS = Metric("gauge", "konectom_database_connections_in_use", "Connections to the database at work.")
BACKGROUND = Metric(
    "counter", "konectom_background", "Work that nobody waited for, by how it ended.", ("work", "outcome")
)

EVERY = (
    REQUESTS,
    REQUEST_SECONDS,
    REFUSALS,
    UPLOADS,
    UPLOAD_BYTES,
    RECORDINGS,
    EXTRACTION_SECONDS,
    STORE_SECONDS,
    STORE_ERRORS,
    CONNECTIONS,
    BACKGROUND,
)
"""All that is counted; what the database and the disks tell is read when somebody asks."""


def turn_on() -> None:
    """Begin to count in this process."""
    global _on
    _on = True
    for each in EVERY:
        _made(each)


def begin_together() -> None:
    """Make the directory, for our own account only, and name it to the processes that follow.

    Before anything is counted here: prometheus_client decides when it is imported how it counts.
    """
    _remove_left_behind()
    os.environ[DIRECTORY] = tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-")


def forget(pid: int) -> None:
    """Remove what a process that ended told of the moment: what it has in hand is nothing any more."""
    directory = os.environ.get(DIRECTORY)
    if directory:
        for file in Path(directory).glob(f"gauge_live*_{pid}.db"):
            file.unlink(missing_ok=True)


def end_together() -> None:
    """Remove the directory of this process, if it is its own."""
    directory = Path(os.environ.get(DIRECTORY, ""))
    if directory.name.startswith(f"{_NAME}{os.getpid()}-"):
        shutil.rmtree(directory, ignore_errors=True)
        del os.environ[DIRECTORY]


def _remove_left_behind() -> None:
    for left in Path(tempfile.gettempdir()).glob(f"{_NAME}*"):
        found = re.match(rf"{_NAME}([0-9]+)-", left.name)
        # Whose account it is, is asked of the entry itself: somebody may have laid a link there.
        if found and left.lstat().st_uid == os.getuid() and not left.is_symlink() and not _lives(int(found[1])):
            shutil.rmtree(left, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def measured(operation: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Measure a method of an object store, and count how it fails."""

    def decorate(method: Callable[P, T]) -> Callable[P, T]:
        @wraps(method)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
            if not _on:
                return method(*args, **kwargs)
            with STORE_SECONDS.timed(operation=operation):
                try:
                    return method(*args, **kwargs)
                except Exception as error:
                    STORE_ERRORS.add(operation=operation, error=getattr(error, "code", "fault"))
                    raise

        return wrapped

    return decorate


def registry() -> CollectorRegistry:
    """Return what was counted: by all processes of the server where there are several, else by this one."""
    if not os.environ.get(DIRECTORY):
        return _own()
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    of_all = CollectorRegistry()
    MultiProcessCollector(of_all)  # type: ignore[no-untyped-call]
    return of_all


@cache
def _own() -> CollectorRegistry:
    from prometheus_client import CollectorRegistry

    return CollectorRegistry()


@cache
def _made(metric: Metric) -> Any:
    from prometheus_client import Counter, Gauge, Histogram

    about = (metric.name, metric.means, metric.labels)
    match metric.kind:
        case "counter":
            return Counter(*about, registry=_own())
        case "gauge":
            return Gauge(*about, registry=_own(), multiprocess_mode="livesum")
        case "histogram":
            return Histogram(*about, registry=_own(), buckets=metric.buckets)
