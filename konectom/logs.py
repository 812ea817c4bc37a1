"""The log: events are nouns and verbs with ids (``session.stored``), never what a patient did or sent.

Nor what an error of a library says: such a text quotes what it choked on, a word that was typed, a patient's code. Of
an error that was not foreseen the log tells its kind and where it arose. In development the texts are told as well.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from typing import Any, TextIO

import structlog
from structlog.typing import ExceptionTransformer, ExcInfo, Processor


def configure(log_format: str, *, stream: TextIO | None = None, level: int = logging.INFO, texts: bool = False) -> None:
    """Write the log to ``stream`` (default: standard error), for people (``console``) or as JSON lines (``json``).

    ``texts`` lets it tell what errors say.
    """
    stream = stream or sys.stderr
    render: list[Processor]
    # Tracebacks without the values of variables: those are a patient's.
    if log_format == "json":
        faults = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        told = faults if texts else _without_texts(faults)
        render = [structlog.processors.ExceptionRenderer(told), structlog.processors.JSONRenderer(_dumps)]
    else:
        plain = structlog.dev.plain_traceback if texts else _places
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


def _without_texts(transform: ExceptionTransformer) -> ExceptionTransformer:
    """Return ``transform`` without what the errors say, but for those of the machine (no room, no connection)."""

    def transformed(exc_info: ExcInfo) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = transform(exc_info)
        of_machine = {type(each).__name__ for each in _chain(exc_info[1]) if isinstance(each, OSError)}
        _strip(told, of_machine)
        return told

    return transformed


def _strip(told: list[dict[str, Any]], but: set[str]) -> None:
    for each in told:
        if each["exc_type"] not in but:
            each["exc_value"] = ""
        each["exc_notes"] = []
        _strip([inner for group in each.get("exceptions", ()) for inner in group], but)


def _places(stream: TextIO, exc_info: ExcInfo) -> None:
    """Write where an error arose, and what led to it, without what they say."""
    for each in _chain(exc_info[1]):
        said = f": {each.strerror}" if isinstance(each, OSError) else ""
        places = "".join(traceback.format_tb(each.__traceback__))
        stream.write(f"\nTraceback (most recent call last):\n{places}{type(each).__name__}{said}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it, the first cause first."""
    if error is not None:
        yield from _chain(error.__cause__ or (None if error.__suppress_context__ else error.__context__))
        yield error


def _dumps(event: Any, **_: Any) -> str:
    import orjson

    return orjson.dumps(event, default=str).decode()
