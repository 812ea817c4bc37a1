"""The raw body of a request: read within a cap, whole or not at all, and not waited for without end."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

from flask import Flask, current_app, g, request

from konectom.api.deadlines import DEADLINES
from konectom.api.errors import BodyIncomplete, BodyStalled
from konectom.errors import BodyTooLarge, KonectomError

View = TypeVar("View", bound=Callable[..., Any])

STALLED_AFTER_S = 30.0
"""How long no byte may come: a phone that left the network must not hold a thread for ever."""

STEP_WITHIN = timedelta(seconds=30)
"""How long each :data:`STEP_BYTES` of a long body may take: one that trickles in must not hold a thread all the time
that a long body is given."""

METADATA_WITHIN = timedelta(seconds=60)
"""How long the body of any request but an upload may take to come."""

STEP_BYTES = 64 * 1024
PIECE_BYTES = 1024 * 1024
"""What is asked for at once of a body that is wanted whole: for each piece the server copies all that follows it."""

FORM_MAX_BYTES = 32 * 1024
"""Largest form: what a page sends is a few fields. Anybody may send one, so that no more of it is waited for."""

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def init_app(app: Flask) -> None:
    """Read the forms that pages send within the same limits; must follow what refuses a request unread."""
    app.before_request(_take_form)


def received_body(max_bytes: int, within: timedelta = METADATA_WITHIN) -> bytes:
    """Return the body's bytes as they came, still compressed; raises as :func:`received_pieces` does."""
    return b"".join(received_pieces(max_bytes, within, step_bytes=PIECE_BYTES))


def received_pieces(
    max_bytes: int, within: timedelta = METADATA_WITHIN, *, step_bytes: int = STEP_BYTES
) -> Iterator[bytes]:
    """Yield the body's bytes as they come, a piece at a time.

    Raises :class:`BodyTooLarge`, for a declared length before anything is read and for a chunked body as soon as it
    exceeds ``max_bytes``; :class:`BodyStalled` when it stops coming or is not whole after ``within``,
    :class:`BodyIncomplete` when it is cut off or its chunks are garbled.
    """
    declared = request.content_length
    if declared is None and "wsgi.input_terminated" not in request.environ:
        return  # without a length only a server that marks the end of chunked bodies may be read from
    if declared is not None and declared > max_bytes:
        raise _too_large(max_bytes)
    length, wanted = 0, max_bytes + 1 if declared is None else declared
    with _deadline(within) as passed:
        while length < wanted:
            piece = _next_piece(min(step_bytes, wanted - length), passed, within)
            if not piece:
                break
            length += len(piece)
            _count(piece)
            if length > max_bytes:
                raise _too_large(max_bytes)
            yield piece
    if declared is not None and length < declared:
        raise _late(within) if passed.is_set() else BodyIncomplete(f"{length} of {declared} bytes came")


def streams_body(view: View) -> View:
    """Declare that the view reads the body itself, whatever its type: it is no form of a page."""
    view.streams_body = True  # type: ignore[attr-defined]
    return view


def arriving_body(most_bytes: int, within: timedelta) -> Iterator[bytes]:
    """Yield the body as it comes, in steps; where it is cut off, raise once all that came was yielded.

    Raises :class:`BodyTooLarge` at once for a declared length; else as :func:`received_body`, and :class:`BodyStalled`
    for a step that takes longer than :data:`STEP_WITHIN`.
    """
    declared = request.content_length
    if declared is not None and declared > most_bytes:
        raise _too_large(most_bytes)
    if declared is None and "wsgi.input_terminated" not in request.environ:
        return iter(())
    return _arriving(declared, most_bytes, within)


def _arriving(declared: int | None, most_bytes: int, within: timedelta) -> Iterator[bytes]:
    came, most = 0, most_bytes + 1 if declared is None else declared
    with _deadline(within) as passed:
        while came < most:
            piece, fault = _step(min(STEP_BYTES, most - came))
            came += len(piece)
            _count(piece)
            if came > most_bytes:
                raise _too_large(most_bytes)
            if piece:
                yield piece
            if passed.is_set():
                raise _late(within)
            if fault is not None:
                raise fault
            if not piece:
                break
    if declared is not None and came < declared:
        raise BodyIncomplete(f"{came} of {declared} bytes came")


def _count(piece: bytes) -> None:
    """Keep in mind for the log how much came."""
    g.received_bytes = g.get("received_bytes", 0) + len(piece)


def _step(size: int) -> tuple[bytes, KonectomError | None]:
    """Return what came of the next step, and why nothing more comes."""
    with _deadline(STEP_WITHIN) as stalled:
        # The deadline ends the wait, and what came until then is handed out. Were it a wait alone that is bounded, that
        # would be lost.
        connection = request.environ.get("gunicorn.socket")
        if isinstance(connection, socket.socket):
            connection.settimeout(2 * STEP_WITHIN.total_seconds())
        try:
            piece = request.environ["wsgi.input"].read(size)
        except MemoryError:
            raise
        except OSError:
            return b"", BodyIncomplete("the connection ended before the whole body had come")
        except Exception:
            return b"", BodyIncomplete("the chunks of the body cannot be told apart; send it again")
    if stalled.is_set():
        return piece, BodyStalled(f"less than {size} bytes came in {STEP_WITHIN.total_seconds():.0f} seconds")
    return piece, None


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


def _next_piece(most_bytes: int, passed: threading.Event, within: timedelta) -> bytes:
    try:
        piece: bytes = request.environ["wsgi.input"].read(most_bytes)
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
    return piece


def _take_form() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if request.mimetype in FORMS and not getattr(view, "streams_body", False):
        request.environ["wsgi.input"] = io.BytesIO(received_body(FORM_MAX_BYTES))


def _late(within: timedelta) -> BodyStalled:
    return BodyStalled(f"the body did not come whole within {within.total_seconds():.0f} seconds")


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body is larger than {max_bytes} bytes", limit_bytes=max_bytes)
