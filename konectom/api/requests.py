"""What every request gets: an id, and one line in the log.

The id is always made here: it leads from an answer to the log and the audit, and nobody outside may have a hand in
that. One that the caller sent stands beside it in the log, as ``client_request_id``, and is sent back in a header of
its own.
"""

from __future__ import annotations

import re
import time
from uuid import uuid4

import structlog
from flask import Flask, Response, g, request

REQUEST_ID_HEADER = "X-Request-Id"
CLIENT_ID_HEADER = "X-Client-Request-Id"

_FOREIGN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_LOG = structlog.get_logger("konectom.api")


def init_app(app: Flask) -> None:
    """Give ``app``'s requests their id and log line."""
    app.before_request(_begin)
    app.after_request(_finish)


def request_id() -> str:
    """Return the id of the request at hand."""
    if "request_id" not in g:
        g.request_id = uuid4().hex
    known: str = g.request_id
    return known


def _client_request_id() -> str | None:
    """Return the caller's own id of the request, where it sent a decent one."""
    sent = request.headers.get(REQUEST_ID_HEADER, "")
    return sent if _FOREIGN_ID.fullmatch(sent) else None


def _begin() -> None:
    g.began = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id())
    sent = _client_request_id()
    if sent is not None:
        structlog.contextvars.bind_contextvars(client_request_id=sent)


def _finish(response: Response) -> Response:
    response.headers[REQUEST_ID_HEADER] = request_id()
    sent = _client_request_id()
    if sent is not None:
        response.headers[CLIENT_ID_HEADER] = sent
    # The rule, not the path: ids of people and sessions stay out of the log.
    rule = request.url_rule.rule if request.url_rule else None
    took_ms = round((time.perf_counter() - g.began) * 1000, 1) if "began" in g else None
    tell = _LOG.debug if request.blueprint == "health" and response.status_code < 400 else _LOG.info
    tell("request.answered", method=request.method, rule=rule, status=response.status_code, took_ms=took_ms)
    return response
