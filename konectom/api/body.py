"""The raw body of an upload: read within a cap, whole or not at all, and not waited for without end."""

from __future__ import annotations

import socket

from flask import request

from konectom.api.errors import BodyIncomplete, BodyStalled
from konectom.errors import BodyTooLarge

STALLED_AFTER_S = 30.0
"""How long no byte may come: a phone that left the network must not hold a thread for ever."""

STEP_BYTES = 64 * 1024


def received_body(max_bytes: int) -> bytes:
    """Return the body's bytes as they came, still compressed.

    Raises :class:`BodyTooLarge`, for a declared length before anything is read and for a chunked body as soon as it
    exceeds ``max_bytes``; :class:`BodyStalled` when it stops coming, :class:`BodyIncomplete` when it is cut off.
    """
    declared = request.content_length
    if declared is None and "wsgi.input_terminated" not in request.environ:
        return b""  # without a length only a server that marks the end of chunked bodies may be read from
    if declared is not None and declared > max_bytes:
        raise _too_large(max_bytes)
    connection = request.environ.get("gunicorn.socket")
    if isinstance(connection, socket.socket):
        connection.settimeout(STALLED_AFTER_S)  # the server makes it wait for ever again before the next request
    try:
        body = _read(max_bytes + 1 if declared is None else declared)
    except TimeoutError:
        raise BodyStalled(f"nothing came for {STALLED_AFTER_S:.0f} seconds") from None
    except OSError:
        raise BodyIncomplete("the connection ended before the whole body had come") from None
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    if declared is not None and len(body) < declared:
        raise BodyIncomplete(f"{len(body)} of {declared} bytes came")
    return body


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


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body is larger than {max_bytes} bytes", limit_bytes=max_bytes)
