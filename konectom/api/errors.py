"""One handler, one shape: whatever goes wrong leaves as ``application/problem+json`` (RFC 9457).

What HTTP itself refuses, before a workflow is asked, joins the tree of :mod:`konectom.errors` here::

    KonectomError
    └── ProtocolError
        ├── RequestInvalid         400  request_invalid
        ├── BodyIncomplete         400  body_incomplete
        ├── MethodNotAllowed       405  method_not_allowed
        ├── BodyStalled            408  body_stalled
        ├── TusVersionUnsupported  412  tus_version_unsupported
        ├── MediaTypeUnsupported   415  media_type_unsupported
        ├── RateLimited            429  rate_limited
        └── InternalError          500  internal_error
"""

from __future__ import annotations

from typing import Any

import structlog
from flask import Flask, Response, current_app, request
from werkzeug.exceptions import (
    BadRequest,
    ClientDisconnected,
    HTTPException,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)
from werkzeug.exceptions import MethodNotAllowed as WerkzeugMethodNotAllowed
from werkzeug.exceptions import NotFound as WerkzeugNotFound

from konectom.api.json import encode
from konectom.api.requests import request_id
from konectom.errors import BodyTooLarge, KonectomError, NotAuthenticated, NotFound, StoreFull
from konectom.metrics import REFUSALS

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_S = 10
"""How long a client should wait before it asks a server again whose storage is away."""

RETRY_WHEN_FULL_S = 60
"""The same of one that is full: somebody has to make room."""

_LOG = structlog.get_logger("konectom.api")


class ProtocolError(KonectomError):
    """HTTP itself does not allow this request."""

    status = 400


class RequestInvalid(ProtocolError):
    """The request is not one that HTTP allows."""

    code, title = "request_invalid", "Request invalid"


class BodyIncomplete(ProtocolError):
    """The connection ended before the whole body had come."""

    code, title = "body_incomplete", "Body incomplete"


class MethodNotAllowed(ProtocolError):
    """The address exists, but not for this method."""

    code, status, title = "method_not_allowed", 405, "Method not allowed"


class BodyStalled(ProtocolError):
    """The body stopped coming for too long."""

    code, status, title = "body_stalled", 408, "Body stalled"


class TusVersionUnsupported(ProtocolError):
    """The request does not say that it speaks the version of tus that is spoken here."""

    code, status, title = "tus_version_unsupported", 412, "Version of tus not supported"


class MediaTypeUnsupported(ProtocolError):
    """The Content-Type is none that this address reads."""

    code, status, title = "media_type_unsupported", 415, "Content-Type not supported"


class RateLimited(ProtocolError):
    """More requests came than one caller may make; ``retry_after_s`` says when to come again."""

    code, status, title = "rate_limited", 429, "Too many requests"


class InternalError(ProtocolError):
    """The server failed; the request id leads to the reason in its log."""

    code, status, title = "internal_error", 500, "Internal error"


def init_app(app: Flask) -> None:
    """Let every failure of ``app`` leave through :func:`problem`."""
    app.register_error_handler(KonectomError, problem)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, problem_of_bug)


def problem(error: KonectomError) -> Response:
    """Return ``error`` as the one shape in which every failure is told."""
    response = current_app.response_class(encode(document_of(error, request.path)), error.status, mimetype=PROBLEM_TYPE)
    if isinstance(error, NotAuthenticated):
        response.headers["WWW-Authenticate"] = 'Bearer realm="konectom"'
    if error.status == 429:
        response.headers["Retry-After"] = str(error.context.get("retry_after_s", RETRY_AFTER_S))
    if error.status == 503:
        response.headers["Retry-After"] = str(RETRY_WHEN_FULL_S if isinstance(error, StoreFull) else RETRY_AFTER_S)
    return response


def document_of(error: KonectomError, instance: str) -> dict[str, Any]:
    """Return what is told of ``error``; what only the operator should know goes to the log."""
    told: dict[str, Any] = {"type": f"/docs/errors#{error.code}", "title": error.title, "status": error.status}
    told |= {name: value for name, value in error.as_dict().items() if name not in told}
    if error.status == 500 or error.private:
        # What exactly failed is for the operator's log; the caller learns the kind of failure and the request's id.
        told = {name: told[name] for name in ("type", "title", "status", "code", "checks") if name in told}
        told["detail"] = (type(error).__doc__ or error.title).splitlines()[0]
    REFUSALS.add(error=error.code)
    if error.status == 500:
        _LOG.error("request.failed", code=error.code, detail=error.detail, exc_info=error.__cause__ or error)
    if error.status == 503:
        cause = getattr(error.__cause__, "orig", error.__cause__)
        _LOG.warning("request.unserved", code=error.code, detail=error.detail, cause=str(cause or ""))
    return told | {"instance": instance, "request_id": request_id()}


def _of_http(raised: HTTPException) -> Response:
    """Return what Flask, werkzeug, webargs or flask-smorest raised, in our shape."""
    if raised.code is None or raised.code < 400:
        return current_app.make_response(raised.get_response())
    response = problem(_translated(raised))
    allowed = getattr(raised, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def _translated(raised: HTTPException) -> KonectomError:
    match raised:
        case WerkzeugNotFound():
            return NotFound("There is nothing at this address. (Ids in addresses are UUIDs.)")
        case WerkzeugMethodNotAllowed():
            return MethodNotAllowed(f"{request.method} is not possible here; see the Allow header.")
        case RequestEntityTooLarge():
            limit = request.max_content_length
            return BodyTooLarge(f"The body is larger than {limit} bytes.", limit_bytes=limit)
        case UnsupportedMediaType():
            return MediaTypeUnsupported("This address reads application/json.")
        case ClientDisconnected():
            return BodyIncomplete("The connection ended before the whole body had come.")
        case BadRequest():
            return RequestInvalid(raised.description or RequestInvalid.title)
    if raised.code is not None and raised.code < 500:
        return RequestInvalid(raised.description or raised.name)
    return InternalError(raised.description or raised.name)


def problem_of_bug(raised: Exception) -> Response:
    """Return what nobody foresaw as a failure of the server."""
    return problem(failure_of(raised))


def failure_of(raised: Exception) -> InternalError:
    """Return the error that stands for what nobody foresaw."""
    failure = InternalError(type(raised).__name__)  # what it says may quote what was sent
    failure.__cause__ = raised
    return failure
