"""How the server runs: the configuration of gunicorn, for ``konectom serve`` and for ``gunicorn wsgi:application``.

gunicorn reads the lower-case names of this module (``gunicorn --config python:konectom.api.server``); the environment
and the command line stand above them.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from importlib import import_module
from typing import Any

from konectom import metrics

APPLICATION = "konectom.app:create_app()"

bind = "127.0.0.1:8000"
workers = min(4, os.cpu_count() or 1)

# A thread waits for a slow body while others work; a kept-alive connection, and one without a request, cost none.
worker_class = "konectom.api.connections.Worker"
threads = 8
keepalive = 20

# The kernel would wait without end for the reader of a file that it sends.
sendfile = False

# Loading before the fork would hand one object store, one pool of connections and Arrow's threads to several processes.
preload_app = False
# One recording is too small for several threads of linear algebra: starting them costs more than it gains.
raw_env = ["OPENBLAS_NUM_THREADS=1"]
# The control socket is a way in that nobody here uses.
control_socket_disable = True

# A session that is being written when the server is told to stop is finished first.
graceful_timeout = 30
timeout = 60

# A request line and headers longer than any of ours are refused before they are kept. RFC 9112 section 3 asks for 8000.
limit_request_line = 8190
limit_request_fields = 50
limit_request_field_size = 8190

# After how many new objects Python looks for rings of them that nobody uses: a request makes some thousands, and hardly
# any ring. By itself it would look seven times in an upload.
COLLECTED_AFTER = (20_000, 20, 20)

# For how long one thread computes before another may. Whoever writes on SQLite lets go of Python at each statement,
# while all others who write wait: by itself Python would let it wait up to 5 ms each time for whoever computes.
SWITCHED_EVERY_S = 0.0005

# Of what the server computes that nobody waits for, so much is waited for in the end.
ROUNDS_END_WITHIN_S = 10.0
_rounds: list[Any] = []

# The application logs each request itself, without addresses and ids of people.
accesslog = None
errorlog = "-"
logger_class = "konectom.api.server_log.Log"


def on_starting(_arbiter: Any) -> None:
    """Keep to ourselves which server this is, and say where its processes count together; they inherit both."""
    from gunicorn.http import wsgi  # type: ignore[import-untyped]

    wsgi.SERVER = "konectom"
    metrics.begin_together()


def child_exit(_arbiter: Any, worker: Any) -> None:
    """Forget what a process that ended had in hand at the moment; what it counted stays."""
    metrics.forget(worker.pid)


def on_exit(_arbiter: Any) -> None:
    """Remove what the processes counted."""
    metrics.end_together()


def post_worker_init(worker: Any) -> None:
    """Import the maths beside the first requests, so that the first upload need not wait for it.

    Then see to what was left behind, where this server computes.
    """
    threading.Thread(target=_warm, name="warm", daemon=True).start()
    gc.set_threshold(*COLLECTED_AFTER)
    sys.setswitchinterval(SWITCHED_EVERY_S)
    services = worker.wsgi.extensions["konectom"]
    if services.settings.processing == "request":
        from konectom.workflows.sessions.rounds import Rounds

        _rounds.append(Rounds(services))
        _rounds[-1].start()


def worker_exit(_arbiter: Any, _worker: Any) -> None:
    """Let what the process was computing beside its requests end, or give it back."""
    for each in _rounds:
        each.stop(within_s=ROUNDS_END_WITHIN_S)


def _warm() -> None:
    for module in ("konectom.formats", "konectom.assessments", "scipy.signal"):
        import_module(module)
    gc.collect()
    gc.freeze()  # what is imported stays: to look through it again and again would hold up a request each time


def command(*, bind: str = bind, workers: int = workers, threads: int = threads) -> list[str]:
    """Return the command that serves konectom, for :func:`os.execv` or a subprocess."""
    return [
        *(sys.executable, "-m", "gunicorn"),
        *("--config", "python:konectom.api.server"),
        *("--bind", bind, "--workers", str(workers), "--threads", str(threads)),
        APPLICATION,
    ]
