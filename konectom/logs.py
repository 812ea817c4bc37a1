"""The log: events are nouns and verbs with ids (``session.stored``), never what a patient did or sent."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog
from structlog.types import Processor


def configure(log_format: str, *, stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Write the log to ``stream`` (default: standard error), for people (``console``) or as JSON lines (``json``)."""
    stream = stream or sys.stderr
    render: list[Processor]
    # Tracebacks without the values of variables: those are a patient's.
    if log_format == "json":
        faults = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        render = [structlog.processors.ExceptionRenderer(faults), structlog.processors.JSONRenderer(_dumps)]
    else:
        plain = structlog.dev.plain_traceback
        render = [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


def _dumps(event: Any, **_: Any) -> str:
    import orjson

    return orjson.dumps(event, default=str).decode()
