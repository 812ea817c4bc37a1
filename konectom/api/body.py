"""The raw body of a request: read within a cap, whole or not at all, and not waited for without end."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from flask import Flask, g, request

from konectom.api.deadlines import DEADLINES
from konectom.api.errors import BodyIncomplete, BodyStalled
from konectom.errors import BodyTooLarge

STALLED_AFTER_S = 30.0
"""How long no byte may come: a phone that left the network must not hold a thread for ever."""

METADATA_WITHIN = timedelta(seconds=60)
"""How long the body of any request but an upload may take to come."""

STEP_BYTES = 64 * 1024
FORM_MAX_BYTES = 32 * 1024
"""Largest form: what a page sends is a few fields. Anybody may send one, so that no more of it is waited for."""

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def init_app(app: Flask) -> None:
    """Read the forms that pages send within the same limits; must follow what refuses a request unread."""
    app.before_request(_take_form)


def received_body(max_bytes: int, within: timedelta = METADATA_WITHIN) -> bytes:
    """Return the body's bytes as they came, still compressed.

    Raises :class:`BodyTooLarge`, for a declared length before anything is read and for a chunked body as soon as it
    exceeds ``max_bytes``; :class:`BodyStalled` when it stops coming or is not whole after ``within``,
    :class:`BodyIncomplete` when it is cut off or its chunks are garbled.
    """
    declared = request.content_length
    if declared is None and "wsgi.input_terminated" not in request.environ:
        return b""  # without a length only a server that marks the end of chunked bodies may be read from
    if declared is not None and declared > max_bytes:
        raise _too_large(max_bytes)
    with _deadline(within) as passed:
        try:
            body = _read(max_bytes + 1 if declared is None else declared)
        except TimeoutError:
            raise BodyStalled(f"nothing came for {STALLED_AFTER_S:.0f} seconds") from None
        except Exception as error:
            if passed.is_set():
                raise _late(within) from None
            if isinstance(error, OSError):
                raise BodyIncomplete("the connection ended before the whole body had come") from None
            # Servers have errors of their own for chunks that are cut or garbled; no memory is a fault of ours.
            if isinstance(error, MemoryError):
                raise
            raise BodyIncomplete("the chunks of the body cannot be told apart; send it again") from error
    g.received_bytes = len(body)
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    if declared is not None and len(body) < declared:
        raise _late(within) if passed.is_set() else BodyIncomplete(f"{len(body)} of {declared} bytes came")
    return body


@contextmanager
def _deadline(within: timedelta) -> Iterator[threading.Event]:
    """Stop reading from the connection when the time is over; the event tells that it was.

    A limit on each wait alone would let one byte in thirty seconds hold a thread for a year.
    """
    passed = threading.Event()
    connection = request.environ.get("gunicorn.socket")
    if not isinstance(connection, socket.socket):
        yield passed
        return
    connection.settimeout(STALLED_AFTER_S)  # the server makes it wait for ever again before the next request

    def stop() -> None:
        passed.set()
        with suppress(OSError):  # it is gone already
            connection.shutdown(socket.SHUT_RD)  # what waits for bytes sees their end; the answer can still be sent

    deadline = DEADLINES.set(within.total_seconds(), stop)
    try:
        yield passed
    finally:
        deadline.cancel()


def _read(most_bytes: int) -> bytes:
    stream = request.environ["wsgi.input"]
    pieces, length = [], 0
    while length < most_bytes:
        piece = stream.read(min(STEP_BYTES, most_bytes - length))
        if not piece:
            break
        pieces.append(piece)
        length += len(piece)
    return b"".join(pieces)


def _take_form() -> None:
    if request.mimetype in FORMS:
        request.environ["wsgi.input"] = io.BytesIO(received_body(FORM_MAX_BYTES))


def _late(within: timedelta) -> BodyStalled:
    return BodyStalled(f"the body did not come whole within {within.total_seconds():.0f} seconds")


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body is larger than {max_bytes} bytes", limit_bytes=max_bytes)
